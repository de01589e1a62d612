"""Who goes on giving what it gave, though it was told less: the others make up for it at once, and not by turns.

One that comes down slowly heeds. One that does not stays deaf until it moves: at the limit it is told what it gives.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from derctl.core.types import Decision, DerState
from derctl.core.value import made, replace, value

DEAF_S = 6.0
"""So long it may take to begin: a slow bus, and the dead time of the slowest."""
BEYOND_PU = 0.03
"""Less than this above what it was told, per unit of its rating, is its accuracy."""
CAME_DOWN = 0.1
"""What of the way to what it was told shows that it is on its way."""


@value
class Heard:
    """One DER: what it was told in the tick before, what it gave when it was told less, and for how long it has."""

    der: str
    told_w: float
    from_w: float | None = None
    for_s: float = 0.0


_new_heard = made(Heard)


@value
class Memory:
    """told: of those that were told a power."""

    told: tuple[Heard, ...] = ()


START = Memory()


def watched(memory: Memory, ders: Iterable[DerState], dt_s: float) -> Memory:
    """One tick on, before anything is decided. What one on trial claims, or one that was never seen to move the
    meter, is nothing to make up for."""
    there = {der.id: der for der in ders if der.controllable and der.trial is None and not der.unseen}
    told = tuple([_watched(each, there[each.der], dt_s) for each in memory.told if each.der in there])
    return memory if told == memory.told else replace(memory, told=told)


def _watched(heard: Heard, der: DerState, dt_s: float) -> Heard:
    p_w, from_w = der.reading.p_w, heard.from_w
    beyond_w = max(der.beyond_w, BEYOND_PU * der.rating.size_w)
    if p_w is not None and from_w is not None and heard.for_s >= DEAF_S:
        least_w = from_w - max(CAME_DOWN * (from_w - heard.told_w), beyond_w)
        if least_w <= p_w <= from_w + beyond_w:
            return heard
    if p_w is None or p_w - heard.told_w <= beyond_w:
        return heard if from_w is None else replace(heard, from_w=None, for_s=0.0)
    if from_w is None or p_w < from_w - CAME_DOWN * (from_w - heard.told_w):
        return replace(heard, from_w=p_w, for_s=0.0)
    return replace(heard, for_s=heard.for_s + dt_s)


def telling(memory: Memory, decisions: Iterable[Decision]) -> Memory:
    """After everything is decided."""
    before = {each.der: each for each in memory.told}
    told = tuple([each for decision in decisions if (each := _told(before, decision)) is not None])
    return memory if told == memory.told else replace(memory, told=told)


def _told(before: Mapping[str, Heard], decision: Decision) -> Heard | None:
    asked = decision.setpoint
    told_w = asked.p_ceiling_w if asked.p_target_w is None else asked.p_target_w
    if told_w is None:
        return None
    known = before.get(decision.der)
    if known is None:
        return _new_heard(der=decision.der, told_w=told_w)
    return known if known.told_w == told_w else replace(known, told_w=told_w)


def deaf(memory: Memory) -> frozenset[str]:
    """Who does not heed."""
    return frozenset(each.der for each in memory.told if each.for_s >= DEAF_S)
