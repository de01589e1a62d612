"""What the operator asked for: a ceiling on a DER or the site, and a battery setpoint. Both expire by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeVar

from derctl.core.capability import held_w
from derctl.core.types import (
    Abstain,
    BatteryRequest,
    DerState,
    LimitRequest,
    Proposal,
    Request,
    SiteProposal,
    SiteState,
)
from derctl.functions.settings import Settings

Asked = TypeVar("Asked", bound=Request)

NO_REQUEST = Abstain("no request")


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Nothing to remember: requests and their expiry live in the site state."""


def alive(site: SiteState, kind: type[Asked], der: str | None) -> list[Asked]:
    """The requests of this kind that bind this DER (None: the site's own). Of several the lowest counts."""
    return [r for r in site.requests if isinstance(r, kind) and r.der == der and r.remaining_s > 0.0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator(Settings):
    """Base of the functions that do what somebody asks for."""

    rank: ClassVar[int] = 60

    def start(self) -> Memory:
        """Nothing."""
        return Memory()


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorLimit(Operator):
    """A ceiling on one DER's AC power."""

    kind: ClassVar[str] = "operator_limit"

    def step(self, memory: Memory, der: DerState, site: SiteState, dt_s: float) -> tuple[Memory, Proposal | Abstain]:
        """The lowest of the limits that are alive."""
        asked = [request.p_ceiling_w for request in alive(site, LimitRequest, der.id)]
        return memory, Proposal(by=self.kind, rank=self.rank, p_ceiling_w=min(asked)) if asked else NO_REQUEST


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorSiteLimit(Operator):
    """A ceiling on the sum of all DERs' AC power. Any `operator_limit` in the site file brings one, over all DERs."""

    kind: ClassVar[str] = "operator_site_limit"

    def step(
        self, memory: Memory, ders: Sequence[DerState], site: SiteState, dt_s: float
    ) -> tuple[Memory, SiteProposal | Abstain]:
        """One step; DERs that can't be steered count with what they give, unmeasured ones with the most they may: but
        for those alone no battery is sent to charge."""
        asked = [request.p_ceiling_w for request in alive(site, LimitRequest, None)]
        if not asked:
            return memory, NO_REQUEST
        others = [der for der in ders if not der.controllable]
        seen = min(asked) - sum(max(der.reading.p_w or 0.0, 0.0) for der in others)
        unseen = sum(held_w(der) for der in others if der.reading.p_w is None)
        return memory, SiteProposal(
            by=self.kind,
            rank=self.rank,
            over=tuple(der.id for der in ders if der.controllable),
            p_ceiling_w=max(seen - unseen, min(seen, 0.0)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SetpointFunction(Operator):
    """A battery's power as the operator set it (+ discharges)."""

    kind: ClassVar[str] = "setpoint"

    def step(self, memory: Memory, der: DerState, site: SiteState, dt_s: float) -> tuple[Memory, Proposal | Abstain]:
        """The lowest of the targets that are alive."""
        asked = [request.p_target_w for request in alive(site, BatteryRequest, der.id)]
        return memory, Proposal(by=self.kind, rank=self.rank, p_target_w=min(asked)) if asked else NO_REQUEST
