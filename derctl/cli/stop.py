"""`derctl stop`: every DER to 0 W and 0 var, until `derctl stop --lift`."""

from __future__ import annotations

import argparse

from derctl.cli.local import add_socket, call
from derctl.cli.plain import page
from derctl.core.text import clean


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    add_socket(parser)
    parser.add_argument("--lift", action="store_true", help="end the stop")


def run(args: argparse.Namespace) -> int:
    """0 if the daemon took it."""
    print(page([clean(str(call(args, "lift_stop" if args.lift else "emergency_stop")))]))
    return 0
