"""Constant reactive power mode, IEEE 1547-2018 5.3.5."""

from __future__ import annotations

from typing import ClassVar

from derctl.core.dataclass import dataclass
from derctl.core.requests import VarRequest
from derctl.core.types import Abstain, DerState, Proposal, SiteState
from derctl.core.words import Priority
from derctl.functions.lagged import Memory, var_towards
from derctl.functions.operator import alive
from derctl.functions.settings import Settings, choice, number

SOURCE = "IEEE 1547-2018 5.3.5, as in OpenDER 2.2.0"
NOT_HEARD = Abstain("no fresh reading", lost=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConstVar(Settings):
    """One reactive power, whatever voltage and power are; per unit of rated apparent power, + injects."""

    kind: ClassVar[str] = "const_var"
    rank: ClassVar[int] = 30

    q_pu: float = number(low=-1.0, high=1.0, source="the grid operator's word; " + SOURCE)
    olrt_s: float = number(10.0, low=1.0, high=10.0, source="time to 90 %; " + SOURCE)
    q_priority: str = choice(
        Priority.REACTIVE, among=tuple(Priority), source="what gives way at the apparent-power limit; UL 1741 SB"
    )

    def start(self) -> Memory:
        """It begins at the measured var."""
        return Memory()

    def step(self, memory: Memory, der: DerState, site: SiteState, dt_s: float) -> tuple[Memory, Proposal | Abstain]:
        """One step."""
        if not der.fresh:
            return memory, NOT_HEARD
        priority = Priority(self.q_priority)
        asked = alive(site, VarRequest, der.id) + alive(site, VarRequest, None)
        q_pu = asked[0].q_pu if asked else self.q_pu
        return var_towards(self, memory, der, q_pu, dt_s, olrt_s=self.olrt_s, priority=priority)
