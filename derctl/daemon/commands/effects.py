"""What became of a request of each kind in a tick, by what is measured. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from derctl.core.requests import Request
from derctl.core.types import Decision
from derctl.core.value import replace
from derctl.core.words import Achieved, Became, Reason, What
from derctl.daemon.commands.effect import (
    NEAR_W,
    OPEN,
    Effect,
    Seen,
    aimed,
    done,
    function_of,
    held_up,
    limited,
    together,
)
from derctl.functions.departure import Memory as Leaving
from derctl.functions.lapse import NO_LIMIT, Lapse
from derctl.functions.site_limits import FIELDS, Memory

STAYS_OVER_S = 30.0
"""A meter may be so late, and those that follow it: what it shows above a limit for longer is no transient."""
SUN_ONLY = "sun_only"
"""It keeps a store from drawing what the sun does not give: who generates makes room instead."""
SETTLED_PU = 0.01
"""A var that is this near to what is asked for, per unit of the apparent power, is no more on its way there."""
WITHIN = frozenset({Achieved.YES, Achieved.NOT_BINDING})
"""The var of a setpoint is measured near enough: whether its limit binds is another thing."""


def effect_of(request: Any, seen: Seen) -> Effect:
    """request: what of it counts now. What was sent later and is of the state is in it. Where nothing is written
    nobody holds anything, lower or higher, whatever is decided."""
    found = EFFECTS[request.kind](request, seen)
    if found.became in {Became.NOT_BINDING, Became.OVERRIDDEN_BY} and seen.closed(request.der):
        return Effect(code=Reason.GATE_CLOSED)
    return found


def _limit(request: Any, seen: Seen) -> Effect:
    tightest = seen.binding.get((request.kind, request.der), request)
    if (tightest.by, tightest.id) != (request.by, request.id):
        return Effect(became=Became.NOT_BINDING, by=tightest.by)
    kind, asked_w = function_of(request), None if request.der is None else request.p_ceiling_w
    return together([limited(each, seen, kind, asked_w) for each in seen.of(request.der, kind)])


def _floor(request: Any, seen: Seen) -> Effect:
    tightest = seen.binding.get((request.kind, request.der), request)
    if (tightest.by, tightest.id) != (request.by, request.id):
        return Effect(became=Became.NOT_BINDING, by=tightest.by)
    kind = function_of(request)
    return together([held_up(each, seen, kind, request.p_floor_w) for each in seen.of(request.der, kind)])


def _setpoint(request: Any, seen: Seen) -> Effect:
    kind = function_of(request)
    return together([aimed(each, seen, kind, request.p_target_w) for each in seen.of(request.der, kind)])


def _plan(request: Any, seen: Seen) -> Effect:
    """Of the interval that lasts now: its target, or its two edges."""
    kind, found = function_of(request), list[Effect]()
    for each in seen.of(request.der, kind) if request.part is not None else []:
        if request.p_target_w is not None:
            found.append(aimed(each, seen, kind, request.p_target_w))
        if request.p_ceiling_w is not None:
            found.append(limited(each, seen, kind, request.p_ceiling_w))
        if request.p_floor_w is not None:
            found.append(held_up(each, seen, kind, request.p_floor_w))
    return together(found)


def _site(request: Any, seen: Seen) -> Effect:
    """Of each limit by itself, of an envelope those of the interval that lasts now."""
    return together([_bound(request, name, limit_w, seen) for name, limit_w in request.bounds().items()])


def _bound(request: Request, name: str, limit_w: float, seen: Seen) -> Effect:
    """Whether it is the one in force is what its function remembers."""
    kind = function_of(request)
    lapse = _in_force(seen, kind, name)
    if lapse.limit_w is None or not lapse.by:
        return OPEN if lapse.limit_w is None else Effect(code=Reason.RELAXING)
    if lapse.by != request.id or abs(lapse.limit_w - limit_w) > NEAR_W:
        lower = lapse.limit_w <= limit_w + NEAR_W
        return Effect(became=Became.NOT_BINDING, by=_whose(lapse, name, kind, seen)) if lower else OPEN
    room_w = _room_w(name, limit_w, seen)
    if room_w is None:
        return Effect(code=Reason.UNMEASURED if name == "generation_w" else Reason.METER_LOST)
    judge, other = (held_up, What.CEILING) if name == "import_w" else (limited, What.FLOOR)
    found = [judge(each, seen, kind, None) for each in seen.decisions]
    if room_w < -NEAR_W:
        return _over(found, other, kind, seen)
    nearer = _nearer(name, room_w, kind, seen)
    if nearer is not None:
        return Effect(became=Became.NOT_BINDING, by=nearer)
    return next((each for each in found if each.became is Became.ACHIEVED), together(found))


def _in_force(seen: Seen, kind: str, name: str) -> Lapse:
    memory = seen.memories.get(kind)
    lapse: Lapse = getattr(memory, FIELDS[name]) if isinstance(memory, Memory) else NO_LIMIT
    return lapse


def _whose(lapse: Lapse, name: str, kind: str, seen: Seen) -> str:
    """The sender of the limit in force; of the agreement's own the function's name."""
    asked = (each for each in seen.state.requests if each.id == lapse.by and getattr(each, name, None) is not None)
    return next((each.by for each in asked), kind)


def _room_w(name: str, limit_w: float, seen: Seen) -> float | None:
    """How far what is measured is below the limit; None: nothing is measured now."""
    poc = seen.state.poc
    if name == "generation_w":
        given = [der.reading.p_w if der.fresh else None for der in seen.state.ders]
        known = [w for w in given if w is not None]
        return limit_w - sum(known) if len(known) == len(given) else None
    if poc is None or not poc.fresh or poc.reading.p_w is None:
        return None
    return limit_w - (poc.reading.p_w if name == "export_w" else -poc.reading.p_w)


def _over(found: Sequence[Effect], other: What, kind: str, seen: Seen) -> Effect:
    """More is measured than may be: somebody senior wants it so, a device does not do it, or it is on its way."""
    all_of = together(found)
    if all_of.became in {Became.REFUSED, Became.OVERRIDDEN_BY}:
        return replace(all_of, sure_s=STAYS_OVER_S)
    edges = [each for one in seen.decisions for each in one.bound_by if each.what is other and each.by != kind]
    seniors = [each.by for each in edges if each.by != SUN_ONLY]
    if seniors and all_of.became is not None:
        return Effect(became=Became.OVERRIDDEN_BY, by=seniors[-1], code=Reason.SENIOR_BOUND, sure_s=STAYS_OVER_S)
    return Effect(code=next((each.reason for each in seen.outcomes.values() if each.reason is not None), None))


def _nearer(name: str, room_w: float, kind: str, seen: Seen) -> str | None:
    """Export and generation are kept by one ceiling: it is the doing of the one that leaves less room."""
    others = {"export_w": "generation_w", "generation_w": "export_w"}
    lapse = NO_LIMIT if name not in others else _in_force(seen, kind, others[name])
    if lapse.limit_w is None:
        return None
    left_w = _room_w(others[name], lapse.limit_w, seen)
    return _whose(lapse, others[name], kind, seen) if left_w is not None and left_w < room_w - NEAR_W else None


def _departure(request: Any, seen: Seen) -> Effect:
    """The charge that is measured counts; until then who keeps it from charging."""
    kind, der = function_of(request), seen.ders.get(request.der)
    if der is None or not der.fresh or der.reading.soc_pct is None:
        return Effect(code=Reason.UNMEASURED)
    memory = seen.memories.get(f"{kind}/{der.id}")
    begun = isinstance(memory, Leaving) and memory.begun == request.id
    if der.reading.soc_pct >= request.soc_pct:
        return Effect(became=Became.ACHIEVED if begun else Became.NOT_BINDING)
    charging = [aimed(each, seen, kind, der.rating.p_min_w) for each in seen.of(der.id, kind) if begun]
    found = together(charging)
    return found if found.became in {Became.REFUSED, Became.OVERRIDDEN_BY} else Effect(code=Reason.NOT_CHARGED)


def _reserve(request: Any, seen: Seen) -> Effect:
    """The highest that is asked for counts. It binds once the charge is down at it."""
    kind = function_of(request)

    def of(each: Decision) -> Effect:
        alike = [one for one in seen.state.requests if one.kind == request.kind and one.der in {None, each.der}]
        higher = max(alike, key=lambda one: getattr(one, "min_pct", 0.0), default=request)
        if getattr(higher, "min_pct", 0.0) > request.min_pct:
            return Effect(became=Became.NOT_BINDING, by=higher.by)
        found = limited(each, seen, kind, None)
        met = found.became is Became.NOT_BINDING and _charged(each.der, request.min_pct, seen)
        return Effect(became=Became.NOT_BINDING) if met else found

    return together([of(each) for each in seen.of(request.der, kind)])


def _charged(der: str, above_pct: float, seen: Seen) -> bool:
    """Whoever holds it lower then: the reserve is not at stake."""
    state = seen.ders.get(der)
    soc_pct = None if state is None or not state.fresh else state.reading.soc_pct
    return soc_pct is not None and soc_pct > above_pct


def _var(request: Any, seen: Seen) -> Effect:
    """Of a power factor or a reactive power: what is measured of the var, beside its setpoint."""
    kind = function_of(request)
    return together([_var_of(each, request, kind, seen) for each in seen.of(request.der, kind)])


def _var_of(decision: Decision, request: Any, kind: str, seen: Seen) -> Effect:
    der, outcome = seen.ders.get(decision.der), seen.outcomes.get(decision.der)
    if der is None:
        return OPEN
    first = _its_own(request, decision.der, seen)
    if first is not None:
        return Effect(became=Became.OVERRIDDEN_BY, by=first.by, code=Reason.SENIOR_BOUND)
    if not der.can.var:
        return Effect(became=Became.REFUSED, code=Reason.NOT_SUPPORTED)
    bounds = [each for each in decision.bound_by if each.what is What.VAR]
    if bounds and (bounds[0].by != kind or len(bounds) > 1):
        return Effect(became=Became.OVERRIDDEN_BY, by=bounds[-1].by, code=Reason.SENIOR_BOUND)
    if not bounds or not der.fresh or der.reading.q_var is None:
        return Effect(code=Reason.STALE if not der.fresh else Reason.UNMEASURED)
    told, nothing = bounds[0].value, abs(bounds[0].value) <= NEAR_W
    if (
        request.kind == "set_var"
        and abs(told - request.q_pu * der.rating.s_max_va) > SETTLED_PU * der.rating.s_max_va
    ):
        return OPEN
    if request.kind == "set_power_factor" and nothing and request.pf < 1.0:
        return Effect(became=Became.NOT_BINDING, code=Reason.NO_SUN if not der.can.store else None)
    if outcome is None or outcome.desired.q_var is None:
        return OPEN
    if outcome.achieved in WITHIN and outcome.reason is None:
        outcome = replace(outcome, achieved=Achieved.YES)
    return done(outcome, outcome.desired.q_var, outcome.desired.q_var)


def _its_own(request: Request, der: str, seen: Seen) -> Request | None:
    """One for this DER goes before one for all."""
    if request.der is not None:
        return None
    return next((each for each in seen.state.requests if (each.kind, each.der) == (request.kind, der)), None)


def _stop(request: Any, seen: Seen) -> Effect:
    """Of every DER that is there: one that can't be told, or that the site file does not let, is not stopped."""
    kind = function_of(request)
    return together([_stopped(each, kind, seen) for each in seen.decisions])


def _stopped(decision: Decision, kind: str, seen: Seen) -> Effect:
    der = seen.ders.get(decision.der)
    if der is None or not der.fresh or der.reading.p_w is None:
        return Effect(code=Reason.UNMEASURED)
    if der.can.steer and decision.der in seen.outcomes:
        return limited(decision, seen, kind, 0.0)
    if abs(der.reading.p_w) <= NEAR_W:
        return Effect(became=Became.NOT_BINDING)
    return Effect(became=Became.REFUSED, code=Reason.NOT_SUPPORTED)


EFFECTS: Mapping[str, Callable[[Any, Seen], Effect]] = {
    "limit_power": _limit,
    "floor_power": _floor,
    "set_battery_power": _setpoint,
    "grid_limit": _site,
    "owner_limit": _site,
    "operating_envelope": _site,
    "demand_response": _site,
    "battery_plan": _plan,
    "charge_for_departure": _departure,
    "set_reserve": _reserve,
    "set_power_factor": _var,
    "set_var": _var,
    "emergency_stop": _stop,
}
"""By the kind of a request: each has one (a test compares them with core/requests.REQUESTS)."""
