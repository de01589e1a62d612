"""One tick is one function call: `step(plan, memories, state, dt_s) -> (memories, decisions)`. A Mealy machine."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import field
from functools import cache, lru_cache, partial
from typing import Any, ClassVar, Protocol

from derctl.core import (
    allocation,
    astray,
    belief,
    by_phase,
    doubts,
    first,
    heed,
    hunting,
    lost,
    sensitivity,
    sun,
    trial,
)
from derctl.core.arbitration import (
    RANK,
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
from derctl.core.dataclass import dataclass
from derctl.core.evidence import Evidence, together
from derctl.core.feeding import Shares
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
    StopRequest,
)
from derctl.core.value import made, replace
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
    loops: kinds that follow a voltage which they move themselves, and may hunt (core/hunting.py).
    """

    der_functions: tuple[tuple[DerFunction, tuple[str, ...]], ...] = ()
    site_functions: tuple[tuple[SiteFunction, tuple[str, ...]], ...] = ()
    also_on_device: frozenset[str] = frozenset()
    loops: frozenset[str] = frozenset()

    def runs(self, kind: str) -> frozenset[str] | None:
        """Whose function of this kind is; None: no DER's."""
        listed = [ders for function, ders in self.der_functions if function.kind == kind]
        return frozenset(der for ders in listed for der in ders) or None


@dataclass(slots=True)
class _Case:
    """What was said about one DER in this tick. reserved_w: see arbitration. left, last: what all who speak for it
    alone leave, and the rank of the most junior of them."""

    der: DerState
    proposals: list[Proposal] = field(default_factory=list)
    abstained: dict[str, str] = field(default_factory=dict)
    reserved_w: float | None = None
    left: Band = field(init=False)
    last: int = 0
    band: Band = field(init=False)
    asked_w: float = 0.0


SUN = "sun"
"""The key of what was measured of the DERs lately (core/sun.py)."""
TRIAL = "trial"
"""The key of who is on trial (core/trial.py)."""
HUNTING = "hunting"
"""Before the key of a loop's memory: whether it hunts (core/hunting.py)."""
FIRST = "first"
"""The key of who was never seen to move the meter (core/first.py)."""
BELIEF = "belief"
"""The key of what the meter is believed to be (core/belief.py)."""
DOUBTS = "doubts"
"""The key of what else speaks against it (core/doubts.py)."""
HEED = "heed"
"""The key of who does what it is told (core/heed.py)."""
SENSITIVITY = "sensitivity"
"""The key of what the DERs move of their voltage (core/sensitivity.py)."""
OWN: Mapping[str, type[Memory]] = {
    SUN: sun.Memory,
    TRIAL: trial.Memory,
    FIRST: first.Memory,
    BELIEF: belief.Memory,
    HUNTING: hunting.Memory,
    DOUBTS: doubts.Memory,
    HEED: heed.Memory,
    SENSITIVITY: sensitivity.Memory,
}
"""Of the engine's own memories."""
HELD = "held"
"""Before the key of a function's memory: what stands of its word (core/lost.py)."""

_new_slot, _new_decision, _new_setpoint = made(allocation.Slot), made(Decision), made(Setpoint)

STOP = Proposal(by="emergency_stop", rank=0, p_ceiling_w=0.0, p_floor_w=0.0, p_target_w=0.0, q_var=0.0)
"""What each DER is asked for while somebody has stopped the site: nothing, either way."""

OPERATOR = 60
"""Rank from which a proposal counts as somebody's request rather than a rule."""


