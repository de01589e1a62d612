"""The limit of each phase, beside that of the sum, where one is agreed."""

from __future__ import annotations

import math

from derctl.core.types import PhaseEdges, PocState
from derctl.core.value import replace
from derctl.functions import phase_loop
from derctl.functions.export_memory import Memory, Scene
from derctl.functions.export_terms import Terms


def stepped(memory: Memory, terms: Terms, scene: Scene) -> Memory:
    """One tick on."""
    law = _law(memory, terms, scene.poc)
    if law is None:
        return memory
    phases = phase_loop.stepped(memory.phases, law, scene.ders, scene.ours, scene.site, scene.dt_s)
    return replace(memory, phases=phases)


def edges(memory: Memory, terms: Terms, poc: PocState | None) -> PhaseEdges | None:
    """What each phase may carry; None where no limit of each phase is agreed."""
    law = _law(memory, terms, poc)
    return None if law is None else phase_loop.edges(memory.phases, law)


def used_w(memory: Memory, terms: Terms, scene: Scene) -> tuple[float, float]:
    """How much load they use in the phases, and would like to."""
    if terms.phase_limit_w is None:
        return 0.0, -math.inf
    free_w = phase_loop.without_load_w(terms.phase_limit_w, scene.ders, scene.ours)
    return phase_loop.used_w(memory.phases, scene.ours, free_w)


def credited(memory: Memory, terms: Terms, scene: Scene, load_w: float) -> Memory:
    """No phase carries more than it may without a meter, and this load."""
    if terms.phase_limit_w is None:
        return memory
    free_w = phase_loop.without_load_w(terms.phase_limit_w, scene.ders, scene.ours)
    return replace(memory, phases=phase_loop.credited(memory.phases, free_w, load_w))


def _law(memory: Memory, terms: Terms, poc: PocState | None) -> phase_loop.Law | None:
    if terms.phase_limit_w is None:
        return None
    return phase_loop.Law(
        limit_w=terms.phase_limit_w,
        margin_w=terms.below_w(terms.phase_limit_w),
        gain=terms.gain,
        relax_pu=terms.relax_pu_per_s,
        heard=not memory.lost,
        closed=memory.relied,
        waiting=memory.waiting,
        rise_w=0.0 if poc is None else poc.belief.rise_w,
    )
