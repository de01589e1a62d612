"""Who is expected after a reconnection: the serial number that is known, and nobody where none is."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from derctl.core.exchange import Exchange, Read
from derctl.core.types import Capability, Reading
from derctl.daemon.channel.binding import REBIND_S
from derctl.daemon.channel.channel import Channel
from derctl.devices import Identity, Options
from tests import make

RATING = make.rating(p_max_w=5000.0, q=0.0)


class Line:
    """A bus with one device on it, whose serial number the test sets."""

    connected, generation = True, 1

    def __init__(self) -> None:
        self.serial, self.firmware, self.asked = "", "1", 0
        self.meanwhile: Callable[[], None] = lambda: None

    async def execute(self, unit: int, exchange: Any, **_: Any) -> Any:
        """Between question and answer, `meanwhile` happens."""
        with pytest.raises(StopIteration) as stop:
            next(exchange)
            self.meanwhile()
            exchange.send((1,))
        return stop.value.value

    async def request(self, *_: Any, **__: Any) -> tuple[int, ...]:
        self.asked += 1
        return (self.asked,)

    def reconnect(self) -> None:
        self.generation += 1

    def identity(self) -> Exchange[Identity]:
        yield Read(address=0, count=1)
        return Identity(serial=self.serial, firmware=self.firmware)

    def bind(self, options: Options) -> Exchange[Any]:
        return SimpleNamespace(
            identity=(yield from self.identity()), rating=RATING, can=Capability(), problems=(), slow={},
            control={"ac": Read(address=1, count=1)}, identify=self.identity, decode=lambda answers: Reading(),
        )  # fmt: skip


def channel_on(line: Line, **given: Any) -> Channel:
    kind: Any = SimpleNamespace(bind=line.bind)
    wired: Any = line
    return Channel(id="pv1", bus=wired, unit=1, kind=kind, options=Options(), **given)


@pytest.mark.parametrize(
    ("in_site_file", "first", "later", "found"),
    [
        (None, "", "SN1", True),  # a serial that comes a while after the start
        (None, "0000000", "SN1", True),
        (None, "SN1   ", "SN1", True),
        (None, "SN1", "SN2", False),
        (None, "SN1", "", False),
        ("SN1 ", "SN1", "SN1", True),
        ("SN1", "SN1", "SN2", False),
        ("SN1", "SN1", "", False),
    ],
)
async def test_after_a_reconnection_another_serial_is_refused_and_one_that_was_not_known_is_learnt(
    in_site_file: str | None, first: str, later: str, found: bool
) -> None:
    line, now_s = Line(), 1000.0
    channel = channel_on(line, serial=in_site_file, clock=lambda: now_s)
    line.serial = first
    await channel.poll()
    assert channel.state == "ok"
    line.serial, line.generation, now_s = later, 2, now_s + REBIND_S
    await channel.poll()
    await channel.poll()
    assert (channel.state == "ok") is found
    assert channel.known is not None and channel.known.serial.strip() == (later if found else first).strip()


async def test_a_serial_that_the_site_file_names_is_expected_from_the_start() -> None:
    channel = channel_on(Line(), serial="SN1")
    await channel.poll()
    assert (channel.state, channel.binding.reason) == ("refused", "identity_changed")


async def test_a_device_is_verified_only_on_the_connection_on_which_it_was_asked() -> None:
    """One that reconnects between question and answer may have another device at its end."""
    line = Line()
    channel = channel_on(line)
    line.meanwhile = line.reconnect
    await channel.poll()
    assert channel.device is not None and not channel.verified, "found before the connection was lost"
    await channel.poll()
    assert not channel.verified, "asked again, and lost again"
    line.meanwhile = lambda: None
    await channel.poll()
    assert channel.verified


async def test_a_new_connection_has_to_be_verified_before_anything_is_written() -> None:
    line = Line()
    channel = channel_on(line)
    await channel.poll()
    assert channel.verified
    line.reconnect()
    assert not channel.verified
    await channel.poll()
    assert channel.verified


async def test_another_device_after_a_reconnection_is_found_anew_at_once_and_not_taken_for_the_one_before() -> None:
    """The same serial with another firmware may have another map."""
    line, events = Line(), list[tuple[str, str]]()
    channel = channel_on(line, on_event=lambda event, who, text: events.append((event, text)))
    line.serial = "SN1"
    await channel.poll()
    before = channel.device
    line.firmware = "2"
    line.reconnect()
    await channel.poll()
    assert channel.device is not before and channel.verified
    assert channel.known == Identity(serial="SN1", firmware="2")
    assert ("firmware_changed", "firmware is now 2") in events
    assert [event for event, _ in events].count("found") == 2


async def test_one_that_is_not_what_the_site_file_declares_is_refused() -> None:
    channel = channel_on(Line(), check=lambda device: "rating.p_max_w is 5000 in the site file")
    await channel.poll()
    assert (channel.device, channel.state) == (None, "refused")
    assert channel.binding.text == "rating.p_max_w is 5000 in the site file"


async def test_of_a_device_that_another_one_replaced_nothing_counts_any_more() -> None:
    line, now_s = Line(), 1000.0
    channel = channel_on(line, clock=lambda: now_s)
    line.serial = "SN1"
    await channel.poll()
    line.serial = "SN2"
    line.reconnect()
    now_s += REBIND_S
    await channel.poll()
    assert (channel.device, channel.binding.last, dict(channel.answers)) == (None, None, {})


async def test_what_is_wrong_with_a_map_is_told_when_it_is_found() -> None:
    line, events = Line(), list[tuple[str, str]]()
    bind = line.bind

    def flawed(options: Options) -> Exchange[Any]:
        device = yield from bind(options)
        device.problems = ("model 123 is short",)
        return device

    line.bind = flawed
    channel = channel_on(line, on_event=lambda event, who, text: events.append((event, text)))
    await channel.poll()
    assert ("map_problem", "model 123 is short") in events
