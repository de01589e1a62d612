"""The emergency stop, and what lifts it."""

from __future__ import annotations

from derctl.core.requests import StopRequest
from derctl.core.types import FOREVER_S
from derctl.core.words import Standing
from derctl.daemon.commands.power import put
from derctl.daemon.commands.row import EVERYBODY, Command, Done, Nothing, Order, Reach


async def emergency_stop(reach: Reach, order: Order) -> Done:
    """Every DER to 0 W and 0 var, whatever the site file gives it, until it is lifted. No disk stands against it."""
    put(reach, order, StopRequest(id=order.id, der=None, by=order.by, remaining_s=FOREVER_S))
    text = "stopped until lift_stop"
    if not reach.gate.open:
        text = f"{text}, but nothing is written in observe mode"
    return Done(text=text, unsaved=f"{text}; after a restart that may be forgotten")


async def lift_stop(reach: Reach, order: Order) -> Done:
    """Whoever stopped the site."""
    before = dict(reach.requests.held)
    count = reach.requests.drop(
        lambda each: isinstance(each, StopRequest), Standing.CLEARED, order.by, knew=order.knew
    )
    return Done(text="lifted" if count else "nothing to lift: nobody stopped it", back=reach.requests.undo(before))


ROWS: dict[str, Command] = {
    "emergency_stop": Command(
        args=Nothing,
        apply=emergency_stop,
        relaxing=False,
        says="every DER to 0 W and 0 var (rank 0), over restarts, until `lift_stop`; neither `expires_s` nor `clear` "
        "ends it",
        verb="stop",
        may=EVERYBODY,
    ),
    "lift_stop": Command(
        args=Nothing,
        apply=lift_stop,
        relaxing=True,
        arms=True,
        says="ends the emergency stop",
        verb="stop --lift",
    ),
}
