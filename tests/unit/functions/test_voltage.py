"""volt_var and volt_watt: how they begin, stop and begin again. The numbers are in test_against_opender."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from derctl.core.types import Abstain
from derctl.functions.volt_var import VoltVar
from derctl.functions.volt_watt import VoltWatt


@pytest.mark.parametrize("q_var", [-3_000.0, 0.0, 1_234.5])
def test_volt_var_begins_at_the_measured_var_and_goes_to_the_curve_within_its_response_time(
    make: Any, q_var: float
) -> None:
    function, der = VoltVar(), make.pv(v_pu=1.05, q_var=q_var)
    memory, said = function.step(function.start(), der, make.site(der), 0.0)
    assert said.q_var == pytest.approx(q_var, abs=1e-9)
    memory, said = function.step(memory, der, make.site(der), 5.0)
    assert said.q_var == pytest.approx(q_var + 0.9 * (-2_200.0 - q_var), rel=1e-9)


@pytest.mark.parametrize("p_w", [10_000.0, 5_000.0, 0.0, None])
def test_volt_watt_begins_at_the_measured_power_where_that_is_above_the_curve(make: Any, p_w: float | None) -> None:
    function, der = VoltWatt(), make.pv(v_pu=1.09, p_w=p_w)
    memory, said = function.step(function.start(), der, make.site(der), 0.0)
    assert said.p_ceiling_w == pytest.approx(max(p_w or 0.0, 4_000.0))
    memory, said = function.step(memory, der, make.site(der), 10.0)
    begin = max(p_w or 0.0, 4_000.0)
    assert said.p_ceiling_w == pytest.approx(begin + 0.9 * (4_000.0 - begin))


@pytest.mark.parametrize("function", [VoltVar(), VoltWatt()])
@pytest.mark.parametrize("given", [{"v_v": None}, {"v_pu": 1.09, "fresh": False}])
def test_without_a_fresh_voltage_they_abstain_and_begin_anew_afterwards(
    make: Any, function: Any, given: dict[str, Any]
) -> None:
    der = make.pv(v_pu=1.09, p_w=9_000.0, q_var=500.0)
    memory, _ = function.step(function.start(), der, make.site(der), 0.0)
    blind = make.pv(p_w=9_000.0, **given)
    memory, said = function.step(memory, blind, make.site(blind), 1.0)
    assert said == Abstain("no fresh voltage") and memory == function.start()
    _, said = function.step(memory, der, make.site(der), 1.0)
    assert (
        (said.q_var, said.p_ceiling_w) == (500.0, None)
        if function.kind == "volt_var"
        else said.p_ceiling_w == 9_000.0
    )


@pytest.mark.parametrize("v_nom_v", [120.0, 230.0, 277.0])
def test_per_unit_is_of_the_der_s_own_nominal_voltage(make: Any, v_nom_v: float) -> None:
    der = make.pv(v_v=1.05 * v_nom_v, v_nom_v=v_nom_v)
    function = VoltVar()
    _, said = function.step(function.start(), der, make.site(der), 0.0)
    assert said.q_var == pytest.approx(-2_200.0)


def test_q_is_per_unit_of_apparent_power_and_p_per_unit_of_active_power(make: Any) -> None:
    """An inverter of 8 kW and 10 kVA."""
    der = make.pv(v_pu=1.09, p_w=0.0)
    der = replace(der, rating=replace(der.rating, p_max_w=8_000.0))
    _, var = VoltVar().step(VoltVar().start(), der, make.site(der), 0.0)
    _, watt = VoltWatt().step(VoltWatt().start(), der, make.site(der), 0.0)
    assert var.q_var == pytest.approx(-4_400.0) and watt.p_ceiling_w == pytest.approx(0.4 * 8_000.0)


def test_the_curve_moves_as_a_whole_with_v_ref(make: Any) -> None:
    for v_ref in (0.95, 1.02, 1.05):
        der = make.pv(v_pu=v_ref + 0.05)
        function = VoltVar(v_ref_pu=v_ref)
        _, said = function.step(function.start(), der, make.site(der), 0.0)
        assert said.q_var == pytest.approx(-2_200.0)


def test_the_default_response_time_is_the_category_s(make: Any) -> None:
    for category, olrt_s in (("A", 10.0), ("B", 5.0)):
        function, der = VoltVar(category=category), make.pv(v_pu=1.2, q_var=0.0)
        memory, _ = function.step(function.start(), der, make.site(der), 0.0)
        _, said = function.step(memory, der, make.site(der), olrt_s)
        assert said.q_var == pytest.approx(0.9 * {"A": -2_500.0, "B": -4_400.0}[category])


@pytest.mark.parametrize("q_var", [500.0, None])
def test_volt_var_of_a_der_without_apparent_power_abstains(make: Any, q_var: float | None) -> None:
    """Per unit of nothing is nothing."""
    der = make.pv(v_pu=1.05, p_max_w=0.0, q_var=q_var)
    function = VoltVar()
    memory, said = function.step(function.start(), der, make.site(der), 1.0)
    assert said == Abstain("no apparent-power rating") and memory == function.start()
