"""A bus whose wire is a shared line: it stays open, its deadlines are learned, who is owed an answer waits."""

from __future__ import annotations

import pytest

from derctl.errors import BusClosed, BusNoise, BusTimeout
from derctl.links.line import UnitPace
from derctl.links.turns import Priority
from tests.bus import READ, FakeWire, MakeBus, answers, fails, outcome, silent, usable
from tests.wire import now_s


async def test_neither_silence_nor_a_broken_frame_opens_a_line_anew(make_bus: MakeBus) -> None:
    wire = FakeWire(units={1: silent, 2: fails(BusNoise("a broken answer"))}, lasting=True)
    bus, _ = await make_bus(wire)
    for unit in 4 * (1, 2):
        await outcome(bus, unit, Priority.WRITE)
    assert await usable(bus)
    assert (bus.line.connects, bus.counters.frame_errors) == (1, 4)


async def test_a_port_that_leads_elsewhere_is_opened_anew_with_the_first_silence(make_bus: MakeBus) -> None:
    bus, wire = await make_bus(FakeWire(units={1: silent}, lasting=True))
    wire.debris = True
    assert isinstance(await outcome(bus, 1), BusTimeout)
    assert not bus.line.connected
    await bus.line.wait_connected()
    assert bus.line.connects == 2


async def test_an_adapter_that_is_pulled_out_again_and_again_has_no_habit_of_closing(make_bus: MakeBus) -> None:
    bus, wire = await make_bus(FakeWire(lasting=True))
    for _ in range(4):
        assert await usable(bus)
        wire.lose()
        assert isinstance(await outcome(bus, 1), BusClosed)
        await bus.line.wait_connected()


@pytest.mark.parametrize("priority", [Priority.POLL, Priority.WRITE])
async def test_who_is_owed_an_answer_is_not_asked_and_holds_up_nobody(make_bus: MakeBus, priority: Priority) -> None:
    bus, wire = await make_bus(FakeWire(owed={1: 0.7}))
    began = now_s()
    answer = await outcome(bus, 1, priority)
    assert isinstance(answer, BusTimeout)
    assert "an answer may still be on its way, asked again in 0.7 s" in str(answer)
    assert await usable(bus, 2)
    assert (wire.served, bus.counters.timeouts) == ([2], 0)
    assert now_s() - began < 0.1


async def test_a_dark_unit_costs_what_it_would_have_needed_itself(make_bus: MakeBus) -> None:
    """Four times 10 ms are below the floor; the silences after the first wait longer, up to the configured time."""
    bus, wire = await make_bus(FakeWire(units={1: answers(0.06)}, span=0.05, lasting=True), timeout_s=1.0)
    await bus.request(1, READ)
    wire.units[1] = silent
    costs = []
    for _ in range(4):
        began = now_s()
        assert isinstance(await outcome(bus, 1, Priority.WRITE), BusTimeout)
        costs.append(now_s() - began)
    assert costs == pytest.approx([0.35, 0.7, 1.0, 1.0])


async def test_the_floor_of_a_deadline_is_the_units_own(make_bus: MakeBus) -> None:
    wire = FakeWire(units={1: answers(0.06)}, span=0.05)
    bus, _ = await make_bus(wire, timeout_s=2.0, units={1: UnitPace(floor_s=0.9)})
    await bus.request(1, READ)
    wire.units[1] = silent
    began = now_s()
    assert isinstance(await outcome(bus, 1), BusTimeout)
    assert now_s() - began == pytest.approx(0.95)


async def test_a_wire_whose_pace_nobody_knows_keeps_its_deadline(make_bus: MakeBus) -> None:
    wire = FakeWire(units={1: answers(0.01)})
    bus, _ = await make_bus(wire, timeout_s=1.0)
    await bus.request(1, READ)
    wire.units[1] = silent
    began = now_s()
    assert isinstance(await outcome(bus, 1), BusTimeout)
    assert now_s() - began == pytest.approx(1.0)


async def test_who_spoke_last_has_silence_behind_it(make_bus: MakeBus) -> None:
    bus, wire = await make_bus(units={1: UnitPace(turnaround_s=0.25)}, min_interval_s=0.1)
    for unit in (1, 2, 1, 1):
        await bus.request(unit, READ)
    pauses = [later - ended for (later, _, _), ended in zip(wire.log[1:], wire.ended, strict=False)]
    assert pauses == pytest.approx([0.25, 0.1, 0.25])
