"""A setpoint told without the daemon's loop, by who holds the site alone: the journal first, then the registers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from derctl.core.exchange import Write
from derctl.core.scales import confirmed
from derctl.core.types import Setpoint
from derctl.daemon.actuate import hold as holds
from derctl.daemon.actuate.deadband import Written
from derctl.daemon.actuate.releaser import Releaser
from derctl.daemon.actuate.writer import Writer
from derctl.daemon.clock import Clock
from derctl.devices.types import Controllable
from derctl.errors import BusTimeout
from derctl.links.turns import Priority
from derctl.store import state
from derctl.store.folder import Folder
from derctl.store.state import Surviving


async def tell(
    releaser: Releaser,
    writer: Writer,
    setpoint: Setpoint,
    clock: Callable[[], float],
    on_sent: Callable[[], None],
) -> tuple[Setpoint, Setpoint | None]:
    """What was sent, and what it reads back as far as that is believed. on_sent: called as each write goes out.

    Raises OSError where the journal can't be saved: then nothing is written; BusError, DeviceError, SettingError,
    WriteBarred.
    """
    await releaser.note(writer.id)
    channel, account, records = writer.channel, writer.account, releaser.records
    if records.unsaved:
        if account.hold.written is None:
            records.written.forget([writer.id])
        raise OSError("what is about to be written can't be written down first, so nothing is")
    profile, device = channel.measured.profile, controllable(writer)
    await asyncio.sleep(max(account.hold.sent_s + profile.write_min_interval_s - clock(), 0.0))
    await account.ration.reserve(profile, toggle=False)
    desired, words = device.sendable(setpoint), dict(channel.answers.words)
    permit = account.ration.permit(device, profile, words, urgent=True)

    def permitted(write: Write) -> None:
        permit(write)
        on_sent()

    before = account.sending(desired)
    found = await channel.bus.execute(
        channel.unit,
        confirmed(device.write(desired, writer.promised.told, words), channel.answers.scales),
        priority=Priority.WRITE,
        permit=permitted,
    )
    known = channel.measured.believed(found)
    written = Written(setpoint=desired, at_s=clock(), found=known, sample=channel.measured.sample)
    account.hold = holds.arrived(account.hold, before, written, profile.settle_s, gave_back=False)
    return desired, known


def controllable(writer: Writer) -> Controllable:
    """It was found, and may be told something. Raises BusTimeout."""
    if writer.channel.device is None:
        raise BusTimeout(f"{writer.id}: it is not found any more")
    return cast(Controllable, writer.channel.device)


async def surviving(folder: Folder, clock: Clock) -> Surviving:
    """What survived. There is one before anything is written: without one the next start would not know whether
    somebody had disarmed."""
    found, problem = state.load(folder)
    if problem is None and folder.lacks(state.FILE):
        found = Surviving(saved=clock.wall(), synced=clock.synced)
        await state.save(folder, found)
    return found
