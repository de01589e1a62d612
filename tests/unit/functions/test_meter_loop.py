"""The law of a loop on a late meter: no correction twice, none too few, and what is learned of who gives less."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from derctl.core.evidence import Evidence
from derctl.core.pace import LATE_S
from derctl.core.types import Capability, Port, Setpoint
from derctl.core.value import replace
from derctl.functions.meter_loop import (
    FOLLOW_S,
    KEPT_S,
    LEARN_PU,
    LEARN_S,
    OVER_S,
    SKEW,
    Course,
    Late,
    Seen,
    anew,
    capped,
    free,
    late,
    moved,
    noted,
)
from tests import make

AT_ONCE = Late(given_s=1.5, asked_s=7.5, risen_s=1.5)
SIZE_W = 10_000.0


def course(*points: tuple[float, float, float], slack_w: float = 0.0, goal_w: float | None = None) -> Course:
    """(t_s, given, asked)."""
    found = Course(slack_w=slack_w, goal_w=goal_w)
    for t_s, given_w, asked_w in points:
        found = noted(found, given_w, asked_w, t_s)
    return found


def seen(given_w: float, asked_w: float, headroom_w: float, **more: float) -> Seen:
    rest: dict[str, Any] = {"size_w": SIZE_W, "dt_s": 1.0, "least_w": 0.0, **more}
    return Seen(given_w=given_w, asked_w=asked_w, headroom_w=headroom_w, **rest)


@pytest.mark.parametrize(
    ("points", "now", "goal_w"),
    [
        ([(0.0, 5e3, 5e3), (1.0, 5e3, 5e3)], seen(5e3, 5e3, -2e3), 3e3),
        ([(0.0, 5e3, 5e3), (1.0, 5e3, 5e3)], seen(5e3, 5e3, 2e3), 7e3),
        ([(0.0, 5e3, 5e3), (1.0, 3e3, 3e3)], seen(3e3, 3e3, -2e3), 3e3),
        ([(0.0, 5e3, 5e3), (1.0, 5e3, 3e3)], seen(5e3, 3e3, -2e3), 3e3),
        ([(0.0, 5e3, 5e3), (1.0, 5e3, 3e3)], seen(5e3, 3e3, -3e3), 2e3),
        ([(0.0, 5e3, 5e3), (9.0, 5e3, 3e3), (10.0, 5e3, 3e3)], seen(5e3, 3e3, -2e3), 1e3),
        ([(0.0, 3e3, 3e3), (1.0, 5e3, 5e3)], seen(5e3, 5e3, 2e3), 5e3),
        ([(0.0, 1e3, 8e3), (1.0, 1e3, 8e3)], seen(1e3, 8e3, 2e3), 3e3),
        ([(0.0, 0.0, 0.0), (1.0, 0.0, 0.0)], seen(0.0, 0.0, -2e3), 0.0),
    ],
    ids=[
        "too much",
        "room",
        "too much, but they are down already, and the meter may not show it",
        "too much, and they are on their way",
        "more than what is on its way",
        "they don't come down: the others make up for them",
        "room, but they are up already",
        "without sun the limit waits where it would bind",
        "nobody is asked for less than nothing",
    ],
)
def test_the_goal_counts_what_is_on_its_way_as_shown(
    points: list[tuple[float, float, float]], now: Seen, goal_w: float
) -> None:
    assert capped(course(*points), now, AT_ONCE).goal_w == goal_w


@pytest.mark.no_cover
@given(
    load=st.lists(st.floats(0.0, 9e3), min_size=1, max_size=5),
    late_ticks=st.integers(0, 4),
    obeys=st.integers(0, 3),
    gives=st.floats(0.95, 1.05),
)
def test_every_load_is_met_once_and_the_sum_comes_to_rest(
    load: list[float], late_ticks: int, obeys: int, gives: float
) -> None:
    """As late as the window allows, or less; who gives less or more than it is told ends where it should."""
    lateness = Late(given_s=5.5, asked_s=5.5 + FOLLOW_S, risen_s=1.5)
    told, given_w, shown = [0.0], [0.0], [0.0]
    state = Course()
    for load_w in load:
        for _ in range(240):
            given_w.append(gives * told[max(len(told) - 1 - obeys, 0)])
            shown.append(given_w[-1] - load_w)
            poc_w = shown[max(len(shown) - 1 - late_ticks, 0)]
            state = noted(state, given_w[-1], told[-1], float(len(told)))
            state = capped(state, seen(given_w[-1], told[-1], 1e3 - poc_w, size_w=2e4), lateness)
            told.append(moved(state, told[-1], 1.0, 1e3, 1.0))
        assert shown[-1] == pytest.approx(1e3, abs=25.0)
        assert max(shown[-60:]) - min(shown[-60:]) < 30.0


@pytest.mark.parametrize(("gives", "missing_w"), [(0.98, 0.0), (0.96, 0.0), (0.9, 1_000.0)])
def test_who_gives_less_than_asked_is_asked_for_more_by_5_percent_at_most(gives: float, missing_w: float) -> None:
    """Who gives less than that is held by the sun."""
    state, asked_w = Course(), 1e4
    for n in range(300):
        state = noted(state, gives * asked_w, asked_w, float(n))
        state = capped(state, seen(gives * asked_w, asked_w, 1e4 - gives * asked_w), AT_ONCE)
        asked_w = moved(state, asked_w, 1.0, 1e3, 1.0)
    assert 1e4 - gives * asked_w == pytest.approx(missing_w, abs=1.0)
    assert state.slack_w <= LEARN_PU * SIZE_W


@pytest.mark.parametrize(
    ("headroom_w", "shown_s", "goal_w"),
    [(-2e3, 0.0, 2e3), (-2e3, 2.0, 3e3), (-50.0, 0.0, 4_950.0)],
    ids=["too much goes out", "it is too early for the dip to be shown", "the margin takes it in"],
)
def test_a_dip_that_the_coin_has_made_explains_no_excess(headroom_w: float, shown_s: float, goal_w: float) -> None:
    """It ends, and the excess was there all the time: the export stood above the limit for two refreshes more."""
    state = Course()
    for t_s, given_w, dip_w in ((0.0, 5e3, 0.0), (1.0, 5e3, 1e3), (1.4, 4.5e3, 1e3), (2.0, 4e3, 1e3)):
        state = noted(state, given_w, 5e3, t_s, dip_w)
    late_ = replace(AT_ONCE, given_s=2.5, shown_s=shown_s)
    assert capped(state, seen(4e3, 5e3, headroom_w, margin_w=100.0), late_).goal_w == goal_w


def test_after_a_dip_the_meter_may_still_show_it() -> None:
    state = Course()
    for t_s, given_w, dip_w in ((0.0, 4e3, 1e3), (1.0, 4e3, 0.0), (2.0, 5e3, 0.0)):
        state = noted(state, given_w, 5e3, t_s, dip_w)
    late_ = replace(AT_ONCE, given_s=2.5)
    assert capped(state, seen(5e3, 5e3, -500.0, margin_w=100.0), late_).goal_w == 3_500.0


def test_what_the_loop_took_back_in_a_dip_is_not_taken_twice() -> None:
    state = Course()
    for t_s, given_w, asked_w, dip_w in ((0.0, 4e3, 5e3, 1e3), (1.0, 4e3, 2e3, 1e3), (2.0, 2e3, 2e3, 1e3)):
        state = noted(state, given_w, asked_w, t_s, dip_w)
    late_ = replace(AT_ONCE, given_s=2.5)
    assert capped(state, seen(2e3, 2e3, -2e3, margin_w=100.0), late_).goal_w == 2e3


def test_nothing_is_learned_while_the_sun_holds_them_or_from_a_step_of_the_load() -> None:
    for now in (seen(4e3, 9e3, 300.0), seen(5e3, 5e3, 2e3), seen(5e3, 5e3, -2e3)):
        before = course((0.0, now.given_w, now.asked_w), (1.0, now.given_w, now.asked_w), slack_w=0.0)
        assert capped(before, now, AT_ONCE).slack_w == 0.0


def test_what_one_on_trial_makes_by_its_dip_is_no_room() -> None:
    before = course((0.0, 5e3, 5e3), (1.0, 5e3, 5e3))
    assert capped(before, replace(seen(5e3, 5e3, 2e3), room_w=500.0), AT_ONCE).goal_w == 5_500.0


def test_a_reading_that_is_older_than_the_meter_does_not_take_a_rise_back() -> None:
    """Asked for 1 kW more; the meter shows it, the inverter's own reading does not yet."""
    rising = course((0.0, 3e3, 3e3), (1.0, 3e3, 4e3), goal_w=5e3)
    assert capped(rising, seen(3e3, 4e3, 1e3), AT_ONCE).goal_w == 5e3


