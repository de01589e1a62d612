"""The site file read again while derctl runs: taken over between two ticks, or the running one stays.

What the new file leaves as it was is not touched: connections, what is known of a device, what it holds, memories,
requests, the word on control. A DER that leaves is released first, as at a stop.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec.structs import asdict

from derctl.core.engine import HELD
from derctl.core.words import Mode, Refusal
from derctl.daemon.absent import Absent
from derctl.daemon.actuate.dispatch import Dispatch
from derctl.daemon.actuate.writer import Writer
from derctl.daemon.arming import Arm
from derctl.daemon.build import Plant, rebuild, writer_of
from derctl.daemon.channel.channel import Channel
from derctl.daemon.known import Known
from derctl.daemon.poller import Poller
from derctl.daemon.promises import Promises
from derctl.daemon.standings import rules_of
from derctl.errors import CommandError, ConfigError
from derctl.functions import ROWS, Need
from derctl.links.bus import Bus
from derctl.site import DerSection, Site, fallback_of

if TYPE_CHECKING:
    from derctl.daemon.app import App

FIND_S = 5.0
"""How long devices that are new in the file are looked for before it is taken over (docs/sources.md)."""
FIXED = ("state_dir", "socket")
"""What a running daemon can't change: its lock, its journal and its socket lie there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What the control task is to take over. done: it has."""

    site: Site
    plant: Plant
    done: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True)
class Reloading:
    """Carries a reload: asked for by a SIGHUP (hup) or a call, carried out by the control task between two ticks."""

    app: App
    hup: asyncio.Event = field(default_factory=asyncio.Event)
    _change: Change | None = None
    _one: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def run(self) -> None:
        """At each SIGHUP."""
        while True:
            await self.hup.wait()
            self.hup.clear()
            with suppress(CommandError):
                await self.now()

    async def now(self) -> str:
        """Read the site file again; what became of it, in words. Raises CommandError where the running one stays."""
        async with self._one:
            try:
                text = await reread(self.app)
            except CommandError as error:
                self.app.news.tell("site_file_refused", "", f"{error}; the running one stays")
                raise
            self.app.news.tell("site_file_reloaded", "", text)
            return text

    async def change(self, site: Site, plant: Plant) -> None:
        """Another site file; returns when it is taken over."""
        change = self._change = Change(site=site, plant=plant)
        self.app.loop.stop()
        await change.done.wait()

    async def took_over(self) -> bool:
        """By the control task, when its loop has stopped: whether it stopped for another site file."""
        change, self._change = self._change, None
        if change is not None:
            await take(self.app, change)
        return change is not None


async def reread(app: App) -> str:
    """Take the file over; what became of it, in words. Raises CommandError where the running one stays."""
    try:
        new = await asyncio.to_thread(app.read)
    except ConfigError as error:
        raise CommandError(Refusal.BAD_SITE_FILE, _problems(error)) from error
    fixed = [f"site.{key}" for key in FIXED if getattr(new.file.site, key) != getattr(app.site.file.site, key)]
    if fixed:
        text = f"{' and '.join(fixed)} can't change while derctl runs: systemctl restart derctl"
        raise CommandError(Refusal.BAD_SITE_FILE, text)
    changed = changes(app.site, new)
    if not changed:
        return "nothing has changed"
    plant = rebuild(new, app.news.tell, app.site, app.plant)
    await _find(app, plant)
    await _check_contract(app, new, plant)
    for question in new.questions:
        app.log.warning("site_file", text=str(question))
    await app.reloading.change(new, plant)
    return f"taken over: {', '.join(changed)}"


def changes(old: Site, new: Site) -> list[str]:
    """The parts of the file that are not as they were; empty where it says the same."""
    before, after = asdict(old.file), asdict(new.file)
    found = [key for key in after if before[key] != after[key]]
    if old.profiles != new.profiles and not found:
        found.append("profiles")
    return [*found, *(["the password"] if old.secret != new.secret else [])]


def _problems(error: ConfigError) -> str:
    more = len(error.problems) - 1
    return f"{error.problems[0]}{f' (and {more} more: derctl check)' if more else ''}"


def task_of(bus: Bus) -> str:
    """The task that keeps it connected. Two buses of one name at two places live side by side for a while."""
    return f"bus {bus.name} at {bus.place}"


def fresh(old: Plant, new: Plant) -> list[Channel]:
    """Channels that are new."""
    return [channel for channel in new.channels if all(channel is not other for other in old.channels)]


async def _find(app: App, plant: Plant) -> None:
    """Look for the new devices while the running file still controls, so that control need not wait for them.

    Not where a bus of the running file holds the very place: many devices take one client only.
    """
    for bus in plant.buses.values():
        if not app.tasks.has(task_of(bus)):
            app.tasks.start(task_of(bus), bus.run())
    held = {bus.place for bus in app.plant.buses.values() if all(bus is not other for other in plant.buses.values())}
    channels = [channel for channel in fresh(app.plant, plant) if channel.bus.place not in held]
    if channels:
        poller = Poller(channels)
        await poller.warm_up(FIND_S)
        await poller.stop()


