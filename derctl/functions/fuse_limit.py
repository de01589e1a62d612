"""The main fuse: neither the sum nor one phase at the point of connection carries more than it, out or in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from derctl.core.capability import assumed_w, room
from derctl.core.response import ramp
from derctl.core.types import DerState, PocState, SiteProposal, SiteState
from derctl.core.value import replace, value
from derctl.core.words import Reason
from derctl.errors import SettingError
from derctl.functions.contract_export_limit import APPROACH, worst_w
from derctl.functions.settings import Settings, number

FUSE_GAIN = 0.33
"""Share of an excess taken back per meter sample. A fuse carries a third more than its current for an hour."""
FUSE_RELAX_PU_PER_S = 0.1
"""What was taken back returns so fast, per unit of the DERs' ratings."""


@value
class Memory:
    """ceiling_w: what the sum may be, None before the first step. floor_w: the least, None: no bound.

    sample, since_s: the meter sample acted on last, and the time since.
    """

    ceiling_w: float | None = None
    floor_w: float | None = None
    sample: int = -1
    since_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FuseLimit(Settings):
    """Keeps each phase at the point of connection below the main fuse. Local load never lets the DERs give more.

    A meter that measures phases is judged by the worst of them, another by its sum. It only ever narrows, so a
    meter that is wrong costs sun, and lets nobody above what the fuses carry together.
    """

    kind: ClassVar[str] = "fuse_limit"
    rank: ClassVar[int] = 15

    fuse_a: float = number(low=1.0, high=5000.0, source="the main fuse, in each phase")
    phase_count: float = number(low=1.0, high=3.0, source="phases of the connection: 1, 2 or 3")
    margin_pu: float = number(
        0.05, low=0.0, high=0.5, source="kept below the fuse, share of it; our choice: docs/sources.md"
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
        """One step. Acts once per meter sample; without the meter nothing is raised, and charging ends on a ramp."""
        poc, steered = site.poc, [der for der in ders if der.controllable]
        fuse_w = self.fuse_a * (1.0 - self.margin_pu) * ders[0].rating.v_nom_v
        cap_w = fuse_w * self.phase_count - sum(worst_w(der) for der in ders if not der.controllable)
        before_w = cap_w if memory.ceiling_w is None else memory.ceiling_w
        memory = replace(memory, ceiling_w=min(before_w, cap_w), since_s=memory.since_s + dt_s)
        heard = poc is not None and poc.fresh and poc.reading.p_w is not None
        if poc is None or not heard:
            memory = replace(memory, floor_w=self._fading(memory, steered, dt_s))
        elif poc.sample != memory.sample:
            memory = self._judged(memory, steered, poc, fuse_w, cap_w)
        return memory, SiteProposal(
            by=self.kind,
            rank=self.rank,
            over=tuple(der.id for der in steered),
            p_ceiling_w=memory.ceiling_w,
            p_floor_w=memory.floor_w,
            why=None if heard else Reason.METER_LOST,
        )

    def _judged(
        self, memory: Memory, steered: Sequence[DerState], poc: PocState, fuse_w: float, cap_w: float
    ) -> Memory:
        out_w, in_w = self._excess_w(poc, fuse_w)
        measured_w = sum(map(assumed_w, steered), 0.0)
        least_w = sum((der.rating.p_min_w for der in steered), 0.0)
        assert memory.ceiling_w is not None
        before_w, step_w = memory.ceiling_w, _relax_w(steered) * memory.since_s
        if out_w > 0.0:
            ceiling_w = max(min(measured_w, before_w) - FUSE_GAIN * out_w, min(least_w, before_w))
        else:
            goal_w = min(measured_w - APPROACH * out_w, cap_w)
            ceiling_w = max(before_w, ramp(before_w, goal_w, up_per_s=step_w, dt_s=1.0))
        floor_w = memory.floor_w
        if in_w > 0.0:
            known_w = measured_w if floor_w is None else max(measured_w, floor_w)
            floor_w = min(known_w + FUSE_GAIN * in_w, 0.0)
        elif floor_w is not None:
            floor_w = floor_w - min(step_w, -APPROACH * in_w)
        floor_w = None if floor_w is not None and floor_w <= least_w else floor_w
        return replace(memory, ceiling_w=ceiling_w, floor_w=floor_w, sample=poc.sample, since_s=0.0)

    def _excess_w(self, poc: PocState, fuse_w: float) -> tuple[float, float]:
        """By how much the worst phase is above its fuse, out and in; below 0 what is left. Var takes its part."""
        p_w, q_var, count = poc.reading.p_w or 0.0, poc.reading.q_var or 0.0, int(self.phase_count)
        phases = poc.reading.p_phase_w or (p_w / count,) * count
        free_w = room(fuse_w, q_var / count)
        return max(phases) - free_w, -min(phases) - free_w

    def _fading(self, memory: Memory, steered: Sequence[DerState], dt_s: float) -> float:
        """How much is drawn elsewhere nobody knows: the DERs draw less and less."""
        drawn_w = min(sum(map(assumed_w, steered), 0.0), 0.0) if memory.floor_w is None else memory.floor_w
        return min(drawn_w + _relax_w(steered) * dt_s, 0.0)


def _relax_w(steered: Sequence[DerState]) -> float:
    return FUSE_RELAX_PU_PER_S * sum(der.rating.size_w for der in steered)
