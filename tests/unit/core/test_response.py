"""The response filter: exact whatever the step, 90 % at the open-loop response time; curves; circle and ramp."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from derctl.core.capability import clamp, q_box, room
from derctl.core.curve import Curve
from derctl.core.response import Lag, follow, ramp
from derctl.errors import SettingError
from tests import make

OLRT = st.floats(0.2, 90.0)
UNIT = st.floats(-2.0, 2.0)
STEPS = st.lists(st.floats(1e-3, 30.0), min_size=1, max_size=30)


def tau(olrt_s: float) -> float:
    """IEEE 1547-2018: the open-loop response time is that to 90 %; first order: tau = T_r / ln 10."""
    return olrt_s / math.log(10.0)


@given(OLRT, UNIT, UNIT)
def test_90_percent_of_a_step_is_reached_at_the_open_loop_response_time(olrt_s: float, y: float, u: float) -> None:
    after = follow(Lag(y=y, u=u), u, dt_s=olrt_s, olrt_s=olrt_s)
    assert after.y == pytest.approx(y + 0.9 * (u - y), abs=1e-12)


@given(OLRT, UNIT, UNIT, st.floats(1e-3, 500.0))
def test_the_answer_to_a_step_is_the_exponential(olrt_s: float, y: float, u: float, t: float) -> None:
    expected = u + (y - u) * math.exp(-t / tau(olrt_s))
    assert follow(Lag(y=y, u=u), u, dt_s=t, olrt_s=olrt_s).y == pytest.approx(expected, abs=1e-12)


@given(OLRT, UNIT, UNIT, UNIT, st.floats(1e-3, 500.0))
def test_the_answer_to_a_ramp_is_the_closed_form(olrt_s: float, y: float, u0: float, u1: float, t: float) -> None:
    """u = u0 + a t: y = u - a tau + (y0 - u0 + a tau) exp(-t / tau)."""
    a, lag = (u1 - u0) / t, tau(olrt_s)
    expected = u1 - a * lag + (y - u0 + a * lag) * math.exp(-t / lag)
    size = 1.0 + abs(a) * lag
    assert follow(Lag(y=y, u=u0), u1, dt_s=t, olrt_s=olrt_s).y == pytest.approx(expected, abs=1e-9 * size)


@given(OLRT, UNIT, UNIT, UNIT, STEPS)
def test_jitter_of_the_steps_is_irrelevant_on_a_straight_line(
    olrt_s: float, y: float, u0: float, u1: float, steps: list[float]
) -> None:
    whole = sum(steps)
    lag, t = Lag(y=y, u=u0), 0.0
    for dt_s in steps:
        t += dt_s
        lag = follow(lag, u0 + (u1 - u0) * t / whole, dt_s=dt_s, olrt_s=olrt_s)
    assert lag.y == pytest.approx(follow(Lag(y=y, u=u0), u1, dt_s=whole, olrt_s=olrt_s).y, abs=1e-9)


@given(OLRT, st.lists(st.tuples(UNIT, UNIT), min_size=2, max_size=20), STEPS)
def test_answers_superpose(olrt_s: float, inputs: list[tuple[float, float]], steps: list[float]) -> None:
    a, b, both = Lag(y=0.0, u=0.0), Lag(y=0.0, u=0.0), Lag(y=0.0, u=0.0)
    for (ua, ub), dt_s in zip(inputs, steps, strict=False):
        a = follow(a, ua, dt_s=dt_s, olrt_s=olrt_s)
        b = follow(b, ub, dt_s=dt_s, olrt_s=olrt_s)
        both = follow(both, ua + ub, dt_s=dt_s, olrt_s=olrt_s)
    assert both.y == pytest.approx(a.y + b.y, abs=1e-9)


@pytest.mark.parametrize("olrt_s", [0.5, 5.0, 60.0])
@pytest.mark.parametrize("dt_s", [0.1, 1.0, 7.0])
def test_it_agrees_with_very_fine_stepping_of_the_differential_equation(olrt_s: float, dt_s: float) -> None:
    """Midpoint steps of dy/dt = (u - y) / tau, ten thousand a sample, u straight between the samples."""
    inputs = [0.0, 1.0, 1.0, -0.5, 0.3, 0.3, 0.3]
    lag, y = Lag(y=0.2, u=inputs[0]), 0.2
    for u0, u1 in itertools.pairwise(inputs):
        lag = follow(lag, u1, dt_s=dt_s, olrt_s=olrt_s)
        n, h = 10_000, dt_s / 10_000
        for k in range(n):
            here, mid = u0 + (u1 - u0) * k / n, u0 + (u1 - u0) * (k + 0.5) / n
            y += h * (mid - (y + 0.5 * h * (here - y) / tau(olrt_s))) / tau(olrt_s)
        assert lag.y == pytest.approx(y, abs=2e-7)


@given(OLRT, UNIT, UNIT, UNIT, st.floats(1e-9, 1e9))
def test_it_never_overshoots_what_went_in(olrt_s: float, y: float, u0: float, u1: float, dt_s: float) -> None:
    after = follow(Lag(y=y, u=u0), u1, dt_s=dt_s, olrt_s=olrt_s)
    assert min(y, u0, u1) - 1e-9 <= after.y <= max(y, u0, u1) + 1e-9
    assert after.u == u1


def test_no_time_changes_nothing_and_no_response_time_passes_through() -> None:
    lag = Lag(y=0.1, u=0.2)
    assert follow(lag, 0.9, dt_s=0.0, olrt_s=5.0) is lag
    assert follow(lag, 0.9, dt_s=-1.0, olrt_s=5.0) is lag
    assert follow(lag, 0.9, dt_s=5e-324, olrt_s=5.0) is lag, "shorter than any clock tells"
    assert follow(lag, 0.9, dt_s=1.0, olrt_s=0.0) == Lag(y=0.9, u=0.9)


@given(UNIT, UNIT, st.floats(0.001, 1.0), st.floats(0.0, 10.0))
def test_a_ramp_falls_at_once_and_rises_at_its_pace(now: float, goal: float, up: float, dt_s: float) -> None:
    after = ramp(now, goal, up_per_s=up, dt_s=dt_s)
    assert after == goal if goal <= now else now <= after <= goal
    assert (after <= max(now, goal) and after - now <= up * dt_s + 1e-12) or goal <= now


# ---- curves


CURVES = st.lists(st.tuples(st.floats(0.5, 1.5), UNIT), min_size=2, max_size=6).map(sorted)


@given(CURVES, st.floats(0.0, 2.0))
def test_a_curve_is_numpy_s_interp_between_its_points_and_flat_beyond(points: Any, x: float) -> None:
    np = pytest.importorskip("numpy")
    xs = [p[0] for p in points]
    if len(set(xs)) == len(xs) and min(b - a for a, b in itertools.pairwise(xs)) > 1e-6:
        assert Curve.of(points)(x) == pytest.approx(float(np.interp(x, xs, [p[1] for p in points])), abs=1e-9)
    assert min(p[1] for p in points) - 1e-12 <= Curve.of(points)(x) <= max(p[1] for p in points) + 1e-12


def test_at_a_step_the_left_value_holds() -> None:
    curve = Curve.of([(1.0, 0.0), (1.0, 5.0), (2.0, 5.0)])
    assert (curve(0.9), curve(1.0), curve(1.0 + 1e-12), curve(3.0)) == (0.0, 0.0, 5.0, 5.0)
    inner = Curve.of([(0.0, 1.0), (1.0, 1.0), (1.0, 5.0), (2.0, 5.0)])
    assert (inner(1.0), inner(1.5)) == (1.0, 5.0)


def test_points_out_of_order_are_named() -> None:
    with pytest.raises(SettingError) as caught:
        Curve.of([(1.0, 0.0), (1.1, 1.0), (1.05, 2.0)], name="points")
    assert (caught.value.name, caught.value.value) == ("points[2]", 1.05) and ">= 1.1" in caught.value.allowed
    with pytest.raises(SettingError):
        Curve.of([(1.0, 0.0)])


# ---- box and circle


@given(st.floats(0.0, 1e5), st.floats(-2e5, 2e5))
def test_the_circle_s_room_is_never_outside_and_never_nan(s: float, other: float) -> None:
    left = room(s, other)
    assert 0.0 <= left <= s * (1.0 + 1e-12) + 1e-12
    if abs(other) <= s:
        assert left**2 + other**2 == pytest.approx(s**2, rel=1e-9, abs=1e-9)
    else:
        assert left == 0.0


@given(st.floats(-1e5, 1e5))
def test_the_box_has_its_own_bound_on_either_side(q: float) -> None:
    rating = make.rating(q_inj_max_var=4_400.0, q_abs_max_var=2_500.0)
    assert q_box(rating, q) == clamp(q, -2_500.0, 4_400.0)
