"""The end always comes: each of its steps is over by a moment after the asking, and who isn't done is left behind."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any

from derctl.core.dataclass import dataclass

CONTROL_BY_S = 0.3
"""The tick and the polls are quick to end: what waits, waits for a device."""
RELEASED_BY_S = 2.3
"""RELEASE_S and what came before it."""
SAVED_BY_S = 2.5
KEPT_BY_S = 2.52
"""The records come behind it."""
TOLD_BY_S = 2.55
TASKS_BY_S = 2.6
GONE_BY_S = 2.7
"""Whatever hangs then, the event loop too, the process ends."""
LINES_BY_S = 2.85
"""The last lines of the log, where somebody reads them."""


@dataclass(slots=True)
class Ending:
    """asked: called once when the end is asked for. step: what is being done towards it."""

    log: Any
    asked: Callable[[], None] = lambda: None
    clock: Callable[[], float] = time.monotonic
    since_s: float | None = None
    step: str = "not begun"

    def begin(self) -> None:
        """From now on the time runs."""
        if self.since_s is None:
            self.since_s = self.clock()
            self.asked()

    def left_s(self, by_s: float) -> float:
        """Until that moment."""
        since_s = self.clock() if self.since_s is None else self.since_s
        return max(since_s + by_s - self.clock(), 0.0)

    async def take(self, step: str, work: Coroutine[Any, Any, Any], by_s: float) -> None:
        """Do it, until that moment at most; what isn't done then is cancelled, and nobody waits for it.

        Raises what it raises.
        """
        self.step = step
        task = asyncio.create_task(work, name=step)
        await asyncio.wait([task], timeout=self.left_s(by_s))
        if task.done():
            task.result()
            return
        task.cancel()
        self.leave(step)

    def leave(self, *names: str) -> None:
        """Say who is left behind."""
        if names:
            self.log.error("left_behind", text=f"{', '.join(names)} did not end in time")
