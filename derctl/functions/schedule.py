"""A battery after somebody's plan: of each interval its target, or its envelope. Outside of it others decide."""

from __future__ import annotations

from typing import ClassVar

from derctl.core.dataclass import dataclass
from derctl.core.requests import PlanRequest
from derctl.core.types import Abstain, DerState, Proposal, SiteState
from derctl.core.value import replace
from derctl.core.words import Idle, Reason
from derctl.functions.lapse import NO_LIMIT, Lapse, lapsed
from derctl.functions.operator import NO_REQUEST, alive
from derctl.functions.settings import Settings

BETWEEN = Abstain(Idle.BETWEEN_INTERVALS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule(Settings):
    """What the interval that lasts now asks for, inside all that seniors leave. A ceiling behind which no interval
    follows is let go on a ramp, which starts as that of a limit that ends."""

    kind: ClassVar[str] = "schedule"
    rank: ClassVar[int] = 70

    def start(self) -> Lapse:
        """No ceiling."""
        return NO_LIMIT

    def step(self, memory: Lapse, der: DerState, site: SiteState, dt_s: float) -> tuple[Lapse, Proposal | Abstain]:
        """The plan that is alive: a later one has taken the place of those before. The memory is its ceiling."""
        plans = alive(site, PlanRequest, der.id)
        now = plans[0] if plans else None
        if now is not None and now.part_s is not None:
            top_w, said = now.p_ceiling_w, self._said(now.p_ceiling_w)
            memory = NO_LIMIT if top_w is None else Lapse(limit_w=top_w, by=now.id, left_s=now.part_s)
            return memory, replace(said, p_target_w=now.p_target_w, p_floor_w=now.p_floor_w)
        memory = lapsed(memory, None, [der], site, dt_s)
        if memory.limit_w is None:
            return memory, NO_REQUEST if now is None else BETWEEN
        return memory, replace(self._said(memory.limit_w), why=Reason.RELAXING)

    def _said(self, ceiling_w: float | None) -> Proposal:
        return Proposal(by=self.kind, rank=self.rank, p_ceiling_w=ceiling_w)
