"""Registers that stand still: wrong while power flows, right at night."""

from __future__ import annotations

from typing import Any

import pytest

from derctl.core.types import Reading
from derctl.daemon.channel.stillness import Stillness, frozen, observe, stands_still
from tests import make


def frozen_after(
    p_w: float | None, *, scale_w: float, refresh_s: float = 1.0, count_wh: float | None = None
) -> float:
    """Seconds after which constant registers are called frozen, inf if never within a day. A poll each second."""
    still = Stillness()
    if count_wh is not None:
        still = observe(still, (1,), 1000.0, 0.0)
        still = observe(still, (2,), 1000.0 + count_wh, 0.0)
    still = observe(still, (3, 4), None if count_wh is None else 1000.0 + count_wh, 0.0)
    for now in range(1, 86_400):
        still = observe(still, (3, 4), still.energy_wh, float(now))
        if frozen(still, p_w=p_w, scale_w=scale_w, refresh_s=refresh_s, now_s=float(now)):
            return float(now)
    return float("inf")


@pytest.mark.parametrize("p_w", [0.0, 4.0, -4.0, 99.0, -99.0, None])
def test_pv_at_night_and_an_idle_battery_may_stand_still_all_day(p_w: float | None) -> None:
    assert frozen_after(p_w, scale_w=5000.0) == float("inf")


@pytest.mark.parametrize("p_w", [5000.0, -5000.0])
@pytest.mark.parametrize("refresh_s", [1.0, 5.0, 60.0])
def test_a_producing_device_is_frozen_after_three_refresh_periods(p_w: float, refresh_s: float) -> None:
    """With an energy counter of 1 Wh, which 5 kW moves every 0.7 s."""
    found = frozen_after(p_w, scale_w=5000.0, refresh_s=refresh_s, count_wh=1.0)
    assert 3 * refresh_s < found <= 3 * refresh_s + 1.0


def test_a_device_whose_counter_is_coarse_gets_the_time_of_three_counts() -> None:
    """100 Wh at 1 kW: one count in 360 s. A steady sun is no fault."""
    found = frozen_after(1000.0, scale_w=5000.0, count_wh=100.0)
    assert 1080.0 < found <= 1081.0


def test_any_register_that_moves_is_life() -> None:
    still = Stillness()
    for now in range(600):
        still = observe(still, (3000, 500, now // 2), None, float(now))
        assert not frozen(still, p_w=3000.0, scale_w=5000.0, refresh_s=1.0, now_s=float(now))


def test_a_device_that_moves_again_is_not_frozen_any_more() -> None:
    still = observe(Stillness(), (1,), None, 0.0)
    still = observe(still, (1,), None, 100.0)
    assert frozen(still, p_w=5000.0, scale_w=5000.0, refresh_s=1.0, now_s=100.0)
    still = observe(still, (2,), None, 101.0)
    assert not frozen(still, p_w=5000.0, scale_w=5000.0, refresh_s=1.0, now_s=101.0)


def test_the_smallest_step_of_the_counter_is_what_counts_and_a_reset_is_no_step() -> None:
    still = Stillness()
    for now, energy in enumerate((100.0, 150.0, 160.0, 200.0, 0.0, None, 20.0)):
        still = observe(still, (now,), energy, float(now))
    assert still.count_wh == 10.0


def test_without_a_poll_nothing_is_known_and_nothing_moves_the_clock_back() -> None:
    still = observe(Stillness(since_s=50.0), (1, 2), None, 60.0)
    assert still.since_s == 60.0
    assert observe(still, [1, 2], None, 70.0).since_s == 60.0, "a list and a tuple of the same words are the same"


@pytest.mark.parametrize(("p_w", "stands"), [(49.0, False), (51.0, True)])
def test_a_meter_which_states_no_rating_may_stand_still_below_fifty_watts(p_w: float, stands: bool) -> None:
    still = observe(Stillness(), (1,), None, 0.0)
    nothing = make.rating(p_max_w=0.0)
    assert stands_still(still, Reading(p_w=p_w), nothing, 1.0, 86_400.0) is stands


NO_RATING = make.rating(p_max_w=0.0)


def meter_stands_after(reading: Reading, *, every_s: float = 1.0, profile_s: float = 1.0) -> float:
    """Seconds until a meter that showed something new each every_s, and nothing new then, is called frozen."""
    still, now = Stillness(), 0.0
    for now in range(120):
        still = observe(still, (int(now / every_s),), None, float(now))
        assert not stands_still(still, reading, NO_RATING, profile_s, float(now))
    for later in range(120, 86_400):
        still = observe(still, still.registers, None, float(later))
        if stands_still(still, reading, NO_RATING, profile_s, float(later)):
            return later - still.since_s
    return float("inf")


@pytest.mark.parametrize("p_w", [0.0, 3.0, -49.0, 6000.0, -800.0])
@pytest.mark.parametrize("every_s", [0.2, 1.0, 2.0])
@pytest.mark.parametrize("grid", [{"v_v": 231.0, "f_hz": 50.0}, {"v_v": 231.0}, {"f_hz": 49.98}])
def test_a_meter_of_which_nothing_wavers_is_frozen_within_twenty_seconds_whatever_flows(
    p_w: float, every_s: float, grid: dict[str, Any]
) -> None:
    assert 15.0 <= meter_stands_after(Reading(p_w=p_w, **grid), every_s=every_s) <= 20.0


@pytest.mark.parametrize("every_s", [3.0, 5.0, 10.0, 15.0])
def test_a_meter_that_refreshes_rarely_has_the_time_of_seven_to_eight_refreshes(every_s: float) -> None:
    """A second's polls see one refresh second less."""
    after_s = meter_stands_after(Reading(p_w=6000.0, v_v=231.0), every_s=every_s)
    assert max(8.0 * (every_s - 1.0), 15.0) <= after_s <= max(8.0 * every_s, 16.0)
    assert meter_stands_after(Reading(p_w=6000.0, v_v=231.0), profile_s=every_s) == max(8.0 * every_s, 15.0)


def test_a_meter_without_volts_and_hertz_may_stand_still_at_no_power_only() -> None:
    assert meter_stands_after(Reading(p_w=0.0)) == float("inf")
    assert meter_stands_after(Reading(p_w=6000.0)) < 60.0


def test_a_standstill_that_was_a_fault_is_no_refresh_time() -> None:
    still = observe(observe(Stillness(), (1,), None, 0.0), (1,), None, 400.0)
    assert observe(still, (2,), None, 401.0).refresh_s == 0.0


def test_a_bus_without_a_poll_for_a_while_is_no_refresh_time() -> None:
    still = observe(observe(Stillness(), (1,), None, 0.0), (2,), None, 12.0)
    assert still.refresh_s == 0.0
