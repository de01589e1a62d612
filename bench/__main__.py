"""`python -m bench`: (a) cost of a tick, (b) reaction, (c) decode, (d) footprint, (e) control core,
(f) a serial line. Ratios first.

The devices run in another process (`hil`), on loopback. Absolute numbers are this machine's; ratios carry over.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from dataclasses import asdict

from bench import core_cost, decoding, footprint, load_drop, machine, reaction, serial_cost, tick_cost
from bench.row import Row, table


def reactions(quick: bool) -> Iterable[Row]:
    """To the first write, and to what it is for."""
    yield from reaction.rows(quick)
    yield from load_drop.rows(quick)


GROUPS = {
    "a": tick_cost.rows,
    "b": reactions,
    "c": decoding.rows,
    "d": footprint.rows,
    "e": core_cost.rows,
    "f": serial_cost.rows,
}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Measurements; nothing here passes or fails."
    )
    parser.add_argument("--quick", action="store_true", help="less than half a minute; figures are rougher")
    parser.add_argument("--json", action="store_true", help="machine and rows as JSON")
    parser.add_argument("--only", default="abcdef", help="groups to measure, for example ac")
    args = parser.parse_args()
    known = machine.description()
    rows: list[Row] = []
    for group in args.only:
        print(f"measuring ({group})", file=sys.stderr)
        rows += GROUPS[group](args.quick)
    rows.sort(key=lambda row: row.row)
    if args.json:
        print(json.dumps({"machine": known, "rows": [asdict(row) | {"met": row.met} for row in rows]}, indent=1))
    else:
        print(machine.line(known))
        print(table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
