"""What `identify` finds out of houses whose times, gains and grid are known."""

from __future__ import annotations

from typing import Any

import pytest

from derctl.commission import fit, seen
from derctl.commission.identify import LISTEN_S, STEP_PU, Found, Subject, identify
from derctl.commission.pull import Half, grain, pulls
from derctl.core import belief
from derctl.core.stages import Heard, Sample, Stage
from derctl.core.types import NOTHING, Capability, Port, Setpoint
from derctl.core.value import replace
from derctl.core.words import Belief, Flaw
from tests.stepped import RATING, House, played

PV = Capability(ac=Port(limit=True, var=True))
STORE = Capability(ac=Port(aim=True), battery=Port(aim=True))


def subject(**given: Any) -> Subject:
    usual: dict[str, Any] = {"rating": RATING, "can": PV, "most_w": 10_000.0, "within_w": 1_000.0}
    return Subject(**usual | given)


def found_in(house: House, **given: Any) -> Found:
    found, _ = played(identify(subject(**given), belief.start("house")), house.hear)
    return found


@pytest.mark.parametrize(
    "house",
    [
        {"dead_s": 0.3, "t90_s": 1.0, "refresh_s": 0.5},
        {"dead_s": 0.8, "t90_s": 2.0, "refresh_s": 1.0},
        {"dead_s": 2.0, "t90_s": 6.0, "refresh_s": 2.0},
        {"dead_s": 1.5, "t90_s": 4.0, "refresh_s": 5.0},
        {"dead_s": 0.5, "t90_s": 1.8, "refresh_s": 1.0, "ramp_per_s": 500.0},
    ],
)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_dead_time_response_and_refresh_are_those_of_the_plant(house: dict[str, Any], seed: int) -> None:
    """Dead time within one refresh, t90 within a tenth. A ramp of 500 W a second makes 90 % of 1 kW in 1.8 s."""
    found = found_in(House(seed=seed, **house), periods=10 if house["refresh_s"] < house["t90_s"] else 20).der
    ramp = house.get("ramp_per_s")
    for answer, step_w in ((found.fall, 1_000.0), (found.rise, 1_000.0), (found.var, 2_000.0)):
        t90_s = house["t90_s"] if ramp is None else 0.9 * step_w / ramp
        assert answer.dead_s == pytest.approx(house["dead_s"], abs=house["refresh_s"])
        assert answer.t90_s == pytest.approx(t90_s, rel=0.1)
        assert answer.gain == pytest.approx(1.0, abs=0.05)
        assert (answer.ramp_w_per_s is not None) is (ramp is not None)
        if ramp is not None:
            assert answer.ramp_w_per_s == pytest.approx(ramp, rel=0.1)
    assert found.refresh_s == pytest.approx(house["refresh_s"], rel=0.05)
    assert found.flaws == ()


GRIDS = ((2e-4, 1e-4), (5e-4, 3e-4), (1e-3, 1e-4), (3e-4, 1e-3))
"""Noise of a reading and walk of the voltage, per unit and per root second."""


def waved(house: House, periods: int = 10) -> list[Half]:
    """A square wave of var, as `identify` makes one."""
    stages = [Stage(setpoint=Setpoint(q_var=q), seconds=11.0) for q in (1_000.0, -1_000.0)]
    heard = [house.hear(stages[n % 2]) for n in range(2 * periods + 1)]
    return seen.halves(heard, RATING.s_max_va, 3.0 + house.dead_s)


def test_what_var_moves_lies_within_two_errors_95_times_of_100() -> None:
    held = 0
    for seed in range(100):
        noise, walk = GRIDS[seed % len(GRIDS)]
        house = House(seed=seed, x_pu=0.03, v_noise=noise, v_walk=walk, t90_s=1.0, dead_s=0.3, refresh_s=0.5)
        pull = pulls([waved(house)]).q
        held += abs(pull.v_pu - 0.03) <= 2.0 * pull.error
        assert pull.error < 0.5 * 0.03
    assert held >= 95


def test_power_and_var_are_told_apart() -> None:
    """The sun that moves the power while var is stepped is not taken for var."""
    v = {(p, q): 1.0 + 0.05 * p + 0.03 * q for p in (0.5, 0.6, 0.8) for q in (-0.1, 0.1)}
    powers = (0.5, 0.8, 0.6, 0.6, 0.8, 0.5, 0.5, 0.8, 0.6)
    run = [Half(p=p, q=q, v=v[p, q]) for n, p in enumerate(powers) for q in ((0.1,) if n % 2 else (-0.1,))]
    found = pulls([run])
    assert found.p.v_pu == pytest.approx(0.05, abs=1e-9)
    assert found.q.v_pu == pytest.approx(0.03, abs=1e-9)


