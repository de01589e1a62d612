"""One tick is one function call: `step(plan, memories, state, dt_s) -> (memories, decisions)`. A Mealy machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from derctl.core import allocation, belief, lost, sun, trial
from derctl.core.arbitration import (
    SENIORS_FIRST,
    Band,
    aim_of,
    aimed,
    confine,
    fold,
    reactive,
    reserved_w,
    rested,
    whole,
)
from derctl.core.capability import present_w, told_w
from derctl.core.types import (
    Abstain,
    Bound,
    Decision,
    DerState,
    PocState,
    Proposal,
    Setpoint,
    SiteProposal,
    SiteState,
)
from derctl.core.value import replace
from derctl.core.words import FallbackBy, Reason

Memory = Any
"""A function's own frozen Memory. The engine only carries it."""

Memories = Mapping[str, Memory]
"""Keyed `kind` for a site function, `kind/der` for a DER function; `held/` before either: what is held."""


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
    """What was said about one DER in this tick. reserved_w: see arbitration."""

    der: DerState
    proposals: list[Proposal] = field(default_factory=list)
    abstained: dict[str, str] = field(default_factory=dict)
    reserved_w: float | None = None
    band: Band = field(init=False)
    asked_w: float = 0.0


SUN = "sun"
"""The key of what was measured of the DERs lately (core/sun.py)."""
TRIAL = "trial"
"""The key of who is on trial (core/trial.py)."""
BELIEF = "belief"
"""The key of what the meter is believed to be (core/belief.py)."""
OWN: Mapping[str, type[Memory]] = {SUN: sun.Memory, TRIAL: trial.Memory, BELIEF: belief.Memory}
"""Of the engine's own memories."""
HELD = "held"
"""Before the key of a function's memory: what stands of its word (core/lost.py)."""

PASSIVE = belief.Need(steps=False)
"""Nobody makes steps."""

OPERATOR = 60
"""Rank from which a proposal counts as somebody's request rather than a rule."""


def step(
    plan: Plan, memories: Memories, state: SiteState, dt_s: float
) -> tuple[dict[str, Memory], tuple[Decision, ...]]:
    """Propose, arbitrate, decide. Pure: the same arguments give the same decision, bit for bit."""
    after: dict[str, Memory] = {TRIAL: trial.watched(memories.get(TRIAL, trial.START), state)}
    cases = {der.id: _Case(der) for der in state.ders}
    if after[TRIAL].cases:
        _try(cases, after[TRIAL], state.t_s)
    for function, ids in plan.der_functions:
        for der_id in ids:
            case = cases[der_id]
            if function.kind in plan.also_on_device and function.kind not in case.der.reading.own_off:
                _leave_to_device(function, case, memories, after, dt_s)
            else:
                _ask_der(function, case, memories, after, state, dt_s)
    for case in cases.values():
        _fallback(case)
        case.reserved_w = reserved_w(case.der, case.proposals)
        case.band = rested(_left(case), case.der)
        case.asked_w = max(-aim_of(case.band), 0.0)
    after[SUN] = seen = sun.watched(memories.get(SUN, sun.Memory()), state.ders, dt_s)
    lately = {each.der: each.p_w for each in seen.seen if cases[each.der].der.trial is None}
    for case in cases.values():
        case.der = replace(case.der, most_w=case.band.high_w, seen_w=lately.get(case.der.id))
    ders = tuple([case.der for case in cases.values()])
    poc = None if state.poc is None else _believed(state.poc, state.id, ders, memories, after, dt_s)
    state = replace(state, ders=ders, poc=poc)
    wishes = [
        wish
        for function, ids in plan.site_functions
        if (wish := _ask_site(function, [cases[i] for i in ids], memories, after, state, dt_s)) is not None
    ]
    words = sorted((wish.rank, wish.meter_pu) for wish in wishes if wish.meter_pu is not None)
    meter_pu = words[0][1] if words else 0.0
    after[TRIAL] = trial.relying(after[TRIAL], meter_pu == 1.0)
    _allocate(cases, wishes, _Split(lately, state, meter_pu))
    return after, tuple(_decide(case) for case in cases.values())


def _try(cases: Mapping[str, _Case], trials: trial.Memory, t_s: float) -> None:
    """Who is on trial is moved so that the meter can show it, and what it claims does not count."""
    for each in trials.cases:
        case = cases[each.der]
        case.proposals += trial.told(each, case.der, t_s)
        case.der = replace(case.der, trial=trial.standing(each, case.der))


