"""The site file read again while derctl runs: taken over between two ticks, or the running one stays.

What the new file leaves as it was is not touched: connections, what is known of a device, what it holds, memories,
requests, the word on control. A DER that leaves is released first, as at a stop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import field, replace

from msgspec.structs import asdict

from derctl.core.dataclass import dataclass
from derctl.core.words import Mode, Refusal
from derctl.daemon.build import Plant, fresh, rebuild
from derctl.daemon.channel.channel import Channel
from derctl.daemon.commands.desk import Desk
from derctl.daemon.control import Control, absent_of, keep_connected, task_of
from derctl.daemon.known import Known
from derctl.daemon.news import News
from derctl.daemon.poller import Poller
from derctl.daemon.presence import Presence
from derctl.daemon.tasks import Tasks
from derctl.daemon.uplink import Uplink
from derctl.devices.blocks import Joining
from derctl.errors import CommandError, ConfigError
from derctl.links.line import Line, Pace
from derctl.site import Site

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


@dataclass(frozen=True, slots=True)
class Asked:
    """How the running devices were asked before another file was looked at."""

    paces: tuple[tuple[Line, Pace], ...]
    joined: tuple[tuple[Channel, Joining], ...]

    @classmethod
    def of(cls, plant: Plant) -> Asked:
        """As it is now."""
        lines = [bus.line for bus in plant.buses.values()]
        joined = tuple((each, each.asking.joining) for each in plant.channels)
        return cls(tuple((line, line.pace) for line in lines), joined)

    def again(self) -> None:
        """As it was: that file is not taken over."""
        for line, pace in self.paces:
            line.pace = pace
        for channel, joining in self.joined:
            channel.asking.joining = joining


@dataclass(slots=True, kw_only=True)
class Reloading:
    """Carries a reload: asked for by a SIGHUP (hup) or a call, carried out by the control task between two ticks.

    read: the site file as it is now. The others depend on it. heard: takes what devices say; None: `news` does.
    taken: who else takes the new file.
    """

    read: Callable[[], Site]
    control: Control
    uplink: Uplink
    presence: Presence
    desk: Desk
    tasks: Tasks
    news: News
    heard: Callable[[str, str, str], None] | None = None
    taken: Callable[[Site], None] = lambda site: None
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
                changed = await self._again()
            except CommandError as error:
                self.news.tell("site_file_refused", "", f"{error}; the running one stays")
                raise
            text = f"taken over: {', '.join(changed)}" if changed else "nothing has changed"
            self.news.tell("site_file_reloaded" if changed else "site_file_unchanged", "", text)
            return text

    async def _again(self) -> Sequence[str]:
        """What has changed, once it is taken over."""
        if self.control.gate.trial:
            raise CommandError(Refusal.NOT_READY, f"{self.control.gate.trial}: again behind its end")
        new, old = await self._read(), self.control.site
        changed = changes(old, new)
        if not changed:
            return changed
        asked = Asked.of(self.control.plant)
        plant = rebuild(new, self.heard or self.news.tell, self.control.absent.known, old, self.control.plant)
        try:
            await self._find(plant)
            await self._check_contract(new, plant)
        except CommandError:
            asked.again()
            raise
        for question in new.questions:
            self.news.log.warning("site_file", text=str(question))
        change = self._change = Change(site=new, plant=plant)
        self.control.loop.stop()
        await change.done.wait()
        return changed

    async def _read(self) -> Site:
        try:
            new = await asyncio.to_thread(self.read)
        except ConfigError as error:
            raise CommandError(Refusal.BAD_SITE_FILE, _problems(error)) from error
        was = self.control.site.file.site
        fixed = [f"site.{key}" for key in FIXED if getattr(new.file.site, key) != getattr(was, key)]
        if fixed:
            text = f"{' and '.join(fixed)} can't change while derctl runs: systemctl restart derctl"
            raise CommandError(Refusal.BAD_SITE_FILE, text)
        return new

    async def _find(self, plant: Plant) -> None:
        """Look for the new devices while the running file still controls, so that control need not wait for them.

        Not where a bus of the running file holds the very place: many devices take one client only.
        """
        keep_connected(self.tasks, plant.buses.values())
        old, buses = self.control.plant, plant.buses.values()
        held = {bus.line.place for bus in old.buses.values() if all(bus is not other for other in buses)}
        channels = [channel for channel in fresh(old, plant) if channel.bus.line.place not in held]
        if channels:
            poller = Poller(channels)
            await poller.warm_up(FIND_S)
            await poller.stop()

    async def _check_contract(self, new: Site, plant: Plant) -> None:
        """A file with which control would end is not taken over while derctl controls. What is learnt by the look is
        only kept with the file."""
        control = self.control
        known = Known(dict(control.absent.known.of), control.absent.known.proofs)
        objection = absent_of(new, plant, known).whole().objection
        mode, before = Mode(new.file.site.mode), Mode(control.site.file.site.mode)
        ends_by_word = mode is Mode.OBSERVE and before is not mode
        if objection is None or not control.gate.open or ends_by_word:
            return
        for bus in plant.buses.values():
            if all(task_of(bus) != task_of(other) for other in control.plant.buses.values()):
                await self.tasks.drop(task_of(bus))
        code, text = objection
        raise CommandError(Refusal.BAD_SITE_FILE, f"control would end with it: {code}: {text}")

    async def took_over(self) -> bool:
        """By the control task, when its loop has stopped: whether it stopped for another site file."""
        change, self._change = self._change, None
        if change is not None:
            await self._take(change.site, change.plant)
            change.done.set()
        return change is not None

    async def _take(self, site: Site, plant: Plant) -> None:
        """All who depend on the file. Control comes last of those that are told, since it may say that it ends."""
        control, before, old = self.control, self.control.site, self.control.plant
        await control.let_go(site, plant)
        other_session = self.uplink.takes(site)
        self.desk.clock.mode = site.file.site.clock_sync
        self.desk.reach = replace(self.desk.reach, plan=site.plan)
        self.presence.takes(plant.ders, site.file.site.tick_s)
        control.take(site, plant)
        self.taken(site)
        await control.restart(self.tasks, before, old)
        if other_session:
            await self.uplink.restart(self.tasks)


def changes(old: Site, new: Site) -> list[str]:
    """The parts of the file that are not as they were; empty where it says the same."""
    before, after = asdict(old.file), asdict(new.file)
    found = [key for key in after if before[key] != after[key]]
    if old.profiles != new.profiles and not found:
        found.append("profiles")
    if old.plant != new.plant:
        found.append("plant.json")
    return [*found, *(["the password"] if old.secret != new.secret else [])]


def _problems(error: ConfigError) -> str:
    more = len(error.problems) - 1
    return f"{error.problems[0]}{f' (and {more} more: derctl check)' if more else ''}"
