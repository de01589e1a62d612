"""The bus alone, on a wire that does what the test says, in virtual time."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest

from derctl.core.exchange import Exchange, Pause, Read, Registers, Write
from derctl.errors import BusClosed, BusError, BusFrameError, BusLate, BusTimeout, DeviceRefused
from derctl.links.bus import Bus
from derctl.links.doubt import CONNECT_TRIES, GIVE_UP_PATIENT
from derctl.links.line import Line, Pace
from derctl.links.turns import Priority
from derctl.links.wires.strays import Tally

READ = Read(address=40000, count=2)
WRITE = Write(address=40100, values=(7,))
Behaviour = Callable[[Read | Write], Awaitable[Registers]]


def now_s() -> float:
    return asyncio.get_running_loop().time()


def answers(latency_s: float) -> Behaviour:
    async def behave(op: Read | Write) -> Registers:
        await asyncio.sleep(latency_s)
        return tuple(range(op.count)) if isinstance(op, Read) else ()

    return behave


async def silent(op: Read | Write) -> Registers:
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


def fails(error: Exception) -> Behaviour:
    async def behave(op: Read | Write) -> Registers:
        raise error

    return behave


@dataclass
class FakeWire:
    """up, debris and what each unit does are the test's; log has (time, unit, op) of every request that was sent."""

    units: dict[int, Behaviour] = field(default_factory=dict)
    strays: dict[int, str] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)
    refuses: bool = False
    debris: bool = False
    up: bool = False
    log: list[tuple[float, int, Read | Write]] = field(default_factory=list)
    ended: list[float] = field(default_factory=list)
    connects: list[float] = field(default_factory=list)
    closes: int = 0
    in_flight: int = 0
    most: int = 0
    on_lost: Callable[[BusClosed], None] = lambda error: None

    @property
    def connected(self) -> bool:
        return self.up

    def stray(self, unit: int) -> str:
        return self.strays.get(unit, "")

    async def connect(self, on_lost: Callable[[BusClosed], None]) -> None:
        self.connects.append(now_s())
        if self.refuses:
            raise BusClosed("refused")
        self.up, self.on_lost, self.debris = True, on_lost, False

    def close(self) -> None:
        self.up = False
        self.closes += 1

    def lose(self) -> None:
        self.up = False
        self.on_lost(BusClosed("lost"))

    async def request(self, unit: int, op: Read | Write) -> Registers:
        if not self.up:
            raise BusClosed("not connected")
        self.log.append((now_s(), unit, op))
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        try:
            return await self.units.get(unit, answers(0.01))(op)
        finally:
            self.in_flight -= 1
            self.ended.append(now_s())

    @property
    def served(self) -> list[int]:
        return [unit for _, unit, _ in self.log]

    def times(self, unit: int) -> list[float]:
        return [at for at, which, _ in self.log if which == unit]


MakeBus = Callable[..., Awaitable[tuple[Bus, FakeWire]]]


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


async def outcome(bus: Bus, unit: int, priority: Priority = Priority.POLL) -> Registers | Exception:
    try:
        return await bus.request(unit, READ, priority=priority)
    except Exception as error:
        return error


async def usable(bus: Bus, unit: int = 99) -> bool:
    async with asyncio.timeout(10.0):
        return await bus.request(unit, READ) == (0, 1)


# -- order ----------------------------------------------------------------------------------------------------------


async def test_one_request_is_in_flight_at_a_time(make_bus: MakeBus) -> None:
    bus, wire = await make_bus()
    await asyncio.gather(*(bus.request(n % 4, READ) for n in range(40)))
    assert (wire.most, len(wire.log), bus.counters.requests) == (1, 40, 40)


async def test_writes_go_before_polls_and_polls_before_slow_blocks(make_bus: MakeBus) -> None:
    bus, wire = await make_bus()
    order = (
        Priority.POLL,
        Priority.SLOW,
        Priority.SLOW,
        Priority.POLL,
        Priority.WRITE,
        Priority.POLL,
        Priority.WRITE,
    )
    await asyncio.gather(*(bus.request(n, READ, priority=priority) for n, priority in enumerate(order)))
    assert wire.served == [0, 4, 6, 3, 5, 1, 2]


async def test_a_write_that_comes_later_overtakes_what_waits(make_bus: MakeBus) -> None:
    bus, wire = await make_bus()
    polls = [asyncio.create_task(bus.request(1, READ)) for _ in range(5)]
    await asyncio.sleep(0.015)
    await bus.request(2, WRITE, priority=Priority.WRITE)
    assert wire.served == [1, 1, 2]
    await asyncio.gather(*polls)


