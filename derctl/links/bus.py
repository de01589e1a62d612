"""One Bus per wire: the only user of that connection. One request in flight, writes before polls, fair between units.

It never retries: the next poll is the retry.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import asdict, field
from typing import Any, TypeVar

from derctl.core.dataclass import dataclass
from derctl.core.exchange import Exchange, Op, Pause, Permit, Read, Registers, Write, only_read
from derctl.errors import BusClosed, BusFrameError, BusLate, BusTimeout, DeviceRefused
from derctl.links.carried import carried
from derctl.links.latency import FRESH, Latency, deadline_s, meeting_s, took, unanswered
from derctl.links.line import Line, UnitPace
from derctl.links.silence import HEARD, UNKNOWN, Silence, deeper, pause_s, unheard
from derctl.links.turns import Priority, Served, Turns

T = TypeVar("T")

FORGETS = 0.1
"""Share of the way down to the present answer's time that the slowest one goes with each answer."""


@dataclass(slots=True)
class Counters:
    """What happened on this bus since it was made. timeouts: no answer in time, whatever came later or instead."""

    requests: int = 0
    timeouts: int = 0
    refused: int = 0
    frame_errors: int = 0


@dataclass(slots=True)
class _Unit:
    served: Served = field(default_factory=Served)
    silence: Silence = UNKNOWN
    latency: Latency = FRESH
    meets: bool = False
    late: int = 0


