"""A wire without a socket, in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Self

from derctl.core.exchange import Read, Write
from derctl.errors import BusClosed
from derctl.links.wires.strays import Tally


def now_s() -> float:
    """By the clock of the loop that runs."""
    return asyncio.get_running_loop().time()


class Alone:
    """A bus that is its own line, in a test of one unit; what it answers is each test's own."""

    connected: bool = True
    generation: int = 1

    @property
    def line(self) -> Self:
        return self


class Up:
    """It is up and stays so; what it answers is each test's own."""

    connected, debris, lasting = True, False, False

    tally = Tally()

    def owed_s(self, unit: int, op: Read | Write, drain_s: float) -> float:
        return 0.0

    def span_s(self, op: Read | Write) -> float:
        return 0.0

    def stray(self, unit: int) -> str:
        return ""

    async def connect(self, on_lost: Callable[[BusClosed], None]) -> None:
        return

    def close(self) -> None:
        return
