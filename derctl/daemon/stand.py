"""A site without the daemon, whose DERs are stepped one after the other: each is given back what it had.

What the daemon keeps is kept: the lock, the journal before the first write, the writes that a memory bears.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import field
from pathlib import Path
from typing import TypeVar

from derctl.core.dataclass import dataclass
from derctl.core.stages import Heard, Play, Sample, Stage
from derctl.core.types import NOTHING, Setpoint
from derctl.core.value import replace
from derctl.core.words import FallbackBy, Record
from derctl.daemon.actuate.alone import controllable, surviving, tell
from derctl.daemon.actuate.dispatch import Dispatch
from derctl.daemon.actuate.ledger import Ledger
from derctl.daemon.actuate.ration import Ration
from derctl.daemon.actuate.records import Records
from derctl.daemon.actuate.release import Release
from derctl.daemon.actuate.releaser import PATIENT_S, Releaser
from derctl.daemon.actuate.wearing import Wearing
from derctl.daemon.actuate.writer import Writer
from derctl.daemon.auditing import noted_alone
from derctl.daemon.build import Plant, build, writer_of
from derctl.daemon.channel.channel import Channel
from derctl.daemon.clock import Clock
from derctl.daemon.known import known_before
from derctl.errors import BusError, BusTimeout, DerctlError, DeviceError, SettingError, WriteBarred
from derctl.links.ending import end
from derctl.site import Site
from derctl.store.folder import Folder
from derctl.store.journal import Journal

T = TypeVar("T")

FOUND_S = 20.0
"""All devices have to be found in it: a bus of a request a second takes so long."""
EVERY_S = 0.1
"""Polls come no faster."""
SILENT_S = 10.0
"""A device that was not heard for so long is stepped no more."""
TRIES = 3
"""So often a write is tried that is not answered."""
METER_S = 3.0
"""What the meter showed longer ago says nothing of now."""
REFRESHED = 0.4
"""Of the time of a device's own timer; what stands is told again."""


class NotGivenBack(DerctlError):
    """Something that derctl wrote before stands in a device."""


@dataclass(slots=True)
class Stand:
    """stood: what was in each DER before. progress: hears what each stage is for. stamp: the wall
    time as text. patience_s: how long giving back may take."""

    site: Site
    plant: Plant
    releaser: Releaser
    progress: Callable[[str, str], None] = lambda der, text: None
    stamp: Callable[[], str] = lambda: ""
    stood: dict[str, Setpoint] = field(default_factory=dict)
    clock: Callable[[], float] = time.monotonic
    patience_s: float = PATIENT_S
    _sent_s: float = 0.0

    @property
    def writers(self) -> dict[str, Writer]:
        """By DER id."""
        return dict(self.releaser.dispatch.writers)

    async def begin(self) -> None:
        """All devices answer, and nothing of derctl's stands in them. Raises BusTimeout, NotGivenBack."""
        left = [name for name in self.writers if self.releaser.records.of(name) is Record.WRITTEN]
        if left:
            text = f"{', '.join(left)}: what derctl wrote is not given back yet; first: derctl release"
            raise NotGivenBack(text)
        ends_s = self.clock() + FOUND_S
        while missing := [each.id for each in self.plant.channels if each.measured.sample == 0]:
            if self.clock() > ends_s:
                raise BusTimeout(f"{', '.join(missing)}: not found in {FOUND_S:g} s; all have to be heard")
            await self._poll()
        for name, writer in self.writers.items():
            self.stood[name] = stood = writer.channel.measured.reading.accepted or NOTHING
            writer.account.outcome = replace(writer.account.outcome, accepted=stood)
            size_w = writer.channel.device.rating.p_max_w if writer.channel.device is not None else 0.0
            limit_w = stood.p_ceiling_w
            kept_w = None if limit_w is None or limit_w >= size_w else limit_w
            writer.promised.found_w = lambda kept_w=kept_w: kept_w  # type: ignore[misc]

    async def play(self, name: str, play: Play[T]) -> T:
        """To its end. Raises BusError, OSError; the DER is not given back then."""
        writer = self.writers[name]
        stage = next(play)
        while True:
            self.progress(name, stage.says)
            heard = await self._stand(writer, stage)
            try:
                stage = play.send(heard)
            except StopIteration as stop:
                result: T = stop.value
                return result

    async def give_back(self, name: str) -> Release | None:
        """What it had, or its fallback where that gives less; None: it was not written."""
        return (await self.releaser.lift_of([name], seconds=self.patience_s)).get(name)

    async def _stand(self, writer: Writer, stage: Stage) -> Heard:
        began_s = self.clock()
        if stage.setpoint == NOTHING:
            return Heard(at_s=began_s, samples=await self._hear(writer, stage, began_s))
        try:
            sent, accepted = await self._told(writer, stage.setpoint)
        except (DeviceError, SettingError, WriteBarred) as error:
            return Heard(at_s=began_s, samples=(), refused=str(error))
        at_s = self._sent_s
        return Heard(at_s=at_s, samples=await self._hear(writer, stage, at_s), sent=sent, accepted=accepted)

    async def _told(self, writer: Writer, setpoint: Setpoint) -> tuple[Setpoint, Setpoint | None]:
        """As `alone.tell`; an answer that is missing is no end, or a busy line would be one."""
        for _ in range(TRIES - 1):
            try:
                return await self._tell(writer, setpoint)
            except BusError:
                await self._poll()
        return await self._tell(writer, setpoint)

    async def _tell(self, writer: Writer, setpoint: Setpoint) -> tuple[Setpoint, Setpoint | None]:
        def on_sent() -> None:
            self._sent_s = self.clock()

        return await tell(self.releaser, writer, setpoint, self.clock, on_sent)

    async def _hear(self, writer: Writer, stage: Stage, at_s: float) -> tuple[Sample, ...]:
        """Until its time is over. What stands is told again before the device's own timer ends."""
        samples: list[Sample] = []
        fallback, told_s, heard_s = writer.promised.told, self.clock(), self.clock()
        timed = stage.setpoint != NOTHING and (
            fallback.by is not FallbackBy.STANDS or stage.setpoint.q_var is not None
        )
        while (now_s := self.clock()) < at_s + stage.seconds:
            if timed and now_s - told_s > REFRESHED * fallback.after_s:
                await self._told(writer, stage.setpoint)
                told_s = now_s
            await self._poll()
            seen = writer.channel.measured
            if seen.read_s > heard_s:
                heard_s = seen.read_s
                samples.append(self._sample(writer))
            elif self.clock() - heard_s > SILENT_S:
                raise BusTimeout(f"{writer.id}: it does not answer any more")
        return tuple(samples)

    async def _poll(self) -> None:
        ends_s = self.clock() + EVERY_S
        for channel in self.plant.channels:
            if channel.device is None:
                channel.bond.look_again()
        await asyncio.gather(*(channel.poll() for channel in self.plant.channels))
        await asyncio.sleep(max(ends_s - self.clock(), 0.01))

    def _sample(self, writer: Writer) -> Sample:
        channel = writer.channel
        seen, device, poc = channel.measured, controllable(writer), self.plant.poc
        near = poc is not None and self.clock() - poc.measured.read_s < METER_S
        meter = poc.measured.reading if poc is not None and near else None
        v_v = seen.reading.v_v if seen.reading.v_v is not None or meter is None else meter.v_v
        powers = [each.measured.reading.p_w for each in self.plant.ders.values()]
        return Sample(
            t_s=seen.read_s,
            p_w=seen.reading.p_w,
            q_var=seen.reading.q_var,
            v_pu=None if v_v is None else v_v / device.rating.v_nom_v,
            ders_w=sum(p_w for p_w in powers if p_w is not None),
            meter_w=None if meter is None else meter.p_w,
            status=seen.reading.status,
        )


