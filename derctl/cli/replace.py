"""`derctl replace DER`: the device that answers in its place is taken for it, if it is one of the same kind."""

from __future__ import annotations

import argparse

from derctl.cli.local import add_socket, call
from derctl.cli.plain import page
from derctl.core.text import clean


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    add_socket(parser)
    parser.add_argument("der", metavar="DER", help="whose device was replaced")


def run(args: argparse.Namespace) -> int:
    """0 if the daemon took it."""
    print(page([clean(str(call(args, "replace", {"der": args.der})))]))
    return 0
