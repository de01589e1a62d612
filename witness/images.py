"""Register images of SunSpec devices: those that somebody recorded, and those that the bench makes."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from hil import recordings
from hil.rig import Rig
from hil.scenario import parse

BAUD = 19200
FAST = {"latency_s": [0.0, 0.0]}
PATIENT = {"unserved": "refused", "slot_held_s": 0.0}
"""SolarEdge's silence on what it does not serve would cost its library a deadline for each block that it tries."""
MADE = (
    {"id": "made_pv_1xx", "face": "pv_1xx", "serial": "1001", "rating": {"p_max_w": 5000}},
    {"id": "made_pv_7xx", "face": "pv_7xx", "serial": "1002", "rating": {"p_max_w": 10000}},
    {"id": "made_storage", "face": "storage_7xx", "serial": "1003", "battery": {"soc_pct": 60}},
    {"id": "made_meter", "face": "meter", "serial": "1004", "rating": {"p_max_w": 20000}},
    {"id": "made_fronius", "face": "pv_1xx", "serial": "1005", "personality": "fronius", "rating": {"p_max_w": 5000}},
    {"id": "made_kaco", "face": "pv_1xx", "serial": "1006", "personality": "kaco", "rating": {"p_max_w": 8000}},
    {"id": "made_kaco_tls", "face": "pv_1xx", "serial": "1007", "personality": "kaco", "rating": {"p_max_w": 8000},
     "tls": "server"},
    {"id": "made_solaredge", "face": "sections", "serial": "1008", "der": "made_pv_1xx", "habits": PATIENT,
     "personality": "solaredge", "rating": {"p_max_w": 60000}},
    {"id": "made_rtu", "face": "pv_7xx", "serial": "1009", "endpoint": "line", "unit": 7,
     "rating": {"p_max_w": 10000}},
    {"id": "made_rtu_meter", "face": "meter", "serial": "1010", "endpoint": "line", "unit": 8},
)  # fmt: skip
"""The bench's devices that stand here, too: as servers for clients of others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """What one unit id answers with."""

    unit: int
    registers: Mapping[int, int]


def bench() -> Rig:
    """The bench's devices, not listening yet."""
    devices = [{**each, "habits": {**FAST, **each.get("habits", {})}} for each in MADE]  # type: ignore[dict-item]
    plant = {"loads": {"house": {"node": "poc", "p_w": 1000}}}
    return Rig(parse({"name": "witness", "plant": plant, "devices": devices, "serial": {"line": {"baud": BAUD}}}))


def made(rig: Rig) -> dict[str, Image]:
    """Those of the bench as they stand now."""
    return {name: Image(unit=unit.unit_id, registers=registers_of(rig, name)) for name, unit in rig.units.items()}


def registers_of(rig: Rig, name: str) -> dict[int, int]:
    """What a device of the bench shows, by address."""
    bank = rig.units[name].face.bank
    words = memoryview(bytes(bank.published))
    pairs = range(0, len(words), 2)
    return {bank.base + at // 2: int.from_bytes(words[at : at + 2], "big") for at in pairs}


def recorded() -> dict[str, Image]:
    """Each whole SunSpec chain that was recorded from holding registers; {} where there are no recordings."""
    folder = recordings.directory()
    found = {}
    for path in sorted(folder.glob("*.json")) if folder is not None else ():
        known = json.loads(path.read_text(encoding="utf-8"))
        if known["kind"] == "sunspec" and known.get("pysunspec2_scan", {}).get("status") == "OK":
            registers = {int(address): word for address, word in known["registers"].items()}
            found[path.stem] = Image(unit=known["unit_id"] or 1, registers=registers)
    return found
