"""`derctl clear [DER]`: drop the operator's limits and setpoints, or lift what was found in the devices."""

from __future__ import annotations

import argparse

from derctl.cli.local import add_socket, call
from derctl.cli.plain import page
from derctl.core.text import clean


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    add_socket(parser)
    parser.add_argument("der", nargs="?", metavar="DER", help="only those on this DER (default: all)")
    parser.add_argument(
        "--found", action="store_true", help="lift the limits that stood in the devices before derctl"
    )


def run(args: argparse.Namespace) -> int:
    """0 if the daemon took it."""
    given: dict[str, object] = {} if args.der is None else {"der": args.der}
    print(page([clean(str(call(args, "clear", given | ({"found": True} if args.found else {}))))]))
    return 0
