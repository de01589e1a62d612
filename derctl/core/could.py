"""What PV could give. While a ceiling holds it down nobody knows: it is let rise a little, and watched.

What it turned out to give stands for a while, or stores that make room for what it could give would come and go with
each tick.
"""

from __future__ import annotations

from collections.abc import Iterable

from derctl.core.capability import DARK, held_w
from derctl.core.types import DerState
from derctl.core.value import replace, value

HELD_DOWN = 0.95
"""PV that gives this share of its limit may have more to give."""
IDLE_SHARE = 0.01
"""What it may try beyond that, and weight of an idle one, per unit of rating: enough to start, too little to hoard
room (docs/sources.md)."""
DOUBLE, AGAIN = 2.0, 1.06
"""What is tried, in shares of its power: of one that rises; and of one that was seen to have no more."""
WAIT_S = 5.0
"""So long it may take to rise."""
ROSE, FELL = 1.02, 0.95
"""Beyond these shares of what it gave it rises, or its sun goes."""
STANDS_S = 60.0
"""For so long what it turned out to give is believed while it is held down there."""


@value
class Could:
    """w: the most that it may give now, as far as that is known: what it gave when nothing held it, or, trying, what
    it is let rise to. for_s: how long ago that was, or for how long it gives from_w though it may rise."""

    der: str
    w: float
    trying: bool = False
    from_w: float = 0.0
    for_s: float = 0.0


def watched(memory: Iterable[Could], ders: Iterable[DerState], dt_s: float) -> tuple[Could, ...]:
    """One tick on. Of who is dark or not measured nothing is known."""
    before = {each.der: each for each in memory}
    found = []
    for der in ders:
        p_w = der.reading.p_w
        if p_w is not None and not der.can.store and der.fresh and der.reading.status not in DARK:
            found.append(_watched(before.get(der.id), der, max(p_w, 0.0), dt_s))
    return tuple(found)


def held_down(der: DerState, p_w: float) -> bool:
    """It may have more to give than its limit lets it."""
    return p_w >= HELD_DOWN * held_w(der) and der.reading.status not in DARK


def _watched(before: Could | None, der: DerState, p_w: float, dt_s: float) -> Could:
    held = held_down(der, p_w)
    if before is None:
        return _trying(der, p_w, DOUBLE) if held else Could(der=der.id, w=p_w)
    if before.trying:
        return _tried(before, der, p_w, 0.0 if held else dt_s)
    if not held:
        return before if before.w == p_w and before.for_s == 0.0 else Could(der=der.id, w=p_w)
    for_s = before.for_s + dt_s
    if p_w * HELD_DOWN > before.w:  # the sun has risen meanwhile
        return _trying(der, p_w, DOUBLE)
    return _trying(der, p_w, AGAIN) if for_s >= STANDS_S else replace(before, for_s=for_s)


def _trying(der: DerState, p_w: float, share: float) -> Could:
    """Who gives nearly its rating has hardly more to give."""
    most_w = der.rating.p_max_w
    if p_w >= HELD_DOWN * most_w:
        return Could(der=der.id, w=p_w)
    return Could(der=der.id, w=min(share * p_w + IDLE_SHARE * most_w, most_w), trying=True, from_w=p_w)


def _tried(before: Could, der: DerState, p_w: float, waited_s: float) -> Could:
    """waited_s: it was let rise for so long more."""
    if p_w >= HELD_DOWN * before.w:
        return _trying(der, p_w, DOUBLE)
    if p_w > ROSE * before.from_w:
        return replace(before, from_w=p_w, for_s=0.0)
    for_s = before.for_s + waited_s
    if for_s >= WAIT_S or (waited_s > 0.0 and p_w < FELL * before.from_w):
        return Could(der=der.id, w=p_w)
    return before if waited_s == 0.0 else replace(before, for_s=for_s)