def step(
    plan: Plan, memories: Memories, state: SiteState, dt_s: float
) -> tuple[dict[str, Memory], tuple[Decision, ...]]:
    """Propose, arbitrate, decide. Pure: the same arguments give the same decision, bit for bit."""
    after: dict[str, Memory] = {}
    cases = _met(memories, after, state)
    for function, ids in plan.der_functions:
        for der_id in ids:
            case = cases[der_id]
            if function.kind in plan.also_on_device and function.kind not in case.der.reading.own_off:
                _leave_to_device(function, case, memories, after, dt_s)
            else:
                ask = _ask_loop if function.kind in plan.loops else _ask_der
                ask(function, case, memories, after, state, dt_s)
    stopped = any(isinstance(each, StopRequest) for each in state.requests)
    for case in cases.values():
        _narrow(case, stopped=stopped)
    after[SUN] = seen = sun.watched(memories.get(SUN, sun.Memory()), state.ders, dt_s)
    lately = {each.der: each.p_w for each in seen.seen if cases[each.der].der.trial is None}
    for case in cases.values():
        case.der = replace(case.der, most_w=case.band.high_w, seen_w=lately.get(case.der.id))
    ders = tuple([case.der for case in cases.values()])
    heard_by = heed.watched(memories.get(HEED, heed.START), ders, dt_s)
    moved = memories.get(SENSITIVITY, sensitivity.START)
    after[SENSITIVITY] = sensitivity.watched(moved, ders, state.poc, state.t_s)
    poc = None if state.poc is None else _believed(state.poc, state.id, ders, memories, after, dt_s)
    state = replace(state, ders=_corrected(cases, after.get(DOUBTS, doubts.START)), poc=poc)
    wishes = [
        wish
        for function, ids in plan.site_functions
        if (wish := _ask_site(function, [cases[i] for i in ids], memories, after, state, dt_s)) is not None
    ]
    meter_pu, heard = _meter_of(wishes)
    after[TRIAL] = trial.relying(after[TRIAL], meter_pu == 1.0)
    if poc is not None:
        _needed(wishes, after)
    _allocate(cases, wishes, _Split(lately, seen, state, meter_pu, heed.deaf(heard_by), heard=heard))
    decisions = tuple(_decide(case) for case in cases.values())
    after[HEED] = heed.telling(heard_by, decisions)
    return after, decisions


def _corrected(cases: Mapping[str, _Case], found: doubts.Memory) -> tuple[DerState, ...]:
    """Who was found to feed in another phase than it is said to counts in both."""
    ders = astray.corrected(found.astray, [case.der for case in cases.values()])
    for case, der in zip(cases.values(), ders, strict=True):
        case.der = der
    return ders


def _narrow(case: _Case, *, stopped: bool) -> None:
    """What the DER functions leave of a DER."""
    _fallback(case)
    if stopped:
        case.proposals.append(STOP)
    case.reserved_w = reserved_w(case.der, case.proposals)
    case.left, case.last = _left(case), max(map(RANK, case.proposals), default=0)
    case.band = rested(case.left, case.der)
    case.asked_w = max(-aim_of(case.band), 0.0)


def _met(memories: Memories, after: dict[str, Memory], state: SiteState) -> dict[str, _Case]:
    """Who is there, and whose word counts: who is on trial, and who was never seen to move the meter."""
    due = belief.due(memories[BELIEF]) if BELIEF in memories else False
    after[TRIAL] = trial.watched(memories.get(TRIAL, trial.START), state, waits=due)
    tried = [each.der for each in after[TRIAL].cases]
    after[FIRST] = first.watched(memories.get(FIRST, first.START), state, tried)
    cases = {der.id: _Case(der) for der in state.ders}
    if tried:
        _try(cases, after[TRIAL], state.t_s)
    if after[FIRST].unseen:
        _doubt(cases, after[FIRST], relied=after[TRIAL].relied)
    return cases


def _meter_of(wishes: Iterable[SiteProposal]) -> tuple[float, bool]:
    """How far the meter is relied on by the most senior who closes a loop on it, and whether that one hears it."""
    said = min((wish for wish in wishes if wish.meter_pu is not None), key=_seniority, default=None)
    if said is None or said.meter_pu is None:
        return 0.0, False
    return said.meter_pu, said.why is not Reason.METER_LOST


def _seniority(wish: SiteProposal) -> tuple[int, float]:
    return wish.rank, wish.meter_pu or 0.0


def _try(cases: Mapping[str, _Case], trials: trial.Memory, t_s: float) -> None:
    """Who is on trial is moved so that the meter can show it, and what it claims does not count."""
    for each in trials.cases:
        case = cases[each.der]
        case.proposals += trial.told(each, case.der, t_s)
        case.der = replace(case.der, trial=trial.standing(each, case.der))


