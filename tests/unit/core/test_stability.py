"""The largest stable gain of the lag that control runs: the loop itself decays below it and grows above it."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from derctl.core.response import Lag, follow
from derctl.core.stability import largest_gain, slowest_that_does

TIMES = [(1.0, 1.0), (1.0, 5.0), (1.0, 10.0), (0.2, 5.0), (5.0, 5.0), (2.0, 10.0)]


def left(sample_s: float, olrt_s: float, late: int, gain: float) -> float:
    """The loop itself: what is left in the end of an offset of 1."""
    lag, seen = Lag(y=0.0, u=0.0), [1.0] * late
    for _ in range(4_000):
        lag = follow(lag, -gain * seen[-late], dt_s=sample_s, olrt_s=olrt_s)
        seen.append(min(max(lag.y, -1e6), 1e6))
    return max(map(abs, seen[-50:]))


@pytest.mark.parametrize("late", [1, 2, 3, 5])
@pytest.mark.parametrize(("sample_s", "olrt_s"), TIMES)
def test_the_loop_decays_just_below_it_and_grows_just_above_it(sample_s: float, olrt_s: float, late: int) -> None:
    limit = largest_gain(sample_s, olrt_s, late)
    assert left(sample_s, olrt_s, late, 0.95 * limit) < 1e-3
    assert left(sample_s, olrt_s, late, 1.05 * limit) > 1e3


@pytest.mark.parametrize("late", [1, 2, 3, 5])
def test_without_a_lag_it_is_one(late: int) -> None:
    for olrt_s in (0.0, 0.01):
        assert largest_gain(1.0, olrt_s, late) == pytest.approx(1.0, abs=0.01)


def test_a_long_dead_time_against_a_slow_lag_is_the_continuous_one() -> None:
    """pi/2 tau/D, where the lag is much slower than the delay."""
    tau = 100.0 / math.log(10.0)
    assert largest_gain(0.1, 100.0, 20) == pytest.approx(0.5 * math.pi * tau / 2.0, rel=0.03)


@given(st.floats(0.1, 5.0), st.floats(0.5, 90.0), st.integers(1, 8))
def test_later_is_worse_and_slower_is_better(sample_s: float, olrt_s: float, late: int) -> None:
    here = largest_gain(sample_s, olrt_s, late)
    assert largest_gain(sample_s, olrt_s, late + 1) <= here + 1e-9
    assert largest_gain(sample_s, 2.0 * olrt_s, late) >= here - 1e-9


def test_a_lag_that_is_slower_than_all_samples_is_still_finite() -> None:
    assert math.isfinite(largest_gain(0.1, 1e9, 1))


@pytest.mark.parametrize(("late", "gain"), [(2, 1.8), (3, 6.0)])
def test_the_response_time_that_does_leaves_the_margin_and_a_shorter_one_does_not(late: int, gain: float) -> None:
    olrt_s = slowest_that_does(1.0, late, gain, 3.0, 600.0)
    assert olrt_s is not None
    assert largest_gain(1.0, olrt_s, late) == pytest.approx(3.0 * gain, rel=1e-6)
    assert largest_gain(1.0, 0.9 * olrt_s, late) < 3.0 * gain


def test_where_not_even_the_slowest_does_nothing_is_said() -> None:
    assert slowest_that_does(1.0, 2, 100.0, 3.0, 60.0) is None
