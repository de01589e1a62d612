"""Limits on export, import and generation that somebody asks for: the grid operator's (a dynamic operating envelope
among them), and the owner's. The first two are kept by the contract's loop at another rank."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, ClassVar

from derctl.core.dataclass import dataclass
from derctl.core.requests import LIMITS, EnvelopeRequest, EventRequest, GridLimitRequest, OwnerLimitRequest, Request
from derctl.core.types import Abstain, DerState, SiteProposal, SiteState
from derctl.core.value import replace, value
from derctl.core.words import Reason
from derctl.functions.contract_export_limit import ContractExportLimit
from derctl.functions.export_memory import Memory as Loop
from derctl.functions.export_memory import seen_of_the_meter
from derctl.functions.export_terms import MARGIN_MIN_W, MARGIN_PU
from derctl.functions.lapse import NO_LIMIT, Lapse, Wish, kept_lapse, lapse_of, lapsed
from derctl.functions.operator import NO_REQUEST, ours_w
from derctl.functions.settings import Settings, number, switch

DEFAULT = "default"
"""By whom the agreement's own limit is, while no envelope is in force."""
ANY_W = 1e8
"""Export that nobody limits, where import alone is."""
MARGIN_SOURCE = "kept below a limit; default as contract_export_limit"
DEFAULT_SOURCE = "the connection agreement: while no operating envelope is in force, W; none if absent"


@value
class Memory:
    """What is in force of each limit, and the loop's own memory, None while there is nothing for it to keep."""

    export: Lapse = NO_LIMIT
    draw: Lapse = NO_LIMIT
    generation: Lapse = NO_LIMIT
    loop: Loop | None = None


START = Memory()
FIELDS = dict(zip(LIMITS, ("export", "draw", "generation"), strict=True))
"""By what a request calls it."""


