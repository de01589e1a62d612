"""`derctl shadow report`: what derctl would have done while it only looked. From the daemon, or from what it kept."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from derctl.cli.amounts import seconds
from derctl.cli.exits import OK
from derctl.cli.local import SITE_FILE, add_socket, call, config_of
from derctl.cli.plain import cleaned
from derctl.cli.shadowpage import render
from derctl.core.text import error_text
from derctl.core.words import Refusal
from derctl.daemon.clock import Clock
from derctl.daemon.shadow.report import DAY_S, report_of
from derctl.daemon.shadow.shadow import NOTHING
from derctl.errors import CommandError, LinkError
from derctl.site import load
from derctl.store import shadow
from derctl.store.folder import Folder

ALONE = "no daemon answers: from what it kept on disk"


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    add_socket(parser)
    parser.add_argument("what", nargs="?", choices=("report",), default="report", help="default: report")
    parser.add_argument("--since", type=seconds, default=DAY_S, metavar="TIME", help="such as 6h or 7d (default 1d)")
    parser.add_argument("--json", action="store_true", help="for programs: docs/interfaces.md section 5")


def run(args: argparse.Namespace) -> int:
    """0 if there is a record, 1 if there is none."""
    found = _report(args)
    print(json.dumps(found, indent=2) if args.json else render(cleaned(found)))
    return OK


def _report(args: argparse.Namespace) -> dict[str, Any]:
    """Raises LinkError, CommandError, ConfigError."""
    try:
        found: dict[str, Any] = call(args, "shadow", {"since_s": args.since}, seconds=20.0)
    except LinkError as error:
        if isinstance(error.__cause__, PermissionError) or (args.config is None and not _usual(args)):
            raise
        found = kept(config_of(args), args.since)
        print(ALONE, file=sys.stderr)
    return found


def _usual(args: argparse.Namespace) -> bool:
    """Whether the usual site file is meant, and is there."""
    return args.socket is None and SITE_FILE.exists()


def kept(config: Path, since_s: float) -> dict[str, Any]:
    """Without a daemon. Raises ConfigError, CommandError, LinkError for what may not be read."""
    section = load(config).file.site
    clock, path = Clock(section.clock_sync), Path(section.state_dir)
    try:
        there = shadow.load(Folder(path, path))
    except (OSError, ValueError) as error:
        raise LinkError(f"{path}: {error_text(error)}") from error
    found = report_of(there, now=clock.wall(), synced=clock.synced, since_s=since_s, site=section.id)
    if found is None:
        torn = f" ({there.torn} lines can't be read)" if there.torn else ""
        raise CommandError(Refusal.NOTHING_NEW, f"{path}: {NOTHING}{torn}")
    return found
