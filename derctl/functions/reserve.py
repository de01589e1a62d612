"""The owner's backup reserve: energy that no aggregator, tariff or grid service may take out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from derctl.core.capability import let_out_w
from derctl.core.requests import ReserveRequest
from derctl.core.types import Abstain, DerState, Proposal, SiteState
from derctl.core.value import value
from derctl.core.words import Idle
from derctl.functions.operator import alive
from derctl.functions.settings import Settings, number, switch
from derctl.functions.soc_guard import NO_CHARGE, reached


@value
class Memory:
    """Whether the reserve is being kept now."""

    held: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserve(Settings):
    """No discharge at or below `min_pct`, until the state of charge is `hysteresis_pct` above it again."""

    kind: ClassVar[str] = "reserve"
    rank: ClassVar[int] = 5

    min_pct: float = number(low=0.0, high=100.0, source="no discharge at or below this charge; the owner's word")
    hysteresis_pct: float = number(
        2.0, low=0.1, high=20.0, source="let go so far above min_pct; our choice: docs/sources.md"
    )

    may_lower: bool = switch(source="set_reserve may lower it too; without, only raise it. The owner's word")

    def kept_pct(self, der: DerState, site: SiteState) -> float:
        """What is kept now: the owner's last word while it lasts, and no less than the site file has unless that lets
        it be lowered."""
        asked = [each.min_pct for each in alive(site, ReserveRequest, der.id) + alive(site, ReserveRequest, None)]
        if not asked:
            return self.min_pct
        return max(asked) if self.may_lower else max(*asked, self.min_pct)

    def start(self) -> Memory:
        """Not held."""
        return Memory()

    def step(self, memory: Memory, der: DerState, site: SiteState, dt_s: float) -> tuple[Memory, Proposal | Abstain]:
        """One step; without a fresh state of charge for a while, or from the start, the reserve is held."""
        soc = der.reading.soc_pct
        keep = Proposal(by=self.kind, rank=self.rank, p_ceiling_w=let_out_w(der, 0.0))
        if soc is None or not der.fresh:
            return memory, Abstain(NO_CHARGE, lost=True, then=keep)
        held = reached(soc, self.kept_pct(der, site), before=memory.held, hysteresis_pct=self.hysteresis_pct)
        return Memory(held=held), keep if held else Abstain(Idle.ABOVE_THE_RESERVE)
