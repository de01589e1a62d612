"""The rows of a site file for a device that was scanned. What nobody can know from here is left open."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import yaml

from derctl.cli.look import Pulse
from derctl.devices import Identity, Profile
from derctl.links.wires.strays import enough_s
from derctl.site import Place

ORDER = {"der": 0, "bms": 1, "meter": 2}
"""One unit id stands in the site file once: where a device is several things, it is a DER first."""


def site_rows(
    place: Place,
    unit: int,
    who: Identity,
    kinds: dict[str, dict[str, Any]],
    profile: Profile,
    pulse: Pulse,
    header: str = "strict",
) -> list[str]:
    """YAML for the site file. A meter's sign is left open: nobody but who sees the wiring can tell."""
    usable = {kind: row for kind, row in kinds.items() if row["usable"]}
    if not usable:
        return []
    kind = min(usable, key=lambda kind: (ORDER[usable[kind]["role"]], not _stores(usable[kind])))
    role = usable[kind]["role"]
    row: dict[str, Any] = {"bus": "lan1", "unit": unit}
    row |= {"kind": kind} if role != "bms" else {}
    row |= {"profile": profile.name} if profile.name != "generic" else {}
    row |= {"serial": who.serial} if who.serial.strip("0") else {}
    deadline_s = timeout_of(profile, pulse)
    more: dict[str, Any] = {} if deadline_s is None else {"timeout_s": deadline_s}
    more |= {} if header == "strict" else {"header": header}
    wire = {"id": "lan1", place.key: msgspec.to_builtins(place.section)} | more
    return ["buses:", f"  - {_flow(wire)}", *_device(role, row, usable[kind])]


def timeout_of(profile: Profile, pulse: Pulse) -> float | None:
    """The `timeout_s` that the bus needs, None where the profile's is enough."""
    return float(enough_s(pulse.slowest_s)) if 2.0 * pulse.slowest_s > profile.timeout_s else None


def _stores(row: dict[str, Any]) -> bool:
    """It can be aimed both ways: a PV inverter with model 704 could be taken for a battery, but has no charging."""
    return row["rating"] is not None and row["can"]["battery"] is not None and row["rating"]["p_min_w"] < 0.0


def _device(role: str, row: dict[str, Any], found: dict[str, Any]) -> list[str]:
    if role == "meter":
        now = "" if found["now_w"] is None else f"; it reads {found['now_w']:,.0f} W now"
        return [f"poc: {_flow(row)[:-1]}, sign: }}   # 1: its W is positive for export; -1: for import{now}"]
    if role == "bms":
        return ["ders:", f"  - {{id: bat1, ..., bms: {_flow(row)}}}   # in the row of the battery's inverter"]
    der = _flow({"id": "bat1" if _stores(found) else "pv1"} | row)
    if found["rating"] is None:
        return ["ders:", f"  - {der[:-1]}, rating: {{p_max_w: }}}}   # what its nameplate says, W"]
    return ["ders:", f"  - {der}"]


def _flow(value: Any) -> str:
    """A value as YAML in one line; text in quotes unless it is a plain word."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(inner)}" for key, inner in value.items()) + "}"
    return value if isinstance(value, str) and _word(value) else json.dumps(value)


def _word(text: str) -> bool:
    """YAML reads it as this text; some words mean something else, and some that look like a date can't be read."""
    try:
        return re.fullmatch(r"[\w.-]+", text) is not None and bool(yaml.safe_load(text) == text)
    except (yaml.YAMLError, ValueError):
        return False
