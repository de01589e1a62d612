"""Arming and disarming, and a question whether anybody is there."""

from __future__ import annotations

from derctl.core.words import Refusal
from derctl.daemon.actuate.text import released_text
from derctl.daemon.commands.row import Command, Nothing, Order, Reach
from derctl.errors import CommandError

LOOK_S = 3.0
"""What was found incomplete is looked at again before control is refused for it (docs/sources.md)."""


async def arm(reach: Reach, order: Order) -> str:
    """Observe to control."""
    if reach.releaser.releasing:
        raise CommandError(Refusal.NOT_READY, "a release is under way")
    await reach.look(LOOK_S)
    reach.gate.arm(order.by)
    return "armed" if reach.gate.warning is None else f"armed; {reach.gate.warning}"


async def disarm(reach: Reach, order: Order) -> str:
    """Control to observe, releasing what was written."""
    reach.gate.disarm(order.by)
    reach.changed()
    return released_text(await reach.releaser.release(lift=False))


async def ping(reach: Reach, order: Order) -> str:
    """A reply, nothing else."""
    return "pong"


ROWS: dict[str, Command] = {
    "arm": Command(args=Nothing, apply=arm, relaxing=True),
    "disarm": Command(args=Nothing, apply=disarm, relaxing=False),
    "ping": Command(args=Nothing, apply=ping, relaxing=False, saved=False),
}
