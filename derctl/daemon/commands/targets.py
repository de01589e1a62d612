"""What became of a demand-response event's target in a tick, by what is measured. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from derctl.core.poc import evidence_of
from derctl.core.requests import EventRequest, aiming
from derctl.core.types import Decision
from derctl.core.words import Became, Belief, Reason, What
from derctl.daemon.commands.effect import NEAR_W, OPEN, Effect, Seen, done, together
from derctl.functions.grid_target import EDGE_W, GridTarget, Memory, batteries

STAYS_OVER_S = 30.0
"""A meter may be so late, and those that follow it: what it shows above a limit for longer is no transient."""
STAYS_THERE_S = 10.0
"""For so long the point of connection is where it is wanted before that is told: a load may pass by."""
NEAR_PU, NEAR_MIN_W = 0.05, 100.0
"""So near to its target the point of connection is there: per unit of the batteries' ratings, and at least."""
RATING = "rating"
"""Who bounds a battery at its nameplate, as in `bound_by`."""


def target_of(event: EventRequest, seen: Seen) -> Effect:
    """Of the batteries together, or of the point of connection."""
    counts, kind = aiming(seen.state.requests), GridTarget.kind
    if counts is not None and (counts.by, counts.id) != (event.by, event.id):
        return Effect(became=Became.OVERRIDDEN_BY, by=counts.by, code=Reason.LATER_TARGET)
    memory, ders = seen.memories.get(kind), batteries(seen.state.ders)
    if any(not der.fresh or der.reading.p_w is None for der in ders):
        return Effect(code=Reason.UNMEASURED)
    if not isinstance(memory, Memory) or memory.by != event.id:
        return Effect(code=Reason.METER_LOST) if event.poc_target_w is not None else OPEN
    ids = {der.id for der in ders if der.controllable and der.trial is None}
    told = [each for each in seen.decisions if each.der in ids]
    if event.p_target_w is not None:
        return _sum(event.p_target_w, told, seen)
    assert event.poc_target_w is not None
    return _poc(event.poc_target_w, told, seen, proven=_proven(memory, seen))


def _proven(memory: Memory, seen: Seen) -> bool:
    """The meter was seen to follow the batteries, or a step."""
    followed = memory.loop is not None and memory.loop.trust.proven
    poc = seen.state.poc
    return followed or (poc is not None and evidence_of(poc, seen.memories).belief is Belief.PROVEN)


def _sum(asked_w: float, told: Sequence[Decision], seen: Seen) -> Effect:
    """They are told as much, and each is measured to give its part of it."""
    error_w = sum(each.setpoint.p_target_w or 0.0 for each in told) - asked_w
    if abs(error_w) > NEAR_W + EDGE_W:
        return _kept_off(told, error_w, seen)
    return _followed(told, seen)


def _poc(asked_w: float, told: Sequence[Decision], seen: Seen, *, proven: bool) -> Effect:
    """It is measured there; or no battery can go any further, or one does not follow, or it is on its way."""
    poc = seen.state.poc
    if poc is None or not poc.fresh or poc.reading.p_w is None:
        return Effect(code=Reason.METER_LOST)
    error_w = poc.reading.p_w - asked_w
    near_w = max(NEAR_PU * sum(seen.ders[each.der].rating.size_w for each in told), NEAR_MIN_W)
    if abs(error_w) <= near_w and not proven:
        return Effect(code=Reason.METER_UNPROVEN)
    if abs(error_w) <= near_w:
        return Effect(became=Became.ACHIEVED, sure_s=STAYS_THERE_S)
    followed = _followed(told, seen)
    if followed.became in {Became.REFUSED, Became.OVERRIDDEN_BY}:
        return Effect(became=followed.became, by=followed.by, code=followed.code, sure_s=STAYS_OVER_S)
    if all(_at_its_end(each, -error_w, seen) for each in told):
        found = _kept_off(told, error_w, seen)
        return Effect(became=found.became, by=found.by, code=found.code, sure_s=STAYS_OVER_S)
    return Effect(code=followed.code)


def _followed(told: Sequence[Decision], seen: Seen) -> Effect:
    outcomes = [(each.setpoint.p_target_w, seen.outcomes.get(each.der)) for each in told]
    return together([OPEN if one is None else done(one, one.desired.p_target_w, w) for w, one in outcomes])


def _at_its_end(told: Decision, way_w: float, seen: Seen) -> bool:
    """Whether it can't be told any more of what is missing. way_w: which way that is."""
    now_w, edges = told.setpoint.p_target_w, _edges(told, way_w, seen)
    return now_w is not None and any(abs(w - now_w) <= NEAR_W for _, w in edges)


def _edges(told: Decision, way_w: float, seen: Seen) -> list[tuple[str, float]]:
    """Where others, or its nameplate, end it that way."""
    rating, what = seen.ders[told.der].rating, What.CEILING if way_w > 0.0 else What.FLOOR
    own = (RATING, rating.p_max_w if way_w > 0.0 else rating.p_min_w)
    bounds = [(each.by, each.value) for each in told.bound_by if each.what is what and each.by != GridTarget.kind]
    return [own, *bounds]


def _kept_off(told: Sequence[Decision], error_w: float, seen: Seen) -> Effect:
    """Whose edge they meet, the last one that moved it. error_w: what is told beyond what was asked."""
    edges = [edge for each in told for edge in _edges(each, -error_w, seen) if _meets(each, edge[1])]
    met = [by for by, _ in edges if by != RATING] or [by for by, _ in edges]
    return Effect(became=Became.OVERRIDDEN_BY, by=met[-1] if met else None, code=Reason.SENIOR_BOUND)


def _meets(told: Decision, edge_w: float) -> bool:
    return told.setpoint.p_target_w is not None and abs(told.setpoint.p_target_w - edge_w) <= NEAR_W
