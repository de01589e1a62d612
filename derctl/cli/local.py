"""Finding the site file and the running daemon's socket, where none is given."""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from derctl.errors import CommandError
from derctl.links.local import ask
from derctl.site import load

SOCKET = Path("/run/derctl/derctl.sock")
SITE_FILE = Path("/etc/derctl/site.yaml")
HERE = Path("site.yaml")
"""As `derctl init` writes it."""


def add_config(parser: argparse.ArgumentParser) -> None:
    """-c, for a verb that needs the site file."""
    parser.add_argument("-c", "--config", type=Path, help=f"the site file (default {SITE_FILE})")


def config_of(args: argparse.Namespace) -> Path:
    """The site file to use. Raises ArgumentError where none is given and there is no default."""
    if args.config is not None:
        return Path(args.config)
    try:
        SITE_FILE.lstat()
    except PermissionError:
        pass  # whoever may not look whether it is there is told so when it is read
    except OSError:
        here = f"; {HERE} lies here: -c {HERE}" if HERE.is_file() else ""
        text = f"no site file: give one by -c FILE; there is no {SITE_FILE}{here}"
        raise argparse.ArgumentError(None, text) from None
    return SITE_FILE


def add_socket(parser: argparse.ArgumentParser) -> None:
    """-c or --socket, for a verb that needs the daemon."""
    parser.add_argument("-c", "--config", type=Path, help=f"the site file (default {SITE_FILE}): its socket is used")
    parser.add_argument("--socket", type=Path, help=f"the daemon's socket (default {SOCKET})")


def socket_of(args: argparse.Namespace) -> Path:
    """The socket given, the site file's, or the usual one where no site file can be read. Raises ConfigError."""
    if args.socket is not None:
        return Path(args.socket)
    if args.config is None and not os.access(SITE_FILE, os.R_OK):
        return SOCKET
    return Path(load(config_of(args)).file.site.socket)


def call(args: argparse.Namespace, name: str, given: Mapping[str, Any] | None = None, *, seconds: float = 5.0) -> Any:
    """One call to the daemon. Raises LinkError, CommandError, ConfigError."""
    return asyncio.run(ask(socket_of(args), name, given, seconds=seconds))


def known_der(name: str, state: Mapping[str, Any]) -> str:
    """The name, if the site has such a DER. Raises CommandError."""
    if name not in state["ders"]:
        raise CommandError("no_der", f"no DER {name!r}; known are {', '.join(state['ders'])}")
    return name


def admitted(text: str, state: Mapping[str, Any]) -> str:
    """What a person is told of an admitted wish: in observe mode it changes nothing yet."""
    if state["mode"] == "control":
        return f"admitted: {text}"
    return f"admitted, but nothing is written in observe mode: {text}"
