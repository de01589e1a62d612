"""The sum of DERs that brings the power at the point of connection to where it belongs, by a meter that is late.

What was asked for and is not shown yet counts as shown: no correction is made twice (docs/sources.md, section 9).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from derctl.core.capability import DARK, clamp, told_w
from derctl.core.could import held_down
from derctl.core.pace import LATE_S
from derctl.core.response import ramp
from derctl.core.types import DerState, PocState
from derctl.core.value import replace, value

SKEW = 1.5
"""Meter and DERs are not read at the same instant: by so many ticks they may lie apart."""
BUCKET_S = 0.5
"""Points of the course that come faster than this become one, or a fast tick would keep hundreds."""
FOLLOW_S = 5.0
"""How long DERs take to come down to what they are asked for; who gives more after that is made up for."""
LAG_S = 1.0
"""By so much less than measured a meter may be late."""
REACHED_W = 1.0
"""A sum that is asked for is at its goal within this."""
KEPT_S = 30.0
"""How much of the course is kept: the longest of its windows."""
LEARN_S = 20.0
"""How fast is learned what DERs give less than they are asked for."""
OVER_S = 8.0
"""And while more goes out than may, beyond the margin."""
LEARN_PU = 0.05
"""The most that is learned of it, and the largest error that it is learned from, per unit of their rating."""


@value
class Point:
    """Since the point before: the least and the most that the DERs gave, and that they were asked for, W. dip_w: the
    most that a step of the coin took of it; whole_w: the most that they would give without."""

    t_s: float
    given_low_w: float
    given_high_w: float
    asked_low_w: float
    asked_high_w: float
    dip_w: float = 0.0
    whole_w: float = -math.inf


@value
class Course:
    """points: the last seconds. slack_w: how much less than asked the DERs give while they are held down, as learned;
    below 0: more. goal_w: where the samples lead the sum; None: no sample yet."""

    points: tuple[Point, ...] = ()
    slack_w: float = 0.0
    goal_w: float | None = None


@value
class Late:
    """given_s: how old what the meter shows may be, against the DERs' own readings. asked_s: with the time that they
    take to do what they are asked for. risen_s: how old their readings may be, against the meter. shown_s: what is
    younger is not shown yet."""

    given_s: float
    asked_s: float
    risen_s: float
    shown_s: float = 0.0


@value
class Seen:
    """One sample: what the DERs give, what they are asked for, and by how much the meter says that they may give more
    (below 0: less), W. room_w: what of that they may have, None: all. size_w: their rating. dt_s: since the sample
    before. least_w: they can't be asked for less. margin_w: what the goal keeps below what may be. held: all that are
    held by a ceiling give what it lets them."""

    given_w: float
    asked_w: float
    headroom_w: float
    size_w: float
    dt_s: float
    least_w: float
    room_w: float | None = None
    margin_w: float = math.inf
    held: bool = True


def late(poc: PocState, ders: Sequence[DerState], tick_s: float) -> Late:
    """By what is known of the meter: its delay as it was measured, and the value that it shows for a refresh."""
    known, skew_s = poc.belief, SKEW * tick_s
    given_s = (LATE_S if known.delay_s is None else known.delay_s) + poc.age_s + skew_s
    given_s += max((known.refresh_s or 0.0) - tick_s, 0.0)
    if any(der.reading.p_w is None for der in ders):  # what it was told counts as given before it is
        given_s += FOLLOW_S
    old_s = max((der.age_s for der in ders if der.reading.p_w is not None), default=0.0)
    shown_s = max((known.delay_s or 0.0) - LAG_S, 0.0)
    return Late(given_s=given_s, asked_s=given_s + FOLLOW_S, risen_s=old_s + skew_s, shown_s=shown_s)


def noted(course: Course, given_w: float, asked_w: float, t_s: float, dip_w: float = 0.0) -> Course:
    """One tick on, before the sum is asked for anything new."""
    here = Point(
        t_s=t_s,
        given_low_w=given_w,
        given_high_w=given_w,
        asked_low_w=asked_w,
        asked_high_w=asked_w,
        dip_w=dip_w,
        whole_w=max(given_w, min(given_w + dip_w, asked_w)),
    )
    points, from_s = course.points, t_s - KEPT_S
    if points and points[0].t_s < from_s:
        points = tuple(point for point in points if point.t_s >= from_s)
    if len(points) > 1 and t_s - points[-2].t_s < BUCKET_S:
        points, here = points[:-1], _both(points[-1], here)
    return replace(course, points=(*points, here))


def _both(one: Point, other: Point) -> Point:
    return Point(
        t_s=other.t_s,
        given_low_w=min(one.given_low_w, other.given_low_w),
        given_high_w=max(one.given_high_w, other.given_high_w),
        asked_low_w=min(one.asked_low_w, other.asked_low_w),
        asked_high_w=max(one.asked_high_w, other.asked_high_w),
        dip_w=max(one.dip_w, other.dip_w),
        whole_w=max(one.whole_w, other.whole_w),
    )


def capped(course: Course, seen: Seen, late: Late) -> Course:
    """One sample: the goal of a ceiling of the sum. It goes down as far as nothing that is on its way explains the
    excess, and up as far as all that is on its way leaves room."""
    low_w, high_w = _allowed(course, seen, late)
    before_w = seen.asked_w if course.goal_w is None else course.goal_w
    goal_w = max(clamp(before_w, low_w, high_w), min(seen.least_w, seen.asked_w))
    slack_w = _learned_w(course, seen, _scale(course.slack_w, goal_w, before_w))
    return replace(course, goal_w=goal_w, slack_w=slack_w)


def _scale(slack_w: float, goal_w: float, before_w: float) -> float:
    """What is learned goes with the goal; up only where that asks for less, or it grew with each goal that rises."""
    scale = max(goal_w / before_w, 0.0) if before_w > REACHED_W else 1.0
    return min(scale, 1.0) if slack_w > 0.0 else scale


def aimed(course: Course, seen: Seen, late: Late) -> Course:
    """One sample: the goal of a target of the sum, which goes either way."""
    given = _Window(course, late, seen.asked_w)
    before_w = seen.asked_w if course.goal_w is None else course.goal_w
    shown_w = seen.headroom_w + course.slack_w
    goal_w = clamp(before_w, given.low_w - given.fallen_w + shown_w, given.high_w + given.risen_w + shown_w)
    scale = clamp(goal_w / before_w, 0.0, 1.0) if before_w != 0.0 else 1.0
    return replace(course, goal_w=goal_w, slack_w=_learned_w(course, seen, scale))


class _Window:
    """What the DERs gave when the meter measured; what they were asked for since; by how much that moved lately.

    dipped_w: the most that they gave if it measured in a dip that the coin has made.
    """

    def __init__(self, course: Course, late: Late, asked_w: float) -> None:
        here = course.points[-1]
        given_s, asked_s, risen_s = here.t_s - late.given_s, here.t_s - late.asked_s, here.t_s - late.risen_s
        shown_s = here.t_s - late.shown_s
        low_w, high_w, most_w = here.given_low_w, here.given_high_w, here.asked_high_w
        least_w, highest_w = here.asked_low_w, here.asked_high_w
        dip_w, whole_w = 0.0, here.whole_w
        for point in reversed(course.points):  # one pass, the newest first: it runs at each sample
            t_s = point.t_s
            if t_s < asked_s and t_s < risen_s:
                break
            if t_s >= given_s:
                low_w = point.given_low_w if point.given_low_w < low_w else low_w
                high_w = point.given_high_w if point.given_high_w > high_w else high_w
                dip_w = point.dip_w if point.dip_w > dip_w and t_s <= shown_s else dip_w
                whole_w = point.whole_w if point.whole_w > whole_w else whole_w
            if t_s >= asked_s and point.asked_high_w > most_w:
                most_w = point.asked_high_w
            if t_s >= risen_s:
                least_w = point.asked_low_w if point.asked_low_w < least_w else least_w
                highest_w = point.asked_high_w if point.asked_high_w > highest_w else highest_w
        self.low_w, self.high_w, self.asked_w = low_w, high_w, most_w
        self.dipped_w = min(whole_w - dip_w, high_w)
        self.risen_w = max(asked_w - least_w, 0.0)
        self.fallen_w = max(highest_w - asked_w, 0.0)


def _allowed(course: Course, seen: Seen, late: Late) -> tuple[float, float]:
    """The least and the most that the sample lets them give."""
    given, slack_w = _Window(course, late, seen.asked_w), course.slack_w
    low_w = min(given.low_w + slack_w, seen.asked_w)
    given_w = given.dipped_w if seen.headroom_w < -seen.margin_w else given.high_w
    if given_w > 0.0 > seen.headroom_w:
        slack_w *= max(given_w + seen.headroom_w, 0.0) / given_w
    high_w = min(given_w + slack_w + given.risen_w, given.asked_w)
    room_w = seen.headroom_w if seen.room_w is None else min(seen.headroom_w, seen.room_w)
    return low_w + room_w, high_w + seen.headroom_w


def _learned_w(course: Course, seen: Seen, scale: float) -> float:
    """Only while what is asked for holds them, and not from the steps of a load. Who gives 98 % of 9 kW gives 98 % of
    6 kW: it goes with the goal."""
    most_w, slack_w = LEARN_PU * seen.size_w, scale * course.slack_w
    if not seen.held or (course.goal_w is not None and abs(course.goal_w - seen.asked_w) > REACHED_W):
        return clamp(slack_w, -most_w, most_w)  # it is not asked for what the loop would give it
    if abs(seen.given_w - seen.asked_w) <= most_w and abs(seen.headroom_w) <= most_w:
        learn_s = LEARN_S if seen.headroom_w >= -seen.margin_w else OVER_S
        slack_w += min(seen.dt_s / learn_s, 1.0) * seen.headroom_w
    return clamp(slack_w, -most_w, most_w)


def moved(course: Course, sum_w: float, share: float, up_per_s: float, dt_s: float) -> float:
    """One tick on towards the goal: down by this share within a second, up on a ramp."""
    goal_w = sum_w if course.goal_w is None else course.goal_w
    if goal_w >= sum_w:
        return ramp(sum_w, goal_w, up_per_s=up_per_s, dt_s=dt_s)
    return sum_w + (goal_w - sum_w) * reached(share, dt_s)


def reached(share: float, dt_s: float) -> float:
    """What of the way to a goal is gone in this time, if it is `share` in a second; at once where it is all of it."""
    return 1.0 if share >= 1.0 else 1.0 - (1.0 - share) ** dt_s


def free(der: DerState) -> bool:
    """PV, or a hybrid, that gives less than its ceiling lets it: its sun is missing, and not its accuracy."""
    p_w, told = der.reading.p_w, told_w(der)
    if p_w is None or (der.can.store and not der.can.limit) or der.reading.status in DARK or told is None:
        return False
    return told >= der.rating.p_max_w or not held_down(der, p_w)


def anew(course: Course) -> Course:
    """Other DERs make up the sum: what the ones before gave says nothing of them."""
    return Course(slack_w=course.slack_w)
