"""One tick is one function call: `step(plan, memories, state, dt_s) -> (memories, decisions)`. A Mealy machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from derctl.core import allocation
from derctl.core.arbitration import Band, aim_of, aimed, confine, fold, reactive, reserved_w, whole
from derctl.core.capability import present_w, told_w
from derctl.core.types import (
    Abstain,
    Bound,
    Decision,
    DerState,
    Proposal,
    Setpoint,
    SiteProposal,
    SiteState,
)
from derctl.core.words import FallbackBy, Reason

Memory = Any
"""A function's own frozen Memory. The engine only carries it."""

Memories = Mapping[str, Memory]
"""Keyed `kind` for a site function, `kind/der` for a DER function."""


class DerFunction(Protocol):
    """Speaks for one DER. `kind` and `rank` are the class's: a grid code is no preference."""

    kind: ClassVar[str]
    rank: ClassVar[int]

    def start(self) -> Memory:
        """The memory before the first step."""
        ...

    def step(self, memory: Memory, der: DerState, site: SiteState, dt_s: float) -> tuple[Memory, Proposal | Abstain]:
        """One step; dt_s is measured, 0 at the first."""
        ...


class SiteFunction(Protocol):
    """Speaks for the site; allocation splits what it wants."""

    kind: ClassVar[str]
    rank: ClassVar[int]

    def start(self) -> Memory:
        """The memory before the first step."""
        ...

    def step(
        self, memory: Memory, ders: Sequence[DerState], site: SiteState, dt_s: float
    ) -> tuple[Memory, SiteProposal | Abstain]:
        """One step over the DERs that the site file gave this function."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Which function speaks for whom: (function, DER ids), in the site file's order.

    also_on_device: kinds that many inverters also run themselves; two of them on one inverter would add their slopes.
    """

    der_functions: tuple[tuple[DerFunction, tuple[str, ...]], ...] = ()
    site_functions: tuple[tuple[SiteFunction, tuple[str, ...]], ...] = ()
    also_on_device: frozenset[str] = frozenset()


@dataclass(slots=True)
class _Case:
    """What was said about one DER in this tick."""

    der: DerState
    proposals: list[Proposal] = field(default_factory=list)
    abstained: dict[str, str] = field(default_factory=dict)
    band: Band = field(init=False)


OPERATOR = 60
"""Rank from which a proposal counts as somebody's request rather than a rule."""


def step(
    plan: Plan, memories: Memories, state: SiteState, dt_s: float
) -> tuple[dict[str, Memory], tuple[Decision, ...]]:
    """Propose, arbitrate, decide. Pure: the same arguments give the same decision, bit for bit."""
    cases = {der.id: _Case(der) for der in state.ders}
    after: dict[str, Memory] = {}
    for function, ids in plan.der_functions:
        for der_id in ids:
            case = cases[der_id]
            if function.kind in plan.also_on_device and function.kind not in case.der.reading.own_off:
                _leave_to_device(function, case, memories, after)
            else:
                _ask_der(function, case, memories, after, state, dt_s)
    wishes = [
        wish
        for function, ids in plan.site_functions
        if (wish := _ask_site(function, [cases[i] for i in ids], memories, after, state, dt_s)) is not None
    ]
    for case in cases.values():
        _fallback(case)
        case.band = _left(case)
    _allocate(cases, wishes)
    return after, tuple(_decide(case) for case in cases.values())


def _key(function: DerFunction, case: _Case) -> str:
    return f"{function.kind}/{case.der.id}"


def _memory(function: DerFunction | SiteFunction, key: str, memories: Memories) -> Memory:
    return memories[key] if key in memories else function.start()


def _leave_to_device(function: DerFunction, case: _Case, memories: Memories, after: dict[str, Memory]) -> None:
    """The device runs it, or can't say that it does not."""
    on = function.kind in case.der.reading.own_on
    key = _key(function, case)
    after[key] = function.start() if on else _memory(function, key, memories)
    why = "the device runs its own" if on else "the device's own mode can't be read back"
    case.abstained[function.kind] = f"{Reason.OWN_FUNCTION_ON}: {why}"


def _ask_der(
    function: DerFunction, case: _Case, memories: Memories, after: dict[str, Memory], state: SiteState, dt_s: float
) -> None:
    said: Proposal | Abstain
    key = _key(function, case)
    memory = memories[key] if key in memories else function.start()
    after[key], said = function.step(memory, case.der, state, dt_s)
    if isinstance(said, Abstain):
        case.abstained[function.kind] = said.reason
    else:
        case.proposals.append(said)


