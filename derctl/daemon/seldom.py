"""What can come with every frame is said once in a while, with how often it came meanwhile."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any

from derctl.core.dataclass import dataclass

EVERY_S = 600.0
"""The same is said so often (docs/sources.md)."""
KINDS_MAX = 32
"""Different things that are remembered; whoever makes up new ones gets no lines for them."""


@dataclass(slots=True)
class Seldom:
    """Of each kind: when it was said last, and how often it came since."""

    clock: Callable[[], float] = time.monotonic
    said: dict[str, tuple[float, int]] = field(default_factory=dict)

    def again(self, kind: str) -> int | None:
        """It has come. How often it came since it was said last; None: it is not time to say it."""
        now_s, (at_s, count) = self.clock(), self.said.get(kind, (-1e9, 0))
        full = kind not in self.said and len(self.said) >= KINDS_MAX
        if full or now_s - at_s < EVERY_S:
            if not full:
                self.said[kind] = (at_s, count + 1)
            return None
        self.said[kind] = (now_s, 0)
        return count


@dataclass(slots=True)
class Transports:
    """What a transport's callback raised, for example on a frame that can't be decoded: the bus reconnects."""

    tell: Callable[[str, str, str], None]
    seldom: Seldom = field(default_factory=Seldom)

    def problem(self, running: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
        """For the event loop: its exception handler."""
        error = context.get("exception")
        count = self.seldom.again(f"{context.get('message')} {type(error).__name__}")
        if count is not None:
            more = f" ({count} more since it was said last)" if count else ""
            self.tell("transport_problem", "", f"{context.get('message')}: {error!r}; the bus connects anew{more}")


class SeldomAgain(logging.Filter):
    """Of a library's logger: the same line no more often."""

    def __init__(self) -> None:
        super().__init__()
        self._seldom = Seldom()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is written."""
        return self._seldom.again(f"{record.name} {record.msg}") is not None
