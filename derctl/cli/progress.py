"""How far a long look is: a bar where somebody watches, else a line now and then."""

from __future__ import annotations

import sys
import time
from dataclasses import field

from derctl.cli.look import PROGRESS_S
from derctl.core.dataclass import dataclass

WIDTH = 24


@dataclass(slots=True)
class Progress:
    """total: steps in all. said_s: when the last line was said."""

    total: int
    done: int = 0
    found: int = 0
    said_s: float = field(default_factory=time.monotonic)

    def step(self, where: str, steps: int = 1) -> None:
        """So many more are done."""
        self.done = min(self.done + steps, self.total)
        self.show(where)

    def show(self, where: str) -> None:
        share = self.done / max(self.total, 1)
        text = f"{share:4.0%}  {self.found} found  {where}"
        if sys.stderr.isatty():
            bar = "#" * round(share * WIDTH)
            print(f"\r\033[K[{bar:<{WIDTH}}] {text}"[:100], end="", file=sys.stderr, flush=True)
        elif time.monotonic() - self.said_s >= PROGRESS_S:
            self.said_s = time.monotonic()
            print(text.strip(), file=sys.stderr, flush=True)

    def ends(self) -> None:
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr, flush=True)
