"""Decisions to devices: latest wins, nothing queues, what is too old is dropped, all is read back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from derctl.core.types import NOTHING, Decision, DerState, Fallback, Outcome, Setpoint, SiteState
from derctl.daemon.actuate.deadband import Written, arrived, obeys, on_its_way, reason_to_write, taken, var_left
from derctl.daemon.actuate.judge import achieved, kept_back, overridden
from derctl.daemon.channel.channel import Channel
from derctl.devices import Profile
from derctl.devices.types import Controllable
from derctl.errors import BusError, BusLate, DeviceError, SettingError
from derctl.links.bus import Priority
from derctl.links.ending import end

IGNORED_AFTER = 3
"""Writes in a row that the device did not take over before that is said aloud (docs/sources.md)."""
LATE_AFTER = 3
"""Writes in a row that could not be sent in time before that is said aloud: one or two are a busy wire."""


@dataclass(slots=True)
class Writer:
    """One DER's way to its device.

    written: the last write, None before it and where the device may have forgotten it.
    held: what it may still hold of all that was written, for one that can't be read back.
    """

    id: str
    channel: Channel
    fallback: Fallback
    control: bool
    tick_s: float
    journal: Callable[[str], Awaitable[None]]
    on_event: Callable[[str, str, str], None]
    clock: Callable[[], float] = time.monotonic
    outcome: Outcome = field(default_factory=Outcome)
    writes: int = 0
    written: Written | None = None
    held: Setpoint = NOTHING
    problem: str | None = None
    decision: Decision | None = None
    _decided_s: float = 0.0
    _changed_s: float = 0.0
    _sent_s: float = -1e9
    _var_asked_s: float = -1e9
    _bond: tuple[int, object] = (-1, None)
    _overridden: bool = False
    _late: int = 0
    _task: asyncio.Task[None] | None = None

    @property
    def _profile(self) -> Profile:
        return self.channel.options.profile

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

    @property
    def busy(self) -> bool:
        return self._task is not None and not self._task.done()

    @property
    def wrote(self) -> bool:
        """Whether something was written, or is being written, since the device was released."""
        return self.busy or self.written is not None

    @property
    def told(self) -> Setpoint | None:
        """What was written last, unless the device refused it or reads back something else."""
        return None if self.written is None or self.written.refusals else self.written.setpoint

    def offer(self, decision: Decision, der: DerState, gate_open: bool, now: float) -> None:
        """Take the tick's decision; start writing if something has to be written and the gate is open.

        now: when the state was frozen, so that now - der.age_s is when it was read.
        """
        self.decision, self._decided_s = decision, now
        self._note_wishes(decision, now)
        self._doubt(der, now)
        self._note_var(decision.setpoint, der, now)
        why = self._due(decision.setpoint, der, now) if gate_open and self.control and not self.busy else None
        if why is None and not self.busy and now - self._sent_s >= self._profile.write_min_interval_s:
            self._nothing_due(der)
        self._judge(der, gate_open, now)
        if why is not None:
            self._task = asyncio.create_task(self._write(der, why), name=f"write {self.id}")

    def _nothing_due(self, der: DerState) -> None:
        """What stood in the way of the last write stands in the way of nothing any more."""
        self._late = 0
        if self.problem == "late" or (self.problem == "unreachable" and der.fresh):
            self.problem = None

    def _doubt(self, der: DerState, now: float) -> None:
        """What was written is not taken for granted on a new connection or in a device that was found anew.

        It may have restarted and forgotten. One that reads back and has no timer to arm tells by itself.
        """
        written, device, profile = self.written, self.channel.device, self._profile
        if written is None or device is None:
            return
        generation, bound = self._bond
        if generation != self.channel.bus.generation or bound is not device:
            if profile.readback == "effect_only" or self.fallback.by != "stands":
                self.written = None
        elif written.refusals and obeys(written, self._effect_w(der, now), der.rating, profile):
            self.written = replace(written, refusals=0)
            if self.problem == "write_ignored":
                self.problem = None

    def _effect_w(self, der: DerState, now: float) -> float | None:
        """The power that was measured when the last write had had its time to show."""
        if self.written is None or not der.fresh:
            return None
        settled = now - der.age_s - self.written.at_s > self._profile.settle_s
        return der.reading.p_w if settled else None

    def _due(self, desired: Setpoint, der: DerState, now: float) -> str | None:
        channel = self.channel
        if channel.device is None or channel.state not in {"ok", "frozen"} or not channel.verified:
            return None
        if now - self._sent_s < channel.options.profile.write_min_interval_s:
            return None
        return reason_to_write(
            _controllable(channel.device).sendable(desired),
            der.reading.accepted,
            self.written,
            rating=der.rating,
            fallback=self.fallback,
            profile=channel.options.profile,
            now_s=now,
            p_w=self._effect_w(der, now),
            q_unasked_s=self._var_unasked_s(now),
        )

    def _note_var(self, desired: Setpoint, der: DerState, now: float) -> None:
        """When var was asked for last; what the device has given up by itself need not be given back."""
        accepted = der.reading.accepted
        if desired.q_var is not None:
            self._var_asked_s = now
        elif self._profile.readback == "effect_only" or self.busy or not der.fresh:
            return
        elif now - der.age_s > self._sent_s and accepted is not None and accepted.q_var is None:
            self.held = replace(self.held, q_var=None)

    def _var_unasked_s(self, now: float) -> float | None:
        return None if self.held.q_var is None else now - self._var_asked_s

    async def _write(self, der: DerState, why: str) -> None:
        await self.journal(self.id)
        decision, device = self.decision, self.channel.device
        if decision is None or device is None or self.clock() - self._decided_s > self._keep_s:
            return
        if not self.channel.verified:
            return
        desired = _controllable(device).sendable(decision.setpoint)
        refusals = 0 if self.written is None else self.written.refusals
        self._bond, self._sent_s = (self.channel.bus.generation, device), self.clock()
        give_back = var_left(desired, der.reading.accepted, self._var_unasked_s(self.clock()), self._profile)
        before, self.held = self.held, on_its_way(self.held, desired)
        try:
            answers = dict(self.channel.answers)
            exchange = _controllable(device).write(desired, self.fallback, answers, give_back_var=give_back)
            accepted = await self.channel.bus.execute(
                self.channel.unit, exchange, priority=Priority.WRITE, not_after_s=self._decided_s + self._keep_s
            )
        except BusLate as error:  # not sent; the next tick decides
            self._was_late(str(error))
            return
        except BusError:
            self._was_sent()
            self.problem = "unreachable"
            return
        except (DeviceError, SettingError) as error:
            self._was_sent()
            self._refused(desired, refusals, str(error))
            if give_back and refusals + 1 >= IGNORED_AFTER:
                self.held = replace(self.held, q_var=None)
            return
        self._was_sent()
        self.held = arrived(replace(before, q_var=None) if give_back else before, desired)
        self._accepted(desired, accepted, der, refusals, why)

    def _was_sent(self) -> None:
        self.writes += 1
        self._late = 0
        if self.problem == "late":
            self.problem = None

    def _was_late(self, text: str) -> None:
        self._late += 1
        if self._late < LATE_AFTER:
            return
        if self.problem != "late":
            self.on_event("write_late", self.id, text)
        self.problem = "late"

    def _refused(self, desired: Setpoint, refusals: int, text: str) -> None:
        self.written = Written(setpoint=desired, at_s=self.clock(), refusals=refusals + 1)
        if self.problem != "refused":
            self.on_event("write_refused", self.id, text)
        self.problem = "refused"

    def _accepted(self, desired: Setpoint, accepted: Setpoint, der: DerState, refusals: int, why: str) -> None:
        profile = self._profile
        now = self.clock()
        before = self.outcome.accepted
        if profile.readback == "effect_only":
            self._sent_blindly(desired, refusals, now, why)
        elif taken(desired, accepted, der.rating, profile):
            self.problem = None
            self.written = Written(setpoint=desired, at_s=now)
        else:
            self.written = Written(setpoint=desired, at_s=now, refusals=refusals + 1)
            if refusals + 1 >= IGNORED_AFTER:
                code = "write_ignored" if before is None or accepted == before else "write_clipped"
                if self.problem not in {"write_ignored", "write_clipped"}:
                    self.on_event(code, self.id, f"asked for {desired}, reads back {accepted}")
                self.problem = code
        self.outcome = replace(self.outcome, accepted=accepted, accepted_s=now)

    def _sent_blindly(self, desired: Setpoint, refusals: int, now: float, why: str) -> None:
        """Accepted without an exception, by a device that can't be read back: only its power tells the rest."""
        if why == "disobeyed":
            refusals += 1
        elif self.problem == "refused":
            refusals = 0
        self.written = Written(setpoint=desired, at_s=now, refusals=refusals)
        if refusals < IGNORED_AFTER:
            self.problem = None
        elif self.problem != "write_ignored":
            self.on_event("write_ignored", self.id, f"gives more than the {desired.p_ceiling_w} W that were written")
            self.problem = "write_ignored"

    def _note_wishes(self, decision: Decision, now: float) -> None:
        outcome = self.outcome
        if decision.requested != outcome.requested:
            outcome = replace(
                outcome, requested=decision.requested, requested_by=decision.requested_by, requested_s=now
            )
        if decision.setpoint != outcome.desired:
            outcome = replace(outcome, desired=decision.setpoint, desired_s=now)
            self._changed_s = now
        self.outcome = outcome

    def _judge(self, der: DerState, gate_open: bool, now: float) -> None:
        """Set accepted, achieved and the reason from what is measured."""
        seen = der.reading.accepted if der.fresh else self.outcome.accepted
        outcome = self.outcome
        if seen != outcome.accepted:
            outcome = replace(outcome, accepted=seen, accepted_s=now)
        word: str
        reason: str | None
        if not (gate_open and self.control):
            word, reason = "unknown", "gate_closed"
        elif not der.fresh:
            word, reason = "unknown", self.channel.reason or "stale"
        else:
            profile = self._profile
            began = self._changed_s if self.written is None else max(self.written.at_s, self._changed_s)
            word, reason = achieved(outcome.desired, der, profile, now - began > profile.settle_s)
            reason = self.problem or self._override(der, now) or reason or self._kept_back(der)
        if (word, reason) != (outcome.achieved, outcome.reason):
            outcome = replace(outcome, achieved=word, reason=reason, achieved_s=now)
        self.outcome = outcome

    def _kept_back(self, der: DerState) -> str | None:
        decision = self.decision
        if decision is None or decision.requested is None:
            return None
        return kept_back(decision.requested, decision, der.can)

    def _override(self, der: DerState, now: float) -> str | None:
        if not overridden(self.written, der, self._profile, now):
            self._overridden = False
            return None
        if not self._overridden and self.written is not None:
            self.on_event("override", self.id, f"reads back {der.reading.accepted}, not {self.written.setpoint}")
        self._overridden = True
        return "override"

    async def wait(self) -> None:
        """Until nothing is being written."""
        if self._task is not None:
            await asyncio.wait([self._task])  # not gather: who gives up waiting would cancel the write, too

    def raise_bugs(self) -> None:
        """A writer's bug ends the daemon, like any other in the control path."""
        if self._task is not None and self._task.done():
            task, self._task = self._task, None
            task.result()

    async def release(self, *, lift: bool) -> str:
        """Give the device back. Returns what happened, in a word: released, unreachable, or the device's refusal."""
        await self.wait()
        device = self.channel.device
        if device is None or not self.channel.verified:
            return "unreachable"
        try:
            exchange = _controllable(device).release(self.fallback, lift=lift, held=self.held)
            await self.channel.bus.execute(self.channel.unit, exchange, priority=Priority.WRITE)
        except BusError:
            return "unreachable"
        except (DeviceError, SettingError) as error:
            return str(error)
        self.written = None
        self.held = NOTHING if lift else Setpoint(p_ceiling_w=self.held.p_ceiling_w)
        return "released"


