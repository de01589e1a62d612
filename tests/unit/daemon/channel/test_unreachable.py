"""What a device that can't be reached is said to suffer from."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from derctl.core.exchange import Read, Registers, Write
from derctl.daemon.channel.binding import START_S
from derctl.daemon.channel.channel import Channel
from derctl.devices import CATALOGUE, Options
from derctl.errors import BusClosed
from derctl.links.bus import Bus
from tests.wire import Up

REFUSED = "192.0.2.1:502: connection refused"


class Refusing(Up):
    """A wire that leads nowhere."""

    connected = False

    async def connect(self, on_lost: Callable[[BusClosed], None]) -> None:
        raise BusClosed(REFUSED, hint="is it enabled?")

    async def request(self, unit: int, op: Read | Write) -> Registers:
        raise AssertionError("not connected")


async def test_an_unreachable_device_says_the_systems_reason() -> None:
    now_s = asyncio.get_running_loop().time
    events: list[tuple[str, str, str]] = []
    bus = Bus("lan", Refusing(), clock=now_s)
    channel = Channel(
        id="bat1",
        bus=bus,
        unit=1,
        kind=CATALOGUE["sunspec_storage"],
        options=Options(),
        on_event=lambda *event: events.append(event),
        clock=now_s,
        born_s=now_s(),
    )
    running = asyncio.create_task(bus.run())
    for _ in range(int(START_S) + 2):
        await channel.poll()
        await asyncio.sleep(1.0)
    assert events == [("device_unreachable", "bat1", REFUSED)]
    assert channel.binding.text == REFUSED
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
