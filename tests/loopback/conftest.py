"""Real sockets. Every asynchronous test here fails on a task or a connection that outlives it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import pytest
import uvloop

BOTH_LOOPS = {"test_modbus"}
"""Files whose tests run on asyncio's loop and on uvloop, as the daemon does where it is installed."""


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    factories: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.SelectorEventLoop}
    if item.path.stem in BOTH_LOOPS:
        factories["uvloop"] = uvloop.new_event_loop
    return factories


@pytest.fixture(autouse=True)
async def nothing_left_running() -> AsyncIterator[None]:
    """Fails on a task that outlives its test."""
    yield
    for _ in range(50):
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        if not left:
            return
        await asyncio.sleep(0.01)
    for task in left:
        task.cancel()
    raise AssertionError(f"still running: {left}")
