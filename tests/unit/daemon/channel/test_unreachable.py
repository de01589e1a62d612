"""What a device that can't be reached is said to suffer from."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from derctl.core.exchange import Read, Registers, Write
from derctl.core.words import Bind
from derctl.daemon.channel.binding import START_S
from derctl.daemon.channel.channel import Channel
from derctl.daemon.channel.expected import Expected
from derctl.devices import CATALOGUE, Options
from derctl.errors import BusClosed
from derctl.links.bus import Bus
from derctl.links.line import Line
from derctl.links.wires.wire import Wire
from tests.wire import Up

REFUSED = "192.0.2.1:502: connection refused"


class Refusing(Up):
    """A wire that leads nowhere."""

    connected = False

    async def connect(self, on_lost: Callable[[BusClosed], None]) -> None:
        raise BusClosed(REFUSED, hint="is it enabled?")

    async def request(self, unit: int, op: Read | Write) -> Registers:
        raise AssertionError("not connected")


class Mute(Up):
    """Nobody answers."""

    async def request(self, unit: int, op: Read | Write) -> Registers:
        await asyncio.Event().wait()
        return ()


class Other(Up):
    """Registers of another map, everywhere."""

    async def request(self, unit: int, op: Read | Write) -> Registers:
        assert isinstance(op, Read)
        return (7,) * op.count


def channel_on(bus: Bus, events: list[tuple[str, str, str]]) -> Channel:
    now_s = asyncio.get_running_loop().time
    return Channel(
        id="bat1",
        bus=bus,
        unit=1,
        expected=Expected(kind=CATALOGUE["sunspec_storage"], options=Options()),
        on_event=lambda *event: events.append(event),
        clock=now_s,
        born_s=now_s(),
    )


async def looked_at(wire: Wire, seconds: int) -> tuple[Channel, list[tuple[str, str, str]]]:
    """A channel after so many polls, one a second."""
    events: list[tuple[str, str, str]] = []
    bus = Bus(Line("lan", wire, clock=asyncio.get_running_loop().time, place="192.0.2.1:502"))
    channel = channel_on(bus, events)
    running = asyncio.create_task(bus.line.run())
    for _ in range(seconds):
        await channel.poll()
        await asyncio.sleep(1.0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return channel, events


async def test_an_unreachable_device_says_the_systems_reason() -> None:
    channel, events = await looked_at(Refusing(), int(START_S) + 2)
    assert events == [("device_unreachable", "bat1", REFUSED)]
    assert channel.bond.binding.text == REFUSED


async def test_a_unit_that_never_answered_says_how_to_look_for_it() -> None:
    channel, [(name, _, text)] = await looked_at(Mute(), int(START_S) + 2)
    assert name == "device_unreachable"
    for told in (text, channel.bond.binding.text):
        assert told.endswith(": is the unit id right? derctl scan 192.0.2.1:502 -u 1")


class Late(Mute):
    """Somebody answers, and is heard from some moment on to be too late."""

    def __init__(self, heard_s: float) -> None:
        self.heard_s = asyncio.get_running_loop().time() + heard_s

    def stray(self, unit: int) -> str:
        now_s = asyncio.get_running_loop().time()
        return f"answers arrive late, after {now_s:.1f} s" if now_s >= self.heard_s else ""


async def test_that_answers_are_late_is_news_once_whenever_it_is_heard() -> None:
    """With the silence, or after that was told already."""
    _, events = await looked_at(Late(3.0), int(START_S) + 20)
    [(name, _, text)] = events
    assert name == "device_unreachable"
    assert "answers arrive late" in text
    _, events = await looked_at(Late(START_S + 8.0), int(START_S) + 40)
    assert [name for name, _, _ in events] == ["device_unreachable"] * 2
    assert ["late" in text for _, _, text in events] == [False, True]


async def test_a_device_without_a_sunspec_map_is_refused_at_once_and_not_said_to_be_unreachable() -> None:
    channel, events = await looked_at(Other(), 2)
    text = "answers Modbus, but has no SunSpec map: 0x0007 0x0007 at 40000, 0, 50000, 1, 4096"
    assert events == [("device_refused", "bat1", text)]
    assert (channel.state, channel.bond.binding.text) == (Bind.REFUSED, text)
