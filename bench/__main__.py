"""`python -m bench`: (a) cost of a tick, (b) reaction, (c) decode, (d) footprint. Ratios first.

The devices run in another process (`hil`), on loopback. Absolute numbers are this machine's; ratios carry over.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict

from bench import decoding, footprint, machine, reaction, tick_cost
from bench.row import Row, table

GROUPS = {"a": tick_cost.rows, "b": reaction.rows, "c": decoding.rows, "d": footprint.rows}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Measurements; nothing here passes or fails."
    )
    parser.add_argument("--quick", action="store_true", help="less than half a minute; figures are rougher")
    parser.add_argument("--json", action="store_true", help="machine and rows as JSON")
    parser.add_argument("--only", default="abcd", help="groups to measure, for example ac")
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