def _doubt(cases: Mapping[str, _Case], firsts: first.Memory, *, relied: bool) -> None:
    """Who was never seen to move the meter, once another was: its claim is no part of any sum. A store stays where it
    is: what it draws counts as far as it was told to."""
    unseen = {each.der for each in firsts.unseen}
    apart = relied and any(_shown(case.der, unseen) for case in cases.values())
    for each in firsts.unseen:
        case = cases.get(each.der)
        if case is not None:
            alone = apart and not case.der.can.store
            standing = first.standing(each, case.der) if alone else None
            case.der = replace(case.der, unseen=True, left=each.left, trial=standing)


def _shown(der: DerState, unseen: Collection[str]) -> bool:
    return der.controllable and der.can.limit and der.trial is None and der.id not in unseen


def _believed(
    poc: PocState, site: str, ders: Sequence[DerState], memories: Memories, after: dict[str, Memory], dt_s: float
) -> PocState:
    """What the meter is believed to be, by those that are heard; who is on trial is no part of the sum. At first
    nobody was seen to move it: then all that are heard make it up."""
    heard = [der for der in ders if der.fresh and der.trial is None and belief.power_w(der) is not None]
    known = first.known(heard)
    steered = [der for der in known if der.controllable]
    before = memories[BELIEF] if BELIEF in memories else belief.start(site)
    memory, evidence = belief.step(before, known, poc, before.need, dt_s)
    others = memories.get(DOUBTS, doubts.START)
    after[DOUBTS] = others = doubts.step(others, before.doublet, memory.doublet, steered, poc, dt_s)
    if others.found is not None:
        memory = belief.contradicted(memory)
        evidence = belief.told(memory)
    after[BELIEF] = memory
    if memory.age_s == 0.0 and len(known) == 1 and known[0].unseen:
        after[FIRST] = first.shown(after[FIRST], known[0].id)
    return replace(poc, belief=_suspected(doubts.told(others, evidence), poc, after[SENSITIVITY]))


def _needed(wishes: Sequence[SiteProposal], after: dict[str, Memory]) -> None:
    """What depends on the meter until the next tick."""
    needs = [wish.need for wish in wishes if wish.need is not None]
    after[BELIEF] = belief.needing(after[BELIEF], together(needs))


def with_belief(state: SiteState, memories: Memories) -> SiteState:
    """The state as those see it who report: with what the meter was believed to be in the step that left these
    memories."""
    poc = state.poc
    return state if poc is None else replace(state, poc=replace(poc, belief=evidence_of(poc, memories)))


def evidence_of(poc: PocState, memories: Memories) -> Evidence:
    """What the meter was believed to be in the step that left these memories."""
    memory = memories.get(BELIEF)
    if memory is None:
        return poc.belief
    evidence = doubts.told(memories.get(DOUBTS, doubts.START), belief.told(memory))
    return _suspected(evidence, poc, memories.get(SENSITIVITY, sensitivity.START))


def _suspected(evidence: Evidence, poc: PocState, moved: sensitivity.Memory) -> Evidence:
    """What the voltage says of the meter is told where nothing else is, and who follows it is not known to."""
    if evidence.why is not None or poc.followers or not moved.meter.known.contradicted:
        return evidence
    found = sensitivity.suspicion(moved)
    return evidence if found is None else replace(evidence, why=found.by, text=found.text)


@cache
def _keys(kind: str, der_id: str | None = None) -> tuple[str, str]:
    """Of a function's memory, and of what is held of its word. The same two in each tick: the recorder keeps many."""
    key = kind if der_id is None else f"{kind}/{der_id}"
    return key, f"{HELD}/{key}"


@lru_cache(maxsize=8)
def keys_of(kind: str, keys: tuple[str, ...]) -> tuple[str, ...]:
    """Of all memories' keys those of one kind for each DER: HUNTING, or a DER function's. They are the same in each
    tick."""
    return tuple([key for key in keys if key.startswith(f"{kind}/")])


