"""What a request did to the setpoints of a tick: it holds, it binds nothing, or somebody else's word counts. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from derctl.core.types import BatteryRequest, Bound, Decision, LimitRequest, Outcome, Rating, Request, Setpoint
from derctl.core.words import Achieved, Became, Reason, What

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """became None: not known yet. by: whose word counts in its place, or makes it needless. code: why it is so, or
    why nothing is known yet."""

    became: Became | None = None
    by: str | None = None
    code: str | None = None

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


def function_of(request: Request) -> str:
    """Which function carries it out; "" for a kind that none is known of."""
    if isinstance(request, LimitRequest):
        return "operator_site_limit" if request.der is None else "operator_limit"
    return "setpoint" if isinstance(request, BatteryRequest) else ""


def effect_of(
    request: Request, decisions: Sequence[Decision], outcomes: Mapping[str, Outcome], tighter: Request | None
) -> Effect:
    """tighter: another one that binds in its place."""
    if tighter is not None:
        return Effect(became=Became.NOT_BINDING, by=tighter.by)
    kind = function_of(request)
    if isinstance(request, BatteryRequest):
        found = [_aimed(each, outcomes, request.p_target_w) for each in decisions if each.der == request.der]
    elif isinstance(request, LimitRequest) and request.der is not None:
        found = [_limited(each, outcomes, kind, request.p_ceiling_w) for each in decisions if each.der == request.der]
    elif isinstance(request, LimitRequest):
        found = [_limited(each, outcomes, kind, None) for each in decisions]
    else:
        found = []
    return together(found)


def together(effects: Sequence[Effect]) -> Effect:
    """Of several DERs: the worst that is known of any, and nothing while one is open."""
    for became in (Became.REFUSED, Became.OVERRIDDEN_BY, None, Became.ACHIEVED, Became.NOT_BINDING):
        first = next((each for each in effects if each.became is became), None)
        if first is not None:
            return first
    return OPEN


def _limited(decision: Decision, outcomes: Mapping[str, Outcome], kind: str, asked_w: float | None) -> Effect:
    """asked_w None: the limit is on a sum, of which this is one part."""
    ceilings = [each for each in decision.bound_by if each.what is What.CEILING]
    own = [each for each in ceilings if each.by == kind and each.why is None]
    if not own:
        last = ceilings[-1] if ceilings else None
        if last is not None and last.by == kind:  # it is on its way up to a looser one
            return OPEN
        lower = last is not None and (asked_w is None or last.value <= asked_w + NEAR_W)
        return Effect(became=Became.NOT_BINDING, by=last.by if last is not None and lower else None)
    if asked_w is not None and own[-1].value > asked_w + NEAR_W:
        floors = [each.by for each in decision.bound_by if each.what is What.FLOOR and each.by != kind]
        return Effect(became=Became.OVERRIDDEN_BY, by=floors[-1] if floors else None, code=Reason.SENIOR_BOUND)
    if ceilings[-1].by != kind and ceilings[-1].value < own[-1].value - NEAR_W:
        return Effect(became=Became.NOT_BINDING, by=ceilings[-1].by)
    outcome, told_w = outcomes.get(decision.der), _power_w(decision.setpoint)
    if told_w is not None and told_w < own[-1].value - NEAR_W:  # a store that is aimed lower
        return Effect(became=Became.NOT_BINDING)
    if outcome is None:
        return OPEN
    desired_w = _power_w(outcome.desired)
    return _outcome(outcome, desired_w, desired_w if asked_w is None else told_w)  # a share moves with each tick


def _power_w(setpoint: Setpoint) -> float | None:
    """What takes no ceiling is told a target."""
    return setpoint.p_target_w if setpoint.p_ceiling_w is None else setpoint.p_ceiling_w


def _aimed(decision: Decision, outcomes: Mapping[str, Outcome], asked_w: float) -> Effect:
    told_w = decision.setpoint.p_target_w
    if told_w is None:
        return OPEN
    if abs(told_w - asked_w) > NEAR_W:
        edges = [each for each in decision.bound_by if each.what in {What.CEILING, What.FLOOR}]
        met = [each.by for each in edges if abs(each.value - told_w) <= NEAR_W]
        aims = [each.by for each in decision.bound_by if each.what is What.TARGET and each.by != "setpoint"]
        by = next(iter([*met[::-1], *aims]), None)
        return Effect(became=Became.OVERRIDDEN_BY, by=by, code=Reason.SENIOR_BOUND)
    outcome = outcomes.get(decision.der)
    return OPEN if outcome is None else _outcome(outcome, outcome.desired.p_target_w, told_w)


def _outcome(outcome: Outcome, desired_w: float | None, told_w: float | None) -> Effect:
    """What the device made of it, once the outcome is about this very setpoint."""
    if desired_w is None or told_w is None or abs(desired_w - told_w) > NEAR_W:
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


def narrowings(decision: Decision, rating: Rating) -> Iterable[tuple[Bound, float]]:
    """By how much each narrowing moved an edge, in the order of ranks, W (below 0: less goes out) or var: so what a
    senior took is the senior's, and nobody else can claim it."""
    high_w, low_w = rating.p_max_w, rating.p_min_w
    for bound in decision.bound_by:
        if bound.what is What.CEILING:
            yield bound, bound.value - high_w
            high_w = bound.value
        elif bound.what is What.FLOOR:
            yield bound, bound.value - low_w
            low_w = bound.value
        else:
            yield bound, bound.value
