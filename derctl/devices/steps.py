"""What a setpoint's register can hold. Not every W: a percentage without decimals of 8 kW goes in steps of 80 W."""

from __future__ import annotations

import math

from derctl.core.capability import clamp
from derctl.core.dataclass import dataclass

ON_STEP = 1e-6
"""Of a step: nearer than this a value lies on it, and binary fractions make the difference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Steps:
    """Multiples of size up to most, in both directions, W or var. size 0: not known, anything goes.

    As the scale factor was at bind; a write goes by that of the last poll. Where that is another one now, the two
    differ by less than the larger step.
    """

    size: float = 0.0
    most: float = math.inf

    def down(self, value: float) -> float:
        """The nearest one towards 0."""
        inside = clamp(value, -self.most, self.most)
        count = self._count(inside)
        return self._times(inside, count, math.floor(count + ON_STEP))

    def nearest(self, value: float) -> float:
        """The step next to it, on either side, within most."""
        inside = clamp(value, -self.most, self.most)
        count = self._count(inside)
        return self._times(inside, count, round(count))

    def _count(self, value: float) -> float:
        return abs(value) / self.size if self.size > 0.0 else 0.0

    def _times(self, value: float, count: float, whole: int) -> float:
        """A value that lies on a step stays as it is, so that a rating stays the rating."""
        if self.size <= 0.0 or abs(count - whole) <= ON_STEP:
            return value
        return math.copysign(whole * self.size, value) if whole else 0.0


def percent_of(base: float, sf: int | None) -> Steps:
    """The steps of a percentage of base."""
    return Steps(size=0.0 if sf is None else base / 100.0 * 10.0**sf, most=base)


def plain(sf: int | None) -> Steps:
    """The steps of a register in W or var."""
    return Steps(size=0.0 if sf is None else 10.0**sf)
