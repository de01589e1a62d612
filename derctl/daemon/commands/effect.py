"""What a request did to the setpoints of one DER in a tick, by what the device made of it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from operator import attrgetter
from typing import Any

from derctl.core.dataclass import dataclass
from derctl.core.requests import EventRequest, FunctionRequest, LimitRequest, Request
from derctl.core.types import Bound, Decision, DerState, Outcome, Rating, Setpoint, SiteState
from derctl.core.words import Achieved, Became, Reason, What
from derctl.daemon.waiting import Key
from derctl.functions.grid_target import GridTarget

NEAR_W = 1.0
"""Two powers this near to each other are the same: what is told to a device is rounded."""
BY_ANOTHER_HAND = frozenset({Reason.OVERRIDE, Reason.CONTESTED})
BY_THE_DEVICE = frozenset(
    {
        Reason.REFUSED,
        Reason.NOT_SUPPORTED,
        Reason.WRITE_IGNORED,
        Reason.WRITE_CLIPPED,
        Reason.WRITE_BUDGET,
        Reason.NOT_FOLLOWED,
        Reason.CONTRADICTED,
    }
)
"""It was told, and does not do it."""


NOT_WRITTEN = (Achieved.UNKNOWN, Reason.GATE_CLOSED)
"""While derctl observes, or the site file says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """became None: not known yet. by: whose word counts in its place, or makes it needless. code: why it is so, or
    why nothing is known yet. sure_s: how long it has to be so before it is told, where a meter may be late."""

    became: Became | None = None
    by: str | None = None
    code: str | None = None
    sure_s: float = 0.0

    @property
    def text(self) -> str:
        """For people."""
        who = self.by or "somebody else at the device"
        why = "" if self.code is None else f" ({self.code})"
        lower = "" if self.by is None else f": {self.by} holds it lower"
        unmet = "" if self.code is None else f"; it was not achieved until then{why}"
        return {
            Became.ACHIEVED: "holds, and the power follows",
            Became.NOT_BINDING: f"met without it{lower}{why}",
            Became.OVERRIDDEN_BY: f"{who} counts instead{why}",
            Became.REFUSED: f"the device does not do it{why}",
            Became.LAPSED: f"has ended{unmet}",
            None: "",
        }[self.became]


OPEN = Effect()


def everybody(kind: str) -> frozenset[str] | None:
    """Where nobody knows whose function that is."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One tick, for all stories. at: as `at_poc` (commands/record) has it. memories: those before the step. asked:
    what is asked for, by sender and id. binding: by kind and DER the tightest limit. runs: whose function of a kind
    is; None: anybody's."""

    state: SiteState
    decisions: Sequence[Decision]
    dt_s: float
    at: Mapping[str, Any]
    ders: Mapping[str, DerState] = field(default_factory=dict)
    outcomes: Mapping[str, Outcome] = field(default_factory=dict)
    memories: Mapping[str, Any] = field(default_factory=dict)
    asked: Mapping[Key, Request] = field(default_factory=dict)
    binding: Mapping[tuple[str, str | None], Request] = field(default_factory=dict)
    runs: Callable[[str], frozenset[str] | None] = everybody

    def of(self, der: str | None, kind: str) -> list[Decision]:
        """Of this DER, or of all that have the function."""
        runs = self.runs(kind) if der is None else frozenset({der})
        return [each for each in self.decisions if runs is None or each.der in runs]

    def closed(self, der: str | None) -> bool:
        """Whether nothing is written to this DER, or to any: what is decided then is nobody's doing."""
        own = [each for name, each in self.outcomes.items() if der in {None, name}]
        return bool(own) and all((each.achieved, each.reason) == NOT_WRITTEN for each in own)