def test_the_course_of_a_fast_tick_has_as_few_points() -> None:
    fast = course(*((0.1 * n, 1e3 + n, 1e3) for n in range(1_000)))
    assert 2.0 * KEPT_S <= len(fast.points) <= 2.6 * KEPT_S
    assert max(point.given_high_w for point in fast.points) == 1_999.0
    assert min(point.given_low_w for point in fast.points) >= 1_999.0 - 10.0 * (KEPT_S + 1.0)


def test_down_at_once_or_by_a_share_of_the_way_a_second_and_up_on_a_ramp() -> None:
    low, high = Course(goal_w=1e3), Course(goal_w=9e3)
    assert moved(low, 5e3, 1.0, 1e3, 0.0) == 1e3
    assert moved(low, 5e3, 0.5, 1e3, 1.0) == 3e3
    assert moved(low, moved(low, 5e3, 0.5, 1e3, 0.5), 0.5, 1e3, 0.5) == pytest.approx(3e3)
    assert moved(high, 5e3, 1.0, 1e3, 0.5) == 5_500.0
    assert moved(Course(), 5e3, 1.0, 1e3, 1.0) == 5e3


def test_other_ders_begin_anew_with_what_was_learned() -> None:
    assert anew(course((0.0, 1.0, 2.0), slack_w=80.0, goal_w=7.0)) == Course(slack_w=80.0)