async def test_writes_without_a_pause_leave_one_turn_in_five_to_the_polls(make_bus: MakeBus) -> None:
    """On a slow bus each decision asks for the next write while the last one is still on its way."""
    bus, wire = await make_bus()

    async def write_forever(unit: int) -> None:
        while True:
            await bus.request(unit, WRITE, priority=Priority.WRITE)

    writing = [asyncio.create_task(write_forever(unit)) for unit in (1, 2)]
    polls = [asyncio.create_task(bus.request(unit, READ)) for unit in (1, 2, 1)]
    try:
        async with asyncio.timeout(1.0):
            await asyncio.gather(*polls)
    finally:
        for task in writing:
            task.cancel()
        await asyncio.gather(*writing, return_exceptions=True)
    polled = [n for n, (_, _, op) in enumerate(wire.log) if op == READ]
    assert [after - before for before, after in itertools.pairwise(polled)] == [5, 5]


async def test_a_unit_that_is_written_is_polled_as_often_as_one_that_is_not(make_bus: MakeBus) -> None:
    """A battery beside a meter went stale, since each write counted as its turn."""
    bus, wire = await make_bus()

    async def forever(unit: int, op: Read | Write, priority: Priority) -> None:
        while True:
            await bus.request(unit, op, priority=priority)

    asking = [asyncio.create_task(forever(1, WRITE, Priority.WRITE))]
    asking += [asyncio.create_task(forever(unit, READ, Priority.POLL)) for unit in (1, 2)]
    await asyncio.sleep(5.0)
    for task in asking:
        task.cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    polled = [unit for _, unit, op in wire.log if op == READ]
    assert abs(polled.count(1) - polled.count(2)) <= 1


async def test_a_unit_that_asks_a_lot_does_not_hold_the_others_up(make_bus: MakeBus) -> None:
    bus, wire = await make_bus()
    greedy = [asyncio.create_task(bus.request(1, READ)) for _ in range(30)]
    await asyncio.sleep(0.025)
    modest = [asyncio.create_task(bus.request(unit, READ)) for unit in (2, 3, 2)]
    await asyncio.gather(*modest, *greedy)
    assert max(wire.served.index(2), wire.served.index(3)) <= 6
    assert wire.served[:10].count(2) == 2


async def test_ten_units_get_the_same_share(make_bus: MakeBus) -> None:
    bus, wire = await make_bus()

    async def ask_forever(unit: int) -> None:
        while True:
            await bus.request(unit, READ)

    asking = [asyncio.create_task(ask_forever(unit)) for unit in range(10)]
    await asyncio.sleep(20.0)
    for task in asking:
        task.cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    shares = [wire.served.count(unit) for unit in range(10)]
    assert max(shares) - min(shares) <= 1
    assert sum(shares) >= 1900


# -- time -----------------------------------------------------------------------------------------------------------


async def test_there_is_one_deadline_and_no_retry(make_bus: MakeBus) -> None:
    bus, wire = await make_bus(FakeWire(units={1: silent}), timeout_s=0.7)
    began = now_s()
    with pytest.raises(BusTimeout):
        await bus.request(1, READ)
    assert now_s() - began == pytest.approx(0.7)
    assert (wire.served, bus.counters.timeouts) == ([1], 1)


async def test_what_waited_past_its_time_is_not_sent_and_no_silence_of_the_unit(make_bus: MakeBus) -> None:
    bus, wire = await make_bus(FakeWire(units={1: answers(0.9)}))
    first = asyncio.create_task(outcome(bus, 1))
    await asyncio.sleep(0)
    with pytest.raises(BusLate):
        await bus.request(2, WRITE, priority=Priority.WRITE, not_after_s=now_s() + 0.5)
    await first
    assert (wire.served, bus.counters.timeouts) == ([1], 0)


async def test_the_deadline_counts_from_sending_not_from_queueing(make_bus: MakeBus) -> None:
    bus, _ = await make_bus(FakeWire(units={1: answers(0.9)}), timeout_s=1.0)
    assert await asyncio.gather(*(bus.request(1, READ) for _ in range(5))) == [(0, 1)] * 5


async def test_the_pause_between_requests_is_kept_after_answers_refusals_and_silences(make_bus: MakeBus) -> None:
    refused = DeviceRefused(2, function=3, address=40000, count=2)
    wire = FakeWire(units={2: silent, 3: fails(refused)})
    bus, _ = await make_bus(wire, timeout_s=0.5, min_interval_s=0.25)
    await asyncio.gather(*(outcome(bus, unit) for unit in (1, 2, 3, 1, 3)))
    began = [at for at, _, _ in wire.log]
    assert [start - end for end, start in zip(wire.ended, began[1:], strict=False)] == pytest.approx([0.25] * 4)


