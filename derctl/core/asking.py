"""Each function is asked in its turn, and its word is heard; or what stands of it while it has no input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from derctl.core import hunting, lost
from derctl.core.hearing import Hearing
from derctl.core.memories import hunting_key, keys_for, memory_of
from derctl.core.plan import DerFunction, Plan, SiteFunction
from derctl.core.turn import Turn
from derctl.core.types import Abstain, Proposal, SiteProposal
from derctl.core.words import Reason


def ask_ders(plan: Plan, turn: Turn, hearings: Mapping[str, Hearing]) -> None:
    """All that speak for one DER, in the site file's order."""
    for function, ids in plan.der_functions:
        also_on_device = function.kind in plan.also_on_device
        ask = _ask_loop if function.kind in plan.loops else _ask
        for der_id in ids:
            hearing = hearings[der_id]
            if also_on_device and function.kind not in hearing.der.reading.own_off:
                _leave_to_device(turn, function, hearing)
            else:
                ask(turn, function, hearing)


def ask_site(plan: Plan, turn: Turn, hearings: Mapping[str, Hearing]) -> list[SiteProposal]:
    """What those want that speak for the site."""
    wishes = [_ask_over(turn, function, [hearings[der] for der in ids]) for function, ids in plan.site_functions]
    return [wish for wish in wishes if wish is not None]


def _leave_to_device(turn: Turn, function: DerFunction, hearing: Hearing) -> None:
    """The device runs it; or it can't say any more that it does not, and what was said last is held."""
    key, held = keys_for(function.kind, hearing.der.id)
    if function.kind in hearing.der.reading.own_on:
        turn.after[key] = function.start()
        hearing.abstained[function.kind] = f"{Reason.OWN_FUNCTION_ON}: the device runs its own"
        return
    turn.after[key] = memory_of(function, key, turn.before)
    why = f"{Reason.OWN_FUNCTION_ON}: the device's own mode can't be read back"
    _hear(turn, function.kind, held, Abstain(why, lost=True), hearing)


def _ask(turn: Turn, function: DerFunction, hearing: Hearing) -> None:
    key, held = keys_for(function.kind, hearing.der.id)
    turn.after[key], said = function.step(memory_of(function, key, turn.before), hearing.der, turn.state, turn.dt_s)
    _hear(turn, function.kind, held, said, hearing)


def _ask_loop(turn: Turn, function: DerFunction, hearing: Hearing) -> None:
    """One that follows what it moves. While it hunts its own time goes slower, as with a longer response time."""
    state, dt_s, der = turn.state, turn.dt_s, hearing.der
    (key, held), hunts = keys_for(function.kind, der.id), hunting_key(function.kind, der.id)
    guard = turn.before.get(hunts, hunting.START)
    memory, said = function.step(memory_of(function, key, turn.before), der, state, dt_s * guard.pace)
    if isinstance(said, Proposal):
        guard, said = hunting.guarded(guard, said, der, t_s=state.t_s, tick_s=state.tick_s, dt_s=dt_s)
    turn.after[key], turn.after[hunts] = memory, guard
    _hear(turn, function.kind, held, said, hearing)


def _hear(turn: Turn, kind: str, held: str, said: Proposal | Abstain, hearing: Hearing) -> None:
    """What was said, or what stands of it while the function has no input. held: the key of that."""
    hold, found = lost.passed(turn.before.get(held), said, hearing.der, turn.dt_s)
    if hold is not None:
        turn.after[held] = hold
    hearing.proposals += found
    if isinstance(said, Abstain):
        hearing.abstained[kind] = said.reason


def _ask_over(turn: Turn, function: SiteFunction, hearings: Sequence[Hearing]) -> SiteProposal | None:
    """One that speaks for the sum of these."""
    key, held = keys_for(function.kind)
    ders = [hearing.der for hearing in hearings]
    turn.after[key], said = function.step(memory_of(function, key, turn.before), ders, turn.state, turn.dt_s)
    hold, wish = lost.passed_by_site(turn.before.get(held), said, ders, turn.dt_s)
    if hold is not None:
        turn.after[held] = hold
    if isinstance(said, Abstain):
        for hearing in hearings:
            hearing.abstained[function.kind] = said.reason
    return wish
