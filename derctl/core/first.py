"""Who was never seen to move the meter: what it claims raises nobody. It is not moved for that; it is watched."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from derctl.core.types import DerState, SiteState, Trial
from derctl.core.value import replace, value

LEGS, LEGS_LEAST = 2, -2
"""So many moves of its power more that the meter showed than others make it seen, and so far back by those that the
meter did not show: where a load jumps a liar is shown now and then."""
STEP_PU = 0.05
"""The least change of its power that is a move, in shares of its rating."""
AGREES = 0.5
"""Largest difference between what all claim of a moment and what the meter shows, in shares of its own move: what it
did not do itself then is less than half. So near to its own move it was the one that moved nothing."""
WINDOW_S, WINDOW_TICKS = 5.0, 5.0
"""A move takes no longer."""
LAG_S, LAG_TICKS = 3.5, 3.5
"""So late the meter may be (core/trial.py)."""
EVERY_S = 0.5
"""No more samples than this are looked at."""


@value
class Unseen:
    """One DER. gave_w: what it said when it came. agreed: moves that the meter showed. since_s: the last of them.
    left: it was not heard for a while since."""

    der: str
    gave_w: float = 0.0
    agreed: int = 0
    since_s: float = -1e9
    left: bool = False


@value
class Moment:
    """One sample, W. powers: of each that is unseen; sum_w: of all that are heard, but for who is on trial."""

    t_s: float
    powers: Mapping[str, float]
    sum_w: float
    poc_w: float


@value
class Memory:
    """met: who was ever heard. counted: who is in the sums of the track, and what they said last, W. sample, t_s: the
    meter's last that was looked at."""

    met: tuple[str, ...] = ()
    unseen: tuple[Unseen, ...] = ()
    track: tuple[Moment, ...] = ()
    counted: tuple[tuple[str, float], ...] = ()
    sample: int = -1
    t_s: float = -1e9


START = Memory()
NOBODY: frozenset[str] = frozenset()


def watched(memory: Memory, state: SiteState, tried: Collection[str]) -> Memory:
    """One tick on. tried: who is on trial (core/trial.py), which is another thing. Nothing is done where all were
    seen and nobody new is heard."""
    came = [der for der in state.ders if der.fresh and der.id not in memory.met]
    if came:
        new = tuple(Unseen(der=der.id, gave_w=der.reading.p_w or 0.0) for der in came)
        met = tuple(sorted({*memory.met, *(der.id for der in came)}))
        memory = replace(memory, met=met, unseen=(*memory.unseen, *new))
    if not memory.unseen:
        return memory
    silent = {der.id for der in state.ders if not der.fresh}
    if any(each.der in silent and not each.left for each in memory.unseen):
        memory = replace(memory, unseen=tuple([_left(each, silent) for each in memory.unseen]))
    if tried and any(each.der in tried for each in memory.unseen):
        memory = replace(memory, unseen=tuple(each for each in memory.unseen if each.der not in tried))
    poc = state.poc
    if poc is None or not poc.fresh or poc.reading.p_w is None:
        return memory if not memory.track else replace(memory, track=())
    if poc.sample == memory.sample or state.t_s - memory.t_s < EVERY_S:
        return memory
    memory = replace(memory, sample=poc.sample, t_s=state.t_s)
    return _looked(memory, [der for der in state.ders if der.fresh and der.id not in tried], state, poc.reading.p_w)


def _left(unseen: Unseen, silent: Collection[str]) -> Unseen:
    return replace(unseen, left=True) if unseen.der in silent else unseen


