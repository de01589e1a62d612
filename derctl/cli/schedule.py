"""`derctl schedule FILE`: an operating envelope, or a battery's plan, as docs/interfaces.md section 3 has them."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from derctl.cli.amounts import seconds
from derctl.cli.local import add_socket, call
from derctl.cli.plain import page
from derctl.core.text import clean, error_text

ENVELOPE, PLAN = "operating_envelope", "battery_plan"
DAY_S = 86400.0
OF_COMMAND = frozenset({"id", "issued_at"})
"""What a file may carry that was written for MQTT."""


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    add_socket(parser)
    parser.add_argument("file", metavar="FILE", help="JSON with intervals; -: from stdin")
    parser.add_argument(
        "--expires", type=seconds, metavar="TIME", help="how long it is believed (default: as the file says, else 1d)"
    )


def run(args: argparse.Namespace) -> int:
    """0 if admitted."""
    given = {key: value for key, value in _read(args.file).items() if key not in OF_COMMAND}
    if args.expires is not None:
        given["expires_s"] = args.expires
    answer = str(call(args, PLAN if "der" in given else ENVELOPE, {"expires_s": DAY_S} | given))
    print(page([f"admitted: {clean(answer)}"]))
    return 0


def _read(name: str) -> dict[str, Any]:
    """Raises ArgumentError for what is no JSON object."""
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
        found = json.loads(text)
    except (OSError, ValueError) as error:
        raise argparse.ArgumentError(None, f"{name}: {error_text(error)}") from error
    if not isinstance(found, dict):
        raise argparse.ArgumentError(None, f"{name}: expected an object with intervals")
    return found
