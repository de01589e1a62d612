"""One Bus per wire: the only user of that connection. One request in flight, writes before polls, fair between units.

It never retries: the next poll is the retry. It owns reconnection: at first once a second, then ever less often; a
device that closes the connection after each answer gets one for each request.
"""

from __future__ import annotations

import asyncio
import dataclasses
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import TypeVar

from derctl.core.exchange import Exchange, Pause, Read, Registers, Write
from derctl.errors import BusClosed, BusError, BusFrameError, BusLate, BusTimeout, DeviceError, DeviceRefused
from derctl.links import closing as closings
from derctl.links.closing import Closing
from derctl.links.turns import Priority, Served, Turns
from derctl.links.wires.wire import Wire

__all__ = ["Bus", "Counters", "Pace", "Priority"]

T = TypeVar("T")

DEMOTE_AFTER = 2
DEMOTED_MAX_S = 5.0
"""A unit silent twice in a row is asked ever less often, at least every 5 s, so that the others keep their pace. One
that has the wire to itself holds up nobody."""
GIVE_UP_AFTER = 3
"""Silences in a row, over all units, after which the connection itself is in doubt and is made anew."""
PATIENT_EVERY = 4
GIVE_UP_PATIENT = 12
"""Of connections without an answer one in so many is kept for more silences: who is very late is heard there."""
CONNECT_GAP_S = 1.0
CONNECT_TRIES = 60
"""Connects in a row, one a second, before the back-off begins: a device restarts in less than a minute or so. A wire
has one client, so there is nobody to keep out of step with."""
REJOIN_S = 0.05
"""The first pause where a device that closes after each answer doesn't listen again at once; each next doubles."""
LISTEN_S = 0.05
"""How often is looked whether a silent connection has been heard."""
FORGETS = 0.1
"""Share of the way down to the present answer's time that the slowest one goes with each answer."""
GATEWAY_CODES = frozenset({0x0A, 0x0B})


@dataclass(slots=True)
class Counters:
    """What happened on this bus since it was made. timeouts: no answer in time, whatever came later or instead."""

    requests: int = 0
    timeouts: int = 0
    refused: int = 0
    frame_errors: int = 0
    connects: int = 0


@dataclass(slots=True)
class _Unit:
    served: Served = field(default_factory=Served)
    silent: int = 0
    known: bool = False
    not_before_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """timeout_s: the one deadline. min_interval_s: between two requests. connect_delay_s: after connecting.

    backoff_s: cap of the reconnection's pause. drain_s: how long a silent connection, and then the new one, is only
    listened to where answers may still be on their way, for a wire that can't tell them apart.
    """

    timeout_s: float = 1.0
    min_interval_s: float = 0.0
    connect_delay_s: float = 0.0
    backoff_s: float = 8.0
    drain_s: float = 0.0