def _looked(memory: Memory, heard: list[DerState], state: SiteState, poc_w: float) -> Memory:
    """One sample of the meter."""
    powers = {der.id: der.reading.p_w for der in heard if der.reading.p_w is not None}
    here = Moment(
        t_s=state.t_s,
        powers={each.der: powers[each.der] for each in memory.unseen if each.der in powers},
        sum_w=sum(powers.values(), 0.0),
        poc_w=poc_w,
    )
    memory = _regrouped(memory, powers)
    window_s = max(WINDOW_S, WINDOW_TICKS * state.tick_s)
    track = (*(point for point in memory.track if here.t_s - point.t_s <= window_s), here)
    late_s = here.t_s - max(LAG_S, LAG_TICKS * state.tick_s)
    ratings = {der.id: der.rating.per_unit_w for der in heard}
    judged = [_judged(each, track, STEP_PU * ratings.get(each.der, 0.0), late_s) for each in memory.unseen]
    return replace(memory, track=track, unseen=tuple(each for each in judged if each.agreed < LEGS))


def _regrouped(memory: Memory, powers: Mapping[str, float]) -> Memory:
    """Who comes or goes, or is not measured, makes no step: what was before goes on without it, or as if it had been
    there. Of itself it tells nothing of before."""
    before = dict(memory.counted)
    memory = replace(memory, counted=tuple(powers.items()))
    if powers.keys() == before.keys():
        return memory
    came = powers.keys() - before.keys()
    come_w = sum((powers[name] for name in came), 0.0) - sum(
        (before[name] for name in before.keys() - powers.keys()), 0.0
    )
    track = [
        replace(
            point,
            powers={name: w for name, w in point.powers.items() if name not in came},
            sum_w=point.sum_w + come_w,
        )
        for point in memory.track
    ]
    return replace(memory, track=tuple(track))


def _judged(unseen: Unseen, track: tuple[Moment, ...], least_w: float, late_s: float) -> Unseen:
    """Since its last move: did it move, and the meter with all that moved? late_s: what moved by then is shown."""
    name = unseen.der
    since = [point for point in track if point.t_s >= unseen.since_s and name in point.powers]
    if len(since) < 2 or since[-1] is not track[-1] or least_w <= 0.0:
        return unseen
    began, here = since[0], since[-1]
    own_w = here.powers[name] - began.powers[name]
    off_w = (here.poc_w - began.poc_w) - (here.sum_w - began.sum_w)
    if abs(own_w) < least_w:
        return unseen
    if abs(off_w) <= AGREES * abs(own_w):
        return replace(unseen, agreed=unseen.agreed + 1, since_s=here.t_s)
    stood = [
        point for point in since if point.t_s <= late_s and abs(point.powers[name] - began.powers[name]) >= least_w
    ]
    if stood and abs(off_w + own_w) <= AGREES * abs(own_w):
        return replace(unseen, agreed=max(unseen.agreed - 1, LEGS_LEAST), since_s=here.t_s)
    return unseen


def known(ders: Sequence[DerState]) -> list[DerState]:
    """Those that were seen; at first nobody was, and all are that did not leave: who comes and goes would keep the
    others from being seen for good."""
    unseen = unseen_of(ders)
    return [der for der in ders if der.id not in unseen] if unseen else [*ders]


def unseen_of(ders: Sequence[DerState]) -> frozenset[str]:
    """What whom claims counts as little as the meter, since others were seen and they were not; or, while nobody was,
    since they left and others did not. Who is silent was seen, or is met later."""
    unseen = [der for der in ders if der.unseen]
    if not unseen:
        return NOBODY
    left = [der for der in unseen if der.left]
    heard = sum([der.fresh for der in ders])
    for apart in (unseen, left):
        if heard > sum([der.fresh for der in apart]):
            return frozenset([der.id for der in apart])
    return NOBODY


def tried(der: DerState) -> bool:
    """It is moved by itself, to be seen. Who only waits for that, or is never moved for it, is not."""
    return der.trial is not None and der.trial.moved


def shown(memory: Memory, der: str) -> Memory:
    """A coin's step of its own was seen: it moves the meter."""
    return replace(memory, unseen=tuple(each for each in memory.unseen if each.der != der))


def standing(unseen: Unseen, der: DerState) -> Trial:
    """What the functions know of it, once others were seen: as of who came back, but that it is not moved."""
    return Trial(p_w=der.reading.p_w, gave_w=unseen.gave_w)
