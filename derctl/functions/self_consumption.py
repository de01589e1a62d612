"""Storage that brings the power at the point of connection to a target, usually 0 W."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from derctl.core.capability import assumed_w, told_w
from derctl.core.types import Abstain, DerState, PocState, SiteProposal, SiteState
from derctl.core.value import replace, value
from derctl.core.words import Reason
from derctl.functions.meter_trust import Trust, passed_s, shown_pu, weigh
from derctl.functions.settings import Settings, number

FALL_S, FALL_PU = 20.0, 0.05
"""PV above what it is let comes down within this time, and what it gives above this share of its rating is not stored
meanwhile: the meter still shows it. After that it is there to stay (docs/sources.md)."""


@value
class Memory:
    """The meter sample acted on last, and the sum asked for then, W. trust: does the meter follow the stores?

    unproven_s: for how long it has been heard, the proof apart. falling_s: for how long others have given more than
    they are let.
    """

    sample: int = -1
    sum_w: float | None = None
    falling_s: float = 0.0
    unproven_s: float = 0.0
    trust: Trust = field(default_factory=Trust)


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfConsumption(Settings):
    """Batteries bring the power at the point of connection to target_w; inside deadband_w they are left alone.

    sum = present sum - gain * (p_poc - target_w), once per meter sample. What others give above what they are let is
    about to go, and no part of it.
    """

    kind: ClassVar[str] = "self_consumption"
    rank: ClassVar[int] = 70

    target_w: float = number(
        0.0, low=-1e7, high=1e7, source="wanted at the point of connection, W, + exports; the owner's word"
    )
    gain: float = number(
        0.5, low=0.05, high=1.0, source="share of the error corrected per meter sample; stability: docs/sources.md"
    )
    deadband_w: float = number(
        30.0, low=0.0, high=5000.0, source="an error left alone, W; our choice: docs/sources.md"
    )

    def start(self) -> Memory:
        """No sample seen."""
        return Memory()

    def step(
        self, memory: Memory, ders: Sequence[DerState], site: SiteState, dt_s: float
    ) -> tuple[Memory, SiteProposal | Abstain]:
        """One step; between meter samples the last sum stands, and without a fresh meter it abstains and forgets it.

        A store that isn't measured counts with what it was told. One that isn't told anything either has no share.
        """
        poc = site.poc
        stores = [der for der in ders if der.can.balance and der.controllable and der.trial is None and _known(der)]
        if poc is None or not poc.fresh or poc.reading.p_w is None:
            return _forgetting(memory), Abstain(Reason.METER_LOST, lost=True)
        if all(der.reading.p_w is None for der in stores):
            return _forgetting(memory), Abstain("no storage to steer", lost=True)
        falling_w = _falling_w(stores, site)
        falling_s = memory.falling_s + dt_s if falling_w > 0.0 else 0.0
        memory = replace(memory, falling_s=falling_s, unproven_s=passed_s(memory.unproven_s, stores, dt_s))
        if poc.sample != memory.sample or memory.sum_w is None:
            present_w = sum(assumed_w(der) for der in stores)
            trust = weigh(memory.trust, _without(poc, stores, site), stores, site.t_s)
            going_w = falling_w if memory.falling_s <= FALL_S else 0.0
            sum_w = self._sum(present_w, poc.reading.p_w - going_w, memory.sum_w)
            memory = replace(memory, sample=poc.sample, sum_w=sum_w, trust=trust)
        return memory, SiteProposal(
            by=self.kind,
            rank=self.rank,
            over=tuple(der.id for der in stores),
            p_target_w=memory.sum_w,
            meter_pu=shown_pu(memory.trust, memory.unproven_s),
        )

    def _sum(self, present_w: float, p_poc_w: float, last_w: float | None) -> float:
        error = p_poc_w - self.target_w
        if abs(error) <= self.deadband_w and last_w is not None:
            return last_w
        return present_w - self.gain * error


def _forgetting(memory: Memory) -> Memory:
    """What was asked for counts no more; what was seen of the meter stays."""
    return Memory(trust=memory.trust, unproven_s=memory.unproven_s)


def _without(poc: PocState, stores: Sequence[DerState], site: SiteState) -> PocState:
    """The meter without what all the others are known to give: what is left moves with the stores."""
    assert poc.reading.p_w is not None
    own = {der.id for der in stores}
    others_w = sum(
        der.reading.p_w or 0.0 for der in site.ders if der.fresh and der.trial is None and der.id not in own
    )
    return replace(poc, reading=replace(poc.reading, p_w=poc.reading.p_w - others_w))


def _falling_w(stores: Sequence[DerState], site: SiteState) -> float:
    """What the others give above what they are let now."""
    own = {der.id for der in stores}
    others = [der for der in site.ders if der.controllable and der.trial is None and der.id not in own]
    return sum((_above_w(der) for der in others), 0.0)


def _above_w(der: DerState) -> float:
    if der.most_w is None or der.reading.p_w is None or not der.can.limit:
        return 0.0
    above_w = der.reading.p_w - max(der.most_w, 0.0)
    return above_w if above_w > FALL_PU * der.rating.size_w else 0.0


def _known(der: DerState) -> bool:
    return der.reading.p_w is not None or told_w(der) is not None
