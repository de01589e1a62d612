"""`derctl status`: live state from the running daemon."""

from __future__ import annotations

import argparse
import asyncio
import json

from derctl.cli.local import add_socket, socket_of
from derctl.cli.page import render
from derctl.links.local import ask


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    add_socket(parser)
    parser.add_argument("--json", action="store_true", help="for programs: section 4 of docs/interfaces.md")


def run(args: argparse.Namespace) -> int:
    """0 if the daemon answers."""
    state = asyncio.run(ask(socket_of(args), "status"))
    print(json.dumps(state, indent=2) if args.json else render(state))
    return 0
