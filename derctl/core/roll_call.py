"""Who is there in a tick, and whose word counts: who is on trial, and who was never seen to move the meter."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from derctl.core import belief, first, trial
from derctl.core.hearing import Hearing
from derctl.core.memories import BELIEF, FIRST, TRIAL
from derctl.core.turn import Turn
from derctl.core.types import DerState
from derctl.core.value import replace


def called(turn: Turn) -> dict[str, Hearing]:
    """All that the site has, by id."""
    before, after, state = turn.before, turn.after, turn.state
    due = belief.due(before[BELIEF]) if BELIEF in before else False
    after[TRIAL] = trial.watched(before.get(TRIAL, trial.START), state, waits=due)
    tried = [each.der for each in after[TRIAL].cases]
    after[FIRST] = first.watched(before.get(FIRST, first.START), state, tried)
    hearings = {der.id: Hearing(der) for der in state.ders}
    if tried:
        _try(hearings, after[TRIAL], state.t_s)
    if after[FIRST].unseen:
        _doubt(hearings, after[FIRST], relied=after[TRIAL].relied)
    return hearings


def _try(hearings: Mapping[str, Hearing], trials: trial.Memory, t_s: float) -> None:
    """Who is on trial is moved so that the meter can show it, and what it claims does not count."""
    for case in trials.cases:
        hearing = hearings[case.der]
        hearing.proposals += trial.told(case, hearing.der, t_s)
        hearing.der = replace(hearing.der, trial=trial.standing(case, hearing.der))


def _doubt(hearings: Mapping[str, Hearing], firsts: first.Memory, *, relied: bool) -> None:
    """Who was never seen to move the meter, once another was: its claim is no part of any sum. A store stays where it
    is: what it draws counts as far as it was told to."""
    unseen = {each.der for each in firsts.unseen}
    apart = relied and any(_shown(hearing.der, unseen) for hearing in hearings.values())
    for each in firsts.unseen:
        hearing = hearings.get(each.der)
        if hearing is not None:
            alone = apart and not hearing.der.can.store
            standing = first.standing(each, hearing.der) if alone else None
            hearing.der = replace(hearing.der, unseen=True, left=each.left, trial=standing)


def _shown(der: DerState, unseen: Collection[str]) -> bool:
    return der.controllable and der.can.limit and der.trial is None and der.id not in unseen
