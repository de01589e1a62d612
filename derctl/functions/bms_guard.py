"""What the battery management system permits now, and what to do when it falls silent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from derctl.core.types import Abstain, DerState, Proposal, SiteState
from derctl.core.value import value
from derctl.errors import SettingError
from derctl.functions.settings import Settings, number

OURS = "our choice: docs/sources.md"
LOSS = "AC power per DC power on discharge, " + OURS


@value
class Memory:
    """The last limits heard, W, both positive, and how old each is; None before the first."""

    charge_w: float | None = None
    discharge_w: float | None = None
    charge_age_s: float = 0.0
    discharge_age_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BmsGuard(Settings):
    """Keeps a battery inside its BMS's limits. When that falls silent: the last ones, then down to 0 W by stop_s.

    A limit that it gave and gives no more is silence on that side, however fresh the rest is.
    """

    kind: ClassVar[str] = "bms_guard"
    rank: ClassVar[int] = 0

    ramp_s: float = number(10.0, low=1.0, high=60.0, source="silence of the BMS before its limits go down, " + OURS)
    stop_s: float = number(
        30.0, low=2.0, high=120.0, source="silence of the BMS after which the battery rests, " + OURS
    )
    efficiency: float = number(0.95, low=0.5, high=1.0, source=LOSS)

    def __post_init__(self) -> None:
        Settings.__post_init__(self)
        if self.stop_s <= self.ramp_s:
            raise SettingError("stop_s", self.stop_s, f"more than ramp_s = {self.ramp_s:g}")

    def start(self) -> Memory:
        """Nothing heard yet."""
        return Memory()

    def step(self, memory: Memory, der: DerState, site: SiteState, dt_s: float) -> tuple[Memory, Proposal | Abstain]:
        """One step. A battery whose BMS has never been heard is held at rest."""
        age_s = der.age_s if der.bms_age_s is None else der.bms_age_s
        memory = _heard(memory, der, age_s, dt_s, speaks=age_s <= 2.0 * site.tick_s + 1e-9)
        charge_w, discharge_w = memory.charge_w, memory.discharge_w
        if charge_w is None and discharge_w is None:
            if der.bms_age_s is None and der.fresh:
                return memory, Abstain("the battery states no limits")
            return memory, Proposal(by=self.kind, rank=self.rank, p_ceiling_w=0.0, p_floor_w=0.0)
        # The limits are DC. Charging needs no factor: less reaches the battery than crosses the AC terminals.
        out = self.efficiency * self._scale(memory.discharge_age_s)
        return memory, Proposal(
            by=self.kind,
            rank=self.rank,
            p_ceiling_w=None if discharge_w is None else discharge_w * out,
            p_floor_w=None if charge_w is None else -charge_w * self._scale(memory.charge_age_s),
        )

    def _scale(self, age_s: float) -> float:
        if age_s <= self.ramp_s:
            return 1.0
        return max(0.0, (self.stop_s - age_s) / (self.stop_s - self.ramp_s))


def _heard(memory: Memory, der: DerState, age_s: float, dt_s: float, *, speaks: bool) -> Memory:
    """What was heard, and how long ago; age_s: of the last answer."""
    charge_w = der.reading.p_charge_limit_w if speaks else None
    discharge_w = der.reading.p_discharge_limit_w if speaks else None
    return Memory(
        charge_w=memory.charge_w if charge_w is None else charge_w,
        discharge_w=memory.discharge_w if discharge_w is None else discharge_w,
        charge_age_s=max(age_s, memory.charge_age_s + dt_s) if charge_w is None else age_s,
        discharge_age_s=max(age_s, memory.discharge_age_s + dt_s) if discharge_w is None else age_s,
    )
