"""Finds one device on its unit id, and makes sure that it stays the one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from derctl.core.exchange import patient
from derctl.core.types import Rating
from derctl.core.value import replace
from derctl.core.words import Bind, Reason
from derctl.daemon.channel import believed, finding
from derctl.daemon.channel import binding as binds
from derctl.daemon.channel.binding import Binding, Look
from derctl.daemon.channel.expected import Expected
from derctl.daemon.channel.finding import Fault
from derctl.daemon.channel.parts import polled
from derctl.daemon.channel.steady import Track, rated
from derctl.daemon.channel.telling import Told, gained_text, is_news, who
from derctl.devices import Device, Identity
from derctl.errors import BusError, BusTimeout, DeviceError, SectionUnclear
from derctl.links.bus import Bus
from derctl.links.turns import Priority


@dataclass(slots=True, kw_only=True)
class Finder:
    """Carries a device's binding, its rating through time, and what was told of both."""

    id: str
    bus: Bus
    unit: int
    expected: Expected
    on_event: Callable[[str, str, str], None]
    clock: Callable[[], float]
    born_s: float
    binding: Binding = field(default_factory=Binding)
    rating: Track[Rating] = field(default_factory=Track)
    told: Told = field(default_factory=Told)

    @property
    def verified(self) -> bool:
        """The device that answers on this connection is the one that was found: only then it may be written."""
        return self.binding.device is not None and self.binding.generation == self.bus.line.generation

    @property
    def wants_look(self) -> bool:
        """Whether it is time for another look at one that was found incomplete."""
        binding = self.binding
        return binding.incomplete and binding.more is None and self.verified and binding.due(self.clock())

    def look_again(self) -> None:
        """Look for it, or for what it lacks, at the next occasion, however recently that failed."""
        self.binding = binds.again(self.binding)

    def stands(self, heard_s: float) -> bool:
        """Whether it is found, and surely the same still. heard_s: when it answered last.

        Behind a gateway a device is changed without a new connection.
        """
        self.binding = binding = binds.connected(self.binding, self.bus.line.generation)
        if binding.device is None or binding.generation != self.bus.line.generation:
            return False
        return binding.state is not Bind.UNREACHABLE or self.clock() - heard_s <= binds.SILENT_S

    async def find(self, misfit: str) -> Device | None:
        """Look for it if that is due, or make sure that it is still the one. Returns one that was found now.

        misfit: what it measured against the site file. Raises BusError and DeviceError.
        """
        whole = self.binding.device
        if whole is not None:
            return None if await self._verified(whole) else await self._bind(misfit)
        if not self.binding.due(self.clock()):
            return None
        self.binding = binds.looked_for(self.binding, self.clock())
        return await self._bind(misfit)

    async def _bind(self, misfit: str) -> Device | None:
        generation = self.bus.line.generation
        meeting = self.expected.meet(self.binding.known)
        device, told = await self.bus.execute(self.unit, meeting, priority=Priority.SLOW)
        if not self._is_right(device, told, misfit):
            return None
        known = self.binding.known
        if known is not None and believed.newer(known, told):
            self.on_event("firmware_changed", self.id, f"firmware is now {told.firmware}")
        self.binding = binds.found(self.binding, device, generation, self.clock(), told)
        return device

    async def _verified(self, whole: Device) -> bool:
        """After a reconnection: is it still the same device with the same firmware? If not, it is found anew.

        Where it doesn't say who it is, nothing changes but that it isn't written.
        """
        generation, known = self.bus.line.generation, self.binding.known or whole.identity
        self.binding = binds.doubted(self.binding)
        exchange = patient(believed.asked(whole, known, self.binding.rated, self.expected.serial))
        try:
            told, verdict = await self.bus.execute(self.unit, exchange, priority=Priority.POLL)
        except DeviceError:
            self.binding = binds.unsure(self.binding)
            return True
        if verdict.objection is not None or believed.newer(known, told):
            self.binding = binds.forgotten(self.binding)
            return False
        if verdict.sure:
            self.binding = binds.verified(self.binding, generation, told)
            if believed.number(told.serial) and not believed.number(known.serial):
                self.on_event("found", self.id, who(told))
        return True

    async def look(self) -> None:
        """Find it again beside the polls, for what it lacked. Never raises for what the device or the bus does."""
        whole, generation = self.binding.device, self.bus.line.generation
        self.binding = binds.looked_for(self.binding, self.clock())
        try:
            meeting = self.expected.meet(self.binding.known)
            found, told = await self.bus.execute(self.unit, meeting, priority=Priority.SLOW)
        except SectionUnclear as error:
            self.failed(error)
            return
        except (BusError, DeviceError):
            return
        if whole is None or self.binding.device is not whole or generation != self.bus.line.generation:
            return
        if self._is_right(found, told) and binds.better(found, whole):
            self.binding = replace(self.binding, more=found)

    def _is_right(self, device: Device, told: Identity, misfit: str = "") -> bool:
        """Whether it is the right device, as the site file says, and as it was before."""
        fault = finding.objection(self.binding, device, told, self.expected, misfit)
        if fault is not None:
            self.found_out(fault)
            return False
        if device.lacks:  # what was found of it in part says nothing of its rating
            return True
        self.rating, jump = rated(self.rating, device.rating, self.clock())
        if jump and self.binding.device is None:
            self.found_out(finding.implausible(self.binding, jump))
        return not jump

    def polled(self, whole: Device, refusals: Mapping[str, str]) -> None:
        """A poll came through: what it has more than before, what was refused of it, and what is back."""
        before = self.binding
        if whole is before.more and before.device is not None:
            self.binding = binds.gained(before, whole)
            self.on_event("found_more", self.id, gained_text(before.device, whole))
        self.binding = binds.answered(self.binding)
        parts = self.binding.parts
        if not refusals and not parts.refused:
            return
        now = polled(parts, refusals, whole)
        self.binding = replace(self.binding, parts=now)
        if now.lost.keys() - parts.lost.keys():
            self.on_event("part_lost", self.id, now.text(whole))
        if parts.lost.keys() - now.lost.keys():
            self.on_event("part_back", self.id, "what it refused answers again")

    def failed(self, error: BusError | DeviceError) -> None:
        """An error came instead of an answer."""
        self.found_out(finding.failed(self.binding, error))
        if not isinstance(error, BusTimeout) or not error.stray or self.binding.state is not Bind.UNREACHABLE:
            return
        if is_news(self.told, error.stray):
            self._tell(f"device_{self.binding.state}", error.full)
        self.told = replace(self.told, strayed=True)

    def found_out(self, fault: Fault) -> None:
        """It is not the one, or not as it should be."""
        self.binding = fault.binding
        self.saw(fault.look, fault.reason, fault.text)

    def saw(self, look: Look, reason: Reason | None, text: str) -> None:
        """What a poll saw of it."""
        before = self.binding
        self.binding = binds.seen(before, look, reason, text, age_s=self.clock() - self.born_s)
        name = binds.news(before, self.binding)
        if look is not Look.SILENT and self.told.strayed:
            self.told = replace(self.told, strayed=False)
        if name is not None:
            self._tell(name, text or "answers again")

    def _tell(self, name: str, text: str) -> None:
        self.told = replace(self.told, text=text)
        self.on_event(name, self.id, text)
