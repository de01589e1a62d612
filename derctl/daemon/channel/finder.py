"""Finds one device on its unit id, and makes sure that it stays the one."""

from __future__ import annotations

from derctl.core.dataclass import dataclass
from derctl.core.exchange import patient
from derctl.core.types import Rating
from derctl.core.value import replace
from derctl.daemon.channel import believed, finding
from derctl.daemon.channel import binding as binds
from derctl.daemon.channel.bond import Bond
from derctl.daemon.channel.expected import Expected
from derctl.daemon.channel.steady import rating_jump
from derctl.daemon.channel.telling import who
from derctl.devices import Device, Identity
from derctl.errors import BusError, DeviceError, SectionUnclear
from derctl.links.turns import Priority


@dataclass(slots=True, kw_only=True)
class Finder:
    """Asks the device who it is, and binds what answers (bond). rating: the one that is believed of it."""

    bond: Bond
    unit: int
    expected: Expected
    rating: Rating | None = None

    async def find(self, misfit: str) -> Device | None:
        """Look for it if that is due, or make sure that it is still the one. Returns one that was found now.

        misfit: what it measured against the site file. Raises BusError and DeviceError.
        """
        bond, whole = self.bond, self.bond.binding.device
        if whole is not None:
            return None if await self._verified(whole) else await self._bind(misfit)
        if not bond.binding.due(bond.clock()):
            return None
        bond.binding = binds.looked_for(bond.binding, bond.clock())
        return await self._bind(misfit)

    async def _bind(self, misfit: str) -> Device | None:
        bond, generation = self.bond, self.bond.bus.line.generation
        meeting = self.expected.meet(bond.binding.known)
        device, told = await bond.bus.execute(self.unit, meeting, priority=Priority.SLOW, meets=True)
        if not self._is_right(device, told, misfit):
            return None
        known = bond.binding.known
        if known is not None and believed.newer(known, told):
            bond.on_event("firmware_changed", bond.id, f"firmware is now {told.firmware}")
        bond.binding = binds.found(bond.binding, device, generation, bond.clock(), told)
        return device

    async def _verified(self, whole: Device) -> bool:
        """After a reconnection: is it still the same device with the same firmware? If not, it is found anew.

        Where it doesn't say who it is, nothing changes but that it isn't written.
        """
        bond, generation = self.bond, self.bond.bus.line.generation
        known = bond.binding.known or whole.identity
        bond.binding = binds.doubted(bond.binding)
        exchange = patient(believed.asked(whole, known, bond.binding.rated, self.expected.wanted))
        try:
            told, verdict = await bond.bus.execute(self.unit, exchange, priority=Priority.POLL)
        except DeviceError:
            bond.binding = binds.unsure(bond.binding)
            return True
        if verdict.objection is not None or believed.newer(known, told):
            bond.binding = binds.forgotten(bond.binding)
            return False
        if verdict.sure:
            bond.binding = binds.verified(bond.binding, generation, told)
            if believed.number(told.serial) and not believed.number(known.serial):
                bond.on_event("found", bond.id, who(told))
        return True

    async def look(self) -> None:
        """Find it again beside the polls, for what it lacked. Never raises for what the device or the bus does."""
        bond = self.bond
        whole, generation = bond.binding.device, bond.bus.line.generation
        bond.binding = binds.looked_for(bond.binding, bond.clock())
        try:
            meeting = self.expected.meet(bond.binding.known)
            found, told = await bond.bus.execute(self.unit, meeting, priority=Priority.SLOW)
        except SectionUnclear as error:
            bond.failed(error)
            return
        except (BusError, DeviceError):
            return
        if whole is None or bond.binding.device is not whole or generation != bond.bus.line.generation:
            return
        if self._is_right(found, told) and binds.better(found, whole):
            bond.binding = replace(bond.binding, more=found)

    def _is_right(self, device: Device, told: Identity, misfit: str = "") -> bool:
        """Whether it is the right device, as the site file says, and as it was before."""
        bond = self.bond
        fault = finding.objection(bond.binding, device, told, self.expected, misfit)
        if fault is not None:
            bond.found_out(fault)
            return False
        if device.lacks:  # what was found of it in part says nothing of its rating
            return True
        before = self.rating or self.expected.recorded(device.identity)
        jump = rating_jump(before, device.rating, self.expected.options.declared)
        if not jump:
            self.rating = device.rating
        elif bond.binding.device is None:
            bond.found_out(finding.implausible(bond.binding, jump))
        return not jump
