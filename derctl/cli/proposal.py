"""The rows of a site file for a device that was scanned. What nobody can know from here is left open."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import msgspec
import yaml

from derctl.cli.look import Pulse
from derctl.commission.described import Row, Use
from derctl.core.text import clean
from derctl.core.value import replace
from derctl.devices import Profile
from derctl.links.wires.strays import enough_s
from derctl.site import Place


def given(section: dict[str, Any]) -> dict[str, Any]:
    """Without what nobody said."""
    return {key: value for key, value in section.items() if value is not None}


def site_rows(
    place: Place,
    unit: int,
    uses: Sequence[Use],
    profile: Profile,
    pulse: Pulse,
    header: str = "strict",
    bus: str = "lan1",
    numbers: dict[bool, int] | None = None,
) -> list[str]:
    """YAML for the site file. A meter's sign is left open: nobody but who sees the wiring can tell. numbers: how many
    batteries and others there are already."""
    ders, meters = ders_of(uses), [use for use in uses if use.role == "meter"]
    batteries = [] if ders else [use for use in uses if use.role == "bms"]
    if not ders and not meters and not batteries:
        return []
    deadline_s = timeout_of(profile, pulse)
    more: Row = {} if deadline_s is None else {"timeout_s": deadline_s}
    more |= {} if header == "strict" else {"header": header}
    wire = {"id": bus, place.key: given(msgspec.to_builtins(place.section))} | more
    lines = ["buses:", f"  - {flow(wire)}"]
    lines += ["ders:"] if ders or batteries else []
    numbers = {} if numbers is None else numbers
    for use in ders:
        numbers[use.stores] = numbers.get(use.stores, 0) + 1
        lines.append(_der(use, numbers[use.stores], _row(use, bus, unit, profile)))
    lines += [_bms(_row(use, bus, unit, profile)) for use in batteries]
    if ders:  # the unit stands in the file already
        meters = [replace(use, needed=not use.profile) for use in meters]
    meters.sort(
        key=lambda use: "export" not in use.seen.opt.lower()
    )  # SolarEdge: Export+Import is the one at the poc
    return [*lines, *_meters(meters, [_row(use, bus, unit, profile) for use in meters], profile.meter_sign)]


def timeout_of(profile: Profile, pulse: Pulse) -> float | None:
    """The `timeout_s` that the bus needs, None where the profile's is enough."""
    return float(enough_s(pulse.slowest_s)) if 2.0 * pulse.slowest_s > profile.timeout_s else None


def ders_of(uses: Sequence[Use]) -> list[Use]:
    """Each inverter once: one that stores as a battery, any other as PV."""
    by_section: dict[int, Use] = {}
    for use in uses:
        index = use.seen.section.index
        if use.role == "der" and (index not in by_section or use.stores):
            by_section[index] = use
    return list(by_section.values())


def _row(use: Use, bus: str, unit: int, profile: Profile) -> Row:
    serial = use.seen.identity.serial
    row: Row = {"bus": bus, "unit": unit}
    row |= {"kind": use.kind} if use.role != "bms" else {}
    row |= {"section": use.seen.section.index} if use.needed else {}
    name = use.profile or profile.name
    row |= {"profile": name} if name != "generic" else {}
    return row | ({"serial": serial} if serial.strip("0") else {})


def _der(use: Use, number: int, row: Row) -> str:
    der = flow({"id": f"{'bat' if use.stores else 'pv'}{number}"} | row)
    if use.row["rating"] is None:
        return f"  - {der[:-1]}, rating: {{p_max_w: }}}}   # what its nameplate says, W"
    rated_w, advice = use.row["rating"].get("p_max_w"), use.row.get("fallback")
    if rated_w is None or advice is None:
        return f"  - {der}"
    fallback = {"p_ceiling_w": 0.0 if use.stores else rated_w, "by": str(advice["by"])}
    more = flow({"rating": {"p_max_w": rated_w}, "fallback": fallback})
    return f"  - {der[:-1]}, {more[1:-1]}}}   # p_ceiling_w: what it may give without derctl"


def _bms(row: Row) -> str:
    return f"  - {{id: bat1, ..., bms: {flow(row)}}}   # in the row of the battery's inverter"


def _meters(uses: Sequence[Use], rows: Sequence[Row], usual: int | None) -> list[str]:
    """The first one; the others beside it to choose from. usual: the sign that meters of this maker have."""
    lines = []
    mounted = "" if usual is None else f"; {usual} is usual with this maker"
    for number, (use, row) in enumerate(zip(uses, rows, strict=True)):
        now = "" if use.row["now_w"] is None else f"; it reads {use.row['now_w']:,.0f} W now"
        opt = f"; {clean(use.seen.opt)}" if use.seen.opt and use.needed else ""
        text = f"poc: {flow(row)[:-1]}, sign: }}   # 1: its W is positive for export; -1: for import"
        text = f"{text}{mounted}{now}{opt}"
        lines.append(f"# or {text}" if number else text)
    return lines


def flow(value: Any) -> str:
    """A value as YAML in one line; text in quotes unless it is a plain word."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {flow(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value if isinstance(value, str) and _word(value) else json.dumps(value)


def _word(text: str) -> bool:
    """YAML reads it as this text; some words mean something else, and some that look like a date can't be read."""
    try:
        return re.fullmatch(r"[\w.-]+", text) is not None and bool(yaml.safe_load(text) == text)
    except (yaml.YAMLError, ValueError):
        return False
