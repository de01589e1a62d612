"""What a device said before, and what it can't have become since: held, and named, until it stands. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from functools import lru_cache
from typing import Any, Generic, TypeVar

from derctl.core.freshness import SLOW_EVERY_S
from derctl.core.text import unit_of
from derctl.core.types import Rating, Reading
from derctl.core.value import made, replace, value

T = TypeVar("T")

BELIEVE_S = 8.5
BELIEVE_COUNT = 3
"""What contradicts the value before is believed when it has stood for so long, and so often in a row."""
LATE_S = 1.0
"""What is read beside the polls is looked at up to a tick later."""
UNKNOWN_S = 30.0
"""What has not come to rest by then is not known."""
NAMED_S = 600.0
"""The same contradiction is named so often."""
HOUR_S = 3600.0
LEAP = 2.0
"""So many times what its power allows in the time: clocks of devices and of polls differ."""
SOC_STEP_PCT = 3.0
"""A step that counts in whole percent, and a small correction."""
SOC_C_RATE = 2.0
"""Of a battery whose size is not known: it is full in half an hour."""
ENERGY_STEP_H = 0.5
"""Counters may stand still for so long, and then show it all at once."""
ENERGY_STEP_WH = 1000.0
"""The coarsest counter: whole kWh."""
UNRATED_W = 1e5
"""Of a meter, which states no rating."""
RATING_STEP_PU = 0.1
"""A rating of the same device that differs by more is another one: only people change it."""


@value
class Track(Generic[T]):
    """One value through time. value: the last that is believed, at_s: when it was read last.

    other, other_s: the last that contradicts it; since_s, count: since when and how often in a row it stood.
    doubted_s: since when it is contradicted by whatever.
    """

    value: T | None = None
    at_s: float = 0.0
    other: T | None = None
    other_s: float = 0.0
    since_s: float = 0.0
    count: int = 0
    doubted_s: float = 0.0

    def held(self, now_s: float) -> T | None:
        """What counts now; None where nothing is known any more."""
        return self.value if self.count == 0 or now_s - self.doubted_s <= UNKNOWN_S else None

    @property
    def seen_s(self) -> float:
        """When anything was read last."""
        return self.other_s if self.count else self.at_s

    def begun_s(self, now_s: float, every_s: float) -> float:
        """Since when what contradicts may stand: where it is read so seldom, since the last time."""
        seldom = self.count == 0 and now_s - self.at_s <= 1.5 * every_s
        return self.at_s - LATE_S if seldom else now_s


def follow(
    track: Track[T], seen: T, follows: Callable[[T, T, float], bool], now_s: float, *, every_s: float = 0.0
) -> Track[T]:
    """With what was read now. follows(before, after, seconds): whether a device can have got there in that time.

    every_s: how seldom it is read while nothing contradicts it.
    """
    if track.value is None or follows(track.value, seen, now_s - track.at_s):
        return Track(value=seen, at_s=now_s)
    again = track.other is not None and follows(track.other, seen, now_s - track.other_s)
    since_s, count = (track.since_s, track.count + 1) if again else (track.begun_s(now_s, every_s), 1)
    if count >= BELIEVE_COUNT and now_s - since_s >= BELIEVE_S:
        return Track(value=seen, at_s=now_s)
    doubted_s = track.doubted_s if track.count else now_s
    return replace(track, other=seen, other_s=now_s, since_s=since_s, count=count, doubted_s=doubted_s)


@value
class Steady:
    """By field of a reading. named_s: when each contradiction was named last.

    fits: what it measured once showed that the site file's nominals are right. misfit: what it measures against them.
    """

    tracks: Mapping[str, Track[float]] = field(default_factory=dict)
    named_s: Mapping[str, float] = field(default_factory=dict)
    fits: bool = False
    misfit: str = ""

    def doubts(self, name: str, value: float | None, now_s: float) -> bool:
        """Whether it is worth reading again soon: its value is held, or was there a moment ago."""
        track = self.tracks.get(name)
        if track is None:
            return False
        return track.count > 0 if value is not None else now_s - track.at_s <= UNKNOWN_S


UNSEEN: Track[float] = Track()
_new_track = made(Track[float])
STEADIED = ("soc_pct", "energy_wh")


def steadied(
    steady: Steady, reading: Reading, rating: Rating, now_s: float, soc_s: float | None = None
) -> tuple[Steady, Reading, str]:
    """The reading with what is believed of it, and what is held, as text; empty where nothing is.

    soc_s: when the state of charge was read, where that was not now: once read is one piece of evidence, not more.
    """
    tracks, changes, held = steady.tracks, dict[str, Any](), list[str]()
    for name in STEADIED:
        seen = getattr(reading, name)
        if seen is None:
            continue
        at_s, every_s = (now_s, 0.0) if name != "soc_pct" or soc_s is None else (soc_s, SLOW_EVERY_S)
        track = tracks.get(name, UNSEEN)
        if track.value is None or at_s > track.seen_s:
            same = track.value == seen
            track = (
                _new_track(value=seen, at_s=at_s)
                if same
                else follow(track, seen, _follows(name, rating), at_s, every_s=every_s)
            )
            tracks = {**tracks, name: track}
        if track.count:
            changes[name], unit = track.held(now_s), unit_of(name)
            held.append(f"{name} reads {seen:.10g} {unit} after {track.value:.10g} {unit}")
    if tracks is not steady.tracks:
        steady = replace(steady, tracks=tracks)
    return steady, replace(reading, **changes) if changes else reading, "; ".join(held)


def rating_jump(before: Rating | None, after: Rating, declared: Rating | None) -> str:
    """What the rating of the same device can't have become by itself, as text; empty where it is believed.

    before: it was found with; None: never. declared: the site file's word, zeros where it has none: what it says is
    held against the device elsewhere, and whatever was before counts no more.
    """
    if before is None:
        return ""
    found = [
        (key, abs(now))
        for key, was, now, said in _sizes(before, after, declared)
        if not said and abs(was - now) > RATING_STEP_PU * max(abs(was), abs(now))
    ]
    if not found:
        return ""
    text = f"its rating was {_size(before)} and reads {_size(after)}: it is not written until it is as before"
    words = ", ".join(f"{key}: {watts:g}" for key, watts in found if watts)
    return (
        f"{text}. If it was set so on purpose, write rating: {{{words}}} in the site file and reload"
        if words
        else text
    )


def _sizes(before: Rating, after: Rating, declared: Rating | None) -> tuple[tuple[str, float, float, float], ...]:
    """As the site file calls them: before, now, and the site file's word."""
    p_max_w, p_min_w, s_max_va = (
        (0.0, 0.0, 0.0) if declared is None else (declared.p_max_w, declared.p_min_w, declared.s_max_va)
    )
    return (
        ("p_max_w", before.p_max_w, after.p_max_w, p_max_w),
        ("p_charge_max_w", before.p_min_w, after.p_min_w, p_min_w),
        ("s_max_va", before.s_max_va, after.s_max_va, s_max_va),
    )