async def test_nothing_is_sent_before_the_device_is_ready_for_it(make_bus: MakeBus) -> None:
    bus, wire = await make_bus(FakeWire(), connect_delay_s=2.0)
    await bus.request(1, READ)
    assert wire.log[0][0] - wire.connects[0] == pytest.approx(2.0)


async def poll_each_second(bus: Bus, unit: int, good: dict[int, int]) -> None:
    while True:
        due = now_s() + 1.0
        try:
            await bus.request(unit, READ)
            good[unit] = good.get(unit, 0) + 1
        except BusError:
            pass
        await asyncio.sleep(due - now_s())


async def test_a_dead_unit_is_asked_less_often_and_the_others_keep_their_pace(make_bus: MakeBus) -> None:
    bus, wire = await make_bus(FakeWire(units={3: silent}), timeout_s=0.5)
    good: dict[int, int] = {}
    polling = [asyncio.create_task(poll_each_second(bus, unit, good)) for unit in (1, 2, 3, 4)]
    await asyncio.sleep(120.0)
    gaps = [later - earlier for earlier, later in pairwise(wire.times(3))]
    assert max(gaps) <= 6.5, "a unit that comes back has to be found again"
    assert len(wire.times(3)) <= 30
    assert min(good[unit] for unit in (1, 2, 4)) >= 118
    assert bus.line.generation == 1, "the others answer: the connection is not in doubt"
    wire.units.clear()
    await asyncio.sleep(7.0)
    before = good[3]
    await asyncio.sleep(20.0)
    assert good[3] - before >= 19, "one answer restores its pace"
    for task in polling:
        task.cancel()
    await asyncio.gather(*polling, return_exceptions=True)


async def test_a_unit_that_is_demoted_can_still_be_written(make_bus: MakeBus) -> None:
    bus, wire = await make_bus(FakeWire(units={1: silent}), timeout_s=1.0)
    assert await usable(bus, 2)
    for _ in range(2):
        await outcome(bus, 1)
    sent = len(wire.log)
    began = now_s()
    assert isinstance(await outcome(bus, 1), BusTimeout)
    assert (now_s() - began, len(wire.log)) == (0.0, sent), "it is not asked, and nobody waits for it"
    wire.units.clear()
    assert await bus.request(1, WRITE, priority=Priority.WRITE) == ()
    assert await bus.request(1, READ) == (0, 1)


@pytest.mark.parametrize(
    ("code", "demotes"), [(1, False), (2, False), (4, False), (6, False), (10, True), (11, True)]
)
async def test_what_a_gateway_says_of_an_absent_unit_demotes_it(make_bus: MakeBus, code: int, demotes: bool) -> None:
    bus, wire = await make_bus(FakeWire(units={5: fails(DeviceRefused(code, function=3, address=1, count=1))}))
    assert await usable(bus)
    for _ in range(3):
        await outcome(bus, 5)
    assert (len(wire.times(5)), bus.counters.refused) == ((2, 2) if demotes else (3, 3))
    assert bus.line.connected


async def test_a_unit_that_is_absent_for_hours_is_only_asked_ever_less_often(make_bus: MakeBus) -> None:
    """2^1024 is more than a float holds."""
    bus, wire = await make_bus(FakeWire(units={5: fails(DeviceRefused(11, function=3, address=1, count=1))}))
    assert await usable(bus)
    for _ in range(1100):
        assert isinstance(await outcome(bus, 5, Priority.WRITE), DeviceRefused)
    assert isinstance(await outcome(bus, 5), BusTimeout)
    assert len(wire.times(5)) == 1100
    wire.units.clear()
    await asyncio.sleep(5.0)
    assert await usable(bus, 5), "never longer than 5 s"


# -- cancellation ---------------------------------------------------------------------------------------------------


async def test_a_waiter_cancelled_in_the_queue_leaves_the_bus_usable(make_bus: MakeBus) -> None:
    bus, wire = await make_bus()
    first, second, third = (asyncio.create_task(bus.request(unit, READ)) for unit in (1, 2, 3))
    await asyncio.sleep(0.001)
    second.cancel()
    assert await asyncio.gather(first, third) == [(0, 1), (0, 1)]
    assert wire.served == [1, 3]
    assert await usable(bus)


