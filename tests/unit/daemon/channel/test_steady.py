"""What a device can't have become since the last poll is held and named, until it stands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest

from derctl.core.types import Rating, Reading
from derctl.daemon.channel.steady import (
    BELIEVE_S,
    NAMED_S,
    UNKNOWN_S,
    Steady,
    fitted,
    named,
    rating_jump,
    steadied,
)
from tests import make

PV = make.rating(p_max_w=5000.0)
BATTERY = make.rating(p_max_w=5000.0, p_min_w=-5000.0, e_max_wh=10_000.0)
METER = replace(PV, p_max_w=0.0, s_max_va=0.0)
TEN_S = 10


def through(
    name: str, values: Iterable[float | None], rating: Rating = PV, *, every_s: float = 1.0
) -> tuple[list[Any], list[str]]:
    """What is published of these samples, and what is said."""
    steady, shown, said = Steady(), [], []
    for n, value in enumerate(values):
        reading = Reading(**{name: value})  # type: ignore[arg-type]
        steady, kept, text = steadied(steady, reading, rating, n * every_s)
        shown.append(getattr(kept, name))
        said.append(text)
    return shown, said


@pytest.mark.parametrize("dip", [0.0, 1234.0])
@pytest.mark.parametrize("seconds", [1, 3, 8])
def test_a_counter_that_steps_back_for_a_while_never_shows_it(dip: float, seconds: int) -> None:
    """A lifetime counter reads 0 at wake-up and then its old value (victronenergy/dbus-fronius#18)."""
    shown, said = through("energy_wh", [64385003.0] * 3 + [dip] * seconds + [64385005.0] * 3)
    assert set(shown) == {64385003.0, 64385005.0} and shown[-1] == 64385005.0
    assert said[3] == f"energy_wh reads {dip:g} Wh after 64385003 Wh" and said[-1] == ""


@pytest.mark.parametrize("new", [0.0, 1234.0, 99_000_000.0])
def test_a_counter_of_a_device_that_was_replaced_is_believed_within_ten_seconds(new: float) -> None:
    shown, _ = through("energy_wh", [64385003.0] * 3 + [new + n for n in range(20)])
    assert shown[3:3 + 8] == [64385003.0] * 8  # fmt: skip
    assert shown[3 + TEN_S] == new + TEN_S


def test_a_counter_may_go_on_by_what_the_rating_gives_and_by_its_coarse_steps() -> None:
    """5 kW for a second are 1.4 Wh; counters of whole kWh, and those that are refreshed twice an hour."""
    values = [1000.0, 1001.0, 2000.0, 4500.0]
    assert through("energy_wh", values) == (values, [""] * 4)


def test_a_counter_that_leaps_forward_is_held() -> None:
    shown, _ = through("energy_wh", [1000.0, 1001.0, 4_000_000.0, 1003.0])
    assert shown == [1000.0, 1001.0, 1001.0, 1003.0]


def test_a_counter_after_hours_of_silence_has_gone_on() -> None:
    values = [1000.0, 1000.0 + 5 * 5000.0]
    assert through("energy_wh", values, every_s=5 * 3600.0) == (values, ["", ""])


def test_a_meters_counter_may_go_faster_than_an_inverters() -> None:
    values = [1000.0, 9000.0]
    assert through("energy_wh", values, METER)[0] == values
    assert through("energy_wh", values, PV)[0] == [1000.0, 1000.0]


@pytest.mark.parametrize("rating", [BATTERY, replace(BATTERY, e_max_wh=None), METER])
@pytest.mark.parametrize("glitch", [0.0, 100.0, 45.0])
def test_a_state_of_charge_that_jumps_for_a_sample_is_held(rating: Rating, glitch: float) -> None:
    """SoC 0 for one sample moved 2.5 kW."""
    shown, said = through("soc_pct", [60.0, 60.0, glitch, 60.0, 60.1], rating)
    assert shown == [60.0, 60.0, 60.0, 60.0, 60.1]
    assert said[2] == f"soc_pct reads {glitch:g} % after 60 %"


def test_a_recalibrated_state_of_charge_is_believed_within_ten_seconds_and_not_after_three() -> None:
    shown, _ = through("soc_pct", [60.0] * 3 + [82.0] * 12, BATTERY)
    assert shown[:11] == [60.0] * 11
    assert shown[3 + TEN_S - 1] == 82.0


@pytest.mark.parametrize(("every_s", "samples"), [(0.1, 86), (1.0, 10), (5.0, 3), (30.0, 3)])
def test_belief_needs_both_time_and_three_in_a_row(every_s: float, samples: int) -> None:
    steady, _, _ = steadied(Steady(), Reading(soc_pct=60.0), BATTERY, 0.0)
    seen = []
    for n in range(1, samples + 1):
        now_s = every_s * n + (0.0 if n == 1 else 1e-6)
        steady, kept, _ = steadied(steady, Reading(soc_pct=5.0), replace(BATTERY, e_max_wh=1e9), now_s)
        seen.append(kept.soc_pct)
    assert seen[-1] == 5.0 and 5.0 not in seen[:-1]


def test_a_battery_moves_as_fast_as_its_power_and_size_allow() -> None:
    """5 kW into 10 kWh: half a percent in 36 s. A gap of 20 minutes is worth 16.7 %."""
    assert through("soc_pct", [60.0, 70.0], BATTERY, every_s=1200.0)[0] == [60.0, 70.0]
    assert through("soc_pct", [60.0, 70.0], BATTERY, every_s=60.0)[0] == [60.0, 60.0]
    assert through("soc_pct", [60.0, 57.5], BATTERY)[0] == [60.0, 57.5]


def test_what_jumps_about_for_half_a_minute_is_not_known() -> None:
    values = [60.0] + [0.0, 50.0, 100.0, 25.0] * 10
    shown, said = through("soc_pct", values, BATTERY)
    assert shown[: int(UNKNOWN_S) + 2] == [60.0] * (int(UNKNOWN_S) + 2)
    assert set(shown[int(UNKNOWN_S) + 2 :]) == {None}
    assert all(said[1:])


def test_what_is_missing_stays_missing_and_is_remembered() -> None:
    shown, said = through("energy_wh", [5000.0, None, None, 0.0, 5001.0])
    assert shown == [5000.0, None, None, 5000.0, 5001.0]
    assert said == ["", "", "", "energy_wh reads 0 Wh after 5000 Wh", ""]


def test_one_value_that_is_held_leaves_the_others_alone() -> None:
    steady, _, _ = steadied(Steady(), Reading(p_w=1.0, soc_pct=60.0, energy_wh=50.0), BATTERY, 0.0)
    _, kept, text = steadied(steady, Reading(p_w=2.0, soc_pct=0.0, energy_wh=0.0), BATTERY, 1.0)
    assert kept == Reading(p_w=2.0, soc_pct=60.0, energy_wh=50.0)
    assert text == "soc_pct reads 0 % after 60 %; energy_wh reads 0 Wh after 50 Wh"


@pytest.mark.parametrize(
    ("changed", "write"),
    [
        ({"p_max_w": 50_000.0}, "rating: {p_max_w: 50000}"),
        ({"s_max_va": 500.0}, "rating: {s_max_va: 500}"),
        ({"p_min_w": -500.0}, "rating: {p_charge_max_w: 500}"),
        ({"p_min_w": 0.0}, "it is not written until it is as before"),
        ({"p_max_w": 500.0, "s_max_va": 500.0}, "rating: {p_max_w: 500, s_max_va: 500}"),
    ],
)
def test_a_rating_that_jumps_names_both_and_what_to_do(changed: Any, write: str) -> None:
    """However long it stands: it was believed after nine seconds."""
    text = rating_jump(BATTERY, replace(BATTERY, **changed), None)
    assert "was 5,000 W / 5,000 W charging, 5,000 VA and reads" in text and write in text


def test_what_the_site_file_declares_counts_and_not_what_was_before() -> None:
    smaller = replace(PV, p_max_w=4_000.0, s_max_va=4_000.0)
    nothing = replace(PV, p_max_w=0.0, s_max_va=0.0)
    assert rating_jump(PV, smaller, nothing) != ""
    assert rating_jump(PV, smaller, smaller) == ""
    assert rating_jump(PV, replace(PV, p_max_w=5_100.0), None) == "", "measured again"
    assert rating_jump(None, PV, None) == "", "never found before"


def test_the_same_contradiction_is_named_now_and_then() -> None:
    steady, first = named(Steady(), "soc_pct", 0.0)
    steady, again = named(steady, "soc_pct", NAMED_S - 1.0)
    steady, other = named(steady, "energy_wh", NAMED_S - 1.0)
    steady, later = named(steady, "soc_pct", NAMED_S)
    assert (first, again, other, later) == (True, False, True, True)


def test_what_was_once_right_is_not_asked_again_and_what_is_wrong_may_come_right() -> None:
    steady = fitted(Steady(), "230 V, not 400", proven=False)
    assert (steady.fits, steady.misfit) == (False, "230 V, not 400")
    assert fitted(steady, None, proven=False).misfit == ""
    steady = fitted(steady, None, proven=True)
    assert fitted(steady, "126 V, not 230", proven=False) is steady


def test_time_and_number_are_as_documented() -> None:
    assert BELIEVE_S < TEN_S - 1
