"""The last ticks, in memory: each can be replayed through the core and must give the same decision, bit for bit."""

from __future__ import annotations

from collections import deque
from typing import Any

import msgspec

from derctl.core.types import Tick

KEEP = 600


class Recorder:
    """A ring of ticks. Nothing is written to a disk."""

    def __init__(self, keep: int = KEEP) -> None:
        self._ring: deque[Tick] = deque(maxlen=keep)

    def add(self, tick: Tick) -> None:
        self._ring.append(tick)

    @property
    def latest(self) -> Tick | None:
        return self._ring[-1] if self._ring else None

    def last(self, count: int) -> list[dict[str, Any]]:
        """The newest `count` ticks as plain values, oldest first."""
        ticks = list(self._ring)[-count:]
        return [msgspec.to_builtins(tick) for tick in ticks]
