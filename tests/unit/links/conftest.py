"""The bus of tests/bus.py, connected."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from derctl.links.bus import Bus
from derctl.links.line import Line, Pace
from tests.bus import FakeWire, MakeBus


@pytest.fixture
async def make_bus() -> AsyncIterator[MakeBus]:
    """A bus whose `run` is a task; connected unless the wire refuses."""
    running: list[asyncio.Task[None]] = []

    async def make(wire: FakeWire | None = None, **given: Any) -> tuple[Bus, FakeWire]:
        wire = wire or FakeWire()
        bus = Bus(Line("line", wire, Pace(**given), clock=asyncio.get_running_loop().time))
        running.append(asyncio.create_task(bus.line.run()))
        if not wire.refuses:
            await bus.line.wait_connected()
        return bus, wire

    yield make
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
