"""A device that was found incomplete is used as far as it was found, and looked at again until it is whole."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from copy import copy
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import Any

import pytest

from derctl.core.exchange import Read, Registers, Write
from derctl.core.types import Rating
from derctl.core.value import replace
from derctl.daemon.channel.binding import LOOK_MOST_S, REBIND_S
from derctl.daemon.channel.bond import Bond
from derctl.daemon.channel.channel import Channel
from derctl.daemon.channel.expected import Expected
from derctl.daemon.channel.parts import LOST_AFTER
from derctl.daemon.poller import Poller
from derctl.devices import CATALOGUE, Options
from derctl.links.bus import Bus
from derctl.links.line import Line, Pace
from derctl.links.models import model
from tests import make
from tests.fake import DEVICES, Fake, laid_out, lay_out
from tests.wire import Up, now_s

BUSY, NO_ADDRESS, FAILURE = 6, 2, 4


class Wire(Up):
    """Answers from a fake's registers."""

    def __init__(self, fake: Fake) -> None:
        self.fake = fake

    async def request(self, unit: int, op: Read | Write) -> Registers:
        await asyncio.sleep(0.005)
        return self.fake.served(op)


@dataclass
class House:
    """One device, polled each second. events: name and text."""

    fake: Fake
    bus: Bus
    channel: Channel
    poller: Poller
    events: list[tuple[str, str]] = field(default_factory=list)

    async def ticks(self, times: int = 1) -> None:
        for _ in range(times):
            await self.poller.poll(0.4)
            await asyncio.sleep(1.0)

    def told(self, name: str) -> list[str]:
        return [text for event, text in self.events if event == name]

    @property
    def can(self) -> tuple[bool, bool]:
        device = self.channel.device
        assert device is not None
        return device.can.ac.limit, device.can.ac.aim

    def rating(self) -> Rating:
        assert self.channel.device is not None
        return self.channel.device.rating


@asynccontextmanager
async def house(
    name: str | Fake, kind: str, *, refuse: Callable[[Fake, Any], int | None] | None = None, **given: Any
) -> AsyncIterator[House]:
    fake = lay_out(name) if isinstance(name, str) else name
    if refuse is not None:
        fake.refuse = lambda op: refuse(fake, op)
    bus = Bus(Line("lan", Wire(fake), Pace(), clock=now_s))
    running = asyncio.create_task(bus.line.run())
    await bus.line.wait_connected()
    events = list[tuple[str, str]]()
    channel = Channel(
        id="x1", bus=bus, unit=1, clock=now_s, born_s=now_s(),
        expected=Expected(kind=CATALOGUE[kind].given(model), options=Options(**given)),
        on_event=lambda event, who, text: events.append((event, text)),
    )  # fmt: skip
    made = House(fake, bus, channel, Poller([channel]), events)
    try:
        yield made
    finally:
        await made.poller.stop()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def header(number: int, code: int = BUSY) -> Callable[[Fake, Any], int | None]:
    """The header of a model is refused."""
    return lambda fake, op: code if op.address == fake.places[number] and op.count <= 2 else None


def body(number: int, code: int = NO_ADDRESS, length: int = 24) -> Callable[[Fake, Any], int | None]:
    """Everything of a model but its header is refused."""

    def refuse(fake: Fake, op: Any) -> int | None:
        start = fake.places[number]
        inside = op.address < start + length and start < op.address + op.count
        return code if inside and op.count > 2 else None

    return refuse


# -- found incomplete -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [NO_ADDRESS, FAILURE, BUSY])
@pytest.mark.parametrize("number", [120, 121, 123])
async def test_a_header_that_was_refused_is_walked_over_again_and_the_device_then_controlled(
    number: int, code: int
) -> None:
    declared = make.rating(p_max_w=5_000.0)
    async with house("pv_103", "sunspec_pv", refuse=header(number, code), declared=declared) as at:
        await at.ticks(3)
        assert at.channel.measured.reading.p_w is not None and at.channel.state == "ok", "it is read"
        assert at.can == (False, False), "and not written by a base that is not known"
        at.fake.refuse = lambda op: None
        await at.ticks(int(REBIND_S) + 2)
        assert at.can == (True, False)
        assert at.channel.device is not None and at.channel.device.problems == ()
        assert any("a control group that limits its power" in text for text in at.told("found_more"))


