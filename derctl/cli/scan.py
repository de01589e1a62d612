"""`derctl scan`: who answers at one unit id, as what derctl can use it, and what to write into the site file.

Reads only, and walks the chain once.
"""

from __future__ import annotations

import argparse
import json
import math
import re
from dataclasses import asdict, replace
from typing import Any

import msgspec
import yaml

from derctl.cli.look import BASES, Pulse, add_endpoint, ask, heading, sunspec
from derctl.core.exchange import Exchange
from derctl.core.text import clean
from derctl.core.types import Reading
from derctl.daemon.kinds import KINDS
from derctl.devices import Device, Identity, Options, Profile
from derctl.devices.sunspec.layout import Layout
from derctl.errors import DecodeError, DeviceError, WrongKind
from derctl.links.models import model
from derctl.site import Place, profiles


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    add_endpoint(parser)
    parser.add_argument("--v-nom", type=float, default=230.0, help="nominal phase-to-neutral voltage, V")


def run(args: argparse.Namespace) -> int:
    """Print what is there, as what it can be used, and the rows for the site file."""
    known = profiles()
    profile = Profile(max_regs=args.max_regs, bases=tuple(args.base or BASES))
    (layout, kinds, name), pulse = ask(args, _look(Options(profile=profile, v_nom_v=args.v_nom), known))
    rows = _site_rows(args.endpoint, args.unit, layout.identity, kinds, known[name], pulse)
    if args.json:
        found = _summary(layout) | {"kinds": kinds, "profile": name, "site_file": rows}
        print(json.dumps(found | {"answers": pulse.answers, "slowest_s": round(pulse.slowest_s, 3)}, indent=2))
        return 0
    print(heading(layout.identity, args.unit, layout.chain.base))
    for line in _lines(layout, kinds):
        print(line)
    print(f"{pulse.answers} answers, the slowest after {pulse.slowest_s:.2f} s")
    if rows:
        print("\nfor the site file:")
        print("\n".join(rows))
    return 0


def _lines(layout: Layout, kinds: dict[str, dict[str, Any]]) -> list[str]:
    chain = layout.chain
    lines = [f"  {b.address:>6}  {b.model_id:>5}  L={b.length:<5} {_label(b.model_id)}" for b in chain.blocks]
    lines += [f"  ! {clean(problem)}" for problem in chain.problems]
    if not chain.ended:
        lines.append("  ! the chain was not followed to its end: what is behind it was not seen; scan again")
    return lines + [f"{'as' if row['usable'] else 'not as'} {kind}: {row['text']}" for kind, row in kinds.items()]


Found = tuple[Layout, dict[str, dict[str, Any]], str]


def _look(options: Options, known: dict[str, Profile]) -> Exchange[Found]:
    """The map, each kind of the catalogue, and the profile that fits; a kind is bound as that profile has it."""
    layout = yield from sunspec(options)
    who = layout.identity
    name = max(known, key=lambda name: (known[name].fit(who.maker, who.model), name == "generic"))
    asked = options.profile
    vendor = replace(known[name], bases=(layout.chain.base,), max_regs=min(asked.max_regs, known[name].max_regs))
    kinds: dict[str, dict[str, Any]] = {}
    for kind, row in KINDS.items():
        try:
            device = yield from row.bind(replace(options, profile=vendor))
        except WrongKind as error:
            kinds[kind] = {"usable": False, "role": row.role, "text": f"it answers as {error.found}"}
        except DeviceError as error:
            kinds[kind] = {"usable": False, "role": row.role, "text": clean(str(error))}
        else:
            reading = yield from _reading(device)
            kinds[kind] = {"usable": True, "role": row.role, "text": _describe(device, reading), "now_w": reading.p_w}
            kinds[kind] |= _facts(device)
    return layout, kinds, name


def _reading(device: Device) -> Exchange[Reading]:
    """What it measures now; nothing where that can't be read."""
    try:
        answers = {}
        for name, read in device.control.items():
            answers[name] = yield read
        return device.decode(answers)
    except (DecodeError, DeviceError):
        return Reading()


def _summary(layout: Layout) -> dict[str, Any]:
    chain = layout.chain
    models = [
        {
            "model": block.model_id,
            "address": block.address,
            "length": block.length,
            "label": _label(block.model_id),
        }
        for block in chain.blocks
    ]
    return {
        "identity": asdict(layout.identity),
        "base": chain.base,
        "repaired": chain.repaired,
        "ended": chain.ended,
        "problems": list(chain.problems),
        "models": models,
    }


def _label(model_id: int) -> str:
    known = model(model_id)
    return "vendor model without a public definition" if known is None else known.label or known.name


def _facts(device: Device) -> dict[str, Any]:
    return {"rating": asdict(device.rating), "can": asdict(device.can), "problems": list(device.problems)}


def _describe(device: Device, reading: Reading) -> str:
    rating, can = device.rating, device.can
    now = "" if reading.p_w is None else f", {reading.p_w:,.0f} W now"
    if rating.size_w == 0.0:
        return f"reads{now}"
    takes = [name for name, given in (("ceiling", can.limit), ("target", can.aim), ("var", can.var)) if given]
    charge = f", charges at up to {-rating.p_min_w:g} W" if can.store else ""
    text = f"{rating.p_max_w:g} W, {rating.s_max_va:g} VA{charge}{now}; takes {', '.join(takes) or 'nothing'}"
    return clean("; ".join([text, *device.problems]))


ORDER = {"der": 0, "bms": 1, "meter": 2}
"""One unit id stands in the site file once: where a device is several things, it is a DER first."""


def _site_rows(
    place: Place, unit: int, who: Identity, kinds: dict[str, dict[str, Any]], profile: Profile, pulse: Pulse
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
    row |= {"serial": who.serial} if who.serial else {}
    pace = {"timeout_s": float(math.ceil(2.0 * pulse.slowest_s))} if 2.0 * pulse.slowest_s > profile.timeout_s else {}
    wire = {"id": "lan1", place.key: msgspec.to_builtins(place.section)} | pace
    return ["buses:", f"  - {_flow(wire)}", *_device(role, row, usable[kind])]


def _stores(row: dict[str, Any]) -> bool:
    """It can be aimed both ways: a PV inverter with model 704 could be taken for a battery, but has no charging."""
    return row["can"]["battery"] is not None and row["rating"]["p_min_w"] < 0.0


def _device(role: str, row: dict[str, Any], found: dict[str, Any]) -> list[str]:
    if role == "meter":
        now = "" if found["now_w"] is None else f"; it reads {found['now_w']:,.0f} W now"
        return [f"poc: {_flow(row)[:-1]}, sign: }}   # 1: its W is positive for export; -1: for import{now}"]
    if role == "bms":
        return ["ders:", f"  - {{id: bat1, ..., bms: {_flow(row)}}}   # in the row of the battery's inverter"]
    return ["ders:", f"  - {_flow({'id': 'bat1' if _stores(found) else 'pv1'} | row)}"]


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
