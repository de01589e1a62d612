"""Devices without SunSpec on the command line: scanned by a map's signature, read by a map, one's own maps too."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from hil.rig import Rig
from hil.scenario import parse
from tests.cli.calls import Here, Speaking

Registers = Mapping[tuple[int, int], int]
"""By function and address."""
OWN = Path(__file__).parents[2] / "derctl" / "devices" / "maps" / "eastron_sdm630.yaml"


def floats(**at: float) -> Registers:
    """By names as `f4_0x0034`: function and address of a float, high word first."""
    found: dict[tuple[int, int], int] = {}
    for name, value in at.items():
        function, address = int(name[1]), int(name[3:], 16)
        high, low = struct.unpack(">HH", struct.pack(">f", value))
        found |= {(function, address): high, (function, address + 1): low}
    return found


SDM: Registers = {
    **{(4, address): 0 for address in range(0x60)},
    **floats(f3_0x0014=1.0, f4_0x0000=230.5, f4_0x0002=231.5, f4_0x0004=229.5, f4_0x0034=-1234.5, f4_0x0046=50.02),
    **floats(f4_0x000C=-400.0, f4_0x000E=-400.5, f4_0x0010=-434.0, f4_0x0048=12.5, f4_0x004A=3.25, f4_0x0156=15.75),
}
"""It exports 1,234.5 W by its own sign, which is import."""


def holding(registers: Registers) -> Callable[[bytes], bytes]:
    """A server of these and no others."""

    def answer(head: bytes) -> bytes:
        function, address, count = head[7], *struct.unpack(">HH", head[8:12])
        words = [registers.get((function, address + i)) for i in range(count)]
        if None in words:
            return struct.pack(">BB", function | 0x80, 2)
        return struct.pack(f">BB{count}H", function, 2 * count, *words)

    return answer


def rows_of(out: str) -> Any:
    return yaml.safe_load(out.partition("for the site file:\n")[2])


async def test_scan_knows_a_meter_by_its_maps_signature(speaking: Speaking, here: Here) -> None:
    place = await speaking(holding(SDM))
    code, out, _ = await here("scan", place)
    assert code == 0
    assert out.startswith("Eastron SDM630, by its map's signature: profile eastron_sdm630\n")
    assert "as map_meter: reads, -1,234 W now" in out
    poc = rows_of(out)["poc"]
    assert poc == {"bus": "lan1", "unit": 1, "kind": "map_meter", "profile": "eastron_sdm630", "sign": None}
    assert "-1 is usual with this maker" in out
    found = json.loads((await here("scan", place, "--json"))[1])
    assert found["maps"]["eastron_sdm630"]["map_meter"]["now_w"] == -1234.5
    assert found["profile"] == "eastron_sdm630"


async def test_a_device_that_no_signature_fits_is_said_to_be_none(speaking: Speaking, here: Here) -> None:
    place = await speaking(holding({**SDM, **floats(f4_0x0156=-5.0)}))
    code, _, err = await here("scan", place)
    assert code != 0
    assert "answers Modbus, but has no SunSpec map" in err
    assert "nor does the signature of any register map fit" in err


async def test_read_shows_what_a_map_says_with_units(speaking: Speaking, here: Here) -> None:
    place = await speaking(holding(SDM))
    code, out, _ = await here("read", place, "--map", "eastron_sdm630")
    assert code == 0
    lines = {line.split()[0]: line.split() for line in out.splitlines()[2:]}
    assert lines["p_w"][-3:] == ["-1234.5", "W", "(report)"]
    assert lines["energy_in_wh"][-3:-1] == ["12500", "Wh"]
    rows = json.loads((await here("read", place, "--map", "eastron_sdm630", "--json"))[1])["lines"]
    assert {row["name"]: row["value"] for row in rows}["f_hz"] == pytest.approx(50.02)


async def test_read_says_what_is_refused_and_what_does_not_fit(speaking: Speaking, here: Here) -> None:
    some = {place: word for place, word in SDM.items() if place[1] < 0x30 or place[0] == 3}
    place = await speaking(holding(some))
    code, out, _ = await here("read", place, "--map", "eastron_sdm630")
    assert code == 0
    assert "! it is no Eastron SDM630: register 70 (0x0046, function 4) is refused" in out
    assert "exception 2 (illegal address)" in next(line for line in out.splitlines() if line.startswith("  p_w "))


async def test_a_map_of_ones_own_is_read_scanned_and_listed(speaking: Speaking, here: Here, tmp_path: Path) -> None:
    own = tmp_path / "mine.yaml"
    own.write_text(OWN.read_text().replace("eastron_sdm630", "my_meter").replace("maker: Eastron", "maker: Mine"))
    place = await speaking(holding(SDM))
    _, out, _ = await here("read", place, "--map", str(own))
    assert out.startswith("Mine SDM630  serial not told")
    _, out, _ = await here("scan", place, "--profiles", str(tmp_path))
    assert "Mine SDM630, by its map's signature: profile my_meter" in out
    _, out, _ = await here("profiles", "--profiles", str(tmp_path))
    assert any(line.startswith("my_meter ") for line in out.splitlines())
    code, out, _ = await here("profiles", "check", str(own))
    assert (code, out.splitlines()[0]) == (0, f"{own}: no problems")
    assert "52 (0x0034, function 4) f32 W" in out


async def test_a_map_that_is_none_is_said_to_be_none(here: Here) -> None:
    code, _, err = await here("read", "127.0.0.1", "--map", "eastron_sdm360")
    assert code != 0
    assert "no register map 'eastron_sdm360' (did you mean eastron_sdm630?)" in err
    assert "no register map 'generic'; known are" in (await here("read", "127.0.0.1", "--map", "generic"))[2]


DEAF = {"connect_delay_s": 1.5, "busy_p": 0.0, "latency_s": [0.02, 0.02]}
HUAWEI = {"id": "hua1", "face": "registers", "personality": "huawei_sun2000", "serial": "HV1", "habits": DEAF}


async def test_a_device_that_is_deaf_after_the_connect_is_read_and_scanned_all_the_same(here: Here) -> None:
    """Huawei hears nothing for 1 to 2 s (grid-x/modbus#44). Its map says so; whoever scans does not know it yet."""
    rig = Rig(parse({"name": "deaf", "devices": [HUAWEI]}))
    await rig.start()
    try:
        place = f"127.0.0.1:{rig.endpoint_of('hua1').port}"
        code, out, _ = await here("read", place, "--map", "huawei_sun2000_luna2000")
        assert code == 0 and out.startswith("Huawei SUN2000-6KTL-M1  serial HV1")
        code, out, _ = await here("scan", place)
        assert code == 0 and "profile huawei_sun2000_luna2000" in out
    finally:
        await rig.stop()


PERSONALITIES = {
    "sungrow_sh": ("sungrow_sh", 1),
    "goodwe_et": ("goodwe_et", 247),
    "carlo_gavazzi_em540": ("carlo_gavazzi_em540", 1),
    "eastron_sdm630": ("eastron_sdm630", 1),
    "jk_bms": ("jk_bms", 1),
    "seplos_v3": ("seplos_v3", 1),
    "victron_vebus": ("victron_vebus_single", 227),
    "victron_battery": ("victron_gx_battery", 225),
    "victron_grid": ("victron_grid_meter", 30),
}
"""Of the bench: derctl's map, and the unit."""


@pytest.mark.parametrize("name", PERSONALITIES)
async def test_scan_knows_each_device_of_the_bench_by_its_maps_signature(here: Here, name: str) -> None:
    made, unit = PERSONALITIES[name]
    device = {"id": "one", "face": "registers", "personality": name, "habits": {"latency_s": [0.0, 0.0]}}
    pack = {"id": "bat1", "face": "storage_7xx", "battery": {"cells": 16, "soc_pct": 60}}
    devices = [{**device, "battery": pack["battery"], "der": "bat1"}, pack]
    rig = Rig(parse({"name": "each", "devices": [devices[1], devices[0]]}))
    await rig.start()
    try:
        code, out, err = await here("scan", f"127.0.0.1:{rig.endpoint_of('one').port}", "-u", str(unit))
    finally:
        await rig.stop()
    assert code == 0, err
    assert f"by its map's signature: profile {made}\n" in out