@pytest.mark.parametrize("code", [NO_ADDRESS, FAILURE])
@pytest.mark.parametrize(("name", "number"), [("storage_124", 124), ("storage_7xx", 704), ("storage_7xx", 713)])
async def test_a_battery_inverter_whose_models_were_refused_is_read_and_looked_at_again(
    name: str, number: int, code: int
) -> None:
    async with house(name, "sunspec_storage", refuse=body(number, code)) as at:
        await at.ticks(3)
        assert at.channel.measured.reading.p_w is not None and at.channel.state == "ok"
        assert at.can == (False, number == 713), "a state of charge is no control"
        at.fake.refuse = lambda op: None
        await at.ticks(int(REBIND_S) + 2)
        assert at.can == (False, True) and at.rating().p_min_w == -4_000.0


@pytest.mark.parametrize("code", [NO_ADDRESS, FAILURE])
@pytest.mark.parametrize(("name", "number"), [("pv_103", 121), ("pv_7xx", 702), ("pv_7xx", 704), ("pv_103", 123)])
async def test_a_body_that_was_refused_while_it_was_found_is_asked_for_again(
    name: str, number: int, code: int
) -> None:
    """Model 121 refused for a second: percentages would count from 120's rating for good."""
    declared = make.rating(p_max_w=5_000.0)
    async with house(name, "sunspec_pv", refuse=body(number, code), declared=declared) as at:
        await at.ticks(3)
        assert at.channel.measured.reading.p_w is not None and at.can == (False, False)
        at.fake.refuse = lambda op: None
        await at.ticks(int(REBIND_S) + 2)
        assert at.can == (True, False)
        assert at.rating().p_max_w == 5_000.0, "the setting, not the rating of 6 kW"


async def test_what_was_found_later_is_told_without_why_it_was_not_found_before() -> None:
    async with house("pv_103", "sunspec_pv", refuse=body(121, FAILURE)) as at:
        await at.ticks(2)
        at.fake.refuse = lambda op: None
        await at.ticks(int(REBIND_S) + 2)
        assert at.told("found_more") == ["has now model 121, a control group that limits its power"]


async def test_a_rating_that_was_refused_is_not_called_missing() -> None:
    async with house("pv_7xx", "sunspec_pv", refuse=body(702, FAILURE)) as at:
        await at.ticks(2)
        text = at.channel.bond.binding.text
        assert "model 702 (exception 4) was refused" in text and "rating.p_max_w" in text


async def test_a_chain_that_breaks_before_the_rating_says_where() -> None:
    async with house("pv_103", "sunspec_pv") as at:
        at.fake.registers[at.fake.starts[2] + 1] = 60_000  # L of model 120
        await at.ticks(2)
        assert "id 120, L 60000 is no model" in at.channel.bond.binding.text


async def test_a_control_model_that_is_seen_before_its_rating_is_not_used_without_it() -> None:
    """The order of models is free: Wattsonic has 123 before 121, whose setting its percentages count from."""
    order = (1, 103, 120, 123, 121)
    wattsonic = laid_out({number: DEVICES["pv_103"][number] for number in order})
    async with house(wattsonic, "sunspec_pv", refuse=header(121)) as at:
        await at.ticks(3)
        assert at.channel.measured.reading.p_w is not None and at.can == (False, False)
        at.fake.refuse = lambda op: None
        await at.ticks(int(REBIND_S) + 2)
        assert at.can == (True, False) and at.rating().p_max_w == 5_000.0


async def test_a_device_that_is_whole_later_keeps_its_reading_meanwhile() -> None:
    async with house("pv_103", "sunspec_pv", refuse=header(123)) as at:
        await at.ticks(2)
        at.fake.refuse = lambda op: None
        ages = []
        for _ in range(8):
            await at.ticks()
            ages.append(now_s() - at.channel.measured.read_s)
        assert max(ages) < 1.5 and at.channel.measured.sample == 10
        assert at.told("device_unreachable") == [] and len(at.told("found")) == 1


async def test_a_device_that_was_found_without_its_control_model_has_given_nothing_back() -> None:
    async with house("pv_103", "sunspec_pv", refuse=header(123)) as at:
        await at.ticks(2)
        assert (
            at.channel.bond.binding.missing
            == "found without the end of its map, a control group that limits its power"
        )
        at.fake.refuse = lambda op: None
        await at.ticks(int(REBIND_S) + 2)
        assert at.channel.bond.binding.missing == ""


