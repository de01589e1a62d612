"""The main fuse: neither the sum nor one phase at the point of connection carries more than it, out or in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from derctl.core.capability import assumed_w, room
from derctl.core.dataclass import dataclass
from derctl.core.types import DerState, PhaseEdges, PocState, SiteProposal, SiteState
from derctl.core.value import replace, value
from derctl.core.words import Reason
from derctl.errors import SettingError
from derctl.functions import fuse_phases, phase_loop
from derctl.functions.meter_loop import Course, Late, Seen, anew, capped, late, moved, noted
from derctl.functions.settings import Settings, number, switch
from derctl.functions.worst import worst_w

FUSE_RELAX_PU_PER_S = 0.1
"""What was taken back returns so fast, per unit of the DERs' ratings."""


@value
class Memory:
    """ceiling_w: what the sum may be, None before the first step. floor_w: the least, None: no bound.

    sample, since_s: the meter sample acted on last, and the time since. out, drawn: what it may not show yet.
    phases: what each phase may carry out; drawn_by_phase: and in.
    """

    ceiling_w: float | None = None
    floor_w: float | None = None
    sample: int = -1
    since_s: float = 0.0
    out: Course = Course()
    drawn: Course = Course()
    phases: phase_loop.Memory = phase_loop.START
    drawn_by_phase: fuse_phases.Memory = fuse_phases.START


@dataclass(frozen=True, slots=True, kw_only=True)
class FuseLimit(Settings):
    """Keeps each phase at the point of connection below the main fuse. Local load never lets the DERs give more.

    A meter that measures phases is judged by the worst of them, another by its sum; per_phase: each by itself. It
    only ever narrows, so a meter that is wrong costs sun, and lets nobody above what the fuses carry together.
    """

    kind: ClassVar[str] = "fuse_limit"
    rank: ClassVar[int] = 15

    fuse_a: float = number(low=1.0, high=5000.0, source="the main fuse, in each phase")
    phase_count: float = number(low=1.0, high=3.0, source="phases of the connection: 1, 2 or 3")
    margin_pu: float = number(
        0.05, low=0.0, high=0.5, source="kept below the fuse, share of it; our choice: docs/sources.md"
    )

    per_phase: bool = switch(
        source="who feeds in one phase is cut for that one alone: each DER has to say its phase; our choice"
    )

    def __post_init__(self) -> None:
        Settings.__post_init__(self)
        if self.phase_count != int(self.phase_count):
            raise SettingError("phase_count", self.phase_count, "1, 2 or 3")

    def start(self) -> Memory:
        """Nothing taken back."""
        return Memory()

    def step(
        self, memory: Memory, ders: Sequence[DerState], site: SiteState, dt_s: float
    ) -> tuple[Memory, SiteProposal]:
        """One step. A sample is judged once; without the meter nothing is raised, and charging ends on a ramp."""
        poc, steered = site.poc, [der for der in ders if der.controllable]
        fuse_w = self.fuse_a * (1.0 - self.margin_pu) * ders[0].rating.v_nom_v
        cap_w = fuse_w * self.phase_count - sum(worst_w(der) for der in ders if not der.controllable)
        before_w = cap_w if memory.ceiling_w is None else memory.ceiling_w
        memory = replace(memory, ceiling_w=min(before_w, cap_w), since_s=memory.since_s + dt_s)
        heard = poc is not None and poc.fresh and poc.reading.p_w is not None and not poc.belief.wrong
        if poc is None or not heard:
            floor_w = self._fading(memory, steered, dt_s)
            memory = replace(memory, floor_w=floor_w, out=anew(memory.out), drawn=anew(memory.drawn))
        else:
            memory = _noted(memory, steered, site.t_s)
            if poc.sample != memory.sample:
                memory = self._judged(memory, steered, site, fuse_w)
            memory = _moved(memory, steered, cap_w, dt_s)
        memory, edges = self._by_phase(memory, ders, steered, site, fuse_w, dt_s, heard=heard)
        return memory, SiteProposal(
            by=self.kind,
            rank=self.rank,
            over=tuple(der.id for der in steered),
            p_ceiling_w=memory.ceiling_w,
            p_floor_w=memory.floor_w,
            why=None if heard else Reason.METER_LOST,
            blind=not heard,
            phases=edges,
        )

    def _by_phase(
        self,
        memory: Memory,
        ders: Sequence[DerState],
        steered: Sequence[DerState],
        site: SiteState,
        fuse_w: float,
        dt_s: float,
        *,
        heard: bool,
    ) -> tuple[Memory, PhaseEdges | None]:
        """Out: no load counts, as for the sum. In: what the meter shows of each phase."""
        if not self.per_phase:
            return memory, None
        law = self._law(site.poc, fuse_w, heard=heard)
        phases = phase_loop.stepped(memory.phases, law, ders, steered, site, dt_s)
        drawn = fuse_phases.stepped(memory.drawn_by_phase, law, phases.over, steered, site, dt_s)
        memory = replace(memory, phases=phases, drawn_by_phase=drawn)
        return memory, replace(phase_loop.edges(phases, law), floor_w=drawn.floors_w)

    def _law(self, poc: PocState | None, fuse_w: float, *, heard: bool) -> phase_loop.Law:
        """Var takes its part of the current."""
        q_var = 0.0 if poc is None or not heard else poc.reading.q_var or 0.0
        return phase_loop.Law(
            limit_w=room(fuse_w, q_var / self.phase_count),
            margin_w=0.0,
            gain=1.0,
            relax_pu=FUSE_RELAX_PU_PER_S,
            heard=heard,
            closed=False,
            waiting=False,
            sure=False,
        )

    def _apart(self, memory: Memory, poc: PocState) -> bool:
        """Each phase is judged by itself, but where that did not help."""
        return self.per_phase and bool(phase_loop.shown(poc)) and memory.drawn_by_phase.astray_s <= 0.0

    def _judged(self, memory: Memory, steered: Sequence[DerState], site: SiteState, fuse_w: float) -> Memory:
        assert site.poc is not None and memory.ceiling_w is not None
        out_w, in_w = self._excess_w(site.poc, fuse_w, apart=self._apart(memory, site.poc))
        given_w, least_w = sum(map(assumed_w, steered), 0.0), _least_w(steered)
        seen = Seen(
            given_w=given_w,
            asked_w=memory.ceiling_w,
            headroom_w=-out_w,
            size_w=sum(der.rating.size_w for der in steered),
            dt_s=memory.since_s,
            least_w=least_w,
        )
        drawn = replace(seen, given_w=-given_w, asked_w=_most_drawn_w(memory, least_w), headroom_w=-in_w, least_w=0.0)
        lateness = late(site.poc, steered, site.tick_s)
        out, drawn_course = _led(memory.out, seen, lateness), _led(memory.drawn, drawn, lateness)
        return replace(memory, out=out, drawn=drawn_course, sample=site.poc.sample, since_s=0.0)

    def _excess_w(self, poc: PocState, fuse_w: float, *, apart: bool) -> tuple[float, float]:
        """By how much the worst phase is above its fuse, out and in; below 0 what is left. Var takes its part. apart:
        each phase is judged elsewhere, and here what they carry together."""
        p_w, q_var, count = poc.reading.p_w or 0.0, poc.reading.q_var or 0.0, int(self.phase_count)
        alike = (p_w / count,) * count
        phases = alike if apart else poc.reading.p_phase_w or alike
        free_w = room(fuse_w, q_var / count)
        return max(phases) - free_w, -min(phases) - free_w

    def _fading(self, memory: Memory, steered: Sequence[DerState], dt_s: float) -> float:
        """How much is drawn elsewhere nobody knows: the DERs draw less and less."""
        drawn_w = min(sum(map(assumed_w, steered), 0.0), 0.0) if memory.floor_w is None else memory.floor_w
        return min(drawn_w + _relax_w(steered) * dt_s, 0.0)


