"""Who is expected after a reconnection: the serial number that is known, and nobody where none is."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from derctl.core.exchange import Exchange, Read
from derctl.core.types import Capability, Rating, Reading
from derctl.daemon.channel.binding import REBIND_S, forgotten
from derctl.daemon.channel.channel import Channel
from derctl.daemon.channel.expected import Expected
from derctl.devices import Identity, Options
from derctl.devices.profile import Habits
from derctl.errors import DeviceRefused, NotRecognised
from tests import make
from tests.wire import Alone

RATING = make.rating(p_max_w=5000.0, q=0.0)


class Line(Alone):
    """A bus with one device on it, whose serial number the test sets."""

    def __init__(self) -> None:
        self.serial, self.firmware, self.asked = "", "1", 0
        self.model, self.rating = "One", RATING
        self.mute: Exception | None = None
        self.rubbish, self.said = False, 0
        self.meanwhile: Callable[[], None] = lambda: None

    async def execute(self, unit: int, exchange: Any, **_: Any) -> Any:
        """Between question and answer, `meanwhile` happens."""
        with pytest.raises(StopIteration) as stop:
            next(exchange)
            self.meanwhile()
            while True:
                exchange.send((1,))
        return stop.value.value

    async def request(self, *_: Any, **__: Any) -> tuple[int, ...]:
        self.asked += 1
        return (self.asked,)

    def reconnect(self) -> None:
        self.generation += 1

    def identity(self) -> Exchange[Identity]:
        yield Read(address=0, count=1)
        if self.mute is not None:
            raise self.mute
        self.said += 1
        if self.rubbish:
            return Identity(maker=f"a{self.said}", model=f"b{self.said}", serial=f"SN{self.said}", firmware="x")
        return Identity(maker="Acme", model=self.model, serial=self.serial, firmware=self.firmware)

    def rate(self) -> Exchange[Rating]:
        yield Read(address=0, count=1)
        return self.rating

    def bind(self, options: Options) -> Exchange[Any]:
        return SimpleNamespace(
            identity=(yield from self.identity()), rating=self.rating, can=Capability(), problems=(), habits=Habits(),
            slow={},
            control={"ac": Read(address=1, count=1)}, identify=self.identity, decode=lambda answers: Reading(),
            lacks=(), rate=self.rate, without=lambda refused: None,
        )  # fmt: skip


def channel_on(
    line: Line,
    *,
    serial: str | None = None,
    check: Callable[[Any], str | None] = lambda device: None,
    **given: Any,
) -> Channel:
    kind: Any = SimpleNamespace(bind=line.bind)
    wired: Any = line
    expected = Expected(kind=kind, options=Options(), serial=serial, check=check)
    return Channel(id="pv1", bus=wired, unit=1, expected=expected, **given)


@pytest.mark.parametrize(
    ("in_site_file", "first", "later", "found"),
    [
        (None, "", "SN1", True),  # a serial that comes a while after the start
        (None, "0000000", "SN1", True),
        (None, "SN1   ", "SN1", True),
        (None, "SN1", "SN2", False),
        (None, "SN1", "", True),  # unknown is no difference
        (None, "SN1", "000", True),
        (None, "SN1", "SN1  ", True),
        ("SN1 ", "SN1", "SN1", True),
        ("SN1", "SN1", "SN2", False),
        ("SN1", "SN1", "", True),
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
    learnt = later if found and later.strip("0 ") else first
    assert channel.bond.binding.known is not None and channel.bond.binding.known.serial.strip() == learnt.strip()
    assert channel.bond.verified is (found and (later != "" or in_site_file is None)), (
        "else it is read, and not written"
    )


@pytest.mark.parametrize("first", ["SN1", "", "0000"])
@pytest.mark.parametrize("changed", ["model", "rating"])
async def test_a_swap_can_not_hide_behind_a_serial_that_is_not_told(first: str, changed: str) -> None:
    line, now_s = Line(), 1000.0
    channel = channel_on(line, clock=lambda: now_s)
    line.serial = first
    await channel.poll()
    line.serial = ""
    line.model, line.rating = ("Two", RATING) if changed == "model" else ("One", make.rating(p_max_w=8000.0, q=0.0))
    line.reconnect()
    for _ in range(4):
        await channel.poll()
        assert channel.state == "refused" and not channel.bond.verified
        now_s += REBIND_S
    line.model, line.rating, line.serial = "One", RATING, first
    await channel.poll()
    assert channel.state == "ok"


async def test_a_serial_that_was_known_counts_over_a_time_in_which_none_is_told() -> None:
    line, now_s = Line(), 1000.0
    channel = channel_on(line, clock=lambda: now_s)
    for serial, state in (("SN1", "ok"), ("", "ok"), ("SN2", "refused"), ("", "ok"), ("SN1", "ok")):
        line.serial = serial
        line.reconnect()
        now_s += REBIND_S
        await channel.poll()
        assert (channel.state, channel.bond.binding.known and channel.bond.binding.known.serial) == (state, "SN1")


async def test_rubbish_that_is_new_at_each_look_costs_one_look_at_the_rating_and_nothing_else() -> None:
    line, events = Line(), list[str]()
    channel = channel_on(line, on_event=lambda event, who, text: events.append(event))
    for _ in range(5):
        line.model, line.firmware = f"?{line.generation}?", f"?v{line.generation}"
        line.reconnect()
        await channel.poll()
        assert channel.bond.verified and channel.state == "ok"
    assert events == ["found"]


async def test_rubbish_that_can_be_printed_is_known_by_being_other_rubbish_at_each_look() -> None:
    line, now_s = Line(), 1000.0
    channel = channel_on(line, clock=lambda: now_s)
    line.rubbish = True
    for _ in range(5):
        await channel.poll()
        assert channel.state == "ok" and channel.bond.verified
        line.reconnect()
    channel.bond.binding = forgotten(channel.bond.binding)
    now_s += REBIND_S
    await channel.poll()
    assert channel.state == "ok" and channel.bond.verified, "found anew, too"


@pytest.mark.parametrize(
    "error", [DeviceRefused(4, function=3, address=0, count=66), NotRecognised("model 0 stands there")]
)
async def test_an_identity_that_can_not_be_read_once_changes_nothing_but_that_nothing_is_written(
    error: Exception,
) -> None:
    line, now_s = Line(), 1000.0
    channel = channel_on(line, clock=lambda: now_s)
    line.serial = "SN1"
    await channel.poll()
    device, sample = channel.device, channel.measured.sample
    line.mute = error
    line.reconnect()
    await channel.poll()
    assert (channel.device, channel.state, channel.bond.verified) == (device, "ok", False)
    assert channel.measured.sample == sample + 1, "it is read on"
    line.mute = None
    await channel.poll()
    assert (channel.device, channel.bond.verified) == (device, True)


async def test_a_serial_that_is_told_later_is_told_of() -> None:
    line, events = Line(), list[tuple[str, str]]()
    channel = channel_on(line, on_event=lambda event, who, text: events.append((event, text)))
    await channel.poll()
    line.serial = "SN1"
    line.reconnect()
    await channel.poll()
    assert events == [("found", "Acme One, which tells no serial"), ("found", "Acme One, serial SN1")]


async def test_a_serial_that_the_site_file_names_is_expected_from_the_start() -> None:
    channel = channel_on(Line(), serial="SN1")
    await channel.poll()
    assert (channel.state, channel.bond.binding.reason) == ("refused", "identity_changed")


async def test_a_device_is_verified_only_on_the_connection_on_which_it_was_asked() -> None:
    """One that reconnects between question and answer may have another device at its end."""
    line = Line()
    channel = channel_on(line)
    line.meanwhile = line.reconnect
    await channel.poll()
    assert channel.device is not None and not channel.bond.verified, "found before the connection was lost"
    await channel.poll()
    assert not channel.bond.verified, "asked again, and lost again"
    line.meanwhile = lambda: None
    await channel.poll()
    assert channel.bond.verified


async def test_a_new_connection_has_to_be_verified_before_anything_is_written() -> None:
    line = Line()
    channel = channel_on(line)
    await channel.poll()
    assert channel.bond.verified
    line.reconnect()
    assert not channel.bond.verified
    await channel.poll()
    assert channel.bond.verified


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
    assert channel.device is not before and channel.bond.verified
    assert channel.bond.binding.known == Identity(maker="Acme", model="One", serial="SN1", firmware="2")
    assert ("firmware_changed", "firmware is now 2") in events
    assert [event for event, _ in events].count("found") == 2


async def test_one_that_is_not_what_the_site_file_declares_is_refused() -> None:
    channel = channel_on(Line(), check=lambda device: "rating.p_max_w is 5000 in the site file")
    await channel.poll()
    assert (channel.device, channel.state) == (None, "refused")
    assert channel.bond.binding.text == "rating.p_max_w is 5000 in the site file"


async def test_of_a_device_that_another_one_replaced_nothing_counts_any_more() -> None:
    line, now_s = Line(), 1000.0
    channel = channel_on(line, clock=lambda: now_s)
    line.serial = "SN1"
    await channel.poll()
    line.serial = "SN2"
    line.reconnect()
    now_s += REBIND_S
    await channel.poll()
    assert (channel.device, channel.bond.binding.last, dict(channel.answers.words)) == (None, None, {})


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