FUNCTIONS: Mapping[str, str] = {
    "floor_power": "operator_limit",
    "set_battery_power": "setpoint",
    "grid_limit": "grid_limits",
    "operating_envelope": "grid_limits",
    "demand_response": "grid_limits",
    "owner_limit": "owner_limits",
    "battery_plan": "schedule",
    "charge_for_departure": "departure",
    "set_reserve": "reserve",
    "set_power_factor": "const_pf",
    "set_var": "const_var",
    "emergency_stop": "emergency_stop",
}
"""By the kind of a request: the name under which it narrows a DER."""


def function_of(request: Request) -> str:
    """Which function carries it out, by its name in `bound_by`."""
    if isinstance(request, LimitRequest):
        return "operator_site_limit" if request.der is None else "operator_limit"
    if isinstance(request, FunctionRequest):
        return request.function
    return FUNCTIONS[request.kind]


def functions_of(request: Request) -> frozenset[str]:
    """The same of an event that has limits and a target."""
    target = {GridTarget.kind} if isinstance(request, EventRequest) and request.aims else set()
    return frozenset({function_of(request), *target})


def together(effects: Sequence[Effect]) -> Effect:
    """Of several DERs: the worst that is known of any, and nothing while one is open. Of what is not needed the one
    that says by whom."""
    for became in (Became.REFUSED, Became.OVERRIDDEN_BY, None, Became.ACHIEVED, Became.NOT_BINDING):
        found = [each for each in effects if each.became is became]
        if found:
            return next((each for each in found if each.by is not None), found[0])
    return OPEN


def limited(decision: Decision, seen: Seen, kind: str, asked_w: float | None) -> Effect:
    """Of a ceiling. asked_w None: the limit is on a sum, of which this is one part."""
    if asked_w is not None and _silent(decision, seen):
        return Effect(code=Reason.STALE)
    ceilings = [each for each in decision.bound_by if each.what is What.CEILING]
    own = [each for each in ceilings if each.by == kind and each.why is None]
    if not own:
        last = ceilings[-1] if ceilings else None
        if last is not None and last.by == kind:  # it is on its way up to a looser one, or does without its meter
            return Effect(code=last.why)
        lower = last is not None and (asked_w is None or last.value <= asked_w + NEAR_W)
        return Effect(became=Became.NOT_BINDING, by=last.by if last is not None and lower else None)
    if asked_w is not None and own[-1].value > asked_w + NEAR_W:
        return _above(decision, What.FLOOR, kind)
    if ceilings[-1].by != kind and ceilings[-1].value < own[-1].value - NEAR_W:
        return Effect(became=Became.NOT_BINDING, by=ceilings[-1].by)
    outcome, told_w = seen.outcomes.get(decision.der), power_w(decision.setpoint)
    if asked_w is not None and told_w is not None and told_w > asked_w + NEAR_W:
        return _above(decision, What.FLOOR, kind)
    if told_w is not None and told_w < own[-1].value - NEAR_W:  # a store that is aimed lower
        return Effect(became=Became.NOT_BINDING)
    if outcome is None:
        return OPEN
    desired_w = power_w(outcome.desired)
    return done(outcome, desired_w, desired_w if asked_w is None else told_w)  # a share moves with each tick


def held_up(decision: Decision, seen: Seen, kind: str, asked_w: float | None) -> Effect:
    """Of a floor, the same the other way round: only a target lifts anybody."""
    if asked_w is not None and _silent(decision, seen):
        return Effect(code=Reason.STALE)
    floors = [each for each in decision.bound_by if each.what is What.FLOOR]
    own = [each for each in floors if each.by == kind and each.why is None]
    told_w = decision.setpoint.p_target_w
    if not own:
        last = floors[-1] if floors else None
        if last is not None and last.by == kind:
            return Effect(code=last.why)
        higher = last is not None and (asked_w is None or last.value >= asked_w - NEAR_W)
        return Effect(became=Became.NOT_BINDING, by=last.by if last is not None and higher else None)
    if asked_w is not None and own[-1].value < asked_w - NEAR_W:
        return _above(decision, What.CEILING, kind)
    if told_w is None:
        return Effect(became=Became.REFUSED, code=Reason.NOT_SUPPORTED)
    if asked_w is not None and told_w < asked_w - NEAR_W:
        return _above(decision, What.CEILING, kind)
    if told_w > own[-1].value + NEAR_W:
        return Effect(became=Became.NOT_BINDING, by=None if floors[-1].by == kind else floors[-1].by)
    outcome = seen.outcomes.get(decision.der)
    if outcome is None:
        return OPEN
    desired_w = outcome.desired.p_target_w
    return done(outcome, desired_w, desired_w if asked_w is None else told_w)


