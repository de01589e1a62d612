"""`derctl clear [DER]`: drop the operator's limits and setpoints."""

from __future__ import annotations

import argparse

from derctl.cli.local import add_socket, call


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    add_socket(parser)
    parser.add_argument("der", nargs="?", metavar="DER", help="only those on this DER (default: all)")


def run(args: argparse.Namespace) -> int:
    """0 if the daemon took it."""
    print(call(args, "clear", {} if args.der is None else {"der": args.der}))
    return 0
