"""How often the meter shows something new, how late it is, and whether it stands still though DERs moved.

How late it is: with the right lag its steps are those of the DERs' sum, and what is left is the load's. Whoever moves
the DERs, it tells: the sun, a probe, the loop itself (docs/sources.md).
"""

from __future__ import annotations

from math import exp

from derctl.core.value import replace, value

LATE_S = 5.0
"""How late a meter may be before it is known how late it is."""
LAGS_S = (0.0, 1.0, 2.0, 3.0, 4.0, LATE_S)
"""What is tried."""
REST_PU = 0.005
"""DERs whose sum moved by less than this share of their rating rest."""
SKEW_S = 3.0
"""Meter and DERs are not read at the same instant; on a slow bus so far apart."""
REFRESH_MAX_S, FORGETS = 15.0, 0.02
"""No meter is believed to refresh more slowly; what was slower once is forgotten at this rate, per value."""
SHOWN = 0.5
"""The least share of what the DERs moved meanwhile that a value has to show, to be one that came late."""
STILL_S, STILL_REFRESHES, STILL_PU = 15.0, 8.0, 0.035
"""For how long a meter may show exactly the same, DERs moving by STILL_PU of their rating, until it is given up."""
POINT_S, POINT_PU = 0.5, 0.002
"""The course of the sum has a point where it changed by this share of the rating, and no two within POINT_S."""
TOLD_PU = 0.1
"""So much has to have moved, in shares of the rating, before it is told how late the meter is."""
FITS, DIFFERS = 0.15, 0.5
"""Shares of what moved: a lag fits that leaves no more than the first above the best; all that are more than a second
away from it must leave at least the second above it."""
AT_ONCE_S = 2.0
"""What the DERs did so long before is shown by now, if the meter is not late."""
FORGETS_S = 120.0
"""What moved so long ago counts a third."""


@value
class Lag:
    """course: of the sum, (since when, W), oldest first. before: what the sum was at each of LAGS_S before the
    meter's last value. left: what each of them left unexplained since, none: what there was to explain, moves: what
    the sum moved, W; at_s: when they were added to."""

    course: tuple[tuple[float, float], ...] = ()
    before: tuple[float, ...] = ()
    left: tuple[float, ...] = (0.0,) * len(LAGS_S)
    none: float = 0.0
    moves: float = 0.0
    at_s: float = 0.0


@value
class Pace:
    """refresh_s: seconds between two values of the meter, the longest of late. late_s: as measured, None before.

    shown_w, since_s: what it shows, and for how long. ders_w: the DERs' sum when it began to; moved_s: since that
    moved. low_w, high_w: between what it was since SKEW_S after that; stood_s: since it moved then. t_s: a clock.
    lag: how late_s is measured.
    """

    refresh_s: float = 1.0
    late_s: float | None = None
    shown_w: float | None = None
    since_s: float = 0.0
    ders_w: float = 0.0
    low_w: float = 0.0
    high_w: float = 0.0
    moved_s: float = 0.0
    stood_s: float = 0.0
    t_s: float = 0.0
    lag: Lag = Lag()


def other(pace: Pace, ders_w: float) -> Pace:
    """Who comes into the sum or leaves it makes no step."""
    lag = replace(pace.lag, course=(), before=())
    return replace(pace, ders_w=ders_w, low_w=ders_w, high_w=ders_w, lag=lag)


def step(pace: Pace, shown_w: float, ders_w: float, scale_w: float, dt_s: float) -> Pace:
    """One tick on. shown_w: the meter; ders_w: the sum that it should show; scale_w: their rating."""
    t_s, rest_w = pace.t_s + dt_s, REST_PU * scale_w
    lag = _gone(pace.lag, ders_w, scale_w, t_s)
    moved_s = pace.moved_s + dt_s if pace.moved_s > 0.0 or abs(ders_w - pace.ders_w) > rest_w else 0.0
    if pace.shown_w is None:
        return _anew(replace(pace, lag=replace(lag, before=_lagged(lag, t_s))), shown_w, ders_w, t_s)
    if shown_w != pace.shown_w:
        showed = _showed(ders_w - pace.ders_w, shown_w - pace.shown_w, rest_w)
        refresh_s = _refresh_s(pace, pace.since_s + dt_s, moved_s if showed else 0.0)
        lag, late_s = _timed(lag, pace.late_s, shown_w - pace.shown_w, scale_w, t_s)
        return _anew(Pace(refresh_s=refresh_s, late_s=late_s, lag=lag), shown_w, ders_w, t_s)
    since_s = pace.since_s + dt_s
    if since_s <= SKEW_S:  # the meter may have shown before the DERs' own readings do what they did
        return replace(pace, since_s=since_s, moved_s=moved_s, low_w=ders_w, high_w=ders_w, t_s=t_s, lag=lag)
    low_w = ders_w if ders_w < pace.low_w else pace.low_w
    high_w = ders_w if ders_w > pace.high_w else pace.high_w
    return replace(
        pace,
        since_s=since_s,
        moved_s=moved_s,
        low_w=low_w,
        high_w=high_w,
        stood_s=pace.stood_s + dt_s if high_w - low_w > rest_w else 0.0,
        t_s=t_s,
        lag=lag,
    )


