"""A personality on show: the smallest plant that gives its registers something to tell."""

from collections.abc import Mapping
from typing import Any

from hil.faces import personality, register_map
from hil.faces.register_map import DER_PARTS
from hil.scenario import Scenario, ScenarioError, parse

PACK = {"cells": 16, "capacity_wh": 14_336, "charge_max_a": 100, "discharge_max_a": 100, "soc_pct": 55}
TALL = {"cells": 128, "capacity_wh": 10_000, "charge_max_a": 20, "discharge_max_a": 20, "soc_pct": 55}
"""A pack of 51 V, and one of 410 V as hybrids have it."""
GX = ("victron_vebus", "victron_system", "victron_battery", "victron_grid")


def on_show(name: str, *, serial: bool = False) -> Scenario:
    """A house with the sun in one roof, and the named device; of a Victron GX all its units. `serial`: on a line at
    the baud rate that it leaves the factory with."""
    if name == "victron_gx" or name in GX:
        devices = [_device(each, "gx") for each in GX]
    elif name in register_map.names():
        devices = [_device(name, "device")]
        if register_map.register_map(name).part == "battery":
            devices.insert(0, {"id": "inverter", "face": "storage_124", "rating": {"p_max_w": 4000}, "battery": PACK})
    elif name not in personality.names():
        there = sorted({*register_map.names(), *personality.names(), "victron_gx"})
        raise ScenarioError(f"no personality {name!r}; there are {', '.join(there)}")
    else:
        devices = [{"id": "device", "face": "pv_1xx", "personality": name, "rating": {"p_max_w": 5000}}]
    document: dict[str, Any] = {"name": name, "controller": False, "plant": _house(), "devices": devices}
    if serial:
        baud = register_map.register_map(name).baud if name in register_map.names() else 0
        if not baud:
            raise ScenarioError(f"{name} is on no serial line")
        document["serial"] = {"device": {"baud": baud}}
    return parse(document)


def _house() -> Mapping[str, Any]:
    """Loads that are not the same on each phase."""
    loads = {"base": {"node": "poc", "p_w": 900, "q_var": 150}, "kettle": {"node": "poc", "p_w": 1200, "phase": "b"}}
    source = {"each": [[0.20, 0.10], [0.25, 0.10], [0.22, 0.10]], "neutral": [0.1, 0.05]}
    return {"source": source, "loads": loads, "sun": {"points": [[0, 0.6]]}}


def _device(name: str, endpoint: str) -> dict[str, Any]:
    spec = register_map.register_map(name)
    device: dict[str, Any] = {"id": name if endpoint == "gx" else "device", "face": "registers", "personality": name}
    device["endpoint"] = endpoint
    if spec.part in DER_PARTS:
        device |= {"rating": {"p_max_w": 8000}, "battery": PACK if endpoint == "gx" else TALL}
    elif spec.part == "battery":
        device["der"] = "victron_vebus" if endpoint == "gx" else "inverter"
    elif spec.part == "system":
        device["der"] = "victron_vebus"
    return device
