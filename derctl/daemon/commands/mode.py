"""Arming and disarming, and a question whether anybody is there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import msgspec

from derctl.core.words import Refusal, Role
from derctl.daemon.actuate.release import Release as GivenBack
from derctl.daemon.actuate.text import released_text
from derctl.daemon.commands.row import EVERYBODY, INSTALLERS, Command, Done, Nothing, Order, Reach, acknowledged
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


class Release(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Arguments of release. lift: limits are raised to the fallback, those that an earlier one left, too."""

    lift: bool = False


DISARMED = "nothing is written any more, but after a restart it may be forgotten"


async def disarm(reach: Reach, order: Order) -> Done:
    """Control to observe, releasing what was written."""
    return disarmed(await given_back(reach, order.by, lift=False))


async def release(reach: Reach, order: Order) -> Done:
    """The same, where limits may be raised."""
    args: Release = order.args
    return disarmed(await given_back(reach, order.by, lift=args.lift))


async def given_back(reach: Reach, by: str, *, lift: bool) -> dict[str, GivenBack]:
    """Disarms, and releases what was written; by DER."""
    reach.gate.disarm(by)
    reach.changed()
    await reach.end_trial()
    return await reach.releaser.release(lift=lift)


def disarmed(result: Mapping[str, GivenBack]) -> Done:
    """It stays, saved or not."""
    text = released_text(result)
    return Done(text=text, unsaved=f"{DISARMED}; {text}")


async def reload(reach: Reach, order: Order) -> Done:
    """The site file as it is now."""
    return Done(text=await reach.reread(), unsaved="the file counts all the same, and is read at the next start")


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
    "release": Command(
        args=Release,
        apply=release,
        relaxing=True,
        arms=True,
        waits=False,
        says="as `disarm`; with `lift` limits are raised to the fallback, those that an earlier release left, too",
        verb="release",
        apart=True,
    ),
    "reload": Command(
        args=Nothing,
        apply=reload,
        relaxing=True,
        arms=True,
        waits=False,
        says="the machine's site file is read again, as by SIGHUP; `bad_site_file`: the running one stays. Where it "
        "names another broker the reply may be lost, and the event `site_file_reloaded` tells",
        verb="reload",
        may=INSTALLERS,
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