@pytest.mark.parametrize("moment", ["just before its turn", "just after its turn was given"])
async def test_a_waiter_cancelled_in_the_moment_of_its_turn_passes_it_on_once(make_bus: MakeBus, moment: str) -> None:
    wire = FakeWire()
    tasks: list[asyncio.Task[Registers]] = []

    async def cancels_the_next(op: Read | Write) -> Registers:
        await asyncio.sleep(0.01)
        if moment == "just before its turn":
            tasks[1].cancel()
        else:
            asyncio.get_running_loop().call_soon(tasks[1].cancel)
        return (0, 1)

    wire.units[1] = cancels_the_next
    bus, _ = await make_bus(wire)
    tasks += [asyncio.create_task(bus.request(unit, READ)) for unit in (1, 2, 3, 4)]
    assert await asyncio.gather(tasks[0], *tasks[2:]) == [(0, 1)] * 3
    assert tasks[1].cancelled()
    assert (wire.served, wire.most) == ([1, 3, 4], 1)
    assert await usable(bus)


async def test_a_request_cancelled_in_flight_leaves_the_bus_usable(make_bus: MakeBus) -> None:
    bus, wire = await make_bus(FakeWire(units={1: silent}), timeout_s=5.0)
    task = asyncio.create_task(bus.request(1, READ))
    behind = asyncio.create_task(bus.request(2, READ))
    await asyncio.sleep(0.1)
    task.cancel()
    assert await behind == (0, 1)
    assert wire.in_flight == 0
    assert await usable(bus)


async def test_a_request_cancelled_in_the_pause_leaves_the_bus_usable(make_bus: MakeBus) -> None:
    bus, wire = await make_bus(min_interval_s=1.0)
    await bus.request(1, READ)
    task = asyncio.create_task(bus.request(1, READ))
    await asyncio.sleep(0.5)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await usable(bus)
    assert wire.served == [1, 99]


@pytest.mark.parametrize("seed", range(40))
async def test_cancelling_anything_at_any_time_loses_nobody_else(make_bus: MakeBus, seed: int) -> None:
    chance = random.Random(seed)
    units = {
        1: answers(0.0),
        2: answers(0.013),
        3: silent,
        4: fails(DeviceRefused(6, function=3, address=1, count=1)),
    }
    bus, wire = await make_bus(FakeWire(units=units), timeout_s=0.2, min_interval_s=chance.choice([0.0, 0.004]))
    tasks = []
    for _ in range(60):
        priority = chance.choice(list(Priority))
        tasks.append(asyncio.create_task(outcome(bus, chance.randint(1, 4), priority)))
        if chance.random() < 0.5:
            chance.choice(tasks).cancel()
        await asyncio.sleep(chance.choice([0.0, 0.0, 0.001, 0.01, 0.05]))
    async with asyncio.timeout(60.0):
        await asyncio.gather(*tasks, return_exceptions=True)
        await bus.line.wait_connected()
    assert (wire.in_flight, wire.most) == (0, 1)
    assert await usable(bus)


# -- the connection -------------------------------------------------------------------------------------------------


async def test_a_lost_connection_is_told_to_those_behind_at_once(make_bus: MakeBus) -> None:
    wire = FakeWire()

    async def cut(op: Read | Write) -> Registers:
        wire.lose()
        raise BusClosed("reset")

    wire.units[1] = cut
    bus, _ = await make_bus(wire)
    began = now_s()
    results = await asyncio.gather(*(outcome(bus, unit) for unit in (1, 2, 3)))
    assert [type(result) for result in results] == [BusClosed] * 3
    assert (now_s(), wire.served) == (began, [1])
    await bus.line.wait_connected()
    assert await usable(bus)


async def test_without_a_connection_a_request_fails_and_does_not_wait(make_bus: MakeBus) -> None:
    bus, wire = await make_bus(FakeWire(refuses=True))
    began = now_s()
    with pytest.raises(BusClosed):
        await bus.request(1, READ)
    assert (now_s(), wire.log, bus.line.connected) == (began, [], False)


async def test_a_frame_that_answers_nothing_ends_the_connection(make_bus: MakeBus) -> None:
    bus, wire = await make_bus(FakeWire(units={1: fails(BusFrameError("transaction 0 for 7"))}))
    with pytest.raises(BusFrameError):
        await bus.request(1, READ)
    assert not bus.line.connected
    assert bus.counters.frame_errors == 1
    await bus.line.wait_connected()
    assert (bus.line.generation, len(wire.connects)) == (2, 2)


async def test_bytes_that_nobody_asked_for_end_the_connection_with_the_first_silence(make_bus: MakeBus) -> None:
    bus, wire = await make_bus(FakeWire(units={1: silent}))
    wire.debris = True
    await outcome(bus, 1)
    assert not bus.line.connected


async def test_three_silences_in_a_row_make_the_connection_anew(make_bus: MakeBus) -> None:
    bus, wire = await make_bus(FakeWire(units=dict.fromkeys((1, 2, 3), silent)), timeout_s=0.5)
    for unit in (1, 2):
        await outcome(bus, unit)
    assert await usable(bus), "an answer in between clears the doubt"
    for unit in (1, 2):
        await outcome(bus, unit)
    assert bus.line.connected
    await outcome(bus, 3)
    assert not bus.line.connected
    await bus.line.wait_connected()
    assert (bus.line.generation, wire.closes) == (2, 1)
    assert await usable(bus)


