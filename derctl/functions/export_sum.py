"""Whose sum it is that the loop keeps: DERs come into our hands and leave them, and nobody else is raised by that."""

from __future__ import annotations

from collections.abc import Sequence

from derctl.core.capability import assumed_w, held_w
from derctl.core.types import DerState
from derctl.core.value import replace
from derctl.functions.apart import entered
from derctl.functions.export_memory import Memory, Scene, counted_w
from derctl.functions.meter_loop import Course, anew


def gathered(memory: Memory, scene: Scene) -> Memory:
    """The sum of those who make it up now, and the ceilings of those who are apart."""
    alone = entered(memory.alone, scene.tried)
    memory = memory if alone == memory.alone else replace(memory, alone=alone)
    return uncounting(_regrouped(memory, scene.ders, scene.steered), scene.steered)


def _regrouped(memory: Memory, ders: Sequence[DerState], steered: Sequence[DerState]) -> Memory:
    """A DER that leaves our hands takes its share of the sum along, and one that comes brings its own: else the
    others would be given what it still has. Not below what the others give now; the law judges that. The sum of
    nobody is 0 W."""
    ids = tuple(der.id for der in steered)
    if ids == memory.over:
        return memory
    if memory.ceiling_w is None:
        return replace(memory, over=ids, course=Course(), floor_course=Course())
    gone = sum(held_w(der) for der in ders if der.id in memory.over and der.id not in ids)
    stay = sum((min(assumed_w(der), held_w(der)) for der in steered if der.id in memory.over), 0.0)
    come = sum(assumed_w(der) for der in steered if der.id not in memory.over)
    left = max(memory.ceiling_w - gone, min(memory.ceiling_w, stay)) if memory.over else 0.0
    memory = replace(memory, course=anew(memory.course), floor_course=Course())
    return replace(memory, ceiling_w=left + come, floor_w=None, over=ids)


def uncounting(memory: Memory, steered: Sequence[DerState]) -> Memory:
    """What a store draws comes into the sum, or leaves it, and the sum with that: nobody is raised by it."""
    ids = () if memory.relied else tuple(der.id for der in steered if der.unseen and der.can.store)
    if ids == memory.uncounted:
        return memory
    after = replace(memory, uncounted=ids, course=anew(memory.course))
    if memory.ceiling_w is None:
        return after
    return replace(after, ceiling_w=memory.ceiling_w + counted_w(after, steered) - counted_w(memory, steered))
