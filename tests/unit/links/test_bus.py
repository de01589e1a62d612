"""The bus alone: who is asked next, in what time, and what an exchange gets."""

from __future__ import annotations

import asyncio
import itertools
import random
from itertools import pairwise
from typing import Any

import pytest

from derctl.core.exchange import Exchange, Pause, Read, Registers, Write
from derctl.errors import BusClosed, BusFrameError, BusLate, BusTimeout, DeviceRefused, WriteBarred
from derctl.links.turns import Priority
from tests.bus import (
    READ,
    WRITE,
    FakeWire,
    MakeBus,
    answers,
    any_write,
    fails,
    outcome,
    poll_each_second,
    silent,
    usable,
)
from tests.wire import now_s

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
    await bus.request(2, WRITE, priority=Priority.WRITE, permit=any_write)
    assert wire.served == [1, 1, 2]
    await asyncio.gather(*polls)


async def test_writes_without_a_pause_leave_one_turn_in_five_to_the_polls(make_bus: MakeBus) -> None:
    """On a slow bus each decision asks for the next write while the last one is still on its way."""
    bus, wire = await make_bus()

    async def write_forever(unit: int) -> None:
        while True:
            await bus.request(unit, WRITE, priority=Priority.WRITE, permit=any_write)

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
            await bus.request(unit, op, priority=priority, permit=any_write)

    asking = [asyncio.create_task(forever(1, WRITE, Priority.WRITE))]
    asking += [asyncio.create_task(forever(unit, READ, Priority.POLL)) for unit in (1, 2)]
    await asyncio.sleep(5.0)
    for task in asking:
        task.cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    polled = [unit for _, unit, op in wire.log if op == READ]
    assert abs(polled.count(1) - polled.count(2)) <= 1


async def test_what_is_read_at_leisure_takes_no_turn_from_the_polls_of_its_unit(make_bus: MakeBus) -> None:
    """Else the order of a poll is another each time, and so is the age of its readings."""
    bus, wire = await make_bus()

    async def poll() -> None:
        await asyncio.gather(*(bus.request(unit, READ) for unit in (9, 1, 2, 3)))

    await poll()
    await bus.request(1, READ, priority=Priority.SLOW)
    wire.log.clear()
    await poll()
    assert wire.served == [9, 1, 2, 3]


async def test_a_unit_that_a_tick_asks_twice_costs_the_others_one_deadline(make_bus: MakeBus) -> None:
    """Its poll and a slow block of it both wait, and the first of them meets its silence."""
    bus, wire = await make_bus(FakeWire(units={1: silent}), timeout_s=1.0)
    for _ in range(2):
        await outcome(bus, 1)
    await asyncio.sleep(6.0)
    assert await usable(bus)
    wire.log.clear()
    asked = (outcome(bus, 1), outcome(bus, 1, Priority.SLOW), outcome(bus, 2))
    first, second, other = await asyncio.gather(*asked)
    assert isinstance(first, BusTimeout) and isinstance(second, BusTimeout) and other == (0, 1)
    assert wire.served.count(1) == 1


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
        await bus.request(2, WRITE, priority=Priority.WRITE, permit=any_write, not_after_s=now_s() + 0.5)
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
    assert await bus.request(1, WRITE, priority=Priority.WRITE, permit=any_write) == ()
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


async def test_a_unit_that_refuses_has_answered(make_bus: MakeBus) -> None:
    bus, wire = await make_bus()
    assert await usable(bus)
    refuses = fails(DeviceRefused(2, function=3, address=1, count=1))
    for behaviour in (silent, refuses, silent, refuses):
        wire.units[5] = behaviour
        await outcome(bus, 5)
    assert len(wire.times(5)) == 4, "never silent twice in a row"


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

    first, paused, waited, wrote = await bus.execute(1, exchange(), priority=Priority.WRITE, permit=any_write)
    assert (first, paused, wrote) == ((0, 1), (), ())
    assert waited == pytest.approx(3.0)
    assert [op for _, _, op in wire.log] == [READ, WRITE]


async def test_a_write_that_nobody_permits_never_reaches_the_wire(make_bus: MakeBus) -> None:
    bus, wire = await make_bus()
    closed: list[bool] = []

    def exchange() -> Exchange[None]:
        try:
            yield READ
            yield WRITE
        finally:
            closed.append(True)

    for asking in (bus.execute(1, exchange()), bus.request(1, WRITE, priority=Priority.WRITE)):
        with pytest.raises(WriteBarred, match="at 40100"):
            await asking
    assert [op for _, _, op in wire.log] == [READ]
    assert closed == [True]
    assert await usable(bus)


async def test_each_write_asks_for_its_permit_as_it_is_sent(make_bus: MakeBus) -> None:
    bus, wire = await make_bus()
    asked: list[tuple[Write, int]] = []

    def exchange() -> Exchange[None]:
        for _ in range(2):
            yield WRITE

    await bus.execute(1, exchange(), permit=lambda write: asked.append((write, len(wire.log))))
    assert asked == [(WRITE, 0), (WRITE, 1)]


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