@pytest.mark.parametrize("storm", ["refused", "reset on connect", "accepted, then silent"])
async def test_a_storm_costs_at_most_one_connect_a_second(make_bus: MakeBus, storm: str) -> None:
    wire = FakeWire(refuses=storm == "refused", units={1: silent})
    if storm == "reset on connect":
        connect = wire.connect

        async def reset(on_lost: Callable[[BusClosed], None]) -> None:
            await connect(on_lost)
            wire.lose()

        wire.connect = reset
    bus, _ = await make_bus(wire, timeout_s=0.1, backoff_s=8.0)
    good: dict[int, int] = {}
    polling = asyncio.create_task(poll_each_second(bus, 1, good))
    await asyncio.sleep(600.0)
    polling.cancel()
    await asyncio.gather(polling, return_exceptions=True)
    gaps = [later - earlier for earlier, later in pairwise(wire.connects)]
    assert len(gaps) > CONNECT_TRIES
    assert min(gaps) >= 1.0
    assert max(gaps) <= 8.0 + GIVE_UP_PATIENT, "three silences come on top"
    assert not good


async def test_a_wire_that_is_down_is_tried_each_second_at_first_and_then_less_often(make_bus: MakeBus) -> None:
    """A wire has one client: there is nobody to keep out of step with, and a device that restarts is met at once."""
    wire = FakeWire(refuses=True)
    await make_bus(wire, backoff_s=8.0)
    await asyncio.sleep(CONNECT_TRIES + 30.0)
    gaps = [later - earlier for earlier, later in pairwise(wire.connects)]
    assert gaps[: CONNECT_TRIES - 1] == pytest.approx([1.0] * (CONNECT_TRIES - 1))
    assert gaps[CONNECT_TRIES - 1 : CONNECT_TRIES + 4] == pytest.approx([1.0, 2.0, 4.0, 8.0, 8.0])


async def test_a_device_that_swallows_the_connect_is_tried_again_as_soon_as_that_has_failed(
    make_bus: MakeBus,
) -> None:
    wire = FakeWire(refuses=True)
    connect = wire.connect

    async def swallowed(on_lost: Callable[[BusClosed], None]) -> None:
        await asyncio.sleep(3.0)
        await connect(on_lost)

    wire.connect = swallowed
    await make_bus(wire)
    await asyncio.sleep(10.0)
    assert [later - earlier for earlier, later in pairwise(wire.connects)] == pytest.approx([3.0, 3.0])


async def test_a_connection_that_lasted_is_made_anew_at_once(make_bus: MakeBus) -> None:
    bus, wire = await make_bus(FakeWire())
    await asyncio.sleep(30.0)
    assert await usable(bus)
    wire.lose()
    lost = now_s()
    await bus.line.wait_connected()
    assert now_s() - lost == 0.0


async def test_a_new_connection_asks_every_unit_at_once(make_bus: MakeBus) -> None:
    bus, wire = await make_bus(FakeWire(units={2: silent}))
    assert await usable(bus)
    for _ in range(2):
        await outcome(bus, 2)
    wire.units.clear()
    assert isinstance(await outcome(bus, 2), BusTimeout), "it is demoted"
    wire.lose()
    await bus.line.wait_connected()
    assert await usable(bus, 2)


async def test_one_that_has_the_wire_to_itself_is_never_demoted(make_bus: MakeBus) -> None:
    bus, wire = await make_bus(FakeWire(units={1: fails(DeviceRefused(11, function=3, address=1, count=1))}))
    for _ in range(5):
        await outcome(bus, 1)
    assert len(wire.log) == 5
    wire.units.clear()
    assert await usable(bus)


async def test_only_an_answer_ends_the_back_off(make_bus: MakeBus) -> None:
    wire = FakeWire(refuses=True)
    bus, _ = await make_bus(wire, backoff_s=8.0)
    await asyncio.sleep(CONNECT_TRIES + 30.0)
    wire.refuses = False
    await bus.line.wait_connected()
    wire.lose()
    await asyncio.sleep(7.9)
    assert not bus.line.connected, "connecting alone proves nothing"
    await bus.line.wait_connected()
    assert await usable(bus)
    wire.lose()
    lost = now_s()
    await bus.line.wait_connected()
    assert now_s() - lost <= 1.0


async def test_the_end_of_the_bus_closes_its_wire() -> None:
    wire = FakeWire()
    bus = Bus(Line("line", wire))
    run = asyncio.create_task(bus.line.run())
    await bus.line.wait_connected()
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
    assert (wire.up, bus.line.connected) == (False, False)


