"""A store that leaves, such as an EV, is charged by then, and not before it has to be."""

from __future__ import annotations

from typing import ClassVar

from derctl.core.capability import let_out_w
from derctl.core.dataclass import dataclass
from derctl.core.requests import DepartureRequest
from derctl.core.types import Abstain, DerState, Proposal, SiteState
from derctl.core.value import value
from derctl.core.words import Idle
from derctl.functions.operator import NO_REQUEST, alive
from derctl.functions.settings import Settings, number
from derctl.functions.soc_guard import NO_CHARGE

MARGIN_S = 300.0
MARGIN_PU = 0.1
"""It begins by so much earlier than at full power it would have to (docs/sources.md)."""
ABOVE_PCT = 2.0
"""So far above what is asked for others may draw on it."""


@value
class Memory:
    """begun: the request for which it charges, or is kept charged; "": none."""

    begun: str = ""


START = Memory()


def needed_s(der: DerState, soc_pct: float, efficiency_pu: float) -> float | None:
    """How long it charges at its full power, s; None: its charge, energy or power is not known."""
    now_pct, e_wh, most_w = der.reading.soc_pct, der.rating.e_max_wh, -der.rating.p_min_w
    if now_pct is None or not der.fresh or e_wh is None or e_wh <= 0.0 or most_w <= 0.0:
        return None
    return 3600.0 * max(soc_pct - now_pct, 0.0) / 100.0 * e_wh / efficiency_pu / most_w


def reached_pct(der: DerState, seconds: float, efficiency_pu: float) -> float | None:
    """The charge that it can have by then, at most 100 %; None: that is not known."""
    whole_s, now_pct = needed_s(der, 100.0, efficiency_pu), der.reading.soc_pct
    if whole_s is None or now_pct is None:
        return None
    return 100.0 if whole_s <= seconds else now_pct + (100.0 - now_pct) * seconds / whole_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure(Settings):
    """Until the last moment others decide: the sun may fill it. Then it charges at its full power, and is kept."""

    kind: ClassVar[str] = "departure"
    rank: ClassVar[int] = 70

    efficiency_pu: float = number(
        0.9, low=0.5, high=1.0, source="of what it draws, what is stored; our choice: docs/sources.md"
    )

    def start(self) -> Memory:
        """Nobody leaves."""
        return START

    def step(self, memory: Memory, der: DerState, site: SiteState, dt_s: float) -> tuple[Memory, Proposal | Abstain]:
        """One step. The request ends when it leaves."""
        asked = alive(site, DepartureRequest, der.id)
        if not asked:
            return START, NO_REQUEST
        now, seconds = asked[0], needed_s(der, asked[0].soc_pct, self.efficiency_pu)
        if seconds is None:
            return memory, Abstain(NO_CHARGE, lost=True)
        if seconds == 0.0:
            above = (der.reading.soc_pct or 0.0) >= now.soc_pct + ABOVE_PCT
            kept = Proposal(by=self.kind, rank=self.rank, p_ceiling_w=let_out_w(der, 0.0))
            return memory, Abstain(Idle.TIME_ENOUGH) if above else kept
        if memory.begun != now.id and seconds * (1.0 + MARGIN_PU) + MARGIN_S < now.remaining_s:
            return START, Abstain(Idle.TIME_ENOUGH)
        return Memory(begun=now.id), Proposal(by=self.kind, rank=self.rank, p_target_w=der.rating.p_min_w)
