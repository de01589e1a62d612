"""Swings that are large, quick, in a row and a loop's own doing make it slower; after three times it is held."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from math import pi, sin
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from derctl.core.engine import step
from derctl.core.hunting import QUIET_S, START, Memory, guarded
from derctl.core.plan import Plan
from derctl.core.response import Lag
from derctl.core.types import DerState, Proposal
from derctl.core.words import Reason
from derctl.functions import plan_of
from derctl.functions.volt_var import VoltVar
from tests import make

Said = Callable[[float], Proposal]


def var(share: float) -> Proposal:
    return Proposal(by="volt_var", rank=30, q_var=share * 10_000.0)


def ceiling(share: float) -> Proposal:
    return Proposal(by="volt_watt", rank=20, p_ceiling_w=share * 10_000.0)


def gives(share: float, v_pu: float | None) -> DerState:
    der = make.pv("pv1", p_w=share * 10_000.0, q_var=share * 10_000.0)
    return der if v_pu is None else make.again(der, v_pu=v_pu)


def run(
    shares: Iterable[float],
    says: Said = var,
    *,
    memory: Memory = START,
    own: float = 0.1,
    tick_s: float = 1.0,
    **seen: Any,
) -> tuple[Memory, Proposal]:
    """A tick each. own: what the voltage moves with what is given; below 0 it goes against it."""
    said = says(0.0)
    for n, share in enumerate(shares):
        der = gives(seen.get("given", share), seen.get("v_pu", 1.0 + own * share))
        memory, said = guarded(memory, says(share), der, t_s=1_000.0 + n * tick_s, tick_s=tick_s, dt_s=tick_s)
    return memory, said


def wave(
    seconds: float, *, period_s: float = 6.0, swing: float = 0.2, middle: float = 0.5, tick_s: float = 1.0
) -> list[float]:
    """Peak to peak `swing`."""
    count = int(seconds / tick_s)
    return [middle + 0.5 * swing * sin(2.0 * pi * n * tick_s / period_s) for n in range(count)]


@pytest.mark.parametrize("says", [var, ceiling])
@pytest.mark.parametrize(
    ("shares", "stage"),
    [
        (wave(30), 1),
        (wave(50), 2),
        (wave(15), 0),
        (wave(30, swing=0.035), 1),
        (wave(300, swing=0.029), 0),
        (wave(300, period_s=20.0), 0),
        ([0.5] * 300, 0),
        ([0.5 + 0.001 * n for n in range(300)], 0),
        (wave(12) + [0.5] * 30 + wave(12), 0),
    ],
)
def test_large_quick_swings_in_a_row_make_it_slower(says: Said, shares: list[float], stage: int) -> None:
    memory, said = run(shares, says)
    assert memory.stage == stage and said == says(shares[-1])


@pytest.mark.parametrize(("own", "stage"), [(0.3, 1), (-0.3, 0), (0.0, 0)])
def test_swings_that_the_voltage_does_not_follow_are_somebody_else_s(own: float, stage: int) -> None:
    """A hob that cycles lifts and lowers the voltage against what the inverter makes of it."""
    assert run(wave(30), own=own)[0].stage == stage


def test_a_ceiling_that_the_power_does_not_reach_moves_nothing() -> None:
    assert run(wave(300), ceiling, given=0.1)[0].stage == 0


@pytest.mark.parametrize("seen", [{"v_pu": None}])
def test_without_a_voltage_or_a_word_nothing_is_seen(seen: dict[str, Any]) -> None:
    assert run(wave(300), **seen)[0] == START
    assert run(wave(300), lambda share: Proposal(by="x", rank=1, p_floor_w=share))[0] == START
    blind = make.again(make.pv("pv1"), v_pu=1.0)
    for says in (var, ceiling):
        assert guarded(START, says(0.5), blind, t_s=0.0, tick_s=1.0, dt_s=1.0)[0] == START


def test_at_a_slow_tick_a_swing_may_take_as_many_ticks() -> None:
    slow = wave(600, period_s=20.0, tick_s=5.0)
    assert run(slow, tick_s=5.0)[0].stage >= 1


def test_each_stage_halves_the_loop_s_own_time_and_after_three_its_var_stands_in_the_middle_of_the_swing() -> None:
    memory, paces = START, []
    for n, share in enumerate(wave(150)):
        stage = memory.stage
        memory, said = guarded(
            memory, var(share), gives(share, 1.0 + 0.1 * share), t_s=float(n), tick_s=1.0, dt_s=1.0
        )
        if memory.stage != stage:
            paces.append(memory.pace)
    assert paces == [0.5, 0.25, 0.125]
    assert memory.held == pytest.approx(0.5, abs=0.02)
    assert said.q_var == pytest.approx(5_000.0, abs=200.0) and said.why is Reason.HUNTING


HELD = Memory(stage=3, held=0.5)


def test_a_ceiling_that_is_held_may_still_come_down_and_not_go_up_again() -> None:
    memory, said = run([0.8], ceiling, memory=HELD)
    assert said.p_ceiling_w == 5_000.0
    memory, said = run([0.3, 0.9], ceiling, memory=memory)
    assert said.p_ceiling_w == 3_000.0 and said.why is Reason.HUNTING


def test_a_word_about_something_else_passes_while_it_is_held() -> None:
    other = Proposal(by="x", rank=1, p_floor_w=3.0)
    for der in (make.pv("pv1"), make.pv("pv1", p_max_w=0.0)):
        assert guarded(HELD, other, der, t_s=0.0, tick_s=1.0, dt_s=1.0)[1] == other
    nothing = make.pv("pv1", p_max_w=0.0)
    assert guarded(HELD, ceiling(0.5), nothing, t_s=0.0, tick_s=1.0, dt_s=1.0)[1] == ceiling(0.5)


def test_it_gets_quicker_one_stage_in_ten_minutes_and_in_twice_as_long_after_it_hunted_again() -> None:
    memory = HELD
    stages = []
    for n in range(4 * int(QUIET_S) + 4):
        memory, _ = guarded(memory, var(0.5), gives(0.5, 1.05), t_s=float(n), tick_s=1.0, dt_s=1.0)
        stages.append((memory.stage, memory.held is not None))
    assert list(dict.fromkeys(stages)) == [(3, True), (3, False), (2, False), (1, False), (0, False)]
    again, _ = run(wave(30), memory=memory)
    assert (again.stage, again.wait_s) == (1, 2.0 * QUIET_S)
    calm = Memory(eased=True, wait_s=2.0 * QUIET_S)
    assert run([0.5] * 10, memory=calm)[0].eased
    assert not guarded(calm, var(0.5), gives(0.5, 1.0), t_s=0.0, tick_s=1.0, dt_s=14_400.0)[0].eased


@given(st.lists(st.floats(-1.0, 1.0), max_size=200), st.booleans())
def test_what_is_passed_on_is_the_loop_s_own_word_unless_it_is_held(shares: list[float], watts: bool) -> None:
    says, memory = (ceiling if watts else var), START
    for n, share in enumerate(shares):
        memory, said = guarded(memory, says(share), gives(share, 1.0 + share), t_s=float(n), tick_s=1.0, dt_s=1.0)
        assert said == says(share) or memory.held is not None
        assert 0 <= memory.stage <= 3


def slowed(stage: int, dt_s: float) -> float:
    """What the engine's volt-var asks for, dt_s after a step of the voltage, at this stage."""
    plan: Plan = plan_of([(VoltVar(), ("pv1",))], ())
    memories: dict[str, Any] = {"hunting/volt_var/pv1": replace(START, stage=stage)}
    from derctl.functions.lagged import Memory as LagMemory

    memories["volt_var/pv1"] = LagMemory(lag=Lag(y=0.0, u=-0.22))
    der = make.pv("pv1", v_pu=1.05, q_var=0.0)
    _, (decision,) = step(plan, memories, make.site(der), dt_s)
    assert decision.setpoint.q_var is not None
    return decision.setpoint.q_var


@pytest.mark.parametrize("stage", [0, 1, 2, 3])
def test_a_stage_is_exactly_a_doubled_response_time(stage: int) -> None:
    """5 s to 90 % at stage 0 (category B), 10, 20 and 40 s after."""
    assert slowed(stage, 5.0 * 2**stage) == pytest.approx(0.9 * -2_200.0, rel=1e-9)
