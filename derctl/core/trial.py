"""Who comes back is on trial: what it claims counts once it was seen to move the meter.

Two legs prove it: its power goes from one level to another, and the meter by as much. Where it does not move by
itself it is moved: one DER at a time, there and back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from derctl.core.capability import clamp
from derctl.core.lost import FADE_S
from derctl.core.types import DerState, Proposal, SiteState, Trial
from derctl.core.value import replace, value

BY = "on_trial"
PROBE_RANK, REST_RANK = 15, 99
"""A dip is the contract's business; where a store rests meanwhile gives way to whoever aims it."""

LEGS, LEGS_LEAST = 2, -2
"""So many legs more that the meter showed than others, and so far back by those that it did not show: where a load
jumps a liar is shown now and then, and an honest one is not."""
PROOF_PU, STEP_PU, LEAST_PU = 0.1, 0.15, 0.12
"""The least change of its power that is a leg, what it is moved by, and at least by, in shares of its rating."""
AGREES = 0.5
"""Largest difference between what it says and what the meter shows of a leg, in shares of the leg."""
LEVEL_PU = 0.03
"""Power that changes less than this share of its rating stands at one level."""
LAG_S, LAG_TICKS, MEAN_S, MEAN_TICKS = 3.0, 3.0, 2.0, 2.0
"""What is late has come after LAG, or so many ticks; the level is the mean of MEAN after it."""
LEG_S = 15.0
"""A leg may take so long: in more the load does too much. So long waits a probe for it too."""
PAUSE_S, PAUSES = 5.0, 7
"""After a probe that proved nothing it is left alone for so long; after each further one, so many times, for twice as
long."""
UNMOVED_S = 10.0
"""What stands where it stood after so long does not follow."""
EVERY_S = 0.2
"""No more samples than this are looked at."""


@value
class Level:
    """What it says that it gives, and what the meter shows beside those who are believed, W."""

    t_s: float
    p_w: float
    rest_w: float


@value
class Probe:
    """It is sent from from_w to to_w, and back once a leg was judged after `judged` others."""

    from_w: float
    to_w: float
    since_s: float
    judged: int


@value
class Case:
    """One DER on trial. since_s, gave_w: when it came, and what it said then; aim_w: what it was aimed at.

    track: its last samples at one level. level: the last whole one. agreed: legs that the meter showed, less those
    that it did not show, of all that were judged. probes: that proved nothing; quiet_s: until then it
    is not moved.
    """

    der: str
    since_s: float
    gave_w: float = 0.0
    aim_w: float | None = None
    track: tuple[Level, ...] = ()
    level: Level | None = None
    agreed: int = 0
    judged: int = 0
    probe: Probe | None = None
    probes: int = 0
    quiet_s: float = 0.0


@value
class Memory:
    """relied: a loop relies on the meter now; once: it did before. heard: who was, one tick ago; met: who ever was.

    others: whose power is taken off the meter. sample, t_s: the meter's last that was looked at.
    """

    relied: bool = False
    once: bool = False
    heard: tuple[str, ...] = ()
    met: tuple[str, ...] = ()
    cases: tuple[Case, ...] = ()
    others: tuple[str, ...] = ()
    sample: int = -1
    t_s: float = -1e9


START = Memory()


def relying(memory: Memory, relied: bool) -> Memory:
    """After the functions have spoken. Before a loop relies on the meter nobody can be seen to move it."""
    return memory if relied is memory.relied else replace(memory, relied=relied, once=memory.once or relied)


