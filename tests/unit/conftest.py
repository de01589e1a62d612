"""Virtual time: an event loop that jumps to its next timer, so that minutes of back-off take microseconds."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest

STUCK_S = 10.0


class _Jumping(selectors.DefaultSelector):
    """Advances the loop's clock instead of waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 1000.0

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:
            found = super().select(STUCK_S)
            assert found, "nothing can ever wake this loop again"
            return found
        found = super().select(0)
        if not found:
            self.now_s += timeout
        return found


class VirtualLoop(asyncio.SelectorEventLoop):
    """`time()` moves only when there is nothing else to do."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now_s

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """Threads live in real time: Python 3.12's time limit would have passed at once."""
        await super().shutdown_default_executor()


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"virtual": VirtualLoop}


@pytest.fixture(autouse=True)
async def nothing_left_running() -> AsyncIterator[None]:
    """Fails on a task that outlives its test."""
    yield
    for _ in range(3):
        await asyncio.sleep(0)
    left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in left:
        task.cancel()
    assert not left, f"still running: {left}"