async def test_one_that_stays_incomplete_is_asked_ever_less_often() -> None:
    async with house("pv_103", "sunspec_pv", refuse=header(123)) as at:
        await at.ticks(2)
        walks: list[float] = []

        def refuse(op: Any) -> int | None:
            if op.address == 40000:
                walks.append(now_s())
            return header(123)(at.fake, op)

        at.fake.refuse = refuse
        await at.ticks(600)
        gaps = [after - before for before, after in pairwise(walks)]
        assert gaps[-1] == pytest.approx(LOOK_MOST_S, abs=1.5) and len(walks) < 15
        assert at.told("found_more") == []


async def test_a_map_that_grows_after_sunrise_is_found_out() -> None:
    """Its map ends behind 103 at night."""
    async with house("pv_103", "sunspec_pv", declared=make.rating(p_max_w=5_000.0)) as at:
        end = at.fake.places[120]
        night = dict(at.fake.registers)
        at.fake.registers |= {end: 0xFFFF, end + 1: 0}
        await at.ticks(70)
        assert at.can == (False, False) and at.channel.measured.reading.p_w is not None
        at.fake.registers |= night
        await at.ticks(int(LOOK_MOST_S) + 2)
        assert at.can == (True, False)


async def test_a_new_connection_and_a_word_look_at_once() -> None:
    for reason in ("connection", "word"):
        async with house("pv_103", "sunspec_pv", refuse=header(123)) as at:
            await at.ticks(200)
            at.fake.refuse = lambda op: None
            if reason == "word":
                await at.poller.look_again(3.0)
            else:
                at.bus.line.generation += 1
                await at.ticks(3)
            assert at.can == (True, False), reason


async def test_what_nobody_wants_to_control_is_whole_without_a_control_group() -> None:
    async with house("pv_103", "sunspec_pv", control=False) as at:
        for address in range(at.fake.places[123], max(at.fake.registers) + 1):
            del at.fake.registers[address]
        at.fake.registers |= {at.fake.places[123]: 0xFFFF, at.fake.places[123] + 1: 0}
        await at.ticks(2)
        assert not at.channel.bond.binding.incomplete and at.can == (False, False)


async def test_a_look_that_finds_less_takes_nothing_away() -> None:
    async with house("pv_103", "sunspec_pv", refuse=header(123)) as at:
        await at.ticks(2)
        at.fake.refuse = lambda op: header(120)(at.fake, op) or header(121)(at.fake, op)
        await at.ticks(20)
        assert at.channel.state == "ok" and at.rating().p_max_w == 5_000.0
        at.fake.refuse = lambda op: None
        await at.ticks(int(LOOK_MOST_S))
        assert at.can == (True, False)


async def test_another_device_that_a_look_finds_is_refused() -> None:
    async with house("pv_103", "sunspec_pv", refuse=header(123)) as at:
        await at.ticks(2)
        at.fake.refuse = lambda op: None
        at.fake.put(1, SN="OTHER")
        await at.ticks(int(REBIND_S) + 2)
        assert at.channel.state == "refused" and "OTHER" in at.channel.bond.binding.text


# -- refused while it is polled -------------------------------------------------------------------------------------


async def test_a_control_block_in_fault_is_missed_and_not_the_device() -> None:
    async with house("storage_124", "sunspec_storage") as at:
        await at.ticks(2)
        assert at.can == (False, True) and at.channel.measured.reading.accepted is not None
        at.fake.refuse = partial(body(124, FAILURE), at.fake)
        for tick in range(1, 12):
            await at.ticks()
            assert at.channel.state == "ok" and now_s() - at.channel.measured.read_s < 1.5
            assert at.can == (False, tick < LOST_AFTER)
        assert at.channel.measured.reading.p_w is not None
        assert at.told("part_lost") == ["model 124: exception 4, so it is not used until it answers again"]
        assert (
            "model 124: exception 4" in at.channel.bond.binding.text
            and at.channel.bond.binding.missing == at.channel.bond.binding.text
        )
        assert at.channel.bond.binding.last is not None and at.channel.bond.binding.last.can.ac.aim, (
            "what was promised stands"
        )
        at.fake.refuse = lambda op: None
        await at.ticks()
        assert at.can == (False, True) and len(at.told("part_back")) == 1 and at.channel.bond.binding.text == ""


async def test_a_block_that_is_refused_once_changes_nothing_but_what_is_read_back() -> None:
    async with house("pv_103", "sunspec_pv") as at:
        await at.ticks(2)
        at.fake.refuse = partial(body(123, BUSY), at.fake)
        await at.ticks()
        assert at.channel.measured.reading.p_w is not None and at.channel.measured.reading.accepted is None
        assert at.can == (True, False) and at.told("part_lost") == []
        at.fake.refuse = lambda op: None
        await at.ticks()
        assert at.channel.measured.reading.accepted is not None


