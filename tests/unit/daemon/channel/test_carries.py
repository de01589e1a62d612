"""What a channel makes of each answer: what is kept, what is found anew, and what is told."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from derctl.core.exchange import Exchange, Read
from derctl.core.types import Capability, Reading
from derctl.core.value import replace
from derctl.core.words import Bind
from derctl.daemon.channel.binding import REBIND_S, REFUSED_LIMIT, Binding, another
from derctl.daemon.channel.channel import Channel
from derctl.daemon.channel.expected import Expected
from derctl.daemon.channel.slow import OWN_KEEP_S
from derctl.devices import Identity, Options
from derctl.devices.profile import Habits
from derctl.errors import BusClosed, BusTimeout, DeviceRefused, WrongKind
from tests import make
from tests.wire import Alone

RATING = make.rating(p_max_w=5000.0)
BUSY, NO_ADDRESS = 6, 2


class Line(Alone):
    """A bus with one device, that answers or refuses as the test says. asked: the addresses, walks: how often its
    map was walked."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.asked: list[int] = []
        self.walks = 0
        self.moves, self.breaks = True, dict[int, Exception]()
        self.kind_breaks: Exception | None = None
        self.meanwhile: Callable[[], None] = lambda: None
        self.events: list[tuple[str, str]] = []
        kind: Any = SimpleNamespace(bind=self.bind)
        wired: Any = self
        self.channel = Channel(
            id="pv1", bus=wired, unit=1, expected=Expected(kind=kind, options=Options()),
            clock=lambda: self.now_s, born_s=self.now_s,
            on_event=lambda event, who, text: self.events.append((event, text)),
        )  # fmt: skip

    def closed(self) -> BusClosed:
        return BusClosed("connection refused")

    async def execute(self, unit: int, exchange: Any, **_: Any) -> Any:
        self.walks += 1
        with pytest.raises(StopIteration) as stop:
            next(exchange)
            exchange.send((1,))
        return stop.value.value

    async def request(self, unit: int, read: Read, **_: Any) -> tuple[int, ...]:
        self.asked.append(read.address)
        self.meanwhile()
        if read.address in self.breaks:
            raise self.breaks[read.address]
        return (len(self.asked) if self.moves else 0,)

    def bind(self, options: Options) -> Exchange[Any]:
        yield Read(address=0, count=1)
        if self.kind_breaks is not None:
            raise self.kind_breaks
        return SimpleNamespace(
            identity=Identity(maker="Acme", model="One", serial="SN1"), rating=RATING, can=Capability(), problems=(),
            habits=Habits(), lacks=(), without=lambda refused: None,
            slow={"own_705": Read(address=200, count=1)}, control={"ac": Read(address=1, count=1)},
            decode=self.decode,
        )  # fmt: skip

    def decode(self, answers: Any) -> Reading:
        return Reading(p_w=4000.0, own_on=("volt_var",) if "own_705" in answers else ())

    async def poll(self, times: int = 1) -> None:
        for _ in range(times):
            await self.channel.poll()
            self.now_s += 1.0


async def test_a_device_that_is_found_has_all_its_blocks_read_at_once_and_is_told_of() -> None:
    line = Line()
    await line.poll()
    assert line.asked == [200, 1] and line.events == [("found", "Acme One, serial SN1")]
    assert line.channel.measured.reading.own_on == ("volt_var",)


async def test_only_a_poll_in_which_a_register_changed_shows_something_new() -> None:
    line = Line()
    await line.poll(3)
    assert line.channel.measured.changes == 3
    line.moves = False
    await line.poll(5)
    assert (line.channel.measured.sample, line.channel.measured.changes) == (8, 4)


async def test_each_poll_that_comes_through_is_a_new_sample() -> None:
    line = Line()
    await line.poll(3)
    assert (line.channel.measured.sample, line.channel.measured.read_s) == (3, 1002.0)
    line.breaks[1] = BusTimeout("no answer")
    await line.poll()
    assert (line.channel.measured.sample, line.channel.measured.read_s, line.channel.state) == (
        3,
        1002.0,
        Bind.UNREACHABLE,
    )


async def test_a_wire_that_is_down_is_asked_nothing() -> None:
    line = Line()
    line.connected = False
    await line.poll()
    assert (line.asked, line.walks) == ([], 0) and line.channel.bond.binding.text == "connection refused"


