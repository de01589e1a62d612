"""One thing that is done beside the ticks, one at a time: nothing queues behind it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine

from derctl.core.dataclass import dataclass


@dataclass(slots=True)
class Errand:
    """Carries the task. name: as it is listed among the tasks."""

    name: str
    _task: asyncio.Task[None] | None = None

    @property
    def busy(self) -> bool:
        """Whether it is under way."""
        return self._task is not None and not self._task.done()

    def begin(self, work: Coroutine[None, None, None]) -> None:
        """Only where it is not under way."""
        self._task = asyncio.create_task(work, name=self.name)

    async def wait(self) -> None:
        """Until it is not under way."""
        if self._task is not None:
            await asyncio.wait([self._task])  # not gather: who gives up waiting would cancel it, too

    def raise_bugs(self) -> None:
        """A bug in it ends the daemon, like any other in the control path."""
        if self._task is not None and self._task.done():
            task, self._task = self._task, None
            task.result()
