"""A live page: on a terminal drawn in place on the alternate screen, which leaves no trace; elsewhere text."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TextIO

ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[H\x1b[2J"
"""The alternate screen, no cursor, no line that wraps."""
LEAVE = "\x1b[?7h\x1b[?25h\x1b[?1049l"
HOME, END_OF_LINE, END_OF_SCREEN = "\x1b[H", "\x1b[K", "\x1b[J"
INKS = {"good": "\x1b[32m", "so-so": "\x1b[33m", "bad": "\x1b[1;31m", "dim": "\x1b[2m", "bold": "\x1b[1m"}
PLAIN = "\x1b[0m"


class Paint:
    """Colour by meaning, or none."""

    def __init__(self, *, colour: bool) -> None:
        self.colour = colour

    def __call__(self, ink: str, text: str) -> str:
        return f"{INKS[ink]}{text}{PLAIN}" if self.colour and text else text


class Screen:
    """`with Screen(...)` around everything that draws. colour: not where NO_COLOR is set, or nobody looks."""

    def __init__(self, out: TextIO, environ: Mapping[str, str] = os.environ) -> None:
        self._out = out
        self.live = out.isatty() and environ.get("TERM") != "dumb"
        self.paint = Paint(colour=self.live and not environ.get("NO_COLOR"))
        self._inside = False

    def __enter__(self) -> Screen:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        self.leave()

    def leave(self) -> None:
        """Back to what was there before. From here on `say` is for the terminal's own screen."""
        if self._inside:
            self._inside = False
            self._write(LEAVE)

    def draw(self, lines: Sequence[str]) -> None:
        """The whole page. On a terminal over the last one, as far as it has rows; elsewhere below it."""
        if not self.live:
            self._write("\n".join(lines) + "\n\n")
            return
        rows = shutil.get_terminal_size().lines
        shown = [line + END_OF_LINE for line in lines[:rows]]
        head = HOME if self._inside else ENTER
        self._inside = True
        self._write(head + "\n".join(shown) + END_OF_SCREEN)

    def say(self, text: str) -> None:
        """A line to stay. While a page is drawn there is no room for it."""
        if not self._inside:
            self._write(f"{text}\n")

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()
