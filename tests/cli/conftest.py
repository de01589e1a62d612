"""Simulated devices that stand still, and derctl beside them as a process or a call."""

from __future__ import annotations

import asyncio
import struct
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import sunspec2.modbus.client

from derctl.cli import main
from hil.rig import Rig
from hil.scenario import parse
from tests.cli.calls import At, ByPysunspec2, Called, Here, Outside, Said, Scanned, SiteFile, Speaking

ROOT = Path(__file__).resolve().parents[2]
DEVICES: tuple[dict[str, Any], ...] = (
    {"id": "pv1", "face": "pv_1xx", "serial": "1001", "rating": {"p_max_w": 5000}},
    {"id": "pv2", "face": "pv_7xx", "serial": "1002", "rating": {"p_max_w": 10000}, "habits": {"base": 0}},
    {"id": "bat1", "face": "storage_7xx", "serial": "1003", "endpoint": "bat", "battery": {"soc_pct": 60}},
    {"id": "bms1", "face": "bms", "serial": "1004", "der": "bat1", "endpoint": "bat", "unit": 2},
    {"id": "meter", "face": "meter", "serial": "1005", "rating": {"p_max_w": 20000}},
    {"id": "many", "face": "sections", "serial": "1007", "der": "pv1", "habits": {"maker": "SolarEdge"}},
    {"id": "solo", "face": "pv_1xx", "serial": "1006", "habits": {"max_clients": 1, "extra_clients": "silent"}},
)
Json = dict[str, Any]
OWN_UNREAD = "own_function_on: the device's own mode can't be read back"


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    """Servers on ephemeral ports; the plant is not stepped, so every value stays."""
    plant = {"loads": {"house": {"node": "poc", "p_w": 1000}}}
    fast = {"latency_s": [0.0, 0.0]}
    given = [{**device, "habits": {**fast, **device.get("habits", {})}} for device in DEVICES]
    made = Rig(parse({"name": "test", "plant": plant, "devices": given}))
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def here(capsys: pytest.CaptureFixture[str]) -> Here:
    """`await here("scan", ...)`: the command line in a thread of this process: code, stdout, stderr."""

    async def call(*words: str) -> Said:
        capsys.readouterr()
        code = await asyncio.to_thread(main, [*words])
        out, err = capsys.readouterr()
        return code, out, err

    return call


