"""One tick is one function call: `step(plan, memories, state, dt_s) -> (memories, decisions)`. A Mealy machine."""

from __future__ import annotations

from collections.abc import Mapping

from derctl.core import astray, doubts, heed, poc, roll_call, sensitivity, sun
from derctl.core.asking import ask_ders, ask_site
from derctl.core.decision import decide
from derctl.core.hearing import Hearing, narrow
from derctl.core.memories import DOUBTS, HEED, SENSITIVITY, SUN
from derctl.core.plan import Memories, Memory, Plan
from derctl.core.requests import StopRequest
from derctl.core.turn import Turn
from derctl.core.types import Decision, SiteState
from derctl.core.value import replace
from derctl.core.wishes import Split


def step(
    plan: Plan, memories: Memories, state: SiteState, dt_s: float
) -> tuple[dict[str, Memory], tuple[Decision, ...]]:
    """Propose, arbitrate, decide. Pure: the same arguments give the same decision, bit for bit."""
    turn = Turn(before=memories, state=state, dt_s=dt_s)
    hearings = roll_call.called(turn)
    ask_ders(plan, turn, hearings)
    stopped = any(isinstance(each, StopRequest) for each in state.requests)
    for hearing in hearings.values():
        narrow(hearing, stopped=stopped)
    seen_w = _measured(turn, hearings)
    _learn(turn, hearings)
    wishes = ask_site(plan, turn, hearings)
    reliance = poc.relied_on(turn, wishes)
    _split(turn, hearings, seen_w, reliance).over(wishes)
    decisions = tuple(decide(hearing) for hearing in hearings.values())
    turn.after[HEED] = heed.telling(turn.after[HEED], decisions)
    return turn.after, decisions


def _measured(turn: Turn, hearings: Mapping[str, Hearing]) -> dict[str, float]:
    """What those give whose word counts, as it was measured lately, W. The site's functions see that, and the most
    that is left to each."""
    turn.after[SUN] = seen = sun.watched(turn.before.get(SUN, sun.Memory()), turn.state.ders, turn.dt_s)
    seen_w = {each.der: each.p_w for each in seen.seen if hearings[each.der].der.trial is None}
    for hearing in hearings.values():
        hearing.der = replace(hearing.der, most_w=hearing.band.high_w, seen_w=seen_w.get(hearing.der.id))
    return seen_w


def _learn(turn: Turn, hearings: Mapping[str, Hearing]) -> None:
    """What this tick's measurements tell, before the site's functions are asked: who does what it is told, what of
    the voltage is theirs, what the meter is worth. Who feeds in another phase than it is said to counts in both."""
    ders = tuple([hearing.der for hearing in hearings.values()])
    turn.after[HEED] = heed.watched(turn.before.get(HEED, heed.START), ders, turn.dt_s)
    moved = turn.before.get(SENSITIVITY, sensitivity.START)
    turn.after[SENSITIVITY] = sensitivity.watched(moved, ders, turn.state.poc, turn.state.t_s)
    meter = poc.believed(turn, ders)
    ders = astray.corrected(turn.after.get(DOUBTS, doubts.START).astray, ders)
    for hearing, der in zip(hearings.values(), ders, strict=True):
        hearing.der = der
    turn.state = replace(turn.state, ders=ders, poc=meter)


def _split(turn: Turn, hearings: Mapping[str, Hearing], seen_w: Mapping[str, float], by: poc.Reliance) -> Split:
    state = turn.state
    return Split(
        hearings,
        seen=seen_w,
        could={each.der: each.w for each in turn.after[SUN].could},
        sun_w=sun.measured_w(state.ders, seen_w, state.poc, by.meter_pu, heard=by.heard),
        deaf=heed.deaf(turn.after[HEED]),
    )
