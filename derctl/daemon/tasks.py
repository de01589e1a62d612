"""One set of named tasks. The control path is trusted: a bug there ends the daemon. What is around is restarted."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from derctl.core.text import error_text
from derctl.errors import LinkError
from derctl.links.ending import end

RESTART_S = (1.0, 30.0)
"""The first pause before a broken link is started again, and the longest."""


class Tasks:
    """Not a TaskGroup: on Python 3.11 a library can swallow a cancellation, and a group then never ends."""

    def __init__(self, log: Any) -> None:
        self._log = log
        self._tasks: dict[str, asyncio.Task[Any]] = {}
        self._over = asyncio.Event()

    def start(self, name: str, work: Coroutine[Any, Any, Any]) -> None:
        """One that must not end by itself: whatever it ends with ends the daemon."""
        task = self._tasks[name] = asyncio.create_task(work, name=name)
        task.add_done_callback(lambda ended: self._ended(name, ended))

    def _ended(self, name: str, task: asyncio.Task[Any]) -> None:
        if self._tasks.get(name) is task:
            self._over.set()

    def guard(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        """A failure domain: whatever breaks in there is said, and it is started again with capped back-off."""
        self.start(name, self._again(name, run))

    async def _again(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        wait_s, most_s = RESTART_S
        while True:
            try:
                await run()
            except (LinkError, OSError) as error:
                self._log.error("link_failed", link=name, error=error_text(error))
            except Exception:
                self._log.exception("link_broke", link=name)
            await asyncio.sleep(wait_s * random.uniform(0.5, 1.0))
            wait_s = min(2.0 * wait_s, most_s)

    async def first_end(self) -> list[Exception]:
        """Wait until one has ended. Returns the bugs that ended it, none where it was asked to.

        Nobody here cancels one before: a cancellation that ends it came from inside, and is a bug as well.
        """
        await self._over.wait()
        ended = [task for task in self._tasks.values() if task.done()]
        errors = [_cancelled(task) if task.cancelled() else task.exception() for task in ended]
        return [error for error in errors if isinstance(error, Exception)]

    def has(self, name: str) -> bool:
        """Whether there is one of this name."""
        return name in self._tasks

    async def drop(self, name: str) -> None:
        """End one that is not needed any more, if there is one: that ends nothing else."""
        task = self._tasks.pop(name, None)
        await end([] if task is None else [task])

    async def end(self, name: str) -> None:
        """End one of them."""
        await end([self._tasks[name]])

    async def end_all(self, seconds: float = math.inf) -> list[str]:
        """End what still runs. Returns the names of those that have not ended by then, which are left behind."""
        return sorted(task.get_name() for task in await end(self._tasks.values(), seconds))


def _cancelled(task: asyncio.Task[Any]) -> RuntimeError:
    return RuntimeError(f"the task {task.get_name()} was cancelled from inside")
