"""What the operator asked for: a ceiling on a DER or the site, and a battery setpoint. Both expire by themselves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, TypeVar

from derctl.core.capability import held_w
from derctl.core.dataclass import dataclass
from derctl.core.requests import BatteryRequest, FloorRequest, LimitRequest, Request
from derctl.core.text import share_of
from derctl.core.types import Abstain, DerState, Proposal, SiteProposal, SiteState
from derctl.core.value import value
from derctl.core.words import Idle, Reason
from derctl.functions.plain import finite
from derctl.functions.settings import Settings

Asked = TypeVar("Asked", bound=Request)

NO_REQUEST = Abstain(Idle.NO_REQUEST)

RELAX_PU_PER_S = 0.1
"""A limit that has ended rises by this share of the rating a second."""
START_WITHIN_S = 30.0
"""One that has expired begins to rise at a moment within this, the same for the same site and request: no fleet comes
back at once. A `clear` waits for nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    """Nothing to remember: requests and their expiry live in the site state."""


@value
class Memory:
    """ceiling_w: the limit in force, None: none. wait_s: until it begins to rise.

    by: the request that set it, empty once that has ended; left_s: what that had left when it was seen last.
    """

    ceiling_w: float | None = None
    by: str = ""
    left_s: float = 0.0
    wait_s: float = 0.0

    @property
    def why(self) -> Reason | None:
        """Of a limit that rises, or is about to."""
        return None if self.by else Reason.RELAXING


NO_LIMIT = Memory()


def standing(request: Request) -> tuple[float, str]:
    """Of several that are alive the least binds: the lowest limit."""
    return (request.p_ceiling_w if isinstance(request, LimitRequest) else 0.0, request.id)


def limited(
    memory: Memory, asked: Sequence[LimitRequest], ders: Sequence[DerState], site: SiteState, dt_s: float
) -> Memory:
    """The tightest limit on these DERs binds, at once. The next one, or none at all, is reached on a ramp.

    While a DER's rating isn't known nobody knows where the ramp ends: it goes on, by what is known of the others. One
    that is silent doesn't rise, or it would make a step of it when it answers again.
    """
    if not asked and memory.ceiling_w is None:
        return NO_LIMIT
    tightest = min(asked, key=standing, default=None)
    known = all(der.rating.size_w for der in ders)
    full_w = sum(der.rating.p_max_w for der in ders) if known else math.inf
    goal_w = full_w if tightest is None else tightest.p_ceiling_w
    now_w, wait_s = memory.ceiling_w, memory.wait_s
    if now_w is not None and now_w < goal_w:
        if memory.by:  # it ends just now
            expired = memory.left_s <= dt_s + site.tick_s
            wait_s = START_WITHIN_S * share_of(f"{site.id} {memory.by}") if expired else 0.0
        rise_w = RELAX_PU_PER_S * dt_s * sum(der.rating.size_w for der in ders if der.fresh)
        risen_w = now_w if wait_s > 0.0 else min(now_w + rise_w, goal_w)
        if risen_w < goal_w:
            return Memory(ceiling_w=risen_w, wait_s=max(wait_s - dt_s, 0.0))
    return NO_LIMIT if tightest is None else Memory(ceiling_w=goal_w, by=tightest.id, left_s=tightest.remaining_s)


def kept_limit(memory: Memory) -> dict[str, Any] | None:
    """For a restart: whatever is in force. What has gone by then has expired."""
    return (
        None
        if memory.ceiling_w is None
        else {"ceiling_w": memory.ceiling_w, "by": memory.by, "wait_s": memory.wait_s}
    )


def limit_of(plain: Any) -> Memory:
    """It goes on from where it was. Raises ValueError."""
    if not isinstance(plain, Mapping) or not isinstance(plain.get("by"), str):
        raise ValueError(f"{plain!r} is no operator's limit")
    return Memory(ceiling_w=finite(plain, "ceiling_w"), by=plain["by"], wait_s=finite(plain, "wait_s"))


def alive(site: SiteState, kind: type[Asked], der: str | None) -> list[Asked]:
    """The requests of this kind that are meant for this DER (None: the site's own)."""
    return [r for r in site.requests if isinstance(r, kind) and r.der == der and r.remaining_s > 0.0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit(Settings):
    """Base of the operator's limits."""

    rank: ClassVar[int] = 60

    def start(self) -> Memory:
        """No limit."""
        return NO_LIMIT


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorLimit(Limit):
    """A ceiling on one DER's AC power, and a floor under it."""

    kind: ClassVar[str] = "operator_limit"

    def step(self, memory: Memory, der: DerState, site: SiteState, dt_s: float) -> tuple[Memory, Proposal | Abstain]:
        """The lowest of the limits that are alive, and the ramp back from those that were; the highest of the floors,
        which ends at once: it gives way to less."""
        memory = limited(memory, alive(site, LimitRequest, der.id), [der], site, dt_s)
        floor_w = max([each.p_floor_w for each in alive(site, FloorRequest, der.id)], default=None)
        if memory.ceiling_w is None and floor_w is None:
            return memory, NO_REQUEST
        why = None if memory.ceiling_w is None else memory.why
        return memory, Proposal(
            by=self.kind, rank=self.rank, p_ceiling_w=memory.ceiling_w, p_floor_w=floor_w, why=why
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorSiteLimit(Limit):
    """A ceiling on the sum of all DERs' AC power. Any `operator_limit` in the site file brings one, over all DERs."""

    kind: ClassVar[str] = "operator_site_limit"

    def step(
        self, memory: Memory, ders: Sequence[DerState], site: SiteState, dt_s: float
    ) -> tuple[Memory, SiteProposal | Abstain]:
        """One step; DERs that can't be steered count with what they give, unmeasured ones with the most they may: but
        for those alone no battery is sent to charge."""
        memory = limited(memory, alive(site, LimitRequest, None), ders, site, dt_s)
        if memory.ceiling_w is None:
            return memory, NO_REQUEST
        return memory, SiteProposal(
            by=self.kind,
            rank=self.rank,
            over=tuple(der.id for der in ders if der.controllable),
            p_ceiling_w=ours_w(memory.ceiling_w, ders),
            why=memory.why,
        )


def ours_w(ceiling_w: float, ders: Sequence[DerState]) -> float:
    """What a ceiling on the sum of all leaves those that can be steered."""
    others = [der for der in ders if not der.controllable]
    seen = ceiling_w - sum(max(der.reading.p_w or 0.0, 0.0) for der in others)
    unseen = sum(held_w(der) for der in others if der.reading.p_w is None)
    return max(seen - unseen, min(seen, 0.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class SetpointFunction(Settings):
    """A battery's power as the operator set it (+ discharges)."""

    kind: ClassVar[str] = "setpoint"
    rank: ClassVar[int] = 60

    def start(self) -> Nothing:
        """Nothing."""
        return Nothing()

    def step(
        self, memory: Nothing, der: DerState, site: SiteState, dt_s: float
    ) -> tuple[Nothing, Proposal | Abstain]:
        """The lowest of the targets that are alive."""
        asked = [request.p_target_w for request in alive(site, BatteryRequest, der.id)]
        return memory, Proposal(by=self.kind, rank=self.rank, p_target_w=min(asked)) if asked else NO_REQUEST