def run(*words: str, cwd: Path = ROOT) -> Said:
    done = subprocess.run(
        [sys.executable, "-m", "derctl", *words], cwd=cwd, capture_output=True, text=True, timeout=300, check=False
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`answers("taken over: functions")`: the daemon's answer, or what it raises."""

    def answer(said: str | Exception) -> None:
        async def ask(*given: Any, **more: Any) -> str:
            if isinstance(said, Exception):
                raise said
            return said

        monkeypatch.setattr("derctl.cli.local.ask", ask)

    return answer


@pytest.fixture
def outside() -> Outside:
    """The command line as a process of its own."""
    return run


@pytest.fixture
def site_file(tmp_path: Path) -> SiteFile:
    """A small site file, its state and socket in the test's directory; pairs of text are replaced in it."""

    def write(*pairs: tuple[str, str], port: int = 1) -> Path:
        text = f"""\
version: 1
site: {{id: house, v_nom_v: 230, f_nom_hz: 50, state_dir: {tmp_path}/state, socket: {tmp_path}/derctl.sock}}
buses:
  - {{id: lan, tcp: {{host: 127.0.0.1, port: {port}}}}}
ders:
  - {{id: pv1, bus: lan, unit: 1, kind: sunspec_pv, fallback: {{p_ceiling_w: 3000, by: stands}}}}
poc: {{bus: lan, unit: 3, sign: 1}}
functions:
  - {{kind: contract_export_limit, limit_w: 5000}}
"""
        for old, new in pairs:
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        path = tmp_path / "site.yaml"
        path.write_text(text)
        return path

    return write


@pytest.fixture
def at(rig: Rig) -> At:
    """Where a device of the rig answers, as the command line takes it."""
    return lambda name: f"127.0.0.1:{rig.ports()[name]}"


@pytest.fixture
def called(rig: Rig) -> Called:
    """`called(Mn="Maker")`: pv1 calls itself so from now on."""

    def call(**words: str) -> None:
        bank = rig.units["pv1"].face.bank
        for name, text in words.items():
            bank.image(1).put(name, text)
        bank.publish()

    return call


def flat(group: Any, prefix: str = "") -> dict[str, Any]:
    """pysunspec2's cvalues by the paths that derctl prints."""
    values = {prefix + name: point.cvalue for name, point in group.points.items()}
    for name, inner in group.groups.items():
        for index, instance in enumerate(inner if isinstance(inner, list) else [inner]):
            values |= flat(instance, f"{prefix}{name}[{index}].")
    return values


def scanned(port: int, unit: int) -> Scanned:
    """[(model id, values)] as the other client reads them."""
    device = sunspec2.modbus.client.SunSpecModbusClientDeviceTCP(slave_id=unit, ipaddr="127.0.0.1", ipport=port)
    try:
        device.scan()
        models = [model for key, found in device.models.items() if isinstance(key, int) for model in found]
        for model in models:
            model.read()
        return sorted((model.model_id, flat(model)) for model in models)
    finally:
        device.close()


@pytest.fixture
def by_pysunspec2(rig: Rig) -> ByPysunspec2:
    """`await by_pysunspec2("pv1", 1)`: each model id and its values."""
    return lambda name, unit: asyncio.to_thread(scanned, rig.ports()[name], unit)


Answer = Callable[[bytes], bytes | None]


@pytest.fixture
async def speaking() -> AsyncIterator[Speaking]:
    """`await speaking(answer)`: where a server is that answers each request's 12 bytes with this PDU.

    None is silence. transaction: the one number of all its answers.
    """
    servers: list[asyncio.Server] = []
    writers: list[asyncio.StreamWriter] = []

    async def start(answer: Answer, *, delay_s: float = 0.0, transaction: int | None = None) -> str:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writers.append(writer)
            while head := await reader.read(12):
                await asyncio.sleep(delay_s)
                pdu = answer(head)
                if pdu is not None:
                    number = head[:2] if transaction is None else struct.pack(">H", transaction)
                    writer.write(number + head[2:4] + struct.pack(">HB", len(pdu) + 1, head[6]) + pdu)

        servers.append(await asyncio.start_server(serve, "127.0.0.1", 0))
        return f"127.0.0.1:{servers[-1].sockets[0].getsockname()[1]}"

    yield start
    for server in servers:
        server.close()
    for writer in writers:
        writer.close()
    await asyncio.gather(*(writer.wait_closed() for writer in writers), return_exceptions=True)


def _bound(by: str, what: str, value: float, why: str | None = None) -> Json:
    return {"by": by, "what": what, "value": value, "rank": 0, "why": why}


def _setpoint(*bounds: Json, **values: float) -> Json:
    nothing: Json = {"p_ceiling_w": None, "p_target_w": None, "q_var": None}
    return nothing | values | {"bound_by": list(bounds)}


def _outcome() -> Json:
    times = ("requested_t", "desired_t", "accepted_t", "achieved_t")
    words: Json = {"requested": None, "desired": _setpoint(), "accepted": None, "achieved": "yes", "reason": None}
    return words | dict.fromkeys(times)


def _der(p_w: float | None, rated_w: float, told: Json | None, **more: Any) -> Json:
    """One DER that answers and obeys."""
    state: Json = {
        "kind": "sunspec_pv",
        "state": "ok",
        "fresh": True,
        "reason": None,
        "text": "",
        "identity": {"maker": "HIL", "model": "PV", "serial": "1", "firmware": "1.0"},
        "rating": {"p_max_w": rated_w, "p_min_w": 0.0},
        "fallback": {"p_ceiling_w": None, "by": "reversion", "after_s": 60.0},
        "measurement": {"age_s": 0.1, "status": "on", "p_w": p_w, "q_var": 0.0, "soc_pct": more.pop("soc_pct", None)},
        "setpoint": told,
        "outcome": _outcome(),
        "abstained": {},
        "own_on": [],
        "own_off": [],
        "writes": 3,
        "problems": [],
    }
    return state | more


def _house() -> Json:
    """The page of the issue: an operator's limit on pv1, pv2 free, bat1 charging."""
    return {
        "version": "0.1.0",
        "site": "house-12",
        "mode": "control",
        "mode_reason": None,
        "armed": {"armed": True, "by": "anna", "since": "2026-11-21T15:11:00.000Z"},
        "t": "2026-11-21T15:12:00.000Z",
        "synced": False,
        "uptime_s": 61.0,
        "pid": 4242,
        "loop": {"tick_s": 1.0, "ticks": 60, "missed": 0, "last_s": 0.03, "worst_s": 0.05, "overran": 0},
        "absent": {
            "p_export_w": 7000.0,
            "limit_w": 7000.0,
            "holds": True,
            "by_der": {"pv1": 5000.0, "pv2": 2000.0, "bat1": 0.0},
            "unknown": [],
        },
        "poc": {
            "fresh": True,
            "state": "ok",
            "text": "",
            "identity": None,
            "meter": "proven",
            "belief": {"belief": "proven", "delay_s": 0.9},
            "measurement": {"age_s": 0.1, "p_w": 5544.0, "q_var": 0.0, "v_v": 234.0, "v_pu": 1.017, "f_hz": 50.0},
        },
        "ders": {
            "pv1": _der(
                2000.0,
                5000.0,
                _setpoint(_bound("operator_limit", "p_ceiling_w", 2000.0), p_ceiling_w=2000.0),
                abstained=dict.fromkeys(("volt_var", "volt_watt", "freq_droop"), OWN_UNREAD),
            ),
            "pv2": _der(9500.0, 10000.0, _setpoint(p_ceiling_w=10000.0)),
            "bat1": _der(
                -5000.0,
                5000.0,
                _setpoint(_bound("self_consumption", "p_target_w", -5000.0), p_target_w=-5000.0),
                soc_pct=62.0,
            ),
        },
        "buses": {},
        "mqtt": {
            "connected": True,
            "protocol": "5",
            "text": "connected",
            "sessions": 1,
            "published": 420,
            "dropped": 0,
        },
        "requests": [
            {
                "id": "a1b2",
                "kind": "limit_power",
                "der": "pv1",
                "value_w": 2000.0,
                "remaining_s": 900.0,
                "by": "anna",
                "until": "2026-11-21T15:27:00.000Z",
            }
        ],
        "events": [{"t": "2026-11-21T15:11:00.000Z", "event": "mode_control", "der": None, "text": ""}],
    }


@pytest.fixture
def house() -> Json:
    """A live state as section 4 of docs/interfaces.md has it, for a test to change."""
    return _house()
