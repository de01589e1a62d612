"""A site's DERs for a proof of their fail-safes: journal first, and given back whatever happens.

Alone, without a daemon; a running daemon lends its own (daemon/trials).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from dataclasses import field, replace
from typing import Protocol

from derctl.core.dataclass import dataclass
from derctl.core.types import Reading, Setpoint
from derctl.daemon.actuate.alone import surviving, tell
from derctl.daemon.actuate.release import Release
from derctl.daemon.actuate.releaser import PATIENT_S, Releaser
from derctl.daemon.actuate.rescue import folder_of, ready, take_over, wired
from derctl.daemon.actuate.wearing import Wearing
from derctl.daemon.actuate.writer import Writer
from derctl.daemon.build import build
from derctl.daemon.channel.channel import Channel
from derctl.daemon.clock import Clock
from derctl.devices import Device
from derctl.errors import BusError, BusTimeout
from derctl.links.bus import Bus
from derctl.links.ending import end
from derctl.site import Site
from derctl.store.folder import Folder

FOUND_S = 20.0
"""How long a DER is looked for, or waited for behind a cut: over a bus of a request a second it takes that."""
PULL_S = 300.0
"""Within so long the cable is pulled, and plugged in again: our choice, for the way to the cabinet."""
GONE = 2
"""So many polls without an answer in a row: the cable is out. One may be lost by itself."""
PULL_POLL_S = 0.5
AGAIN_S = 5.0
"""So long one that was told waits for its connection before it is given back: a proof may end while it is cut."""


class Wires(Protocol):
    """The connections to the buses."""

    async def part(self, bus: Bus) -> None:
        """Closed from now on."""

    def join(self, bus: Bus) -> None:
        """Kept connected again."""


@dataclass(slots=True)
class OwnWires:
    """With a task each, by the bus's name."""

    tasks: dict[str, asyncio.Task[None]]

    async def part(self, bus: Bus) -> None:
        await end([self.tasks[bus.line.name]])

    def join(self, bus: Bus) -> None:
        self.tasks[bus.line.name] = asyncio.create_task(bus.line.run())


@dataclass(slots=True)
class Second:
    """A client beside ours, with a connection of its own. parted: ours is closed meanwhile."""

    channel: Channel
    task: asyncio.Task[None]
    parted: bool = False


@dataclass(slots=True)
class Proving:
    """told: the DERs that were written; nobody asked that of them, so their limits go back to the fallback.
    given_back: by DER id what became of its release, once that is done. clock: the wall time. lends: for as long as
    a DER is tried out."""

    site: Site
    folder: Folder
    clock: Clock
    releaser: Releaser
    wires: Wires
    lends: Callable[[str], AbstractAsyncContextManager[None]] = lambda der_id: nullcontext()
    told: list[str] = field(default_factory=list)
    given_back: dict[str, Release] = field(default_factory=dict)
    _second: Second | None = None

    def now_s(self) -> float:
        """Monotonic."""
        return asyncio.get_running_loop().time()

    def writer(self, der_id: str) -> Writer:
        return self.releaser.dispatch.writers[der_id]

    async def find(self, der_id: str) -> Device | None:
        """The device, None where it does not answer as the one that the site file means."""
        channel = self.writer(der_id).channel
        if not (channel.measured.sample > 0 and channel.bond.verified):
            async with self.lends(der_id):
                await _found(channel)
        return channel.device if channel.measured.sample > 0 and channel.bond.verified else None

    async def look(self, der_id: str) -> Reading:
        """Raises BusTimeout."""
        return await polled(self.writer(der_id).channel)

    async def tell(self, der_id: str, setpoint: Setpoint) -> Setpoint | None:
        """What it reads back. Raises as `alone.tell`."""
        writer = self.writer(der_id)

        def on_sent() -> None:
            self.told = [*(name for name in self.told if name != der_id), der_id]

        _, known = await tell(self.releaser, writer, setpoint, self.now_s, on_sent)
        writer.account.outcome = replace(writer.account.outcome, accepted=known)
        return None if writer.channel.measured.profile.readback == "effect_only" else known

    async def silence(self, der_id: str, seconds: float, *, cut: bool) -> None:
        """Ask it nothing for so long. cut: with its bus's connection closed; it is there again afterwards, or not."""
        bus = self.writer(der_id).channel.bus
        if not cut:
            await asyncio.sleep(seconds)
            return
        await self.wires.part(bus)
        try:
            await asyncio.sleep(seconds)
        finally:
            self.wires.join(bus)
        await _connected(bus)

    async def unplugged(
        self, der_id: str, seconds: float, again: tuple[Setpoint, float], say: Callable[[str], None]
    ) -> float | None:
        """A person pulls its cable, and plugs it in again after `seconds`. again: what it is told until then, and how
        often, s. For how long it was not heard; None: it was never silent. Raises BusTimeout: it stays away."""
        channel = self.writer(der_id).channel
        say(f"pull the cable of {der_id} now, at the inverter or at the switch, and leave it out until you are told")
        heard_s = await self._pulled(der_id, *again)
        if heard_s is None:
            return None
        say(f"it is silent; leave the cable out for {seconds:.0f} s")
        back_s = await self._back(channel, heard_s + seconds)
        if back_s is None:
            say("plug the cable in again now")
            back_s = await self._back(channel, self.now_s() + PULL_S)
        if back_s is None:
            raise BusTimeout("its cable was pulled, and it does not answer any more")
        return back_s - heard_s

    async def _pulled(self, der_id: str, setpoint: Setpoint, every_s: float) -> float | None:
        """When it answered last, once it is silent. None: it was not within PULL_S."""
        ends_s = self.now_s() + PULL_S
        heard_s = told_s = self.now_s()
        silent = 0
        while self.now_s() < ends_s:
            began_s = self.now_s()
            try:
                if began_s - told_s > every_s:
                    await self.tell(der_id, setpoint)
                    told_s = began_s
                await polled(self.writer(der_id).channel)
                heard_s, silent = self.now_s(), 0
            except BusError:
                silent += 1
                if silent >= GONE:
                    return heard_s
            await asyncio.sleep(max(began_s + PULL_POLL_S - self.now_s(), 0.0))
        return None

    async def _back(self, channel: Channel, ends_s: float) -> float | None:
        """When it answers again. None: not before ends_s."""
        while self.now_s() < ends_s:
            began_s = self.now_s()
            with suppress(BusError):
                await polled(channel)
                return self.now_s()
            await asyncio.sleep(max(began_s + PULL_POLL_S - self.now_s(), 0.0))
        return None

    async def meet(self, der_id: str) -> Reading:
        """A second client, beside ours. Raises BusError: it gets no answer."""
        plant = build(self.site, lambda event, who, text: None)
        channel = plant.ders[der_id]
        self._second = Second(channel, asyncio.create_task(channel.bus.line.run()))
        await _found(channel)
        return await polled(channel)

    async def watch(self, der_id: str, seconds: float) -> Reading:
        """The second client reads it in so long, while ours is unplugged. Raises BusError."""
        assert self._second is not None
        if not self._second.parted:
            self._second.parted = True
            await self.wires.part(self.writer(der_id).channel.bus)
        await asyncio.sleep(seconds)
        return await polled(self._second.channel)

    async def alone(self, der_id: str) -> None:
        """The second client has gone, and ours is there again."""
        second, self._second = self._second, None
        if second is None:
            return
        try:
            await end([second.task])
        finally:
            if second.parted:
                self.wires.join(self.writer(der_id).channel.bus)
        await _connected(self.writer(der_id).channel.bus)
        with suppress(BusError):  # so that it is known for the one that it was
            await polled(self.writer(der_id).channel)


