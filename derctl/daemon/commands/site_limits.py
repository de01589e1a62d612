"""Limits of the whole site at its point of connection, by the grid operator's and the owner's word, and envelopes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from derctl.core.requests import LIMITS, EnvelopeRequest, GridLimitRequest, OwnerLimitRequest
from derctl.core.schedule import Limits
from derctl.core.words import Refusal
from derctl.daemon.commands import shapes
from derctl.daemon.commands.parts import counting, spans
from derctl.daemon.commands.power import put
from derctl.daemon.commands.row import GRID, HOME, SCHEDULE_MAX, Command, Done, Order, Reach, admitted
from derctl.daemon.commands.shapes import LimitSteps
from derctl.errors import CommandError
from derctl.functions.site_limits import ANY_W, GridLimits, OwnerLimits


class SiteLimit(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Arguments of grid_limit and owner_limit: at least one of them."""

    export_w: float | None = None
    import_w: float | None = None
    generation_w: float | None = None


class Part(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """One interval of an envelope. end: without it where the next one starts."""

    start: datetime
    end: datetime | None = None
    export_w: float | None = None
    import_w: float | None = None
    generation_w: float | None = None


class OperatingEnvelope(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Arguments of operating_envelope. The intervals, or steps in their place (`shapes.envelope`)."""

    intervals: list[Part]
    steps: LimitSteps | None = None


async def grid_limit(reach: Reach, order: Order) -> Done:
    """What the grid operator lets the site export, import and generate for a time."""
    asked = _asked(reach, order, GridLimits.kind)
    return Done(
        text=admitted(reach, order), back=put(reach, order, GridLimitRequest(**order.asked, der=None, **asked))
    )


async def owner_limit(reach: Reach, order: Order) -> Done:
    """The same by the owner's word."""
    asked = _asked(reach, order, OwnerLimits.kind)
    return Done(
        text=admitted(reach, order), back=put(reach, order, OwnerLimitRequest(**order.asked, der=None, **asked))
    )


async def operating_envelope(reach: Reach, order: Order) -> Done:
    """Limits of one interval after the other; it takes the place of its sender's one before."""
    args: OperatingEnvelope = order.args
    site_function(reach, GridLimits.kind)
    found = spans(order, args.intervals)
    schedule = tuple(
        Limits(from_s=from_s, to_s=to_s, **limits(part, f"intervals[{i}]."))
        for i, (part, (from_s, to_s)) in enumerate(zip(args.intervals, found, strict=True))
    )
    request = EnvelopeRequest(**order.asked, der=None, schedule=schedule)
    back, now = put(reach, order, request), request.now()
    return Done(text=f"{admitted(reach, order)}; {counting(now.part, found, order)}", back=back)


def _asked(reach: Reach, order: Order, function: str) -> dict[str, Any]:
    site_function(reach, function)
    return limits(order.args)


def limits(args: Any, path: str = "") -> dict[str, Any]:
    """Raises CommandError: none is given, or one is no limit."""
    found = {name: getattr(args, name) for name in LIMITS}
    for name, limit_w in found.items():
        if limit_w is not None and not 0.0 <= limit_w <= ANY_W:
            raise CommandError(Refusal.OUT_OF_RANGE, f"{path}{name} = {limit_w:g} is outside 0 to {ANY_W:g} W")
    if not any(limit_w is not None for limit_w in found.values()):
        raise CommandError(
            Refusal.BAD_ARGUMENT, f"{path.rstrip('.') or 'it'} says nothing: give one of {', '.join(LIMITS)}"
        )
    return found


def site_function(reach: Reach, kind: str) -> Any:
    """The one of the site file. Raises CommandError: there is none."""
    found = next((function for function, _ in reach.plan.site_functions if function.kind == kind), None)
    if found is None:
        raise CommandError(Refusal.NO_FUNCTION, f"the site file has no {kind}")
    return found


ROWS: dict[str, Command] = {
    "grid_limit": Command(
        args=SiteLimit,
        apply=grid_limit,
        relaxing=False,
        says="limits of the site by the grid operator's word (rank 40) until the command expires; beside others, of "
        "each the lowest binds. Needs `grid_limits`",
        verb="cap --grid export 5kW 1h",
        may=GRID,
    ),
    "owner_limit": Command(
        args=SiteLimit,
        apply=owner_limit,
        relaxing=False,
        says="the same by the owner's word (rank 50). Needs `owner_limits`",
        verb="cap export 3kW import 8kW 2h",
        may=HOME,
    ),
    "operating_envelope": Command(
        args=OperatingEnvelope,
        apply=operating_envelope,
        relaxing=True,
        says="a schedule of such limits (rank 40); it takes the place of its sender's one before. Outside of its "
        "intervals, and once it has expired, the defaults of `grid_limits` count",
        verb="schedule envelope.json",
        may=GRID,
        plain=shapes.envelope,
        payload_max=SCHEDULE_MAX,
    ),
}
