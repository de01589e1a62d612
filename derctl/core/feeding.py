"""In which phases a DER feeds, as allocation and the functions of the site count it."""

from __future__ import annotations

from collections.abc import Sequence

from derctl.core.types import DerState

COUNT = 3
"""Phases that are told apart: A, B and C; a split phase has A and B."""
NAMES = "ABC"
EVERYWHERE = (1.0, 1.0, 1.0)
"""Of one of which nobody knows where it feeds: all of it counts in each phase, so that none carries too much."""

Shares = tuple[float, ...]


def shares_pu(der: DerState) -> Shares:
    """What of its power counts in each phase."""
    return EVERYWHERE if der.feeds_pu is None else der.feeds_pu


def alone_in(der: DerState) -> int | None:
    """The one phase in which it feeds; None where it feeds in several, or nobody knows."""
    shares = shares_pu(der)
    return shares.index(1.0) if sum(share > 0.0 for share in shares) == 1 else None


STEPS = 30
"""Halvings of the way between two phases: a billionth of it is left."""


def levelled(amount_w: float, exports_w: Sequence[float], rooms_w: Sequence[float]) -> list[float]:
    """What those with a single phase take in each phase of an amount, so that what the phases export comes as close
    together as their rooms let it; no more than what is uneven. All are >= 0 but the exports."""
    low_w, high_w = min(exports_w), max(exports_w)

    def taken(level_w: float) -> list[float]:
        return [min(max(w - level_w, 0.0), room) for w, room in zip(exports_w, rooms_w, strict=True)]

    if sum(taken(low_w)) <= amount_w:
        return taken(low_w)
    for _ in range(STEPS):
        middle_w = (low_w + high_w) / 2.0
        if sum(taken(middle_w)) > amount_w:
            low_w = middle_w
        else:
            high_w = middle_w
    return taken(high_w)