@dataclass(slots=True)
class Bus:
    """See the module. answer_s: how long an answer takes here, the slowest of late, soon forgotten. busy_s: how long
    all requests took, pauses apart."""

    line: Line
    counters: Counters = field(default_factory=Counters)
    answer_s: float = 0.0
    busy_s: float = 0.0
    _units: dict[int, _Unit] = field(default_factory=dict)
    _turns: Turns = field(default_factory=Turns)
    _last_s: float = -1e9
    _last_unit: int = -1

    def counted(self) -> dict[str, int]:
        """For people: what was answered late or under other numbers is no silence."""
        tally = self.line.wire.tally
        silent = max(self.counters.timeouts - tally.late - tally.foreign, 0)
        found = {"timeouts": silent, "frame_errors": self.counters.frame_errors + tally.broken}
        more = {"connects": self.line.connects, "late": tally.late, "foreign": tally.foreign}
        return asdict(self.counters) | found | more

    async def execute(
        self,
        unit: int,
        exchange: Exchange[T],
        *,
        priority: Priority = Priority.POLL,
        not_after_s: float | None = None,
        permit: Permit = only_read,
        meets: bool = False,
    ) -> T:
        """Run an exchange to its end: send it each answer, throw errors and refusals in. Returns what it returns.

        meets: it asks a unit of which nobody knows yet how long it takes.

        permit: asked for each write. Raises WriteBarred for one that it keeps back; the exchange ends there.

        not_after_s: monotonic time after which its first request is not sent any more; each later one must follow the
        answer before it within two deadlines, or the time that another's turn and its own pause take, if that is
        longer. So a process that was stopped in the middle doesn't go on with it.
        """
        not_after = not_after_s

        async def ask(op: Op) -> Registers:
            nonlocal not_after
            if isinstance(op, Pause):
                await asyncio.sleep(op.seconds)
                return ()
            answer = await self.request(unit, op, priority=priority, not_after_s=not_after, permit=permit)
            if not_after is not None:
                not_after = self.line.clock() + self.line.pace.follow_s
            return answer

        if not meets:
            return await carried(exchange, ask)
        state = self._unit(unit)
        state.meets = True
        try:
            return await carried(exchange, ask)
        finally:
            state.meets = False

    def request(
        self,
        unit: int,
        op: Read | Write,
        *,
        priority: Priority = Priority.POLL,
        not_after_s: float | None = None,
        permit: Permit = only_read,
    ) -> Coroutine[Any, Any, Registers]:
        """One request, or one for each part of a read: a write can come between, a part that fails is the whole's.

        Raises BusTimeout, BusLate, BusClosed, BusFrameError, DeviceRefused or WriteBarred.
        """
        if isinstance(op, Read) and op.cuts:
            return _parts(self, unit, op.parts, priority, not_after_s, permit)
        return self._turn(unit, op, priority, not_after_s, permit)

    async def _turn(
        self, unit: int, op: Read | Write, priority: Priority, not_after_s: float | None, permit: Permit
    ) -> Registers:
        state, line = self._unit(unit), self.line
        self._unless_silent(unit, state, priority)
        await self._turns.wait(priority, state.served)
        try:
            self._unless_silent(unit, state, priority)  # another request of it may have met its silence meanwhile
            if not line.connected:
                raise line.closed()
            if (wait_s := line.wire.owed_s(unit, op, line.pace.drain_s)) > 0.0:
                what = f"an answer may still be on its way, asked again in {wait_s:.1f} s"
                raise self._unheard(unit, state.silence, what)
            return await self._send(unit, state, op, not_after_s, permit)
        finally:
            self._turns.pass_on()

    def _unit(self, unit: int) -> _Unit:
        state = self._units.get(unit)
        if state is None:
            state = self._units[unit] = _Unit()
        return state

    def _unless_silent(self, unit: int, state: _Unit, priority: Priority) -> None:
        line = self.line
        if priority is not Priority.WRITE and state.silence.silent:
            wait_s = pause_s(state.silence, line.generation, line.clock())
            if wait_s > 0.0:
                raise self._unheard(unit, state.silence, f"silent, asked again in {wait_s:.1f} s")

    async def _send(
        self, unit: int, state: _Unit, op: Read | Write, not_after_s: float | None, permit: Permit
    ) -> Registers:
        """Once more where a device that closes after each answer had closed before it saw the request."""
        line, again = self.line, False
        while True:
            if (wait_s := self._interval_s()) > 0.0:
                await asyncio.sleep(wait_s)
            if line.closing.resting:
                await line.rejoin()
            if not_after_s is not None and line.clock() > not_after_s:
                raise BusLate(f"{line.name} unit {unit}: too late to send")
            if isinstance(op, Write):
                permit(op)
            try:
                return await self._ask(unit, state, op)
            except BusClosed:
                if again or not line.closing.resting:
                    raise
                again = True

    def _interval_s(self) -> float:
        """For how long the wire rests yet: what the bus asks for, or who spoke last."""
        pace = self.line.pace
        pause_s = pace.min_interval_s
        last = pace.units.get(self._last_unit)
        if last is not None and last.turnaround_s > pause_s:
            pause_s = last.turnaround_s
        return self._last_s + pause_s - self.line.clock() if pause_s > 0.0 else 0.0

    async def _ask(self, unit: int, state: _Unit, op: Read | Write) -> Registers:
        self.counters.requests += 1
        sent_s = self.line.clock()
        span_s = self.line.wire.span_s(op)
        patience_s = self._patience_s(unit, state, span_s)
        try:
            answer = await self.line.request(unit, op, patience_s)
        except TimeoutError:
            self.counters.timeouts += 1
            late = self._unheard(unit, state.silence, f"no answer within {patience_s:.3g} s")
            state.latency = unanswered(state.latency)
            if state.meets and state.silence.known:  # who is silent for the longest of them is not only slow
                state.late = state.late + 1 if patience_s < self.line.pace.meet_most_s else 0
            state.silence = self._deeper(state.silence)
            self.line.silent(late)
            raise late from None
        except BusFrameError:
            self.counters.frame_errors += 1
            raise
        except DeviceRefused as error:
            self.counters.refused += 1
            state.silence = self._deeper(state.silence) if error.by_gateway else HEARD
            raise
        finally:
            self._last_s, self._last_unit = self.line.clock(), unit
            self.busy_s += self._last_s - sent_s
        state.silence = HEARD
        took_s = self._last_s - sent_s
        if span_s > 0.0:
            state.latency = took(state.latency, took_s - span_s)
        self.answer_s = max(took_s, self.answer_s - FORGETS * (self.answer_s - took_s))
        return answer

    def _patience_s(self, unit: int, state: _Unit, span_s: float) -> float:
        """On a shared line a dark unit holds the others up for no longer than it would have needed itself; one that
        never answered is given no more time than usual."""
        pace = self.line.pace
        if span_s <= 0.0:
            known = state.meets and state.silence.known
            return meeting_s(state.late, pace.timeout_s, pace.meet_most_s) if known else pace.timeout_s
        floor_s = pace.units.get(unit, UnitPace()).floor_s
        return deadline_s(state.latency, span_s, floor_s=floor_s, most_s=pace.timeout_s)

    def _deeper(self, silence: Silence) -> Silence:
        line = self.line
        alone = len(self._units) == 1
        return deeper(silence, line.generation, line.clock(), timeout_s=line.pace.timeout_s, alone=alone)

    def _unheard(self, unit: int, silence: Silence, what: str) -> BusTimeout:
        line = self.line
        place = f"{line.place or line.name} -u {unit}"
        return unheard(f"{line.name} unit {unit}: {what}", silence, line.wire.stray(unit), place)


async def _parts(
    bus: Bus, unit: int, parts: Sequence[Read], priority: Priority, not_after_s: float | None, permit: Permit
) -> Registers:
    words: list[int] = []
    for part in parts:
        words += await bus._turn(unit, part, priority, not_after_s, permit)
        if not_after_s is not None:
            not_after_s = bus.line.clock() + bus.line.pace.follow_s
    return words
