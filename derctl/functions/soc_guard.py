"""State-of-charge bounds of a battery: nothing out below the lower, nothing in above the upper."""

from __future__ import annotations

from typing import ClassVar

from derctl.core.capability import let_out_w
from derctl.core.dataclass import dataclass
from derctl.core.types import Abstain, DerState, Proposal, SiteState
from derctl.core.value import value
from derctl.core.words import Idle
from derctl.errors import SettingError
from derctl.functions.settings import Settings, number

NO_CHARGE = "no fresh state of charge"
ASLEEP_S = 120.0
"""A battery whose BMS was not heard for so long gets nothing but what bms_guard lets it take to wake up."""


@value
class Memory:
    """Whether each bound holds now; each lets go only `hysteresis_pct` inside."""

    empty: bool = False
    full: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SocGuard(Settings):
    """A battery that has never told its state of charge, or not for a while, is held at rest."""

    kind: ClassVar[str] = "soc_guard"
    rank: ClassVar[int] = 0

    min_pct: float = number(
        10.0,
        low=0.0,
        high=100.0,
        source="no discharge at or below; our choice, the maker's manual decides: docs/sources.md",
    )
    max_pct: float = number(
        95.0,
        low=0.0,
        high=100.0,
        source="no charging at or above; our choice, the maker's manual decides: docs/sources.md",
    )
    hysteresis_pct: float = number(
        2.0, low=0.1, high=20.0, source="let go so far inside; our choice: docs/sources.md"
    )

    def __post_init__(self) -> None:
        Settings.__post_init__(self)
        if self.max_pct <= self.min_pct + 2.0 * self.hysteresis_pct:
            allowed = f"more than min_pct + 2 x hysteresis_pct = {self.min_pct + 2.0 * self.hysteresis_pct:g}"
            raise SettingError("max_pct", self.max_pct, allowed)

    def start(self) -> Memory:
        """Neither bound holds."""
        return Memory()

    def step(self, memory: Memory, der: DerState, site: SiteState, dt_s: float) -> tuple[Memory, Proposal | Abstain]:
        """One step; without a fresh state of charge what holds now, then rest (0 W both ways).

        Beside a BMS that sleeps the floor is left to bms_guard, or what would wake it is kept from it.
        """
        soc, out_w = der.reading.soc_pct, let_out_w(der, 0.0)
        if soc is None or not der.fresh:
            asleep = der.bms_age_s is not None and der.bms_age_s > ASLEEP_S and not memory.full
            floor_w = None if asleep else 0.0
            rest = Proposal(by=self.kind, rank=self.rank, p_ceiling_w=out_w, p_floor_w=floor_w)
            return memory, Abstain(NO_CHARGE, lost=True, then=rest)
        empty = reached(soc, self.min_pct, before=memory.empty, hysteresis_pct=self.hysteresis_pct)
        full = reached(-soc, -self.max_pct, before=memory.full, hysteresis_pct=self.hysteresis_pct)
        memory = Memory(empty=empty, full=full)
        if not empty and not full:
            return memory, Abstain(Idle.INSIDE_ITS_BOUNDS)
        return memory, Proposal(
            by=self.kind, rank=self.rank, p_ceiling_w=out_w if empty else None, p_floor_w=0.0 if full else None
        )


def reached(soc_pct: float, bound_pct: float, *, before: bool, hysteresis_pct: float) -> bool:
    """Whether a falling charge has come down to its bound, and not back above it by the hysteresis since."""
    return soc_pct <= bound_pct or (before and soc_pct < bound_pct + hysteresis_pct)
