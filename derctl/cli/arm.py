"""`derctl arm`: from observing to control, if nothing stands against it."""

from __future__ import annotations

import argparse

from derctl.cli.local import add_socket, call


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    add_socket(parser)


def run(args: argparse.Namespace) -> int:
    """0 if armed."""
    print(call(args, "arm"))
    return 0
