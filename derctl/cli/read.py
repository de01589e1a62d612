"""`derctl read`: SunSpec models point by point, or a register map's lines: raw, scaled, unit and name. Reads only."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator
from typing import Any

from derctl.cli import maps
from derctl.cli.look import BASES, add_endpoint, ask, heading, sunspec
from derctl.core.exchange import Exchange
from derctl.core.text import clean, device_text
from derctl.devices import Options, Profile
from derctl.devices.lengths import Lengths, limited
from derctl.devices.sunspec.layout import Layout
from derctl.devices.sunspec.section import sections_of
from derctl.errors import DecodeError, NotRecognised
from derctl.links.models import model
from derctl.sunspec import Block, Decoded, Group, Model, Point, Raw, Value, decode, read_block


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    add_endpoint(parser)
    parser.add_argument("models", type=int, nargs="*", metavar="MODEL", help="model ids; all that are there if none")
    text = "a name of `derctl profiles` or a file: read a device without SunSpec by this register map"
    parser.add_argument("--map", metavar="NAME|FILE", help=text)
    maps.add_folder(parser)
    parser.add_argument("--all", action="store_true", help="show points that are not implemented, too")


def run(args: argparse.Namespace) -> int:
    """Print the points of each model, or the lines of a register map."""
    if args.map is not None:
        return maps.run(args)
    profile = Profile(max_regs=args.max_regs, bases=tuple(args.base or BASES))
    options, lengths = Options(profile=profile), Lengths(profile.max_regs)
    reading = lengths.learn(lambda most: tables_of(limited(options, most), tuple(args.models)))
    (layout, tables), _ = ask(args, reading)
    if args.json:
        print(json.dumps(tables, indent=2))
        return 0
    print(heading(layout.identity, args.unit, layout.chain.base))
    print(f"  {'point':<28} {'raw':>12} {'value':>16} unit or meaning")
    several = max((table["section"] for table in tables), default=1) > 1
    for table in tables:
        print("\n".join(lines_of(table, every=args.all, several=several)))
    return 0


def lines_of(table: dict[str, Any], *, every: bool, several: bool = False) -> Iterator[str]:
    """One model. every: also what is not implemented. several: which section it stands in counts."""
    section = f", section {table['section']}" if several else ""
    yield f"{table['model']} {table['label']} at {table['address']}, L={table['length']}{section}"
    yield from (_line(row) for row in table["points"] if every or row["value"] is not None)
    yield from (f"  ! {clean(problem)}" for problem in table["problems"])


def _line(row: dict[str, Any]) -> str:
    raw = "" if isinstance(row["raw"], str) else row["raw"]
    return f"  {row['path']:<28} {raw!s:>12} {_shown(row['value']):>16} {row['unit'] or row['name']}".rstrip()


def _shown(value: Any) -> str:
    return "-" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def tables_of(options: Options, wanted: tuple[int, ...]) -> Exchange[tuple[Layout, list[dict[str, Any]]]]:
    """Each model with its points. Raises NotRecognised where one that is wanted is not there."""
    layout = yield from sunspec(options)
    there = [block for block in layout.chain.blocks if not wanted or block.model_id in wanted]
    missing = set(wanted) - {block.model_id for block in there}
    if missing:
        present = ", ".join(str(block.model_id) for block in layout.chain.blocks)
        raise NotRecognised(f"no model {', '.join(map(str, sorted(missing)))} there; there are {present}")
    tables = []
    sections = sections_of(layout.chain)
    for block in there:
        table = model(block.model_id)
        registers = yield from read_block(block, max_regs=options.profile.max_regs, model=table)
        section = next(each.index for each in reversed(sections) if block in each.blocks)
        tables.append({"section": section} | _table(block, table, registers))
    return layout, tables


def _table(block: Block, table: Model | None, registers: tuple[int | None, ...]) -> dict[str, Any]:
    head: dict[str, Any] = {"model": block.model_id, "address": block.address, "length": block.length}
    if table is None:
        rows = [{"path": f"+{i}", "raw": r, "value": r, "unit": "", "name": ""} for i, r in enumerate(registers)]
        return head | {"label": "(no public definition)", "points": rows, "problems": []}
    try:
        decoded = decode(table, registers, length=block.length)
    except DecodeError as error:
        return head | {"label": table.label, "points": [], "problems": [str(error)]}
    problems = [*decoded.problems, *(f"{name}: could not be read" for name in decoded.unreadable)]
    return head | {"label": table.label, "points": [*_rows(decoded, "", table)], "problems": problems}


def _plain(raw: Raw | None) -> int | float | str | None:
    """A raw value for JSON: text and addresses in hexadecimal, a float that is no number by its name."""
    if isinstance(raw, bytes):
        return raw.hex()
    return str(raw) if isinstance(raw, float) and not math.isfinite(raw) else raw


def _text(value: Value | None) -> Value | None:
    """A device's text can be anything; its registers stay in `raw` as they are."""
    return device_text(value) if isinstance(value, str) else value


def _rows(decoded: Decoded, prefix: str, table: Model | Group) -> Iterator[dict[str, Any]]:
    for name, value in decoded.values.items():
        point = table.points[name]
        yield {
            "path": prefix + name,
            "raw": _plain(decoded.raw.get(name)),
            "value": _text(value),
            "unit": point.units or "",
            "name": _name(point, value),
        }
    groups = {group.name: group for group in table.groups}
    for name, instances in decoded.groups.items():
        for index, instance in enumerate(instances):
            yield from _rows(instance, f"{prefix}{name}[{index}].", groups[name])


def _name(point: Point, value: Value | None) -> str:
    """An enumeration's word; a bitfield's, lowest bit first, with the numbers of the bits that have none."""
    if not isinstance(value, int) or not point.symbols:
        return ""
    named = point.names(value)
    if not point.type.name.startswith("bitfield"):
        return ", ".join(named)
    bits = [f"bit {bit}" for bit in range(64) if value >> bit & 1 and bit not in point.symbols.values()]
    return ", ".join([*named, *bits])