def watched(memory: Memory, state: SiteState, *, waits: bool = False) -> Memory:
    """One tick on. Nothing is done where nobody comes and nobody is on trial. Who is heard for the first time does
    not come back: on a slow bus it is only found later. waits: the meter is to be told first, and nobody begins to
    be moved."""
    heard = tuple([der.id for der in state.ders if der.fresh])
    if heard == memory.heard and not memory.cases:
        return memory
    back = [name for name in heard if name not in memory.heard and name in memory.met]
    met = memory.met if set(heard) <= set(memory.met) else tuple(sorted({*memory.met, *heard}))
    memory = replace(memory, heard=heard, met=met)
    if not memory.once:
        return memory
    there = {der.id: der for der in state.ders if der.fresh}
    cases = tuple(case for case in memory.cases if case.der in there)
    cases += tuple(_opened(there[name], state.t_s) for name in back)
    memory = replace(memory, cases=cases)
    poc = state.poc
    if poc is None or not poc.fresh or poc.reading.p_w is None or not memory.relied:
        return replace(memory, cases=tuple(_shelved(case) for case in cases))
    if poc.sample == memory.sample or state.t_s - memory.t_s < EVERY_S:
        return memory
    memory = replace(memory, sample=poc.sample, t_s=state.t_s)
    return _looked(memory, there, state, poc.reading.p_w, waits=waits)


def _opened(der: DerState, t_s: float) -> Case:
    """A store goes to rest from what it was aimed at, not at once."""
    told = [each.p_target_w for each in (der.reading.accepted, der.written) if each is not None]
    aims = [aim_w for aim_w in (*told, der.reading.p_w if der.can.rest else None) if aim_w is not None]
    aim_w = clamp(aims[0], der.rating.p_min_w, der.rating.p_max_w) if der.can.store and aims else None
    return Case(der=der.id, since_s=t_s, gave_w=der.reading.p_w or 0.0, aim_w=aim_w)


def _shelved(case: Case) -> Case:
    """While the meter is not there to see it, it is not moved, and levels of before say nothing."""
    return replace(case, track=(), level=None, probe=None)


def _looked(memory: Memory, there: dict[str, DerState], state: SiteState, poc_w: float, *, waits: bool) -> Memory:
    tried = {case.der for case in memory.cases}
    others = tuple(name for name in there if name not in tried)
    same = others == memory.others
    rest_w = poc_w - sum(there[name].reading.p_w or 0.0 for name in others)
    seen = [
        _weighed(case if same else _shelved(case), there[case.der], rest_w, state.t_s, state.tick_s)
        for case in memory.cases
    ]
    begins = not waits or any(case.probe is not None for case in seen)
    moved = _moved(seen, there, poc_w, state.t_s) if begins else seen
    left = tuple(case for case in moved if case.agreed < LEGS or case.probe is not None)
    return replace(memory, cases=left, others=others)


def _weighed(case: Case, der: DerState, rest_w: float, t_s: float, tick_s: float) -> Case:
    """One sample more. What moves is judged once it stands again."""
    p_w = der.reading.p_w
    if p_w is None:
        return _shelved(case)
    lag_s, mean_s = max(LAG_S, LAG_TICKS * tick_s), max(MEAN_S, MEAN_TICKS * tick_s)
    here = Level(t_s=t_s, p_w=p_w, rest_w=rest_w)
    track = case.track
    if track and abs(p_w - track[0].p_w) > LEVEL_PU * der.rating.per_unit_w:
        track = ()
    old = sum(t_s - point.t_s >= lag_s + mean_s for point in track)
    track = (*track[max(old - 1, 0) :], here)
    case = replace(case, track=track)
    if t_s - track[0].t_s < lag_s + mean_s:
        return case
    last = [point for point in track if t_s - point.t_s <= mean_s]
    mean = [sum(point.p_w for point in last) / len(last), sum(point.rest_w for point in last) / len(last)]
    return _judged(case, Level(t_s=t_s, p_w=mean[0], rest_w=mean[1]), der, lag_s + mean_s)


def _judged(case: Case, level: Level, der: DerState, settled_s: float) -> Case:
    """At a level: did the meter come along from the one before?"""
    before, case = case.level, replace(case, level=level)
    if before is None or level.t_s - before.t_s > LEG_S + settled_s:
        return case
    moved_w, shown_w = level.p_w - before.p_w, level.rest_w - before.rest_w
    if abs(moved_w) < _least_w(der) or moved_w == 0.0:
        return case
    agrees = abs(shown_w - moved_w) <= AGREES * abs(moved_w)
    return replace(
        case, judged=case.judged + 1, agreed=case.agreed + 1 if agrees else max(case.agreed - 1, LEGS_LEAST)
    )


