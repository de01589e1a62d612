"""`derctl schedule FILE`: an operating envelope, or a battery's plan, as docs/interfaces.md section 3 has them.

With --shape the file is a planner's own: it becomes intervals here, so it may be larger than a call of the socket."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from derctl.cli.amounts import seconds
from derctl.cli.local import add_socket, call
from derctl.cli.plain import page
from derctl.core.text import clean, error_text
from derctl.daemon.commands.shapes import SHAPES, plan

ENVELOPE, PLAN = "operating_envelope", "battery_plan"
DAY_S = 86400.0
OF_COMMAND = frozenset({"id", "issued_at"})
"""What a file may carry that was written for MQTT."""


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    add_socket(parser)
    parser.add_argument("file", metavar="FILE", help="JSON with intervals; -: from stdin")
    parser.add_argument(
        "--shape", choices=sorted(SHAPES), help="the file is a plan as this planner has it; needs --der"
    )
    parser.add_argument("--der", metavar="NAME", help="the battery that a planner's file is for")
    parser.add_argument(
        "--expires", type=seconds, metavar="TIME", help="how long it is believed (default: as the file says, else 1d)"
    )


def run(args: argparse.Namespace) -> int:
    """0 if admitted."""
    given = _given(args)
    if args.expires is not None:
        given["expires_s"] = args.expires
    answer = str(call(args, PLAN if "der" in given else ENVELOPE, {"expires_s": DAY_S} | given))
    print(page([f"admitted: {clean(answer)}"]))
    return 0


def _given(args: argparse.Namespace) -> dict[str, Any]:
    """The arguments of the command. Raises ArgumentError, CommandError."""
    if (args.shape is None) != (args.der is None):
        raise argparse.ArgumentError(None, "--shape and --der: give both, or none")
    read = _read(args.file)
    if args.shape is not None:
        given: dict[str, Any] = msgspec.to_builtins(plan({"der": args.der, "shape": args.shape, "plan": read}))
        return given
    if not isinstance(read, dict):
        raise argparse.ArgumentError(None, f"{args.file}: expected an object with intervals")
    return {key: value for key, value in read.items() if key not in OF_COMMAND}


def _read(name: str) -> Any:
    """Raises ArgumentError for what is no JSON."""
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
        return json.loads(text)
    except OSError as error:
        raise argparse.ArgumentError(None, error_text(error)) from error
    except ValueError as error:
        raise argparse.ArgumentError(None, f"{name}: {error_text(error)}") from error
