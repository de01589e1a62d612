"""When a setpoint is written, and what counts as taken and as achieved."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from derctl.core.types import Capability, DerState, Fallback, Port, Rating, Setpoint
from derctl.core.words import FallbackBy, Status
from derctl.daemon.actuate.deadband import Written, differs, reason_to_write, taken
from derctl.daemon.actuate.judge import achieved
from derctl.daemon.course import Course
from derctl.devices import Profile
from tests import make
from tests.writing import ceiling

PV = make.rating(p_max_w=5000.0, s_max_va=5500.0, q=0.4, v_nom_v=277.0)
BATTERY = replace(PV, p_max_w=3000.0, p_min_w=-5000.0)
PROFILE = Profile()
"""Dead band 1 %, tolerance 3 % of the rating."""


def reason(
    desired: Setpoint,
    accepted: Setpoint | None,
    written: Written | None,
    *,
    now_s: float = 100.0,
    rating: Rating = PV,
    fallback: Fallback = Fallback(p_ceiling_w=5000.0, after_s=60.0),  # noqa: B008 frozen
    p_w: float | None = None,
    q_unasked_s: float | None = None,
    lapses_s: float | None = None,
    **profile: Any,
) -> str | None:
    return reason_to_write(
        desired,
        accepted,
        written,
        rating=rating,
        fallback=fallback,
        profile=replace(PROFILE, **profile),
        now_s=now_s,
        p_w=p_w,
        q_unasked_s=q_unasked_s,
        lapses_s=lapses_s,
    )


def held(watts: float, *, at_s: float = 99.0, refusals: int = 0) -> tuple[Setpoint, Written]:
    """What the device holds and what was written, one second ago."""
    return ceiling(watts), Written(setpoint=ceiling(watts), at_s=at_s, refusals=refusals)


# -- tighten at once, relax with a dead band ------------------------------------------------------------------------


@pytest.mark.parametrize("less_w", [11.0, 25.0, 49.0, 500.0])
def test_a_ceiling_is_lowered_at_once(less_w: float) -> None:
    """From 0.2 % of the rating on: 10 W."""
    assert reason(ceiling(4000.0 - less_w), *held(4000.0)) == "changed"


@pytest.mark.parametrize(("more_w", "found"), [(11.0, None), (49.0, None), (51.0, "changed"), (500.0, "changed")])
def test_a_ceiling_is_raised_outside_the_dead_band_only(more_w: float, found: str | None) -> None:
    assert reason(ceiling(4000.0 + more_w), *held(4000.0)) == found


def test_noise_below_the_resolution_is_not_written() -> None:
    for watts in (3995.0, 4000.0, 4005.0):
        assert reason(ceiling(watts), *held(4000.0)) is None


@pytest.mark.parametrize(("wish_w", "held_w"), [(5000.0, 4960.0), (0.0, 40.0)])
def test_full_power_and_none_are_reached_exactly(wish_w: float, held_w: float) -> None:
    """Else a limit that is lifted would leave up to 1 % standing."""
    assert reason(ceiling(wish_w), *held(held_w)) == "changed"


@pytest.mark.parametrize(
    ("wish", "have", "found"),
    [
        (-2000.0, -1951.0, False),
        (-2000.0, -1949.0, True),
        (2000.0, 1951.0, False),
        (0.0, 11.0, True),
        (0.0, -9.0, False),
    ],
)
def test_a_target_that_grows_has_its_dead_band_and_zero_is_exact(wish: float, have: float, found: bool) -> None:
    """Of the larger of both ratings: 5000 W to charge."""
    assert differs(Setpoint(p_target_w=wish), Setpoint(p_target_w=have), BATTERY, PROFILE) is found


@pytest.mark.parametrize(
    ("wish", "have", "found"),
    [(-2000.0, -2011.0, True), (-2000.0, -2009.0, False), (300.0, 311.0, True), (6.0, -5.0, True), (-6.0, 5.0, True)],
)
def test_a_target_towards_zero_or_past_it_is_written_at_once(wish: float, have: float, found: bool) -> None:
    """From 0.2 % of the rating on, like a ceiling that falls."""
    assert differs(Setpoint(p_target_w=wish), Setpoint(p_target_w=have), BATTERY, PROFILE) is found


def test_a_battery_whose_bms_allows_less_is_told_so_at_the_next_tick() -> None:
    """50 kW, charging at 790 W, 300 W allowed: 1 % of the rating is 500 W."""
    big = replace(BATTERY, p_max_w=50_000.0, p_min_w=-50_000.0)
    had = Setpoint(p_target_w=-790.0)
    written = Written(setpoint=had, at_s=99.0)
    assert reason(Setpoint(p_target_w=-300.0), had, written, rating=big) == "changed"


@pytest.mark.parametrize(
    ("wish", "have", "found"), [(-220.0, -270.0, False), (-220.0, -280.0, True), (0.0, 12.0, True)]
)
def test_var_has_its_dead_band_of_the_apparent_power(wish: float, have: float, found: bool) -> None:
    assert differs(Setpoint(q_var=wish), Setpoint(q_var=have), PV, PROFILE) is found


def test_what_is_not_told_never_differs_and_what_the_device_does_not_hold_always_does() -> None:
    whole = Setpoint(p_ceiling_w=1.0, p_target_w=2.0, q_var=3.0)
    assert not differs(Setpoint(), whole, PV, PROFILE)
    for part in ("p_ceiling_w", "p_target_w", "q_var"):
        assert differs(Setpoint(**{part: 500.0}), Setpoint(), PV, PROFILE)


def test_what_the_device_reads_back_is_the_measure_not_what_was_written() -> None:
    """A second master has changed it."""
    _, written = held(4000.0)
    assert reason(ceiling(4000.0), ceiling(5000.0), written) == "changed"


def test_a_device_that_cannot_read_back_is_measured_by_what_was_written() -> None:
    _, written = held(4000.0)
    assert reason(ceiling(4000.0), None, written) is None
    assert reason(ceiling(3900.0), None, written) == "changed"
    assert reason(ceiling(4000.0), ceiling(0.0), written, readback="effect_only") is None


# -- the first write ------------------------------------------------------------------------------------------------


def test_a_device_that_is_asked_for_nothing_is_not_written() -> None:
    assert reason(ceiling(5000.0), None, None, fallback=Fallback()) is None
    assert reason(ceiling(5000.0), ceiling(5000.0), None, fallback=Fallback()) is None


@pytest.mark.parametrize(
    ("desired", "fallback"),
    [
        (ceiling(5000.0), Fallback(p_ceiling_w=2000.0)),
        (Setpoint(p_target_w=0.0), Fallback()),
        (Setpoint(p_ceiling_w=5000.0, q_var=0.0), Fallback()),
    ],
)
def test_a_fallback_a_target_and_var_are_armed_at_the_first_chance(desired: Setpoint, fallback: Fallback) -> None:
    assert reason(desired, desired, None, fallback=fallback) == "first"


def test_a_limit_found_in_the_device_that_is_not_ours_is_changed() -> None:
    assert reason(ceiling(5000.0), ceiling(1000.0), None, fallback=Fallback()) == "changed"


# -- refresh --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("after_s", [10.0, 60.0, 600.0])
@pytest.mark.parametrize("by", ["reversion", "device"])
def test_it_is_written_again_when_half_of_the_reversion_time_is_spent(after_s: float, by: str) -> None:
    fallback = Fallback(p_ceiling_w=2000.0, by=FallbackBy(by), after_s=after_s)
    accepted, written = held(4000.0, at_s=0.0)
    before, then = after_s / 2 - 0.1, after_s / 2
    assert reason(ceiling(4000.0), accepted, written, now_s=before, fallback=fallback) is None
    assert reason(ceiling(4000.0), accepted, written, now_s=then, fallback=fallback) == "refresh"


def test_a_limit_without_a_timer_is_not_written_again() -> None:
    """Model 123 with `stands`: every write wears a flash somewhere."""
    fallback = Fallback(p_ceiling_w=2000.0, by=FallbackBy.STANDS, after_s=60.0)
    accepted, written = held(2000.0, at_s=0.0)
    assert reason(ceiling(2000.0), accepted, written, now_s=86_400.0, fallback=fallback) is None


@pytest.mark.parametrize(("lapses_s", "then_s"), [(10.0, 5.0), (math.inf, 30.0)])
def test_what_lapses_whatever_is_declared_is_written_again_before_half_of_that_is_spent(
    lapses_s: float, then_s: float
) -> None:
    """A Victron lets go after 10 s that nobody tells it; a SolarEdge after the seconds that it was told."""
    for by in FallbackBy:
        fallback = Fallback(p_ceiling_w=2000.0, by=by, after_s=60.0)
        accepted, written = held(4000.0, at_s=0.0)
        again: dict[str, Any] = {"fallback": fallback, "lapses_s": lapses_s}
        assert reason(ceiling(4000.0), accepted, written, now_s=then_s - 0.1, **again) is None
        assert reason(ceiling(4000.0), accepted, written, now_s=then_s, **again) == "refresh"
        assert reason(ceiling(4000.0), accepted, written, now_s=then_s, volatile=False, **again) is None


# -- a device that does not obey ------------------------------------------------------------------------------------


def waits(refusals: int, **profile: Any) -> float:
    """Seconds until a device that never takes 1000 W over is written again."""
    written = Written(setpoint=ceiling(1000.0), at_s=0.0, refusals=refusals)
    fallback = Fallback(by=FallbackBy.STANDS, p_ceiling_w=5000.0)
    tenths = range(1, 10_000)
    return next(
        t / 10
        for t in tenths
        if reason(ceiling(1000.0), ceiling(5000.0), written, now_s=t / 10, fallback=fallback, **profile)
    )


def test_after_three_refusals_it_is_asked_ever_less_often_at_least_every_30_s() -> None:
    assert [waits(n) for n in range(1, 10)] == [0.1, 0.1, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]
    assert waits(2000) == 30.0, "17 hours later too: 2^1024 is more than a float holds"


@pytest.mark.parametrize(
    ("desired", "tried", "found"),
    [
        (ceiling(949.0), ceiling(1000.0), "changed"),
        (ceiling(951.0), ceiling(1000.0), None),  # inside the dead band of 50 W
        (ceiling(1200.0), ceiling(1000.0), None),
        (Setpoint(p_target_w=-900.0), Setpoint(p_target_w=-1000.0), "changed"),
        (Setpoint(p_target_w=-1100.0), Setpoint(p_target_w=-1000.0), None),
        (Setpoint(q_var=0.0), Setpoint(q_var=1000.0), None),
    ],
)
def test_what_asks_for_less_power_waits_for_no_patience(
    desired: Setpoint, tried: Setpoint, found: str | None
) -> None:
    written = Written(setpoint=tried, at_s=99.0, refusals=9)
    assert (
        reason(desired, ceiling(5000.0), written, fallback=Fallback(by=FallbackBy.STANDS, p_ceiling_w=5000.0))
        == found
    )


def test_a_device_that_takes_nothing_is_not_flooded_while_the_limit_falls() -> None:
    """From full power to none in a thousand steps, a tick each: less than 102 writes."""
    written, writes = Written(setpoint=ceiling(5000.0), at_s=0.0, refusals=9), 0
    for tick in range(1001):
        now_s, desired = tick / 100, ceiling(5000.0 - 5.0 * tick)
        if reason(
            desired,
            ceiling(5000.0),
            written,
            now_s=now_s,
            fallback=Fallback(by=FallbackBy.STANDS, p_ceiling_w=5000.0),
        ):
            written, writes = Written(setpoint=desired, at_s=now_s, refusals=9), writes + 1
    assert 80 < writes < 102


@pytest.mark.parametrize("deadband_pct", [0.0, 0.1])
def test_a_profile_without_a_dead_band_floods_nobody(deadband_pct: float) -> None:
    written = Written(setpoint=ceiling(1000.0), at_s=99.0, refusals=9)
    fallback = Fallback(by=FallbackBy.STANDS, p_ceiling_w=5000.0)
    assert reason(ceiling(995.0), ceiling(5000.0), written, fallback=fallback, deadband_pct=deadband_pct) is None


def test_a_device_that_wants_time_between_writes_gets_it() -> None:
    assert waits(0, write_min_interval_s=12.5) == 12.5
    assert waits(4, write_min_interval_s=12.5) == 12.5
    assert waits(6, write_min_interval_s=12.5) == 16.0


@pytest.mark.parametrize("refusals", range(12))
@pytest.mark.parametrize("after_s", [10.0, 20.0, 60.0])
def test_the_patience_with_a_device_never_outlasts_its_reversion_timer(refusals: int, after_s: float) -> None:
    """A device that clips a limit holds a limit: it must not revert because derctl waits."""
    accepted = ceiling(3000.0)
    written = Written(setpoint=ceiling(1000.0), at_s=0.0, refusals=refusals)
    fallback = Fallback(p_ceiling_w=5000.0, by=FallbackBy.REVERSION, after_s=after_s)
    assert reason(ceiling(1000.0), accepted, written, now_s=after_s / 2 + 0.1, fallback=fallback) is not None


# -- taken, achieved ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("back_w", "found"), [(4000.0, True), (4149.0, True), (3851.0, True), (4151.0, False), (3849.0, False)]
)
def test_taken_is_within_the_tolerance_of_the_rating(back_w: float, found: bool) -> None:
    assert taken(ceiling(4000.0), ceiling(back_w), PV, PROFILE) is found


def test_a_part_that_was_asked_for_and_is_not_read_back_is_not_taken() -> None:
    assert not taken(Setpoint(p_ceiling_w=4000.0, q_var=100.0), ceiling(4000.0), PV, PROFILE)
    assert taken(ceiling(4000.0), Setpoint(p_ceiling_w=4000.0, q_var=900.0), PV, PROFILE)


def test_a_target_that_nobody_asks_for_any_more_is_not_left_beside_a_ceiling() -> None:
    """The sun of one that takes both would stay at the last target. What takes targets only is never without one."""
    held = Setpoint(p_ceiling_w=4000.0, p_target_w=-1000.0)
    assert differs(ceiling(4000.0), held, PV, PROFILE) and not taken(ceiling(4000.0), held, PV, PROFILE)
    assert not differs(Setpoint(), held, PV, PROFILE) and taken(Setpoint(), held, PV, PROFILE)


def der(
    p_w: float | None, q_var: float | None = 0.0, *, rating: Rating = PV, fresh: bool = True, **read: Any
) -> DerState:
    seen = {"p_w": p_w, "q_var": q_var, "age_s": 0.1, "fresh": fresh} | read
    return make.der("pv1", rating, Capability(ac=Port(limit=True, aim=True, var=True)), **seen)


WISH_Q = Setpoint(p_ceiling_w=5000.0, q_var=-1000.0)
TARGET = Setpoint(p_target_w=-2000.0)
CASES: dict[str, tuple[Setpoint, DerState, bool, tuple[str, str | None]]] = {
    "at the ceiling": (ceiling(3000.0), der(2990.0), True, ("yes", None)),
    "a little above": (ceiling(3000.0), der(3149.0), True, ("yes", None)),
    "above, just now": (ceiling(3000.0), der(4000.0), False, ("pending", None)),
    "above, for long": (ceiling(3000.0), der(4000.0), True, ("no", "not_followed")),
    "less sun than the ceiling": (ceiling(3000.0), der(1000.0), True, ("not_binding", None)),
    "nothing asked": (Setpoint(), der(1000.0), True, ("unknown", None)),
    "stale": (ceiling(3000.0), der(2990.0, fresh=False), True, ("unknown", "stale")),
    "no power reading": (ceiling(3000.0), der(None), True, ("unknown", "stale")),
    "the target": (TARGET, der(-2010.0, rating=BATTERY), True, ("yes", None)),
    "not the target": (TARGET, der(0.0, rating=BATTERY), True, ("no", "not_followed")),
    "the target of a BMS that limits": (
        TARGET,
        der(-500.0, rating=BATTERY, p_charge_limit_w=500.0),
        True,
        ("no", "bms_limit"),
    ),
    "the target of a BMS that does not": (
        TARGET,
        der(-500.0, rating=BATTERY, p_charge_limit_w=4000.0, p_discharge_limit_w=0.0),
        True,
        ("no", "not_followed"),
    ),
    "the var": (WISH_Q, der(5000.0, -1000.0), True, ("yes", None)),
    "not the var": (WISH_Q, der(5000.0, 0.0), True, ("no", "not_followed")),
    "the var not yet": (WISH_Q, der(5000.0, 0.0), False, ("pending", None)),
    "no var at night": (WISH_Q, der(0.0, 0.0, status=Status.ASLEEP), True, ("no", "no_sun")),
}


@pytest.mark.parametrize("name", CASES)
def test_achieved_is_measured_and_a_ceiling_above_the_sun_is_no_success(name: str) -> None:
    desired, state, settled, found = CASES[name]
    course = Course(setpoint=desired, since_s=0.0, astray_s=0.0 if settled else 95.0)
    assert achieved(desired, state, PROFILE, course, 100.0) == found


# -- a device that can't be read back -------------------------------------------------------------------------------


def blind(desired: Setpoint, written: Written | None, **given: Any) -> str | None:
    """SMA: 123's points read as not implemented. `stands`: no timer, so no refresh."""
    fallback = Fallback(p_ceiling_w=5000.0, by=FallbackBy.STANDS)
    return reason(desired, None, written, readback="effect_only", **{"fallback": fallback} | given)