@asynccontextmanager
async def stand(site: Site, hears: Callable[[str], None]) -> AsyncIterator[Stand]:
    """The site's lock is held, and its devices are found. At the end all are given back. Raises AlreadyRunning,
    OSError, BusError, NotGivenBack. hears: told of what could not be given back."""
    folder = Folder(Path(site.file.site.state_dir), Path(site.file.site.socket).parent)
    folder.hold()
    try:
        clock, ledger = Clock(site.file.site.clock_sync), Ledger()
        plant = build(site, lambda event, who, text: None, known_before(folder))
        releaser = Releaser(
            Records(Journal(folder), clock.stamp, lambda event, who, text: None, ledger), Dispatch({}), _quiet
        )
        releaser.dispatch = Dispatch(
            {der.id: _writer(site, der.id, plant.ders[der.id], releaser, ledger) for der in site.file.ders}
        )
        wearing = Wearing(folder, clock, ledger, also=lambda: ledger.of)
        wearing.restore(await surviving(folder, clock))
        tasks = [asyncio.create_task(bus.line.run()) for bus in plant.buses.values()]
        made = Stand(site, plant, releaser, stamp=clock.stamp)
        try:
            releaser.restore()
            await made.begin()
            yield made
        finally:
            for name in made.stood:
                release = await made.give_back(name)
                if release is not None:
                    hears(f"{name}: {release}")
            await releaser.save()
            await wearing.end()
            await end(tasks)
            if made.stood:
                text = f"written without a daemon, and given back: {', '.join(made.stood)}"
                await noted_alone(folder, clock, text, ders=[*made.stood])
    finally:
        folder.let_go()


def _quiet(event: str, who: str, text: str) -> None:
    """What is told is told by whoever asked."""


def _writer(site: Site, name: str, channel: Channel, releaser: Releaser, ledger: Ledger) -> Writer:
    section = next(der for der in site.file.ders if der.id == name)
    writer = writer_of(site, section, channel, releaser.note, _quiet)
    writer.account.ration = Ration(name, ledger, frozenset(section.may_write))
    return writer
