"""`derctl read`: SunSpec models point by point: raw, scaled and unit side by side. Reads only."""

from __future__ import annotations

import argparse
import json
import math
from typing import Any

from derctl.cli.look import BASES, add_endpoint, ask
from derctl.core.exchange import Exchange
from derctl.core.text import device_text
from derctl.devices import Options, Profile
from derctl.devices.sunspec.layout import find
from derctl.errors import DecodeError, NotRecognised
from derctl.links.models import model
from derctl.sunspec import Block, Decoded, Model, Raw, Value, decode, read_block


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    add_endpoint(parser)
    parser.add_argument("models", type=int, nargs="*", metavar="MODEL", help="model ids; all that are there if none")
    parser.add_argument("--all", action="store_true", help="show points that are not implemented, too")


def run(args: argparse.Namespace) -> int:
    """Print the points of each model."""
    profile = Profile(max_regs=args.max_regs, bases=tuple(args.base or BASES))
    tables = ask(args, _read(Options(profile=profile), tuple(args.models)))
    if args.json:
        print(json.dumps(tables, indent=2))
        return 0
    for table in tables:
        print(f"{table['model']} {table['label']} at {table['address']}, L={table['length']}")
        for row in table["points"]:
            if args.all or row["value"] is not None:
                raw = "" if isinstance(row["raw"], str) else row["raw"]
                print(f"  {row['path']:<28} {raw!s:>12} {_shown(row['value']):>16} {row['unit']}")
        for problem in table["problems"]:
            print(f"  ! {problem}")
    return 0


def _shown(value: Any) -> str:
    return "-" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _read(options: Options, wanted: tuple[int, ...]) -> Exchange[list[dict[str, Any]]]:
    layout = yield from find(model, options)
    there = [block for block in layout.chain.blocks if not wanted or block.model_id in wanted]
    missing = set(wanted) - {block.model_id for block in there}
    if missing:
        present = ", ".join(str(block.model_id) for block in layout.chain.blocks)
        raise NotRecognised(f"no model {', '.join(map(str, sorted(missing)))} there; there are {present}")
    tables = []
    for block in there:
        table = model(block.model_id)
        registers = yield from read_block(block, max_regs=options.profile.max_regs, model=table)
        tables.append(_table(block, table, registers))
    return tables


def _table(block: Block, table: Model | None, registers: tuple[int | None, ...]) -> dict[str, Any]:
    head: dict[str, Any] = {"model": block.model_id, "address": block.address, "length": block.length}
    if table is None:
        rows = [{"path": f"+{i}", "raw": r, "value": r, "unit": ""} for i, r in enumerate(registers)]
        return head | {"label": "(no public definition)", "points": rows, "problems": []}
    try:
        decoded = decode(table, registers, length=block.length)
    except DecodeError as error:
        return head | {"label": table.label, "points": [], "problems": [str(error)]}
    units = {name: point.units or "" for name, point in table.fixed.items()}
    rows = list(_rows(decoded, "", units))
    problems = [*decoded.problems, *(f"{name}: could not be read" for name in decoded.unreadable)]
    return head | {"label": table.label, "points": rows, "problems": problems}


def _plain(raw: Raw | None) -> int | float | str | None:
    """A raw value for JSON: text and addresses in hexadecimal, a float that is no number by its name."""
    if isinstance(raw, bytes):
        return raw.hex()
    return str(raw) if isinstance(raw, float) and not math.isfinite(raw) else raw


def _text(value: Value | None) -> Value | None:
    """A device's text can be anything; its registers stay in `raw` as they are."""
    return device_text(value) if isinstance(value, str) else value


def _rows(decoded: Decoded, prefix: str, units: dict[str, str]) -> list[dict[str, Any]]:
    rows = [
        {
            "path": prefix + name,
            "raw": _plain(decoded.raw.get(name)),
            "value": _text(value),
            "unit": units.get(name, ""),
        }
        for name, value in decoded.values.items()
    ]
    for name, instances in decoded.groups.items():
        for index, instance in enumerate(instances):
            rows += _rows(instance, f"{prefix}{name}[{index}].", units)
    return rows
