"""What the operator asked for: a ceiling on a DER or the site, and a battery setpoint. Both expire by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from derctl.core.capability import held_w
from derctl.core.types import Abstain, DerState, Proposal, Request, SiteProposal, SiteState
from derctl.functions.settings import Settings

LIMIT = "limit_power"
BATTERY = "set_battery_power"


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Nothing to remember: requests and their expiry live in the site state."""


def alive(site: SiteState, kind: str, der: str | None) -> Request | None:
    """The request of this kind that binds this DER (None: the site's own), the lowest if there are several."""
    found = [r for r in site.requests if r.kind == kind and r.der == der and r.remaining_s > 0.0]
    return min(found, key=lambda request: (request.value_w, request.id)) if found else None


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorLimit(Settings):
    """A ceiling on one DER's AC power."""

    kind: ClassVar[str] = "operator_limit"
    rank: ClassVar[int] = 60

    def start(self) -> Memory:
        """Nothing."""
        return Memory()

    def step(self, memory: Memory, der: DerState, site: SiteState, dt_s: float) -> tuple[Memory, Proposal | Abstain]:
        """One step."""
        request = alive(site, LIMIT, der.id)
        if request is None:
            return memory, Abstain("no request")
        return memory, Proposal(by=self.kind, rank=self.rank, p_ceiling_w=request.value_w)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorSiteLimit(Settings):
    """A ceiling on the sum of all DERs' AC power. Any `operator_limit` in the site file brings one, over all DERs."""

    kind: ClassVar[str] = "operator_site_limit"
    rank: ClassVar[int] = 60

    def start(self) -> Memory:
        """Nothing."""
        return Memory()

    def step(
        self, memory: Memory, ders: Sequence[DerState], site: SiteState, dt_s: float
    ) -> tuple[Memory, SiteProposal | Abstain]:
        """One step; DERs that can't be steered count with what they give, unmeasured ones with the most they may: but
        for those alone no battery is sent to charge."""
        request = alive(site, LIMIT, None)
        if request is None:
            return memory, Abstain("no request")
        others = [der for der in ders if not der.controllable]
        seen = request.value_w - sum(max(der.reading.p_w or 0.0, 0.0) for der in others)
        unseen = sum(held_w(der) for der in others if der.reading.p_w is None)
        return memory, SiteProposal(
            by=self.kind,
            rank=self.rank,
            over=tuple(der.id for der in ders if der.controllable),
            p_ceiling_w=max(seen - unseen, min(seen, 0.0)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SetpointFunction(Settings):
    """A battery's power as the operator set it (+ discharges)."""

    kind: ClassVar[str] = "setpoint"
    rank: ClassVar[int] = 60

    def start(self) -> Memory:
        """Nothing."""
        return Memory()

    def step(self, memory: Memory, der: DerState, site: SiteState, dt_s: float) -> tuple[Memory, Proposal | Abstain]:
        """One step."""
        request = alive(site, BATTERY, der.id)
        if request is None:
            return memory, Abstain("no request")
        return memory, Proposal(by=self.kind, rank=self.rank, p_target_w=request.value_w)
