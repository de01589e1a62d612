"""Who reads what we print may leave before its end, as `head` does. That is no error of ours."""

from __future__ import annotations

import os
import sys


def drop_unread() -> None:
    """What is printed and nobody will read goes nowhere: else the interpreter tries to write it once more at its end,
    complains of that, and ends with a code of its own."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
