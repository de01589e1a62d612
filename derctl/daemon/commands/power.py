"""Operators' limits, which live side by side, and setpoints, of which the latest counts. Each ends by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import msgspec

from derctl.core.requests import REQUESTS, BatteryRequest, FloorRequest, LimitRequest, Request
from derctl.core.words import Refusal
from derctl.daemon.commands.row import EVERYBODY, Command, Done, Order, Reach, admitted, check_der
from derctl.daemon.requests import tightest
from derctl.daemon.waiting import Waiter
from derctl.errors import CommandError

ASKS: Mapping[str, type[Request]] = {**REQUESTS, "change_limit": LimitRequest}
"""Commands that ask for something that lasts."""
UNRATED_MAX_W = 1e9
"""Most that a limit may say where a DER's rating is not known yet (docs/sources.md)."""


class LimitPower(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Arguments of limit_power. der None: the whole site."""

    p_ceiling_w: float
    der: str | None = None


class FloorPower(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Arguments of floor_power."""

    der: str
    p_floor_w: float


class SetBatteryPower(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Arguments of set_battery_power; + discharges."""

    der: str
    p_target_w: float


class Clear(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Arguments of clear. der None: all of them, and the site's. found: the limits that were found in devices."""

    der: str | None = None
    found: bool = False


async def limit_power(reach: Reach, order: Order) -> Done:
    """A ceiling on a DER, or on the sum of all."""
    return _limit(reach, order, instead=False)


async def change_limit(reach: Reach, order: Order) -> Done:
    """The same, in place of what its sender asked for before: a looser one waits for a clock that can be believed."""
    return _limit(reach, order, instead=True)


def _limit(reach: Reach, order: Order, *, instead: bool) -> Done:
    args: LimitPower = order.args
    check_der(reach, args.der)
    if not reach.has_function("operator_limit", args.der):
        raise CommandError(Refusal.NO_FUNCTION, "the site file has no operator_limit for it")
    ratings = {der.id: der.rating for der in reach.state().ders}
    concerned = [rating.p_max_w for der_id, rating in ratings.items() if args.der in {None, der_id}]
    most = sum(concerned) if all(concerned) else UNRATED_MAX_W
    if not 0.0 <= args.p_ceiling_w <= most:
        raise CommandError(Refusal.OUT_OF_RANGE, f"p_ceiling_w = {args.p_ceiling_w:g} is outside 0 to {most:g} W")
    request = LimitRequest(**order.asked, der=args.der, p_ceiling_w=args.p_ceiling_w)
    if instead and not order.synced and reach.requests.loosened(request):
        raise CommandError(Refusal.CLOCK_UNSYNCED, "the clock is not set yet: relaxing commands wait")
    back = put(reach, order, request, instead=instead)
    return Done(text=admitted(reach, order) + _tighter(reach, request), back=back)


def put(reach: Reach, order: Order, request: Request, *, instead: bool = False) -> Callable[[], None]:
    """Gives what takes it back."""
    before = dict(reach.requests.held)
    reach.requests.put(request, instead=instead, knew=order.knew)
    return reach.requests.undo(before)


def _tighter(reach: Reach, request: LimitRequest) -> str:
    """Which other limit binds meanwhile: without a clear it stays until its own end."""
    others = tightest(r for r in reach.requests.alive() if isinstance(r, LimitRequest) and r.der == request.der)
    [first] = [r for r in others if isinstance(r, LimitRequest)]
    if first.id == request.id:
        return ""
    clear = "clear" if request.der is None else f"clear {request.der}"
    return (
        f"; for {first.remaining_s:.0f} s {first.by}'s limit of {first.p_ceiling_w:g} W is the tighter one and binds "
        f"({clear} drops both)"
    )


async def floor_power(reach: Reach, order: Order) -> Done:
    """The least that a DER gives; only one that takes a target can be lifted."""
    args: FloorPower = order.args
    check_der(reach, args.der)
    if not reach.has_function("operator_limit", args.der):
        raise CommandError(Refusal.NO_FUNCTION, f"the site file has no operator_limit for {args.der!r}")
    der = next(each for each in reach.state().ders if each.id == args.der)
    if not der.can.aim:
        raise CommandError(Refusal.OUT_OF_RANGE, f"{args.der} takes no target: no floor lifts it")
    if not der.rating.p_min_w <= args.p_floor_w <= der.rating.p_max_w:
        text = f"p_floor_w = {args.p_floor_w:g} is outside {der.rating.p_min_w:g} to {der.rating.p_max_w:g} W"
        raise CommandError(Refusal.OUT_OF_RANGE, text)
    back = put(reach, order, FloorRequest(**order.asked, der=args.der, p_floor_w=args.p_floor_w))
    return Done(text=admitted(reach, order), back=back)


async def set_battery_power(reach: Reach, order: Order) -> Done:
    """A battery's power."""
    args: SetBatteryPower = order.args
    check_der(reach, args.der)
    if not reach.has_function("setpoint", args.der):
        raise CommandError(Refusal.NO_FUNCTION, f"the site file has no setpoint function for {args.der!r}")
    rating = next(der.rating for der in reach.state().ders if der.id == args.der)
    if not rating.p_min_w <= args.p_target_w <= rating.p_max_w:
        text = f"p_target_w = {args.p_target_w:g} is outside {rating.p_min_w:g} to {rating.p_max_w:g} W"
        raise CommandError(Refusal.OUT_OF_RANGE, text)
    back = put(reach, order, BatteryRequest(**order.asked, der=args.der, p_target_w=args.p_target_w))
    return Done(text=admitted(reach, order), back=back)


async def clear(reach: Reach, order: Order) -> Done:
    """Drop what operators asked of a DER, or of all; with `found` the limits that stood in them before. Who may not
    take back what others asked for drops what is its own."""
    args: Clear = order.args
    check_der(reach, args.der)
    if args.found:
        if not order.others:
            text = f"found: {order.by} may take back what it asked for itself, and no limit of somebody else's"
            raise CommandError(Refusal.NOT_PERMITTED, text)
        lifted = reach.found.lift(args.der)
        return Done(text=_lifted(lifted, args.der), back=partial(reach.found.keep, lifted))
    before = dict(reach.requests.held)
    count = reach.requests.clear(args.der, by=order.by, others=order.others, knew=order.knew)
    waited, again = _of_those_that_wait(reach, order)
    text = _dropped(count + waited, args.der)
    undo = reach.requests.undo(before)

    def back() -> None:
        undo()
        again()

    return Done(text=text if order.others else f"{text} ({order.by}'s own alone)", back=back)


def _of_those_that_wait(reach: Reach, order: Order) -> tuple[int, Callable[[], None]]:
    """Requests that wait for the clock are dropped, too, by one that does not: what came later stays."""
    der = order.args.der

    def concerned(each: Waiter) -> bool:
        asks = ASKS.get(each.command)
        mine = each.by == order.by or (order.others and asks is not None and not asks.own)
        return asks is not None and mine and der in {None, each.fields.get("der")}

    return reach.requests.waiting.drop(concerned if order.knew is None else lambda each: False, f"{order.by}: clear")


def _dropped(count: int, der: str | None) -> str:
    if count == 0:
        return "nothing to drop: no operator asked for anything" + ("" if der is None else f" of {der}")
    return f"{count} {'request' if count == 1 else 'requests'} dropped"


def _lifted(ders: list[str], der: str | None) -> str:
    if not ders:
        return "nothing to lift: no limit was found" + ("" if der is None else f" in {der}")
    return f"the limit that was found in {', '.join(ders)} is not kept any more"


ROWS: dict[str, Command] = {
    "limit_power": Command(
        args=LimitPower,
        apply=limit_power,
        relaxing=False,
        says="operator's limit on a DER, without `der` on the whole site, until the command expires; beside others",
        verb="limit 3000 pv1 10m",
        may=EVERYBODY,
    ),
    "change_limit": Command(
        args=LimitPower,
        apply=change_limit,
        relaxing=False,
        says="`limit_power` in place of the sender's earlier limits for the same DER, or the site: it may be looser, "
        "and such a one waits for a clock that is set",
        may=EVERYBODY,
    ),
    "floor_power": Command(
        args=FloorPower,
        apply=floor_power,
        relaxing=True,
        says="the least that a DER with a target gives (below 0: the most that it draws) until the command expires; "
        "beside others, of several the highest. A ceiling goes before it. Needs `operator_limit`",
        may=EVERYBODY,
    ),
    "set_battery_power": Command(
        args=SetBatteryPower,
        apply=set_battery_power,
        relaxing=True,
        says="battery setpoint (+ discharges) until the command expires, or the next one",
        may=EVERYBODY,
    ),
    "clear": Command(
        args=Clear,
        apply=clear,
        relaxing=True,
        says="drop all that was asked for of the DER, without it all there is; `found: true`: instead lift the "
        "limits that were found in devices",
        verb="clear pv1",
        may=EVERYBODY,
    ),
}
