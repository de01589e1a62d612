"""Every setting of every function is refused outside its range, with the range. 1547's ranges stand here as
OpenDER 2.2.0's setters and ua-kxie/UL1741SB have them, from a document and not from our code."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest

from derctl.errors import SettingError
from derctl.functions import ROWS
from derctl.functions.settings import required, settings_of
from tests.catalogue import made

DOCUMENT = {  # IEEE 1547-2018 5.3.3, 5.4.2, 6.5.2.7: (default, low, high)
    ("volt_var", "v_ref_pu"): (1.0, 0.95, 1.05),
    ("volt_var", "olrt_s"): (None, 1.0, 90.0),
    ("volt_watt", "v1_pu"): (1.06, 1.05, 1.09),
    ("volt_watt", "v2_pu"): (1.10, 1.06, 1.10),
    ("volt_watt", "p2_pu"): (0.2, -1.0, 1.0),
    ("volt_watt", "olrt_s"): (10.0, 0.5, 60.0),
    ("freq_droop", "db_of_hz"): (0.036, 0.017, 1.0),
    ("freq_droop", "db_uf_hz"): (0.036, 0.017, 1.0),
    ("freq_droop", "k_of"): (0.05, 0.02, 0.05),
    ("freq_droop", "k_uf"): (0.05, 0.02, 0.05),
    ("freq_droop", "olrt_s"): (5.0, 0.2, 10.0),
    ("enter_service", "v_low_pu"): (0.917, 0.88, 0.95),
    ("enter_service", "v_high_pu"): (1.05, 1.05, 1.06),
    ("enter_service", "f_low_hz"): (59.5, 59.0, 59.9),
    ("enter_service", "f_high_hz"): (60.1, 60.1, 61.0),
    ("enter_service", "delay_s"): (300.0, 0.0, 600.0),
    ("enter_service", "ramp_s"): (300.0, 0.0, 1000.0),
    ("enter_service", "random_s"): (0.0, 0.0, 1000.0),
    ("watt_var", "olrt_s"): (10.0, 1.0, 10.0),
    ("const_var", "q_pu"): (..., -1.0, 1.0),
    ("const_var", "olrt_s"): (10.0, 1.0, 10.0),
    ("const_pf", "pf"): (..., 0.8, 1.0),
    ("freq_droop", "of_end_hz"): (None, 40.0, 70.0),
    ("freq_droop", "uf_end_hz"): (None, 40.0, 70.0),
    ("freq_droop", "of_mid_hz"): (None, 40.0, 70.0),
    ("freq_droop", "uf_mid_hz"): (None, 40.0, 70.0),
    ("freq_droop", "of_stop_hz"): (None, 40.0, 70.0),
    ("freq_droop", "uf_stop_hz"): (None, 40.0, 70.0),
    ("freq_droop", "stop_s"): (0.0, 0.0, 3600.0),
}
OURS = {
    ("utility_limit", "limit_pu"): (..., 0.0, 1.0),
    ("fuse_limit", "fuse_a"): (..., 1.0, 5000.0),
    ("fuse_limit", "phase_count"): (..., 1.0, 3.0),
    ("fuse_limit", "margin_pu"): (0.05, 0.0, 0.5),
    ("owner_export_limit", "limit_w"): (..., 0.0, 1e8),
    ("owner_export_limit", "margin_w"): (None, 0.0, 1e6),  # no standard: docs/sources.md, or the owner's word
    ("owner_limits", "margin_w"): (None, 0.0, 1e6),
    ("grid_limits", "margin_w"): (None, 0.0, 1e6),
    ("grid_limits", "default_export_w"): (None, 0.0, 1e8),
    ("grid_limits", "default_import_w"): (None, 0.0, 1e8),
    ("grid_limits", "default_generation_w"): (None, 0.0, 1e8),
    ("freq_droop", "p_min_pu"): (None, -1.0, 1.0),
    ("freq_droop", "return_pu_per_s"): (0.1, 0.001, 1.0),
    ("contract_export_limit", "limit_w"): (..., 0.0, 1e8),
    ("contract_export_limit", "phase_limit_w"): (None, 0.0, 1e8),
    ("contract_export_limit", "import_limit_w"): (None, 0.0, 1e8),
    ("contract_export_limit", "margin_w"): (None, 0.0, 1e6),
    ("contract_export_limit", "gain"): (1.0, 0.05, 1.0),
    ("contract_export_limit", "relax_pu_per_s"): (0.1, 0.001, 1.0),
    ("contract_export_limit", "recover_samples"): (5, 1, 600),
    ("self_consumption", "target_w"): (0.0, -1e7, 1e7),
    ("self_consumption", "gain"): (0.5, 0.05, 1.0),
    ("self_consumption", "deadband_w"): (30.0, 0.0, 5000.0),
    ("soc_guard", "min_pct"): (10.0, 0.0, 100.0),
    ("soc_guard", "max_pct"): (95.0, 0.0, 100.0),
    ("soc_guard", "hysteresis_pct"): (2.0, 0.1, 20.0),
    ("reserve", "min_pct"): (..., 0.0, 100.0),
    ("reserve", "hysteresis_pct"): (2.0, 0.1, 20.0),
    ("bms_guard", "ramp_s"): (10.0, 1.0, 60.0),
    ("bms_guard", "stop_s"): (30.0, 2.0, 120.0),
    ("bms_guard", "efficiency"): (0.95, 0.5, 1.0),
    ("departure", "efficiency_pu"): (0.9, 0.5, 1.0),
    ("bms_guard", "recovery_pct"): (5.0, 1.0, 20.0),
    ("bms_guard", "cell_high_v"): (None, 1.0, 5.0),
    ("bms_guard", "cell_low_v"): (None, 0.5, 4.5),
    ("bms_guard", "charge_t_low_c"): (None, -40.0, 60.0),
    ("bms_guard", "charge_t_high_c"): (None, -20.0, 100.0),
    ("bms_guard", "discharge_t_low_c"): (None, -60.0, 60.0),
    ("bms_guard", "discharge_t_high_c"): (None, -20.0, 100.0),
}
NUMBERS = DOCUMENT | OURS
WORDS = {
    ("volt_var", "category"): ("B", {"A", "B"}),
    ("volt_var", "q_priority"): ("reactive", {"reactive", "active"}),
    ("watt_var", "q_priority"): ("reactive", {"reactive", "active"}),
    ("const_var", "q_priority"): ("reactive", {"reactive", "active"}),
    ("const_pf", "excitation"): ("absorbing", {"absorbing", "injecting"}),
    ("contract_export_limit", "probe"): ("due", {"none", "due", "always"}),
    ("self_consumption", "probe"): ("due", {"none", "due"}),
    ("freq_droop", "p_ref_of"): ("rated", {"rated", "momentary"}),
    ("freq_droop", "p_ref_uf"): ("rated", {"rated", "momentary"}),
}
OTHER_PAIRS = {("volt_var", "points"), ("watt_var", "points")}
SWITCHES = {
    ("fuse_limit", "per_phase"),
    ("self_consumption", "per_phase"),
    ("grid_limits", "may_opt_out"),
    ("reserve", "may_lower"),
}


def test_no_setting_is_missing_here() -> None:
    there = {(kind, item.name) for kind, row in ROWS.items() for item in settings_of(row.function)}
    assert there == NUMBERS.keys() | WORDS.keys() | OTHER_PAIRS | SWITCHES


@pytest.mark.parametrize(("kind", "name"), sorted(SWITCHES))
def test_a_switch_is_on_or_off_and_off_if_it_is_not_given(kind: str, name: str) -> None:
    assert getattr(made(kind), name) is False
    for value in (1, "yes", None, [True]):
        with pytest.raises(SettingError) as caught:
            made(kind, **{name: value})
        assert (caught.value.name, caught.value.allowed) == (name, "one of true, false")


@pytest.mark.parametrize(("kind", "name"), NUMBERS)
def test_a_number_outside_its_range_is_refused_with_the_range(kind: str, name: str) -> None:
    _, low, high = NUMBERS[kind, name]
    span = max(abs(low), abs(high))
    for value in (low - 1e-6 * span, high + 1e-6 * span, math.nan, math.inf, -math.inf, "1", True, [1.0]):
        with pytest.raises(SettingError) as caught:
            made(kind, **{name: value})
        error = caught.value
        assert error.name == name and error.value is value
        assert re.match(rf"{re.escape(f'{low:.10g}')} to {re.escape(f'{high:.10g}')} \(", error.allowed)
        assert error.allowed in str(error) and name in str(error)


@pytest.mark.parametrize(("kind", "name"), NUMBERS)
def test_both_ends_of_the_range_are_allowed(kind: str, name: str) -> None:
    _, low, high = NUMBERS[kind, name]
    beside = {
        ("volt_watt", "v1_pu", high): {"v2_pu": 1.10},
        ("volt_watt", "v2_pu", low): {"v1_pu": 1.05},
        ("soc_guard", "min_pct", high): None,  # no room is left for max_pct
        ("soc_guard", "max_pct", low): None,
        ("soc_guard", "hysteresis_pct", high): {"min_pct": 0.0},
        ("enter_service", "random_s", high): {"ramp_s": 0.0},
        ("enter_service", "ramp_s", low): {"random_s": 300.0},
        ("bms_guard", "ramp_s", high): {"stop_s": 61.0},
        ("bms_guard", "stop_s", low): {"ramp_s": 1.0},
    }
    for value in (low, high):
        others = beside.get((kind, name, value), {})
        if others is not None:
            assert getattr(made(kind, **{name: value, **others}), name) == value


@pytest.mark.parametrize(("kind", "name"), NUMBERS)
def test_the_default_is_the_document_s(kind: str, name: str) -> None:
    default, _, _ = NUMBERS[kind, name]
    if default is ...:
        assert name in required(ROWS[kind].function)
        with pytest.raises(SettingError):
            made(kind, **{name: None})
    else:
        assert getattr(made(kind), name) == default


@pytest.mark.parametrize(("kind", "name"), WORDS)
def test_a_word_that_is_none_of_those_is_refused_with_those(kind: str, name: str) -> None:
    default, among = WORDS[kind, name]
    assert getattr(made(kind), name) == default
    for value in ("C", "", "Reactive", 1, None):
        with pytest.raises(SettingError) as caught:
            made(kind, **{name: value})
        assert caught.value.name == name and all(word in caught.value.allowed for word in among)
    for word in among:
        assert getattr(made(kind, **{name: word}), name) == word


def test_volt_watt_points_keep_a_hundredth_between_them() -> None:
    assert made("volt_watt", v1_pu=1.07, v2_pu=1.08).v2_pu == 1.08
    with pytest.raises(SettingError) as caught:
        made("volt_watt", v1_pu=1.07, v2_pu=1.079)
    assert caught.value.name == "v2_pu" and "1.08" in caught.value.allowed


def test_a_silent_bms_stops_the_battery_after_its_ramp_began() -> None:
    for stop_s in (20.0, 19.0):
        with pytest.raises(SettingError) as caught:
            made("bms_guard", ramp_s=20.0, stop_s=stop_s)
        assert caught.value.name == "stop_s" and "20" in caught.value.allowed
    assert made("bms_guard", ramp_s=20.0, stop_s=20.5).stop_s == 20.5


def test_soc_bounds_leave_room_for_their_hysteresis() -> None:
    with pytest.raises(SettingError) as caught:
        made("soc_guard", min_pct=50.0, max_pct=54.0)
    assert caught.value.name == "max_pct" and "54" in caught.value.allowed
    assert made("soc_guard", min_pct=50.0, max_pct=54.5).max_pct == 54.5


B = ((0.92, 0.44), (0.98, 0.0), (1.02, 0.0), (1.08, -0.44))


def points(index: int, v: float | None = None, q: float | None = None) -> Any:
    changed = [list(point) for point in B]
    changed[index][0] = changed[index][0] if v is None else v
    changed[index][1] = changed[index][1] if q is None else q
    return tuple((a, b) for a, b in changed)


@pytest.mark.parametrize(
    ("given", "name", "allowed"),
    [  # IEEE 1547-2018 table 8: V2 Vref-0.03..Vref, V3 Vref..Vref+0.03, V1 Vref-0.18..V2-0.02, V4 V3+0.02..Vref+0.18
        (points(1, v=0.969), "points[1].v", "0.97 to 1 "),
        (points(1, v=1.001), "points[1].v", "0.97 to 1 "),
        (points(2, v=0.999), "points[2].v", "1 to 1.03 "),
        (points(2, v=1.031), "points[2].v", "1 to 1.03 "),
        (points(0, v=0.819), "points[0].v", "0.82 to 0.96 "),
        (points(0, v=0.961), "points[0].v", "0.82 to 0.96 "),
        (points(3, v=1.039), "points[3].v", "1.04 to 1.18 "),
        (points(3, v=1.181), "points[3].v", "1.04 to 1.18 "),
        (points(0, q=-0.01), "points[0].q", "0 to 1 "),
        (points(0, q=1.01), "points[0].q", "0 to 1 "),
        (points(1, q=1.01), "points[1].q", "-1 to 1 "),
        (points(2, q=-1.01), "points[2].q", "-1 to 1 "),
        (points(3, q=0.01), "points[3].q", "-1 to 0 "),
        (points(3, q=-1.01), "points[3].q", "-1 to 0 "),
        (points(0, q=math.nan), "points[0].q", "0 to 1 "),
        (points(1, v=math.nan), "points[1].v", "0.97 to 1 "),
        (B[:3], "points", "four points"),
        ((*B, (1.1, -0.44)), "points", "four points"),
        (B[:1], "points", "two or more"),
        ((B[1], B[0], B[2], B[3]), "points[1]", ">= 0.98"),
    ],
)
def test_volt_var_points_outside_their_ranges_are_refused_with_the_range(given: Any, name: str, allowed: str) -> None:
    with pytest.raises(SettingError) as caught:
        made("volt_var", points=given)
    assert caught.value.name == name and allowed in caught.value.allowed


@pytest.mark.parametrize(
    "given",
    [
        B,
        ((0.82, 1.0), (0.97, 1.0), (1.0, -1.0), (1.18, -1.0)),
        ((0.98, 1.0), (1.0, 0.0), (1.0, 0.0), (1.02, -1.0)),  # 1547.1's most aggressive
        ((0.94, 0.44), (0.97, 0.0), (1.03, 0.0), (1.06, -0.44)),  # HECO 14H
        ((0.90, 0.25), (1.0, 0.0), (1.0, 0.0), (1.10, -0.25)),  # category A
    ],
)
def test_curves_of_the_document_are_allowed(given: Any) -> None:
    assert made("volt_var", points=given).points == given
