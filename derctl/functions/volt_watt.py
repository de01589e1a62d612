"""Voltage-active power mode, IEEE 1547-2018 5.4.2: a ceiling that falls as the voltage rises."""

from __future__ import annotations

from typing import ClassVar

from derctl.core.curve import along
from derctl.core.dataclass import dataclass
from derctl.core.response import respond
from derctl.core.types import Abstain, DerState, Proposal, SiteState
from derctl.errors import SettingError
from derctl.functions.lagged import NO_VOLTAGE, Lagged, Memory, fresh_v_pu, moved, new_proposal
from derctl.functions.settings import Settings, number

SOURCE = "IEEE 1547-2018 5.4.2 table 10, as in OpenDER 2.2.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class VoltWatt(Lagged):
    """A power ceiling that falls as the voltage rises. A p2_pu below 0 is per unit of the charge rating."""

    kind: ClassVar[str] = "volt_watt"
    rank: ClassVar[int] = 20

    v1_pu: float = number(
        1.06, low=1.05, high=1.09, wide=(1.0, 1.3), source="voltage where the ceiling starts to fall; " + SOURCE
    )
    v2_pu: float = number(
        1.10, low=1.06, high=1.10, wide=(1.0, 1.3), source="voltage where it is at p2_pu; " + SOURCE
    )
    p2_pu: float = number(
        0.2, low=-1.0, high=1.0, wide=(-1.0, 1.0), source="ceiling at v2_pu, below 0 for storage (P'2); " + SOURCE
    )
    olrt_s: float = number(10.0, low=0.5, high=60.0, wide=(0.2, 600.0), source="time to 90 %; " + SOURCE)

    def __post_init__(self) -> None:
        Settings.__post_init__(self)
        if self.v2_pu < self.v1_pu + 0.01 - 1e-9:
            raise SettingError("v2_pu", self.v2_pu, f"at least v1_pu + 0.01 = {self.v1_pu + 0.01:.4g} ({SOURCE})")

    @property
    def steepest(self) -> float:
        """Of its curve: per unit of power for each per unit of voltage."""
        return max(1.0 - self.p2_pu, 0.0) / (self.v2_pu - self.v1_pu)

    @property
    def response_s(self) -> float:
        """Time to 90 %."""
        return self.olrt_s

    def step(self, memory: Memory, der: DerState, site: SiteState, dt_s: float) -> tuple[Memory, Proposal | Abstain]:
        """One step; begins at the measured power where that is above the curve."""
        v_pu, rating, unit_w = fresh_v_pu(der, site.poc), der.rating, der.rating.per_unit_w
        if v_pu is None:
            return memory, NO_VOLTAGE
        if unit_w <= 0.0:
            return Memory(), Abstain("no active-power rating")
        floor_w = self.p2_pu * (rating.p_max_w if self.p2_pu > 0.0 else -rating.p_min_w)
        wish = along(((self.v1_pu, rating.p_max_w / unit_w), (self.v2_pu, floor_w / unit_w)), v_pu)
        begin = max(wish, (der.reading.p_w or 0.0) / unit_w)
        lag = respond(memory.lag, wish, begin=begin, dt_s=dt_s, olrt_s=self.olrt_s)
        return moved(memory, lag), new_proposal(by=self.kind, rank=self.rank, p_ceiling_w=lag.y * unit_w)
