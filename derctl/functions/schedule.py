"""A battery after somebody's plan: of each interval its target, or its envelope. Outside of it others decide."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from derctl.core.requests import PlanRequest
from derctl.core.types import Abstain, DerState, Proposal, SiteState
from derctl.core.words import Idle
from derctl.functions.operator import NO_REQUEST, Nothing, alive
from derctl.functions.settings import Settings

BETWEEN = Abstain(Idle.BETWEEN_INTERVALS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule(Settings):
    """What the interval that lasts now asks for, inside all that seniors leave."""

    kind: ClassVar[str] = "schedule"
    rank: ClassVar[int] = 70

    def start(self) -> Nothing:
        """Nothing."""
        return Nothing()

    def step(
        self, memory: Nothing, der: DerState, site: SiteState, dt_s: float
    ) -> tuple[Nothing, Proposal | Abstain]:
        """The plan that is alive: a later one has taken the place of those before."""
        plans = alive(site, PlanRequest, der.id)
        if not plans:
            return memory, NO_REQUEST
        now = plans[0]
        if now.part is None:
            return memory, BETWEEN
        return memory, Proposal(
            by=self.kind,
            rank=self.rank,
            p_target_w=now.p_target_w,
            p_ceiling_w=now.p_ceiling_w,
            p_floor_w=now.p_floor_w,
        )
