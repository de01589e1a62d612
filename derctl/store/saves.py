"""Saving on demand: who asks waits until what was there then is on disk, and one write serves all who wait."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import field

from derctl.core.dataclass import dataclass


@dataclass(slots=True)
class Saves:
    """write: takes what is there now to the disk. A write that is under way may have begun too early for who asks
    meanwhile: he waits for the next one, with all others who do."""

    write: Callable[[], Awaitable[None]]
    _asked: int = 0
    _kept: int = 0
    _writing: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def now(self) -> None:
        """Raises OSError: it is not on disk."""
        self._asked += 1
        mine = self._asked
        async with self._writing:
            if self._kept >= mine:
                return
            covers = self._asked
            await self.write()
            self._kept = covers