def _silent(decision: Decision, seen: Seen) -> bool:
    """Nobody hears it: what it is told says nothing of what it does."""
    der = seen.ders.get(decision.der)
    return der is not None and not der.fresh


def _above(decision: Decision, edge: What, kind: str) -> Effect:
    """The other edge stands in its way."""
    met = [each.by for each in decision.bound_by if each.what is edge and each.by != kind]
    return Effect(became=Became.OVERRIDDEN_BY, by=met[-1] if met else None, code=Reason.SENIOR_BOUND)


def aimed(decision: Decision, seen: Seen, kind: str, asked_w: float) -> Effect:
    """Of a target."""
    told_w = decision.setpoint.p_target_w
    if told_w is None:
        return OPEN
    if abs(told_w - asked_w) > NEAR_W:
        edges = [each for each in decision.bound_by if each.what in {What.CEILING, What.FLOOR}]
        met = [each.by for each in edges if abs(each.value - told_w) <= NEAR_W]
        aims = [each.by for each in decision.bound_by if each.what is What.TARGET and each.by != kind]
        by = next(iter([*met[::-1], *aims]), None)
        return Effect(became=Became.OVERRIDDEN_BY, by=by, code=Reason.SENIOR_BOUND)
    outcome = seen.outcomes.get(decision.der)
    return OPEN if outcome is None else done(outcome, outcome.desired.p_target_w, told_w)


def power_w(setpoint: Setpoint) -> float | None:
    """What takes no ceiling is told a target."""
    return setpoint.p_target_w if setpoint.p_ceiling_w is None else setpoint.p_ceiling_w


def done(outcome: Outcome, desired: float | None, told: float | None) -> Effect:
    """What the device made of it, once the outcome is about this very setpoint, W or var."""
    if desired is None or told is None or abs(desired - told) > NEAR_W:
        return OPEN
    if outcome.reason in BY_ANOTHER_HAND:
        return Effect(became=Became.OVERRIDDEN_BY, by=None, code=outcome.reason)
    if outcome.achieved is Achieved.YES:
        return Effect(became=Became.ACHIEVED)
    if outcome.achieved is Achieved.NOT_BINDING:
        return Effect(became=Became.NOT_BINDING, code=outcome.reason)
    if outcome.achieved is Achieved.NO and outcome.reason in BY_THE_DEVICE:
        return Effect(became=Became.REFUSED, code=outcome.reason)
    return Effect(code=outcome.reason)


def by_rank(decision: Decision) -> list[Bound]:
    """Who bound it, seniors first. Limits of the site took effect the other way round, so that seniors have the last
    word."""
    return sorted(decision.bound_by, key=attrgetter("rank"))


def narrowings(decision: Decision, rating: Rating) -> Iterable[tuple[Bound, float]]:
    """By how much each narrowing moved an edge, in the order of ranks, W (below 0: less goes out) or var: so what a
    senior took is the senior's, and nobody else can claim it."""
    high_w, low_w = rating.p_max_w, rating.p_min_w
    for bound in by_rank(decision):
        if bound.what is What.CEILING:
            yield bound, min(bound.value - high_w, 0.0)
            high_w = min(high_w, bound.value)
        elif bound.what is What.FLOOR:
            yield bound, max(bound.value - low_w, 0.0)
            low_w = max(low_w, bound.value)
        else:
            yield bound, bound.value
