"""A store that leaves at a time: how far it has to be charged by then."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from derctl.core.requests import DepartureRequest
from derctl.core.words import Refusal
from derctl.daemon.commands.power import put
from derctl.daemon.commands.row import HOME, Command, Done, Order, Reach, admitted, check_der
from derctl.errors import CommandError
from derctl.functions.departure import Departure, reached_pct
from derctl.functions.soc_guard import SocGuard


class ChargeForDeparture(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Arguments of charge_for_departure. departure: until then, and no longer, it is kept."""

    der: str
    soc_pct: float
    departure: datetime


async def charge_for_departure(reach: Reach, order: Order) -> Done:
    """It takes the place of the one before for the same DER."""
    args: ChargeForDeparture = order.args
    check_der(reach, args.der)
    runs = [function for function, ders in reach.plan.der_functions if args.der in ders]
    function = next((each for each in runs if isinstance(each, Departure)), None)
    if function is None:
        raise CommandError(Refusal.NO_FUNCTION, f"the site file has no {Departure.kind} for {args.der!r}")
    left_s = _left_s(order, args.departure)
    der = next(each for each in reach.state().ders if each.id == args.der)
    guard_pct = min([each.max_pct for each in runs if isinstance(each, SocGuard)], default=100.0)
    could_pct = reached_pct(der, left_s, function.efficiency_pu)
    most_pct = guard_pct if could_pct is None else min(could_pct, guard_pct)
    if not 0.0 < args.soc_pct <= most_pct:
        why = "what soc_guard leaves" if most_pct == guard_pct else f"what {args.der} can have by then"
        text = f"soc_pct = {args.soc_pct:g} is outside 0 to {most_pct:.4g} %, {why}"
        raise CommandError(Refusal.OUT_OF_RANGE, text)
    asked = order.asked | {"remaining_s": left_s}
    back = put(reach, order, DepartureRequest(**asked, der=args.der, soc_pct=args.soc_pct))
    unknown = "" if could_pct is not None else "; whether it can have it by then is not known"
    return Done(text=admitted(reach, order) + unknown, back=back)


def _left_s(order: Order, departure: datetime) -> float:
    """Until it leaves. Raises CommandError: it has left, or the command ends before."""
    if departure.tzinfo is None:
        raise CommandError(Refusal.BAD_ARGUMENT, "departure needs a time zone, such as Z")
    now = datetime.fromisoformat(order.until) - timedelta(seconds=order.seconds)
    left_s = (departure - now).total_seconds()
    if left_s <= 0.0:
        raise CommandError(Refusal.EXPIRED, f"departure was {-left_s:.0f} s ago")
    if left_s > order.seconds:
        text = f"departure is {left_s - order.seconds:.0f} s after the command ends: a longer expires_s"
        raise CommandError(Refusal.OUT_OF_RANGE, text)
    return left_s


ROWS: dict[str, Command] = {
    "charge_for_departure": Command(
        args=ChargeForDeparture,
        apply=charge_for_departure,
        relaxing=True,
        says="a store that leaves at `departure` (an EV, or one that gives back) has `soc_pct` by then (rank 70): "
        "the sun may fill it until it has to charge, then it draws its full power. It takes the place of the one "
        "before. Needs `departure`",
        may=HOME,
    ),
}