async def test_a_device_that_is_not_found_is_looked_for_only_now_and_then() -> None:
    line = Line()
    line.kind_breaks = BusTimeout("no answer")
    await line.poll(int(REBIND_S) + 1)
    assert line.walks == 2
    line.channel.bond.look_again()
    await line.poll()
    assert line.walks == 3


@pytest.mark.parametrize(("code", "walks"), [(NO_ADDRESS, 2), (BUSY, 1)])
async def test_a_map_that_lacks_what_it_had_is_walked_again_and_a_busy_device_is_not(code: int, walks: int) -> None:
    line = Line()
    await line.poll()
    line.breaks[1] = DeviceRefused(code, function=3, address=1, count=1)
    await line.poll(REFUSED_LIMIT)
    line.breaks.clear()
    line.now_s += REBIND_S
    await line.poll()
    assert line.walks == walks and line.channel.state is Bind.OK


async def test_refusals_with_a_good_poll_between_them_are_not_in_a_row() -> None:
    line = Line()
    await line.poll()
    for _ in range(REFUSED_LIMIT):
        line.breaks[1] = DeviceRefused(NO_ADDRESS, function=3, address=1, count=1)
        await line.poll(REFUSED_LIMIT - 1)
        line.breaks.clear()
        await line.poll()
    assert line.walks == 1


async def test_another_kind_of_device_in_its_place_takes_the_promises_of_the_one_before_with_it() -> None:
    line = Line()
    await line.poll()
    line.breaks[1] = DeviceRefused(NO_ADDRESS, function=3, address=1, count=1)
    await line.poll(REFUSED_LIMIT)
    assert line.channel.bond.binding.last is not None
    line.kind_breaks, line.now_s = WrongKind("a meter", expected="an inverter"), line.now_s + REBIND_S
    await line.poll()
    assert (line.channel.bond.binding.last, line.channel.state) == (None, Bind.REFUSED)


async def test_a_block_that_can_be_read_no_more_counts_for_a_while_and_then_not() -> None:
    line = Line()
    await line.poll()
    line.breaks[200] = BusTimeout("no answer")
    for later_s, counts in ((OWN_KEEP_S - 2.0, True), (OWN_KEEP_S + 1.0, False)):
        line.now_s = 1000.0 + later_s
        await line.channel.read_slow()
        await line.poll()
        assert bool(line.channel.measured.reading.own_on) is counts


async def test_a_block_that_is_read_again_and_again_never_gets_too_old() -> None:
    line = Line()
    await line.poll()
    for _ in range(3):
        line.now_s += OWN_KEEP_S - 2.0
        await line.channel.read_slow()
        await line.poll()
        assert line.channel.measured.reading.own_on == ("volt_var",)


async def test_a_device_that_is_found_anew_has_its_time_before_it_is_called_frozen() -> None:
    line = Line()
    line.moves = False
    while line.channel.state is not Bind.FROZEN:
        await line.poll()
    line.breaks[1] = DeviceRefused(NO_ADDRESS, function=3, address=1, count=1)
    await line.poll(REFUSED_LIMIT)
    line.breaks.clear()
    line.now_s += REBIND_S
    await line.poll()
    assert line.channel.state is Bind.OK


OTHER: Any = SimpleNamespace(identity=Identity(maker="Acme", model="Two", serial="SN2"))


@pytest.mark.parametrize(
    ("meanwhile", "device"),
    [
        (lambda binding: another(binding, 20_000.0), None),
        (lambda binding: replace(binding, device=OTHER), OTHER),
    ],
    ids=["a stranger", "one in its place"],
)
async def test_a_poll_that_was_under_way_when_another_device_was_found_brings_the_old_one_not_back(
    meanwhile: Callable[[Binding], Binding], device: Any
) -> None:
    """Found beside the polls: the answer to a request from before would make the old one writable, or be the new
    one's."""
    line = Line()
    await line.poll()
    bond = line.channel.bond

    def decode(answers: Any) -> Reading:
        raise AssertionError("what a stranger answers is decoded as ours")

    line.meanwhile = lambda: setattr(bond, "binding", meanwhile(bond.binding))
    assert bond.binding.device is not None
    bond.binding.device.decode = decode
    await line.poll()
    assert line.channel.device is device
    assert device is not None or (bond.verified, bond.binding.stranger_w) == (False, 20_000.0)
    assert line.channel.measured.sample == 1