def test_a_coarse_register_makes_the_error_larger() -> None:
    """A voltage in steps of 0.1 V tells 0.3 V of a step no better than by a tenth of a volt or so."""
    step = 0.1 / 230.0
    assert grain([1.0, 1.0 + step, 1.0 + 3.0 * step] * 10) == pytest.approx(step)
    assert grain([1.0, 1.1, 1.2]) == 0.0
    run = [Half(p=0.5, q=0.1 if n % 2 else -0.1, v=1.0 + (0.003 if n % 2 else 0.0)) for n in range(9)]
    assert pulls([run]).q.error == pytest.approx(0.0, abs=1e-12)
    found = pulls([run], step).q
    assert found.error == pytest.approx(step * (1.0 / 6.0) ** 0.5 / 0.2, rel=0.02)


@pytest.mark.parametrize("halves", [0, 3, 6])
def test_few_halves_tell_nothing(halves: int) -> None:
    run = [Half(p=0.5, q=0.1 * (-1) ** n, v=1.0) for n in range(halves)]
    assert pulls([run]) == (None, None)


def test_halves_that_stand_in_line_tell_nothing() -> None:
    run = [Half(p=0.1 * (-1) ** n, q=0.1 * (-1) ** n, v=1.0) for n in range(12)]
    assert pulls([run]) == (None, None)


@pytest.mark.parametrize(
    ("house", "flaws"),
    [
        ({"p_part": 0.0}, (Flaw.SETPOINT_IGNORED,)),
        ({"p_part": 0.5}, (Flaw.SETPOINT_PARTLY,)),
        ({"p_part": -1.0}, (Flaw.SETPOINT_INVERTED,)),
        ({"q_part": 0.0}, (Flaw.VAR_IGNORED,)),
        ({"q_part": -1.0}, (Flaw.VAR_INVERTED,)),
        ({"q_part": 0.5}, (Flaw.VAR_PARTLY,)),
        ({"q_real": -1.0}, (Flaw.VAR_AGAINST_VOLTAGE,)),
        ({"refuses": "exception 1"}, (Flaw.SETPOINT_IGNORED, Flaw.VAR_IGNORED)),
        ({}, ()),
    ],
)
def test_what_a_der_does_wrong_is_named(house: dict[str, Any], flaws: tuple[Flaw, ...]) -> None:
    assert found_in(House(**house), periods=5).der.flaws == flaws


@pytest.mark.parametrize(
    ("slope", "belief", "flaws"),
    [
        (1.0, Belief.PROVEN, ()),
        (-1.0, Belief.DOUBTED, (Flaw.METER_REVERSED,)),
        (0.0, Belief.DOUBTED, (Flaw.METER_UNMOVED,)),
        (0.1, Belief.DOUBTED, (Flaw.METER_SCALED,)),
        (2.0, None, (Flaw.METER_SCALED,)),
    ],
)
@pytest.mark.parametrize("late_s", [0.0, 3.0])
def test_the_meter_is_judged_by_the_steps(
    slope: float, belief: Belief | None, flaws: tuple[Flaw, ...], late_s: float
) -> None:
    found = found_in(House(slope=slope, late_s=late_s, meter_s=1.0)).meter
    assert belief is None or found.belief is belief
    assert found.flaws == flaws
    assert found.slope == pytest.approx(slope, abs=0.1)


def test_how_late_the_meter_is_and_how_often_it_shows_something_new() -> None:
    found = found_in(House(late_s=3.0, meter_s=1.0)).meter
    assert found.delay_s == pytest.approx(3.0, abs=1.0)
    assert found.refresh_s == pytest.approx(1.0, abs=0.3)


@pytest.mark.parametrize(("trap_w", "least_w"), [(450.0, 500.0), (1_200.0, 1_500.0)])
def test_a_limit_that_sends_it_off_is_found(trap_w: float, least_w: float) -> None:
    """The last act, so that all else is known by then."""
    house = House(trap_w=trap_w)
    found = found_in(house, within_w=9_000.0, periods=2).der
    assert found.flaws == (Flaw.MINIMUM_ON,)
    assert found.least_w == least_w
    assert found.dv_dq is not None
    assert house.stages[-2].setpoint.p_ceiling_w < trap_w < house.stages[-1].setpoint.p_ceiling_w


def test_one_that_goes_all_the_way_down_has_no_minimum() -> None:
    found = found_in(House(), within_w=9_000.0, periods=2)
    assert (found.der.least_w, found.der.flaws, found.notes) == (100.0, (), ())


def test_what_the_user_does_not_allow_is_not_looked_for() -> None:
    """A minimum is at the bottom: with 1 kW of 8 nobody sees it, and it says what would be needed."""
    found = found_in(House(trap_w=450.0), periods=2)
    assert found.der.flaws == ()
    assert any(note.startswith("minimum: not looked for") and "--within 7" in note for note in found.notes)


