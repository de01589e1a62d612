"""`derctl reload`: the running daemon reads its site file again, and says what became of it."""

from __future__ import annotations

import argparse

from derctl.cli.exits import CONFIG, OK
from derctl.cli.local import add_socket, call
from derctl.cli.plain import wrapped
from derctl.core.text import clean
from derctl.core.words import Refusal
from derctl.errors import CommandError, ConfigError, Problem

PATIENT_S = 30.0
"""Devices that are new in the file are looked for first."""


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    add_socket(parser)


def run(args: argparse.Namespace) -> int:
    """0: taken over, or nothing has changed. 78: the file can't be used, and the running one stays."""
    try:
        text = str(call(args, "reload", seconds=PATIENT_S))
    except ConfigError as error:
        raise ConfigError([*error.problems, _stays(error)]) from error
    except CommandError as error:
        if error.code != Refusal.BAD_SITE_FILE:
            raise
        print("\n".join(wrapped(f"the running site file stays: {clean(str(error))}", rest="  ")))
        return CONFIG
    print("\n".join(wrapped(clean(text), rest="  ")))
    return OK


def _stays(error: ConfigError) -> Problem:
    return Problem(
        file=error.problems[-1].file, line=0, path="(file)", message="a running daemon keeps the one it has"
    )