def _controllable(device: object) -> Controllable:
    return device  # type: ignore[return-value]


@dataclass(slots=True)
class Dispatch:
    """All writers of a site."""

    writers: Mapping[str, Writer]

    def offer(self, decisions: Sequence[Decision], state: SiteState, gate_open: bool) -> None:
        """Hand each DER its decision."""
        ders = {der.id: der for der in state.ders}
        for writer in self.writers.values():
            writer.raise_bugs()
        for decision in decisions:
            self.writers[decision.der].offer(decision, ders[decision.der], gate_open, state.t_s)

    async def release(self, wrote: Sequence[str], *, lift: bool, seconds: float) -> dict[str, str]:
        """Release what was written, within `seconds`. Those whose power goes down come first: one of them that does
        not answer keeps the others waiting for half of the time at most."""
        tasks: dict[str, asyncio.Task[str]] = {}
        try:
            for group in self._by_direction(wrote):
                tasks |= {name: asyncio.create_task(self.writers[name].release(lift=lift)) for name in group}
                if tasks:
                    await asyncio.wait(tasks.values(), timeout=seconds / 2.0)
            return {name: task.result() if task.done() else "unreachable" for name, task in tasks.items()}
        finally:
            await end(tasks.values())

    def _by_direction(self, wrote: Sequence[str]) -> tuple[list[str], list[str]]:
        down: list[str] = []
        up: list[str] = []
        for der_id in wrote:
            writer = self.writers[der_id]
            held = writer.outcome.accepted
            goal = writer.fallback.p_ceiling_w
            now = None if held is None else held.p_ceiling_w
            (down if goal is not None and (now is None or now >= goal) else up).append(der_id)
        return down, up