@pytest.mark.parametrize("within_w", [400.0, 1_000.0, 9_000.0])
@pytest.mark.parametrize("most_w", [5_000.0, 10_000.0])
def test_nobody_is_moved_further_than_allowed(within_w: float, most_w: float) -> None:
    """Neither above what stood in it, nor by more than was said from what it gave."""
    house = House()
    found_in(house, within_w=within_w, periods=2, most_w=most_w)
    told = [stage.setpoint for stage in house.stages if stage.setpoint != NOTHING]
    limits = [each.p_ceiling_w for each in told]
    assert max(limits) <= min(8_000.0, most_w)
    assert min(limits) >= max(limits) - within_w - 1e-9
    assert max(abs(each.q_var or 0.0) for each in told) <= min(within_w, STEP_PU * RATING.s_max_va)
    assert [stage.setpoint for stage in house.stages[:2]] == [NOTHING, NOTHING]


@pytest.mark.parametrize(
    ("house", "given", "says"),
    [
        ({"sun_w": 300.0}, {}, "power: it gives"),
        ({}, {"within_w": 100.0}, "power: 100 W is too little"),
        ({}, {"can": Capability(ac=Port(var=True))}, "power: it takes no setpoint"),
        ({}, {"can": Capability(ac=Port(limit=True))}, "var: it takes none"),
        ({"sun_w": 0.0}, {"can": STORE, "most_w": 100.0, "least_w": -100.0}, "power: its limits leave no room"),
    ],
)
def test_what_can_t_be_found_out_is_said(house: dict[str, Any], given: dict[str, Any], says: str) -> None:
    found = found_in(House(**house), periods=2, **given)
    assert any(note.startswith(says) for note in found.notes)
    assert found.meter is None or "var" in says


@pytest.mark.parametrize(("most_w", "high_w"), [(10_000.0, 1_000.0), (0.0, 0.0)])
def test_a_store_is_aimed_and_charges_where_nothing_more_may_go_out(most_w: float, high_w: float) -> None:
    house = House(sun_w=0.0)
    found_in(house, can=STORE, most_w=most_w, least_w=-5_000.0, periods=2)
    told = {stage.setpoint.p_target_w for stage in house.stages if stage.setpoint != NOTHING}
    assert sorted(told) == pytest.approx([high_w - 1_000.0, high_w], abs=10.0)


def test_a_voltage_that_nobody_measures_is_said() -> None:
    def deaf(heard: Heard) -> Heard:
        return replace(heard, samples=tuple(replace(each, v_pu=None) for each in heard.samples))

    house = House()
    found, _ = played(identify(subject(periods=2), belief.start("x")), lambda stage: deaf(house.hear(stage)))
    assert (found.der.dv_dp, found.der.dv_dq) == (None, None)
    assert "voltage: what moves it was not measured" in found.notes


def test_a_der_that_is_not_heard_has_no_answer() -> None:
    def mute(stage: Stage) -> Heard:
        return Heard(at_s=0.0, samples=(), sent=stage.setpoint)

    found, _ = played(identify(subject(), belief.start("x")), mute)
    assert found.der.fall is None
    assert found.der.refresh_s is None
    assert "power: what it gives is not measured" in found.notes


def test_a_der_that_falls_silent_on_the_way_ends_in_a_note() -> None:
    house, count = House(), 0

    def fading(stage: Stage) -> Heard:
        nonlocal count
        count += 1
        heard = house.hear(stage)
        return heard if count <= 2 else replace(heard, samples=())

    found, _ = played(identify(subject(can=Capability(ac=Port(limit=True))), belief.start("x")), fading)
    assert "power: what it makes of a step is not measured" in found.notes


@pytest.mark.parametrize("polls", [0, 1, 4])
def test_registers_that_never_change_have_no_refresh(polls: int) -> None:
    samples = [Sample(t_s=float(n), p_w=1.0) for n in range(polls)]
    assert fit.refresh_s(samples) is None
    assert len(fit.news(samples)) == min(polls, 1)


def test_what_refreshes_between_two_polls_was_measured_half_way() -> None:
    samples = [Sample(t_s=0.25 * n, p_w=float(n // 4)) for n in range(9)]
    assert [t_s for t_s, _ in fit.news(samples)] == [0.0, 0.875, 1.875]
    quick = [Sample(t_s=0.25 * n, p_w=float(n)) for n in range(5)]
    assert [t_s for t_s, _ in fit.news(quick)] == [0.0, 0.25, 0.5, 0.75, 1.0]


def test_the_load_is_heard_before_anybody_is_moved() -> None:
    house = House(sun_w=0.0)
    found_in(house, can=Capability(ac=Port()))
    assert [stage.seconds for stage in house.stages] == [LISTEN_S, LISTEN_S]
