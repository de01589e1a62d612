"""All that speaks against the meter, or keeps it from being told, beside the steps that it has to show."""

from __future__ import annotations

from collections.abc import Sequence

from derctl.core import astray, followers, phases, witness
from derctl.core.doublet import Doublet
from derctl.core.evidence import Contradiction, Evidence
from derctl.core.types import DerState, PocState
from derctl.core.value import replace, value
from derctl.core.words import Belief, Doubt


@value
class Memory:
    """Of each who looks; and what was found. declared: who follows the meter too, by the site file's word."""

    phases: phases.Memory = phases.START
    followers: followers.Memory = followers.START
    witness: witness.Memory = witness.START
    astray: astray.Memory = astray.START
    found: Contradiction | None = None
    declared: tuple[str, ...] = ()


START = Memory()


def step(
    memory: Memory,
    before: Doublet | None,
    now: Doublet | None,
    ders: Sequence[DerState],
    poc: PocState,
    dt_s: float,
) -> Memory:
    """One tick on. before, now: the doublet of the belief, one tick ago and now. ders: who is in the belief's sum."""
    by_phase, answered = memory.phases, followers.step(memory.followers, before, now, dt_s)
    shown_w = poc.reading.p_phase_w
    if shown_w is not None and len(shown_w) > 1:
        by_phase = phases.step(by_phase, before, now, shown_w, phases.given_w(ders, len(shown_w)), dt_s)
    elif by_phase.whole:
        by_phase = replace(by_phase, whole=False)
    witnessed = witness.step(memory.witness, poc, dt_s)
    strayed = astray.step(memory.astray, before, now, ders, shown_w, by_phase.noise_w, dt_s)
    same = (
        strayed is memory.astray
        and by_phase is memory.phases
        and answered is memory.followers
        and witnessed is memory.witness
    )
    if same and poc.followers == memory.declared:
        return memory
    found = phases.contradiction(by_phase) or witness.contradiction(witnessed)
    return Memory(
        phases=by_phase,
        followers=answered,
        witness=witnessed,
        astray=strayed,
        found=found,
        declared=poc.followers,
    )


def told(memory: Memory, evidence: Evidence) -> Evidence:
    """The evidence with what else is known. Who is known to follow makes a meter that shows no step one that can't be
    told, and one that can't be told is not proven."""
    found = memory.found
    if found is not None:
        belief = evidence.belief if evidence.belief is Belief.LOST else Belief.DOUBTED
        return replace(evidence, belief=belief, why=found.by, text=found.text)
    if evidence.belief is Belief.DOUBTED and memory.declared:
        text = (
            f"{', '.join(memory.declared)} may have answered each step: it can't be told whether the meter is right"
        )
        return replace(evidence, belief=Belief.UNPROVEN, why=Doubt.FOLLOWERS, text=text)
    suspicion = None if memory.declared else followers.suspicion(memory.followers)
    suspicion = suspicion or astray.suspicion(memory.astray)
    if suspicion is None:
        return evidence
    return replace(evidence, why=suspicion.by, text=suspicion.text)
