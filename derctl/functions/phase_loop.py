"""The agreed limit of each phase: what the DERs may give there, by a meter that shows its phases, or without one.

The law is that of the sum (functions/meter_loop.py), once for each phase. A DER counts in a phase by what of its
power is there; one of which nobody knows where it feeds counts wholly in each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from derctl.core.capability import assumed_w, held_w
from derctl.core.feeding import COUNT, EVERYWHERE, Shares, shares_pu
from derctl.core.lost import HOLD_S
from derctl.core.response import ramp
from derctl.core.types import DerState, PhaseEdges, PocState, SiteState
from derctl.core.value import replace, value
from derctl.core.words import Reason
from derctl.functions.meter_loop import Course, Seen, anew, capped, free, late, moved, noted
from derctl.functions.worst import pending_w, worst_w

ASTRAY_S, ASTRAY_KEEP_S = 8.0, 600.0
"""An excess in one phase that lasts longer, though those that feed there were taken back, is made by one that feeds
elsewhere than it is said to: for ASTRAY_KEEP_S each one with a single phase counts in all (docs/sources.md)."""

Watts = tuple[float, ...]


@value
class Part:
    """One DER and what of its power counts in each phase."""

    der: str
    shares_pu: Shares


@value
class Memory:
    """ceilings_w: what the DERs may give in each phase, () before the first step; over: the DERs that these were
    meant for. courses: what the meter may not show yet. sample, since_s: the meter sample acted on last, and the time
    since. over_s: for how long one phase has carried too much; astray_s: for how long yet each single phase counts in
    all. unseen_s: since the meter showed its phases.
    """

    ceilings_w: Watts = ()
    over: tuple[Part, ...] = ()
    courses: tuple[Course, ...] = (Course(),) * COUNT
    sample: int = -1
    since_s: float = 0.0
    over_s: float = 0.0
    astray_s: float = 0.0
    unseen_s: float = HOLD_S


START = Memory()


@value
class Law:
    """limit_w: of each phase; margin_w: kept below it. gain: share of the way down in a second; relax_pu: the way up,
    per unit of the rating. heard: the meter is there and not doubted; closed: and it is believed. waiting: its answer
    is missing, and what was said last is held. rise_w: what may go out beyond what may without a meter, for the sake
    of a proof. sure: what they are told while no meter is believed leaves room for how far each may be off.
    """

    limit_w: float
    margin_w: float
    gain: float
    relax_pu: float
    heard: bool
    closed: bool
    waiting: bool
    rise_w: float = 0.0
    sure: bool = True


def stepped(
    memory: Memory, law: Law, ders: Sequence[DerState], steered: Sequence[DerState], site: SiteState, dt_s: float
) -> Memory:
    """One tick on. A sample is judged once; without the meter, or its phases, what the DERs may give is limited."""
    shown_w = shown(site.poc) if law.heard else ()
    unseen_s = 0.0 if shown_w else min(memory.unseen_s + dt_s, HOLD_S)
    astray_s = max(memory.astray_s - dt_s, 0.0)
    memory = replace(memory, since_s=memory.since_s + dt_s, astray_s=astray_s, unseen_s=unseen_s)
    memory = _noted(_regrouped(memory, ders, steered), steered, site.t_s)
    if law.waiting or (law.heard and not shown_w and unseen_s < HOLD_S):
        return memory
    open_w = _open_w(memory, law, ders, steered, shown_w)
    up_w = tuple([law.relax_pu * w for w in summed(memory.over, [der.rating.per_unit_w for der in steered])])
    if not shown_w:
        pairs = zip(memory.ceilings_w, open_w, up_w, strict=True)
        ceilings = tuple([ramp(was, most, up_per_s=up, dt_s=dt_s) for was, most, up in pairs])
        courses = tuple([anew(course) for course in memory.courses])
        return replace(memory, ceilings_w=ceilings, courses=courses, over_s=0.0)
    assert site.poc is not None
    if site.poc.sample != memory.sample:
        memory = _judged(memory, law, ders, steered, site, shown_w)
    ceilings = tuple(
        [
            moved(course, was, law.gain, up, dt_s) if k < len(shown_w) else ramp(was, most, up_per_s=up, dt_s=dt_s)
            for k, (course, was, most, up) in enumerate(
                zip(memory.courses, memory.ceilings_w, open_w, up_w, strict=True)
            )
        ]
    )
    return replace(memory, ceilings_w=ceilings if law.closed else tuple(map(min, ceilings, open_w)))


def edges(memory: Memory, law: Law) -> PhaseEdges:
    """What allocation is to keep."""
    return PhaseEdges(
        over=tuple([part.der for part in memory.over]),
        shares_pu=tuple([part.shares_pu for part in memory.over]),
        ceiling_w=memory.ceilings_w,
        why=_why(memory, law),
    )


def _why(memory: Memory, law: Law) -> Reason | None:
    if law.waiting or (law.heard and 0.0 < memory.unseen_s < HOLD_S):
        return Reason.HELD
    if not law.heard:
        return Reason.METER_LOST
    if memory.unseen_s > 0.0:
        return Reason.PHASES_UNSEEN
    if not law.closed:
        return Reason.METER_UNPROVEN
    return Reason.PHASE_ASTRAY if memory.astray_s > 0.0 else None


def shown(poc: PocState | None) -> Watts:
    """The power of the meter's phases; () where it shows none."""
    return () if poc is None or poc.reading.p_phase_w is None else poc.reading.p_phase_w


