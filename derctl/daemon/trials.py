"""DERs that a running daemon lends to a trial while it only looks: no proof and no step test beside control.

The daemon goes on ticking; of what is lent it asks and tells nothing by itself, and control does not begin. What was
written is given back at the end, and at once where somebody disarms, releases, or stops the daemon.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import field
from typing import Any

from derctl.core.dataclass import dataclass
from derctl.core.words import Refusal
from derctl.daemon.actuate.dispatch import Dispatch
from derctl.daemon.actuate.proving import AGAIN_S, Proving, heard
from derctl.daemon.actuate.releaser import PATIENT_S
from derctl.daemon.arming import Arm
from derctl.daemon.channel.channel import Channel
from derctl.daemon.clock import Clock
from derctl.daemon.control import Control, task_of
from derctl.daemon.stand import Stand
from derctl.daemon.tasks import Tasks
from derctl.errors import CommandError
from derctl.links.bus import Bus
from derctl.links.ending import end_kindly
from derctl.links.talk import Talk
from derctl.site import Site
from derctl.store.folder import Folder
from derctl.store.proofs import Proof

Session = Callable[["Trials", Mapping[str, Any], str, Talk], Awaitable[Any]]
"""A trial that a client asks for: its arguments, who asks, and the talk with it. Raises CommandError."""
HURRY_S = 1.5
"""How long a DER is given back for where the daemon ends (daemon/ending)."""


@dataclass(slots=True)
class Trials:
    """One at a time. tell: what News takes."""

    control: Control
    tasks: Tasks
    clock: Clock
    tell: Callable[[str, str, str], None]
    _task: asyncio.Task[object] | None = None
    _patience_s: float = PATIENT_S

    @property
    def site(self) -> Site:
        """As the daemon has it."""
        return self.control.site

    @property
    def folder(self) -> Folder:
        """The state directory."""
        return self.control.releaser.records.written.folder

    async def run(self, what: str, who: str, work: Callable[[], Awaitable[object]]) -> object:
        """Carry one out. what: it in words. Raises CommandError where it can't be now, and what the work raises."""
        self._refuse()
        gate, task = self.control.gate, asyncio.current_task()
        gate.trial, self._task = f"{what} by {who} is under way", task
        self.tell("trial_began", "", f"{what} by {who}: control waits for its end")
        try:
            return await work()
        finally:
            gate.trial, self._task = "", None
            self.tell("trial_ended", "", f"{what} by {who}")

    def _refuse(self) -> None:
        gate, releaser = self.control.gate, self.control.releaser
        arming = gate.arming
        if gate.trial:
            raise CommandError(Refusal.NOT_READY, f"{gate.trial}: wait for its end, or end it where it was begun")
        if arming.state is Arm.LOOKING:
            text = "the daemon runs with --observe and writes nothing: start it without, it stays in observe mode"
            raise CommandError(Refusal.NOT_READY, text)
        if gate.open or (arming.state is Arm.HELD and gate.absence().objection is None):
            text = "derctl is in control: first `derctl disarm`, and `derctl arm` afterwards"
            raise CommandError(Refusal.NOT_READY, text)
        if releaser.releasing or releaser.inventory.wrote():
            text = "what derctl wrote is not given back yet: again in a minute, or `derctl release`"
            raise CommandError(Refusal.NOT_READY, text)

    async def end(self, *, hurry: bool = False) -> None:
        """Of the one that is under way, if any: what it wrote is given back by then. hurry: as the daemon ends."""
        task = self._task
        if task is None:
            return
        self._patience_s = HURRY_S if hurry else PATIENT_S
        await end_kindly(task)

    def proven(self, proofs: dict[str, Proof]) -> None:
        """These are on record now."""
        self.control.absent.known.proofs = proofs
        self.control.ears.changed()

    @asynccontextmanager
    async def proving(self) -> AsyncIterator[Proving]:
        """As `actuate.proving.proving`, of the daemon's own devices."""
        self._patience_s = PATIENT_S
        releaser = self.control.releaser
        wires = TaskWires(self.tasks, self.control.plant.channels)
        made = Proving(self.site, self.folder, self.clock, releaser, wires, self._lends)
        try:
            yield made
        finally:
            await heard(made, min(AGAIN_S, self._patience_s / 3.0), asks=False)
            made.given_back = await releaser.release_of(made.told, lift=True, seconds=self._patience_s)

    @asynccontextmanager
    async def _lends(self, der_id: str) -> AsyncIterator[None]:
        channel = self.control.plant.ders[der_id]
        with lent([channel], self.control.releaser.dispatch):
            await self.control.loop.poller.leave([channel.id])
            yield

    @asynccontextmanager
    async def standing(self) -> AsyncIterator[Stand]:
        """As `stand.stand`: all devices are lent. Raises BusTimeout, NotGivenBack."""
        self._patience_s = PATIENT_S
        plant, releaser = self.control.plant, self.control.releaser
        found = {name: writer.promised.found_w for name, writer in releaser.dispatch.writers.items()}
        made = Stand(self.site, plant, releaser, stamp=self.clock.stamp)
        with lent(plant.channels, releaser.dispatch):
            await self.control.loop.poller.leave([channel.id for channel in plant.channels])
            try:
                await made.begin()
                yield made
            finally:
                made.patience_s = self._patience_s
                for name in made.stood:
                    await made.give_back(name)
                for name, found_w in found.items():
                    releaser.dispatch.writers[name].promised.found_w = found_w


@dataclass(slots=True)
class TaskWires:
    """The daemon's connections. What else is behind one that is closed is not asked meanwhile."""

    tasks: Tasks
    channels: Sequence[Channel]
    _silent: list[Channel] = field(default_factory=list)

    async def part(self, bus: Bus) -> None:
        """Closed from now on."""
        self._silent = [channel for channel in self.channels if channel.bus is bus and not channel.asking.lent]
        for channel in self._silent:
            channel.asking.lent = True
        await self.tasks.drop(task_of(bus))

    def join(self, bus: Bus) -> None:
        """Kept connected again."""
        self.tasks.start(task_of(bus), bus.line.run())
        for channel in self._silent:
            channel.asking.lent = False
        self._silent = []


@contextmanager
def lent(channels: Sequence[Channel], dispatch: Dispatch) -> Iterator[None]:
    """To a trial, for so long."""
    for channel in channels:
        channel.asking.lent = True
    dispatch.lent = {channel.id for channel in channels}
    try:
        yield
    finally:
        dispatch.lent = set()
        for channel in channels:
            channel.asking.lent = False
