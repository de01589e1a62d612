"""The meter's power against its phases' sum, its counters and another meter, over seconds of a known plant."""

from __future__ import annotations

from collections.abc import Callable
from math import sin
from typing import Any

import pytest

from derctl.core import witness
from derctl.core.types import PocState, Reading
from derctl.core.value import replace
from derctl.core.witness import Memory, contradiction
from derctl.core.words import Doubt
from tests import make

Watts = Callable[[float], float]


def flow(t_s: float) -> float:
    """What truly goes out, W: the sun and loads, up and down."""
    return 3000.0 + 2500.0 * sin(t_s / 40.0) - (2000.0 if t_s % 300.0 < 90.0 else 0.0)


def zero(t_s: float) -> float:
    return 4.0 * sin(t_s)


class Counters:
    """Two registers that count in steps, `every_s`."""

    def __init__(self, step_wh: float = 1.0, every_s: float = 1.0) -> None:
        self.step_wh, self.every_s = step_wh, every_s
        self.true_wh, self.shown_wh = [5000.0, 800.0], [5000.0, 800.0]

    def count(self, p_w: float, t_s: float) -> tuple[float, float]:
        self.true_wh[0] += max(p_w, 0.0) / 3600.0
        self.true_wh[1] += max(-p_w, 0.0) / 3600.0
        if t_s % self.every_s == 0.0:
            self.shown_wh = [wh // self.step_wh * self.step_wh for wh in self.true_wh]
        return self.shown_wh[0], self.shown_wh[1]


def poc(p_w: float | None, *, fresh: bool = True, witness_w: float | None = None, **reading: Any) -> PocState:
    return replace(make.meter(p_w, fresh=fresh), reading=Reading(p_w=p_w, **reading), witness_w=witness_w)


def run(
    seconds: int,
    shows: Watts,
    *,
    memory: Memory = witness.START,
    counters: Counters | None = None,
    begin: int = 0,
    **others: Watts,
) -> Memory:
    """A tick a second. others: phase_sum_w and witness_w, by what they show."""
    for t in range(begin, begin + seconds):
        given: dict[str, Any] = {name: other(t) for name, other in others.items()}
        if counters is not None:
            given["energy_wh"], given["energy_in_wh"] = counters.count(flow(t), t)
        memory = witness.step(memory, poc(shows(t), **given), 1.0)
    return memory  # fmt: skip


def noticed_s(begin: int, shows: Watts, memory: Memory, **given: Any) -> int | None:
    """After how many seconds there is a contradiction, within half an hour."""
    for t in range(begin, begin + 1800):
        memory = run(1, shows, memory=memory, begin=t, **given)
        if contradiction(memory) is not None:
            return t - begin + 1
    return None


def test_nobody_there_is_no_contradiction_and_no_memory() -> None:
    assert run(100, flow) is witness.START
    assert contradiction(witness.START) is None


def test_a_sum_of_phases_that_agreed_and_then_differs_for_ten_seconds_speaks_against_the_power() -> None:
    memory = run(200, flow, phase_sum_w=flow)
    assert contradiction(memory) is None
    assert noticed_s(200, zero, memory, phase_sum_w=flow) in range(10, 15)
    found = contradiction(run(60, zero, memory=memory, begin=200, phase_sum_w=lambda t: 2500.0))
    assert found is not None
    assert found.by is Doubt.PHASE_SUM
    assert "its phases add up to 2,500 W" in found.text


def test_phases_that_never_made_up_the_sum_are_a_map_of_its_own_and_no_witness() -> None:
    assert noticed_s(0, flow, witness.START, phase_sum_w=lambda t: 0.5 * flow(t) - 300.0) is None


def test_phases_of_another_moment_are_no_contradiction() -> None:
    """The meter refreshes them one after the other."""
    memory = run(200, flow, phase_sum_w=flow)
    assert noticed_s(200, flow, memory, phase_sum_w=lambda t: flow(t - 2.0)) is None


def test_at_next_to_no_power_a_sum_learns_nothing() -> None:
    memory = run(200, zero, phase_sum_w=zero)
    assert memory.sum.agreed_s == 0.0


def test_a_sum_that_agrees_again_is_no_contradiction_any_more() -> None:
    memory = run(200, flow, phase_sum_w=flow)
    memory = run(60, zero, memory=memory, phase_sum_w=flow, begin=200)
    assert contradiction(memory) is not None
    assert contradiction(run(30, flow, memory=memory, phase_sum_w=flow, begin=260)) is None


@pytest.mark.no_cover
@pytest.mark.parametrize(("step_wh", "every_s"), [(1.0, 1.0), (1.0, 60.0), (10.0, 1.0), (100.0, 1.0)])
def test_counters_agree_with_a_right_power_for_a_day_and_notice_a_dead_register(
    step_wh: float, every_s: float
) -> None:
    counters = Counters(step_wh, every_s)
    memory = witness.START
    for hour in range(24):
        memory = run(3600, flow, memory=memory, counters=counters, begin=3600 * hour)
        assert contradiction(memory) is None
    assert memory.count.agreed == witness.HEARD
    noticed = noticed_s(86_400, zero, memory, counters=counters)
    assert noticed is not None
    assert noticed <= (600 if step_wh < 50.0 and every_s < 60.0 else 1800)


def test_the_counters_numbers_are_told() -> None:
    counters = Counters()
    memory = run(3600, flow, counters=counters)
    found = contradiction(run(900, lambda t: -flow(t), memory=memory, counters=counters, begin=3600))
    assert found is not None
    assert found.by is Doubt.ENERGY_COUNTER
    assert "its energy counters moved by" in found.text


def test_counters_that_stand_or_count_otherwise_from_the_start_are_no_witness() -> None:
    assert contradiction(run(3600, flow, counters=Counters(step_wh=1e6))) is None
    assert contradiction(run(3600, lambda t: 2.0 * flow(t), counters=Counters())) is None


def test_a_counter_that_falls_and_a_pause_begin_anew() -> None:
    memory = run(3600, flow, counters=Counters())
    assert contradiction(run(3600, flow, memory=memory, counters=Counters())) is None, "it fell"
    gone = witness.step(memory, poc(None), 1.0)
    assert gone.count.out_wh is None
    assert witness.step(gone, poc(5.0, fresh=False), 1.0) is gone
    counters = Counters()
    counters.true_wh[0] += 50_000.0
    assert contradiction(run(3600, flow, memory=gone, counters=counters)) is None, "it went on unseen"


def test_counters_that_agree_again_are_no_contradiction_any_more() -> None:
    counters = Counters()
    memory = run(3600, flow, counters=counters)
    memory = run(900, zero, memory=memory, counters=counters, begin=3600)
    assert contradiction(memory) is not None
    assert contradiction(run(900, flow, memory=memory, counters=counters, begin=4500)) is None


@pytest.mark.parametrize("late_s", [0.0, 5.0, 10.0])
def test_another_meter_that_is_late_agrees(late_s: float) -> None:
    assert noticed_s(0, flow, witness.START, witness_w=lambda t: 1.02 * flow(t - late_s)) is None


@pytest.mark.parametrize("lie", [zero, lambda t: -flow(t), lambda t: 0.1 * flow(t)])
def test_another_meter_that_shows_something_else_for_a_minute_speaks_against_it_from_the_start(lie: Watts) -> None:
    assert noticed_s(200, lie, witness.START, witness_w=flow) in range(60, 121)
    found = contradiction(run(120, lambda t: 20.0, witness_w=lambda t: 900.0))
    assert found is not None
    assert found.by is Doubt.WITNESS
    assert "it showed 20 W in the mean of 30 s, and the witness 900 W" in found.text


def test_another_meter_that_agrees_again_or_differed_once_is_no_contradiction() -> None:
    memory = run(120, zero, witness_w=lambda t: 900.0)
    assert contradiction(run(30, zero, memory=memory, witness_w=zero)) is None
    once = run(30, zero, witness_w=lambda t: 900.0)
    assert contradiction(once) is None
    assert contradiction(run(30, zero, memory=once, witness_w=zero)) is None


def test_a_witness_that_is_not_heard_any_more_keeps_its_last_word() -> None:
    memory = run(120, zero, witness_w=lambda t: 900.0)
    assert witness.step(memory, replace(poc(5.0), fresh=False), 1.0) is memory