def summed(parts: Sequence[Part], values: Sequence[float]) -> Watts:
    """Of what each of these is, what is in each phase."""
    pairs = list(zip(parts, values, strict=True))
    return tuple([sum((part.shares_pu[k] * each for part, each in pairs), 0.0) for k in range(COUNT)])


def without_load_w(limit_w: float, ders: Sequence[DerState], steered: Sequence[DerState]) -> Watts:
    """What these may give in each phase if no load counts."""
    ids = {der.id for der in steered}
    others = [(shares_pu(der), worst_w(der)) for der in ders if der.id not in ids]
    return tuple([limit_w - sum((shares[k] * w for shares, w in others), 0.0) for k in range(COUNT)])


def used_w(memory: Memory, steered: Sequence[DerState], most_w: Watts) -> tuple[float, float]:
    """What the DERs give only since load counts, and what they are led to; over all phases."""
    given = summed(memory.over, list(map(assumed_w, steered)))
    goals = [w if course.goal_w is None else course.goal_w for w, course in _each(memory)]
    return _above_w(given, most_w), _above_w(goals, most_w)


def credited(memory: Memory, most_w: Watts, load_w: float) -> Memory:
    """No more load counts than is credited."""
    total = _above_w(memory.ceilings_w, most_w)
    if total <= load_w:
        return memory
    kept = load_w / total
    pairs = zip(memory.ceilings_w, most_w, strict=True)
    return replace(memory, ceilings_w=tuple([min(w, most + kept * max(w - most, 0.0)) for w, most in pairs]))


def _above_w(values: Sequence[float], most_w: Watts) -> float:
    return sum((max(w - most, 0.0) for w, most in zip(values, most_w, strict=True)), 0.0)


def _each(memory: Memory) -> list[tuple[float, Course]]:
    return list(zip(memory.ceilings_w, memory.courses, strict=True))


