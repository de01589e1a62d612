"""`derctl command`: one of the daemon's commands over its socket."""

from __future__ import annotations

import argparse
import json

from derctl.cli.amounts import seconds
from derctl.cli.local import add_socket, call
from derctl.cli.plain import page
from derctl.core.text import clean
from derctl.daemon.commands.rows import COMMANDS


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    add_socket(parser)
    parser.add_argument("name", help=", ".join(name for name, row in COMMANDS.items() if not row.apart))
    parser.add_argument(
        "args", type=pair, nargs="*", metavar="KEY=VALUE", help="for example p_ceiling_w=3000 der=pv1"
    )
    parser.add_argument(
        "--expires", type=seconds, default=3600.0, metavar="TIME", help="how long it holds (default 1h)"
    )


def run(args: argparse.Namespace) -> int:
    """0 if it was admitted; what the devices did is in `status`. Raises ArgumentError: it has a verb of its own."""
    if args.name in COMMANDS and COMMANDS[args.name].apart:
        text = f"{args.name} has a verb of its own: derctl {COMMANDS[args.name].verb}"
        raise argparse.ArgumentError(None, text)
    given: dict[str, object] = {"expires_s": args.expires}
    given.update(args.args)
    first, *more = str(call(args, args.name, given)).splitlines() or [""]
    print("\n".join([page([f"admitted: {clean(first)}"]), *map(clean, more)]))
    return 0


def pair(text: str) -> tuple[str, object]:
    """An argparse type. Raises ArgumentTypeError."""
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is no KEY=VALUE, such as p_ceiling_w=3000")
    return key, _value(value)


def _value(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text
