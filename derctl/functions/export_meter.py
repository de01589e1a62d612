"""Whether the meter at the point of connection is there, and how far the loop believes it."""

from __future__ import annotations

from collections.abc import Sequence

from derctl.core import first
from derctl.core.belief import RISE_MARGIN_W
from derctl.core.capability import DARK, least_rise_w
from derctl.core.evidence import Evidence
from derctl.core.lost import HOLD_S, HOLD_SAMPLES
from derctl.core.types import DerState, PocState, SiteState
from derctl.core.value import replace
from derctl.core.words import Belief, Reason
from derctl.functions.export_memory import Memory, Scene
from derctl.functions.export_terms import Terms
from derctl.functions.meter_trust import Trust, shown_pu, weigh


def heard(memory: Memory, terms: Terms, ders: Sequence[DerState], site: SiteState) -> Memory:
    """Is the meter there, and does it make sense? Believed again only after recover_samples in a row."""
    poc = site.poc
    if poc is None or not poc.fresh or poc.reading.p_w is None:
        waiting = not memory.lost and memory.ceiling_w is not None and _holds(memory, poc, site.tick_s)
        return replace(memory, waiting=waiting, lost=not waiting, good=0)
    good = memory.good + (poc.answer != memory.answer)
    memory = replace(memory, waiting=False, answer=poc.answer, heard_s=poc.age_s)
    trust = weigh(memory.trust, poc, _movers(memory, ders), site.t_s)
    if terms.probe != "none":
        trust = _told(trust, poc.belief)
    if trust.doubted or poc.belief.contradicted or poc.belief.wrong:
        return replace(memory, lost=True, good=0, trust=trust)
    return replace(memory, lost=memory.lost and good < terms.recover_samples, good=good, trust=trust)


def _holds(memory: Memory, poc: PocState | None, tick_s: float) -> bool:
    """As long as any function holds without its input (core/lost.py): heard_s counts from the last answer with it.
    The tick that is nearest to the end ends it: a moment too early for the next would cost a whole one."""
    few = poc is not None and poc.fresh and poc.answer - memory.answer < HOLD_SAMPLES
    return memory.heard_s < HOLD_S - tick_s / 2.0 or few


def _movers(memory: Memory, ders: Sequence[DerState]) -> list[DerState]:
    """Whom the meter has to follow: who was seen to move it, and who is known to; where nobody is, or it is doubted,
    all."""
    awake = first.known([der for der in ders if der.fresh and der.reading.status not in DARK])
    counted = [der for der in awake if der.trial is None]
    return counted if counted and memory.relied else awake


def _told(trust: Trust, evidence: Evidence) -> Trust:
    """What the steps of a coin say counts for more than what the loop saw by itself. Whom they doubt has to be proven
    anew."""
    if evidence.belief is Belief.PROVEN:
        return replace(trust, proven=True, doubted=False)
    return replace(trust, proven=False, went=0.0) if evidence.wrong else trust


def why(memory: Memory, terms: Terms, scene: Scene) -> Reason | None:
    """What there is to say of the meter beyond the function's name."""
    if memory.lost:
        return Reason.METER_LOST
    if memory.waiting:
        return Reason.HELD
    if memory.trust.proven:
        return None
    return Reason.BELOW_MINIMUM if _too_little(terms, scene) else Reason.METER_UNPROVEN


def _too_little(terms: Terms, scene: Scene) -> bool:
    """Nothing may go out without a meter, and its import is less than they take at least: no step can prove it."""
    poc = scene.poc
    if poc is None or poc.reading.p_w is None or terms.limit_w > 0.0:
        return False
    least_w = least_rise_w([der for der in scene.steered if der.reading.status not in DARK])
    return least_w > 0.0 and -poc.reading.p_w - RISE_MARGIN_W < least_w


def meter_pu(memory: Memory, terms: Terms, poc: PocState | None) -> float:
    """As of a site's proposal. A meter without a proof that shows more than may go out is the likelier to be
    reversed."""
    shown_w = None if poc is None else poc.reading.p_w
    over = not memory.trust.proven and shown_w is not None and shown_w > terms.limit_w
    return 0.0 if memory.lost or over else shown_pu(memory.trust, memory.unproven_s)


def rise_w(memory: Memory, poc: PocState | None) -> float:
    """By how much the coin raises the sum now, before the proof."""
    return 0.0 if poc is None or memory.relied else poc.belief.rise_w
