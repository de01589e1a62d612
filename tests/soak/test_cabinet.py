"""A bare cabinet: twelve devices on the network and two serial lines are found in a minute, and none is written."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

from hil.rig import Rig
from hil.scenario import parse

WITHIN_S = 60.0
BATTERY = {"cells": 128, "capacity_wh": 10_000, "charge_max_a": 20, "discharge_max_a": 20, "soc_pct": 55}
DEVICES: tuple[dict[str, Any], ...] = (
    {"id": "pv1", "face": "pv_1xx", "serial": "1001", "rating": {"p_max_w": 5000}},
    {"id": "pv2", "face": "pv_7xx", "serial": "1002", "rating": {"p_max_w": 10000}, "habits": {"base": 0}},
    {"id": "bat1", "face": "storage_7xx", "serial": "1003", "endpoint": "bat", "battery": {"soc_pct": 60}},
    {"id": "bms1", "face": "bms", "serial": "1004", "der": "bat1", "endpoint": "bat", "unit": 2},
    {"id": "meter", "face": "meter", "serial": "1005", "rating": {"p_max_w": 20000}},
    {"id": "kaco", "face": "pv_1xx", "personality": "kaco", "serial": "1006", "rating": {"p_max_w": 8000}},
    {"id": "goodwe", "face": "registers", "personality": "goodwe_et", "unit": 247, "rating": {"p_max_w": 8000}}
    | {"battery": BATTERY},
    {"id": "em540", "face": "registers", "personality": "carlo_gavazzi_em540", "endpoint": "line1", "unit": 4},
    {"id": "sdm630", "face": "registers", "personality": "eastron_sdm630", "endpoint": "line1", "unit": 5},
    {"id": "pv3", "face": "pv_1xx", "endpoint": "line1", "unit": 1, "serial": "1009", "rating": {"p_max_w": 4000}},
    {"id": "pv4", "face": "pv_7xx", "endpoint": "line2", "unit": 1, "serial": "1010", "rating": {"p_max_w": 6000}},
    {"id": "meter2", "face": "meter", "endpoint": "line2", "unit": 3, "serial": "1011", "rating": {"p_max_w": 20000}},
)
WHO = {
    ("pv1", 1): {("sunspec_pv", "generic")},
    ("pv2", 1): {("sunspec_pv", "generic_7xx")},
    ("bat", 1): {("sunspec_storage", "generic_7xx")},
    ("bat", 2): {("sunspec_bms", "generic")},
    ("meter", 1): {("sunspec_meter", "generic")},
    ("kaco", 1): {("sunspec_pv", "kaco")},
    ("goodwe", 247): {("map_storage", "goodwe_et"), ("map_meter", "goodwe_meter")},
    ("line1", 4): {("map_meter", "carlo_gavazzi_em540")},
    ("line1", 5): {("map_meter", "eastron_sdm630")},
    ("line1", 1): {("sunspec_pv", "generic")},
    ("line2", 1): {("sunspec_pv", "generic_7xx")},
    ("line2", 3): {("sunspec_meter", "generic")},
}
"""As the bench is configured: unit, kind, and whose habits it has."""
ANSWERS = (
    *("--id", "cabinet", "--grid-code", "as4777_a", "--poc", "meter1", "--sign", "1", "--limit", "20000"),
    *("--limiter", "relay", "--owner", "bat1.power=derctl", "--owner", "bat2.power=GoodWe"),
    *("--owner", "bat2.limit=GoodWe"),
)


async def test_a_cabinet_of_twelve_devices_is_found_within_a_minute_and_nothing_is_written(tmp_path: Path) -> None:
    plant = {"loads": {"house": {"node": "poc", "p_w": 900}}, "sun": {"points": [[0, 0.9]]}}
    serial = {"line1": {"baud": 9600}, "line2": {"baud": 19200}}
    rig = Rig(parse({"name": "cabinet", "plant": plant, "serial": serial, "devices": DEVICES}))
    await rig.start()
    try:
        ports = rig.ports()
        places = {name: str(port) if name in serial else f"127.0.0.1:{port}" for name, port in ports.items()}
        began_s = time.monotonic()
        command = [sys.executable, "-m", "derctl", "scan", *places.values(), "--json"]
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        out, _ = await process.communicate()
        took_s = time.monotonic() - began_s
        (tmp_path / "found.json").write_bytes(out)
        command = [sys.executable, "-m", "derctl", "init", "found.json", *ANSWERS]
        written = await asyncio.create_subprocess_exec(*command, cwd=tmp_path, stdin=asyncio.subprocess.DEVNULL)
    finally:
        await rig.stop()
    assert await written.wait() == 0, "check takes the site file that is made of it"
    said = json.loads(out)
    names = {place: name for name, place in places.items()}
    found = {}
    for each in said["found"]:
        name = names.get(each["place"]) or next(n for n in serial if each["place"].startswith(places[n]))
        found[name, each["unit"]] = {(use["kind"], use["profile"]) for use in each["uses"]}
    assert process.returncode == 0
    assert found == WHO
    assert sum(unit.count.writes for unit in rig.units.values()) == 0
    assert max(rig.endpoints[name].connects for name in places if name not in serial) == 1
    assert took_s < WITHIN_S
