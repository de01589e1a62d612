"""The loop without a meter that is believed: no load counts, and a right meter gets steps to prove itself by."""

from __future__ import annotations

from collections.abc import Sequence

from derctl.core import first
from derctl.core.capability import assumed_w, clamp
from derctl.core.lost import FADE_S
from derctl.core.response import ramp
from derctl.core.types import DerState, PocState
from derctl.core.value import replace
from derctl.functions.export_memory import Memory, Scene, counted_w
from derctl.functions.export_terms import Terms
from derctl.functions.meter_loop import anew
from derctl.functions.meter_trust import PROBE_PU, passed_s, probing
from derctl.functions.worst import surely, worst_w

OBEY_S, OBEY_SHARE = 5.0, 0.33
"""How long the DERs may take to come down to what they were told before the others make up for them, and what share
of it they make up for in a second."""


def opened(memory: Memory, terms: Terms, scene: Scene) -> Memory:
    """Every inverter as if it exported all it gives; those out of our hands count with the worst they may do. A
    meter that is doubted gets its steps, or it could never be believed again."""
    poc, ceiling_w = scene.poc, _most_w(memory, terms, scene)
    if poc is not None and poc.fresh and memory.trust.doubted:
        ceiling_w = _probed(memory, terms, scene, poc, ceiling_w)
        memory = replace(memory, unproven_s=passed_s(memory.unproven_s, scene.steered, scene.dt_s))
    elif poc is not None:
        ceiling_w += poc.belief.rise_w
    if memory.ceiling_w is not None:
        ceiling_w = ramp(memory.ceiling_w, ceiling_w, up_per_s=terms.relax_w(scene.steered), dt_s=scene.dt_s)
    floor_w = None if terms.import_limit_w is None else max(eased(memory.floor_w, scene) or 0.0, 0.0)
    return replace(memory, ceiling_w=ceiling_w, floor_w=floor_w, since_s=0.0, course=anew(memory.course))


def unproven(memory: Memory, terms: Terms, scene: Scene) -> Memory:
    """As without a meter, and now and then a step that a right meter must show."""
    assert scene.poc is not None and memory.ceiling_w is not None
    most_w = _probed(memory, terms, scene, scene.poc, _most_w(memory, terms, scene))
    ceiling_w = min(memory.ceiling_w, max(most_w, scene.least_w))
    return replace(memory, ceiling_w=ceiling_w, unproven_s=passed_s(memory.unproven_s, scene.steered, scene.dt_s))


def obeyed(memory: Memory, terms: Terms, scene: Scene) -> Memory:
    """While no meter is believed: does the sum come down to what was asked? A battery that does not charge as it was
    told, an inverter that ignores its limit: the others make up for it. What rises for a proof was asked."""
    if memory.relied:
        free = memory.excess_w == 0.0 and memory.over_s == 0.0
        return memory if free else replace(memory, excess_w=0.0, over_s=0.0)
    allowed_w = _without_load_w(terms, scene) + (0.0 if scene.poc is None else scene.poc.belief.rise_w)
    over_w = counted_w(memory, scene.steered) - allowed_w
    over_s = memory.over_s + scene.dt_s if over_w > 0.0 else 0.0
    held_down = memory.ceiling_w is not None and memory.ceiling_w < allowed_w - memory.excess_w - 1.0
    if 0.0 < over_s <= OBEY_S or (over_w < 0.0 and held_down):
        return replace(memory, over_s=over_s)
    most_w = max(allowed_w - sum(der.rating.p_min_w for der in scene.steered), 0.0)
    excess_w = clamp(memory.excess_w + OBEY_SHARE * scene.dt_s * over_w, 0.0, most_w)
    return replace(memory, over_s=over_s, excess_w=excess_w)


def eased(floor_w: float | None, scene: Scene) -> float | None:
    """Without the meter nobody is raised for long: down to 0 W within FADE_S. A floor below that is held."""
    if floor_w is None or floor_w <= 0.0:
        return floor_w
    return max(floor_w - scene.dt_s / FADE_S * sum(der.rating.size_w for der in scene.steered), 0.0)


def _without_load_w(terms: Terms, scene: Scene) -> float:
    ids = {der.id for der in scene.steered}
    return terms.limit_w - sum(worst_w(der) for der in scene.ders if der.id not in ids)


def _most_w(memory: Memory, terms: Terms, scene: Scene) -> float:
    """What they may be told, without load."""
    return surely(_without_load_w(terms, scene), scene.steered) - memory.excess_w


def _probed(memory: Memory, terms: Terms, scene: Scene, poc: PocState, most_w: float) -> float:
    """A dip; where there is nothing to dip, a rise, as far as the meter shows import. A right meter then sees no
    export; one that is reversed shows no import where there is a load. Where a coin decides the rise is its own,
    which is smaller."""
    step_w = PROBE_PU * sum(der.rating.per_unit_w for der in first.known(scene.steered))
    if probing(memory.unproven_s) and most_w - step_w >= _lowest_w(scene.ders, scene.steered):
        return most_w - step_w
    if terms.probe != "none" or not probing(memory.unproven_s):
        return most_w + poc.belief.rise_w
    return most_w + clamp(-(poc.reading.p_w or 0.0) - terms.kept_below_w, 0.0, step_w)


def _lowest_w(ders: Sequence[DerState], steered: Sequence[DerState]) -> float:
    """How low the sum goes for a probe: no store draws more than others give."""
    sun_w = sum(max(assumed_w(der), 0.0) for der in ders if der.fresh and not der.can.store)
    return max(sum(der.rating.p_min_w for der in steered), -sun_w)