def _noted(memory: Memory, steered: Sequence[DerState], t_s: float) -> Memory:
    assert memory.ceiling_w is not None
    given_w = sum(map(assumed_w, steered), 0.0)
    out = noted(memory.out, given_w, memory.ceiling_w, t_s)
    drawn = noted(memory.drawn, -given_w, _most_drawn_w(memory, _least_w(steered)), t_s)
    return replace(memory, out=out, drawn=drawn)


def _led(course: Course, seen: Seen, lateness: Late) -> Course:
    """Before a fuse carries too much nothing is narrowed: on which phases they give more nobody knows."""
    course = capped(course, seen, lateness)
    assert course.goal_w is not None
    return replace(course, goal_w=max(course.goal_w, seen.asked_w)) if seen.headroom_w >= 0.0 else course


def _moved(memory: Memory, steered: Sequence[DerState], cap_w: float, dt_s: float) -> Memory:
    """One tick on the way to where the last sample leads."""
    assert memory.ceiling_w is not None
    up_w, least_w = _relax_w(steered), _least_w(steered)
    ceiling_w = min(moved(memory.out, memory.ceiling_w, 1.0, up_w, dt_s), cap_w)
    floor_w = -moved(memory.drawn, _most_drawn_w(memory, least_w), 1.0, up_w, dt_s)
    return replace(memory, ceiling_w=ceiling_w, floor_w=None if floor_w <= least_w else floor_w)


def _least_w(steered: Sequence[DerState]) -> float:
    return sum((der.rating.p_min_w for der in steered), 0.0)


def _most_drawn_w(memory: Memory, least_w: float) -> float:
    return -least_w if memory.floor_w is None else -memory.floor_w


def _relax_w(steered: Sequence[DerState]) -> float:
    return FUSE_RELAX_PU_PER_S * sum(der.rating.size_w for der in steered)
