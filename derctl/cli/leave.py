"""The end of the daemon's process waits for nothing that may hang: a look-up, a pipe that nobody reads, a library."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress
from functools import partial
from typing import NoReturn

from derctl.cli.exits import BUG
from derctl.daemon.ending import GONE_BY_S, LINES_BY_S, Ending
from derctl.daemon.log import Lines

LINES_S = 1.0
"""How long the last lines may take where there is time."""


def watch(ending: Ending, lines: Lines) -> None:
    """From the moment that the end is asked for the process has GONE_BY_S, in a thread, since the loop may hang."""
    ending.asked = partial(_start, ending, lines)


def _start(ending: Ending, lines: Lines) -> None:
    timer = threading.Timer(GONE_BY_S, _gone, (ending, lines))
    timer.daemon = True
    timer.start()


def _gone(ending: Ending, lines: Lines) -> None:
    ending.leave(ending.step)
    leave(BUG, ending, lines)


def leave(code: int, ending: Ending, lines: Lines) -> NoReturn:
    """Now. The interpreter's own end would wait for threads, and the event loop's for tasks."""
    lines.stop(min(LINES_S, ending.left_s(LINES_BY_S)))
    with suppress(OSError, ValueError):
        sys.stdout.flush()
    os._exit(code)