def fitted(steady: Steady, misfit: str | None, *, proven: bool) -> Steady:
    """With what was measured now against the site file. Once it was right, whatever comes is a disturbance."""
    fits = steady.fits or proven
    misfit = "" if fits or misfit is None else misfit
    if (fits, misfit) == (steady.fits, steady.misfit):
        return steady
    return replace(steady, fits=fits, misfit=misfit)


def named(steady: Steady, what: str, now_s: float) -> tuple[Steady, bool]:
    """Whether it is time to name it."""
    if now_s - steady.named_s.get(what, -1e9) < NAMED_S:
        return steady, False
    return replace(steady, named_s={**steady.named_s, what: now_s}), True


@lru_cache(maxsize=64)
def _follows(name: str, rating: Rating) -> Callable[[float, float, float], bool]:
    size_w = rating.size_w or UNRATED_W
    if name == "energy_wh":
        step_wh = max(ENERGY_STEP_WH, ENERGY_STEP_H * size_w)
        return lambda before, after, s: 0.0 <= after - before <= step_wh + LEAP * size_w * s / HOUR_S
    rate = size_w / rating.e_max_wh if rating.e_max_wh else SOC_C_RATE
    return lambda before, after, s: abs(after - before) <= SOC_STEP_PCT + LEAP * 100.0 * rate * s / HOUR_S


def _size(rating: Rating) -> str:
    charge = f" / {-rating.p_min_w:,.0f} W charging" if rating.p_min_w else ""
    return f"{rating.p_max_w:,.0f} W{charge}, {rating.s_max_va:,.0f} VA"
