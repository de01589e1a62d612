"""Arming and disarming, and a question whether anybody is there."""

from __future__ import annotations

from typing import Annotated

import msgspec

from derctl.core.words import Refusal, Role
from derctl.daemon.actuate.text import released_text
from derctl.daemon.commands.row import EVERYBODY, Command, Done, Nothing, Order, Reach, acknowledged
from derctl.daemon.owned import two_owners, untold
from derctl.errors import CommandError

LOOK_S = 3.0
"""What was found incomplete is looked at again before control is refused for it (docs/sources.md)."""


class Arm(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Arguments of arm. confirm: what the first answer gave; the same sender's second arm needs none."""

    confirm: Annotated[str, msgspec.Meta(min_length=1, max_length=64)] | None = None


async def arm(reach: Reach, order: Order) -> Done:
    """Observe to control: the first word shows what would be written, the second does it."""
    if reach.releaser.releasing:
        raise CommandError(Refusal.NOT_READY, "a release is under way")
    heard = reach.gate.disarms
    await reach.look(LOOK_S)
    seen = await reach.shadow()
    if reach.gate.disarms != heard:
        raise CommandError(Refusal.NOT_READY, "a disarm came meanwhile, and counts: arm again if that is meant")
    before, state = reach.gate.arming, reach.state()
    two = "" if before.armed else two_owners(reach.plan, state)
    if two:
        raise CommandError(Refusal.TWO_OWNERS, two)
    reach.gate.ask(order.by, order.args.confirm, (*untold(reach.plan, state), *([seen] if seen else [])))
    relied, unlearn = acknowledged(reach, None)
    disarmed = reach.gate.undo(before)

    def back() -> None:
        disarmed()
        unlearn()

    return Done(text="; ".join(word for word in ("armed", relied, reach.gate.warning) if word), back=back)


DISARMED = "nothing is written any more, but after a restart it may be forgotten"


async def disarm(reach: Reach, order: Order) -> Done:
    """Control to observe, releasing what was written."""
    reach.gate.disarm(order.by)
    reach.changed()
    await reach.end_trial()
    text = released_text(await reach.releaser.release(lift=False))
    return Done(text=text, unsaved=f"{DISARMED}; {text}")


async def ping(reach: Reach, order: Order) -> Done:
    """A reply, nothing else."""
    return Done(text="pong")


ROWS: dict[str, Command] = {
    "arm": Command(
        args=Arm,
        apply=arm,
        relaxing=True,
        arms=True,
        waits=False,
        says="observe → control in two steps, if nothing stands against it (see below); what was not found, or found "
        "incomplete, is looked at again first (3 s at most)",
        verb="arm",
    ),
    "disarm": Command(
        args=Nothing,
        apply=disarm,
        relaxing=False,
        says="control → observe, releasing first; what can't be reached is tried again every 10 s, what is refused "
        "after 20, 40 s … an hour",
        verb="disarm",
        may=EVERYBODY - {Role.AGGREGATOR},
    ),
    "ping": Command(
        args=Nothing,
        apply=ping,
        relaxing=False,
        saved=False,
        says="a reply, nothing else",
        may=EVERYBODY,
    ),
}