def _believed(
    poc: PocState, site: str, ders: Sequence[DerState], memories: Memories, after: dict[str, Memory], dt_s: float
) -> PocState:
    """What the meter is believed to be, by those that can be told; who is on trial is no part of the sum."""
    steered = [der for der in ders if der.controllable and der.trial is None]
    before = memories[BELIEF] if BELIEF in memories else belief.start(site)
    after[BELIEF], evidence = belief.step(before, steered, poc, PASSIVE, dt_s)
    return replace(poc, belief=evidence)


def with_belief(state: SiteState, memories: Memories) -> SiteState:
    """The state as those see it who report: with what the meter was believed to be in the step that left these
    memories."""
    memory, poc = memories.get(BELIEF), state.poc
    if memory is None or poc is None:
        return state
    return replace(state, poc=replace(poc, belief=belief.told(memory)))


def _key(function: DerFunction, case: _Case) -> str:
    return f"{function.kind}/{case.der.id}"


def _memory(function: DerFunction | SiteFunction, key: str, memories: Memories) -> Memory:
    return memories[key] if key in memories else function.start()


def _leave_to_device(
    function: DerFunction, case: _Case, memories: Memories, after: dict[str, Memory], dt_s: float
) -> None:
    """The device runs it; or it can't say any more that it does not, and what was said last is held."""
    key = _key(function, case)
    if function.kind in case.der.reading.own_on:
        after[key] = function.start()
        case.abstained[function.kind] = f"{Reason.OWN_FUNCTION_ON}: the device runs its own"
        return
    after[key] = _memory(function, key, memories)
    why = f"{Reason.OWN_FUNCTION_ON}: the device's own mode can't be read back"
    _heed(key, Abstain(why, lost=True), case, memories, after, dt_s)


def _ask_der(
    function: DerFunction, case: _Case, memories: Memories, after: dict[str, Memory], state: SiteState, dt_s: float
) -> None:
    said: Proposal | Abstain
    key = _key(function, case)
    memory = memories[key] if key in memories else function.start()
    after[key], said = function.step(memory, case.der, state, dt_s)
    _heed(key, said, case, memories, after, dt_s)


def _heed(
    key: str, said: Proposal | Abstain, case: _Case, memories: Memories, after: dict[str, Memory], dt_s: float
) -> None:
    """What was said, or what stands of it while the function has no input."""
    held = f"{HELD}/{key}"
    hold, found = lost.passed(memories.get(held), said, case.der, dt_s)
    if hold is not None:
        after[held] = hold
    case.proposals += found
    if isinstance(said, Abstain):
        case.abstained[key.partition("/")[0]] = said.reason


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
    held = f"{HELD}/{function.kind}"
    hold, wish = lost.passed_by_site(memories.get(held), said, [case.der for case in cases], dt_s)
    if hold is not None:
        after[held] = hold
    if isinstance(said, Abstain):
        for case in cases:
            case.abstained[function.kind] = said.reason
    return wish


def memory_type(plan: Plan, key: str) -> type[Memory]:
    """Of the memory under this key, for who reads ticks back. Raises LookupError."""
    head, _, rest = key.partition("/")
    if head == HELD:
        return lost.Hold if "/" in rest else lost.SiteHold
    if head in OWN:
        return OWN[head]
    functions: list[DerFunction | SiteFunction] = [f for f, _ in plan.der_functions]
    functions += [f for f, _ in plan.site_functions]
    return type({f.kind: f for f in functions}[head].start())


def _fallback(case: _Case) -> None:
    """Rank 0. A DER whose reading is too old is asked for its declared fallback and nothing else. One whose last
    limit will stand without derctl is never given a higher one than that; so is one in which somebody else's was
    found. What stood in it is relaxed slowly. Nobody is raised unseen, but to rest; nor before the fallbacks are
    proven."""
    der, fallback = case.der, case.der.fallback
    limits: dict[str, float | None] = {"found_limit": der.found_w, "slow_rise": der.rise_w}
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
    return band if case.reserved_w is None else confine(band, case.reserved_w, by="s_max_va")