# -- exchanges ------------------------------------------------------------------------------------------------------


async def test_an_exchange_is_sent_each_answer(make_bus: MakeBus) -> None:
    bus, wire = await make_bus()

    def exchange() -> Exchange[tuple[Any, ...]]:
        first = yield READ
        began = now_s()
        paused = yield Pause(seconds=3.0)
        waited = now_s() - began
        wrote = yield WRITE
        return first, paused, waited, wrote

    first, paused, waited, wrote = await bus.execute(1, exchange(), priority=Priority.WRITE)
    assert (first, paused, wrote) == ((0, 1), (), ())
    assert waited == pytest.approx(3.0)
    assert [op for _, _, op in wire.log] == [READ, WRITE]


async def test_a_pause_of_one_unit_leaves_the_line_to_the_others(make_bus: MakeBus) -> None:
    bus, wire = await make_bus()

    def exchange() -> Exchange[None]:
        yield Pause(seconds=10.0)
        yield READ

    running = asyncio.create_task(bus.execute(1, exchange()))
    await asyncio.sleep(1.0)
    assert await bus.request(2, READ) == (0, 1)
    await running
    assert wire.served == [2, 1]


@pytest.mark.parametrize(
    "error", [BusTimeout("t"), BusFrameError("f"), BusClosed("c"), DeviceRefused(2, function=3, address=1, count=1)]
)
async def test_an_error_is_thrown_into_the_exchange_at_the_yield_that_failed(
    make_bus: MakeBus, error: Exception
) -> None:
    bus, wire = await make_bus(FakeWire(units={1: fails(error)}))
    seen: list[Exception] = []

    def exchange() -> Exchange[str]:
        try:
            yield READ
        except type(error) as caught:
            seen.append(caught)
        return "went on"

    assert await bus.execute(1, exchange()) == "went on"
    assert seen == [error]
    assert len(wire.log) == 1


async def test_an_error_that_the_exchange_does_not_catch_reaches_the_caller(make_bus: MakeBus) -> None:
    error = DeviceRefused(4, function=3, address=1, count=1)
    bus, _ = await make_bus(FakeWire(units={1: fails(error)}))
    closed: list[bool] = []

    def exchange() -> Exchange[None]:
        try:
            yield READ
        finally:
            closed.append(True)

    with pytest.raises(DeviceRefused) as caught:
        await bus.execute(1, exchange())
    assert (caught.value, closed) == (error, [True])


async def test_an_exchange_that_is_cancelled_is_closed(make_bus: MakeBus) -> None:
    bus, _ = await make_bus(FakeWire(units={1: silent}))
    closed: list[bool] = []

    def exchange() -> Exchange[None]:
        try:
            yield READ
        except GeneratorExit:
            closed.append(True)
            raise

    running = asyncio.create_task(bus.execute(1, exchange()))
    await asyncio.sleep(0.1)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert closed == [True]
    assert await usable(bus)


# -- why ------------------------------------------------------------------------------------------------------------


async def test_a_bus_that_is_not_up_says_why(make_bus: MakeBus) -> None:
    """The wire's own reason; what made the bus itself give the connection up; and before the first try, neither."""
    assert str(Bus(Line("line", FakeWire())).line.closed()) == "line: not connected"
    bus, _ = await make_bus(FakeWire(refuses=True))
    await asyncio.sleep(0.1)
    assert str(await outcome(bus, 1)) == "refused"
    bus, wire = await make_bus(FakeWire(units={1: fails(BusFrameError("the echo differs"))}))
    assert str(await outcome(bus, 1)) == "the echo differs"
    assert str(await outcome(bus, 2)) == "line: not connected, after the echo differs"
    await bus.line.wait_connected()
    wire.lose()
    assert str(await outcome(bus, 2)) == "lost"


async def test_the_hint_of_a_closed_wire_is_kept() -> None:
    bus = Bus(Line("line", FakeWire()))
    bus.line._drop(BusClosed("refused", hint="is it enabled?"))
    assert (str(bus.line.closed()), bus.line.closed().hint) == ("refused", "is it enabled?")


@pytest.mark.parametrize("answered", [False, True])
async def test_only_a_unit_that_never_answered_may_have_another_id(make_bus: MakeBus, answered: bool) -> None:
    bus, wire = await make_bus(timeout_s=0.5)
    bus.line.place = "192.0.2.1:502"
    assert await usable(bus, 1)
    assert not answered or await usable(bus, 6)
    wire.units = {6: silent}
    told = [await outcome(bus, 6) for _ in range(3)]
    assert [str(each) for each in told] == [
        *["line unit 6: no answer within 0.5 s"] * 2,
        "line unit 6: silent, asked again in 0.5 s",
    ]
    hint = "" if answered else "is the unit id right? derctl scan 192.0.2.1:502 -u 6"
    assert [each.hint for each in told if isinstance(each, BusTimeout)] == [hint] * 3


