"""Slow blocks beside the polls, over several buses, in virtual time: a battery keeps its SoC whoever is silent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from derctl.core.exchange import Exchange, Read, Registers, Write
from derctl.core.freshness import SLOW_EVERY_S
from derctl.core.types import Capability, Rating, Reading
from derctl.daemon.channel.binding import Binding, forgotten, found, verified
from derctl.daemon.channel.channel import Channel
from derctl.daemon.channel.expected import Expected
from derctl.daemon.poller import Poller
from derctl.devices import CATALOGUE, Identity, Options
from derctl.devices.profile import Habits
from derctl.errors import DeviceRefused
from derctl.links.bus import Bus
from derctl.links.line import Line, Pace
from tests import make
from tests.wire import Up, now_s

RATING = make.rating(p_max_w=5000.0, q=0.0)
OWN = ["own_705", "own_706", "own_711", "own_712"]
FRONIUS = Pace(min_interval_s=1.0, timeout_s=10.0)


class Wire(Up):
    """Answers after latency_s, or never. sent: when each address was asked. word: what stands there."""

    word: Callable[[int], Registers] | None = None

    def __init__(self, latency_s: float | None) -> None:
        self.latency_s = latency_s
        self.sent: list[tuple[float, int]] = []

    async def request(self, unit: int, op: Read | Write) -> Registers:
        self.sent.append((now_s(), op.address))
        if self.latency_s is None:
            await asyncio.Event().wait()
        await asyncio.sleep(self.latency_s or 0.0)
        return (len(self.sent),) if self.word is None else self.word(op.address)

    def gaps(self, address: int) -> list[float]:
        return [after - before for before, after in pairwise(at for at, where in self.sent if where == address)]


class Box:
    """A device whose slow blocks lie at 200, 201 ..."""

    identity = Identity()
    rating = RATING
    can = Capability()
    problems = lacks = ()
    habits = Habits()

    def __init__(self, slow: Sequence[str]) -> None:
        self.control = {"ac": Read(address=1, count=1)}
        self.slow = {name: Read(address=200 + at, count=1) for at, name in enumerate(slow)}
        self.polls = 0

    def identify(self) -> Exchange[Identity]:
        yield Read(address=2, count=1)
        return self.identity

    def rate(self) -> Exchange[Rating]:
        yield from ()
        return self.rating

    def decode(self, answers: Any) -> Reading:
        self.polls += 1
        return Reading(p_w=1000.0 + self.polls, soc_pct=50.0 if "soc" in answers else None)


class House:
    """Devices on their buses; each has been found."""

    def __init__(self) -> None:
        self.channels: list[Channel] = []
        self.wires: list[Wire] = []
        self.buses: dict[str, Bus] = {}

    def add(self, bus: str, latency_s: float | None, slow: Sequence[str], pace: Pace = FRONIUS) -> None:
        if bus not in self.buses:
            self.wires.append(Wire(latency_s))
            self.buses[bus] = Bus(Line(bus, self.wires[-1], pace, clock=now_s))
        device: Any = Box(slow)
        options, kind = Options(), CATALOGUE["sunspec_pv"]
        name, unit = f"{bus}.{len(self.channels)}", len(self.channels) + 1
        channel = Channel(
            id=name, bus=self.buses[bus], unit=unit, expected=Expected(kind=kind, options=options), clock=now_s,
            born_s=now_s(),
        )  # fmt: skip
        channel.bond.binding = found(Binding(), device, -1)
        self.channels.append(channel)

    @asynccontextmanager
    async def open(self, *, slow: bool = True) -> AsyncIterator[Poller]:
        running = [asyncio.create_task(bus.line.run()) for bus in self.buses.values()]
        for channel in self.channels:
            await channel.bus.line.wait_connected()
            channel.bond.binding = verified(channel.bond.binding, channel.bus.line.generation)
        poller = Poller(self.channels)
        if slow:
            running.append(asyncio.create_task(poller.run_slow(0.5)))
        try:
            yield poller
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            await poller.stop()

    async def live(self, poller: Poller, seconds: float, tick_s: float = 1.0) -> int:
        """How many ticks, after the first half minute, had no SoC of the last device."""
        began, missing = now_s(), 0
        while now_s() - began < seconds:
            at = now_s()
            await poller.poll(0.4 * tick_s)
            missing += now_s() - began > 30.0 and self.channels[-1].measured.reading.soc_pct is None
            await asyncio.sleep(max(at + tick_s - now_s(), 0.0))
        return missing


async def test_a_slow_answer_counts_for_no_device_but_the_one_that_was_asked() -> None:
    house = House()
    house.add("line", 1.0, ["soc"], Pace(timeout_s=10.0))
    async with house.open(slow=False):
        channel = house.channels[0]
        asked = asyncio.create_task(channel.read_slow())
        await asyncio.sleep(0.5)
        assert house.wires[0].sent and not asked.done()
        channel.bond.binding = forgotten(channel.bond.binding)
        await asked
        assert (channel.answers.words, channel.answers.slow.read_s) == ({}, {})


@pytest.mark.parametrize("silent", [1, 2, 4])
async def test_silent_devices_on_other_buses_cost_a_battery_nothing(silent: int) -> None:
    house = House()
    for number in range(silent):
        house.add(f"pv{number}", None, OWN)
    house.add("bat", 0.02, ["soc", *OWN], Pace())
    async with house.open() as poller:
        assert await house.live(poller, 300.0) == 0
    assert max(house.wires[-1].gaps(200)) <= 5.6
    assert all(max(house.wires[-1].gaps(200 + number)) <= 8.0 for number in range(1, 5)), "nor its own functions"


async def test_the_state_of_charge_has_its_five_seconds_also_on_a_bus_that_has_no_time_for_the_rest() -> None:
    """Polls take 1.65 s of each 2.5 s; there are 37 blocks in all, for which a round takes about a minute."""
    house = House()
    many = [f"own_{number}" for number in range(12)]
    house.add("line", 0.05, many, Pace(min_interval_s=0.5))
    house.add("line", 0.05, many)
    house.add("line", 0.05, [*many, "soc"])
    async with house.open() as poller:
        assert await house.live(poller, 300.0, tick_s=2.5) == 0
    assert max(house.wires[0].gaps(212)) < 8.0, "212 is the SoC: at most one block of another is in front"
    assert min(len(house.wires[0].gaps(200 + number)) for number in range(12)) >= 3, "none is starved"


async def test_a_battery_asks_no_more_in_all_than_each_block_every_five_seconds() -> None:
    house = House()
    house.add("bat", 0.02, ["soc", *OWN], Pace())
    async with house.open() as poller:
        await house.live(poller, 300.0)
    slow = [address for _, address in house.wires[0].sent if address >= 200]
    assert 200 <= len(slow) <= 300
    assert max(slow.count(address) for address in set(slow)) <= 60


async def test_a_bug_in_one_bus_of_slow_blocks_is_raised_and_ends_the_others() -> None:
    house = House()
    house.add("a", 0.02, OWN, Pace())
    house.add("b", None, OWN)
    house.add("c", 0.02, OWN, Pace())
    async with house.open(slow=False) as poller:
        device: Any = house.channels[2].device
        device.slow = {"own_705": "no request"}
        with pytest.raises(AttributeError):
            await poller.run_slow(0.5)
        assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("slow ")]


async def test_a_site_without_devices_waits_for_its_end() -> None:
    running = asyncio.create_task(Poller([]).run_slow(0.5))
    await asyncio.sleep(10.0)
    assert not running.done()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


NOTHING = 0xFFFF


def _told(answers: Any) -> float | None:
    return float(answers["soc"][0]) if "soc" in answers and answers["soc"][0] != NOTHING else None


class Charged(Box):
    """A box whose state of charge is what its register says."""

    def decode(self, answers: Any) -> Reading:
        return replace(super().decode(answers), soc_pct=_told(answers))


async def charges(says: Callable[[float], int | None], seconds: float) -> list[tuple[float, float | None]]:
    """What is believed of it, and when. says: what its register holds after so many seconds, None refuses."""
    house = House()
    house.add("bat", 0.02, ["soc", *OWN], Pace())
    battery: Any = Charged(["soc", *OWN])
    channel, wire, began = house.channels[0], house.wires[0], now_s()
    channel.bond.binding = found(Binding(), battery, -1)

    def word(address: int) -> Registers:
        value = says(now_s() - began) if address == battery.slow["soc"].address else len(wire.sent)
        if value is None:
            raise DeviceRefused(6, function=3, address=address, count=1)
        return (value,)

    wire.word, seen = word, []
    async with house.open() as poller:
        while now_s() - began < seconds:
            await poller.poll(0.4)
            seen.append((now_s() - began, channel.measured.reading.soc_pct))
            await asyncio.sleep(1.0)
    return seen


@pytest.mark.parametrize("late_s", [0.1, 1.3, 2.6, 3.9, 4.9])
async def test_a_recalibrated_charge_that_is_read_at_leisure_is_believed_within_ten_seconds(late_s: float) -> None:
    changed_s = 20.0 + late_s
    seen = await charges(lambda at_s: 50 if at_s < changed_s else 20, 40.0)
    believed_s = next(at_s for at_s, soc_pct in seen if soc_pct == 20.0)
    assert changed_s + 3.0 < believed_s <= changed_s + 10.0


async def test_a_charge_that_was_read_once_and_then_refused_is_never_believed() -> None:
    """Once read, its register was looked at again and again by each poll, and each counted as a sample."""
    wrong: list[float] = []

    def says(at_s: float) -> int | None:
        if at_s < 20.0 or at_s > 45.0:
            return 50
        wrong.append(at_s)
        return 0 if len(wrong) == 1 else None

    seen = await charges(says, 60.0)
    assert len(wrong) > 10, "it is asked again soon"
    assert {soc_pct for at_s, soc_pct in seen if at_s > 2.0} == {50.0}


async def test_a_charge_that_is_not_told_once_is_asked_for_again_within_two_seconds() -> None:
    """Functions hold for 5 s: as long as the next look would take."""
    missed: list[float] = []

    def says(at_s: float) -> int | None:
        if at_s < 20.0 or missed:
            return 50
        missed.append(at_s)
        return NOTHING

    seen = await charges(says, 40.0)
    unknown = [at_s for at_s, soc_pct in seen if at_s > 2.0 and soc_pct is None]
    assert missed and len(unknown) <= 2


async def test_a_charge_that_is_told_no_more_is_soon_asked_for_as_seldom_as_ever() -> None:
    asked: list[float] = []

    def says(at_s: float) -> int | None:
        asked.append(at_s)
        return 50 if at_s < 20.0 else NOTHING

    await charges(says, 120.0)
    assert len([at_s for at_s in asked if at_s > 60.0]) <= 60.0 / SLOW_EVERY_S + 1


async def test_a_charge_that_is_wrong_for_moments_is_never_believed() -> None:
    seen = await charges(lambda at_s: 0 if at_s > 20.0 and at_s % 5.0 < 3.0 else 50, 60.0)
    assert {soc_pct for at_s, soc_pct in seen if at_s > 2.0} == {50.0}
