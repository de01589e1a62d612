"""The loop while the meter is heard: each of its samples leads the sum to where the export belongs."""

from __future__ import annotations

from derctl.core.types import PocState
from derctl.core.value import replace
from derctl.functions.apart import PRESSED_S, TRIED_SHARE, Law, stepped
from derctl.functions.export_memory import Memory, Scene, counted_w
from derctl.functions.export_terms import Terms
from derctl.functions.meter_loop import Late, Seen, capped, free, late, moved
from derctl.functions.meter_loop import noted as noted_in
from derctl.functions.worst import pending_w


def noted(memory: Memory, terms: Terms, scene: Scene) -> Memory:
    """What the DERs give and are asked for now, for a meter that shows it later."""
    given_w, t_s = counted_w(memory, scene.steered), scene.site.t_s
    asked_w = given_w if memory.ceiling_w is None else memory.ceiling_w
    dip_w = 0.0 if scene.poc is None else scene.poc.belief.dip_w
    course = noted_in(memory.course, given_w, asked_w, t_s, dip_w)
    if terms.import_limit_w is None:
        return replace(memory, course=course)
    measured_w = sum((der.reading.p_w or 0.0 for der in scene.steered), 0.0)
    floor_w = measured_w if memory.floor_w is None else memory.floor_w
    floor_course = noted_in(memory.floor_course, -measured_w, -floor_w, t_s)
    return replace(memory, course=course, floor_course=floor_course)


def closed(memory: Memory, terms: Terms, scene: Scene) -> Memory:
    """One tick on. What the meter lets it do is judged once per sample; the way there goes on between them."""
    assert scene.poc is not None
    if scene.poc.sample != memory.sample:
        memory = _judged(memory, terms, scene, scene.poc)
    assert memory.ceiling_w is not None
    ceiling_w = moved(memory.course, memory.ceiling_w, terms.gain, terms.relax_w(scene.steered), scene.dt_s)
    return replace(memory, ceiling_w=ceiling_w)


def _judged(memory: Memory, terms: Terms, scene: Scene, poc: PocState) -> Memory:
    """Until a tightening shows in the measurement, the tightened sum counts (docs/sources.md, section 9). What the
    silent may still come to give no meter shows yet."""
    assert poc.reading.p_w is not None
    steered, tried, margin_w = scene.steered, scene.tried, terms.kept_below_w
    headroom_w = terms.limit_w - margin_w - poc.reading.p_w - pending_w(scene.ders)
    dip_w = sum(der.trial.dip_w for der in tried if der.trial is not None)
    room_w = max(headroom_w - dip_w, 0.0)  # what one on trial makes by its dip is no room for anybody
    seen, lateness = _seen(memory, scene, poc, headroom_w), late(poc, steered, scene.site.tick_s)
    seen = seen if dip_w == 0.0 else replace(seen, held=False)  # what is kept free is nobody's slack
    course = capped(memory.course, replace(seen, room_w=room_w, margin_w=margin_w), lateness)
    memory = _floored(memory, terms, seen, lateness, poc.reading.p_w)
    if tried or memory.pressed_s > 0.0 or headroom_w < 0.0:
        memory = _apart(memory, terms, scene, min(headroom_w, room_w), held=dip_w > 0.0)
    return replace(memory, course=course, ceiling_w=seen.asked_w, sample=poc.sample, since_s=0.0)


def _seen(memory: Memory, scene: Scene, poc: PocState, headroom_w: float) -> Seen:
    """During a step of the coin it is that which holds them, and not what they are asked for here."""
    given_w = counted_w(memory, scene.steered)
    return Seen(
        given_w=given_w,
        asked_w=given_w if memory.ceiling_w is None else memory.ceiling_w,
        headroom_w=headroom_w,
        size_w=sum(der.rating.size_w for der in scene.steered),
        dt_s=memory.since_s,
        least_w=scene.least_w,
        held=poc.belief.most_w is None and not any(map(free, scene.steered)),
    )


def _floored(memory: Memory, terms: Terms, seen: Seen, lateness: Late, p_poc_w: float) -> Memory:
    """The same for the import, upside down: a floor is a ceiling on what is drawn."""
    if terms.import_limit_w is None:
        return memory if memory.floor_w is None else replace(memory, floor_w=None)
    drawn_w = memory.floor_course.points[-1].given_high_w
    asked_w = drawn_w if memory.floor_w is None else -memory.floor_w
    headroom_w = terms.import_limit_w - terms.kept_below_w + p_poc_w
    drawn = replace(seen, given_w=drawn_w, asked_w=asked_w, headroom_w=headroom_w, room_w=None, least_w=-1e9)
    course = capped(memory.floor_course, drawn, lateness)
    assert course.goal_w is not None
    return replace(memory, floor_course=course, floor_w=-course.goal_w)


def _apart(memory: Memory, terms: Terms, scene: Scene, headroom_w: float, *, held: bool) -> Memory:
    """Those on trial. Where nobody else is there to make up for an excess, they do."""
    alone, pressed_s = not scene.steered, memory.pressed_s + memory.since_s if headroom_w < 0.0 else 0.0
    law = Law(
        headroom_w=headroom_w,
        taken_w=-TRIED_SHARE * headroom_w,
        room_w=TRIED_SHARE * headroom_w * (1.0 if alone else 0.5),
        relax_pu=terms.relax_pu_per_s,
        dt_s=memory.since_s,
        pressed=alone or pressed_s > PRESSED_S,
        held=held,
    )
    return replace(memory, alone=stepped(memory.alone, scene.tried, law), pressed_s=pressed_s)
