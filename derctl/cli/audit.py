"""`derctl audit verify|show`: the log of who asked for what, and whether it is as it was written."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from derctl.cli.amounts import moment
from derctl.cli.exits import NO, OK, UNREACHABLE
from derctl.cli.local import add_config, config_of
from derctl.core.text import clean, error_text
from derctl.site import load
from derctl.store.audit import Verdict, files, records, verified
from derctl.store.chain import Broken, Head
from derctl.store.looked import audit_end
from derctl.store.seal import Signed, key_from

LAST = 40


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    parser.add_argument("what", choices=("verify", "show"), help="verify the chain, or show the last records")
    add_config(parser)
    parser.add_argument("--folder", type=Path, help="where the log lies (default: the site file's state_dir)")
    parser.add_argument("--head", metavar="N:HASH", help="verify: the record that somebody else has noted")
    parser.add_argument("--key", metavar="KEY", help="verify: the site's public key (PEM file, or as in the topic)")
    parser.add_argument("--last", type=int, default=LAST, metavar="N", help=f"show: so many (default {LAST})")
    since = "show: from 2026-11-21T12:00Z on (the beginning will do), or of the last 6h"
    parser.add_argument("--since", type=moment, metavar="TIME", help=since)
    parser.add_argument("--json", action="store_true", help="for programs; show: a record a line")


def run(args: argparse.Namespace) -> int:
    """0 where it holds, 1 where not, 69 where there is none."""
    folder = folder_of(args)
    try:
        if not files(folder):
            print(f"there is no audit log in {folder}", file=sys.stderr)
            return UNREACHABLE
        return _verify(args, folder) if args.what == "verify" else _show(args, folder)
    except OSError as error:
        print(error_text(error), file=sys.stderr)
        return UNREACHABLE


def folder_of(args: argparse.Namespace) -> Path:
    """Given, or the site file's state_dir. Raises ConfigError."""
    return Path(load(config_of(args)).file.site.state_dir) if args.folder is None else Path(args.folder)


def _verify(args: argparse.Namespace, folder: Path) -> int:
    try:
        noted, own = None if args.head is None else head_from(args.head), audit_end(folder)
        heads = [each for each in (noted, own) if each is not None]
        found = verified(folder, None if args.key is None else root_of(args.key), heads)
        if noted is not None:
            _reaches(found, noted)
        if not found.count:
            print(f"there is no record in the audit log in {folder}", file=sys.stderr)
            return UNREACHABLE
    except ValueError as error:
        n = error.n if isinstance(error, Broken) else None
        if args.json:
            print(json.dumps({"ok": False, "record": n, "text": str(error)}))
        else:
            print(f"BROKEN at {error}")
        return NO
    if args.json:
        said = {"ok": True, "records": found.count, "first": found.first.n + 1, "last": found.last.n}
        signed = None if found.signed is None else asdict(found.signed)
        print(json.dumps({**said, "hash": found.last.hash, "torn_bytes": found.torn, "signed": signed}))
    else:
        print("\n".join(_page(found)))
    return OK


def _reaches(found: Verdict, noted: Head) -> None:
    """Raises Broken where the record that somebody noted went with the oldest, unless the first one hangs on it."""
    if noted.n <= found.first.n and noted != found.first:
        raise Broken(noted.n, f"it was noted, and the log has records {found.first.n + 1} to {found.last.n}")


def _page(found: Verdict) -> Iterator[str]:
    yield f"ok: {found.count} records, {found.first.n + 1} to {found.last.n}, each hangs on the one before"
    if found.first.n:
        yield f"records 1 to {found.first.n} were rotated out"
    if found.torn:
        yield f"a kill cut off the last line ({found.torn} bytes); the next start sets it aside"
    yield from signed_page(found.signed)
    yield f"head {found.last.n}:{found.last.hash}"


def signed_page(signed: Signed | None) -> Iterator[str]:
    """Who vouches for it."""
    if signed is None:
        yield "UNSIGNED: nobody vouches for it"
        return
    yield f"signed up to record {signed.head.n} at {signed.t} by the key {signed.kid}"
    if signed.given:
        yield "the key given vouches for that"
    else:
        yield "that it is this site's key, only one shows that you had from it before (--key)"


def root_of(text: str) -> str:
    """A PEM file, or the key itself. Raises ArgumentError."""
    path, there = Path(text), _is_there(text)
    try:
        return key_from(path.read_text(encoding="ascii") if there else text)
    except OSError as error:
        raise argparse.ArgumentError(None, f"--key {text!r}: {error_text(error)}") from error
    except ValueError as error:
        why = "no public key of Ed25519, as `derctl ledger key` shows it"
        no_file = "" if there else "there is no such file, and it is "
        raise argparse.ArgumentError(None, f"--key {text!r}: {no_file}{why}") from error


def _is_there(text: str) -> bool:
    with suppress(OSError, ValueError):
        return Path(text).exists()
    return False


def head_from(text: str) -> Head:
    """N:HASH. Raises ArgumentError."""
    n, _, hash_ = text.partition(":")
    if not n.isdecimal() or len(hash_) != len(Head().hash):
        raise argparse.ArgumentError(
            None, f"--head {text!r} is not N:HASH, as `verify` and the topic `records` tell it"
        )
    return Head(n=int(n), hash=hash_)


def _show(args: argparse.Namespace, folder: Path) -> int:
    found = [each for each in records(folder) if args.since is None or each.plain.get("t", "") >= args.since]
    for each in found[-args.last :] if args.last > 0 else []:
        print(each.text if args.json else _line(each.plain))
    return OK


def _line(record: Mapping[str, Any]) -> str:
    """2026-11-21T12:00:00.000Z  command   ops        limit_power ..."""
    clock = "" if record.get("clock", {}).get("synced") else " (clock not set)"
    of = "" if record.get("der") is None else f"{record['der']}: "
    name = f"{record['event']}: " if "event" in record else ""
    skipped = f" ({record['skipped']} more before it, not noted)" if "skipped" in record else ""
    text = f"{of}{name}{record.get('text', '')}{skipped}"
    return clean(f"{record.get('t', '?')}{clock}  {record.get('what', '?'):<13} {record.get('who', '?'):<10} {text}")
