"""Does the meter at the point of connection follow what the inverters do? A frozen or reversed one does not.

A meter is proven once it followed a step of theirs, and doubted once it slept through some or went the other way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from derctl.core.types import DerState, PocState

STEP_PU = 0.05
"""A change of the inverters' sum below this share of their rating says nothing about the meter [G]."""
AGREES = 0.25
"""The meter must show at least this share of the inverters' step, with its sign; load may hide the rest [G]."""
STRIKES = 3
"""Consecutive contradictions before the meter is doubted, and agreements before it is believed again [G]."""
PROOF_PU = 0.1
"""The step that proves a meter, over WINDOW samples (it may be late), in share of the rating (grid.md e.3)."""
WINDOW = 4
PROVEN = 2
"""Points that prove: a step matched within a quarter gives two, within a half one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """strikes: consecutive steps that the meter contradicted. slept: steps since it last moved at all.

    Doubted from STRIKES on. A meter that is only a sample or two late moves between the inverters' steps.
    points: towards being proven. steps_w: the last steps of the inverters and of the meter.
    """

    sample: int = -1
    p_poc_w: float = 0.0
    p_ders_w: float = 0.0
    strikes: int = 0
    slept: int = 0
    agreed: int = 0
    doubted: bool = False
    points: int = 0
    proven: bool = False
    steps_w: tuple[tuple[float, float], ...] = ()


def weigh(trust: Trust, poc: PocState, ders: Sequence[DerState]) -> Trust:
    """Compare the newest step of the meter with the inverters' step between the same two samples."""
    if poc.sample == trust.sample or poc.reading.p_w is None:
        return trust
    p_ders = sum((der.reading.p_w or 0.0 for der in ders), 0.0)
    if trust.sample < 0:
        return replace(trust, sample=poc.sample, p_poc_w=poc.reading.p_w, p_ders_w=p_ders)
    step = p_ders - trust.p_ders_w
    seen = poc.reading.p_w - trust.p_poc_w
    slept = trust.slept if seen == 0.0 else 0
    after = replace(trust, sample=poc.sample, p_poc_w=poc.reading.p_w, p_ders_w=p_ders, slept=slept)
    scale = sum(der.rating.p_max_w for der in ders)
    after = _proved(after, step, seen, scale)
    return after if abs(step) < STEP_PU * scale else _judged(after, step, seen)


def _proved(trust: Trust, step: float, seen: float, scale: float) -> Trust:
    """Weigh the last few samples together; those that proved something are not weighed again."""
    steps = (*trust.steps_w, (step, seen))[-WINDOW:]
    moved, shown = sum(pair[0] for pair in steps), sum(pair[1] for pair in steps)
    if abs(moved) < PROOF_PU * scale or moved == 0.0:
        return replace(trust, steps_w=steps)
    off = abs(shown / moved - 1.0)
    if off > 0.5:
        return replace(trust, steps_w=steps, points=0 if shown * moved < 0.0 else trust.points)
    points = trust.points + (2 if off <= 0.25 else 1)
    return replace(trust, steps_w=(), points=points, proven=trust.proven or points >= PROVEN)


def _judged(trust: Trust, step: float, seen: float) -> Trust:
    if seen * step >= AGREES * step * step:
        agreed = trust.agreed + 1
        return replace(trust, strikes=0, agreed=agreed, doubted=trust.doubted and agreed < STRIKES)
    if seen == 0.0:
        slept = trust.slept + 1
        return replace(trust, slept=slept, agreed=0, doubted=trust.doubted or slept >= STRIKES)
    if seen * step <= -AGREES * step * step:
        strikes = trust.strikes + 1
        return replace(trust, strikes=strikes, agreed=0, doubted=trust.doubted or strikes >= STRIKES)
    return trust
