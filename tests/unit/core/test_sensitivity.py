"""What the sun moves of the voltage is learned; what a loop, a load or an aim moves is not; nothing is guessed."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from math import exp, sin
from typing import Any

import pytest

from derctl.core.engine import step
from derctl.core.memories import SENSITIVITY
from derctl.core.plan import Memories
from derctl.core.poc import with_belief
from derctl.core.sensitivity import GAP_S, START, UNKNOWN, Memory, Sensitivity, Terminal, suspicion, told, watched
from derctl.core.types import DerState, Setpoint, SiteState, Trial
from derctl.core.value import replace
from derctl.core.words import Belief, Doubt
from derctl.functions import plan_of
from tests import make

R, X = 0.2, 0.1
"""Of the grid, per unit of the DERs' rating."""
Sky = Callable[[float], float]


def clouds(t_s: float) -> float:
    """Edges of some seconds."""
    return 0.5 + 0.3 * (1.0 if sin(t_s / 23.0) + sin(t_s / 11.0) > 0.0 else -1.0)


def calm(t_s: float) -> float:
    return 0.7


def follows(p: float, q: float) -> float:
    """Var that answers a voltage slowly."""
    return q + (1.0 - exp(-0.4)) * (-0.5 * p - q)


def seen(
    seconds: int,
    *,
    sky: Sky = clouds,
    answers: Callable[[float, float], float] = lambda p, q: 0.0,
    memory: Memory = START,
    from_s: float = 0.0,
    size_w: float = 10_000.0,
    v_at: Callable[[float, float | None], float | None] = lambda t_s, v: v,
    **given: Any,
) -> Memory:
    """A tick each second, one inverter that follows the sky within seconds, and a voltage with noise."""
    dice, p, q = random.Random(3), sky(from_s), 0.0
    for n in range(seconds):
        t_s = from_s + n
        p += (1.0 - exp(-0.5)) * (sky(t_s) - p)
        q = answers(p, q)
        v = v_at(t_s, 1.0 + R * p + X * q + dice.gauss(0.0, 2e-4))
        der = make.pv("pv1", p_max_w=size_w, p_w=p * size_w, q_var=q * size_w, **given)
        der = der if v is None else make.again(der, v_pu=v)
        memory = watched(memory, (der,), None, t_s)
    return memory


def known(memory: Memory) -> Sensitivity:
    return memory.terminals[0].known


def test_clouds_teach_what_power_moves_and_where_var_stood_nothing_is_said_of_it() -> None:
    said = known(seen(600))
    assert said.dv_dp_pu == pytest.approx(R, rel=0.05)
    assert said.dv_dq_pu is None
    assert said.spread_p is not None and said.spread_p < 0.05
    assert said.spread_q is None


def test_var_that_answers_teaches_both() -> None:
    said = known(seen(600, answers=follows))
    assert said.dv_dp_pu == pytest.approx(R, rel=0.1)
    assert said.dv_dq_pu == pytest.approx(X, rel=0.2)


def test_var_that_goes_with_power_at_once_leaves_both_unknown() -> None:
    said = known(seen(600, answers=lambda p, q: -0.3 * p))
    assert (said.dv_dp_pu, said.dv_dq_pu) == (None, None)


def test_var_that_answers_to_the_last_digit_at_once_is_no_division_by_zero() -> None:
    def both(memory: Memory, p: float) -> Memory:
        t_s = 0.0 if memory.t_s is None else memory.t_s + 2.0
        return watched(memory, (make.pv(p_w=p * 10_000.0, q_var=p * 10_000.0, v_pu=1.0),), None, t_s)

    memory = START
    for n in range(9):
        memory = both(memory, 0.25 + 0.5 * (n % 2))
    assert known(memory).dv_dp_pu is None


@pytest.mark.parametrize(
    "given",
    [
        {"written": Setpoint(p_ceiling_w=1_000.0)},
        {"fresh": False},
        {"trial": Trial(p_w=0.0)},
    ],
    ids=["held down", "not heard", "on trial"],
)
def test_nothing_is_learned_of_who_is_held_down_or_not_heard_or_does_not_count(given: dict[str, Any]) -> None:
    assert known(seen(600, **given)) == UNKNOWN


