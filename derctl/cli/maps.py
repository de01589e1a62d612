"""Register maps for people: what a map says, and what a device's registers say by it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from derctl.cli.look import ask
from derctl.cli.plain import wrapped
from derctl.core.dataclass import dataclass
from derctl.core.exchange import Exchange
from derctl.core.text import clean
from derctl.core.words import Refusal, Timer
from derctl.devices import Identity, Profile
from derctl.devices.fact import Fact
from derctl.devices.maps.blocks import blocks_of
from derctl.devices.maps.control import Control, Order, Step
from derctl.devices.maps.line import Connection, Line
from derctl.devices.maps.map import RegisterMap
from derctl.devices.maps.number import Value, raw_of, size, value
from derctl.devices.maps.recognise import connected, identified
from derctl.errors import CommandError, DeviceRefused, NotRecognised
from derctl.site import OWN_PLACE, known_profiles, profile_at
from derctl.site.hints import similar

Row = dict[str, Any]


def add_folder(parser: argparse.ArgumentParser) -> None:
    """Where somebody's own profiles are."""
    text = f"folder of one's own profiles and maps (default {OWN_PLACE})"
    parser.add_argument("--profiles", type=Path, default=OWN_PLACE, metavar="DIR", help=text)


def map_named(word: str, folder: Path) -> Profile:
    """By its name, or a file. Raises CommandError and ConfigError."""
    if "/" in word or word.endswith((".yaml", ".yml")):
        found = profile_at(Path(word))
        known: Mapping[str, Profile] = {word: found}
    else:
        known = known_profiles(folder)
    if word not in known or known[word].map is None:
        maps = [name for name, each in known.items() if each.map is not None]
        said = f"no register map {word!r}{similar(word, maps)}; known are {', '.join(maps) or 'none'}"
        raise CommandError(Refusal.BAD_ARGUMENT, said)
    return known[word]


def said(text: str, fact: Fact) -> str:
    """With who says it."""
    mark = f"confirmed by {fact.by}" if fact.confirmed else f"unconfirmed, {fact.by}"
    return f"{text}: {mark}: {fact.source}"


def page(made: RegisterMap) -> Iterator[str]:
    """A map's lines, each with its place, and who says it where that isn't who says all of them."""
    yield from wrapped(said(f"of {made.name}, for kind: {made.kind}", made.fact), "  registers  ")
    for mark in made.signature:
        yield from wrapped(_own(made, f"{mark.line.place} reads {mark.wanted}", mark.line), "    recognised by: ")
    if made.connection is not None:
        asked = made.connection.line
        yield from wrapped(_own(made, f"{asked.place}: {systems_text(made.connection)}", asked), "    connected: ")
    for line in (*made.lines, *made.shown):
        mine = "" if line in made.lines else ", shown only"
        yield from wrapped(_own(made, f"{line_text(line)}{mine}", line), f"    {line.name:<22} ")
    if made.control is not None:
        yield from _orders(made, made.control)


def _orders(made: RegisterMap, control: Control) -> Iterator[str]:
    """What is written, and why not."""
    for point in control.points:
        wears = {True: "not stored", False: "stored", None: "nobody says whether it is stored"}[point.volatile]
        wears += ", written only where it reads something else" if point.once else ""
        yield from wrapped(_own(made, f"{line_text(point.line)}, {wears}", point.line), f"    {point.name:<22} ")
        if point.wears != point.line.fact:
            yield from wrapped(said("its memory", point.wears), f"    {'':<22} ")
    for name, order in control.orders.items():
        yield from wrapped(order_text(order), f"    {name:<22} ")
        doubts = "; ".join(control.doubts(order))
        yield from wrapped(f"not written: nobody has confirmed {doubts}", f"    {'':<22} ") if doubts else ()
        quoted = ", ".join(() if doubts else control.quoted(order))
        named = f"written only where a row of the site file has may_write: [{quoted}], since others quote that"
        yield from wrapped(named, f"    {'':<22} ") if quoted else ()


def systems_text(asked: Connection) -> str:
    """What its register says of how the device is connected."""
    said = [(f"{raw}", system) for raw, system in asked.raws] + [(repr(part), system) for part, system in asked.texts]
    return ", ".join(f"{word} is {system.name.lower()}" for word, system in said)


def order_text(order: Order) -> str:
    """Its steps."""
    ways = [
        ("", order.give),
        (f"below 0 {'var' if order.reactive else 'W'}: ", order.take),
        ("given back: ", order.release),
    ]
    text = "; ".join(head + ", ".join(map(_step_text, steps)) for head, steps in ways if steps)
    timers = {Timer.NO_TARGET: "lapses by itself", Timer.TARGET: "falls by itself to what it is told for that"}
    after = "" if order.lapses_s is None else f" after {order.lapses_s:g} s"
    return f"{text}; {timers.get(order.timer, 'stands')}{after}"


