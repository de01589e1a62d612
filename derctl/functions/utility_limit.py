"""The grid operator's standing order: no more than a share of the rating (IEEE 1547-2018 4.6.2)."""

from __future__ import annotations

from typing import ClassVar

from derctl.core.dataclass import dataclass
from derctl.core.types import DerState, Proposal, SiteState
from derctl.functions.operator import Nothing
from derctl.functions.settings import Settings, number


@dataclass(frozen=True, slots=True, kw_only=True)
class UtilityLimit(Settings):
    """A ceiling on each DER's power. Droop may lift it above in under-frequency (1547.1 tables 38, 39)."""

    kind: ClassVar[str] = "utility_limit"
    rank: ClassVar[int] = 40

    limit_pu: float = number(low=0.0, high=1.0, source="the grid operator's order, share of the rating")

    def start(self) -> Nothing:
        """Nothing."""
        return Nothing()

    def step(self, memory: Nothing, der: DerState, site: SiteState, dt_s: float) -> tuple[Nothing, Proposal]:
        """It stands, whatever is measured."""
        return memory, Proposal(by=self.kind, rank=self.rank, p_ceiling_w=self.limit_pu * der.rating.p_max_w)
