"""`derctl arm`: from observing to control, in two steps: what it will write, and then that it does."""

from __future__ import annotations

import argparse
import sys

from derctl.cli.exits import NO, OK
from derctl.cli.local import add_socket, call
from derctl.cli.plain import page
from derctl.core.text import clean
from derctl.errors import CommandError

TRIES = 3
"""With --yes: a picture that has changed meanwhile is shown again, and confirmed again."""


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    add_socket(parser)
    parser.add_argument("--yes", action="store_true", help="do it at once; without, a second `derctl arm` does it")


def run(args: argparse.Namespace) -> int:
    """0 if armed; 1 if it only showed what it will write, or something stands against it."""
    given: dict[str, object] = {}
    for _ in range(TRIES):
        try:
            print(page([clean(str(call(args, "arm", given)))]))
            return OK
        except CommandError as error:
            _show(error, args.yes)
            if error.confirm is None or not args.yes:
                return NO
            given = {"confirm": error.confirm}
    print("what arming would write changes too fast to be confirmed: look at `derctl status`", file=sys.stderr)
    return NO


def _show(error: CommandError, yes: bool) -> None:
    """The picture is what was asked for; a refusal is an error. yes: nobody has to be told to say it again."""
    lines = [clean(line) for line in str(error).splitlines()]
    if error.confirm is None:
        lines[0] = f"{error.code}: {lines[0]}"
    elif yes:
        lines.pop()
    out = sys.stdout if error.confirm is not None else sys.stderr
    print(page(lines), file=out)
