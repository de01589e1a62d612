"""What one device is known to be, from poll to poll: its binding, and what people are told of that."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field

from derctl.core.dataclass import dataclass
from derctl.core.value import replace
from derctl.core.words import Bind, Reason
from derctl.daemon.channel import binding as binds
from derctl.daemon.channel import finding
from derctl.daemon.channel.binding import Binding, Look
from derctl.daemon.channel.finding import Fault
from derctl.daemon.channel.parts import polled
from derctl.daemon.channel.telling import Told, gained_text, is_news
from derctl.devices import Device
from derctl.errors import BusError, BusTimeout, DeviceError
from derctl.links.bus import Bus


@dataclass(slots=True, kw_only=True)
class Bond:
    """Carries the binding of the device behind one unit id of `bus`. born_s: since when it is looked for."""

    id: str
    bus: Bus
    on_event: Callable[[str, str, str], None]
    clock: Callable[[], float]
    born_s: float
    binding: Binding = field(default_factory=Binding)
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