async def test_a_silence_in_which_something_else_came_says_what(make_bus: MakeBus) -> None:
    bus, _ = await make_bus(FakeWire(units={6: silent, 7: silent}, strays={6: "one came after 1.4 s"}), timeout_s=1.0)
    assert await usable(bus, 1)
    told = [str(await outcome(bus, 6)) for _ in range(3)]
    assert told == [
        *["line unit 6: no answer within 1 s, but one came after 1.4 s"] * 2,
        "line unit 6: silent, asked again in 1.0 s, but one came after 1.4 s",
    ]
    assert str(await outcome(bus, 7)) == "line unit 7: no answer within 1 s"


async def test_what_was_answered_late_or_under_other_numbers_counts_as_no_silence(make_bus: MakeBus) -> None:
    bus, wire = await make_bus(FakeWire(units={1: silent}), timeout_s=0.5)
    for _ in range(2):
        await outcome(bus, 1)
    wire.tally.late, wire.tally.foreign = 1, 0
    counted = bus.counted()
    assert (counted["timeouts"], counted["late"], counted["foreign"]) == (1, 1, 0)
    wire.tally.foreign = 5
    assert bus.counted()["timeouts"] == 0


# -- a device that closes after each answer -------------------------------------------------------------------------


def closes(wire: FakeWire, *, after: int = 1, delay_s: float = 0.0) -> Behaviour:
    """Answers, and ends the connection after so many answers; the end is seen after delay_s."""
    left = [after]

    def cut(of: int) -> None:
        if wire.up and len(wire.connects) == of:
            wire.lose()

    async def behave(op: Read | Write) -> Registers:
        if left[0] == 0:
            left[0] = after
        mine = len(wire.connects)
        await asyncio.sleep(0.01)
        if not wire.up or len(wire.connects) != mine:
            raise BusClosed("lost")
        left[0] -= 1
        if left[0] == 0:
            asyncio.get_running_loop().call_later(delay_s, cut, len(wire.connects))
        return tuple(range(op.count)) if isinstance(op, Read) else ()

    return behave


async def served(bus: Bus, seconds: float, *, requests: int = 3) -> tuple[int, int]:
    """Of polls of several requests, one a second: those that came through, and all."""
    good = polls = 0
    until_s = now_s() + seconds
    while now_s() < until_s:
        polls += 1
        due = now_s() + 1.0
        answers_ = [await outcome(bus, 1) for _ in range(requests)]
        good += all(answer == (0, 1) for answer in answers_)
        await asyncio.sleep(max(due - now_s(), 0.0))
    return good, polls


@pytest.mark.parametrize("delay_s", [0.0, 0.002, 0.3])
@pytest.mark.parametrize("after", [1, 2])
async def test_a_device_that_closes_after_each_answer_is_polled_at_the_tick(
    make_bus: MakeBus, delay_s: float, after: int
) -> None:
    wire = FakeWire()
    wire.units[1] = closes(wire, after=after, delay_s=delay_s)
    bus, _ = await make_bus(wire)
    await served(bus, 5.0)
    wire.log.clear()
    good, polls = await served(bus, 40.0)
    assert good == polls
    assert len(wire.log) == 3 * polls, "nothing is sent into a connection that is being closed"
    assert bus.line.generation <= 4, "it is the same device, asked anew who it is once a minute"


@pytest.mark.parametrize("idle_s", [0.2, 0.7])
async def test_a_device_that_closes_what_is_idle_is_polled_at_the_tick(make_bus: MakeBus, idle_s: float) -> None:
    bus, wire = await make_bus()

    async def close_idle() -> None:
        while True:
            await asyncio.sleep(0.05)
            last_s = max([wire.connects[-1], *wire.ended[-1:]])
            if wire.up and not wire.in_flight and now_s() - last_s > idle_s:
                wire.lose()

    closing = asyncio.create_task(close_idle())
    await served(bus, 8.0)
    good, polls = await served(bus, 60.0)
    closing.cancel()
    assert good == polls


async def test_who_closes_is_asked_who_it_is_once_a_minute(make_bus: MakeBus) -> None:
    wire = FakeWire()
    wire.units[1] = closes(wire)
    bus, _ = await make_bus(wire)
    await served(bus, 5.0)
    before = bus.line.generation
    good, polls = await served(bus, 600.0)
    assert 9 <= bus.line.generation - before <= 11
    assert good == polls


