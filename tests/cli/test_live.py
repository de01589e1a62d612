"""`check --live`: a site broken in one way at a time; each is found before control, and named with what mends it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from hil import certificates
from hil.rig import Rig
from hil.scenario import parse
from tests.cli.calls import Here

Json = dict[str, Any]
FAST = {"latency_s": [0.0, 0.0]}


def devices() -> dict[str, Json]:
    """Two inverters, a battery with its management system behind one gateway, and the grid's meter."""
    rows: list[Json] = [
        {"id": "pv1", "face": "pv_1xx", "serial": "1001", "rating": {"p_max_w": 5000}},
        {"id": "pv2", "face": "pv_7xx", "serial": "1002", "rating": {"p_max_w": 10000}},
        {"id": "bat1", "face": "storage_7xx", "serial": "1003", "endpoint": "bat", "battery": {"soc_pct": 60}},
        {"id": "bms1", "face": "bms", "serial": "1004", "der": "bat1", "endpoint": "bat", "unit": 2},
        {"id": "meter", "face": "meter", "serial": "1005", "rating": {"p_max_w": 20000}},
    ]
    return {row["id"]: {**row, "habits": FAST} for row in rows}


def site(folder: Path) -> Json:
    """A file that fits them."""
    reverts = {"p_ceiling_w": 3000, "by": "reversion", "after_s": 60}
    bat: Json = {"id": "bat1", "bus": "bat", "unit": 1, "kind": "sunspec_storage", "bms": {"bus": "bat", "unit": 2}}
    return {
        "version": 1,
        "site": {
            "id": "house",
            "v_nom_v": 230,
            "f_nom_hz": 50,
            "clock_sync": "assume",
            "state_dir": f"{folder}/state",
            "socket": f"{folder}/derctl.sock",
        },
        "buses": [{"id": name, "tcp": {"host": "127.0.0.1", "port": 0}} for name in ("pv1", "pv2", "bat", "meter")],
        "ders": [
            {"id": "pv1", "bus": "pv1", "unit": 1, "kind": "sunspec_pv", "serial": "1001", "fallback": dict(reverts)},
            {"id": "pv2", "bus": "pv2", "unit": 1, "kind": "sunspec_pv", "serial": "1002", "fallback": dict(reverts)},
            {**bat, "fallback": {"p_ceiling_w": 0, "by": "reversion"}},
        ],
        "poc": {"bus": "meter", "unit": 1, "sign": 1},
        "functions": [{"kind": "contract_export_limit", "limit_w": 20000}],
    }


@dataclass
class House:
    """What a breakage may touch: the devices before they are built, the site file, and what goes on meanwhile."""

    folder: Path
    devices: Json = field(default_factory=devices)
    serial: Json = field(default_factory=dict)
    site: Json = field(default_factory=dict)
    rig: Rig | None = None
    meanwhile: list[Coroutine[Any, Any, None]] = field(default_factory=list)
    begun: asyncio.Event = field(default_factory=asyncio.Event)

    def der(self, name: str) -> Json:
        return next(each for each in self.site["ders"] if each["id"] == name)

    def bus(self, name: str) -> Json:
        return next(each for each in self.site["buses"] if each["id"] == name)

    def shows(self, device: str, model: int, **points: float) -> None:
        bank = self.rig.units[device].face.bank
        bank.image(model).put_all(points)
        bank.publish()


Break = Callable[[House], Any]


def wrong_unit(house: House) -> None:
    house.devices["pv1"]["unit"] = 3


def reversed_clamp(house: House) -> None:
    house.devices["meter"]["options"] = {"sign": -1}


def wrong_nominal(house: House) -> None:
    house.site["site"]["v_nom_v"] = 120


def unseen_firmware(house: House) -> None:
    house.devices["pv1"]["habits"] = FAST | {
        "maker": "KACO new energy",
        "model": "blueplanet 8.6",
        "version": "V6.00",
    }


