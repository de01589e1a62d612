"""Finding the running daemon's socket: from the site file, or given."""

from __future__ import annotations

import argparse
from pathlib import Path

from derctl.site import load

DEFAULT = Path("/run/derctl/derctl.sock")


def add_socket(parser: argparse.ArgumentParser) -> None:
    """-c or --socket."""
    parser.add_argument("-c", "--config", type=Path, help="the site file (its socket is used)")
    parser.add_argument("--socket", type=Path, help=f"the daemon's socket (default {DEFAULT})")


def socket_of(args: argparse.Namespace) -> Path:
    """Raises ConfigError."""
    if args.socket is not None:
        return Path(args.socket)
    return Path(load(args.config).file.site.socket) if args.config is not None else DEFAULT