@cache
def _hunting_key(kind: str, der_id: str) -> str:
    return f"{HUNTING}/{kind}/{der_id}"


def _memory(function: DerFunction | SiteFunction, key: str, memories: Memories) -> Memory:
    return memories[key] if key in memories else function.start()


def _leave_to_device(
    function: DerFunction, case: _Case, memories: Memories, after: dict[str, Memory], dt_s: float
) -> None:
    """The device runs it; or it can't say any more that it does not, and what was said last is held."""
    key, held = _keys(function.kind, case.der.id)
    if function.kind in case.der.reading.own_on:
        after[key] = function.start()
        case.abstained[function.kind] = f"{Reason.OWN_FUNCTION_ON}: the device runs its own"
        return
    after[key] = _memory(function, key, memories)
    why = f"{Reason.OWN_FUNCTION_ON}: the device's own mode can't be read back"
    _heed(function.kind, held, Abstain(why, lost=True), case, memories, after, dt_s)


def _ask_der(
    function: DerFunction, case: _Case, memories: Memories, after: dict[str, Memory], state: SiteState, dt_s: float
) -> None:
    said: Proposal | Abstain
    key, held = _keys(function.kind, case.der.id)
    memory = memories[key] if key in memories else function.start()
    after[key], said = function.step(memory, case.der, state, dt_s)
    _heed(function.kind, held, said, case, memories, after, dt_s)


def _ask_loop(
    function: DerFunction,
    case: _Case,
    memories: Memories,
    after: dict[str, Memory],
    state: SiteState,
    dt_s: float,
) -> None:
    """One that follows what it moves. While it hunts its own time goes slower, as with a longer response time."""
    said: Proposal | Abstain
    (key, held), hunts = _keys(function.kind, case.der.id), _hunting_key(function.kind, case.der.id)
    guard = memories.get(hunts, hunting.START)
    memory = memories[key] if key in memories else function.start()
    after[key], said = function.step(memory, case.der, state, dt_s * guard.pace)
    if isinstance(said, Proposal):
        guard, said = hunting.guarded(guard, said, case.der, t_s=state.t_s, tick_s=state.tick_s, dt_s=dt_s)
    after[hunts] = guard
    _heed(function.kind, held, said, case, memories, after, dt_s)


def _heed(
    kind: str,
    held: str,
    said: Proposal | Abstain,
    case: _Case,
    memories: Memories,
    after: dict[str, Memory],
    dt_s: float,
) -> None:
    """What was said, or what stands of it while the function has no input. held: the key of that."""
    hold, found = lost.passed(memories.get(held), said, case.der, dt_s)
    if hold is not None:
        after[held] = hold
    case.proposals += found
    if isinstance(said, Abstain):
        case.abstained[kind] = said.reason


def _ask_site(
    function: SiteFunction,
    cases: Sequence[_Case],
    memories: Memories,
    after: dict[str, Memory],
    state: SiteState,
    dt_s: float,
) -> SiteProposal | None:
    said: SiteProposal | Abstain
    key, held = _keys(function.kind)
    ders = [case.der for case in cases]
    after[key], said = function.step(_memory(function, key, memories), ders, state, dt_s)
    hold, wish = lost.passed_by_site(memories.get(held), said, ders, dt_s)
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


WHY = {"reverify_due": Reason.FIRMWARE_CHANGED}
"""Of the limits that stand before all functions: what there is to say beyond the name."""


