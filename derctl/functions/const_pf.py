"""Constant power factor mode, IEEE 1547-2018 5.3.2: var after active power."""

from __future__ import annotations

import math
from typing import ClassVar

from derctl.core.dataclass import dataclass
from derctl.core.requests import PowerFactorRequest
from derctl.core.types import Abstain, DerState, Proposal, SiteState
from derctl.functions.lagged import NO_RATING
from derctl.functions.operator import Nothing, alive
from derctl.functions.settings import Settings, choice, number
from derctl.functions.watt_var import NO_POWER

SOURCE = "IEEE 1547-2018 5.3.2, as in OpenDER 2.2.0"
ABSORBING, INJECTING = EXCITATION = ("absorbing", "injecting")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConstPf(Settings):
    """Var in proportion to the power that is decided in the same tick. Excitation is the same while it charges."""

    kind: ClassVar[str] = "const_pf"
    rank: ClassVar[int] = 30

    pf: float = number(low=0.8, high=1.0, source="the grid operator's word; " + SOURCE)
    excitation: str = choice(ABSORBING, among=EXCITATION, source="which way the var goes; the grid operator's word")

    def wanted(self, der: DerState, site: SiteState) -> tuple[float, str]:
        """Power factor and excitation: those asked for while that lasts, first for this DER, else the site file's."""
        asked = alive(site, PowerFactorRequest, der.id) + alive(site, PowerFactorRequest, None)
        return (asked[0].pf, asked[0].excitation) if asked else (self.pf, self.excitation)

    def start(self) -> Nothing:
        """Nothing: it is there at once, and 1547 gives it 10 s."""
        return Nothing()

    def step(
        self, memory: Nothing, der: DerState, site: SiteState, dt_s: float
    ) -> tuple[Nothing, Proposal | Abstain]:
        """q_var is that of the measured power, for when nobody is heard; arbitration works it out for the next."""
        p_w = der.reading.p_w
        if p_w is None or not der.fresh:
            return memory, NO_POWER
        if der.rating.s_max_va <= 0.0:
            return memory, NO_RATING
        pf, excitation = self.wanted(der, site)
        share = math.sqrt(1.0 - pf * pf) / pf
        q_per_w = share if excitation == INJECTING else -share
        return memory, Proposal(by=self.kind, rank=self.rank, q_var=q_per_w * abs(p_w), q_per_w=q_per_w)
