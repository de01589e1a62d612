"""Frequency-droop, IEEE 1547-2018 6.5.2.7: outside a dead band power follows frequency, from what it was before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from derctl.core.capability import clamp
from derctl.core.response import Lag, follow, ramp
from derctl.core.types import Abstain, DerState, Proposal, SiteState
from derctl.core.value import replace, value
from derctl.core.words import Idle
from derctl.functions.plain import finite
from derctl.functions.settings import Settings, number

SOURCE = "IEEE 1547-2018 6.5.2.7 table 24, as in OpenDER 2.2.0 and UL 1741 SB transcripts"
BACK = 1e-3
"""Per unit of rating: this near to the power before the event, droop has done its work (OpenDER 2.2.0)."""


@value
class Memory:
    """All in per unit of rated active power.

    p_pre: latched when f left the dead band, None outside an event. lag: the reference through the response.
    side: +1 over-frequency, -1 under-frequency. p_last: the power at the last step. back: the event is over and
    p_pre is the ceiling's return ramp; a new event latches anew.
    """

    p_pre: float | None = None
    side: int = 0
    lag: Lag | None = None
    p_last: float | None = None
    back: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FreqDroop(Settings):
    """Outside a dead band power falls with rising frequency and rises with falling, from what it was before.

    P = P_pre -/+ (|f - f_nom| - db) / (f_nom k); a ceiling in over-frequency, a floor in under-frequency.
    p_min_pu bounds the reduction. return_pu_per_s ramps the ceiling up once P_pre is reached again.
    """

    kind: ClassVar[str] = "freq_droop"
    rank: ClassVar[int] = 20

    db_of_hz: float = number(0.036, low=0.017, high=1.0, source="dead band above nominal; " + SOURCE)
    db_uf_hz: float = number(0.036, low=0.017, high=1.0, source="dead band below nominal; " + SOURCE)
    k_of: float = number(0.05, low=0.02, high=0.05, source="droop above nominal, pu/pu; " + SOURCE + "; category III")
    k_uf: float = number(0.05, low=0.02, high=0.05, source="droop below nominal, pu/pu; " + SOURCE + "; category III")
    olrt_s: float = number(5.0, low=0.2, high=10.0, source="time to 90 %; " + SOURCE + "; category III")
    p_min_pu: float | None = number(
        None,
        low=-1.0,
        high=1.0,
        source="least power it goes down to, share of the rating; default: the device's own least",
        optional=True,
    )
    return_pu_per_s: float = number(
        0.1,
        low=0.001,
        high=1.0,
        source="return after over-frequency, share of the rating a second; our choice: docs/sources.md",
    )

    def start(self) -> Memory:
        """Nothing latched."""
        return Memory()

    def step(self, memory: Memory, der: DerState, site: SiteState, dt_s: float) -> tuple[Memory, Proposal | Abstain]:
        """One step. Latches at entry, also when it starts outside the band; abstains without fresh f and P."""
        f_hz, p_w = der.reading.f_hz, der.reading.p_w
        if not der.fresh or f_hz is None or p_w is None:
            return memory, Abstain("no fresh frequency and power", lost=True)
        unit_w = der.rating.per_unit_w
        if unit_w <= 0.0:
            return memory, Abstain("no active-power rating")
        p_pu, top = p_w / unit_w, der.rating.p_max_w / unit_w
        shift, side = self._shift(f_hz, site.f_nom_hz)
        if memory.p_pre is None and side == 0:
            return Memory(p_last=p_pu), Abstain(Idle.INSIDE_THE_DEAD_BAND)
        memory = self._latched(memory, p_pu, side)
        assert memory.p_pre is not None and memory.lag is not None
        low = der.rating.p_min_w / unit_w if self.p_min_pu is None else self.p_min_pu
        reference = clamp(memory.p_pre + shift, low, top)
        if side == 0 and abs(memory.lag.y - reference) < BACK:
            return self._released(memory, der, p_pu, top, dt_s)
        memory = replace(memory, lag=follow(memory.lag, reference, dt_s=dt_s, olrt_s=self.olrt_s), p_last=p_pu)
        return memory, self._propose(memory, der)

    def _shift(self, f_hz: float, f_nom_hz: float) -> tuple[float, int]:
        """Change of power in per unit of rating, and which side of the band f is on."""
        over = f_hz - f_nom_hz - self.db_of_hz
        if over > 0.0:
            return -over / (f_nom_hz * self.k_of), 1
        under = f_nom_hz - self.db_uf_hz - f_hz
        if under > 0.0:
            return under / (f_nom_hz * self.k_uf), -1
        return 0.0, 0

    @staticmethod
    def _latched(memory: Memory, p_pu: float, side: int) -> Memory:
        if memory.p_pre is not None and (side == 0 or (side == memory.side and not memory.back)):
            return memory
        if memory.p_pre is not None and not memory.back:
            return replace(memory, side=side)
        p_pre = p_pu if memory.p_last is None else memory.p_last
        return Memory(p_pre=p_pre, side=side, lag=Lag(y=p_pre, u=p_pre), p_last=memory.p_last)

    def _released(
        self, memory: Memory, der: DerState, p_pu: float, top: float, dt_s: float
    ) -> tuple[Memory, Proposal | Abstain]:
        """f is back and so is P: the ceiling rises on a ramp until it binds nobody; a floor is simply let go."""
        assert memory.lag is not None and memory.p_pre is not None
        risen = ramp(memory.p_pre, top, up_per_s=self.return_pu_per_s, dt_s=dt_s)
        if memory.side < 0 or risen >= top:
            return Memory(p_last=p_pu), Abstain(Idle.INSIDE_THE_DEAD_BAND)
        memory = replace(memory, p_pre=risen, lag=Lag(y=risen, u=risen), p_last=p_pu, back=True)
        return memory, self._propose(memory, der)

    def _propose(self, memory: Memory, der: DerState) -> Proposal:
        assert memory.lag is not None
        p_w = memory.lag.y * der.rating.per_unit_w
        if memory.side > 0:
            return Proposal(by=self.kind, rank=self.rank, p_ceiling_w=p_w)
        return Proposal(by=self.kind, rank=self.rank, p_floor_w=p_w)


def uncut_event(memory: Memory) -> Memory:
    """While nothing is written: the event with what it was latched at; its response begins at the measured power,
    since nobody has followed it. After the event nothing was cut, so nothing has to return."""
    if memory.p_pre is None or memory.lag is None or memory.p_last is None:
        return memory
    if memory.back:
        return Memory(p_last=memory.p_last)
    if memory.side > 0:
        y = max(memory.lag.y, min(memory.p_last, memory.p_pre))
    else:
        y = min(memory.lag.y, max(memory.p_last, memory.p_pre))
    return replace(memory, lag=Lag(y=y, u=y))


def kept_event(memory: Memory) -> dict[str, float] | None:
    """An event in progress, for a restart; None at rest."""
    if memory.p_pre is None or memory.lag is None:
        return None
    return {"p_pre": memory.p_pre, "side": memory.side, "y": memory.lag.y, "back": memory.back}


def event_of(plain: Any) -> Memory:
    """It goes on from where it was. Raises ValueError."""
    if not isinstance(plain, Mapping):
        raise ValueError(f"{plain!r} is no droop event")
    p_pre, y, side = (finite(plain, name) for name in ("p_pre", "y", "side"))
    if side not in {-1.0, 1.0}:
        raise ValueError(f"side = {side:g} is neither -1 nor 1")
    return Memory(p_pre=p_pre, side=int(side), lag=Lag(y=y, u=y), back=plain.get("back") is True)