def _step_text(step: Step) -> str:
    return f"{step.point} = {step.value if step.of is None else step.of}"


def _own(made: RegisterMap, text: str, line: Line) -> str:
    return text if line.fact == made.fact else said(text, line.fact)


def line_text(line: Line) -> str:
    """Where it stands, and how."""
    order = ", low word first" if line.low_first and size(line) > 1 else ""
    part = f", its {line.part} byte" if line.part else ""
    factor = line.sign * line.scale
    scale = "" if factor == 1.0 else f" x {factor:g}"
    offset = "" if line.offset == 0.0 else f" {line.sign * line.offset:+g}"
    unit = f" {line.unit}" if line.unit else ""
    tens = f", power of ten at {line.address + line.exponent}" if line.exponent else ""
    absent = f", {', '.join(map(str, line.absent))} means nothing" if line.absent else ""
    valid = f", from {line.valid[0]:g} to {line.valid[1]:g}" if line.valid is not None else ""
    when = "" if line.when is None else f", where it is {line.when.name.lower()}"
    when += "" if line.unless is None else f", unless it is {line.unless.name.lower()}"
    many = f", the {line.pick} of {line.count}" if line.pick else ""
    return f"{line.place} {line.type}{many}{order}{part}{scale}{tens}{offset}{unit}{valid}{absent}{when}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a device says by a map. wrong: why it is no such device, "" where its signature fits."""

    identity: Identity
    rows: tuple[Row, ...]
    wrong: str = ""


def told(profile: Profile, max_regs: int) -> Exchange[Told]:
    """Read all its lines that count of a device so connected; what is refused is said. A device that is not
    recognised is read all the same: nothing is written."""
    made, most = profile.map, min(max_regs, profile.max_regs)
    assert made is not None
    wrong = ""
    try:
        identity = yield from identified(made, most)
    except NotRecognised as error:
        identity, wrong = Identity(maker=made.maker, model=made.model), str(error)
    rows: list[Row] = []
    system = yield from connected(made)
    lines = [line for line in (*made.lines, *made.shown) if line.counts(system)]
    for block in blocks_of(made, lines, most):
        try:
            words = yield block.read
        except DeviceRefused as error:
            rows += [_row(line, None, None, str(error)) for line, _ in block.places]
            continue
        for line, at in block.places:
            mine = words[at : at + size(line)]
            rows.append(_row(line, raw_of(line, mine), value(line, mine), ""))
    order = {line.name: i for i, line in enumerate(lines)}
    return Told(identity=identity, rows=tuple(sorted(rows, key=lambda row: order[row["name"]])), wrong=wrong)


def _row(line: Line, raw: int | None, number: Value | None, problem: str) -> Row:
    """As it stands there; `value` with the sign that control counts it by."""
    shown = list(number) if isinstance(number, tuple) else number
    place = {"name": line.name, "address": line.address, "function": line.function, "type": str(line.type)}
    return place | {"raw": raw, "value": shown, "unit": line.unit, "by": str(line.fact.by), "problem": problem}


def run(args: argparse.Namespace) -> int:
    """`derctl read PLACE --map NAME|FILE`."""
    profile = map_named(args.map, args.profiles)
    made = profile.map
    assert made is not None
    found, _ = ask(args, told(profile, args.max_regs), profile)
    if args.json:
        rows = list(found.rows)
        print(json.dumps({"identity": asdict(found.identity), "problem": found.wrong, "lines": rows}, indent=2))
        return 0
    who = found.identity
    print(f"{who.name}  serial {who.serial or 'not told'}  firmware {who.firmware or 'not told'}  unit {args.unit}")
    if found.wrong:
        print(f"  ! {clean(found.wrong)}: what follows may mean something else")
    print(f"  {'quantity':<22} {'register':>15} {'value':>14} unit")
    for row in found.rows:
        print(line_of(row))
    return 0


def line_of(row: Row) -> str:
    """For people."""
    where = f"{row['function']}: {row['address']} (0x{row['address']:04X})"
    if row["problem"]:
        return f"  {row['name']:<22} {where:>15} {clean(row['problem'])}"
    number = row["value"]
    if isinstance(number, list):
        shown = ", ".join(number) or "none"
    else:
        shown = "-" if number is None else f"{number:g}" if isinstance(number, float) else str(number)
    mark = "" if row["by"] in {"capture", "document"} else f"  ({row['by']})"
    return f"  {row['name']:<22} {where:>15} {shown:>14} {row['unit']}{mark}".rstrip()
