"""One DER's way to its device: latest wins, nothing queues, what is too old is dropped, all is read back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from derctl.core.exchange import Exchange
from derctl.core.types import Decision, DerState, Fallback, Outcome, Setpoint
from derctl.core.value import replace
from derctl.core.words import Bind, FallbackBy, Promise, Reason, Record, Released, Timer, WriteFor
from derctl.daemon.actuate import hold as holds
from derctl.daemon.actuate.deadband import Written, near, reason_to_write, taken, var_left
from derctl.daemon.actuate.hold import Hold
from derctl.daemon.actuate.judge import Case, judged, missed, spells, to_tell, wished
from derctl.daemon.actuate.release import Release
from derctl.daemon.actuate.standing import Standing, standing_of
from derctl.daemon.actuate.text import contradicted_text, not_followed_text, override_text, setpoint_text
from derctl.daemon.actuate.trouble import IGNORED_AFTER, Happened, Trouble, after, news
from derctl.daemon.channel.channel import Channel
from derctl.daemon.course import measured
from derctl.devices import Profile
from derctl.devices.types import Controllable
from derctl.errors import BusError, BusLate, DeviceError, DeviceRefused, SettingError
from derctl.links.bus import Priority

ANSWERS = (Bind.OK, Bind.FROZEN)
"""The states in which a device can be written."""
NOT_READY = frozenset({5, 6, 0x0A, 0x0B})
"""Exceptions of a device that is not ready yet, or of the gateway before it (Modbus application protocol, 7)."""
READY_S = 30.0
"""For so long behind a silence one that is not ready is asked at each tick: what it forgot is missing now
(docs/sources.md)."""


class Wish(NamedTuple):
    """The tick's decision, the state it was made from, and when that was frozen.

    var_asked_s: when somebody asked for var last.
    """

    decision: Decision
    der: DerState
    at_s: float
    var_asked_s: float


def wish_of(decision: Decision, der: DerState, before: Wish | None, at_s: float) -> Wish:
    """The wish after another one."""
    asked_s = -1e9 if before is None else before.var_asked_s
    if decision.setpoint.q_var is not None:
        asked_s = at_s
    return Wish(decision=decision, der=der, at_s=at_s, var_asked_s=asked_s)


@dataclass(slots=True)
class Writer:
    """Carries a DER's states: what it is to do (wish), what its device holds (hold), what is between (trouble).

    found_w: somebody's limit that stood in it and has to be kept, with and without derctl; None: none. spared_w: what
    may be one: only a lower limit is written over it.
    told: of what goes on, what people have been told.
    """

    id: str
    channel: Channel
    fallback: Fallback
    control: bool
    tick_s: float
    journal: Callable[[str], Awaitable[None]]
    on_event: Callable[[str, str, str], None]
    found_w: Callable[[], float | None] = lambda: None
    spared_w: Callable[[], float | None] = lambda: None
    clock: Callable[[], float] = time.monotonic
    outcome: Outcome = field(default_factory=Outcome)
    writes: int = 0
    hold: Hold = field(default_factory=Hold)
    trouble: Trouble = field(default_factory=Trouble)
    told: frozenset[Reason] = frozenset()
    wish: Wish | None = None
    _task: asyncio.Task[None] | None = None

    @property
    def _profile(self) -> Profile:
        return self.channel.profile

    @property
    def promise(self) -> Fallback:
        """What the device is told to do without derctl: never more than the limit that was found in it. Where its own
        timer would let go of every limit it gets none: the last one stands."""
        found_w, ceiling_w = self.found_w(), self.fallback.p_ceiling_w
        if found_w is None:
            return self.fallback
        ceiling_w = found_w if ceiling_w is None else min(found_w, ceiling_w)
        device = self.channel.device
        forgets = device is not None and device.reversion.timer is Timer.NO_TARGET
        return replace(self.fallback, p_ceiling_w=ceiling_w, by=FallbackBy.STANDS if forgets else self.fallback.by)

    @property
    def _on(self) -> tuple[object, object]:
        return (self.channel.bus.generation, self.channel.back_s), self.channel.device

    @property
    def _is_back(self) -> bool:
        """Whether it was silent a while ago."""
        return self.clock() - self.channel.back_s < READY_S

    @property
    def _keep_s(self) -> float:
        """How old a decision may be when it is sent: a tick, where the bus can keep the tick.

        A write waits for the request that holds the wire (its pause, and its answer up to the deadline) and for its
        own pause. Where that alone takes longer than a tick (Fronius: a request a second), each decision would be
        dropped and the device never be written; what a write can't go faster than doesn't make it old.
        """
        pace = self.channel.bus.pace
        if 4.0 * pace.min_interval_s <= self.tick_s:
            return self.tick_s
        return max(self.tick_s, 2.0 * pace.min_interval_s + pace.timeout_s)

    def kept_from(self, der: DerState) -> str | None:
        """Why it would not be written now, in words; None: it would."""
        if not self.control:
            return "control: false in the site file"
        if not der.fresh:
            return self.channel.binding.text or "it does not answer"
        return None if der.can.steer or der.can.var else "derctl can only read it"

    @property
    def busy(self) -> bool:
        return self._task is not None and not self._task.done()

    @property
    def wrote(self) -> bool:
        """Whether something was written, or is being written, since the device was released."""
        return self.busy or self.hold.written is not None

    @property
    def lost(self) -> bool:
        """Whether its device can't be told anything."""
        return self.channel.state not in ANSWERS or not self.channel.verified

    @property
    def promised(self) -> Promise:
        """How far its device is known to keep the fallback."""
        written, device, channel = self.hold.written, self.channel.device, self.channel
        if written is None or device is None or written.refusals:
            return Promise.UNPROVEN
        reads = device.promises(channel.answers, self.promise) if channel.read_s > written.at_s else None
        return Promise.READ_BACK if reads else Promise.WRITTEN

    @property
    def proven(self) -> bool:
        """Whether that is as much as can be known of such a device."""
        blind = self._profile.readback == "effect_only"
        return self.promised is Promise.READ_BACK or (blind and self.promised is Promise.WRITTEN)

    def offer(self, decision: Decision, der: DerState, gate_open: bool, now: float) -> None:
        """Take the tick's decision; start writing if something has to be written and the gate is open.

        now: when the state was frozen, so that now - der.age_s is when it was read.
        """
        self.wish = wish = wish_of(decision, der, self.wish, now)
        self.outcome = wished(self.outcome, decision, now)
        self._note(wish)
        writes = gate_open and self.control and not self._spares(decision.setpoint)
        why = self._due(wish) if writes and not self.busy else None
        if why is None and not self.busy and now - self.hold.sent_s >= self._profile.write_min_interval_s:
            self._happened(Happened.HEARD if der.fresh else Happened.QUIET)
        self._judge(wish, writes)
        if why is not None:
            self._task = asyncio.create_task(self._write(why), name=f"write {self.id}")

    def _spares(self, desired: Setpoint) -> bool:
        spared_w, ceiling_w = self.spared_w(), desired.p_ceiling_w
        return spared_w is not None and ceiling_w is not None and ceiling_w >= spared_w

    def heard(self, gate_open: bool) -> None:
        """A poll ended behind its tick: what the device doesn't hold is written now, by the last decision, while that
        is not too old."""
        wish, now = self._latest(), self.clock()
        if wish is None or self.busy or not (gate_open and self.control) or now - wish.at_s > self.tick_s:
            return
        if self._spares(wish.decision.setpoint):
            return
        seen = self.channel.reading
        reading = replace(wish.der.reading, accepted=seen.accepted, p_w=seen.p_w)
        self.wish = wish = wish._replace(
            der=replace(wish.der, reading=reading, age_s=wish.at_s - self.channel.read_s)
        )
        self._note(wish)
        why = self._due(wish)
        if why is not None:
            self._task = asyncio.create_task(self._write(why), name=f"write {self.id}")

    def _latest(self) -> Wish | None:
        """The last decision. One that was made in the device's silence asks for its fallback: what stood before is
        asserted instead, so that a short silence lets nothing dip; the next tick decides."""
        wish, held = self.wish, self.hold.holds
        if wish is None or wish.der.fresh:
            return wish
        if held.p_ceiling_w is None or held.p_target_w is not None:
            return None
        return wish._replace(decision=replace(wish.decision, setpoint=Setpoint(p_ceiling_w=held.p_ceiling_w)))

    def _note(self, wish: Wish) -> None:
        profile, der, wanted = self._profile, wish.der, wish.decision.setpoint
        hold = holds.returned(self.hold, self.channel.back_s)
        hold = holds.doubted(hold, self._on, der, profile, self.fallback, wish.at_s)
        hold = holds.wished(hold, wanted, der, profile, wish.at_s, busy=self.busy)
        if hold.course is not None and der.fresh and der.reading.p_w is not None:
            astray = missed(wanted, der, profile) is not None
            hold = holds.measured(hold, measured(hold.course, wish.at_s - der.age_s, astray=astray))
        self.hold = hold

    def _due(self, wish: Wish) -> WriteFor | None:
        channel, hold, profile = self.channel, self.hold, self._profile
        if channel.state not in ANSWERS or not channel.verified:
            return None
        if wish.at_s - hold.sent_s < profile.write_min_interval_s:
            return None
        return reason_to_write(
            _controllable(channel.device).sendable(self._wanted(wish)),
            self._accepted(wish),
            hold.written,
            rating=wish.der.rating,
            fallback=self.fallback,
            profile=profile,
            now_s=wish.at_s,
            p_w=hold.effect_w(wish.der, profile, wish.at_s),
            q_unasked_s=hold.var_unasked_s(wish.var_asked_s, wish.at_s),
            broken=hold.unfinished,
        )

    def _accepted(self, wish: Wish) -> Setpoint | None:
        """What the device reads back: of the last write, while no poll has ended since. On a slow bus that is longer
        than the next decision takes, and the same would be written for ever."""
        written, seen_s = self.hold.written, wish.at_s - wish.der.age_s
        if written is not None and written.found is not None and seen_s < written.at_s:
            return written.found
        return wish.der.reading.accepted

    def _wanted(self, wish: Wish) -> Setpoint:
        size_w = wish.der.rating.size_w
        return holds.bounded(self.hold, wish.decision.setpoint, self._profile, size_w, self.clock())

    def _judge(self, wish: Wish, writes: bool) -> None:
        case = Case(
            decision=wish.decision,
            der=wish.der,
            written=self.hold.written,
            profile=self._profile,
            written_at_all=writes,
            lost=self.channel.binding.reason,
            trouble=self.trouble.code,
            course=self.hold.course,
            unfinished=self.busy or self.hold.unfinished,
            void_w=self.channel.claim.said_w,
        )
        self.outcome = judged(self.outcome, case, wish.at_s)
        self.told, news = to_tell(self.told, spells(case, self.outcome, wish.at_s))
        for reason in news:
            self.on_event(str(reason), self.id, self._text(reason, case))

    def _text(self, reason: Reason, case: Case) -> str:
        reading, told = case.der.reading, case.decision.setpoint
        if reason is Reason.OVERRIDE:
            ours = told if case.written is None else case.written.setpoint
            return override_text(ours, reading.accepted, away=self._is_back)
        if reason is Reason.CONTRADICTED:
            return contradicted_text(case.void_w or 0.0, reading)
        return not_followed_text(told, reading)

    async def _write(self, why: WriteFor) -> None:
        """The journal first: a kill must not make a write be forgotten. Afterwards all may have changed."""
        await self.journal(self.id)
        wish, device, now = self.wish, self.channel.device, self.clock()
        if wish is None or device is None or now - wish.at_s > self._keep_s or not self.channel.verified:
            return
        desired = _controllable(device).sendable(self._wanted(wish))
        before = self.hold
        give_back = var_left(
            desired, self._accepted(wish), before.var_unasked_s(wish.var_asked_s, now), self._profile
        )
        self.hold = holds.sending(before, desired, self._on, now)
        answers = dict(self.channel.answers)
        exchange = _controllable(device).write(desired, self.promise, answers, give_back_var=give_back)
        found = await self._send(exchange, desired, before, wish.at_s + self._keep_s, give_back=give_back)
        if found is not None:
            refusals = self._taken(desired, found, before, wish.der, why)
            now, known, sample = self.clock(), self.channel.believed(found), self.channel.sample
            written = Written(setpoint=desired, at_s=now, refusals=refusals, found=known, sample=sample)
            self.hold = holds.arrived(self.hold, before, written, self._profile.settle_s, gave_back=give_back)
            self.outcome = replace(self.outcome, accepted=known, accepted_s=now)

    async def _send(
        self, exchange: Exchange[Setpoint], desired: Setpoint, before: Hold, not_after_s: float, *, give_back: bool
    ) -> Setpoint | None:
        """What the device reads back; None where it wasn't sent, was refused, or nothing answered."""
        bus, unit = self.channel.bus, self.channel.unit
        try:
            found = await bus.execute(unit, exchange, priority=Priority.WRITE, not_after_s=not_after_s)
        except BusLate as error:  # not sent; the next tick decides
            self._happened(Happened.LATE, str(error))
            return None
        except BusError:
            self.writes += 1
            self._happened(Happened.SILENT)
            return None
        except (DeviceError, SettingError) as error:
            self.writes += 1
            self._happened(Happened.REFUSED, str(error))
            var_kept = give_back and before.refusals + 1 >= IGNORED_AFTER
            soon = isinstance(error, DeviceRefused) and error.code in NOT_READY and self._is_back
            self.hold = holds.refused(self.hold, before, desired, self.clock(), var_kept=var_kept, soon=soon)
            return None
        self.writes += 1
        self._happened(Happened.SENT)
        return found

    def _taken(self, desired: Setpoint, found: Setpoint, before: Hold, der: DerState, why: WriteFor) -> int:
        """How often in a row the device has not taken a write over now."""
        if self._profile.readback == "effect_only":  # only its power tells, and that is judged by itself
            self._happened(Happened.TAKEN)
            return before.refusals + 1 if why is WriteFor.DISOBEYED else before.refusals
        if near(desired, found, der.rating, self._profile):
            self._happened(Happened.TAKEN)
            return 0
        refusals = before.refusals + 1
        if refusals >= IGNORED_AFTER and not self.channel.claim.doubtful:  # else it is what reads back that is wrong
            known = self.outcome.accepted
            unmoved = known is None or found == known
            ignored = unmoved and not taken(desired, found, der.rating, self._profile)
            text = f"asked for {setpoint_text(desired)}, reads back {setpoint_text(found)}"
            self._happened(Happened.IGNORED if ignored else Happened.CLIPPED, text)
        return refusals

    def _happened(self, happened: Happened, text: str = "") -> None:
        before, self.trouble = self.trouble, after(self.trouble, happened)
        name = None if before is self.trouble else news(before, self.trouble)
        if name is not None:
            self.on_event(name, self.id, text)

    async def wait(self) -> None:
        """Until nothing is being written."""
        if self._task is not None:
            await asyncio.wait([self._task])  # not gather: who gives up waiting would cancel the write, too

    def raise_bugs(self) -> None:
        """A writer's bug ends the daemon, like any other in the control path."""
        if self._task is not None and self._task.done():
            task, self._task = self._task, None
            task.result()

    @property
    def said_w(self) -> float | None:
        """What it read back when its power contradicted that; None while its read-back counts."""
        return self.channel.claim.said_w

    def standing(self, record: Record) -> Standing:
        """What stands in its device now."""
        channel = self.channel
        if channel.binding.last is None:
            return Standing(record=record)
        fresh = channel.state in ANSWERS and channel.verified
        return standing_of(self.outcome.accepted, self.hold.holds, channel.binding.last.rating, record, fresh=fresh)

    async def release(self, *, lift: bool) -> Release:
        """Give the device back."""
        await self.wait()
        device = self.channel.device
        if device is None or not self.channel.verified:
            return Release(Released.UNREACHABLE)
        held, believed = self._known()
        exchange = _controllable(device).release(self.promise, lift=lift, held=held, believed=believed)
        try:
            stands = await self.channel.bus.execute(self.channel.unit, exchange, priority=Priority.WRITE)
        except BusError:
            return Release(Released.UNREACHABLE)
        except (DeviceError, SettingError) as error:
            return Release(Released.REFUSED, str(error))
        if self.channel.missing:  # what stands there could not be given back
            return Release(Released.REFUSED, self.channel.missing, stands_w=stands.p_ceiling_w)
        read = self.channel.believed(stands) if believed or stands.p_ceiling_w is not None else None
        self.hold = holds.released(self.hold, stands if read is None else None, lift=lift)
        self.outcome = replace(self.outcome, accepted=read, accepted_s=self.clock())
        return Release(Released.RELEASED, stands_w=stands.p_ceiling_w)

    def _known(self) -> tuple[Setpoint, bool]:
        """What is held, and whether what reads back says something: not while the power contradicts it, nor where the
        device never took over what was written and reads back less than that."""
        written, read, held = self.hold.written, self.outcome.accepted, self.hold.holds
        if self.channel.claim.doubtful or read is None or written is None or not written.refusals:
            return held, not self.channel.claim.doubtful
        sent_w, read_w = written.setpoint.p_ceiling_w, read.p_ceiling_w
        if sent_w is not None and read_w is not None and read_w < sent_w:
            return replace(held, p_ceiling_w=None), False
        return held, True


def _controllable(device: object) -> Controllable:
    return device  # type: ignore[return-value]