def timer_that_never_reverts(house: House) -> None:
    house.devices["pv1"]["habits"] = FAST | {"maker": "OutBack_Power", "model": "Radian"}
    house.der("pv1")["profile"] = "outback"


def one_client(house: House) -> None:
    """The site file names the maker; somebody else has the only connection."""
    house.devices["pv1"]["habits"] = FAST | {"max_clients": 1, "extra_clients": "silent"}
    house.der("pv1")["profile"] = "solaredge"
    house.meanwhile.append(_holds(house, "pv1"))


def one_client_that_closes(house: House) -> None:
    house.devices["pv1"]["habits"] = FAST | {"max_clients": 1, "extra_clients": "refused"}
    house.meanwhile.append(_holds(house, "pv1"))


async def _holds(house: House, name: str) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", house.rig.ports()[name])
    try:
        house.begun.set()
        await asyncio.get_running_loop().create_future()
    finally:
        writer.close()


def wrong_baud(house: House) -> None:
    house.serial["line"] = {"baud": 19200}
    house.devices["pv1"]["endpoint"] = "line"
    house.site["buses"][0] = {"id": "pv1", "rtu": {"port": "line", "baud": 9600}}


def meter_of_production(house: House) -> Callable[[], None]:
    def at_once() -> None:
        state = house.rig.world.view.state
        given: float = sum(state.ders[name].inverter.p_w for name in ("pv1", "pv2", "bat1"))
        house.shows("meter", 203, W=given)

    return at_once


def silent_bms(house: House) -> None:
    house.devices["bms1"]["endpoint"] = "elsewhere"


def blank_bms(house: House) -> None:
    names = ("AChaMax", "ADisChaMax", "WChaRteMax", "WDisChaRteMax", "WChaDisChaMax", "SoC", "V")
    house.devices["bms1"]["habits"] = FAST | {"without": [f"802.{name}" for name in names]}


def clock_not_set(house: House) -> None:
    house.site["site"]["clock_sync"] = f"{house.folder}/not-there"


def expired_broker(house: House) -> None:
    papers = house.folder / "papers"
    papers.mkdir()
    certificates.make(papers)
    (house.folder / "tls.pem").write_text((papers / "ca.pem").read_text())
    house.site["mqtt"] = {"host": "127.0.0.1", "port": 0, "tls": {"ca_file": f"{papers}/ca.pem"}}
    house.meanwhile.append(_speaks_tls(house, papers))