def _ask_site(
    function: SiteFunction,
    cases: Sequence[_Case],
    memories: Memories,
    after: dict[str, Memory],
    state: SiteState,
    dt_s: float,
) -> SiteProposal | None:
    said: SiteProposal | Abstain
    memory = _memory(function, function.kind, memories)
    after[function.kind], said = function.step(memory, [case.der for case in cases], state, dt_s)
    if isinstance(said, SiteProposal):
        return said
    for case in cases:
        case.abstained[function.kind] = said.reason
    return None


def _fallback(case: _Case) -> None:
    """Rank 0. A DER whose reading is too old is asked for its declared fallback and nothing else. One whose last
    limit will stand without derctl is never given a higher one than that. Nobody is raised unseen, but to rest; nor
    before the fallbacks are proven."""
    der, fallback = case.der, case.der.fallback
    limits: dict[str, float | None] = {}
    if not der.fresh:
        case.proposals = [p for p in case.proposals if p.p_target_w is None and p.q_var is None]
        limits["comms_loss"] = fallback.p_ceiling_w
    elif fallback.by == FallbackBy.STANDS:
        limits["fallback_stands"] = fallback.p_ceiling_w
    if der.halted:
        limits["unproven_fallback"] = present_w(der)
    if (not der.fresh or der.reading.p_w is None) and not der.can.rest:
        told = told_w(der)
        limits["unmeasured"] = max(told, 0.0) if told is not None and der.can.aim else told
    case.proposals += [Proposal(by=by, rank=0, p_ceiling_w=w) for by, w in limits.items() if w is not None]


def _left(case: _Case, up_to: int | None = None) -> Band:
    """What proposals up to a rank leave of the rating, and reactive priority of the circle."""
    band = fold(whole(case.der.rating), case.proposals, up_to=up_to)
    most_w = reserved_w(case.der, case.proposals)
    return band if most_w is None else confine(band, most_w, by="s_max_va")


def _allocate(cases: Mapping[str, _Case], wishes: Iterable[SiteProposal]) -> None:
    """Targets first, since they narrow nothing, seniors before juniors. Then floors and ceilings from junior to
    senior, so that seniors have the last word, and within a rank ceilings."""
    ordered = sorted(wishes, key=lambda wish: (wish.rank, wish.by))
    for wish in ordered:
        if wish.p_target_w is not None:
            _apply(cases, allocation.share_target(_slots(cases, wish), wish))
    floors = [(wish, allocation.hold_up) for wish in ordered if wish.p_floor_w is not None]
    ceilings = [(wish, allocation.cap) for wish in ordered if wish.p_ceiling_w is not None]
    for wish, narrow in sorted(floors + ceilings, key=lambda edge: -edge[0].rank):
        _apply(cases, narrow(_slots(cases, wish), wish))


def _slots(cases: Mapping[str, _Case], wish: SiteProposal) -> list[allocation.Slot]:
    return [_slot(cases[der_id], wish.rank) for der_id in wish.over]


def _slot(case: _Case, rank: int) -> allocation.Slot:
    hard = _left(case, up_to=rank)
    return allocation.Slot(der=case.der, band=case.band, hard_low_w=hard.low_w, hard_high_w=hard.high_w)


def _apply(cases: Mapping[str, _Case], bands: Mapping[str, Band]) -> None:
    for der_id, band in bands.items():
        cases[der_id].band = band


def _decide(case: _Case) -> Decision:
    der, band = case.der, case.band
    var = reactive(der, band, case.proposals)
    setpoint, bounds = _setpoint(der, band)
    if var.q_var is not None:
        setpoint = Setpoint(p_ceiling_w=setpoint.p_ceiling_w, p_target_w=setpoint.p_target_w, q_var=var.q_var)
        bounds += var.bounds
    requested = _requested(case.proposals)
    return Decision(
        der=der.id,
        setpoint=setpoint,
        bound_by=bounds,
        abstained=case.abstained,
        requested=None if requested is None else _as_setpoint(requested),
        requested_by=None if requested is None else requested.by,
    )


def _setpoint(der: DerState, band: Band) -> tuple[Setpoint, tuple[Bound, ...]]:
    ceiling_w = band.high_w if der.can.limit else None
    if not aimed(der, band):
        return Setpoint(p_ceiling_w=ceiling_w), band.bounds
    bounds = band.bounds if band.target_by is None else (band.target_by, *band.bounds)
    return Setpoint(p_ceiling_w=ceiling_w, p_target_w=aim_of(band)), bounds


def _requested(proposals: Iterable[Proposal]) -> Proposal | None:
    asked = sorted((p for p in proposals if p.rank >= OPERATOR), key=lambda p: (p.rank, p.by))
    return asked[0] if asked else None


def _as_setpoint(proposal: Proposal) -> Setpoint:
    return Setpoint(p_ceiling_w=proposal.p_ceiling_w, p_target_w=proposal.p_target_w, q_var=proposal.q_var)
