"""How long an export above the agreed limit may last until it is contained: a table of summands. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from derctl.core.excursions import Rule
from derctl.core.value import replace, value
from derctl.core.words import KnownBy, Stage

REST = 0.02
"""An excess is gone when this share of it is left: what the margin below the limit takes in (docs/sources.md)."""
OF_THE_SUM = frozenset({Stage.POLL, Stage.DECIDE, Stage.PACING, Stage.WRITE, Stage.RESPONSE})
"""What it takes to bring the DERs' sum down where the meter has no word in it."""


@value
class Summand:
    """One part of the time. seconds: at most; None: nobody knows."""

    stage: Stage
    seconds: float | None
    by: KnownBy


@value
class Budget:
    """What is allowed, and what it takes. containment_s: how long at most; by: whose word that is. rule: what too
    many excursions lead to, None: nothing."""

    containment_s: float
    by: str
    summands: tuple[Summand, ...] = ()
    rule: Rule | None = None

    @property
    def lasts_s(self) -> float | None:
        """How long an excursion may last; None: not known."""
        return total_s(self.summands)

    @property
    def contained(self) -> bool:
        """Whether it is known to end in time, so that load may count."""
        return within(self.summands, self.containment_s)

    @property
    def sure_s(self) -> float:
        """The least time that even the DERs' sum takes, by what is set and not assumed."""
        return sum(_sure(self.summands))

    @property
    def hopeless(self) -> bool:
        """Whether not even the sum comes down in time, so that nothing helps but other settings."""
        return self.sure_s > self.containment_s


def total_s(summands: Iterable[Summand]) -> float | None:
    """All of them; None where one is not known."""
    found = [each.seconds for each in summands]
    known = [seconds for seconds in found if seconds is not None]
    return sum(known) if len(known) == len(found) else None


def within(summands: Iterable[Summand], containment_s: float) -> bool:
    """Whether what it takes is known, and no longer than that."""
    lasts_s = total_s(summands)
    return lasts_s is not None and lasts_s <= containment_s


def _sure(summands: Iterable[Summand]) -> list[float]:
    return [
        each.seconds
        for each in summands
        if each.stage in OF_THE_SUM and each.by is not KnownBy.ASSUMED and each.seconds is not None
    ]


def measured(summands: Sequence[Summand], found: Sequence[tuple[Stage, float | None]]) -> tuple[Summand, ...]:
    """The table with what was measured instead of what was assumed; None: that was not measured."""
    seen = {stage: seconds for stage, seconds in found if seconds is not None}
    return tuple(
        replace(each, seconds=seen[each.stage], by=KnownBy.MEASURED) if each.stage in seen else each
        for each in summands
    )


def taken_s(share: float) -> float:
    """How long a loop that takes this share of an excess back within a second needs until REST of it is left."""
    return 0.0 if share >= 1.0 else math.log(REST) / math.log1p(-share)