def test_more_power_than_the_limit_is_the_only_sign_that_it_was_forgotten() -> None:
    """3 kW were written and the inverter restarted; 3 % of 5 kW is the tolerance."""
    written = Written(setpoint=ceiling(3000.0), at_s=0.0)
    assert blind(ceiling(3000.0), written, p_w=4900.0) == "disobeyed"
    assert blind(ceiling(3000.0), written, p_w=3151.0) == "disobeyed"
    for quiet in (3149.0, 0.0, None):
        assert blind(ceiling(3000.0), written, p_w=quiet, now_s=86_400.0) is None


def test_a_device_that_reads_back_is_not_judged_by_its_power() -> None:
    stands = Fallback(p_ceiling_w=5000.0, by=FallbackBy.STANDS)
    assert reason(ceiling(3000.0), *held(3000.0, at_s=0.0), fallback=stands, p_w=4900.0) is None


def test_the_patience_with_one_that_disobeys_grows_like_with_any_other() -> None:
    def waits_s(refusals: int) -> int:
        written = Written(setpoint=ceiling(3000.0), at_s=0.0, refusals=refusals)
        seconds = range(1, 100)
        return next(s for s in seconds if blind(ceiling(3000.0), written, p_w=4900.0, now_s=float(s)))

    assert [waits_s(n) for n in range(1, 9)] == [1, 1, 2, 4, 8, 16, 30, 30]


