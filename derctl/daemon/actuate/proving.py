"""A site's DERs for a proof of their fail-safes, without a daemon: journal first, and given back whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace

from derctl.core.types import Reading, Setpoint
from derctl.daemon.actuate.alone import surviving, tell
from derctl.daemon.actuate.release import Release
from derctl.daemon.actuate.releaser import PATIENT_S, Releaser
from derctl.daemon.actuate.rescue import folder_of, ready, take_over, wired
from derctl.daemon.actuate.wearing import Wearing
from derctl.daemon.actuate.writer import Writer
from derctl.daemon.clock import Clock
from derctl.devices import Device
from derctl.errors import BusTimeout
from derctl.links.ending import end
from derctl.site import Site
from derctl.store.folder import Folder

FOUND_S = 20.0
"""How long a DER is looked for, or waited for behind a cut: over a bus of a request a second it takes that."""


@dataclass(slots=True)
class Proving:
    """told: the DERs that were written; nobody asked that of them, so their limits go back to the fallback.
    given_back: by DER id what became of its release, once that is done. clock: the wall time."""

    folder: Folder
    clock: Clock
    releaser: Releaser
    wires: dict[str, asyncio.Task[None]]
    told: list[str] = field(default_factory=list)
    given_back: dict[str, Release] = field(default_factory=dict)

    def now_s(self) -> float:
        """Monotonic."""
        return asyncio.get_running_loop().time()

    def writer(self, der_id: str) -> Writer:
        return self.releaser.dispatch.writers[der_id]

    async def find(self, der_id: str) -> Device | None:
        """The device, None where it does not answer as the one that the site file means."""
        channel = self.writer(der_id).channel
        looking = asyncio.create_task(ready(channel))
        try:
            await asyncio.wait([looking], timeout=FOUND_S)
        finally:
            await end([looking])
        return channel.device if channel.measured.sample > 0 and channel.bond.verified else None

    async def look(self, der_id: str) -> Reading:
        """Raises BusTimeout."""
        channel = self.writer(der_id).channel
        before = channel.measured.sample
        await channel.poll()
        if channel.device is None or channel.measured.sample == before:
            raise BusTimeout(channel.bond.binding.text or "it does not answer")
        return channel.measured.reading

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
        channel = self.writer(der_id).channel
        line = channel.bus.line
        if not cut:
            await asyncio.sleep(seconds)
            return
        await end([self.wires[line.name]])
        try:
            await asyncio.sleep(seconds)
        finally:
            self.wires[line.name] = asyncio.create_task(line.run())
        with suppress(TimeoutError):
            await asyncio.wait_for(line.wait_connected(), FOUND_S)


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
            made = Proving(folder, clock, releaser, wires)
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
    take_over(each for each in made.releaser.dispatch.writers.values() if each.channel.measured.sample > 0)
    made.given_back = await made.releaser.release_of(made.told, lift=True, seconds=PATIENT_S)
    rest = await made.releaser.release(lift=False, seconds=PATIENT_S)
    made.given_back |= {name: each for name, each in rest.items() if name not in made.given_back}
