"""One device behind one unit id: find it, poll it, notice when it is another one, and keep its last reading."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from derctl.core.exchange import Registers, patient
from derctl.core.text import serial_text
from derctl.core.types import Reading, Setpoint
from derctl.core.words import Bind, Reason
from derctl.daemon.channel import binding as binds
from derctl.daemon.channel import slow as slows
from derctl.daemon.channel.binding import Binding, Look
from derctl.daemon.channel.claim import Claim, believed, profile_of, weighed
from derctl.daemon.channel.slow import Slow
from derctl.daemon.channel.stillness import Stillness, observe, stands_still
from derctl.devices import Device, Identity, Kind, Options, Profile
from derctl.errors import BusError, BusTimeout, DeviceError, DeviceRefused, NoMap, WrongKind
from derctl.links.bus import Bus, Priority

ILLEGAL_ADDRESS = 2
GATEWAY = frozenset({0x0A, 0x0B})
"""Exceptions that a gateway answers for a device which is silent."""


@dataclass(slots=True)
class Channel:
    """Carries a device's states: how it is bound (binding), which slow block is next (slow), whether it stands still.

    check: what is wrong with a device that was found, None if it is the right one. read_s, sample: of `reading`.
    heard_s: when it answered last, a refusal counts. answers: the registers that it was decoded from, by block.
    claim: what its read-back is worth; where that is nothing, `reading.accepted` is None.
    """

    id: str
    bus: Bus
    unit: int
    kind: Kind
    options: Options
    serial: str | None = None
    check: Callable[[Device], str | None] = lambda device: None
    on_event: Callable[[str, str, str], None] = lambda event, who, text: None
    clock: Callable[[], float] = time.monotonic
    born_s: float = field(default_factory=time.monotonic)
    binding: Binding = field(default_factory=Binding)
    slow: Slow = field(default_factory=Slow)
    still: Stillness = field(default_factory=Stillness)
    reading: Reading = field(default_factory=Reading)
    read_s: float = -1e9
    heard_s: float = -1e9
    sample: int = 0
    answers: Mapping[str, Registers] = field(default_factory=dict)
    claim: Claim = field(default_factory=Claim)

    @property
    def device(self) -> Device | None:
        """The device that was found, None while none is."""
        return self.binding.device

    @property
    def state(self) -> Bind:
        return self.binding.state

    @property
    def known(self) -> Identity | None:
        """Who was found last."""
        return self.binding.known

    @property
    def verified(self) -> bool:
        """The device that answers on this connection is the one that was found: only then it may be written."""
        return self.device is not None and self.binding.generation == self.bus.generation

    @property
    def profile(self) -> Profile:
        """Its profile, by what it has shown."""
        return profile_of(self.claim, self.options.profile)

    def believed(self, accepted: Setpoint | None) -> Setpoint | None:
        """What it reads back, where that says anything."""
        return accepted if believed(self.claim, self.options.profile) else None

    @property
    def _long_silent(self) -> bool:
        """Behind a gateway a device is changed without a new connection."""
        return self.state is Bind.UNREACHABLE and self.clock() - self.heard_s > binds.SILENT_S

    def look_again(self) -> None:
        """Find the device at the next poll, however recently that failed."""
        self.binding = binds.looked_for(self.binding, -1e9)

    async def poll(self) -> None:
        """One control poll. Never raises for what the device or the bus does; binding and reading say how it went."""
        try:
            if not self.bus.connected:
                raise self.bus.closed()
            device = self.device
            if device is None:
                await self._bind_if_due()
            elif not self.verified or self._long_silent:
                await self._verify(device)
            if self.device is not None:
                await self._read(self.device)
        except BusTimeout as error:
            self._saw(Look.SILENT, Reason.UNREACHABLE, error.full)
        except BusError as error:
            self._saw(Look.SILENT, Reason.UNREACHABLE, str(error))
        except DeviceRefused as error:
            self.heard_s = self.heard_s if error.code in GATEWAY else self.clock()
            self._saw(Look.SILENT, Reason.UNREACHABLE, str(error))
            if error.code == ILLEGAL_ADDRESS:
                self._rebound(binds.refused(self.binding))
        except WrongKind as error:
            self._rebound(binds.another(self.binding))
            self._saw(Look.WRONG, Reason.IDENTITY_CHANGED, str(error))
        except NoMap as error:
            self._rebound(binds.forgotten(self.binding))
            self._saw(Look.WRONG, Reason.IDENTITY_CHANGED, str(error))
        except DeviceError as error:
            self._saw(Look.SILENT, Reason.UNREACHABLE, str(error))
            self._rebound(binds.forgotten(self.binding))

    async def _read(self, device: Device) -> None:
        fresh = {name: await self.bus.request(self.unit, read) for name, read in device.control.items()}
        now, before_s = self.clock(), self.read_s
        self._expire(now)
        self.answers = {**self.answers, **fresh}
        self.reading = device.decode(self.answers)
        self.read_s = self.heard_s = now
        self.sample += 1
        self.binding = binds.answered(self.binding)
        self.still = observe(self.still, next(iter(fresh.values())), self.reading.energy_wh, now)
        if stands_still(self.still, self.reading, device.rating, self.options.profile.refresh_s, now):
            still_s = now - self.still.since_s
            self._saw(Look.STILL, Reason.FROZEN, f"its registers have not changed for {still_s:.1f} s")
        else:
            self._saw(Look.READ, None, "")
        self._weigh(device, before_s)

    def _weigh(self, device: Device, before_s: float) -> None:
        """Registers that stand still contradict nothing. What is no claim goes no further."""
        if self.state is Bind.OK:
            profile = self.options.profile
            self.claim = weighed(self.claim, self.reading, device.rating, profile, self.read_s, before_s=before_s)
        if self.reading.accepted is not None and self.believed(self.reading.accepted) is None:
            self.reading = replace(self.reading, accepted=None)

    def _expire(self, now_s: float) -> None:
        """An answer of a slow block that is too old counts no more."""
        gone = slows.expired(self.slow, now_s)
        if gone:
            self.slow = slows.without(self.slow, gone)
            self.answers = {name: words for name, words in self.answers.items() if name not in gone}

    async def read_slow(self, *, first: bool = False) -> None:
        """One slow block, if one is due; called when the bus has time. first: only one with a pace of its own."""
        device = self.device
        if device is None or not self.bus.connected:
            return
        name = slows.due(self.slow, device.slow, self.clock(), first=first)
        if name is not None:
            await self._read_slow_block(device, name)

    async def _read_slow_block(self, device: Device, name: str) -> None:
        """What can't be read now keeps its last answer until that is too old."""
        self.slow = slows.asked(self.slow, name, device.slow, self.clock())
        try:
            words = await self.bus.request(self.unit, device.slow[name], priority=Priority.SLOW)
        except (BusError, DeviceError):
            return
        if self.device is not device:  # found anew meanwhile: another's registers say nothing of it
            return
        self.answers = {**self.answers, name: words}
        self.slow = slows.answered(self.slow, name, self.clock())

    async def _bind_if_due(self) -> None:
        if self.binding.due(self.clock()):
            self.binding = binds.looked_for(self.binding, self.clock())
            await self._bind()

    async def _bind(self) -> None:
        generation = self.bus.generation
        exchange = patient(self.kind.bind(self.options))
        device = await self.bus.execute(self.unit, exchange, priority=Priority.SLOW)
        wrong = self._wrong(device)
        if wrong is not None:
            self.binding = binds.another(self.binding, device.rating.p_max_w)
            self._saw(Look.WRONG, Reason.IDENTITY_CHANGED, wrong)
            return
        known, firmware = self.known, device.identity.firmware
        if known is not None and known.firmware != firmware:
            self.on_event("firmware_changed", self.id, f"firmware is now {firmware}")
        self.binding = binds.found(self.binding, device, generation)
        self.still = Stillness(since_s=self.clock())
        for name in device.slow:
            await self._read_slow_block(device, name)
        self.on_event("found", self.id, _who(device.identity))
        for problem in device.problems:
            self.on_event("map_problem", self.id, problem)

    def _wrong(self, device: Device) -> str | None:
        serial = serial_text(device.identity.serial)
        expected = serial_text(self.serial or ("" if self.known is None else self.known.serial))
        if expected.strip("0") and expected != serial:  # zeros alone: it was not filled in yet
            return f"serial {serial!r} answers, {expected!r} is expected"
        return self.check(device)

    async def _verify(self, device: Device) -> None:
        """After a reconnection: is it still the same device with the same firmware? If not, it is found anew."""
        generation = self.bus.generation
        identity = await self.bus.execute(self.unit, patient(device.identify()), priority=Priority.POLL)
        if identity == device.identity:
            self.binding = binds.verified(self.binding, generation)
            return
        self._rebound(binds.forgotten(self.binding))
        await self._bind()

    def _rebound(self, binding: Binding) -> None:
        """What was read of a device that has to be found anew counts no more."""
        self.binding = binding
        if binding.device is None:
            self.answers, self.slow = {}, Slow()

    def _saw(self, look: Look, reason: Reason | None, text: str) -> None:
        before = self.binding
        self.binding = binds.seen(before, look, reason, text, age_s=self.clock() - self.born_s)
        name = binds.news(before, self.binding)
        if name is not None:
            self.on_event(name, self.id, text or "answers again")


def _who(identity: Identity) -> str:
    """`Maker Model, serial 1001`."""
    name = f"{identity.maker} {identity.model}".strip()
    return f"{name}, serial {identity.serial}" if identity.serial else f"{name}, which tells no serial"