async def test_without_its_measurement_nothing_is_left_of_a_device() -> None:
    async with house("pv_103", "sunspec_pv") as at:
        await at.ticks(2)
        at.fake.refuse = partial(body(103, FAILURE, 50), at.fake)
        await at.ticks(LOST_AFTER + 1)
        assert at.channel.state == "unreachable" and at.told("part_lost") == []


async def test_limits_in_the_own_chain_that_are_refused_let_the_battery_rest_and_its_control_be() -> None:
    battery = laid_out({**DEVICES["storage_7xx"], 802: DEVICES["bms"][802]})
    async with house(battery, "sunspec_storage") as at:
        await at.ticks(2)
        assert at.channel.measured.reading.p_charge_limit_w is not None
        at.fake.refuse = partial(body(802, FAILURE, 62), at.fake)
        await at.ticks(LOST_AFTER + 1)
        assert at.channel.state == "ok" and at.can == (False, True) and at.channel.bond.binding.missing == ""
        assert at.channel.measured.reading.p_charge_limit_w is None and "bms" not in at.channel.answers.words
        assert at.told("part_lost") == ["the battery's limits: exception 4, so it is not used until it answers again"]
        at.fake.refuse = lambda op: None
        await at.ticks(2)
        assert at.channel.measured.reading.p_charge_limit_w is not None


async def test_a_battery_whose_strings_are_not_told_keeps_its_limits() -> None:
    async with house("bms", "sunspec_bms") as at:
        await at.ticks(2)
        limit_w = at.channel.measured.reading.p_discharge_limit_w
        at.fake.refuse = partial(body(803, FAILURE, 28), at.fake)
        await at.ticks(LOST_AFTER + 1)
        assert at.channel.state == "ok" and at.channel.measured.reading.p_discharge_limit_w == limit_w


@pytest.mark.parametrize(
    ("meanwhile", "gains"),
    [
        (lambda bond: None, True),
        (lambda bond: setattr(bond.bus.line, "generation", bond.bus.line.generation + 1), False),
        (lambda bond: setattr(bond, "binding", replace(bond.binding, device=copy(bond.binding.device))), False),
    ],
    ids=["nothing", "another connection", "another device"],
)
async def test_what_a_look_found_counts_for_no_device_but_the_one_that_was_looked_at(
    meanwhile: Callable[[Bond], None], gains: bool
) -> None:
    """On another connection, or after a poll found another device in its place, it says nothing of ours."""
    async with house("pv_103", "sunspec_pv", refuse=header(123)) as at:
        await at.ticks(2)
        at.fake.refuse = lambda op: meanwhile(at.channel.bond)
        await at.channel.look()
        assert (at.channel.bond.binding.more is not None) is gains


# -- away -----------------------------------------------------------------------------------------------------------


async def test_a_device_that_was_silent_for_a_while_may_have_forgotten() -> None:
    async with house("pv_103", "sunspec_pv") as at:
        await at.ticks(3)
        for silent_s, away in ((1, False), (10, True)):
            at.fake.refuse = lambda op: FAILURE
            await at.ticks(silent_s)
            at.fake.refuse = lambda op: None
            await at.ticks()
            assert (at.channel.back_s == at.channel.measured.read_s) is away


@pytest.mark.parametrize("code", [NO_ADDRESS, FAILURE, BUSY])
async def test_a_device_that_refuses_everything_while_it_starts_is_found_again_within_two_ticks(code: int) -> None:
    async with house("pv_103", "sunspec_pv") as at:
        at.fake.put(103, W=0)  # else its registers stand still under power
        await at.ticks(3)
        for away_s in (5, 20, 50):
            at.fake.refuse = lambda op: code
            await at.ticks(away_s)
            at.fake.refuse = lambda op: None
            await at.ticks(2)
            assert at.channel.state == "ok" and at.can == (True, False)
            assert now_s() - at.channel.back_s < 2.5


async def test_zeros_in_all_registers_while_it_starts_are_no_other_device() -> None:
    async with house("pv_103", "sunspec_pv") as at:
        await at.ticks(3)
        right = dict(at.fake.registers)
        at.fake.registers = dict.fromkeys(range(39000, 42000), 0)
        at.bus.line.generation += 1
        await at.ticks(20)
        assert at.channel.bond.binding.last is not None, "what was promised stands"
        at.fake.registers = right
        await at.ticks(2)
        assert at.channel.state == "ok" and at.channel.bond.verified and at.can == (True, False)