async def heard(made: Proving, seconds: float, *, asks: bool) -> None:
    """Until those that were told can be given back, or so long. asks: they are polled here: nobody else does."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            for der_id in made.told:
                await _heard(made.writer(der_id), asks=asks)


async def _heard(writer: Writer, *, asks: bool) -> None:
    await writer.channel.bus.line.wait_connected()
    if asks:  # it counts as heard from before the cut, and whether that still holds shows the first answer
        with suppress(BusError):
            await polled(writer.channel)
    while writer.lost:
        await asyncio.sleep(PULL_POLL_S)
        if asks:
            with suppress(BusError):
                await polled(writer.channel)


async def polled(channel: Channel) -> Reading:
    """Raises BusTimeout."""
    before = channel.measured.sample
    await channel.poll()
    if channel.device is None or channel.measured.sample == before:
        raise BusTimeout(channel.bond.binding.text or "it does not answer")
    return channel.measured.reading


async def _found(channel: Channel) -> None:
    """Or looked for in vain."""
    looking = asyncio.create_task(ready(channel))
    try:
        await asyncio.wait([looking], timeout=FOUND_S)
    finally:
        await end([looking])


async def _connected(bus: Bus) -> None:
    """Or waited for in vain."""
    with suppress(TimeoutError):
        await asyncio.wait_for(bus.line.wait_connected(), FOUND_S)


@asynccontextmanager
async def proving(site: Site, hears: Callable[[str], None]) -> AsyncIterator[Proving]:
    """Holds the site. What was written is given back at the end as `derctl release` does, also when it is cancelled.

    hears: told what is wrong with the record of what was written. Raises AlreadyRunning, OSError.
    """
    folder = folder_of(site)
    folder.hold()
    try:
        async with wired(site, folder, lambda event, who, text: hears(text) if "journal" in event else None) as (
            releaser,
            wires,
        ):
            releaser.restore()
            ledger, clock = releaser.records.ledger, Clock(site.file.site.clock_sync)
            wearing = Wearing(folder, clock, ledger, also=lambda: ledger.of)
            wearing.restore(await surviving(folder, clock))
            made = Proving(site, folder, clock, releaser, OwnWires(wires))
            try:
                yield made
            finally:
                await _give_back(made)
                await releaser.save()
                await wearing.end()
    finally:
        folder.let_go()


async def _give_back(made: Proving) -> None:
    """Those that were found; the others are left to their reversion, and stay in the journal. What an earlier run has
    not given back is given back, too."""
    await heard(made, AGAIN_S, asks=True)
    take_over(each for each in made.releaser.dispatch.writers.values() if each.channel.measured.sample > 0)
    made.given_back = await made.releaser.release_of(made.told, lift=True, seconds=PATIENT_S)
    rest = await made.releaser.release(lift=False, seconds=PATIENT_S)
    made.given_back |= {name: each for name, each in rest.items() if name not in made.given_back}