async def _speaks_tls(house: House, papers: Path) -> None:
    async def nobody(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await reader.read()
        writer.close()

    server = await asyncio.start_server(nobody, "127.0.0.1", 0, ssl=certificates.server(papers, "server_expired"))
    house.site["mqtt"]["port"] = server.sockets[0].getsockname()[1]
    house.begun.set()
    async with server:
        await server.serve_forever()


def two_masters(house: House) -> None:
    house.meanwhile.append(_moves_the_limit(house))


async def _moves_the_limit(house: House) -> None:
    """A little lower each time that somebody looks."""
    unit, percent, seen = house.rig.units["pv1"], 100.0, -1
    while True:
        if unit.count.requests != seen:
            seen, percent = unit.count.requests, max(percent - 1.0, 20.0)
            house.shows("pv1", 123, WMaxLimPct=percent, WMaxLim_Ena=1)
            house.begun.set()
        await asyncio.sleep(0.005)


@pytest.fixture
async def broken(tmp_path: Path, here: Here) -> AsyncIterator[Callable[..., Awaitable[Any]]]:
    """`await broken(wrong_unit)`: exit code, what was found by its code, and the house; `page=True`: the page."""
    running: list[Rig] = []
    tasks: list[asyncio.Task[None]] = []

    async def call(*breaks: Break, page: bool = False) -> Any:
        house = House(tmp_path, site=site(tmp_path))
        after = [each(house) for each in breaks]
        plant = {"loads": {"house": {"node": "poc", "p_w": 1500}}, "sun": {"points": [[0, 0.8]]}}
        rows = {"name": "t", "plant": plant, "devices": list(house.devices.values()), "serial": house.serial}
        house.rig = Rig(parse(rows))
        await house.rig.start()
        running.append(house.rig)
        tasks.extend(asyncio.create_task(each) for each in house.meanwhile)
        for each in after:
            if each is not None:
                each()
        if house.meanwhile:
            await asyncio.wait_for(house.begun.wait(), 10.0)
        for bus in house.site["buses"]:
            if "tcp" in bus:
                bus["tcp"]["port"] = house.rig.ports()[bus["id"]]
            else:
                bus["rtu"]["port"] = house.rig.ports()["line"]
        path = tmp_path / "site.yaml"
        path.write_text(yaml.safe_dump(house.site))
        words = ("check", "--live", "-c", str(path), "--for", "0.3s")
        code, out, err = await here(*words, *([] if page else ["--json"]))
        assert sum(unit.count.writes for unit in house.rig.units.values()) == 0
        assert not (tmp_path / "state").exists()
        assert out, err
        return (
            (code, out, house)
            if page
            else (code, {(each["code"], each["about"]): each for each in json.loads(out)["findings"]}, house)
        )

    yield call
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for rig in running:
        await rig.stop()


async def test_a_sound_site_is_found_sound_and_nothing_is_written(broken: Any) -> None:
    code, out, _ = await broken(page=True)
    assert code == 0, out
    assert "All as the site file says" in out
    assert "serial 1002" in out


TWELVE: dict[Break, tuple[str, str, str]] = {
    wrong_unit: ("unit_wrong", "pv1", "unit: 3"),
    reversed_clamp: ("meter_sign_open", "poc", "sign: -1"),
    two_masters: ("limit_moves", "pv1", "controllers"),
    wrong_nominal: ("nominal_wrong", "pv2", "v_nom_v"),
    unseen_firmware: ("firmware_unseen", "pv1", "firmware: 'V6.00'"),
    timer_that_never_reverts: ("timer_never_reverts", "pv1", "by: stands"),
    one_client: ("one_client", "pv1", "End the other client"),
    one_client_that_closes: ("one_client", "pv1", "End the other client"),
    wrong_baud: ("baud_wrong", "pv1", "baud: 19200"),
    meter_of_production: ("meter_of_production", "poc", "grid's meter"),
    silent_bms: ("bms_silent", "bat1.bms", "unit id"),
    blank_bms: ("bms_silent", "bat1.bms", "paired"),
    clock_not_set: ("clock_unset", "clock", "clock_sync"),
    expired_broker: ("broker_certificate_expired", "broker", "Renew"),
}
"""The code, of whom, and a word of what mends it."""


@pytest.mark.parametrize("breakage", TWELVE, ids=lambda each: each.__name__)
async def test_each_breakage_is_named_with_what_mends_it(broken: Any, breakage: Break) -> None:
    if breakage is expired_broker:
        assert shutil.which("openssl"), "make system installs it"
    wanted, about, remedy = TWELVE[breakage]
    code, found, _ = await broken(breakage)
    assert code == 1
    assert (wanted, about) in found, found
    assert remedy in found[wanted, about]["remedy"]


async def test_while_the_daemon_runs_it_says_so_and_asks_nobody(
    here: Here, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answers(*given: Any) -> Json:
        return {}

    monkeypatch.setattr("derctl.cli.live.ask", answers)
    path = tmp_path / "site.yaml"
    house = site(tmp_path)
    for number, bus in enumerate(house["buses"]):
        bus["tcp"]["port"] = number + 1
    path.write_text(yaml.safe_dump(house))
    code, out, err = await here("check", "--live", "-c", str(path))
    assert (code, out) == (75, "")
    assert "derctl doctor" in err
