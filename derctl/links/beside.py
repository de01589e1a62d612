"""Commands that are under way beside each other: one that takes seconds holds up nobody else's answer."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import field
from typing import Any

from derctl.core.dataclass import dataclass


@dataclass(slots=True)
class Beside:
    """most: so many at once. They begin in the order in which they came."""

    most: int
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _bugs: list[BaseException] = field(default_factory=list)
    _broke: asyncio.Event = field(default_factory=asyncio.Event)

    async def begin(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Begin it; return when another one may come."""
        task = asyncio.create_task(work, name=name)
        self.tasks.add(task)
        task.add_done_callback(self._ended)
        while len(self.tasks) >= self.most:
            await asyncio.wait(self.tasks, return_when=asyncio.FIRST_COMPLETED)

    async def bug(self) -> None:
        """Wait for one, and raise it."""
        await self._broke.wait()
        self._broke.clear()
        raise self._bugs.pop()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._bugs[:] = [error]
            self._broke.set()
