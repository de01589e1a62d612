"""One device behind one unit id: find it, poll it, notice when it is another one, and keep its last reading."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from derctl.core.exchange import Registers, patient
from derctl.core.types import Reading, Setpoint
from derctl.core.value import replace
from derctl.core.words import Bind, Reason
from derctl.daemon.channel import believed
from derctl.daemon.channel import binding as binds
from derctl.daemon.channel import slow as slows
from derctl.daemon.channel.binding import Binding, Look
from derctl.daemon.channel.claim import Claim, counts, profile_of, weighed
from derctl.daemon.channel.parts import Parts, polled
from derctl.daemon.channel.sight import Sight, sight
from derctl.daemon.channel.slow import Slow
from derctl.daemon.channel.steady import Steady, rated
from derctl.daemon.channel.stillness import Stillness, observe, stands_still
from derctl.devices import Device, Identity, Kind, Options, Profile
from derctl.devices.sunspec.limits import BLOCK
from derctl.errors import BusError, BusTimeout, DeviceError, DeviceRefused, NoMap, SectionUnclear, WrongKind
from derctl.links.bus import Bus, Priority

ILLEGAL_ADDRESS = 2
AWAY_S = 3.0
"""One that was silent for longer may have restarted meanwhile and forgotten what it was told (docs/sources.md)."""
GATEWAY = frozenset({0x0A, 0x0B})
"""Exceptions that a gateway answers for a device which is silent."""


@dataclass(slots=True)
class Channel:
    """Carries a device's states: how it is bound (binding), what of it is refused (parts), which slow block is next
    (slow), whether it stands still, and whether the battery in its chain does.

    check: what of a device that was found is not as the site file says, None if all is; doubts: the same for what it
    measures. more: the same device, found with more than before, until a poll has read it. read_s, sample: of
    `reading`. heard_s: when it answered last, a refusal counts. answers: the registers that it was decoded from, by
    block. back_s: when it came back from a silence; it may have forgotten what it was told. strayed: that something
    came instead of answers was told. told: the last event. claim: what its
    read-back is worth; where that is nothing, `reading.accepted` is None.
    """

    id: str
    bus: Bus
    unit: int
    kind: Kind
    options: Options
    serial: str | None = None
    check: Callable[[Device], str | None] = lambda device: None
    doubts: Callable[[Device, Reading], str | None] = lambda device, seen: None
    on_event: Callable[[str, str, str], None] = lambda event, who, text: None
    clock: Callable[[], float] = time.monotonic
    born_s: float = field(default_factory=time.monotonic)
    binding: Binding = field(default_factory=Binding)
    slow: Slow = field(default_factory=Slow)
    parts: Parts = field(default_factory=Parts)
    more: Device | None = None
    still: Stillness = field(default_factory=Stillness)
    steady: Steady = field(default_factory=Steady)
    battery: Stillness = field(default_factory=Stillness)
    reading: Reading = field(default_factory=Reading)
    read_s: float = -1e9
    heard_s: float = -1e9
    sample: int = 0
    answers: Mapping[str, Registers] = field(default_factory=dict)
    strayed: bool = False
    told: str = ""
    claim: Claim = field(default_factory=Claim)
    back_s: float = -1e9

    @property
    def device(self) -> Device | None:
        """The device that was found, without what it refuses now; None while none is found."""
        return self.parts.left or self.binding.device

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
        return accepted if counts(self.claim, self.options.profile) else None

    @property
    def missing(self) -> str:
        """What can't be given back now, in words: what it refuses, or all that it could be told."""
        whole, left = self.binding.device, self.parts.left
        if whole is None:
            return ""
        if whole.lacks and not whole.can.steer:
            return f"found without {', '.join(whole.lacks)}"
        return self.parts.text(whole) if left is not None and left.can != whole.can else ""

    @property
    def incomplete(self) -> bool:
        """Another look may find more."""
        whole = self.binding.device
        return whole is not None and bool(whole.lacks or self.parts.lost)

    @property
    def wants_look(self) -> bool:
        """Whether it is time for one."""
        return self.incomplete and self.more is None and self.verified and self.binding.due(self.clock())

    @property
    def _long_silent(self) -> bool:
        """Behind a gateway a device is changed without a new connection."""
        return self.state is Bind.UNREACHABLE and self.clock() - self.heard_s > binds.SILENT_S

    def look_again(self) -> None:
        """Look for it, or for what it lacks, at the next occasion, however recently that failed."""
        self.binding = binds.again(self.binding)

    async def poll(self) -> None:
        """One control poll. Never raises for what the device or the bus does; binding and reading say how it went."""
        try:
            if not self.bus.connected:
                raise self.bus.closed()
            self.binding = binds.connected(self.binding, self.bus.generation)
            whole = self.binding.device
            if whole is None:
                await self._bind_if_due()
            elif not self.verified or self._long_silent:
                await self._verify(whole)
            if self.binding.device is not None:
                await self._read(self.more or self.binding.device)
            elif self.binding.barred is not None:
                await self._watch(self.binding.barred)
        except BusTimeout as error:
            self._saw(Look.SILENT, Reason.UNREACHABLE, error.full)
            self._heard(error)
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
        except SectionUnclear as error:
            self._rebound(binds.another(self.binding))
            self._saw(Look.WRONG, Reason.SECTION_UNCLEAR, str(error))
        except NoMap as error:
            self._rebound(binds.forgotten(self.binding))
            self._saw(Look.WRONG, Reason.IDENTITY_CHANGED, str(error))
        except DeviceError as error:
            self._saw(Look.SILENT, Reason.UNREACHABLE, str(error))
            self._rebound(binds.forgotten(self.binding))

    async def _read(self, whole: Device) -> None:
        fresh, refusals = await self._ask(whole)
        now, before_s = self.clock(), self.read_s
        self._expire(now)
        if whole is not self.binding.device:
            self._became(whole)
        self._miss(whole, refusals)
        self.answers = {**self.answers, **fresh}
        known = {name: words for name, words in self.answers.items() if name not in refusals}
        if BLOCK in refusals:  # what it permitted counts no more; a control group keeps what a write needs
            self.answers = {name: words for name, words in self.answers.items() if name != BLOCK}
        if self.state not in {Bind.OK, Bind.FROZEN} and now - self.read_s > AWAY_S:
            self.back_s = now
        seen = self._take(self.device or whole, known, now)
        self.binding = binds.answered(self.binding)
        self.still = observe(self.still, next(iter(fresh.values())), self.reading.energy_wh, now)
        if BLOCK in fresh:
            self.battery = observe(self.battery, fresh[BLOCK], None, now)
        if seen.look is Look.WRONG:
            self._bar(whole, seen.text)
        elif stands_still(self.still, self.reading, whole.rating, self.options.profile.refresh_s, now):
            still_s = now - self.still.since_s
            self._saw(Look.STILL, Reason.FROZEN, f"its registers have not changed for {still_s:.1f} s")
        else:
            self._saw(seen.look, seen.reason, seen.text or self.parts.text(whole))
        self._doubt(whole, before_s)

    def _doubt(self, device: Device, before_s: float) -> None:
        """Registers that stand still contradict nothing. What is no claim goes no further."""
        steers = self.device is not None and self.device.can.steer
        mute = steers and self.reading.accepted is None
        if mute is not self.claim.mute:
            self.claim = replace(self.claim, mute=mute)
        if self.state is Bind.OK:
            profile = self.options.profile
            self.claim = weighed(self.claim, self.reading, device.rating, profile, self.read_s, before_s=before_s)
        if self.reading.accepted is not None and self.believed(self.reading.accepted) is None:
            self.reading = replace(self.reading, accepted=None)

    def _take(self, device: Device, answers: Mapping[str, Registers], now_s: float) -> Sight:
        """Keep what can be believed of these answers."""
        read = device.decode(answers)
        doubt = None if self.steady.fits else self.doubts(device, read)
        soc_s = None if BLOCK in device.control else self.slow.read_s.get("soc")
        seen = sight(self.steady, read, device, self.options, doubt, now_s, soc_s)
        self.steady, self.reading = seen.steady, seen.reading
        self.read_s = self.heard_s = now_s
        self.sample += 1
        if seen.news:
            self.on_event("value_held", self.id, seen.news)
        return seen

    async def _watch(self, device: Device) -> None:
        """What a device measures that is not as the site file says: for people, nothing is done with it."""
        answers, _ = await self._ask(device)
        self._take(device, answers, self.clock())

    def _bar(self, device: Device, text: str) -> None:
        self._rebound(binds.barred(self.binding, device))
        self._saw(Look.WRONG, Reason.MISMATCH, text)

    async def _ask(self, whole: Device) -> tuple[dict[str, Registers], dict[str, str]]:
        """The blocks of the fast poll, and why those were refused without which it is still a device."""
        fresh, refusals = dict[str, Registers](), dict[str, str]()
        for name, read in whole.control.items():
            try:
                fresh[name] = await self.bus.request(self.unit, read)
            except DeviceRefused as refused:
                why = {name: f"exception {refused.code}, so it is not used until it answers again"}
                if whole.without(why) is None:
                    raise
                refusals |= why
        return fresh, refusals

    def _miss(self, whole: Device, refusals: Mapping[str, str]) -> None:
        """What was refused in this poll, and what is back."""
        if not refusals and not self.parts.refused:
            return
        before, self.parts = self.parts, polled(self.parts, refusals, whole)
        if self.parts.lost.keys() - before.lost.keys():
            self.on_event("part_lost", self.id, self.parts.text(whole))
        if before.lost.keys() - self.parts.lost.keys():
            self.on_event("part_back", self.id, "what it refused answers again")

    def _became(self, whole: Device) -> None:
        """The same device with more than before; what was read from the same registers still counts."""
        before, self.more = self.binding.device, None
        old = {} if before is None else {**before.slow, **before.control}
        kept = {name for name, read in {**whole.slow, **whole.control}.items() if old.get(name) == read}
        self.answers = {name: words for name, words in self.answers.items() if name in kept}
        self.slow = slows.without(self.slow, self.slow.read_s.keys() - kept)
        self.binding, self.parts = binds.gained(self.binding, whole), Parts()
        lacked = () if before is None else before.lacks
        news = [lack for lack in map(_named, lacked) if lack not in map(_named, whole.lacks)]
        self.on_event("found_more", self.id, f"has now {', '.join(news)}" if news else "its map has changed")

    async def look(self) -> None:
        """Find it again beside the polls, for what it lacked. Never raises for what the device or the bus does."""
        whole, generation = self.binding.device, self.bus.generation
        self.binding = binds.looked_for(self.binding, self.clock())
        try:
            exchange = patient(self.kind.bind(self.options))
            found = await self.bus.execute(self.unit, exchange, priority=Priority.SLOW)
            told = await self._told(found)
        except SectionUnclear as error:
            self._rebound(binds.another(self.binding))
            self._saw(Look.WRONG, Reason.SECTION_UNCLEAR, str(error))
            return
        except (BusError, DeviceError):
            return
        if whole is None or self.binding.device is not whole or generation != self.bus.generation:
            return
        if (wrong := self._wrong(found, told)) is not None:
            self._refuse(wrong, found)
        elif not self._differs(found) and binds.better(found, whole):
            self.more = found

    def _expire(self, now_s: float) -> None:
        """An answer of a slow block that is too old counts no more."""
        gone = slows.expired(self.slow, now_s)
        if gone:
            self.slow = slows.without(self.slow, gone)
            self.answers = {name: words for name, words in self.answers.items() if name not in gone}

    async def read_slow(self, *, first: bool = False) -> None:
        """One slow block, if one is due; called when the bus has time. first: only one with a pace of its own."""
        device = self.binding.device
        if device is None or not self.bus.connected:
            return
        now_s = self.clock()
        doubted = self.steady.doubts("soc_pct", self.reading.soc_pct, now_s)
        name = slows.due(self.slow, device.slow, now_s, first=first, doubted=doubted)
        if name is not None:
            await self._read_slow_block(device, name)

    async def _read_slow_block(self, device: Device, name: str) -> None:
        """What can't be read now keeps its last answer until that is too old."""
        self.slow = slows.asked(self.slow, name, device.slow, self.clock())
        try:
            words = await self.bus.request(self.unit, device.slow[name], priority=Priority.SLOW)
        except (BusError, DeviceError):
            return
        if self.binding.device is not device:  # found anew meanwhile: another's registers say nothing of it
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
        told = await self._told(device)
        wrong = self._wrong(device, told)
        if wrong is not None:
            self._refuse(wrong, device)
            return
        if self._differs(device):
            return
        known = self.known
        if known is not None and believed.newer(known, told):
            self.on_event("firmware_changed", self.id, f"firmware is now {told.firmware}")
        self.binding = binds.found(self.binding, device, generation, self.clock(), told)
        self.still, self.parts, self.more = Stillness(since_s=self.clock()), Parts(), None
        for name in device.slow:
            await self._read_slow_block(device, name)
        self.on_event("found", self.id, _who(device.identity))
        for problem in device.problems:
            self.on_event("map_problem", self.id, problem)

    def _differs(self, device: Device) -> bool:
        """Whether it is the right device, and not as the site file says, or not as it was before."""
        misfit = self.check(device) or self.steady.misfit
        if misfit:
            self._bar(device, misfit)
            return True
        if device.lacks:  # what was found of it in part says nothing of its rating
            return False
        self.steady, jump = rated(self.steady, device.rating, self.clock())
        if jump and self.binding.device is None:
            self._rebound(binds.forgotten(self.binding))
            self._saw(Look.WRONG, Reason.IMPLAUSIBLE, jump)
        return bool(jump)

    async def _told(self, device: Device) -> Identity:
        """Who it says it is; what speaks against it counts where it says so twice."""
        if believed.judged(self.known, self.serial, device.identity).objection is None:
            return device.identity
        again = await self.bus.execute(self.unit, patient(device.identify()), priority=Priority.SLOW)
        return believed.unchanged(device.identity, again)

    def _wrong(self, device: Device, told: Identity) -> str | None:
        known, rated = self.known, self.binding.rated
        return believed.objection(device, told, known, rated, self.serial)

    def _refuse(self, why: str, device: Device) -> None:
        """Another one answers in its place."""
        self._rebound(binds.another(self.binding, device.rating.p_max_w))
        self._saw(Look.WRONG, Reason.IDENTITY_CHANGED, why)

    async def _verify(self, whole: Device) -> None:
        """After a reconnection: is it still the same device with the same firmware? If not, it is found anew.

        Where it doesn't say who it is, nothing changes but that it isn't written.
        """
        generation, known = self.bus.generation, self.known or whole.identity
        self.binding = binds.doubted(self.binding)
        exchange = patient(believed.asked(whole, known, self.binding.rated, self.serial))
        try:
            told, verdict = await self.bus.execute(self.unit, exchange, priority=Priority.POLL)
        except DeviceError:
            self._rebound(binds.unsure(self.binding))
            return
        if verdict.objection is not None or believed.newer(known, told):
            self._rebound(binds.forgotten(self.binding))
            await self._bind()
        elif verdict.sure:
            self.binding = binds.verified(self.binding, generation, told)
            if believed.number(told.serial) and not believed.number(known.serial):
                self.on_event("found", self.id, _who(told))

    def _rebound(self, binding: Binding) -> None:
        """What was read of a device that has to be found anew counts no more."""
        self.binding = binding
        if binding.device is None:
            self.answers, self.slow, self.parts, self.more = {}, Slow(), Parts(), None

    def _heard(self, error: BusTimeout) -> None:
        """What comes instead of answers is news once, where the silence was told already."""
        if not error.stray or self.state is not Bind.UNREACHABLE:
            return
        if not self.strayed and error.stray not in self.told:
            self._tell(f"device_{self.state}", error.full)
        self.strayed = True

    def _tell(self, name: str, text: str) -> None:
        self.told = text
        self.on_event(name, self.id, text)

    def _saw(self, look: Look, reason: Reason | None, text: str) -> None:
        before = self.binding
        self.binding = binds.seen(before, look, reason, text, age_s=self.clock() - self.born_s)
        name = binds.news(before, self.binding)
        if look is not Look.SILENT:
            self.strayed = False
        if name is not None:
            self._tell(name, text or "answers again")


def _named(lack: str) -> str:
    """Without why it could not be read."""
    return lack.partition(" (")[0]


def _who(identity: Identity) -> str:
    """`Maker Model, serial 1001`."""
    name = f"{identity.maker} {identity.model}".strip()
    return f"{name}, serial {identity.serial}" if identity.serial else f"{name}, which tells no serial"
