"""The device that the site file describes, and the questions by which it is found. Pure."""

from __future__ import annotations

from collections.abc import Callable

from derctl.core.dataclass import dataclass
from derctl.core.exchange import Exchange, patient
from derctl.core.types import Rating, Reading
from derctl.daemon.channel import believed
from derctl.devices import Device, Identity, Kind, Options, Profile


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """serial, model: as the site file has them. check: what of a device that was found is not as the site file says,
    None if all is; doubts: the same for what it measures. Both go by what stands here, and nothing else. recorded:
    the rating with which it was found before the restart; None: never, or another one. slower: told the profile of
    the one that was found, for the pace of its bus. heir: the serial number of the one that took its place by an
    operator's word."""

    kind: Kind
    options: Options
    serial: str | None = None
    model: str | None = None
    check: Callable[[Device], str | None] = lambda device: None
    recorded: Callable[[Identity], Rating | None] = lambda told: None
    doubts: Callable[[Device, Reading], str | None] = lambda device, seen: None
    slower: Callable[[Profile], None] = lambda profile: None
    heir: Callable[[], str | None] = lambda: None

    @property
    def wanted(self) -> str | None:
        """The serial number that counts: of the one that took the place of the site file's, where there is one."""
        return self.heir() or self.serial

    def asks_like(self, other: Expected) -> bool:
        """Whether the same questions find the same device, and the same is demanded of it."""
        own, others = ((each.kind, each.options, each.serial, each.model) for each in (self, other))
        return own == others

    def meet(self, known: Identity | None) -> Exchange[tuple[Device, Identity]]:
        """Find it. Who it says it is; what speaks against it counts where it says so twice."""
        device = yield from patient(self.kind.bind(self.options))
        if believed.judged(known, self.wanted, device.identity).objection is None:
            return device, device.identity
        again = yield from patient(device.identify())
        return device, believed.unchanged(device.identity, again)
