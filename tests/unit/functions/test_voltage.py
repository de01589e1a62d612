"""volt_var and volt_watt: how they begin, stop and begin again. The numbers are in tests/conformance."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from derctl.core.types import Abstain, DerState, PocState
from derctl.core.words import Status
from derctl.functions.lagged import fresh_v_pu
from derctl.functions.volt_var import VoltVar
from derctl.functions.volt_watt import VoltWatt
from tests import make
from tests.timeline import DerTimeline


@pytest.mark.parametrize("q_var", [-3_000.0, 0.0, 1_234.5])
def test_volt_var_begins_at_the_measured_var_and_goes_to_the_curve_within_its_response_time(q_var: float) -> None:
    time, der = DerTimeline(VoltVar()), make.pv(v_pu=1.05, q_var=q_var)
    assert time.proposes(der, dt_s=0.0).q_var == pytest.approx(q_var, abs=1e-9)
    assert time.proposes(der, dt_s=5.0).q_var == pytest.approx(q_var + 0.9 * (-2_200.0 - q_var), rel=1e-9)


@pytest.mark.parametrize("p_w", [10_000.0, 5_000.0, 0.0, None])
def test_volt_watt_begins_at_the_measured_power_where_that_is_above_the_curve(p_w: float | None) -> None:
    time, der = DerTimeline(VoltWatt()), make.pv(v_pu=1.09, p_w=p_w)
    begin = max(p_w or 0.0, 4_000.0)
    assert time.proposes(der, dt_s=0.0).p_ceiling_w == pytest.approx(begin)
    assert time.proposes(der, dt_s=10.0).p_ceiling_w == pytest.approx(begin + 0.9 * (4_000.0 - begin))


@pytest.mark.parametrize("function", [VoltVar(), VoltWatt()])
@pytest.mark.parametrize("given", [{"v_v": None}, {"v_pu": 1.09, "fresh": False}])
def test_without_a_fresh_voltage_they_have_no_input_and_go_on_with_their_own_lag(
    function: Any, given: dict[str, Any]
) -> None:
    time, der = DerTimeline(function), make.pv(v_pu=1.09, p_w=9_000.0, q_var=500.0)
    said = time.proposes(der, dt_s=0.0)
    assert time.at(make.pv(p_w=9_000.0, **given)) == Abstain("no fresh voltage", lost=True)
    assert time.proposes(der, dt_s=0.0) == said, "at once where it was"


@pytest.mark.parametrize("v_nom_v", [120.0, 230.0, 277.0])
def test_per_unit_is_of_the_der_s_own_nominal_voltage(v_nom_v: float) -> None:
    der = make.pv(v_v=1.05 * v_nom_v, v_nom_v=v_nom_v)
    assert DerTimeline(VoltVar()).proposes(der, dt_s=0.0).q_var == pytest.approx(-2_200.0)


def test_q_is_per_unit_of_apparent_power_and_p_per_unit_of_active_power() -> None:
    """An inverter of 8 kW and 10 kVA."""
    der = make.pv(v_pu=1.09, p_w=0.0)
    der = replace(der, rating=replace(der.rating, p_max_w=8_000.0))
    var, watt = (DerTimeline(function).proposes(der, dt_s=0.0) for function in (VoltVar(), VoltWatt()))
    assert var.q_var == pytest.approx(-4_400.0) and watt.p_ceiling_w == pytest.approx(0.4 * 8_000.0)


def test_the_curve_moves_as_a_whole_with_v_ref() -> None:
    for v_ref in (0.95, 1.02, 1.05):
        der = make.pv(v_pu=v_ref + 0.05)
        said = DerTimeline(VoltVar(v_ref_pu=v_ref)).proposes(der, dt_s=0.0)
        assert said.q_var == pytest.approx(-2_200.0)


def test_the_default_response_time_is_the_category_s() -> None:
    for category, olrt_s in (("A", 10.0), ("B", 5.0)):
        time, der = DerTimeline(VoltVar(category=category)), make.pv(v_pu=1.2, q_var=0.0)
        time.at(der, dt_s=0.0)
        assert time.proposes(der, dt_s=olrt_s).q_var == pytest.approx(0.9 * {"A": -2_500.0, "B": -4_400.0}[category])


@pytest.mark.parametrize("q_var", [500.0, None])
def test_volt_var_of_a_der_without_apparent_power_abstains(q_var: float | None) -> None:
    """Per unit of nothing is nothing."""
    time = DerTimeline(VoltVar())
    assert time.at(make.pv(v_pu=1.05, p_max_w=0.0, q_var=q_var)) == Abstain("no apparent-power rating")
    assert time.memory == VoltVar().start()


@pytest.mark.parametrize(
    ("function", "steepest", "response_s"),
    [
        (VoltVar(), 7.333, 5.0),
        (VoltVar(category="A"), 2.5, 10.0),
        (VoltVar(points=((0.94, 0.44), (0.97, 0.0), (1.03, 0.0), (1.06, -0.44)), olrt_s=2.0), 14.667, 2.0),
        (VoltVar(points=((0.9, 0.3), (1.0, 0.1), (1.0, -0.1), (1.1, -0.3))), math.inf, 5.0),
        (VoltWatt(), 20.0, 10.0),
        (VoltWatt(p2_pu=0.0, olrt_s=60.0), 25.0, 60.0),
        (VoltWatt(p2_pu=1.0), 0.0, 10.0),
    ],
)
def test_how_steep_a_curve_is_at_most(function: Any, steepest: float, response_s: float) -> None:
    """2.5 and 7.3 per unit for categories A and B, 14.7 for Hawaii, 20 and 25 for volt-watt."""
    assert function.steepest == pytest.approx(steepest, abs=0.01)
    assert function.response_s == response_s


IN_B = (0.0, 1.0, 0.0)


def shown(*volts: float | None, fresh: bool = True, v_nom_v: float = 230.0) -> PocState:
    poc = make.meter(0.0, fresh=fresh, v_nom_v=v_nom_v)
    return replace(poc, reading=replace(poc.reading, v_phase_v=volts or None))


@pytest.mark.parametrize(
    ("der", "poc", "v_pu"),
    [
        (make.pv(feeds_pu=IN_B, v_pu=1.02), shown(230.0, 253.0, 230.0), 1.02),
        (make.pv(feeds_pu=IN_B), shown(230.0, 253.0, 230.0), 1.1),
        (make.pv(feeds_pu=IN_B), shown(120.0, 132.0, v_nom_v=120.0), 1.1),
        (make.pv(feeds_pu=IN_B), shown(230.0, None, 230.0), None),
        (make.pv(feeds_pu=(0.0, 0.0, 1.0)), shown(120.0, 132.0), None),
        (make.pv(feeds_pu=IN_B), shown(), None),
        (make.pv(feeds_pu=IN_B), shown(230.0, 253.0, 230.0, fresh=False), None),
        (make.pv(feeds_pu=IN_B), None, None),
        (make.pv(feeds_pu=IN_B, status=Status.ASLEEP), shown(230.0, 253.0, 230.0), None),
        (make.pv(feeds_pu=IN_B, fresh=False), shown(230.0, 253.0, 230.0), None),
        (make.pv(feeds_pu=(1 / 3, 1 / 3, 1 / 3)), shown(230.0, 253.0, 230.0), None),
        (make.pv(), shown(230.0, 253.0, 230.0), None),
    ],
)
def test_one_in_a_single_phase_that_measures_no_voltage_follows_its_phase_s_at_the_meter(
    der: DerState, poc: PocState | None, v_pu: float | None
) -> None:
    assert fresh_v_pu(der, poc) == (None if v_pu is None else pytest.approx(v_pu))
