"""After a kill that nothing releases, each device lapses by its own timer: the worst moment before all of them have.

What each held until then kept the contract together; who gives more afterwards must not lapse before who gives less.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise, product
from typing import Protocol

from derctl.core.dataclass import dataclass

CONTAINMENT_S = 15.0
"""How long the export may stand above the contract before `check` asks for other timers (docs/sources.md)."""
CONTAINMENT_MAX_S = 60.0
"""How long it may at all: above it control is refused (docs/sources.md)."""
QUICK_S = 15.0
"""What is proposed for a timer with a target: from 10 to 15 s (docs/sources.md)."""
REFRESHED = 0.5
"""A setpoint is refreshed when this share of its reversion time is spent, so a kill finds at least the rest of it."""
SLACK_W = 0.5
"""Sums of rounded watts."""
EXACT_MAX = 10
"""DERs whose timers overlap that are gone through one by one; of more, all are taken at their worst together."""


class Part(Protocol):
    """One DER. least_w: what it gives in the end, if its device makes that true. low_w, top_w: what it may be held
    between until then, None: unknown."""

    @property
    def id(self) -> str: ...
    @property
    def least_w(self) -> float: ...
    @property
    def after_s(self) -> float: ...
    @property
    def low_w(self) -> float | None: ...
    @property
    def top_w(self) -> float | None: ...
    @property
    def lapses(self) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Between:
    """The worst moment. p_w: the most in all, None where a rating is missing. for_s: how long it may be above the
    contract altogether. rises: who may have lapsed then. waits: who still holds what it was told, and until when at
    most."""

    p_w: float | None
    for_s: float
    limit_w: float
    rises: tuple[tuple[str, float], ...]
    waits: tuple[tuple[str, float], ...]

    @property
    def contained(self) -> bool:
        """Short enough that nobody is asked."""
        return self.for_s <= CONTAINMENT_S

    @property
    def refused(self) -> bool:
        """Too long for control."""
        return self.for_s > CONTAINMENT_MAX_S

    @property
    def text(self) -> str:
        """For an installer."""
        most = "more than" if self.p_w is None else f"up to {self.p_w:,.0f} W of"
        first = " and ".join(f"{name} may lapse after {at_s:.3g} s" for name, at_s in self.rises)
        last = " and ".join(f"{name} holds until {at_s:.3g} s" for name, at_s in self.waits)
        return (
            f"killed without a release, the site may export {most} the {self.limit_w:,.0f} W allowed, for up to "
            f"{self.for_s:.3g} s: {first}, while {last}"
        )


@dataclass(frozen=True, slots=True)
class _Timer:
    """A part in numbers. first_s, last_s: when it may lapse at the soonest, and has at the latest."""

    id: str
    after_w: float
    low_w: float
    top_w: float
    first_s: float
    last_s: float

    @property
    def raise_w(self) -> float:
        """The most that its lapse adds."""
        return self.after_w - self.low_w


@lru_cache(maxsize=64)
def worst_between(parts: Sequence[Part], limit_w: float | None) -> Between | None:
    """None: never above the contract, or there is none. Load is taken as it is at the kill."""
    if limit_w is None:
        return None
    timers = [_timer(part) for part in parts]
    worst_w, for_s, who = limit_w + SLACK_W, 0.0, (tuple[_Timer, ...](), tuple[_Timer, ...]())
    for begin, end in pairwise(_moments(timers)):
        at_w, lapsed, held = _worst(timers, begin, limit_w)
        if at_w > limit_w + SLACK_W:
            for_s += end - begin
        if at_w > worst_w:
            worst_w, who = at_w, (lapsed, held)
    if for_s <= 0.0:
        return None
    return Between(
        p_w=None if math.isinf(worst_w) else worst_w,
        for_s=for_s,
        limit_w=limit_w,
        rises=tuple((each.id, each.first_s) for each in who[0] if each.raise_w > 0.0),
        waits=tuple((each.id, each.last_s) for each in who[1] if not math.isinf(each.last_s)),
    )


def _timer(part: Part) -> _Timer:
    """Of a rating that isn't known, nothing is known."""
    top = math.inf if part.top_w is None else part.top_w
    return _Timer(
        id=part.id,
        after_w=part.least_w,
        low_w=-math.inf if part.low_w is None else part.low_w,
        top_w=max(top, 0.0),
        first_s=part.after_s * (1.0 - REFRESHED) if part.lapses else math.inf,
        last_s=part.after_s if part.lapses else math.inf,
    )


def _moments(timers: Sequence[_Timer]) -> list[float]:
    """When what may have lapsed, or must have, changes; behind the last one nothing does."""
    times = {time for each in timers for time in (each.first_s, each.last_s)}
    return sorted(time for time in times if not math.isinf(time))


def _worst(
    timers: Sequence[_Timer], at_s: float, limit_w: float
) -> tuple[float, tuple[_Timer, ...], tuple[_Timer, ...]]:
    """The most from at_s on until the next moment, and who has lapsed and who hasn't then."""
    return max(((_sum_w(*split, limit_w), *split) for split in _splits(timers, at_s)), key=lambda each: each[0])


def _sum_w(lapsed: Sequence[_Timer], held: Sequence[_Timer], limit_w: float) -> float:
    """Those that hold give what they may, and no more than the contract left them while the others gave least."""
    rest_w = limit_w - sum(each.low_w for each in lapsed)
    return sum(each.after_w for each in lapsed) + min(sum(each.top_w for each in held), rest_w)


def _splits(timers: Sequence[_Timer], at_s: float) -> Iterator[tuple[tuple[_Timer, ...], tuple[_Timer, ...]]]:
    """Who may have lapsed, and who may not, at at_s."""
    gone = tuple(each for each in timers if each.last_s <= at_s)
    still = tuple(each for each in timers if each.first_s > at_s)
    either = [each for each in timers if each.first_s <= at_s < each.last_s]
    if len(either) > EXACT_MAX:  # everyone twice, as lapsed and as held: more than can be
        yield (*gone, *either), (*still, *either)
        return
    for choice in product((True, False), repeat=len(either)):
        chosen = list(zip(either, choice, strict=True))
        yield (
            (*gone, *(each for each, lapsed in chosen if lapsed)),
            (*still, *(each for each, lapsed in chosen if not lapsed)),
        )
