"""What a grid code's rule says of a value, apart from any preset."""

from __future__ import annotations

import math
from typing import Any

import pytest

from derctl.core.curve import Curve, falling
from derctl.errors import SettingError
from derctl.functions.code import Along, Among, Between
from derctl.functions.freq_droop import FreqDroop
from derctl.functions.volt_var import VoltVar
from derctl.functions.volt_watt import VoltWatt

LOW, HIGH = ((0.9, 0.0), (1.0, -0.5), (1.1, -1.0)), ((0.99, 0.5), (1.0, 0.5), (1.2, 0.0))
CURVE = Along(low=LOW, high=HIGH, gap=0.02, source="a document")


@pytest.mark.parametrize("value", [0.9, 2.1, math.nan, math.inf, True, "1", None])
def test_a_number_outside_is_refused_with_range_and_source(value: Any) -> None:
    wrong = Between(low=1.0, high=2.0, source="a document").violation("x", value)
    assert wrong is not None and wrong.allowed == "1 to 2 (a document)"


def test_a_range_of_one_number_allows_that_alone() -> None:
    rule = Between(low=1.5, high=1.5, source="a document")
    assert rule.violation("x", 1.5) is None
    wrong = rule.violation("x", 1.6)
    assert wrong is not None and wrong.allowed == "1.5 (a document)"


def test_a_word_is_one_of_the_code_s() -> None:
    rule = Among(among=("a", "b"))
    assert rule.violation("x", "a") is None
    wrong = rule.violation("x", "c")
    assert wrong is not None and wrong.allowed == "one of a, b"


@pytest.mark.parametrize(
    ("points", "name"),
    [
        (((0.95, 0.4), (1.0, 0.0), (1.15, -0.4)), None),
        (((0.95, 0.4), (1.15, -0.4)), "points"),
        (((0.89, 0.4), (1.0, 0.0), (1.15, -0.4)), "points[0].x"),
        (((0.95, 0.6), (1.0, 0.0), (1.15, -0.4)), "points[0].y"),
        (((0.95, 0.4), (1.0, 0.0), (1.21, -0.4)), "points[2].x"),
        (((0.985, 0.4), (1.0, 0.0), (1.15, -0.4)), "points[1].x"),
    ],
)
def test_each_point_of_a_curve_has_its_own_range(points: Any, name: str | None) -> None:
    wrong = CURVE.violation("points", points)
    assert (None if wrong is None else wrong.name) == name


def test_a_setting_that_the_code_does_not_name_has_the_widest_range() -> None:
    assert VoltWatt(rules={}, v1_pu=1.1, v2_pu=1.1304).v2_pu == 1.1304
    for settings in ({"v2_pu": 1.4}, {"olrt_s": 0.1}):
        with pytest.raises(SettingError) as caught:
            VoltWatt(rules={}, **settings)
        assert "what is possible at all" in caught.value.allowed
    with pytest.raises(SettingError):
        FreqDroop(rules={}, p_ref_of="actual")
    assert FreqDroop(rules={}, p_min_pu=0.5).p_min_pu == 0.5
    with pytest.raises(SettingError):
        FreqDroop(rules={}, p_min_pu=2.0)


def test_a_code_s_rule_counts_instead_of_the_function_s_own_range() -> None:
    rules = {"v2_pu": Between(low=1.12, high=1.14, source="a document")}
    assert VoltWatt(rules=rules, v2_pu=1.13).v2_pu == 1.13
    with pytest.raises(SettingError) as caught:
        VoltWatt(rules=rules, v2_pu=1.10)
    assert caught.value.allowed == "1.12 to 1.14 (a document)"


def test_what_a_code_has_in_volts_is_named_in_volts_too() -> None:
    wrong = Between(low=0.9, high=1.1, source="a document", v_nom_v=230.0).violation("v1_pu", 253.0)
    assert wrong is not None and wrong.allowed == "0.9 to 1.1 pu, 207 to 253 V (a document)"


def test_a_curve_of_no_code_is_possible_where_voltages_are() -> None:
    wide = ((0.6, 0.6), (0.97, 0.0), (1.03, 0.0), (1.4, -0.6))
    assert VoltVar(rules={}, points=wide).points == wide
    for points in (((0.4, 0.6), *wide[1:]), ((0.6, 1.1), *wide[1:])):
        with pytest.raises(SettingError):
            VoltVar(rules={}, points=points)
    with pytest.raises(SettingError):
        VoltVar(points=wide)


def test_a_curve_that_rises_is_refused_at_the_point_where_it_does() -> None:
    falling(Curve(((0.9, 1.0), (1.0, 0.0), (1.1, 0.0))), name="points")
    codes: list[Any] = [None, {}]
    for rules in codes:
        with pytest.raises(SettingError) as caught:
            VoltVar(rules=rules, points=((0.92, 0.4), (0.98, -0.1), (1.02, 0.1), (1.08, -0.4)))
        assert caught.value.name == "points[2]" and "rising" in caught.value.allowed
