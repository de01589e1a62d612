"""Operators' limits, which live side by side, and setpoints, of which the latest counts. Each ends by itself."""

from __future__ import annotations

import math

import msgspec

from derctl.core.types import BatteryRequest, LimitRequest
from derctl.core.words import Refusal
from derctl.daemon.commands.row import Command, Order, Reach, admitted, check_der
from derctl.daemon.requests import tightest
from derctl.errors import CommandError


class LimitPower(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Arguments of limit_power. der None: the whole site."""

    p_ceiling_w: float
    der: str | None = None


class SetBatteryPower(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Arguments of set_battery_power; + discharges."""

    der: str
    p_target_w: float


class Clear(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Arguments of clear. der None: all of them, and the site's."""

    der: str | None = None


async def limit_power(reach: Reach, order: Order) -> str:
    """A ceiling on a DER, or on the sum of all."""
    args: LimitPower = order.args
    check_der(reach, args.der)
    if not reach.has_function("operator_limit", args.der):
        raise CommandError(Refusal.NO_FUNCTION, "the site file has no operator_limit for it")
    ratings = {der.id: der.rating for der in reach.state().ders}
    concerned = [rating.p_max_w for der_id, rating in ratings.items() if args.der in {None, der_id}]
    most = sum(concerned) if all(concerned) else math.inf
    if not 0.0 <= args.p_ceiling_w <= most:
        raise CommandError(Refusal.OUT_OF_RANGE, f"p_ceiling_w = {args.p_ceiling_w:g} is outside 0 to {most:g} W")
    request = LimitRequest(**order.asked, der=args.der, p_ceiling_w=args.p_ceiling_w)
    reach.requests.put(request)
    return admitted(reach, order) + _tighter(reach, request)


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


async def set_battery_power(reach: Reach, order: Order) -> str:
    """A battery's power."""
    args: SetBatteryPower = order.args
    check_der(reach, args.der)
    if not reach.has_function("setpoint", args.der):
        raise CommandError(Refusal.NO_FUNCTION, f"the site file has no setpoint function for {args.der!r}")
    rating = next(der.rating for der in reach.state().ders if der.id == args.der)
    if not rating.p_min_w <= args.p_target_w <= rating.p_max_w:
        text = f"p_target_w = {args.p_target_w:g} is outside {rating.p_min_w:g} to {rating.p_max_w:g} W"
        raise CommandError(Refusal.OUT_OF_RANGE, text)
    reach.requests.put(BatteryRequest(**order.asked, der=args.der, p_target_w=args.p_target_w))
    return admitted(reach, order)


async def clear(reach: Reach, order: Order) -> str:
    """Drop what operators asked of a DER, or of all."""
    args: Clear = order.args
    check_der(reach, args.der)
    count = reach.requests.clear(args.der)
    if count == 0:
        return "nothing to drop: no operator asked for anything" + ("" if args.der is None else f" of {args.der}")
    return f"{count} {'request' if count == 1 else 'requests'} dropped"


ROWS: dict[str, Command] = {
    "limit_power": Command(args=LimitPower, apply=limit_power, relaxing=False),
    "set_battery_power": Command(args=SetBatteryPower, apply=set_battery_power, relaxing=True),
    "clear": Command(args=Clear, apply=clear, relaxing=True),
}
