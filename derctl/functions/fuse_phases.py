"""What each phase may draw by the main fuse: the stores there draw less where they and its load are too much."""

from __future__ import annotations

import math
from collections.abc import Sequence

from derctl.core.capability import assumed_w
from derctl.core.feeding import COUNT
from derctl.core.types import DerState, SiteState
from derctl.core.value import replace, value
from derctl.functions.meter_loop import Course, Seen, anew, capped, late, moved, noted
from derctl.functions.phase_loop import Law, Part, Watts, by_part, shown

ASTRAY_S, KEEP_S = 8.0, 60.0
"""A phase that carries too much for longer, though the stores there draw less, may have one that is said to be
elsewhere: so long after that the worst phase counts for all (docs/sources.md)."""


@value
class Memory:
    """floors_w: the least that the DERs give in each phase, below 0 what they may draw; (): the meter shows none.
    over: the DERs that these were meant for. courses: what the meter may not show yet. sample, since_s: the meter
    sample acted on last, and the time since. over_s: for how long a phase has carried too much; astray_s: for how
    long yet the worst counts for all.
    """

    floors_w: Watts = ()
    over: tuple[Part, ...] = ()
    courses: tuple[Course, ...] = (Course(),) * COUNT
    sample: int = -1
    since_s: float = 0.0
    over_s: float = 0.0
    astray_s: float = 0.0


START = Memory()


def stepped(
    memory: Memory, law: Law, over: tuple[Part, ...], steered: Sequence[DerState], site: SiteState, dt_s: float
) -> Memory:
    """One tick on; of a meter without phases the sum is all that is known. over: of the steered."""
    shown_w = shown(site.poc) if law.heard else ()
    if not shown_w:
        return START if law.heard else _fading(memory, law, over, steered, dt_s)
    assert site.poc is not None
    least_w = by_part(over, steered, lambda der: der.rating.p_min_w)
    if over != memory.over or not memory.floors_w:
        memory = replace(memory, over=over, floors_w=least_w, courses=tuple(map(anew, memory.courses)))
    given_w = by_part(over, steered, assumed_w)
    pairs = zip(memory.courses, given_w, memory.floors_w, strict=True)
    courses = tuple([noted(course, -given, -floor, site.t_s) for course, given, floor in pairs])
    astray_s = max(memory.astray_s - dt_s, 0.0)
    memory = replace(memory, courses=courses, since_s=memory.since_s + dt_s, astray_s=astray_s)
    if site.poc.sample != memory.sample:
        memory = _judged(memory, law, steered, site, shown_w)
    up_w = by_part(over, steered, lambda der: law.relax_pu * der.rating.size_w)
    ways = zip(memory.courses, memory.floors_w, up_w, least_w, strict=True)
    floors = tuple([max(-moved(course, -floor, law.gain, up, dt_s), low) for course, floor, up, low in ways])
    return replace(memory, floors_w=floors)


def _fading(memory: Memory, law: Law, over: tuple[Part, ...], steered: Sequence[DerState], dt_s: float) -> Memory:
    """How much is drawn elsewhere nobody knows: the stores of each phase draw less and less."""
    same = over == memory.over and bool(memory.floors_w)
    was_w = memory.floors_w if same else (-math.inf,) * COUNT
    drawn_w = by_part(over, steered, lambda der: min(assumed_w(der), 0.0))
    up_w = by_part(over, steered, lambda der: law.relax_pu * der.rating.size_w)
    ways = zip(was_w, drawn_w, up_w, strict=True)
    return Memory(floors_w=tuple([min(max(was, drawn) + up * dt_s, 0.0) for was, drawn, up in ways]), over=over)


def _judged(memory: Memory, law: Law, steered: Sequence[DerState], site: SiteState, shown_w: Watts) -> Memory:
    assert site.poc is not None
    lateness = late(site.poc, steered, site.tick_s)
    given_w = by_part(memory.over, steered, assumed_w)
    size_w = by_part(memory.over, steered, lambda der: der.rating.size_w)
    courses = list(memory.courses)
    for k, p_w in enumerate(shown_w):
        seen = Seen(
            given_w=-given_w[k],
            asked_w=-memory.floors_w[k],
            headroom_w=law.limit_w + p_w,
            size_w=size_w[k],
            dt_s=memory.since_s,
            least_w=0.0,
        )
        courses[k] = _led(capped(courses[k], seen, lateness), seen)
    drawing = any(assumed_w(der) < 0.0 for der in steered)
    over = max(shown_w) > law.limit_w or (drawing and -min(shown_w) > law.limit_w)
    over_s = memory.over_s + memory.since_s if over else 0.0
    astray_s = KEEP_S if over_s > ASTRAY_S else memory.astray_s
    memory = replace(memory, courses=tuple(courses), over_s=over_s, astray_s=astray_s)
    return replace(memory, sample=site.poc.sample, since_s=0.0)


def _led(course: Course, seen: Seen) -> Course:
    """Before a fuse carries too much nothing is narrowed."""
    assert course.goal_w is not None
    return replace(course, goal_w=max(course.goal_w, seen.asked_w)) if seen.headroom_w >= 0.0 else course