def _moved(cases: Sequence[Case], there: Mapping[str, DerState], poc_w: float, t_s: float) -> list[Case]:
    """The probes one sample on. One DER is moved at a time, who was moved least before the others."""
    if any(case.probe is not None for case in cases):
        return [case if case.probe is None else _on(case, case.probe, there[case.der], t_s) for case in cases]
    probes = {case.der: _probe(case, there[case.der], poc_w, t_s) for case in cases}
    able = [case for case in cases if probes[case.der] is not None]
    turn = min(able, key=lambda case: case.probes, default=None)
    return [replace(case, probe=probes[case.der]) if case is turn else case for case in cases]


def _on(case: Case, probe: Probe, der: DerState, t_s: float) -> Case:
    """There until a leg was judged, back until the next, neither for longer than LEG_S."""
    level, past_s = case.level, t_s - probe.since_s
    stood = level is not None and level.t_s == t_s and abs(level.p_w - probe.from_w) < _least_w(der)
    unmoved = case.judged == probe.judged and past_s > UNMOVED_S and stood
    if case.judged < probe.judged + 2 and past_s <= 2.0 * LEG_S and not unmoved:
        return case
    probes = case.probes + 1 if case.agreed <= 0 else 0
    pause_s = PAUSE_S * 2.0 ** min(case.probes, PAUSES)
    return replace(case, probe=None, probes=probes, quiet_s=t_s + pause_s)


def _least_w(der: DerState) -> float:
    """Less is no move."""
    return PROOF_PU * der.rating.per_unit_w


def _probe(case: Case, der: DerState, poc_w: float, t_s: float) -> Probe | None:
    """How it would be moved from the level at which it stands now; None: it can't be, or not now."""
    level = case.level
    if level is None or level.t_s < max(t_s, case.quiet_s) or case.agreed >= LEGS:
        return None
    to_w = _away(der, level.p_w, poc_w)
    if (
        not der.controllable
        or der.halted
        or der.unverified
        or abs(to_w - level.p_w) < LEAST_PU * der.rating.per_unit_w
    ):
        return None
    return Probe(from_w=level.p_w, to_w=to_w, since_s=t_s, judged=case.judged)


def _away(der: DerState, p_w: float, poc_w: float) -> float:
    """Where a probe sends it: what takes a limit gives less; a store that rests serves the meter for a moment."""
    step_w = STEP_PU * der.rating.per_unit_w
    if der.can.limit:
        return max(p_w - step_w, min(p_w, 0.0))
    return clamp(p_w - clamp(poc_w, -step_w, step_w), der.rating.p_min_w, der.rating.p_max_w)


def _out(case: Case, probe: Probe, t_s: float) -> bool:
    return case.judged == probe.judged and t_s - probe.since_s <= LEG_S


def told(case: Case, der: DerState, t_s: float) -> tuple[Proposal, ...]:
    """What the trial asks of the DER."""
    probe = case.probe
    if probe is not None and _out(case, probe, t_s) and der.can.limit:
        return (Proposal(by=BY, rank=PROBE_RANK, p_ceiling_w=probe.to_w),)
    if probe is not None and der.can.rest:
        return (Proposal(by=BY, rank=REST_RANK, p_target_w=probe.to_w if _out(case, probe, t_s) else probe.from_w),)
    left = 1.0 - (t_s - case.since_s) / FADE_S
    if case.aim_w is None or left <= 0.0:
        return ()
    return (Proposal(by=BY, rank=REST_RANK, p_target_w=case.aim_w * left),)


def standing(case: Case, der: DerState) -> Trial:
    """What the functions know of it."""
    if case.probe is None:
        return Trial(p_w=der.reading.p_w, gave_w=case.gave_w)
    dip_w = max(case.probe.from_w - case.probe.to_w, 0.0)
    return Trial(p_w=case.probe.from_w, gave_w=case.gave_w, dip_w=dip_w, moved=True)
