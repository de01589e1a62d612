"""Standing by because of a limit: from a table of what a tick shows, and what may go out meanwhile."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from derctl.core.types import DerState
from derctl.core.words import Phase, Status
from derctl.daemon.actuate import rest as rests
from derctl.daemon.actuate.rest import AWAKE, Rest
from derctl.daemon.actuate.text import not_woken_text, rest_news, stands_by_text
from derctl.devices import Profile
from tests import make

PLAIN, FRONIUS = Profile(), Profile(min_limit_pct=10.0, wake_s=60.0)
STANDBY = Rest(phase=Phase.STANDBY, since_s=100.0, told_w=400.0, least_w=600.0)
WAKING = replace(STANDBY, phase=Phase.WAKING, since_s=200.0)


def pv(p_w: float | None = 1000.0, status: Status = Status.ON, **given: Any) -> DerState:
    return make.pv("pv1", **{"p_w": p_w, "status": status, "v_v": 230.0, "f_hz": 50.0, **given})


def after(*ticks: tuple[DerState, float | None], rest: Rest = AWAKE, profile: Profile = PLAIN) -> Rest:
    """After these ticks, a second apart from 100 s on; each with what it was told."""
    for n, (der, told_w) in enumerate(ticks):
        rest = rests.seen(rest, der, told_w, profile, 100.0 + n)
    return rest


def test_who_gave_what_it_was_told_and_then_stands_by_does_so_because_of_that() -> None:
    rest = after((pv(1000.0), 1000.0), (pv(0.0, Status.STANDBY), 400.0))
    assert (rest.phase, rest.since_s, rest.told_w, rest.least_w) == (Phase.STANDBY, 101.0, 400.0, 600.0)


def test_a_limit_of_0_teaches_no_least_one() -> None:
    rest = after((pv(1000.0), 1000.0), (pv(0.0, Status.STANDBY), 0.0))
    assert (rest.phase, rest.least_w) == (Phase.STANDBY, 0.0)


@pytest.mark.parametrize(
    "ticks",
    [
        ((pv(300.0), 2000.0), (pv(0.0, Status.STANDBY), 2000.0)),
        ((pv(300.0), None), (pv(0.0, Status.STANDBY), None)),
        ((pv(6000.0), 6000.0), (pv(0.0, Status.STANDBY), 6000.0)),
        ((pv(1000.0), 1000.0), (pv(0.0, Status.ASLEEP, v_v=None, f_hz=None), 400.0)),
        ((pv(1000.0), 1000.0), (pv(0.0, Status.FAULT), 400.0)),
        ((pv(1000.0), 1000.0), (pv(0.0, Status.ON), 400.0)),
        ((pv(0.0, Status.STANDBY), 400.0),),
    ],
    ids=["the sun's end", "no limit", "a high limit", "night", "a fault", "held at 0 W", "found so"],
)
def test_nobody_stands_by_because_of_a_limit_that_did_not_hold_it(
    ticks: tuple[tuple[DerState, float | None]],
) -> None:
    rest = after(*ticks)
    assert (rest.phase, rest.least_w) == (Phase.AWAKE, 0.0)


@pytest.mark.parametrize(
    "der", [pv(0.0, Status.STANDBY, fresh=False), pv(None, Status.STANDBY), make.battery(p_w=0.0, status=Status.OFF)]
)
def test_what_tells_nothing_changes_nothing(der: DerState) -> None:
    assert after((der, 5000.0), rest=STANDBY) is STANDBY


def test_a_higher_limit_wakes_it_up_and_how_long_that_took_is_known() -> None:
    standing, starting, gives = pv(0.0, Status.STANDBY), pv(0.0, Status.STARTING), pv(700.0)
    assert after((standing, 500.0), rest=STANDBY) is STANDBY, "the least one is higher"
    waking = after((standing, 1000.0), rest=STANDBY)
    assert (waking.phase, waking.since_s) == (Phase.WAKING, 100.0)
    rest = after((standing, 1000.0), (starting, 1000.0), (starting, 1000.0), (gives, 1000.0), rest=STANDBY)
    assert (rest.phase, rest.wake_s, rest.least_w) == (Phase.AWAKE, 3.0, 600.0)


def test_the_longest_time_counts() -> None:
    known = replace(STANDBY, wake_s=40.0)
    assert after((pv(0.0, Status.STANDBY), None), (pv(700.0), None), rest=known).wake_s == 40.0


def test_one_that_wakes_up_without_being_let_teaches_no_time() -> None:
    rest = after((pv(700.0), 400.0), rest=STANDBY)
    assert (rest.phase, rest.wake_s) == (Phase.AWAKE, None)


@pytest.mark.parametrize("status", [Status.ON, Status.THROTTLED])
def test_one_that_says_it_is_at_work_is_awake_however_little_sun_there_is(status: Status) -> None:
    rest = after((pv(30.0, status), 1000.0), rest=replace(WAKING, since_s=92.0, overdue=True))
    assert (rest.phase, rest.since_s, rest.wake_s, rest.overdue) == (Phase.AWAKE, 100.0, 8.0, False)


def test_a_lower_limit_sends_it_back() -> None:
    rest = after((pv(0.0, Status.STARTING), 0.0), rest=replace(WAKING, overdue=True))
    assert (rest.phase, rest.since_s, rest.overdue) == (Phase.STANDBY, 100.0, False)


def test_night_ends_it_and_teaches_nothing() -> None:
    for asleep in (pv(0.0, Status.ASLEEP, v_v=None, f_hz=None), pv(0.0, Status.FAULT)):
        rest = after((asleep, 1000.0), rest=WAKING)
        assert (rest.phase, rest.wake_s, rest.least_w) == (Phase.AWAKE, None, 600.0)


@pytest.mark.parametrize(
    ("wake_s", "profile", "within_s"),
    [(None, PLAIN, 300.0), (None, FRONIUS, 120.0), (20.0, PLAIN, 40.0), (20.0, FRONIUS, 120.0)],
)
def test_it_is_overdue_after_twice_what_is_known(wake_s: float | None, profile: Profile, within_s: float) -> None:
    rest, standing = replace(WAKING, since_s=0.0, wake_s=wake_s), pv(0.0, Status.STANDBY)
    assert not rests.seen(rest, standing, 2000.0, profile, within_s).overdue
    late = rests.seen(rest, standing, 2000.0, profile, within_s + 1.0)
    assert late.overdue
    assert rests.seen(late, standing, 2000.0, profile, within_s + 2.0) is late


@pytest.mark.parametrize(
    ("rest", "wanted_w", "told_w"),
    [
        (AWAKE, 400.0, 400.0),
        (AWAKE, None, None),
        (replace(AWAKE, least_w=600.0), 400.0, 0.0),
        (replace(AWAKE, least_w=600.0), 600.0, 600.0),
        (replace(AWAKE, least_w=600.0), 0.0, 0.0),
        (STANDBY, 8000.0, 1000.0),
        (STANDBY, 800.0, 800.0),
        (WAKING, 8000.0, 1000.0),
        (replace(WAKING, least_w=2000.0), 8000.0, 2000.0),
        (replace(WAKING, overdue=True), 8000.0, 8000.0),
        (Rest(since_s=297.0, wake_s=20.0), 8000.0, 4000.0),
        (Rest(since_s=100.0, wake_s=20.0), 8000.0, 8000.0),
    ],
)
def test_it_is_let_give_little_until_it_was_seen_to_wake_up_and_then_in_a_ramp(
    rest: Rest, wanted_w: float | None, told_w: float | None
) -> None:
    assert rests.told(rest, wanted_w, pv(), PLAIN, 300.0) == told_w


def test_the_least_limit_of_the_profile_counts_too_and_stores_have_none() -> None:
    assert rests.told(AWAKE, 900.0, pv(), FRONIUS, 0.0) == 0.0
    assert rests.told(STANDBY, 900.0, make.battery(), FRONIUS, 0.0) == 900.0


def test_both_are_said_with_their_numbers() -> None:
    assert stands_by_text(STANDBY, 10_000.0) == (
        "went to stand by under its limit of 400 W: below 600 W (6 %) it is told 0 W from now on"
    )
    assert not_woken_text(WAKING, 510.0).startswith("stands by, though its limit was raised 310 s ago: is there sun")


def test_each_is_told_when_it_becomes_so() -> None:
    late = replace(WAKING, overdue=True)
    events = [[name for name, _ in rest_news(a, b, 10_000.0, 510.0)] for a, b in ((AWAKE, STANDBY), (WAKING, late))]
    assert events == [["stands_by"], ["not_woken"]]
    assert [*rest_news(STANDBY, WAKING, 10_000.0, 510.0), *rest_news(late, late, 10_000.0, 510.0)] == []