def _anew(pace: Pace, shown_w: float, ders_w: float, t_s: float) -> Pace:
    """It shows something new."""
    return replace(pace, shown_w=shown_w, ders_w=ders_w, low_w=ders_w, high_w=ders_w, t_s=t_s)


def still(pace: Pace, scale_w: float) -> bool:
    """It shows exactly the same, though DERs moved: it can't be heard any more."""
    moved = pace.high_w - pace.low_w >= STILL_PU * scale_w > 0.0
    return moved and pace.stood_s >= max(STILL_S, STILL_REFRESHES * min(pace.refresh_s, 10.0))


def alone_w(before: Pace, now: Pace, share: float) -> float:
    """By how much the meter went on from its last value while the DERs moved by less than that share of it, as early
    as it may be late; 0: not at all, or they did. What moved then is a load."""
    if before.shown_w is None or now.shown_w is None or now.shown_w == before.shown_w:
        return 0.0
    late_s = LATE_S if now.late_s is None else now.late_s + AT_ONCE_S
    sums = [before.ders_w, before.low_w, before.high_w]
    for known in (before.lag.before, now.lag.before):  # what it was late with when it showed its last value, too
        sums += [w for lag_s, w in zip(LAGS_S, known, strict=False) if lag_s <= late_s]
    moved_w = abs(now.shown_w - before.shown_w)
    return moved_w if max(sums) - min(sums) <= share * moved_w else 0.0


def _showed(moved_w: float, shown_w: float, least_w: float) -> bool:
    """The new value shows what the DERs did, which it did not before. What only they claim says nothing of it."""
    return abs(moved_w) > least_w and shown_w / moved_w >= SHOWN


def _refresh_s(pace: Pace, since_s: float, moved_s: float) -> float:
    """Where DERs moved it should have changed. While they rest, and a load does too, it shows the same for long:
    that says nothing."""
    known_s = pace.refresh_s
    if moved_s > 0.0:
        known_s = max(moved_s, known_s + FORGETS * (moved_s - known_s))
    elif since_s < known_s:
        known_s += FORGETS * (since_s - known_s)
    return min(known_s, REFRESH_MAX_S)


def _gone(lag: Lag, ders_w: float, scale_w: float, t_s: float) -> Lag:
    """The course, as far back as the longest lag needs it. Before its first point it is taken to have been there."""
    course = lag.course
    if not course:
        return replace(lag, course=((t_s, ders_w),))
    if len(course) > 1 and course[1][0] <= t_s - LATE_S:
        course = course[1:]
    last_s, last_w = course[-1]
    if abs(ders_w - last_w) > POINT_PU * scale_w:
        soon = len(course) > 1 and t_s - last_s < POINT_S
        course = (*course[:-1], (last_s, ders_w)) if soon else (*course, (t_s, ders_w))
    return lag if course is lag.course else replace(lag, course=course)


def _timed(lag: Lag, late_s: float | None, shown_w: float, scale_w: float, t_s: float) -> tuple[Lag, float | None]:
    """The meter went on by shown_w since its last value. While the sum rests all lags say the same of it."""
    if len(lag.course) == 1 and lag.before and lag.before[0] == lag.before[-1] == lag.course[0][1]:
        return lag, late_s
    now = _lagged(lag, t_s)
    if not lag.before:
        return replace(lag, before=now), late_s
    keeps = exp((lag.at_s - t_s) / FORGETS_S)
    moved = [here - there for here, there in zip(now, lag.before, strict=True)]
    left = tuple([keeps * left + abs(shown_w - each) for left, each in zip(lag.left, moved, strict=True)])
    lag = Lag(
        course=lag.course,
        before=now,
        left=left,
        none=keeps * lag.none + abs(shown_w),
        moves=keeps * lag.moves + abs(moved[0]),
        at_s=t_s,
    )
    return lag, _late_s(lag, late_s, TOLD_PU * scale_w)


def _lagged(lag: Lag, t_s: float) -> tuple[float, ...]:
    """What the sum was so long ago."""
    course, n = lag.course, len(lag.course) - 1
    found = []
    for lag_s in LAGS_S:
        while n and course[n][0] > t_s - lag_s:
            n -= 1
        found.append(course[n][1])
    return tuple(found)


def _late_s(lag: Lag, known_s: float | None, least_w: float) -> float | None:
    """The longest lag that fits, where the others clearly don't, nor that it does not follow; else what was known."""
    best, differs = min(lag.left), DIFFERS * lag.moves
    if lag.moves < least_w or least_w <= 0.0 or best + differs > lag.none:
        return known_s
    at = lag.left.index(best)
    if any(each < best + differs for n, each in enumerate(lag.left) if abs(n - at) > 1):
        return known_s
    fits = [lag_s for lag_s, each in zip(LAGS_S, lag.left, strict=True) if each <= best + FITS * lag.moves]
    return fits[-1]
