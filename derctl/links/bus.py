"""One Bus per wire: the only user of that connection. One request in flight, writes before polls, fair between units.

It never retries: the next poll is the retry.
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass, field
from typing import TypeVar

from derctl.core.exchange import Exchange, Pause, Read, Registers, Write
from derctl.errors import BusClosed, BusError, BusFrameError, BusLate, BusTimeout, DeviceError, DeviceRefused
from derctl.links.line import Line
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


@dataclass(slots=True)
class Bus:
    """See the module. answer_s: how long an answer takes here, the slowest of late, soon forgotten."""

    line: Line
    counters: Counters = field(default_factory=Counters)
    answer_s: float = 0.0
    _units: dict[int, _Unit] = field(default_factory=dict)
    _turns: Turns = field(default_factory=Turns)
    _last_s: float = -1e9

    def counted(self) -> dict[str, int]:
        """For people: what was answered late or under other numbers is no silence."""
        tally = self.line.wire.tally
        silent = max(self.counters.timeouts - tally.late - tally.foreign, 0)
        return asdict(self.counters) | {"timeouts": silent, "connects": self.line.connects} | asdict(tally)

    async def execute(
        self,
        unit: int,
        exchange: Exchange[T],
        *,
        priority: Priority = Priority.POLL,
        not_after_s: float | None = None,
    ) -> T:
        """Run an exchange to its end: send it each answer, throw errors and refusals in. Returns what it returns.

        not_after_s: monotonic time after which its first request is not sent any more; each later one must follow the
        answer before it within two deadlines, or the time that another's turn and its own pause take, if that is
        longer. So a process that was stopped in the middle doesn't go on with it.
        """
        try:
            op = next(exchange)
            while True:
                try:
                    answer: Registers = ()
                    if isinstance(op, Pause):
                        await asyncio.sleep(op.seconds)
                    else:
                        answer = await self.request(unit, op, priority=priority, not_after_s=not_after_s)
                        if not_after_s is not None:
                            not_after_s = self.line.clock() + self._follow_s
                except (BusError, DeviceError) as error:
                    op = exchange.throw(error)
                else:
                    op = exchange.send(answer)
        except StopIteration as stop:
            result: T = stop.value
            return result
        finally:
            exchange.close()

    @property
    def _follow_s(self) -> float:
        """Between two requests another unit may have its turn: its pause and its answer, then the own pause."""
        pace = self.line.pace
        return pace.timeout_s + max(pace.timeout_s, 2.0 * pace.min_interval_s)

    async def request(
        self, unit: int, op: Read | Write, *, priority: Priority = Priority.POLL, not_after_s: float | None = None
    ) -> Registers:
        """One request. Raises BusTimeout, BusLate, BusClosed, BusFrameError or DeviceRefused."""
        state = self._units.get(unit)
        if state is None:
            state = self._units[unit] = _Unit()
        line = self.line
        if priority is not Priority.WRITE and state.silence.silent:
            wait_s = pause_s(state.silence, line.generation, line.clock())
            if wait_s > 0.0:
                raise self._unheard(unit, state.silence, f"silent, asked again in {wait_s:.1f} s")
        await self._turns.wait(priority, state.served)
        try:
            if not line.connected:
                raise line.closed()
            return await self._send(unit, state, op, not_after_s)
        finally:
            self._turns.pass_on()

    async def _send(self, unit: int, state: _Unit, op: Read | Write, not_after_s: float | None) -> Registers:
        """Once more where a device that closes after each answer had closed before it saw the request."""
        line, again = self.line, False
        while True:
            if line.pace.min_interval_s > 0.0:
                await self._keep_interval()
            if line.closing.resting:
                await line.rejoin()
            if not_after_s is not None and line.clock() > not_after_s:
                raise BusLate(f"{line.name} unit {unit}: too late to send")
            try:
                return await self._ask(unit, state, op)
            except BusClosed:
                if again or not line.closing.resting:
                    raise
                again = True

    async def _keep_interval(self) -> None:
        wait_s = self._last_s + self.line.pace.min_interval_s - self.line.clock()
        if wait_s > 0.0:
            await asyncio.sleep(wait_s)

    async def _ask(self, unit: int, state: _Unit, op: Read | Write) -> Registers:
        self.counters.requests += 1
        sent_s = self.line.clock()
        try:
            answer = await self.line.request(unit, op)
        except TimeoutError:
            self.counters.timeouts += 1
            late = self._unheard(unit, state.silence, f"no answer within {self.line.pace.timeout_s:g} s")
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
            self._last_s = self.line.clock()
        state.silence = HEARD
        took_s = self._last_s - sent_s
        self.answer_s = max(took_s, self.answer_s - FORGETS * (self.answer_s - took_s))
        return answer

    def _deeper(self, silence: Silence) -> Silence:
        line = self.line
        alone = len(self._units) == 1
        return deeper(silence, line.generation, line.clock(), timeout_s=line.pace.timeout_s, alone=alone)

    def _unheard(self, unit: int, silence: Silence, what: str) -> BusTimeout:
        line = self.line
        place = f"{line.place or line.name} -u {unit}"
        return unheard(f"{line.name} unit {unit}: {what}", silence, line.wire.stray(unit), place)