def test_under_a_calm_sky_nothing_is_known() -> None:
    assert known(seen(600, sky=calm)) == UNKNOWN


def test_what_was_learned_stands_while_nothing_moves() -> None:
    memory = seen(600)
    assert known(seen(3_600, sky=calm, memory=memory, from_s=600.0)).dv_dp_pu == pytest.approx(R, rel=0.05)


def test_what_was_learned_stands_over_a_gap_and_a_night() -> None:
    memory = seen(600)
    late = seen(60, memory=memory, from_s=600.0 + 2.0 * GAP_S, fresh=False)
    assert known(late) == known(memory)


def test_a_voltage_that_is_not_told_teaches_nothing_until_it_is_again() -> None:
    assert known(seen(600, v_at=lambda t_s, v: None)) == UNKNOWN
    broken = seen(900, v_at=lambda t_s, v: None if 100.0 <= t_s < 300.0 else v)
    assert known(broken).dv_dp_pu == pytest.approx(R, rel=0.05)


def test_var_that_is_not_told_may_move_the_voltage_too() -> None:
    memory = START
    for n in range(300):
        memory = watched(memory, (make.pv(p_w=1e4 * clouds(n), v_pu=1.0 + R * clouds(n)),), None, float(n))
    assert known(memory) == UNKNOWN


def test_of_another_rating_nothing_was_learned() -> None:
    memory = seen(600)
    assert known(seen(2, size_w=5_000.0, memory=memory, from_s=601.0)) == UNKNOWN


def test_of_no_rating_nothing_is_said() -> None:
    assert known(seen(60, size_w=0.0)) == UNKNOWN


def pair(seconds: int, *others: Callable[[float, float], DerState]) -> Memory:
    """An inverter under clouds and others, each of the same size, at one place."""
    memory, dice = START, random.Random(5)
    for t in range(seconds):
        p = clouds(t)
        rest = [other(t, p) for other in others]
        sum_w = 1e4 * p + sum(der.reading.p_w or 0.0 for der in rest)
        v = 1.0 + R * sum_w / (1e4 * (1 + len(others))) + dice.gauss(0.0, 2e-4)
        ders: Sequence[DerState] = [make.pv("pv1", p_w=1e4 * p, q_var=0.0), *rest]
        memory = watched(memory, [make.again(der, v_pu=v) for der in ders], None, float(t))
    return memory


def test_two_under_one_cloud_say_what_both_together_move() -> None:
    memory = pair(600, lambda t, p: make.pv("pv2", p_w=1e4 * p, q_var=0.0))
    assert [each.known.dv_dp_pu for each in memory.terminals] == [pytest.approx(R, rel=0.05)] * 2


def test_a_store_that_takes_half_of_the_cloud_is_counted_and_teaches_nothing_itself() -> None:
    def store(t: float, p: float) -> DerState:
        return make.battery("bat1", p_max_w=1e4, charge_w=1e4, p_w=-0.5e4 * p, q_var=0.0)

    assert pair(600, store).terminals[0].known.dv_dp_pu == pytest.approx(R, rel=0.05)


def test_a_store_that_follows_a_load_teaches_nothing() -> None:
    """What it gives the load takes, and the voltage does not move: that is no grid without an impedance."""
    memory, size_w = START, 2e4
    for t in range(900):
        load_w = 5e3 * clouds(1.7 * t + 400.0)
        v = 1.0 + R * 1e4 * clouds(t) / size_w
        ders = (
            make.pv("pv1", p_w=1e4 * clouds(t), q_var=0.0, v_pu=v),
            make.battery("bat1", p_max_w=1e4, charge_w=1e4, p_w=load_w, q_var=0.0, v_pu=v),
        )
        memory = watched(memory, ders, None, float(t))
    assert [each.known.dv_dp_pu for each in memory.terminals] == [pytest.approx(R, rel=0.15)] * 2


def test_a_load_that_comes_with_no_cloud_hardly_matters() -> None:
    """A kettle of a fifth of the rating."""
    said = known(seen(900, v_at=lambda t_s, v: None if v is None else v - (0.2 * R if t_s % 170 < 60 else 0.0)))
    assert said.dv_dp_pu is None or said.dv_dp_pu == pytest.approx(R, rel=0.25)


