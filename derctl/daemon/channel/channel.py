"""One device behind one unit id: find it, poll it, notice when it is another one, and keep its last reading."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from derctl.core.exchange import Exchange, Registers, patient
from derctl.core.types import Reading
from derctl.daemon.channel.stillness import Stillness, frozen, observe
from derctl.devices import Device, Identity, Kind, Options
from derctl.errors import BusError, DeviceError, DeviceRefused
from derctl.links.bus import Bus, Priority

REBIND_S = 5.0
SLOW_EVERY_S = 5.0
START_S = 10.0
"""A device that isn't found yet is `starting` for so long before it is called unreachable."""
SLOW_KEEP_S = {"soc": 30.0}
"""What is kept for a shorter time than the rest is read first, each SLOW_EVERY_S; the others share what time the bus
has left."""
OWN_KEEP_S = 600.0
"""How long a slow block that can't be read any more still counts; whether a device runs a function of its own changes
rarely, and one lost read of it must not let a limit go."""
ILLEGAL_ADDRESS = 2
REFUSED_LIMIT = 3
"""Polls refused with exception 2 in a row after which the map is walked again (docs/sources.md)."""
METER_SCALE_W = 2500.0
"""Scale for a meter's stillness, and the least for a BMS's: with 2 % of it, 50 W, a steady reading is believable."""
BMS_REFRESH_S = 10.0
"""Three of these are the 30 s after which a silent BMS stops the battery too (docs/sources.md)."""