# -- reads in parts -------------------------------------------------------------------------------------------------

LONG = Read(address=100, count=60, cuts=(120, 150))


async def numbered(op: Read | Write) -> Registers:
    """Each register holds its own address."""
    await asyncio.sleep(0.01)
    return tuple(range(op.address, op.address + op.count)) if isinstance(op, Read) else ()


async def test_a_read_in_parts_is_answered_as_a_whole(make_bus: MakeBus) -> None:
    bus, wire = await make_bus(FakeWire(units={1: numbered}))
    assert list(await bus.request(1, LONG)) == list(range(100, 160))
    assert [(op.address, op.count) for _, _, op in wire.log if isinstance(op, Read)] == [
        (100, 20),
        (120, 30),
        (150, 10),
    ]


async def test_a_write_comes_between_the_parts_of_a_read(make_bus: MakeBus) -> None:
    bus, wire = await make_bus(FakeWire(units={1: numbered}))
    reading = asyncio.create_task(bus.request(1, LONG))
    await asyncio.sleep(0.005)
    await bus.request(2, WRITE, priority=Priority.WRITE, permit=any_write)
    assert list(await reading) == list(range(100, 160))
    assert wire.served == [1, 2, 1, 1]


async def test_a_part_that_fails_is_the_end_of_the_read(make_bus: MakeBus) -> None:
    async def refuses(op: Read | Write) -> Registers:
        if op.address == 120:
            raise DeviceRefused(2, function=3, address=op.address, count=30)
        return await numbered(op)

    bus, wire = await make_bus(FakeWire(units={1: refuses}))
    with pytest.raises(DeviceRefused, match="120 x 30"):
        await bus.request(1, LONG)
    assert wire.served == [1, 1]


async def test_parts_that_follow_in_time_are_not_too_late(make_bus: MakeBus) -> None:
    """Each later request may follow its answer within two deadlines: as in an exchange."""
    bus, _ = await make_bus(FakeWire(units={1: numbered}))
    assert len(await bus.request(1, LONG, not_after_s=now_s() + 0.005)) == 60


# -- who is not known yet -------------------------------------------------------------------------------------------


def asks(count: int) -> Exchange[int]:
    """As a walk over the map does; the first silence ends it."""
    for _ in range(count):
        yield READ
    return count


def a_second_apart(late_s: float) -> Any:
    """One request a second is served, as a Fronius Datamanager does: what comes sooner waits for its turn."""
    due = [0.0]

    async def behave(op: Read | Write) -> Registers:
        at_s = max(now_s() + 0.01, due[0])
        due[0] = at_s + late_s
        await asyncio.sleep(at_s - now_s())
        return await answers(0.0)(op)

    return behave


async def meet(bus: Any, unit: int = 7, count: int = 5) -> int | None:
    try:
        found: int = await bus.execute(unit, asks(count), meets=True)
    except BusTimeout:
        return None
    return found


async def test_one_that_answers_slowly_gets_its_time_once_it_was_heard(make_bus: MakeBus) -> None:
    bus, wire = await make_bus(timeout_s=1.0, meet_most_s=5.0)
    wire.units[7] = a_second_apart(1.4)
    began_s = now_s()
    assert await meet(bus) is None, "its second answer takes longer than the usual deadline"
    assert now_s() - began_s == pytest.approx(1.0, abs=0.1)
    await asyncio.sleep(3.0)
    assert await meet(bus) == 5
    with pytest.raises(BusTimeout):  # nobody looks for it: the pace of its profile counts
        await bus.execute(7, asks(5))


async def test_what_the_site_file_gives_as_deadline_stands(make_bus: MakeBus) -> None:
    bus, wire = await make_bus(timeout_s=1.0)
    wire.units[7] = a_second_apart(1.4)
    for _ in range(4):
        assert await meet(bus) is None
        await asyncio.sleep(3.0)


async def test_a_dark_unit_that_was_never_heard_costs_no_more_than_before(make_bus: MakeBus) -> None:
    bus, wire = await make_bus(timeout_s=1.0, meet_most_s=5.0)
    wire.units[7] = silent
    for _ in range(4):
        began_s = now_s()
        assert await meet(bus) is None
        assert now_s() - began_s <= 1.1
        await asyncio.sleep(30.0)


async def test_one_that_was_heard_and_is_dark_gets_the_longest_deadline_only_now_and_then(make_bus: MakeBus) -> None:
    bus, wire = await make_bus(timeout_s=1.0, meet_most_s=5.0)
    assert await meet(bus) == 5
    wire.units[7] = silent
    took_s = []
    for _ in range(5):
        began_s = now_s()
        assert await meet(bus) is None
        took_s.append(round(now_s() - began_s))
        await asyncio.sleep(30.0)
    assert took_s == [1, 2, 4, 5, 1]
