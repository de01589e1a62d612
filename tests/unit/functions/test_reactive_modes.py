"""watt_var, const_pf and const_var: how they begin, stop and give way. The numbers are in tests/conformance."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from derctl.core.requests import BatteryRequest
from derctl.core.types import Abstain, Proposal
from derctl.core.words import Reason
from derctl.errors import SettingError
from derctl.functions.const_pf import ConstPf
from derctl.functions.const_var import ConstVar
from derctl.functions.operator import OperatorLimit, SetpointFunction
from derctl.functions.utility_limit import UtilityLimit
from derctl.functions.watt_var import WattVar
from tests import make
from tests.timeline import DerTimeline, PlanTimeline


@pytest.mark.parametrize("q_var", [-3_000.0, 0.0, 1_234.5])
def test_they_begin_at_the_measured_var_and_get_there_in_their_response_time(q_var: float) -> None:
    for function, goal in ((ConstVar(q_pu=-0.2), -2_000.0), (WattVar(), -2_200.0)):
        time, der = DerTimeline(function), make.pv(p_w=7_500.0, q_var=q_var)
        assert time.proposes(der, dt_s=0.0).q_var == pytest.approx(q_var, abs=1e-9)
        assert time.proposes(der, dt_s=10.0).q_var == pytest.approx(q_var + 0.9 * (goal - q_var), rel=1e-9)


@pytest.mark.parametrize("function", [WattVar(), ConstPf(pf=0.9)])
@pytest.mark.parametrize("given", [{"p_w": None}, {"p_w": 5_000.0, "fresh": False}])
def test_without_a_fresh_power_they_have_no_input(function: Any, given: dict[str, Any]) -> None:
    assert DerTimeline(function).at(make.pv(**given)) == Abstain("no fresh power", lost=True)


def test_constant_var_needs_to_hear_the_device() -> None:
    said = DerTimeline(ConstVar(q_pu=0.1)).at(make.pv(fresh=False))
    assert said == Abstain("no fresh reading", lost=True)


@pytest.mark.parametrize("function", [WattVar(), ConstPf(pf=0.9), ConstVar(q_pu=0.1)])
def test_a_der_without_apparent_power_has_no_var_to_give(function: Any) -> None:
    assert DerTimeline(function).at(make.pv(p_w=10.0, p_max_w=0.0)) == Abstain("no apparent-power rating")


def test_the_power_that_an_inverter_draws_at_night_is_no_power_of_its_curve() -> None:
    points = ((-1.0, 0.4), (0.0, 0.1), (1.0, -0.4))
    said = DerTimeline(WattVar(points=points)).proposes(make.pv(p_w=-20.0), dt_s=0.0)
    assert said.q_var == pytest.approx(1_000.0)


@pytest.mark.parametrize(
    ("points", "name"),
    [
        (((0.2, 0.0), (0.5, 0.1), (1.0, -0.4)), "points[1]"),
        (((-1.2, 0.4), (1.0, -0.4)), "points[0].p"),
        (((-1.0, 1.4), (1.0, -0.4)), "points[0].q"),
        (((0.5, 0.0), (0.2, -0.4)), "points[1]"),
        (((0.5, 0.0),), "points"),
    ],
)
def test_a_watt_var_curve_that_rises_or_leaves_the_unit_is_refused(points: Any, name: str) -> None:
    with pytest.raises(SettingError) as caught:
        WattVar(points=points)
    assert caught.value.name == name


# ---- constant power factor: var after power

TAN = (1.0 - 0.9**2) ** 0.5 / 0.9


def test_var_follows_the_power_that_is_decided_in_the_same_tick() -> None:
    time = PlanTimeline.of(ConstPf(pf=0.9), UtilityLimit(limit_pu=0.4), der="pv1")
    told = time.told(make.pv(p_w=8_000.0))["pv1"]
    assert told.p_ceiling_w == 4_000.0
    assert told.q_var == pytest.approx(-TAN * 4_000.0)


def test_a_battery_gets_the_var_of_where_it_is_sent() -> None:
    time = PlanTimeline.of(ConstPf(pf=0.9, excitation="injecting"), SetpointFunction(), der="bat1")
    for target_w in (3_000.0, -2_000.0):
        asked = BatteryRequest(id="a", by="home", der="bat1", p_target_w=target_w, remaining_s=60.0)
        told = time.told(make.battery(p_w=500.0), requests=(asked,))["bat1"]
        assert (told.p_target_w, told.q_var) == (target_w, pytest.approx(TAN * abs(target_w)))


def test_excitation_stays_the_same_while_a_battery_charges() -> None:
    for p_w in (2_000.0, -2_000.0):
        said = DerTimeline(ConstPf(pf=0.9)).proposes(make.battery(p_w=p_w))
        assert said.q_var == pytest.approx(-TAN * 2_000.0)


def test_at_full_sun_both_are_scaled_onto_the_circle() -> None:
    told = PlanTimeline.of(ConstPf(pf=0.9), OperatorLimit(), der="pv1").told(make.pv(p_w=10_000.0))["pv1"]
    assert told.p_ceiling_w == pytest.approx(9_000.0)
    assert (told.p_ceiling_w**2 + told.q_var**2) ** 0.5 == pytest.approx(10_000.0)


def test_a_box_that_is_smaller_takes_its_part_of_the_var_alone() -> None:
    der = make.pv(p_w=10_000.0, q=0.2)
    told = PlanTimeline.of(ConstPf(pf=0.9), der="pv1").told(der)["pv1"]
    assert told.q_var == -2_000.0


def test_unheard_the_last_var_is_held_and_not_worked_out_anew() -> None:
    time = PlanTimeline.of(ConstPf(pf=0.9), der="pv1")
    time.told(make.pv(p_w=5_000.0))
    told = time.told(make.again(make.pv(), p_w=None))["pv1"]
    assert told.q_var == pytest.approx(-TAN * 5_000.0)


def test_a_held_word_says_that_it_is_held() -> None:
    said = DerTimeline(ConstPf(pf=0.9)).proposes(make.pv(p_w=5_000.0))
    held = replace(said, why=Reason.HELD)
    time = PlanTimeline(make.plan({"pv1": [held]}, []))
    assert time.told(make.pv(p_w=1_000.0))["pv1"].q_var == pytest.approx(-TAN * 5_000.0)


# ---- the limits of others


@pytest.mark.parametrize("fresh", [True, False])
def test_the_grid_operator_s_order_stands_whatever_is_measured(fresh: bool) -> None:
    said = DerTimeline(UtilityLimit(limit_pu=0.6)).at(make.pv(p_w=None, fresh=fresh))
    assert said == Proposal(by="utility_limit", rank=40, p_ceiling_w=6_000.0)