@dataclass(slots=True)
class Channel:
    """state: starting | ok | unreachable | refused | frozen; reason is the stable code behind it.

    last: the device that was found last, kept while it can't be found; None once another one answers in its place.
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
    device: Device | None = None
    last: Device | None = None
    known: Identity | None = None
    reading: Reading = field(default_factory=Reading)
    read_s: float = -1e9
    sample: int = 0
    state: str = "starting"
    reason: str | None = "unreachable"
    text: str = "not found yet"
    answers: dict[str, Registers] = field(default_factory=dict)
    unreadable: tuple[str, ...] = ()
    born_s: float = field(default_factory=time.monotonic)
    _slow_s: dict[str, float] = field(default_factory=dict)
    _slow_asked_s: dict[str, float] = field(default_factory=dict)
    _slow: itertools.cycle[str] | None = None
    _next_bind_s: float = -1e9
    _next_slow_s: float = -1e9
    _generation: int = -1
    _refused: int = 0
    _still: Stillness = field(default_factory=Stillness)

    @property
    def age_s(self) -> float:
        """Since the last good reading."""
        return self.clock() - self.read_s

    def look_again(self) -> None:
        """Find the device at the next poll, however recently that failed."""
        self._next_bind_s = -1e9

    @property
    def verified(self) -> bool:
        """The device that answers on this connection is the one that was found: only then it may be written."""
        return self.device is not None and self._generation == self.bus.generation

    async def poll(self) -> None:
        """One control poll. Never raises for what the device or the bus does; state and reading say how it went."""
        try:
            if not self.bus.connected:
                raise self.bus.closed()
            if self.device is None:
                await self._bind_if_due()
            elif self._generation != self.bus.generation:
                await self._verify(self.device)
            if self.device is not None:
                await self._read(self.device)
        except BusError as error:
            self._say("unreachable", "unreachable", str(error))
        except DeviceRefused as error:
            self._refused += error.code == ILLEGAL_ADDRESS
            self._say("unreachable", "unreachable", str(error))
            if self._refused >= REFUSED_LIMIT:
                self._forget()
        except DeviceError as error:
            self._say("unreachable", "unreachable", str(error))
            self._forget()

    async def _read(self, device: Device) -> None:
        answers = {name: await self.bus.request(self.unit, read) for name, read in device.control.items()}
        now = self.clock()
        self.answers.update(answers)
        for name in [name for name, at in self._slow_s.items() if now - at > SLOW_KEEP_S.get(name, OWN_KEEP_S)]:
            del self._slow_s[name]
            self.answers.pop(name, None)
        self.reading = device.decode(self.answers)
        self.read_s = now
        self.sample += 1
        self._refused = 0
        self._judge_stillness(device, next(iter(answers.values())), now)

    def _judge_stillness(self, device: Device, registers: Registers, now: float) -> None:
        reading, refresh_s = self.reading, self.options.profile.refresh_s
        self._still = observe(self._still, registers, reading.energy_wh, now)
        p_w, scale_w = reading.p_w, device.rating.size_w or METER_SCALE_W
        if p_w is None and reading.dc_p_w is not None:  # a BMS: it states no rating, its limits tell its size
            limits = (reading.p_charge_limit_w or 0.0, reading.p_discharge_limit_w or 0.0)
            p_w, scale_w, refresh_s = reading.dc_p_w, max(*limits, scale_w), max(refresh_s, BMS_REFRESH_S)
        if frozen(self._still, p_w=p_w, scale_w=scale_w, refresh_s=refresh_s, now_s=now):
            self._say("frozen", "frozen", f"its registers have not changed for {now - self._still.since_s:.1f} s")
        else:
            self._say("ok", None, "")

    async def read_slow(self, *, first: bool = False) -> None:
        """One slow block, if one is due; called when the bus has time. first: only one with a pace of its own."""
        device = self.device
        if device is None or not self.bus.connected:
            return
        name = self._first_due(device) or (None if first else self._next_due(device))
        if name is not None:
            await self._read_slow_block(device, name)

    def _first_due(self, device: Device) -> str | None:
        own_pace = (name for name in device.slow if name in SLOW_KEEP_S)
        latest = self.clock() - SLOW_EVERY_S
        return next((name for name in own_pace if self._slow_asked_s.get(name, -1e9) <= latest), None)

    def _next_due(self, device: Device) -> str | None:
        rest = [name for name in device.slow if name not in SLOW_KEEP_S]
        if not rest or self.clock() < self._next_slow_s:
            return None
        if self._slow is None:
            self._slow = itertools.cycle(rest)
        self._next_slow_s = self.clock() + SLOW_EVERY_S / len(rest)
        return next(self._slow)

    async def _read_slow_block(self, device: Device, name: str) -> None:
        """What can't be read now keeps its last answer until that is too old."""
        self._slow_asked_s[name] = self.clock()
        try:
            self.answers[name] = await self.bus.request(self.unit, device.slow[name], priority=Priority.SLOW)
            self._slow_s[name] = self.clock()
        except (BusError, DeviceError):
            return

    async def _bind_if_due(self) -> None:
        if self.clock() >= self._next_bind_s:
            self._next_bind_s = self.clock() + REBIND_S
            await self._bind()

    async def _bind(self) -> None:
        generation = self.bus.generation
        device = await self.bus.execute(self.unit, patient(self._find()), priority=Priority.SLOW)
        wrong = self._wrong(device)
        if wrong is not None:
            self.last = None
            self._say("refused", wrong[0], wrong[1])
            return
        changed = self.known is not None and self.known.firmware != device.identity.firmware
        if changed:
            self.on_event("firmware_changed", self.id, f"firmware is now {device.identity.firmware}")
        self.device, self.last, self.known, self._generation = device, device, device.identity, generation
        self._still = Stillness(since_s=self.clock())
        for name in device.slow:
            await self._read_slow_block(device, name)
        self.on_event("found", self.id, f"{device.identity.maker} {device.identity.model}, {device.identity.serial}")
        for problem in device.problems:
            self.on_event("map_problem", self.id, problem)

    def _find(self) -> Exchange[Device]:
        return self.kind.bind(self.options)

    def _wrong(self, device: Device) -> tuple[str, str] | None:
        serial = device.identity.serial
        expected = self.serial if self.known is None else self.known.serial
        if expected is not None and expected != serial:
            return "identity_changed", f"serial {serial!r} answers, {expected!r} is expected"
        problem = self.check(device)
        return None if problem is None else ("identity_changed", problem)

    async def _verify(self, device: Device) -> None:
        """After a reconnection: is it still the same device with the same firmware? If not, it is found anew."""
        generation = self.bus.generation
        identity = await self.bus.execute(self.unit, patient(device.identify()), priority=Priority.POLL)
        if identity == device.identity:
            self._generation = generation
            return
        self._forget()
        await self._bind()

    def _forget(self) -> None:
        self.device = None
        self.answers.clear()
        self._slow_s.clear()
        self._slow_asked_s.clear()
        self._slow = None
        self._refused = 0

    def _say(self, state: str, reason: str | None, text: str) -> None:
        if self.state == "starting" and state == "unreachable" and self.clock() - self.born_s < START_S:
            self.reason, self.text = reason, text
            return
        if state != self.state and (self.state, state) != ("starting", "ok"):
            self.on_event(f"device_{state}", self.id, text or "answers again")
        self.state, self.reason, self.text = state, reason, text
