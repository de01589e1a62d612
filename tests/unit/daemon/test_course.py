"""What follows a moving target, and what only stays where it is."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from derctl.core.types import Setpoint
from derctl.core.words import What
from derctl.daemon.course import Course, left, measured, went_on

SETTLE_S, TOLERANCE = 10.0, 150.0


def run(target: Callable[[int], float], power: Callable[[int], float], seconds: int, what: What) -> list[bool]:
    """At each second from 0 on: whether the power has left what it is told."""
    course: Course | None = None
    found = []
    for second in range(seconds):
        wanted, gives = target(second), power(second)
        limit = what is What.CEILING
        setpoint = Setpoint(p_ceiling_w=wanted) if limit else Setpoint(p_target_w=wanted)
        course = went_on(course, setpoint, float(second), SETTLE_S)
        astray = gives > wanted + TOLERANCE if limit else abs(gives - wanted) > TOLERANCE
        course = measured(course, float(second), astray=astray)
        found.append(left(course, what, gives, TOLERANCE, float(second), SETTLE_S))
    return found


def lagging(target: Callable[[int], float], seconds: int) -> Callable[[int], float]:
    """Where the target was so many seconds ago."""
    return lambda second: target(max(second - seconds, 0))


DEAD: dict[str, Callable[[int], float]] = {
    "one that stands still": lambda s: -3000.0,
    "one that moves by a watt a second": lambda s: -3000.0 + s % 3,
    "one that drifts by a watt a second": lambda s: -3000.0 - s,
    "one that jumps by more than the tolerance every few seconds": lambda s: -3000.0 + 400.0 * (s // 4 % 2),
    "a ramp": lambda s: -500.0 - 100.0 * s,
}


@pytest.mark.parametrize("name", DEAD)
def test_power_that_stays_where_it_is_has_left_any_target_after_the_settle_time(name: str) -> None:
    found = run(DEAD[name], lambda s: 0.0, 60, What.TARGET)
    assert not any(found[:11]) and all(found[11:])


@pytest.mark.parametrize("name", DEAD)
def test_power_that_is_where_the_target_was_some_seconds_ago_follows(name: str) -> None:
    assert not any(run(DEAD[name], lagging(DEAD[name], 8), 60, What.TARGET))


def test_power_that_jumps_away_for_less_than_the_settle_time_has_not_left() -> None:
    assert not any(run(lambda s: -3000.0, lambda s: -3000.0 if s % 9 else 0.0, 100, What.TARGET))


def test_a_large_step_has_its_time_from_the_step_on() -> None:
    found = run(lambda s: 0.0 if s < 100 else -3000.0, lambda s: 0.0, 120, What.TARGET)
    assert not any(found[:111]) and all(found[111:])


def test_below_its_ceiling_nothing_is_astray_and_above_it_stays_so_while_that_goes_down() -> None:
    assert not any(run(lambda s: 4000.0, lambda s: 1000.0, 60, What.CEILING))
    found = run(lambda s: 4000.0 - 50.0 * s, lambda s: 7000.0, 60, What.CEILING)
    assert not any(found[:11]) and all(found[11:])


def test_where_it_was_free_in_between_it_is_not_judged() -> None:
    course = went_on(None, Setpoint(p_target_w=-3000.0), 0.0, SETTLE_S)
    course = went_on(course, Setpoint(p_ceiling_w=1000.0), 50.0, SETTLE_S)
    course = went_on(course, Setpoint(p_target_w=-3000.0), 55.0, SETTLE_S)
    course = measured(course, 30.0, astray=True)
    assert not left(course, What.TARGET, 0.0, TOLERANCE, 60.0, SETTLE_S)
    assert left(course, What.TARGET, 0.0, TOLERANCE, 66.0, SETTLE_S)


def test_no_more_of_the_past_is_kept_than_counts() -> None:
    course: Course | None = None
    for second in range(1000):
        course = went_on(course, Setpoint(p_target_w=float(second)), float(second), SETTLE_S)
    assert course is not None and len(course.past) == 11
    assert went_on(course, course.setpoint, 1000.0, SETTLE_S) is course
    assert measured(course, 1000.0, astray=False) is course


def test_what_comes_back_again_and_again_is_kept_once_by_its_last_time() -> None:
    """A target that changes in each tick, a hundred times in the settle time."""
    low, high = Setpoint(p_target_w=1000.0), Setpoint(p_target_w=3000.0)
    course: Course | None = None
    for tick in range(301):
        course = went_on(course, high if tick % 2 else low, 0.1 * tick, SETTLE_S)
    assert course is not None and course.setpoint is low
    assert [(round(end_s, 1), before) for end_s, before in course.past] == [(29.9, low), (30.0, high)]