def _fallback(case: _Case) -> None:
    """Rank 0. A DER whose reading is too old is asked for its declared fallback and nothing else. One whose last
    limit will stand without derctl is never given a higher one than that; so is one in which somebody else's was
    found. What stood in it is relaxed slowly. Nobody is raised unseen, but to rest; nor before the fallbacks are
    proven, nor with a firmware that nobody tried, or that nobody has acknowledged."""
    der, fallback = case.der, case.der.fallback
    limits: dict[str, float | None] = {
        "found_limit": der.found_w,
        "slow_rise": der.rise_w,
        "reverify_due": der.reverify_w,
    }
    if not der.fresh:
        case.proposals = [p for p in case.proposals if p.p_target_w is None and p.q_var is None]
        limits["comms_loss"] = fallback.p_ceiling_w
    elif fallback.by == FallbackBy.STANDS:
        limits["fallback_stands"] = fallback.p_ceiling_w
    if der.halted:
        limits["unproven_fallback"] = present_w(der)
    if der.unverified:
        limits["unverified"] = present_w(der)
    if (not der.fresh or der.reading.p_w is None) and not der.can.rest:
        told = told_w(der)
        limits["unmeasured"] = max(told, 0.0) if told is not None and der.can.aim else told
    case.proposals += [
        Proposal(by=by, rank=0, p_ceiling_w=w, why=WHY.get(by)) for by, w in limits.items() if w is not None
    ]


def _left(case: _Case, up_to: int | None = None) -> Band:
    """What proposals up to a rank leave of the rating, and reactive priority of the circle."""
    band = fold(whole(case.der.rating), case.proposals, up_to=up_to)
    return band if case.reserved_w is None else confine(band, case.reserved_w, by="s_max_va")


class _Split:
    """What allocation sees besides the DERs: their power as measured last, and what the sun gives."""

    def __init__(
        self,
        seen: Mapping[str, float],
        watched: sun.Memory,
        state: SiteState,
        meter_pu: float,
        deaf: Collection[str],
        *,
        heard: bool,
    ) -> None:
        self.deaf = deaf
        self.seen, self.could = seen, {each.der: each.w for each in watched.could}
        self.sun_w = sun.measured_w(state.ders, self.seen, state.poc, meter_pu, heard=heard)

    def slot(self, case: _Case, rank: int) -> allocation.Slot:
        """One DER in the split of a wish of this rank."""
        hard = case.left if case.last <= rank else _left(case, up_to=rank)
        return _new_slot(
            der=case.der,
            band=case.band,
            hard_low_w=hard.low_w,
            hard_high_w=hard.high_w,
            asked_w=case.asked_w,
            seen_w=self.seen.get(case.der.id),
            could_w=self.could.get(case.der.id),
            deaf=case.der.id in self.deaf,
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

    def cap(made: Sequence[allocation.Slot], wish: SiteProposal, of_sun_pu: float = 1.0) -> Mapping[str, Band]:
        elsewhere = [split.store(case) for case in stores if case.der.id not in wish.over]
        drawn_w = sum(slot.unasked_w(aim_of(slot.band)) for slot in elsewhere)
        return allocation.cap(made, wish, (split.sun_w - drawn_w) * of_sun_pu)

    def cap_in(at: Shares, made: Sequence[allocation.Slot], wish: SiteProposal) -> Mapping[str, Band]:
        return by_phase.narrowed(partial(cap, of_sun_pu=by_phase.drawn_pu(made, at)), at, made, wish)

    edges: list[tuple[SiteProposal, Callable[..., Mapping[str, Band]]]]
    edges = [(wish, allocation.hold_up) for wish in ordered if wish.p_floor_w is not None]
    for wish in ordered:
        low, high = by_phase.floors(wish), by_phase.ceilings(wish)
        edges += [(part, partial(by_phase.narrowed, allocation.hold_up, at)) for part, at in low]
        edges += [(part, partial(cap_in, at)) for part, at in high]
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
    return _new_decision(
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
        return _new_setpoint(p_ceiling_w=ceiling_w, q_var=q_var), band.bounds
    bounds = band.bounds if band.target_by is None else (band.target_by, *band.bounds)
    return _new_setpoint(p_ceiling_w=ceiling_w, p_target_w=aim_of(band), q_var=q_var), bounds


def _requested(proposals: Iterable[Proposal]) -> Proposal | None:
    asked = [each for each in proposals if each.rank >= OPERATOR and each.why is not Reason.RELAXING]
    return min(asked, key=SENIORS_FIRST, default=None)


def _as_setpoint(proposal: Proposal) -> Setpoint:
    return Setpoint(p_ceiling_w=proposal.p_ceiling_w, p_target_w=proposal.p_target_w, q_var=proposal.q_var)