async def _check_contract(app: App, new: Site, plant: Plant) -> None:
    """A file with which control would end is not taken over while derctl controls. What is learnt by the look is only
    kept with the file."""
    known = Known(dict(app.absent.known.of))
    objection = Absent(new, plant.ders, known=known).whole().objection
    mode, before = Mode(new.file.site.mode), Mode(app.site.file.site.mode)
    ends_by_word = mode is Mode.OBSERVE and before is not mode
    if objection is None or not app.gate.open or ends_by_word:
        return
    for bus in plant.buses.values():
        if all(task_of(bus) != task_of(other) for other in app.plant.buses.values()):
            await app.tasks.drop(task_of(bus))
    code, text = objection
    raise CommandError(Refusal.BAD_SITE_FILE, f"control would end with it: {code}: {text}")


def leaving(app: App, new: Site, plant: Plant) -> Sequence[str]:
    """The DERs that derctl will not write any more, or only as another device."""
    written = {der.id for der in new.file.ders if der.control}
    old = app.plant.ders
    return [name for name in old if name not in written or plant.ders[name] is not old[name]]


async def take(app: App, change: Change) -> None:
    """By the control task, between two ticks."""
    site, plant, old, before = change.site, change.plant, app.plant, app.site
    if app.gate.arming.state is not Arm.LOOKING:
        await app.releaser.release_of(leaving(app, site, plant))
    for writer in app.loop.dispatch.writers.values():
        await writer.wait()
    await app.loop.poller.change(plant.channels)
    app.site, app.plant = site, plant
    _rewire(app, old)
    if site.file.site.mode != before.file.site.mode:
        app.gate.file_says(Mode(site.file.site.mode))
    app.dirty.set()
    await _restart(app, before, old)
    change.done.set()


def _rewire(app: App, old: Plant) -> None:
    """What depends on the site file, in one go."""
    site, plant = app.site, app.plant
    _forget(app, old, plant)
    app.clock.mode = site.file.site.clock_sync
    app.absent = Absent(site, plant.ders, known=app.absent.known, changed=app.dirty.set)
    app.gate.absence = app.absent.whole
    app.presence.channels = plant.ders
    app.presence.other_tick(site.file.site.tick_s)
    app.presence.outbox = None if site.file.mqtt is None else app.outbox
    if old.poc is not plant.poc:
        app.proof.look_at(plant.poc)
    app.standings.rules = rules_of(site)
    writers = {der.id: _writer(app, der) for der in site.file.ders}
    app.promises = Promises(writers, app.absent, lambda: app.gate.arming, app.news.tell)
    loop = app.loop
    loop.tick_s, loop.plan, loop.image = site.file.site.tick_s, site.plan, app.image(writers)
    loop.dispatch = app.releaser.dispatch = Dispatch(writers)
    app.calls.desk.reach = app.reach()
    app.calls = dataclasses.replace(app.calls, reach=app.calls.desk.reach)


def _writer(app: App, der: DerSection) -> Writer:
    """The one from before, where its device is; with another fallback it writes anew, to arm that."""
    channel, tick_s = app.plant.ders[der.id], app.site.file.site.tick_s
    writer = app.loop.dispatch.writers.get(der.id)
    if writer is None or writer.channel is not channel:
        writer = writer_of(app.site, der, channel, app.releaser.note, app.news.tell)
        app.look_after(writer)
        return writer
    fallback = fallback_of(der)
    if fallback != writer.promised.fallback:
        writer.promised.fallback = fallback
        writer.account.hold = dataclasses.replace(writer.account.hold, written=None)
    writer.control, writer.tick_s = der.control, tick_s
    return writer


async def _restart(app: App, before: Site, old: Plant) -> None:
    """The tasks that work on something else now."""
    tasks = app.tasks
    other_pace = before.file.site.tick_s != app.site.file.site.tick_s
    if other_pace or fresh(old, app.plant) or len(old.channels) != len(app.plant.channels):
        await tasks.drop("slow blocks")
        app.start_slow()
    for bus in old.buses.values():
        if all(bus is not other for other in app.plant.buses.values()):
            await tasks.drop(task_of(bus))
    for bus in app.plant.buses.values():
        if not tasks.has(task_of(bus)):
            tasks.start(task_of(bus), bus.run())
    if _broker(before) != _broker(app.site):
        await tasks.drop("mqtt")
        app.wire_broker()
        if app.mqtt is not None:
            tasks.guard("mqtt", app.mqtt.run)


def _broker(site: Site) -> tuple[object, ...]:
    """What a session depends on."""
    return site.file.mqtt, site.secret, site.file.site.id, site.file.site.fleet


def _forget(app: App, old: Plant, plant: Plant) -> None:
    """What was remembered of a device that is another one now, and of a meter the loops on it."""
    gone = {name for name, channel in old.ders.items() if plant.ders.get(name) is not channel}
    app.standings.forget(gone)
    for name in gone - set(plant.ders):
        app.requests.clear(name)
    meter = {row.kind for row in ROWS.values() if Need.METER in row.needs} if old.poc is not plant.poc else set()
    app.loop.memories = {
        key: memory
        for key, memory in app.loop.memories.items()
        if key.removeprefix(f"{HELD}/") not in meter and key.rpartition("/")[2] not in gone
    }
