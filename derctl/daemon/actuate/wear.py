"""How often each register was written, and what the day has left for those whose memory wears out. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field

from derctl.core.value import replace, value
from derctl.devices import Profile

DAY_S = 86_400.0
OVER_EVERY_S = 60.0
"""Beyond the day's writes only what tightens goes out, and no sooner after the last write (docs/sources.md)."""
OVER_MOST_S = 900.0
"""What is no lower than what was told last waits twice as long with each such write, up to this (docs/sources.md)."""
RESERVE = 4
"""One in so many of a day's writes is kept for what tightens: what raises has to leave it (docs/sources.md)."""


ANY = "*"
"""Writes that may have been made before a kill, nobody knows to which points: they count for each."""


@value
class Wear:
    """Of one DER, by point. counts: writes ever. lately: of those that wear out, when each of the last day was; ANY
    among them."""

    counts: Mapping[str, int] = field(default_factory=dict)
    lately: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    @property
    def last_s(self) -> float:
        """When a point that wears out was written last."""
        return max((times[-1] for times in self.lately.values() if times), default=-1e9)


def wrote(wear: Wear, points: Sequence[str], profile: Profile, now_s: float) -> Wear:
    """They go out now."""
    counts = {**wear.counts, **{point: wear.counts.get(point, 0) + 1 for point in points}}
    worn = profile.worn(points)
    if not worn:
        return replace(wear, counts=counts)
    fresh = {point: (*_of_today(wear, point, now_s), now_s) for point in worn}
    return Wear(counts=counts, lately={**wear.lately, **fresh})


def left_of(wear: Wear, point: str, profile: Profile, now_s: float) -> int:
    """How often a point that wears out may still be written today."""
    return max(_balance(wear, point, profile, now_s), 0)


def left(wear: Wear, profile: Profile, now_s: float) -> int | None:
    """The same of the one that was written most; None where nothing of what setpoints are made of wears out."""
    if not profile.guarded:
        return None
    return max(_least(wear, profile, now_s), 0)


def over_wait_s(wear: Wear, profile: Profile, now_s: float) -> float:
    """How long after the last write what is no lower than it has to wait where nothing is left."""
    over = max(-_least(wear, profile, now_s), 0)
    return min(OVER_EVERY_S * 2.0 ** min(over, 16), OVER_MOST_S)


def may_raise(left_now: int | None, profile: Profile) -> bool:
    """Whether enough is left for a write that lets more power through."""
    return left_now is None or left_now > profile.writes_a_day // RESERVE


def _least(wear: Wear, profile: Profile, now_s: float) -> int:
    return min(_balance(wear, point, profile, now_s) for point in (*wear.lately, ANY))


def _balance(wear: Wear, point: str, profile: Profile, now_s: float) -> int:
    """Below 0: so many beyond the day's."""
    made = {point, ANY}
    return profile.writes_a_day - sum(len(_of_today(wear, each, now_s)) for each in made)


def _of_today(wear: Wear, point: str, now_s: float) -> tuple[float, ...]:
    return tuple(at_s for at_s in wear.lately.get(point, ()) if now_s - at_s < DAY_S)
