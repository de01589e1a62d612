"""What is planned for a battery by others, interval by interval, and demand-response events."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec

from derctl.core.requests import AIMS, EventRequest, PlanRequest
from derctl.core.schedule import Aim, Limits
from derctl.core.types import Rating
from derctl.core.words import Refusal, Standing
from derctl.daemon.commands import shapes
from derctl.daemon.commands.parts import counting, spans
from derctl.daemon.commands.power import put
from derctl.daemon.commands.row import (
    EVERYBODY,
    GRID,
    HOME,
    SCHEDULE_MAX,
    Command,
    Done,
    Order,
    Reach,
    admitted,
    check_der,
)
from derctl.daemon.commands.shapes import AimSteps
from derctl.daemon.commands.site_limits import limits, site_function
from derctl.daemon.commands.written import later
from derctl.errors import CommandError
from derctl.functions.schedule import Schedule
from derctl.functions.site_limits import GridLimits


class Step(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """One interval of a plan: a target (+ discharges), or an envelope. end: without it where the next one starts."""

    start: datetime
    end: datetime | None = None
    p_target_w: float | None = None
    p_ceiling_w: float | None = None
    p_floor_w: float | None = None


class BatteryPlan(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Arguments of battery_plan. The intervals, or in their place steps, or a plan of this shape (`shapes.plan`)."""

    der: str
    intervals: list[Step]
    steps: AimSteps | None = None
    shape: str | None = None
    plan: Any = None


class DemandResponse(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Arguments of demand_response: at least one limit. start None: at once."""

    duration_s: float
    start: datetime | None = None
    export_w: float | None = None
    import_w: float | None = None
    generation_w: float | None = None


class OptOut(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Arguments of opt_out. event: its id; None: all that are known."""

    event: str | None = None


class When(msgspec.Struct, kw_only=True, frozen=True):
    """From when to when an event lasts."""

    start: datetime
    end: datetime | None


async def battery_plan(reach: Reach, order: Order) -> Done:
    """A plan for a battery; it takes the place of the one before, though it may have nothing to say."""
    args: BatteryPlan = order.args
    check_der(reach, args.der)
    if not reach.has_function(Schedule.kind, args.der):
        raise CommandError(Refusal.NO_FUNCTION, f"the site file has no {Schedule.kind} for {args.der!r}")
    rating = next(der.rating for der in reach.state().ders if der.id == args.der)
    if not rating.size_w:
        raise CommandError(
            Refusal.RATING_UNKNOWN, f"{args.der} was never found: what it can is not known; send it again"
        )
    found = spans(order, args.intervals, may_be_idle=True)
    schedule = tuple(
        Aim(from_s=from_s, to_s=to_s, **_aims(step, rating, f"intervals[{i}]"))
        for i, (step, (from_s, to_s)) in enumerate(zip(args.intervals, found, strict=True))
    )
    request = PlanRequest(**order.asked, der=args.der, schedule=schedule)
    back, now = put(reach, order, request), request.now()
    return Done(text=f"{admitted(reach, order)}; {counting(now.part, found, order)}", back=back)


def _aims(step: Step, rating: Rating, path: str) -> dict[str, Any]:
    """Raises CommandError: it asks for nothing, or for more than the battery can."""
    found = {name: getattr(step, name) for name in AIMS}
    for name, w in found.items():
        if w is not None and not rating.p_min_w <= w <= rating.p_max_w:
            text = f"{path}.{name} = {w:g} is outside {rating.p_min_w:g} to {rating.p_max_w:g} W"
            text = f"{text} (from {step.start.isoformat()} on)"
            raise CommandError(Refusal.OUT_OF_RANGE, text)
    if all(w is None for w in found.values()):
        raise CommandError(Refusal.BAD_ARGUMENT, f"{path} says nothing: give one of {', '.join(AIMS)}")
    low, high = step.p_floor_w, step.p_ceiling_w
    if low is not None and high is not None and low > high:
        text = f"{path}.p_floor_w = {low:g} is outside {rating.p_min_w:g} to its p_ceiling_w = {high:g} W"
        raise CommandError(Refusal.OUT_OF_RANGE, text)
    return found


async def demand_response(reach: Reach, order: Order) -> Done:
    """Limits from a start on, for a time; beside others."""
    args: DemandResponse = order.args
    site_function(reach, GridLimits.kind)
    asked = limits(args)
    if not 0.0 < args.duration_s <= order.seconds:
        text = f"duration_s = {args.duration_s:g} is outside 0 (not included) to {order.seconds:g} s"
        raise CommandError(Refusal.OUT_OF_RANGE, f"{text}, which the command lives")
    start = (
        datetime.fromisoformat(order.until) - timedelta(seconds=order.seconds) if args.start is None else args.start
    )
    end = None if start.tzinfo is None else later(start, timedelta(seconds=args.duration_s), "start")
    [(from_s, to_s)] = spans(order, [When(start=start, end=end or start)])
    if to_s < 0.0:
        raise CommandError(Refusal.OUT_OF_RANGE, f"it ends {-to_s:g} s after the command: a longer expires_s")
    request = EventRequest(**order.asked, der=None, schedule=(Limits(from_s=from_s, to_s=to_s, **asked),))
    back = put(reach, order, request)
    begins = "" if request.now().part else f"; begins in {order.seconds - from_s:.0f} s"
    return Done(text=admitted(reach, order) + begins, back=back)


async def opt_out(reach: Reach, order: Order) -> Done:
    """Of demand-response events, where the site file lets the owner."""
    args: OptOut = order.args
    function = site_function(reach, GridLimits.kind)
    if not function.may_opt_out:
        text = f"the site file does not let anybody opt out of events ({GridLimits.kind}.may_opt_out)"
        raise CommandError(Refusal.MAY_NOT_OPT_OUT, text)
    before = dict(reach.requests.held)
    known = [each.request.id for each in before.values() if isinstance(each.request, EventRequest)]
    if args.event is not None and args.event not in known:
        there = f"known are {', '.join(known)}" if known else "none is known"
        raise CommandError(Refusal.BAD_ARGUMENT, f"event: no event '{args.event}'; {there}")
    count = reach.requests.drop(
        lambda each: isinstance(each, EventRequest) and args.event in {None, each.id},
        Standing.OPTED_OUT,
        order.by,
        knew=order.knew,
    )
    text = "no event is known" if count == 0 else f"opted out of {count}"
    return Done(text=text, back=reach.requests.undo(before))


ROWS: dict[str, Command] = {
    "demand_response": Command(
        args=DemandResponse,
        apply=demand_response,
        relaxing=False,
        says="an event: limits of the site from `start` (absent: now) for `duration_s` (rank 40); beside others. "
        "Needs `grid_limits`",
        may=GRID,
    ),
    "opt_out": Command(
        args=OptOut,
        apply=opt_out,
        relaxing=True,
        says="the event of this id, without it all, is not followed, where the site file lets the owner "
        "(`grid_limits.may_opt_out`)",
        may=HOME,
    ),
    "battery_plan": Command(
        args=BatteryPlan,
        apply=battery_plan,
        relaxing=True,
        says="a planner's targets or envelopes for a battery, interval by interval (rank 70); it takes the place of "
        "the one before. Needs `schedule`",
        verb="schedule plan.json",
        may=EVERYBODY,
        plain=shapes.plan,
        payload_max=SCHEDULE_MAX,
    ),
}