@pytest.mark.parametrize(
    ("known", "late_s"),
    [
        (Evidence(), LATE_S),
        (Evidence(delay_s=0.0, refresh_s=0.2), 0.0),
        (Evidence(delay_s=2.0, refresh_s=1.0), 2.0),
        (Evidence(delay_s=0.0, refresh_s=5.0), 4.0),
    ],
)
def test_how_late_is_what_was_measured_or_the_most_that_is_believed(known: Evidence, late_s: float) -> None:
    poc = replace(make.meter(0.0), age_s=0.4, belief=known)
    found = late(poc, [make.pv(p_w=1.0, age_s=0.7)], 1.0)
    given_s = late_s + 0.4 + SKEW
    assert (found.given_s, found.risen_s) == (pytest.approx(given_s), pytest.approx(0.7 + SKEW))
    assert found.asked_s == pytest.approx(given_s + FOLLOW_S)
    unmeasured = late(poc, [make.pv()], 1.0)
    assert unmeasured.given_s == pytest.approx(given_s + FOLLOW_S) and unmeasured.risen_s == SKEW


def test_nothing_is_learned_while_they_are_asked_for_something_else_than_the_loop_would() -> None:
    """A senior, credit or a ramp holds them; or they are on their way down."""
    for goal_w, slack_w in ((6e3, 50.0), (6e3, -50.0), (4e3, -50.0)):
        before = course((0.0, 5e3, 5e3), (1.0, 5e3, 5e3), goal_w=goal_w, slack_w=slack_w)
        scale = capped(before, seen(5e3, 5e3, 300.0), AT_ONCE)
        assert scale.goal_w is not None and scale.slack_w == pytest.approx(slack_w * scale.goal_w / goal_w)


def test_what_they_give_less_does_not_grow_with_each_goal_that_rises() -> None:
    """The meter was not proven yet, and others came and went: 85 W became 1 kW, and 350 W too much went out."""
    known = course((0.0, 5e3, 5e3), slack_w=85.0)
    for _ in range(6):
        known = capped(known, seen(5e3, 5e3, 4e3), AT_ONCE)
        assert known.goal_w is not None and known.goal_w > 8e3 and known.slack_w <= 85.0
        known = replace(known, goal_w=None)


def test_a_load_that_falls_on_and_on_is_met_by_what_is_learned() -> None:
    """The bound lags behind by the window; within a minute that is taken back."""
    late_s = Late(given_s=6.5, asked_s=12.5, risen_s=1.5)
    told = given_w = 7e3
    state, over = Course(), list[float]()
    for n in range(120):
        load_w = 6e3 - max(n - 20, 0) * 50.0
        given_w = told
        over.append(given_w - load_w - 1e3)
        state = noted(state, given_w, told, float(n))
        state = capped(state, seen(given_w, told, -over[-1]), late_s)
        told = moved(state, told, 1.0, 1e3, 1.0)
    assert max(over) <= 350.0 and over[-1] <= 100.0


def test_above_the_limit_it_learns_faster() -> None:
    before = course((0.0, 5e3, 5e3), (1.0, 5e3, 5e3), goal_w=5e3)
    found = [
        capped(before, seen(5e3, 5e3, -200.0, margin_w=margin_w), AT_ONCE).slack_w for margin_w in (250.0, 100.0)
    ]
    assert found == pytest.approx([-200.0 / LEARN_S, -200.0 / OVER_S])


def test_a_goal_before_of_next_to_nothing_scales_nothing() -> None:
    """Seen: 1e-308 W before, and the slack was no number any more."""
    before = course((0.0, 0.0, 1e-308), goal_w=1e-308)
    after = capped(before, seen(0.0, 1e-308, 5_000.0), AT_ONCE)
    assert math.isfinite(after.slack_w) and after.goal_w is not None and math.isfinite(after.goal_w)


@pytest.mark.parametrize(("p_w", "expected"), [(1_000.0, True), (3_000.0, False)])
def test_a_hybrid_that_gives_less_than_its_ceiling_is_free_like_pv_and_a_store_never_is(
    p_w: float, expected: bool
) -> None:
    """It follows the house below its ceiling: that says nothing of how well it keeps to it."""
    told = Setpoint(p_ceiling_w=3_000.0)
    hybrid = Capability(ac=Port(limit=True), pv=Port(), battery=Port())
    assert free(make.der("h1", make.rating(p_max_w=5_000.0), hybrid, p_w=p_w, accepted=told)) is expected
    assert not free(make.battery(p_w=p_w, accepted=Setpoint(p_target_w=3_000.0)))