def _regrouped(memory: Memory, ders: Sequence[DerState], steered: Sequence[DerState]) -> Memory:
    """A DER that leaves our hands, or feeds elsewhere than it was said to, takes its share along; one that comes
    brings its own. Not below what the others give: the law judges that."""
    astray = memory.astray_s > 0.0
    over = tuple([_part(der, astray=astray) for der in steered])
    if over == memory.over and memory.ceilings_w:
        return memory
    given = by_part(over, steered, assumed_w)
    if not memory.ceilings_w:
        return replace(memory, ceilings_w=given, over=over)
    known = {der.id: der for der in ders}
    gone = [part for part in memory.over if part not in over and part.der in known]
    held = by_part(gone, [known[part.der] for part in gone], held_w)
    come = [part for part in over if part not in memory.over]
    brought = by_part(come, [known[part.der] for part in come], assumed_w)
    here = [part for part in over if part in memory.over]
    stay = by_part(here, [known[part.der] for part in here], lambda der: min(assumed_w(der), held_w(der)))
    ceilings = tuple(
        [
            max(was - away, min(was, left)) + more
            for was, away, left, more in zip(memory.ceilings_w, held, stay, brought, strict=True)
        ]
    )
    courses = tuple([anew(course) for course in memory.courses])
    return replace(memory, ceilings_w=ceilings, over=over, courses=courses)


def _part(der: DerState, *, astray: bool) -> Part:
    shares = shares_pu(der)
    return Part(der=der.id, shares_pu=EVERYWHERE if astray and 1.0 in shares else shares)


def by_part(parts: Sequence[Part], ders: Sequence[DerState], what: Callable[[DerState], float]) -> Watts:
    return summed(parts, [what(der) for der in ders])


def _noted(memory: Memory, steered: Sequence[DerState], t_s: float) -> Memory:
    given = by_part(memory.over, steered, assumed_w)
    pairs = zip(_each(memory), given, strict=True)
    return replace(memory, courses=tuple([noted(course, now, asked, t_s) for (asked, course), now in pairs]))


def _open_w(memory: Memory, law: Law, ders: Sequence[DerState], steered: Sequence[DerState], shown_w: Watts) -> Watts:
    """As if no load drew anything; each may be off. For a proof as much more as the meter shows to be drawn there."""
    most_w = without_load_w(law.limit_w, ders, steered)
    beyond = by_part(memory.over, steered, lambda der: der.beyond_w if law.sure else 0.0)
    least = by_part(memory.over, steered, lambda der: der.rating.p_min_w)
    drawn = [-w - law.margin_w for w in shown_w] + [0.0] * (COUNT - len(shown_w))
    return tuple(
        [
            max(most - min(off, max(most, 0.0)) + min(law.rise_w, max(load, 0.0)), low)
            for most, off, low, load in zip(most_w, beyond, least, drawn, strict=True)
        ]
    )


def _judged(
    memory: Memory,
    law: Law,
    ders: Sequence[DerState],
    steered: Sequence[DerState],
    site: SiteState,
    shown_w: Watts,
) -> Memory:
    assert site.poc is not None
    poc, lateness = site.poc, late(site.poc, steered, site.tick_s)
    given = by_part(memory.over, steered, assumed_w)
    size = by_part(memory.over, steered, lambda der: der.rating.size_w)
    least = by_part(memory.over, steered, lambda der: der.rating.p_min_w)
    courses = list(memory.courses)
    for k, p_w in enumerate(shown_w):
        feeding = [der for der, part in zip(steered, memory.over, strict=True) if part.shares_pu[k] > 0.0]
        coming = sum((shares_pu(der)[k] * pending_w([der]) for der in ders), 0.0)
        seen = Seen(
            given_w=given[k],
            asked_w=memory.ceilings_w[k],
            headroom_w=law.limit_w - law.margin_w - p_w - coming,
            size_w=size[k],
            dt_s=memory.since_s,
            least_w=least[k],
            margin_w=law.margin_w,
            held=poc.belief.most_w is None and not any(map(free, feeding)),
        )
        courses[k] = capped(courses[k], seen, lateness)
    over_s = memory.over_s + memory.since_s if law.closed and max(shown_w) > law.limit_w else 0.0
    astray_s = ASTRAY_KEEP_S if over_s > ASTRAY_S else memory.astray_s
    memory = replace(memory, over_s=over_s, astray_s=astray_s)
    return replace(memory, courses=tuple(courses), sample=poc.sample, since_s=0.0)
