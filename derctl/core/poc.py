"""The meter at the point of connection in a tick: what it is believed to be, and who relies on it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from derctl.core import belief, doubts, first, sensitivity, trial
from derctl.core.evidence import Evidence, together
from derctl.core.memories import BELIEF, DOUBTS, FIRST, SENSITIVITY, TRIAL
from derctl.core.plan import Memories
from derctl.core.turn import Turn
from derctl.core.types import DerState, PocState, SiteProposal, SiteState
from derctl.core.value import replace, value
from derctl.core.words import Reason


@value
class Reliance:
    """How far the meter is relied on by the most senior who closes a loop on it, and whether that one hears it."""

    meter_pu: float
    heard: bool


def believed(turn: Turn, ders: Sequence[DerState]) -> PocState | None:
    """What the meter is believed to be, by those that are heard; who is on trial is no part of the sum. At first
    nobody was seen to move it: then all that are heard make it up. None: the site has no meter."""
    poc, after = turn.state.poc, turn.after
    if poc is None:
        return None
    heard = [der for der in ders if der.fresh and der.trial is None and belief.power_w(der) is not None]
    known = first.known(heard)
    steered = [der for der in known if der.controllable]
    before = turn.before[BELIEF] if BELIEF in turn.before else belief.start(turn.state.id)
    memory, evidence = belief.step(before, known, poc, before.need, turn.dt_s)
    others = turn.before.get(DOUBTS, doubts.START)
    after[DOUBTS] = others = doubts.step(others, before.doublet, memory.doublet, steered, poc, turn.dt_s)
    if others.found is not None:
        memory = belief.contradicted(memory)
        evidence = belief.told(memory)
    after[BELIEF] = memory
    if memory.age_s == 0.0 and len(known) == 1 and known[0].unseen:
        after[FIRST] = first.shown(after[FIRST], known[0].id)
    return replace(poc, belief=_suspected(doubts.told(others, evidence), poc, after[SENSITIVITY]))


def relied_on(turn: Turn, wishes: Sequence[SiteProposal]) -> Reliance:
    """Who relies on it until the next tick: that is told to its belief, and to those on trial."""
    reliance = _reliance(wishes)
    turn.after[TRIAL] = trial.relying(turn.after[TRIAL], reliance.meter_pu == 1.0)
    if turn.state.poc is not None:
        needs = [wish.need for wish in wishes if wish.need is not None]
        turn.after[BELIEF] = belief.needing(turn.after[BELIEF], together(needs))
    return reliance


def _reliance(wishes: Iterable[SiteProposal]) -> Reliance:
    said = min((wish for wish in wishes if wish.meter_pu is not None), key=_seniority, default=None)
    if said is None or said.meter_pu is None:
        return Reliance(meter_pu=0.0, heard=False)
    return Reliance(meter_pu=said.meter_pu, heard=said.why is not Reason.METER_LOST)


def _seniority(wish: SiteProposal) -> tuple[int, float]:
    return wish.rank, wish.meter_pu or 0.0


def with_belief(state: SiteState, memories: Memories) -> SiteState:
    """The state as those see it who report: with what the meter was believed to be in the step that left these
    memories."""
    poc = state.poc
    return state if poc is None else replace(state, poc=replace(poc, belief=evidence_of(poc, memories)))


def evidence_of(poc: PocState, memories: Memories) -> Evidence:
    """What the meter was believed to be in the step that left these memories."""
    memory = memories.get(BELIEF)
    if memory is None:
        return poc.belief
    evidence = doubts.told(memories.get(DOUBTS, doubts.START), belief.told(memory))
    return _suspected(evidence, poc, memories.get(SENSITIVITY, sensitivity.START))


def _suspected(evidence: Evidence, poc: PocState, moved: sensitivity.Memory) -> Evidence:
    """What the voltage says of the meter is told where nothing else is, and who follows it is not known to."""
    if evidence.why is not None or poc.followers or not moved.meter.known.contradicted:
        return evidence
    found = sensitivity.suspicion(moved)
    return evidence if found is None else replace(evidence, why=found.by, text=found.text)
