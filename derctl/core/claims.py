"""What moves with the sun's power no more, though it did: then the power is not what it is said to be, or the grid is
another one. A suspicion, no proof. Pure."""

from __future__ import annotations

import math

TAIL = 2.0
"""Student's t: a load that jumps beside a cloud is no verdict."""
UNSURE = 3.0
"""From here on until it is suspected nothing is learned, or what it is held against would be lost first."""
SUSPECTED, CLEARED, MOST = 9.0, 1.0, 12.0
"""Log of the likelihood ratio from which it is said, and below which it is said no more; more adds nothing."""


def weighed(against: float, left: float, shown: float, spread: float, *, turns: bool) -> float:
    """One lesson more. left: what of it is not explained if the power is as claimed; shown: what the claim makes of
    it, which would be missing if it were not; spread: of what else moves it. turns: what shows it may be turned
    round."""
    if spread <= 0.0:
        return against
    missing = min(abs(left + shown), abs(left + 2.0 * shown)) if turns else left + shown
    here, there = left / spread, missing / spread
    ratio = 0.5 * (TAIL + 1.0) * math.log((TAIL + here * here) / (TAIL + there * there))
    return min(max(against + ratio, 0.0), MOST)


def suspected(against: float, before: bool) -> bool:
    """Once it is suspected it stays so until nearly all of it is taken back."""
    return against >= (CLEARED if before else SUSPECTED)
