"""`derctl ledger export|verify|key|rotate`: the energy by intervals for somebody else; whether such a file is as
recorded; by which key."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

from derctl.cli.amounts import moment
from derctl.cli.audit import folder_of, head_from, root_of, signed_page
from derctl.cli.exits import NO, OK, UNREACHABLE
from derctl.cli.local import add_config, config_of
from derctl.core.text import error_text
from derctl.daemon.clock import Clock
from derctl.site import load
from derctl.store import signer
from derctl.store.chain import Broken, Line
from derctl.store.exported import Verdict, as_csv, as_json, verified
from derctl.store.interval import text_of
from derctl.store.looked import keys_in, looked_at
from derctl.store.seal import pem_of
from derctl.store.sealed import UNUSABLE

FORMATS = {"csv": as_csv, "json": as_json}
GAPS_SHOWN = 10


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    whats = "export to stdout; verify a file, alone; show the key that signs; put another key in its place"
    parser.add_argument("what", choices=tuple(VERBS), help=whats)
    parser.add_argument("file", nargs="?", type=Path, metavar="FILE", help="verify: what was exported (- : stdin)")
    add_config(parser)
    parser.add_argument("--folder", type=Path, help="where the records lie (default: the site file's state_dir)")
    since = "export: intervals that end after 2026-11-21T12:00Z (the beginning will do), or in the last 6h"
    parser.add_argument("--since", type=moment, metavar="TIME", help=since)
    parser.add_argument("--format", choices=tuple(FORMATS), default="csv", help="export: default csv")
    parser.add_argument("--head", metavar="N:HASH", help="verify: a record that somebody else has noted")
    parser.add_argument("--key", metavar="KEY", help="verify: the site's public key (PEM file, or as in the topic)")
    parser.add_argument("--json", action="store_true", help="verify, key: for programs")


def run(args: argparse.Namespace) -> int:
    """0: done, or it is as it was recorded; 1: it is not; 69: there are no records, or no key."""
    return VERBS[args.what](args)


def _export(args: argparse.Namespace) -> int:
    last: list[str] = [text_of(0.0)]
    try:
        seal, _, _, lines = looked_at(folder_of(args), args.since)
        for text in FORMATS[args.format](_seen(lines, last), seal):
            sys.stdout.write(text)
    except Broken as error:
        behind = f"derctl ledger export --since {last[-1]}"
        print(f"BROKEN at {error}\nwhat is behind it is another file: {behind}", file=sys.stderr)
        return NO
    except OSError as error:
        print(error_text(error), file=sys.stderr)
        return UNREACHABLE
    return OK


def _seen(lines: Iterable[Line], last: list[str]) -> Iterator[Line]:
    """last: takes when each ends."""
    for line in lines:
        last[:] = [str(line.plain["to"])]
        yield line


def _verify(args: argparse.Namespace) -> int:
    if args.file is None:
        raise argparse.ArgumentError(None, "verify needs a file")
    noted = None if args.head is None else head_from(args.head)
    root = None if args.key is None else root_of(args.key)
    try:
        text = sys.stdin.read() if str(args.file) == "-" else args.file.read_text(encoding="utf-8")
        found = verified(text, noted, root)
    except OSError as error:
        print(error_text(error), file=sys.stderr)
        return UNREACHABLE
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        n = error.n if isinstance(error, Broken) else None
        words = f"BROKEN at {error}" if n is not None else f"{args.file}: no ledger: {error}"
        print(json.dumps({"ok": False, "record": n, "text": str(error)}) if args.json else words)
        return NO
    if args.json:
        print(json.dumps({"ok": True, **asdict(found)}))
    else:
        print("\n".join(_page(found, noted=noted is not None or root is not None)))
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
    yield from signed_page(found.signed)
    yield f"head {found.last.n}:{found.last.hash}"
    if not noted:
        yield "that nobody made the whole chain anew only a head shows that somebody else has kept (--head), or a key"


def _key(args: argparse.Namespace) -> int:
    """The public one, and those before it."""
    folder = folder_of(args)
    try:
        keys = keys_in(folder)
    except OSError as error:
        print(error_text(error), file=sys.stderr)
        return UNREACHABLE
    if not keys:
        print(f"UNSIGNED: no key has signed the ledger in {folder} yet", file=sys.stderr)
        return UNREACHABLE
    if args.json:
        print(json.dumps({"keys": [{**each.plain, "kid": each.kid} for each in keys], "pem": pem_of(keys[-1].x)}))
        return OK
    print(f"key {keys[-1].kid}, since {keys[-1].t}\nx   {keys[-1].x}\n{pem_of(keys[-1].x)}", end="")
    for before, after in pairwise(keys):
        word = "vouches for the next one" if after.statement else "does not vouch for the next one"
        print(f"before it: {before.kid}, since {before.t}; {word}")
    return OK


def _rotate(args: argparse.Namespace) -> int:
    """Another key, which the one before vouches for; a running daemon takes it with its next interval."""
    file = load(config_of(args)).file
    path = Path(file.site.state_dir if args.folder is None else args.folder) / signer.FILE
    try:
        before = signer.read(path)
        after = signer.following(before, file.site.id, Clock().stamp())
        signer.write(path, after)
    except OSError as error:
        print(error_text(error), file=sys.stderr)
        return UNREACHABLE
    except UNUSABLE as error:
        print(f"{path}: {error}", file=sys.stderr)
        return NO
    print(f"key {before.public.kid} vouches for key {after.public.kid}, which signs from the next interval on")
    print(pem_of(after.public.x), end="")
    return OK


VERBS: dict[str, Callable[[argparse.Namespace], int]] = {
    "export": _export,
    "verify": _verify,
    "key": _key,
    "rotate": _rotate,
}