class _Split:
    """What allocation sees besides the DERs: their power as measured last, and what the sun gives."""

    def __init__(self, seen: Mapping[str, float], state: SiteState, meter_pu: float) -> None:
        self.seen = seen
        self.sun_w = sun.measured_w(state.ders, self.seen, state.poc, meter_pu)

    def slot(self, case: _Case, rank: int) -> allocation.Slot:
        """One DER in the split of a wish of this rank."""
        hard = _left(case, up_to=rank)
        return allocation.Slot(
            der=case.der,
            band=case.band,
            hard_low_w=hard.low_w,
            hard_high_w=hard.high_w,
            asked_w=case.asked_w,
            seen_w=self.seen.get(case.der.id),
        )

    def store(self, case: _Case) -> allocation.Slot:
        """What it draws is all that is asked of it."""
        low_w, high_w = case.band.low_w, case.band.high_w
        return allocation.Slot(
            der=case.der, band=case.band, hard_low_w=low_w, hard_high_w=high_w, asked_w=case.asked_w
        )


def _allocate(cases: Mapping[str, _Case], wishes: Iterable[SiteProposal], split: _Split) -> None:
    """Targets first, since they narrow nothing, seniors before juniors. Then floors and ceilings from junior to
    senior, so that seniors have the last word, and within a rank ceilings. No store draws more than the sun gives
    unless a DER's own function, or an operator, asks it to."""

    def slots(wish: SiteProposal) -> list[allocation.Slot]:
        return [split.slot(cases[der_id], wish.rank) for der_id in wish.over]

    ordered = sorted(wishes, key=lambda wish: (wish.rank, wish.by))
    for wish in ordered:
        if wish.p_target_w is not None:
            _apply(cases, allocation.share_target(slots(wish), wish))
    stores = [case for case in cases.values() if case.der.can.store]
    _apply(cases, allocation.from_sun([split.store(case) for case in stores], split.sun_w))

    def cap(made: Sequence[allocation.Slot], wish: SiteProposal) -> Mapping[str, Band]:
        elsewhere = [split.store(case) for case in stores if case.der.id not in wish.over]
        drawn_w = sum(slot.unasked_w(aim_of(slot.band)) for slot in elsewhere)
        return allocation.cap(made, wish, split.sun_w - drawn_w)

    edges: list[tuple[SiteProposal, Callable[..., Mapping[str, Band]]]]
    edges = [(wish, allocation.hold_up) for wish in ordered if wish.p_floor_w is not None]
    edges += [(wish, cap) for wish in ordered if wish.p_ceiling_w is not None]
    for wish, narrow in sorted(edges, key=lambda edge: -edge[0].rank):
        _apply(cases, narrow(slots(wish), wish))
        for der_id, most_w in wish.apart_w:
            alone = replace(wish, over=(der_id,), p_ceiling_w=most_w, why=Reason.ON_TRIAL)
            _apply(cases, allocation.cap(slots(alone), alone, split.sun_w))


def _apply(cases: Mapping[str, _Case], bands: Mapping[str, Band]) -> None:
    for der_id, band in bands.items():
        cases[der_id].band = band


def _decide(case: _Case) -> Decision:
    der, band = case.der, case.band
    var = reactive(der, band, case.proposals)
    setpoint, bounds = _setpoint(der, band, var.q_var)
    requested = _requested(case.proposals)
    return Decision(
        der=der.id,
        setpoint=setpoint,
        bound_by=bounds + var.bounds,
        abstained=case.abstained,
        requested=None if requested is None else _as_setpoint(requested),
        requested_by=None if requested is None else requested.by,
    )


def _setpoint(der: DerState, band: Band, q_var: float | None) -> tuple[Setpoint, tuple[Bound, ...]]:
    ceiling_w = band.high_w if der.can.limit else None
    if not aimed(der, band):
        return Setpoint(p_ceiling_w=ceiling_w, q_var=q_var), band.bounds
    bounds = band.bounds if band.target_by is None else (band.target_by, *band.bounds)
    return Setpoint(p_ceiling_w=ceiling_w, p_target_w=aim_of(band), q_var=q_var), bounds


def _requested(proposals: Iterable[Proposal]) -> Proposal | None:
    asked = [each for each in proposals if each.rank >= OPERATOR and each.why is not Reason.RELAXING]
    return min(asked, key=SENIORS_FIRST, default=None)


def _as_setpoint(proposal: Proposal) -> Setpoint:
    return Setpoint(p_ceiling_w=proposal.p_ceiling_w, p_target_w=proposal.p_target_w, q_var=proposal.q_var)
