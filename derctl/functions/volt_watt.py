"""Voltage-active power mode, IEEE 1547-2018 5.4.2: a ceiling that falls as the voltage rises."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from derctl.core.curve import Curve
from derctl.core.response import Lag, follow
from derctl.core.types import Abstain, DerState, Proposal, SiteState
from derctl.errors import SettingError
from derctl.functions.settings import Settings, number

SOURCE = "IEEE 1547-2018 5.4.2 table 10, as in OpenDER 2.2.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """The lag's state in per unit of rated active power; None before the first voltage."""

    lag: Lag | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VoltWatt(Settings):
    """A power ceiling that falls as the voltage rises. A p2_pu below 0 is per unit of the charge rating."""

    kind: ClassVar[str] = "volt_watt"
    rank: ClassVar[int] = 20

    v1_pu: float = number(1.06, low=1.05, high=1.09, source="voltage where the ceiling starts to fall; " + SOURCE)
    v2_pu: float = number(1.10, low=1.06, high=1.10, source="voltage where it is at p2_pu; " + SOURCE)
    p2_pu: float = number(0.2, low=-1.0, high=1.0, source="ceiling at v2_pu, below 0 for storage (P'2); " + SOURCE)
    olrt_s: float = number(10.0, low=0.5, high=60.0, source="time to 90 %; " + SOURCE)

    def __post_init__(self) -> None:
        Settings.__post_init__(self)
        if self.v2_pu < self.v1_pu + 0.01 - 1e-9:
            raise SettingError("v2_pu", self.v2_pu, f"at least v1_pu + 0.01 = {self.v1_pu + 0.01:.4g} ({SOURCE})")

    def start(self) -> Memory:
        """No lag yet: it begins at the measured output where that is above the curve."""
        return Memory()

    def step(self, memory: Memory, der: DerState, site: SiteState, dt_s: float) -> tuple[Memory, Proposal | Abstain]:
        """One step; abstains without a fresh voltage."""
        v_pu = der.v_pu
        if not der.fresh or v_pu is None:
            return Memory(), Abstain("no fresh voltage")
        p_max = der.rating.p_max_w
        floor = self.p2_pu * (1.0 if self.p2_pu > 0.0 else -der.rating.p_min_w / p_max)
        wish = Curve(((self.v1_pu, 1.0), (self.v2_pu, floor)))(v_pu)
        if memory.lag is None:
            lag = Lag(y=max(wish, (der.reading.p_w or 0.0) / p_max), u=wish)
        else:
            lag = follow(memory.lag, wish, dt_s=dt_s, olrt_s=self.olrt_s)
        return Memory(lag=lag), Proposal(by=self.kind, rank=self.rank, p_ceiling_w=lag.y * p_max)