def test_a_ceiling_that_nobody_asks_for_is_not_disobeyed() -> None:
    written = Written(setpoint=ceiling(3000.0), at_s=0.0)
    assert blind(Setpoint(), written, p_w=4900.0) is None


def test_of_what_a_blind_device_holds_nothing_is_known_before_the_first_write() -> None:
    """Also full power: a limit from before may still stand in it."""
    assert blind(ceiling(5000.0), None, fallback=Fallback()) == "first"
    assert blind(Setpoint(), None, fallback=Fallback()) is None


# -- var that nobody asks for any more ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accepted", "unasked_s", "readback", "found"),
    [
        (Setpoint(p_ceiling_w=4000.0, q_var=-300.0), 10.0, "values", "give_back"),
        (Setpoint(p_ceiling_w=4000.0, q_var=0.0), 10.0, "values", "give_back"),
        (Setpoint(p_ceiling_w=4000.0, q_var=-300.0), 9.9, "values", None),
        (Setpoint(p_ceiling_w=4000.0, q_var=-300.0), None, "values", None),
        (ceiling(4000.0), 10.0, "values", None),
        (None, 10.0, "values", None),
        (None, 10.0, "effect_only", "give_back"),
        (None, 9.9, "effect_only", None),
    ],
)
def test_var_that_stands_unasked_is_given_back_after_ten_seconds(
    accepted: Setpoint | None, unasked_s: float | None, readback: str, found: str | None
) -> None:
    _, written = held(4000.0)
    given: dict[str, Any] = {"q_unasked_s": unasked_s, "readback": readback}
    assert reason(ceiling(4000.0), accepted, written, **given) == found


def test_var_that_is_asked_for_is_not_given_back() -> None:
    wish = Setpoint(p_ceiling_w=4000.0, q_var=-300.0)
    assert reason(wish, wish, Written(setpoint=wish, at_s=99.0), q_unasked_s=60.0) is None


def test_giving_var_back_has_the_patience_of_any_other_write() -> None:
    accepted = Setpoint(p_ceiling_w=4000.0, q_var=-300.0)
    _, written = held(4000.0, refusals=6)
    assert reason(ceiling(4000.0), accepted, written, q_unasked_s=60.0) is None
