"""How much of the local load counts: the DERs give what may go out without a meter, and what load is credited."""

from __future__ import annotations

from typing import NamedTuple

from derctl.core import first
from derctl.core.belief import DOUBLET_PU
from derctl.core.capability import assumed_w
from derctl.core.evidence import Need
from derctl.core.types import PocState
from derctl.core.value import replace
from derctl.functions import credit, export_phases
from derctl.functions.credit import Credit, Use, need_of
from derctl.functions.export_memory import Memory, Scene, counted_w
from derctl.functions.export_terms import Terms

NO_CREDIT = Credit()


class _Bare(NamedTuple):
    """free_w: what may go out without a meter, beside what others give. claimed_w: what those claim that were never
    seen to move it, where others were: that is no use of credit. Where nobody was yet, it was proven by all."""

    free_w: float
    claimed_w: float


def credited(memory: Memory, terms: Terms, scene: Scene) -> tuple[Memory, Need]:
    """One tick on, and what depends on the meter by it."""
    memory, used_w = _credited(memory, terms, scene)
    return memory, need_of(memory.credit, used_w, DOUBLET_PU if terms.probe == "always" else 0.0)


def _credited(memory: Memory, terms: Terms, scene: Scene) -> tuple[Memory, float]:
    """And how much of it is used. While one is on trial nobody's credit is counted."""
    poc = scene.poc
    if poc is None or not poc.belief.steps:
        return _uncredited(memory), 0.0
    if memory.waiting or memory.ceiling_w is None:
        return memory, 0.0
    bare = _bare(terms, scene)
    use = _use(memory, terms, scene, poc, bare)
    if not memory.relied:
        return _uncredited(memory), max(use.wanted_w, _waits_w(terms, use, bare), 0.0)
    if any(der.trial is not None and not der.unseen for der in scene.ders):
        return _uncredited(memory), max(use.sum_w - terms.limit_w, 0.0)  # the meter is told all the same
    now = credit.credited(memory.credit, poc.belief, use, scene.dt_s)
    load_w = now.load_w + poc.belief.rise_w
    most_w = max(bare.free_w + bare.claimed_w + load_w, scene.least_w)
    ceiling_w = min(memory.ceiling_w, most_w)
    memory = export_phases.credited(memory, terms, scene, load_w)
    return replace(memory, credit=now, ceiling_w=ceiling_w), use.used_w


def _uncredited(memory: Memory) -> Memory:
    return memory if memory.credit == NO_CREDIT else replace(memory, credit=NO_CREDIT)


def _bare(terms: Terms, scene: Scene) -> _Bare:
    ids, unseen = {der.id for der in scene.steered}, first.unseen_of(scene.ders)
    others = [der for der in scene.ders if der.id not in ids and der.id not in unseen]
    return _Bare(
        free_w=terms.limit_w - sum((max(assumed_w(der), 0.0) for der in others), 0.0),
        claimed_w=sum((assumed_w(der) for der in scene.steered if der.id in unseen), 0.0),
    )


def _use(memory: Memory, terms: Terms, scene: Scene, poc: PocState, bare: _Bare) -> Use:
    sum_w = counted_w(memory, scene.steered) - bare.claimed_w
    goal_w = memory.ceiling_w if memory.course.goal_w is None else memory.course.goal_w
    assert goal_w is not None
    used_w, wanted_w = export_phases.used_w(memory, terms, scene)
    return Use(
        sum_w=sum_w,
        used_w=max(sum_w - bare.free_w, used_w, 0.0),
        wanted_w=max(goal_w - bare.claimed_w - bare.free_w, wanted_w),
        poc_w=poc.reading.p_w or 0.0,
        scale_w=sum(der.rating.per_unit_w for der in scene.steered),
    )


def _waits_w(terms: Terms, use: Use, bare: _Bare) -> float:
    """For the proof, where others claim more than may go out: what the meter, if it is right, would let those give
    whose power counts."""
    waits = bare.claimed_w > bare.free_w
    return use.sum_w + terms.limit_w - terms.kept_below_w - use.poc_w if waits else 0.0