@lru_cache(maxsize=64)
def loop_of(export_w: float | None, import_w: float | None, margin_w: float | None) -> ContractExportLimit:
    """What keeps both at the point of connection. Where no margin is given the larger limit's counts for both."""
    most_w = max(export_w or 0.0, import_w or 0.0)
    return ContractExportLimit(
        limit_w=ANY_W if export_w is None else export_w,
        import_limit_w=import_w,
        margin_w=max(MARGIN_PU * most_w, MARGIN_MIN_W) if margin_w is None else margin_w,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteLimits(Settings):
    """Base of both. The lowest of each limit that is alive binds at once; what ends is let go on a ramp."""

    asks: ClassVar[tuple[type[Request], ...]]

    margin_w: float | None = number(None, low=0.0, high=1e6, source=MARGIN_SOURCE, optional=True)

    def start(self) -> Memory:
        """Nothing in force."""
        return START

    def default_w(self, name: str, site: SiteState) -> float | None:
        """What counts while nobody says anything of it, None: nothing."""
        return None

    def stepped(
        self, memory: Memory, ders: Sequence[DerState], site: SiteState, dt_s: float
    ) -> tuple[Memory, SiteProposal | Abstain]:
        """One step. Generation is what all DERs give together, a store that charges counted against it."""
        wishes = {name: self._wish(name, site) for name in LIMITS}
        if memory == START and not any(wishes.values()):
            return memory, NO_REQUEST
        now: dict[str, Any] = {
            at: lapsed(getattr(memory, at), wishes[name], ders, site, dt_s) for name, at in FIELDS.items()
        }
        memory = replace(memory, **now)
        said: SiteProposal | None = None
        if memory.export.limit_w is None and memory.draw.limit_w is None:
            memory = replace(memory, loop=None)
        else:
            loop = loop_of(memory.export.limit_w, memory.draw.limit_w, self.margin_w)
            kept, word = loop.step(memory.loop or loop.start(), ders, site, dt_s)
            memory, said = replace(memory, loop=kept), replace(word, by=self.kind, rank=self.rank)
            if memory.export.limit_w is None:
                said = replace(said, p_ceiling_w=None, apart_w=())
        if memory.generation.limit_w is not None:
            said = _generating(said, memory.generation.limit_w, ders, self)
        if said is None:
            return memory, NO_REQUEST
        relaxes = any(each.limit_w is not None and not each.by for each in map(memory.__getattribute__, now))
        return memory, replace(said, why=Reason.RELAXING) if said.why is None and relaxes else said

    def _wish(self, name: str, site: SiteState) -> Wish | None:
        asked = [
            Wish(limit_w=limit_w, by=each.id, left_s=_left_s(each))
            for each in site.requests
            if isinstance(each, self.asks) and each.remaining_s > 0.0 and (limit_w := getattr(each, name)) is not None
        ]
        default_w = self.default_w(name, site)
        if default_w is not None:
            asked.append(Wish(limit_w=default_w, by=DEFAULT))
        return min(asked, key=_tightness, default=None)


def _left_s(request: Request) -> float:
    """How long it still asks for as much."""
    part_s: float | None = getattr(request, "part_s", None)
    return request.remaining_s if part_s is None else part_s


def _tightness(wish: Wish) -> tuple[float, str]:
    return wish.limit_w, wish.by


def _generating(
    said: SiteProposal | None, limit_w: float, ders: Sequence[DerState], function: SiteLimits
) -> SiteProposal:
    """What the loop says, and no more than may be generated. What it lets give apart of the sum counts in it."""
    if said is None:
        over = tuple(der.id for der in ders if der.controllable)
        return SiteProposal(by=function.kind, rank=function.rank, over=over, p_ceiling_w=ours_w(limit_w, ders))
    apart_w = sum((max(w, 0.0) for _, w in said.apart_w), 0.0)
    most_w = ours_w(limit_w, ders) - apart_w
    return said if said.p_ceiling_w is not None and said.p_ceiling_w <= most_w else replace(said, p_ceiling_w=most_w)


@dataclass(frozen=True, slots=True, kw_only=True)
class GridLimits(SiteLimits):
    """The grid operator's: limits for a time, and operating envelopes. While no envelope says anything of a limit the
    agreement's default counts: before the first, between two, and after the last."""

    kind: ClassVar[str] = "grid_limits"
    rank: ClassVar[int] = 40
    asks: ClassVar[tuple[type[Request], ...]] = (GridLimitRequest, EnvelopeRequest, EventRequest)

    default_export_w: float | None = number(None, low=0.0, high=1e8, source=DEFAULT_SOURCE, optional=True)
    default_import_w: float | None = number(None, low=0.0, high=1e8, source=DEFAULT_SOURCE, optional=True)
    default_generation_w: float | None = number(None, low=0.0, high=1e8, source=DEFAULT_SOURCE, optional=True)
    may_opt_out: bool = switch(source="the owner may opt out of demand-response events; the programme's word")

    def default_w(self, name: str, site: SiteState) -> float | None:
        """The agreement's."""
        default_w: float | None = getattr(self, f"default_{name}")
        heard = (each for each in site.requests if isinstance(each, EnvelopeRequest) and each.remaining_s > 0.0)
        return None if any(getattr(each, name) is not None for each in heard) else default_w

    def step(
        self, memory: Memory, ders: Sequence[DerState], site: SiteState, dt_s: float
    ) -> tuple[Memory, SiteProposal | Abstain]:
        """One step."""
        return self.stepped(memory, ders, site, dt_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnerLimits(SiteLimits):
    """The owner's, for a time; junior to the grid operator's."""

    kind: ClassVar[str] = "owner_limits"
    rank: ClassVar[int] = 50
    asks: ClassVar[tuple[type[Request], ...]] = (OwnerLimitRequest,)

    def step(
        self, memory: Memory, ders: Sequence[DerState], site: SiteState, dt_s: float
    ) -> tuple[Memory, SiteProposal | Abstain]:
        """One step."""
        return self.stepped(memory, ders, site, dt_s)


def kept_limits(memory: Memory) -> dict[str, Any] | None:
    """For a restart: the limits in force. The loop begins anew at what is measured."""
    plain = {at: kept_lapse(getattr(memory, at)) for at in FIELDS.values()}
    return {at: each for at, each in plain.items() if each is not None} or None


def limits_of(plain: Any) -> Memory:
    """They go on from where they were. Raises ValueError."""
    if not isinstance(plain, Mapping) or not plain or not plain.keys() <= {*FIELDS.values()}:
        raise ValueError(f"{plain!r} are no limits of a site")
    lapses: dict[str, Any] = {at: lapse_of(each) for at, each in plain.items()}
    return Memory(**lapses)


def seen_of_the_loop(memory: Memory) -> Memory:
    """While nothing is written: what its loop knows of the meter."""
    return Memory(loop=None if memory.loop is None else seen_of_the_meter(memory.loop))
