"""`derctl ledger export|verify`: the energy by intervals for somebody else; whether such a file is as recorded."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from derctl.cli.audit import folder_of, head_from
from derctl.cli.exits import NO, OK, UNREACHABLE
from derctl.cli.local import add_config
from derctl.core.text import error_text
from derctl.store.chain import Broken
from derctl.store.exported import Verdict, as_csv, as_json, verified
from derctl.store.records import read_only

FORMATS = {"csv": as_csv, "json": as_json}
GAPS_SHOWN = 10


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    parser.add_argument("what", choices=("export", "verify"), help="export to stdout; verify a file, alone")
    parser.add_argument("file", nargs="?", type=Path, metavar="FILE", help="verify: what was exported (- : stdin)")
    add_config(parser)
    parser.add_argument("--folder", type=Path, help="where the records lie (default: the site file's state_dir)")
    parser.add_argument("--since", metavar="TIME", help="export: intervals that end after 2026-11-21T12:00Z")
    parser.add_argument("--format", choices=tuple(FORMATS), default="csv", help="export: default csv")
    parser.add_argument("--head", metavar="N:HASH", help="verify: a record that somebody else has noted")
    parser.add_argument("--json", action="store_true", help="verify: for programs")


def run(args: argparse.Namespace) -> int:
    """0: exported, or it is as it was recorded; 1: it is not; 69: there are no records."""
    return _verify(args) if args.what == "verify" else _export(args)


def _export(args: argparse.Namespace) -> int:
    try:
        _, _, lines = read_only(folder_of(args), args.since)
        for text in FORMATS[args.format](lines):
            sys.stdout.write(text)
    except Broken as error:
        print(f"BROKEN at {error}", file=sys.stderr)
        return NO
    except OSError as error:
        print(error_text(error), file=sys.stderr)
        return UNREACHABLE
    return OK


def _verify(args: argparse.Namespace) -> int:
    if args.file is None:
        raise argparse.ArgumentError(None, "verify needs a file")
    noted = None if args.head is None else head_from(args.head)
    try:
        text = sys.stdin.read() if str(args.file) == "-" else args.file.read_text(encoding="utf-8")
        found = verified(text, noted)
    except OSError as error:
        print(f"{args.file}: {error_text(error)}", file=sys.stderr)
        return UNREACHABLE
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        n = error.n if isinstance(error, Broken) else None
        words = f"BROKEN at {error}" if n is not None else f"{args.file}: no ledger: {error}"
        print(json.dumps({"ok": False, "record": n, "text": str(error)}) if args.json else words)
        return NO
    if args.json:
        print(json.dumps({"ok": True, **asdict(found)}))
    else:
        print("\n".join(_page(found, noted=noted is not None)))
    return OK


def _page(found: Verdict, *, noted: bool) -> Iterator[str]:
    yield f"ok: {found.count} intervals of {found.site}, {found.begins} to {found.ends}, each hangs on the one before"
    for name, wh in found.sums.items():
        yield f"  {name.removesuffix('_wh'):<12} {wh / 1000.0:12,.3f} kWh"
    for gap in found.gaps[:GAPS_SHOWN]:
        yield f"  not watched  {gap}"
    if len(found.gaps) > GAPS_SHOWN:
        yield f"  and {len(found.gaps) - GAPS_SHOWN} more"
    if found.first.n:
        yield f"it begins behind record {found.first.n}:{found.first.hash}"
    yield f"head {found.last.n}:{found.last.hash}"
    if not noted:
        yield "that nobody made the whole chain anew only a head shows that somebody else has kept (--head)"