@dataclass(slots=True)
class Bus:
    """See the module. `run` must be running as a task for the bus to be connected, and to stay so.

    place: where the wire leads, as `derctl scan` takes it.
    """

    name: str
    wire: Wire
    pace: Pace = field(default_factory=Pace)
    place: str = ""
    clock: Callable[[], float] = time.monotonic
    counters: Counters = field(default_factory=Counters)
    closing: Closing = field(default_factory=Closing)
    generation: int = 0
    _units: dict[int, _Unit] = field(default_factory=dict)
    _turns: Turns = field(default_factory=Turns)
    _silent: int = 0
    _failures: int = 0
    _tried_s: float = -1e9
    _last_s: float = -1e9
    _slowest_s: float = 0.0
    _resting: bool = False
    _ended: BusError | None = None
    _lost: asyncio.Event = field(default_factory=asyncio.Event)
    _up: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def connected(self) -> bool:
        """Whether the wire is up now, or will be for the next request."""
        return (self._resting or self.wire.connected) and self._up.is_set()

    @property
    def answer_s(self) -> float:
        """How long an answer takes here: the slowest of late, soon forgotten."""
        return self._slowest_s

    def counted(self) -> dict[str, int]:
        """For people: what was answered late or under other numbers is no silence."""
        tally = self.wire.tally
        silent = max(self.counters.timeouts - tally.late - tally.foreign, 0)
        return asdict(self.counters) | {"timeouts": silent} | asdict(tally)

    async def wait_connected(self) -> None:
        """Return when the wire is up."""
        await self._up.wait()

    async def run(self) -> None:
        """Keep the wire connected until cancelled. `generation` grows with each new connection."""
        try:
            while True:
                try:
                    await self.connect()
                    await self._lost.wait()
                except BusClosed:
                    pass
                self._up.clear()
                await self._pause(self._tried_s + self._backoff_s())
        finally:
            self._up.clear()
            self.wire.close()

    async def _pause(self, until_s: float) -> None:
        """A silent connection is closed at the end of the pause: whoever is only late is known by its answer."""
        if isinstance(self._ended, BusTimeout):
            await self._listen(self.pace.drain_s)
        else:
            self.wire.close()
        await asyncio.sleep(max(until_s - self.clock(), 0.0))
        self.wire.close()

    async def _listen(self, seconds: float) -> None:
        """Until something is heard, `seconds` at most: what can't be told from the next answer has to come before."""
        before = dataclasses.replace(self.wire.tally)
        for _ in range(math.ceil(seconds / LISTEN_S)):
            if self.wire.tally != before:
                return
            await asyncio.sleep(LISTEN_S)

    def _cut(self, error: BusClosed) -> None:
        """The wire's word that the connection has ended."""
        self.closing = closings.ended(self.closing, self.clock())
        if self.closing.habit:
            self._ended, self._resting = error, True
        else:
            self._drop(error)

    def _drop(self, error: BusError) -> None:
        """Out of service from this moment, and why; `run` closes and reconnects."""
        self._ended, self._resting = error, False
        self._up.clear()
        self._lost.set()

    async def connect(self) -> None:
        """One try. Raises BusClosed."""
        self._lost.clear()
        self._failures += 1
        self._tried_s = self.clock()
        try:
            await self._dial()
        except BusClosed as error:
            self._ended = error
            raise
        if self._silent or isinstance(self._ended, BusFrameError):
            await asyncio.sleep(self.pace.drain_s)
        self._silent = 0
        for unit in self._units.values():
            unit.silent, unit.not_before_s = 0, 0.0
        self.generation += 1
        self.closing = closings.connected(self.closing, self.clock())
        self._up.set()

    async def _dial(self) -> None:
        self.counters.connects += 1
        await self.wire.connect(self._cut)
        await asyncio.sleep(self.pace.connect_delay_s)

    async def _rejoin(self) -> None:
        """Connect to a device that closes after each answer, once it listens again: its deadline is the request's."""
        self._resting = False
        until_s, pause_s = self.clock() + self.pace.timeout_s, REJOIN_S
        while True:
            try:
                await self._dial()
                break
            except BusClosed as error:
                if self.clock() + pause_s > until_s:
                    self._drop(error)
                    raise
            await asyncio.sleep(pause_s)
            pause_s *= 2.0
        now_s = self.clock()
        if closings.due(self.closing, now_s):
            self.generation += 1
        self.closing = closings.rejoined(self.closing, now_s)

    def closed(self) -> BusClosed:
        """Why the wire is not up, to be raised."""
        if isinstance(self._ended, BusClosed):
            return BusClosed(str(self._ended), hint=self._ended.hint)
        if self._ended is None:
            return BusClosed(f"{self.name}: not connected")
        after = self._ended.full if isinstance(self._ended, BusTimeout) else self._ended
        return BusClosed(f"{self.name}: not connected, after {after}")

    def _backoff_s(self) -> float:
        """From one connect to the next."""
        more = max(self._failures - CONNECT_TRIES, 0)
        return max(CONNECT_GAP_S, min(self.pace.backoff_s, CONNECT_GAP_S * 2.0 ** min(more, 16)))

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
                            not_after_s = self.clock() + self._follow_s
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
        return self.pace.timeout_s + max(self.pace.timeout_s, 2.0 * self.pace.min_interval_s)

    async def request(
        self, unit: int, op: Read | Write, *, priority: Priority = Priority.POLL, not_after_s: float | None = None
    ) -> Registers:
        """One request. Raises BusTimeout, BusLate, BusClosed, BusFrameError or DeviceRefused."""
        state = self._units.get(unit)
        if state is None:
            state = self._units[unit] = _Unit()
        if priority is not Priority.WRITE and self.clock() < state.not_before_s:
            raise self._still_silent(unit, state)
        await self._turns.wait(priority, state.served)
        try:
            if not self.connected:
                raise self.closed()
            return await self._send(unit, state, op, not_after_s)
        finally:
            self._turns.pass_on()

    async def _send(self, unit: int, state: _Unit, op: Read | Write, not_after_s: float | None) -> Registers:
        """Once more where a device that closes after each answer had closed before it saw the request."""
        again = False
        while True:
            if self.pace.min_interval_s > 0.0:
                await self._keep_interval()
            if self._resting:
                await self._rejoin()
            if not_after_s is not None and self.clock() > not_after_s:
                raise BusLate(f"{self.name} unit {unit}: too late to send")
            try:
                return await self._ask(unit, state, op)
            except BusClosed:
                if again or not self._resting:
                    raise
                again = True

    def _still_silent(self, unit: int, state: _Unit) -> BusTimeout:
        wait_s = state.not_before_s - self.clock()
        text = f"{self.name} unit {unit}: silent, asked again in {wait_s:.1f} s"
        return self._unheard(text, unit, state)

    def _unheard(self, text: str, unit: int, state: _Unit) -> BusTimeout:
        """Who has answered once, or answers too late, has its unit id right."""
        if stray := self.wire.stray(unit):
            return BusTimeout(f"{text}, but {stray}", stray=stray)
        look = f"is the unit id right? derctl scan {self.place or self.name} -u {unit}"
        return BusTimeout(text, hint="" if state.known else look)

    async def _keep_interval(self) -> None:
        wait = self._last_s + self.pace.min_interval_s - self.clock()
        if wait > 0.0:
            await asyncio.sleep(wait)

    async def _ask(self, unit: int, state: _Unit, op: Read | Write) -> Registers:
        self.counters.requests += 1
        self.closing = closings.asked(self.closing)
        sent_s = self.clock()
        try:
            async with asyncio.timeout(self.pace.timeout_s):
                answer = await self.wire.request(unit, op)
        except TimeoutError:
            self.counters.timeouts += 1
            text = f"{self.name} unit {unit}: no answer within {self.pace.timeout_s:g} s"
            late = self._unheard(text, unit, state)
            self._silence(state, late)
            raise late from None
        except BusFrameError as error:
            self.counters.frame_errors += 1
            self._drop(error)
            raise
        except BusClosed as error:
            if not self._resting:
                self._drop(error)
            raise
        except DeviceRefused as error:
            self.counters.refused += 1
            if error.code in GATEWAY_CODES:
                self._demote(state)
            else:
                self._answered(state)
            self._rest_by_habit()
            raise
        finally:
            self._last_s = self.clock()
        self._answered(state)
        self._rest_by_habit()
        took_s = self._last_s - sent_s
        self._slowest_s = max(took_s, self._slowest_s - FORGETS * (self._slowest_s - took_s))
        return answer

    def _rest_by_habit(self) -> None:
        """Close before the device does, so that no request meets a connection that is being closed."""
        self.closing = closings.answered(self.closing, self.clock())
        if self.closing.habit and not self._resting:
            self.wire.close()
            self._resting = True

    def _answered(self, state: _Unit) -> None:
        state.silent = 0
        state.known = True
        state.not_before_s = 0.0
        self._silent = 0
        self._failures = 0

    def _silence(self, state: _Unit, error: BusTimeout) -> None:
        self._demote(state)
        self._silent += 1
        if self._silent >= (GIVE_UP_PATIENT if self._patient else GIVE_UP_AFTER) or self.wire.debris:
            self._drop(error)

    @property
    def _patient(self) -> bool:
        """Not where somebody answered in time lately: a device that restarts is to be reached at once."""
        unheard = self._failures > CONNECT_TRIES or not any(unit.known for unit in self._units.values())
        return unheard and self._failures % PATIENT_EVERY == 2

    def _demote(self, state: _Unit) -> None:
        state.silent += 1
        if state.silent >= DEMOTE_AFTER and len(self._units) > 1:
            wait = min(DEMOTED_MAX_S, self.pace.timeout_s * 2.0 ** min(state.silent - DEMOTE_AFTER, 16))
            state.not_before_s = self.clock() + wait
