"""The tick's measuring: the control polls of all buses side by side, and slow blocks in the time that is left."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import field
from functools import partial

from derctl.core.dataclass import dataclass
from derctl.daemon.channel.channel import Channel
from derctl.links.ending import end


@dataclass(slots=True)
class Poller:
    """A poll that isn't back by the deadline goes on; its channel is asked again only after it ended, and at once
    where a tick has begun meanwhile: else a poll that takes a little longer than a tick would come every two.

    on_late: told of the channel whose poll ended behind its tick. Beside the polls, what was found incomplete is
    looked at again.
    """

    channels: Sequence[Channel]
    on_late: Callable[[str], None] = lambda channel: None
    _running: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _looking: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _overdue: set[str] = field(default_factory=set)
    _waiting: int = 0

    async def poll(self, seconds: float) -> None:
        """Return when all have answered, or after `seconds` with what is there. A bug in a poll is raised here."""
        self._collect()
        self._overdue = set(self._running)
        begun = [
            (channel, self._begun(channel))
            for channel in self.channels
            if channel.id not in self._overdue and not channel.asking.lent
        ]
        if self._running:
            await self._wait(begun, seconds)
        self._collect()
        self._look()

    def _begun(self, channel: Channel) -> asyncio.Task[None]:
        task = self._running[channel.id] = asyncio.create_task(channel.poll(), name=f"poll {channel.id}")
        return task

    async def _wait(self, begun: Sequence[tuple[Channel, asyncio.Task[None]]], seconds: float) -> None:
        """For all that run. Most end in time: only of the others the end is told. begun: those that are new."""
        self._waiting += 1
        try:
            await asyncio.wait(self._running.values(), timeout=seconds)
        finally:
            self._waiting -= 1
            for channel, task in begun:
                if not task.done():
                    task.add_done_callback(partial(self._ended, channel))

    def _ended(self, channel: Channel, task: asyncio.Task[None]) -> None:
        if task.cancelled() or task.exception() is not None:
            return
        if not self._waiting:
            self.on_late(channel.id)
        if channel.id in self._overdue and self._running.get(channel.id) is task and not channel.asking.lent:
            self._overdue.discard(channel.id)
            self._begun(channel).add_done_callback(partial(self._ended, channel))

    def _look(self) -> None:
        for channel in self.channels:
            if channel.id not in self._looking and channel.bond.wants_look and not channel.asking.lent:
                self._looking[channel.id] = asyncio.create_task(channel.look(), name=f"look {channel.id}")

    async def leave(self, names: Collection[str]) -> None:
        """Return when nothing is asked of these any more; they are lent."""
        tasks = [tasks[name] for tasks in (self._running, self._looking) for name in names if name in tasks]
        if tasks:
            await asyncio.wait(tasks)

    async def look_again(self, seconds: float) -> None:
        """Look now for what was not found, or found incomplete, and wait for it, `seconds` at most."""
        wanted = [
            channel
            for channel in self.channels
            if not channel.asking.lent and (channel.device is None or channel.bond.binding.incomplete)
        ]
        if not wanted:
            return
        for channel in wanted:
            channel.bond.look_again()
        self._look()
        try:
            async with asyncio.timeout(seconds):
                if self._looking:
                    await asyncio.wait(self._looking.values())
                await self.poll(seconds)
        except TimeoutError:
            pass

    async def warm_up(self, seconds: float) -> None:
        """Give the buses time to connect and the devices time to be found, so that the first tick sees them."""
        try:
            async with asyncio.timeout(seconds):
                await asyncio.gather(*(channel.bus.line.wait_connected() for channel in self.channels))
        except TimeoutError:
            pass
        await self.poll(seconds)

    def _collect(self) -> None:
        for tasks in (self._running, self._looking):
            for channel_id, task in list(tasks.items()):
                if task.done():
                    del tasks[channel_id]
                    task.result()

    async def run_slow(self, every_s: float) -> None:
        """Read slow blocks, one at a time a device, forever. The bus puts them behind everything else.

        Each bus by itself: a silent device on one holds up nobody on another. A bug is raised here.
        """
        lines: dict[int, list[Channel]] = {}
        for channel in self.channels:
            lines.setdefault(id(channel.bus), []).append(channel)
        tasks = [
            asyncio.create_task(_read_line(line, every_s), name=f"slow {line[0].bus.line.name}")
            for line in lines.values()
        ]
        try:
            if not tasks:
                await asyncio.Event().wait()
            ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                task.result()
        finally:
            await end(tasks)

    async def change(self, channels: Sequence[Channel]) -> None:
        """From now on these. A poll of one that stays goes on."""
        stays = {channel.id for channel in self.channels if any(channel is other for other in channels)}
        both = (self._running, self._looking)
        gone = [tasks.pop(name) for tasks in both for name in list(tasks) if name not in stays]
        self.channels = channels
        await end(gone)

    async def stop(self) -> None:
        """End what still runs."""
        self._overdue.clear()
        await end([*self._running.values(), *self._looking.values()])
        self._running.clear()
        self._looking.clear()


async def _read_line(channels: Sequence[Channel], every_s: float) -> None:
    """Whatever is due at a fixed pace waits for one block of another device, not for one of each."""
    while True:
        for channel in channels:
            for other in channels:
                if not other.asking.lent:
                    await other.read_slow(first=True)
            if not channel.asking.lent:
                await channel.read_slow()
        await asyncio.sleep(every_s)
