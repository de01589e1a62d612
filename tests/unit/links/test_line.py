"""A wire is kept connected, and made anew; one that its device closes after each answer is joined again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import pairwise

import pytest

from derctl.core.exchange import Read, Registers, Write
from derctl.errors import BusClosed, BusFrameError, BusTimeout, DeviceRefused
from derctl.links.bus import Bus
from derctl.links.doubt import CONNECT_TRIES, GIVE_UP_PATIENT
from derctl.links.line import Line
from derctl.links.turns import Priority
from tests.bus import (
    READ,
    WRITE,
    Behaviour,
    FakeWire,
    MakeBus,
    any_write,
    fails,
    outcome,
    poll_each_second,
    silent,
    usable,
)
from tests.wire import now_s


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


async def test_what_a_gateway_says_of_others_does_not_clear_the_doubt(make_bus: MakeBus) -> None:
    """The gateway answers, and what is behind it does not."""
    no_answer = DeviceRefused(11, function=3, address=1, count=1)
    bus, _ = await make_bus(FakeWire(units={1: silent, 2: silent, 3: fails(no_answer), 4: silent}))
    for unit in (1, 2, 3):
        await outcome(bus, unit)
    assert bus.line.connected
    await outcome(bus, 4)
    assert not bus.line.connected


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
    assert await bus.request(1, WRITE, priority=Priority.WRITE, permit=any_write) == ()
    assert [op for _, _, op in wire.log] == [WRITE]


async def test_a_device_that_closes_is_closed_before_it_does_so(make_bus: MakeBus) -> None:
    wire = FakeWire()
    wire.units[1] = closes(wire, delay_s=0.3)
    bus, _ = await make_bus(wire)
    await served(bus, 5.0)
    assert await usable(bus, 1)
    assert (wire.up, bus.line.connected) == (False, True), "it is joined again for the next request"


@pytest.mark.parametrize(("lost", "answer"), [(1, (0, 1)), (2, None)])
async def test_a_request_that_such_a_device_did_not_see_is_sent_once_more(
    make_bus: MakeBus, lost: int, answer: object
) -> None:
    """A reset may overtake the request. Two in a row are no habit."""
    wire = FakeWire()
    usual = wire.units[1] = closes(wire)
    bus, _ = await make_bus(wire)
    await served(bus, 5.0)
    left = [lost]

    async def resets(op: Read | Write) -> Registers:
        if not left[0]:
            return await usual(op)
        left[0] -= 1
        wire.lose()
        raise BusClosed("reset")

    wire.units[1] = resets
    wire.log.clear()
    found = await outcome(bus, 1)
    assert len(wire.log) == 2
    assert (found if answer else isinstance(found, BusClosed)) == (answer or True)
    assert bus.line.connected == bool(answer)


async def test_who_closes_before_it_is_ready_is_asked_no_third_time(make_bus: MakeBus) -> None:
    wire = FakeWire()
    wire.units[1] = closes(wire)
    bus, _ = await make_bus(wire, connect_delay_s=0.3)
    await served(bus, 5.0)
    connect = wire.connect

    async def hasty(on_lost: Callable[[BusClosed], None]) -> None:
        await connect(on_lost)
        asyncio.get_running_loop().call_later(0.1, wire.lose)

    wire.connect, before = hasty, len(wire.connects)
    async with asyncio.timeout(5.0):
        assert isinstance(await outcome(bus, 1), BusClosed)
    assert len(wire.connects) - before == 2


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