def test_nothing_is_looked_at_between_two_looks() -> None:
    memory = seen(3)
    assert memory.t_s is not None
    assert watched(memory, (make.pv(p_w=0.0),), None, memory.t_s + 1.0) is memory


def test_nothing_learned_is_nothing_known() -> None:
    assert told(Terminal(der="pv1").learned) == UNKNOWN


def test_the_engine_carries_it() -> None:
    memories: Memories = {}
    for t in range(300):
        der = make.pv(p_w=1e4 * clouds(t), q_var=0.0, v_pu=1.0 + R * clouds(t))
        state = SiteState(t_s=float(t), tick_s=1.0, f_nom_hz=50.0, ders=(der,), id="house")
        memories, _ = step(plan_of([], ()), memories, state, 1.0)
    assert known(memories[SENSITIVITY]).dv_dp_pu == pytest.approx(R, rel=0.05)


def claimed(
    seconds: int, *, volts: float = 1.0, meter: float | None = None, memory: Memory = START, from_s: float = 0.0
) -> Memory:
    """As seen. volts: what share of what it claims the voltage shows; meter: what share the meter does."""
    dice, p = random.Random(4), clouds(from_s)
    for n in range(seconds):
        t_s = from_s + n
        p += (1.0 - exp(-0.5)) * (clouds(t_s) - p)
        v = 1.0 + R * p * volts + dice.gauss(0.0, 2e-4)
        poc = None if meter is None else make.meter(1e4 * meter * p - 500.0 + dice.gauss(0.0, 30.0))
        memory = watched(memory, (make.pv("pv1", p_w=1e4 * p, q_var=0.0, v_pu=v),), poc, t_s)
    return memory


def test_a_der_that_claims_what_its_voltage_does_not_show_is_suspected_within_minutes_and_cleared_later() -> None:
    honest = claimed(600)
    assert not known(honest).contradicted
    liar = claimed(300, volts=0.0, memory=honest, from_s=600.0)
    assert known(liar).contradicted
    assert not known(claimed(1_800, memory=liar, from_s=900.0)).contradicted


@pytest.mark.parametrize("shows", [0.0, -1.0, 0.1])
def test_a_meter_that_shows_no_more_what_the_voltage_does_is_suspected(shows: float) -> None:
    right = claimed(600, meter=1.0)
    assert suspicion(right) is None
    found = suspicion(claimed(300, meter=shows, memory=right, from_s=600.0))
    assert found is not None and found.by is Doubt.VOLTAGE
    assert "pv1" in found.text


def test_where_the_voltage_does_not_show_it_either_it_is_not_the_meter() -> None:
    both = claimed(300, volts=0.0, meter=0.0, memory=claimed(600, meter=1.0), from_s=600.0)
    assert both.meter.known.contradicted
    assert suspicion(both) is None


def test_a_meter_that_is_not_heard_is_not_suspected() -> None:
    memory = claimed(300, memory=claimed(600, meter=1.0), from_s=600.0)
    assert (suspicion(memory), memory.meter.v, memory.meter.whole) == (None, None, False)


@pytest.mark.parametrize(("followers", "why"), [((), Doubt.VOLTAGE), (("wallbox",), None)])
def test_the_engine_tells_of_the_meter_unless_others_are_known_to_follow_it(
    followers: tuple[str, ...], why: Doubt | None
) -> None:
    """A suspicion: what is believed of it stays."""
    moved = claimed(300, meter=0.0, memory=claimed(600, meter=1.0), from_s=600.0)
    poc = replace(make.meter(0.0), followers=followers)
    state = SiteState(t_s=900.5, tick_s=1.0, f_nom_hz=50.0, ders=(make.pv("pv1", p_w=0.0),), poc=poc, id="house")
    memories, _ = step(plan_of([], ()), {SENSITIVITY: moved}, state, 1.0)
    said = with_belief(state, memories).poc
    assert said is not None
    assert (said.belief.why, said.belief.contradicted, said.belief.belief) == (why, False, Belief.UNPROVEN)
