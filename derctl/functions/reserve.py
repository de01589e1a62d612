"""The owner's backup reserve: energy that no aggregator, tariff or grid service may take out."""

from __future__ import annotations

from operator import attrgetter
from typing import ClassVar

from derctl.core.capability import let_out_w
from derctl.core.dataclass import dataclass
from derctl.core.requests import ReserveRequest
from derctl.core.types import FOREVER_S, Abstain, DerState, Proposal, SiteState
from derctl.core.value import value
from derctl.core.words import Idle, Reason
from derctl.functions.lapse import NO_LIMIT, Lapse, lapsed
from derctl.functions.operator import alive
from derctl.functions.settings import Settings, number, switch
from derctl.functions.soc_guard import NO_CHARGE, reached


@value
class Memory:
    """held: whether the reserve is being kept now. pct: what was kept; by: the request that asked for it, "" for the
    site file, left_s: how long it still did. lapse: what is let out meanwhile, once a higher one has ended."""

    held: bool = False
    pct: float = 0.0
    by: str = ""
    left_s: float = 0.0
    lapse: Lapse = NO_LIMIT


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserve(Settings):
    """No discharge at or below `min_pct`, until the state of charge is `hysteresis_pct` above it again. Where a
    higher one that was asked for ends, the battery is let out on a ramp that starts as that of a limit that ends."""

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
        asked = _highest(der, site)
        if asked is None:
            return self.min_pct
        return asked.min_pct if self.may_lower else max(asked.min_pct, self.min_pct)

    def start(self) -> Memory:
        """Not held."""
        return Memory()

    def step(self, memory: Memory, der: DerState, site: SiteState, dt_s: float) -> tuple[Memory, Proposal | Abstain]:
        """One step; without a fresh state of charge for a while, or from the start, the reserve is held."""
        soc = der.reading.soc_pct
        keep = Proposal(by=self.kind, rank=self.rank, p_ceiling_w=let_out_w(der, 0.0))
        if soc is None or not der.fresh:
            return memory, Abstain(NO_CHARGE, lost=True, then=keep)
        asked, pct = _highest(der, site), self.kept_pct(der, site)
        held = reached(soc, pct, before=memory.held, hysteresis_pct=self.hysteresis_pct)
        lapse = self._eased(memory, der, site, dt_s, held=held, pct=pct)
        by, left_s = ("", 0.0) if asked is None else (asked.id, asked.remaining_s)
        after = Memory(held=held, pct=pct, by=by, left_s=left_s, lapse=lapse)
        if held:
            return after, keep
        if lapse.limit_w is None:
            return after, Abstain(Idle.ABOVE_THE_RESERVE)
        out_w = let_out_w(der, lapse.limit_w)
        return after, Proposal(by=self.kind, rank=self.rank, p_ceiling_w=out_w, why=Reason.RELAXING)

    def _eased(self, memory: Memory, der: DerState, site: SiteState, dt_s: float, *, held: bool, pct: float) -> Lapse:
        """What is let out of it on the way up; none while it is kept, or where the charge alone has let it go."""
        if held:
            return NO_LIMIT
        before = memory.lapse
        if memory.held and pct < memory.pct:
            before = Lapse(limit_w=0.0, by=memory.by or self.kind, left_s=memory.left_s if memory.by else FOREVER_S)
        return lapsed(before, None, [der], site, dt_s)


def _highest(der: DerState, site: SiteState) -> ReserveRequest | None:
    """Of those for it and for all."""
    asked = alive(site, ReserveRequest, der.id) + alive(site, ReserveRequest, None)
    return max(asked, key=attrgetter("min_pct"), default=None)
