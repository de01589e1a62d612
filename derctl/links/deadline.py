"""The deadline of one request after the other, with one timer for all of them.

A timer for each request costs more than half of what a request of a quiet bus costs beside pymodbus: it is made, put
into the loop's heap, and cancelled a moment later. This one stays, and looks when it fires whether it is time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from derctl.core.dataclass import dataclass

T = TypeVar("T")


@dataclass(slots=True)
class Deadline:
    """One request at a time: task waits for it until until_s of the loop's clock; late: it was ended for that."""

    until_s: float = 0.0
    late: bool = False
    _task: asyncio.Task[Any] | None = None
    _timer: asyncio.TimerHandle | None = None

    async def of(self, seconds: float, request: Coroutine[Any, Any, T]) -> T:
        """What the request returns. Raises TimeoutError after so many seconds, when it has been cancelled."""
        loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        assert task is not None and self._task is None
        cancelled = task.cancelling()
        self._task, self.late, self.until_s = task, False, loop.time() + seconds
        if self._timer is None or self._timer.when() > self.until_s:
            self._set(loop)
        try:
            return await request
        except asyncio.CancelledError as error:
            if self.late and task.uncancel() <= cancelled:
                raise TimeoutError from error
            raise
        finally:
            self._task = None

    def _set(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_at(self.until_s, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = None
        if self._task is None or self.late:
            return
        if loop.time() < self.until_s:
            self._set(loop)
        else:
            self.late = True
            self._task.cancel()
