"""The device that the site file describes, and the questions by which it is found. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from derctl.core.exchange import Exchange, patient
from derctl.core.types import Reading
from derctl.daemon.channel import believed
from derctl.devices import Device, Identity, Kind, Options


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """check: what of a device that was found is not as the site file says, None if all is; doubts: the same for what
    it measures."""

    kind: Kind
    options: Options
    serial: str | None = None
    check: Callable[[Device], str | None] = lambda device: None
    doubts: Callable[[Device, Reading], str | None] = lambda device, seen: None

    def asks_like(self, other: Expected) -> bool:
        """Whether the same questions find the same device."""
        return (self.kind, self.options, self.serial) == (other.kind, other.options, other.serial)

    def meet(self, known: Identity | None) -> Exchange[tuple[Device, Identity]]:
        """Find it. Who it says it is; what speaks against it counts where it says so twice."""
        device = yield from patient(self.kind.bind(self.options))
        if believed.judged(known, self.serial, device.identity).objection is None:
            return device, device.identity
        again = yield from patient(device.identify())
        return device, believed.unchanged(device.identity, again)
