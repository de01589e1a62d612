"""One device behind one unit id: poll it, read its slow blocks beside that, and keep what it measures."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import InitVar, field

from derctl.core.dataclass import dataclass
from derctl.core.exchange import Read, Registers
from derctl.core.words import Bind, Reason
from derctl.daemon.channel import slow as slows
from derctl.daemon.channel.answers import Answers
from derctl.daemon.channel.asking import Asking
from derctl.daemon.channel.binding import Look
from derctl.daemon.channel.bond import Bond
from derctl.daemon.channel.expected import Expected
from derctl.daemon.channel.finder import Finder
from derctl.daemon.channel.finding import misfits
from derctl.daemon.channel.measured import Measured
from derctl.daemon.channel.sight import Sight
from derctl.daemon.channel.stillness import Stillness
from derctl.daemon.channel.telling import taken_as, who
from derctl.devices import Device
from derctl.devices.blocks import ALONE, Joining
from derctl.errors import BusError, DecodeError, DeviceError, DeviceRefused
from derctl.links.bus import Bus
from derctl.links.turns import Priority

AWAY_S = 3.0
"""One that was silent for longer may have restarted meanwhile and forgotten what it was told (docs/sources.md)."""


@dataclass(slots=True)
class Channel:
    """Carries what is known of a device: how far it is found (bond), the registers that it answered with (answers),
    and what they say (measured).

    joining: what of it may be read together, for `asking`. heard_s: when it answered last, a refusal counts. back_s:
    when it came back from a silence; it may have forgotten what it was told.
    """

    id: str
    bus: Bus
    unit: int
    expected: Expected
    on_event: Callable[[str, str, str], None] = lambda event, who, text: None
    joining: InitVar[Joining] = ALONE
    clock: Callable[[], float] = time.monotonic
    born_s: float = field(default_factory=time.monotonic)
    bond: Bond = field(init=False)
    finder: Finder = field(init=False)
    asking: Asking = field(init=False)
    answers: Answers = field(default_factory=Answers)
    measured: Measured = field(init=False)
    heard_s: float = -1e9
    back_s: float = -1e9

    def __post_init__(self, joining: Joining) -> None:
        self.measured = Measured(self.expected)
        self.bond = Bond(id=self.id, bus=self.bus, on_event=self.on_event, clock=self.clock, born_s=self.born_s)
        self.asking = Asking(self.bus, self.unit, joining)
        self.finder = Finder(bond=self.bond, unit=self.unit, expected=self.expected)

    @property
    def device(self) -> Device | None:
        """The device that was found, without what it refuses now; None while none is found."""
        binding = self.bond.binding
        return binding.parts.left or binding.device

    @property
    def state(self) -> Bind:
        return self.bond.binding.state

    async def poll(self) -> None:
        """One control poll. Never raises for what the device or the bus does; binding and reading say how it went."""
        try:
            if not self.bus.line.connected:
                raise self.bus.line.closed()
            if not self.bond.stands(self.heard_s):
                await self._find()
            binding = self.bond.binding
            whole = binding.more or binding.device
            if whole is not None:
                await self._read(whole)
            elif binding.barred is not None:  # not as the site file says: for people, nothing is done with it
                answers, _ = await self.asking.ask(binding.barred, self.answers.blocks)
                self._take(binding.barred, answers, self.clock())
        except (BusError, DeviceError) as error:
            if isinstance(error, DeviceRefused) and not error.by_gateway:
                self.heard_s = self.clock()
            self.bond.failed(error)
            self._forget()

    async def look(self) -> None:
        """Find it again beside the polls, for what it lacked. Never raises for what the device or the bus does."""
        await self.finder.look()
        self._forget()

    def _forget(self) -> None:
        """What was read of a device that has to be found anew counts no more."""
        if self.bond.binding.device is None:
            self.answers = Answers()

    async def _find(self) -> None:
        """One that is found now has its slow blocks read at once."""
        device = await self.finder.find(self.measured.steady.misfit)
        if device is None:
            self._forget()
            return
        self.answers, self.measured.still = Answers(), Stillness(since_s=self.clock())
        self.expected.slower(device.habits.profile)
        self.asking.shorten(device.habits.profile.max_regs)
        for name in device.slow:
            await self._read_slow_block(device, name)
        self.on_event("found", self.id, f"{who(device.identity)}{taken_as(device.habits)}")
        for problem in device.problems:
            self.on_event("map_problem", self.id, problem)

    async def _read(self, whole: Device) -> None:
        fresh, refusals = await self.asking.ask(whole, self.answers.blocks)
        now_s, bond, measured = self.clock(), self.bond, self.measured
        before, before_s = bond.binding, measured.read_s
        if before.device is None or (whole is not before.device and whole is not before.more):
            return  # found out to be another one meanwhile: what it answers says nothing of ours
        self.answers.expire(now_s)
        if whole is not before.device:
            self.answers.moved(before.device, whole)
        bond.polled(whole, refusals)
        doubts = [self.answers.doubt(whole.control[name], words) for name, words in fresh.items()]
        if any(doubts):  # it answers, and what it measures is not known
            self.heard_s = now_s
            bond.saw(Look.BLANK, Reason.IMPLAUSIBLE, "; ".join(filter(None, doubts)))
            return
        known = self.answers.polled(fresh, refusals)
        if before.state not in {Bind.OK, Bind.FROZEN} and now_s - before_s > AWAY_S:
            self.back_s = now_s
        seen = self._take(self.device or whole, known, now_s)
        measured.polled(fresh)
        still_s = measured.still_s(fresh, whole.rating)
        if seen.look is Look.WRONG:
            bond.found_out(misfits(bond.binding, whole, seen.text))
            self._forget()
        elif still_s is not None:
            bond.saw(Look.STILL, Reason.FROZEN, f"its registers have not changed for {still_s:.1f} s")
        else:
            bond.saw(seen.look, seen.reason, seen.text or bond.binding.parts.text(whole))
        device = self.device
        steers = device is not None and device.can.steer
        measured.weigh(whole.rating, before_s, steers=steers, moves=bond.binding.state is Bind.OK)

    def _take(self, device: Device, answers: Mapping[str, Registers], now_s: float) -> Sight:
        seen = self.measured.take(device, answers, now_s, self.answers.soc_s(device))
        self.heard_s = now_s
        if seen.news:
            self.on_event("value_held", self.id, seen.news)
        return seen

    async def read_slow(self, *, first: bool = False) -> None:
        """One slow block, if one is due; called when the bus has time. first: only one with a pace of its own."""
        device = self.bond.binding.device
        if device is None or not self.bus.line.connected:
            return
        now_s, measured = self.clock(), self.measured
        doubted = measured.steady.doubts("soc_pct", measured.reading.soc_pct, now_s)
        name = slows.due(self.answers.slow, device.slow, now_s, first=first, doubted=doubted)
        if name is not None:
            await self._read_slow_block(device, name)

    async def _read_slow_block(self, device: Device, name: str) -> None:
        """What can't be read now keeps its last answer until that is too old."""
        answers = self.answers
        answers.slow = slows.asked(answers.slow, name, device.slow, self.clock())
        try:
            words = await self._sure(device.slow[name])
        except (BusError, DeviceError):
            return
        if self.bond.binding.device is device:  # else found anew meanwhile: another's registers say nothing of it
            self.answers.answered(name, words, self.clock())

    async def _sure(self, read: Read) -> Registers:
        """Of a block that is read seldom: once more where its scale factors do not count. Raises DecodeError."""
        answers = self.answers
        words = await self.bus.request(self.unit, read, priority=Priority.SLOW)
        if answers.doubt(read, words):
            words = await self.bus.request(self.unit, read, priority=Priority.SLOW)
            if text := answers.doubt(read, words):
                raise DecodeError(text)
        return words