async def test_a_write_to_a_device_that_closes_is_sent_once(make_bus: MakeBus) -> None:
    wire = FakeWire()
    wire.units[1] = closes(wire)
    bus, _ = await make_bus(wire)
    await served(bus, 5.0)
    wire.log.clear()
    assert await bus.request(1, WRITE, priority=Priority.WRITE) == ()
    assert [op for _, _, op in wire.log] == [WRITE]


async def test_a_device_that_closes_and_then_listens_no_more_is_lost(make_bus: MakeBus) -> None:
    wire = FakeWire()
    wire.units[1] = closes(wire)
    bus, _ = await make_bus(wire, timeout_s=1.0)
    await served(bus, 5.0)
    wire.refuses = True
    began = now_s()
    assert isinstance(await outcome(bus, 1), BusClosed)
    assert now_s() - began <= 1.0, "the deadline of a request"
    assert not bus.line.connected
    gaps = [later - earlier for earlier, later in pairwise(wire.connects[-3:])]
    wire.refuses = False
    await bus.line.wait_connected()
    assert gaps
    assert (await served(bus, 5.0, requests=1))[0] >= 3


async def test_a_device_that_closes_once_is_made_anew_as_ever(make_bus: MakeBus) -> None:
    bus, wire = await make_bus()
    await usable(bus)
    wire.lose()
    assert not bus.line.connected
    lost = now_s()
    await bus.line.wait_connected()
    assert (now_s() - lost, bus.line.generation) == (pytest.approx(1.0, abs=0.02), 2)


async def test_a_device_that_ends_its_habit_keeps_its_connection(make_bus: MakeBus) -> None:
    wire = FakeWire()
    wire.units[1] = closes(wire)
    bus, _ = await make_bus(wire)
    await served(bus, 5.0)
    wire.units.clear()
    await served(bus, 70.0)
    before = len(wire.connects)
    await served(bus, 70.0)
    assert len(wire.connects) == before


async def test_a_silent_connection_is_listened_to_until_the_next(make_bus: MakeBus) -> None:
    """Whoever is only late is known by its answer."""
    bus, wire = await make_bus(FakeWire(units={1: silent}), timeout_s=0.1)
    while bus.line.connected:
        await outcome(bus, 1)
    assert now_s() - wire.connects[0] == pytest.approx(0.3)
    assert wire.up
    await asyncio.sleep(0.6)
    assert (wire.up, len(wire.connects)) == (True, 1)
    await asyncio.sleep(0.2)
    assert (wire.closes, len(wire.connects)) == (1, 2)


async def test_where_answers_have_no_numbers_a_late_one_is_waited_for_before_and_after_the_next_connect(
    make_bus: MakeBus,
) -> None:
    """One that comes ends the first wait: a gateway may still give another to whoever connects next."""
    bus, wire = await make_bus(FakeWire(debris=True), timeout_s=1.0, drain_s=1.0)
    for late_s, up_again_s in ((0.4, 1.4), (5.0, 2.0)):
        await bus.line.wait_connected()
        await asyncio.sleep(20.0)
        wire.units[1], wire.debris = silent, True
        assert isinstance(await outcome(bus, 1), BusTimeout)
        ended_s, connects = now_s(), len(wire.connects)
        asyncio.get_running_loop().call_later(late_s, lambda: setattr(wire.tally, "late", wire.tally.late + 1))
        assert wire.up
        await bus.line.wait_connected()
        assert now_s() - ended_s == pytest.approx(up_again_s, abs=0.06)
        assert len(wire.connects) == connects + 1


async def test_who_never_answers_is_listened_to_for_longer_now_and_then(make_bus: MakeBus) -> None:
    """A device that takes more than three deadlines for each answer is late, too. One that answered once is not."""
    silences = []
    for known in (False, True):
        bus, wire = await make_bus(timeout_s=1.0)
        assert not known or await usable(bus, 1)
        wire.units[1] = silent
        wire.log.clear()
        for _ in range(6):
            await bus.line.wait_connected()
            before = len(wire.log)
            while bus.line.connected:
                await outcome(bus, 1)
            silences.append(len(wire.log) - before)
    assert silences == [3, 12, 3, 3, 3, 12, *[3] * 6]


async def test_the_slowest_answer_is_remembered_and_soon_forgotten(make_bus: MakeBus) -> None:
    bus, wire = await make_bus(FakeWire(units={1: answers(0.8)}))
    await bus.request(1, READ)
    assert bus.answer_s == pytest.approx(0.8)
    wire.units[1] = answers(0.1)
    await bus.request(1, READ)
    assert bus.answer_s > 0.7
    for _ in range(40):
        await bus.request(1, READ)
    assert bus.answer_s == pytest.approx(0.1, abs=0.02)
