"""One wire, kept connected: at first it is tried once a second, then ever less often.

A device that closes the connection after each answer gets one for each request.
"""

from __future__ import annotations

import asyncio
import dataclasses
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import field

from derctl.core.dataclass import dataclass
from derctl.core.exchange import Read, Registers, Write
from derctl.errors import BusClosed, BusError, BusFrameError, BusNoise, BusTimeout, DeviceRefused
from derctl.links import closing as closings
from derctl.links import doubt as doubts
from derctl.links.closing import Closing
from derctl.links.deadline import Deadline
from derctl.links.doubt import Doubt
from derctl.links.wires.wire import Wire

REJOIN_S = 0.05
"""The first pause where a device that closes after each answer doesn't listen again at once; each next doubles."""
LISTEN_S = 0.05
"""How often is looked whether a silent connection has been heard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitPace:
    """turnaround_s: silence behind this unit's answers, until it lets go of a shared line. floor_s: the least that a
    learned deadline leaves its answer to begin."""

    turnaround_s: float = 0.0
    floor_s: float = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """timeout_s: the one deadline. min_interval_s: between two requests. connect_delay_s: after connecting.

    backoff_s: cap of the reconnection's pause. drain_s: how long a silent connection, and then the new one, is only
    listened to where answers may still be on their way, for a wire that can't tell them apart; on an RTU line so long
    after its deadline a unit is asked nothing whose answer its late one could be taken for. meet_most_s: what the
    deadline of one that has answered may grow to until it is known what it is. units: single ones' pace.
    """

    timeout_s: float = 1.0
    min_interval_s: float = 0.0
    connect_delay_s: float = 0.0
    backoff_s: float = 8.0
    drain_s: float = 0.0
    meet_most_s: float = 0.0
    units: Mapping[int, UnitPace] = field(default_factory=dict)

    @property
    def follow_s(self) -> float:
        """Between two requests another unit may have its turn: its pause and its answer, then the own pause."""
        return self.timeout_s + max(self.timeout_s, 2.0 * self.min_interval_s)


@dataclass(slots=True)
class Line:
    """See the module. `run` must be running as a task for the wire to be connected, and to stay so.

    place: where it leads, as `derctl scan` takes it. generation: grows when another device may answer from now on.
    connects: since it was made.
    """

    name: str
    wire: Wire
    pace: Pace = field(default_factory=Pace)
    place: str = ""
    clock: Callable[[], float] = time.monotonic
    closing: Closing = field(default_factory=Closing)
    doubt: Doubt = field(default_factory=Doubt)
    generation: int = 0
    connects: int = 0
    _ended: BusError | None = None
    _lost: asyncio.Event = field(default_factory=asyncio.Event)
    _up: asyncio.Event = field(default_factory=asyncio.Event)
    _deadline: Deadline = field(default_factory=Deadline)

    @property
    def connected(self) -> bool:
        """Whether the wire is up now, or will be for the next request."""
        return (self.closing.resting or self.wire.connected) and self._up.is_set()

    def closed(self) -> BusClosed:
        """Why the wire is not up, to be raised."""
        if isinstance(self._ended, BusClosed):
            return BusClosed(str(self._ended), hint=self._ended.hint, distrust=self._ended.distrust)
        if self._ended is None:
            return BusClosed(f"{self.name}: not connected")
        after = self._ended.full if isinstance(self._ended, BusTimeout) else self._ended
        return BusClosed(f"{self.name}: not connected, after {after}")

    async def wait_connected(self) -> None:
        """Return when the wire is up."""
        await self._up.wait()

    async def run(self) -> None:
        """Keep the wire connected until cancelled."""
        try:
            while True:
                try:
                    await self.connect()
                    await self._lost.wait()
                except BusClosed:
                    pass
                self._up.clear()
                if isinstance(self._ended, BusTimeout):  # whoever is only late is known by its answer
                    await listen(self.wire, self.pace.drain_s)
                else:
                    self.wire.close()
                await asyncio.sleep(max(doubts.next_s(self.doubt, self.pace.backoff_s) - self.clock(), 0.0))
                self.wire.close()
        finally:
            self._up.clear()
            self.wire.close()

    async def connect(self) -> None:
        """One try. Raises BusClosed."""
        self._lost.clear()
        self.doubt = doubts.tried(self.doubt, self.clock())
        try:
            await self._dial()
        except BusClosed as error:
            self._ended = error
            raise
        if self.doubt.silences or isinstance(self._ended, BusFrameError):
            await asyncio.sleep(self.pace.drain_s)
        self.doubt = doubts.renewed(self.doubt)
        self.generation += 1
        self.closing = closings.connected(self.closing, self.clock())
        self._up.set()

    async def _dial(self) -> None:
        self.connects += 1
        await self.wire.connect(self._cut)
        await asyncio.sleep(self.pace.connect_delay_s)

    def _cut(self, error: BusClosed) -> None:
        """The wire's word that the connection has ended."""
        if not self.wire.lasting:
            self.closing = closings.ended(self.closing, self.clock())
        if self.closing.resting:
            self._ended = error
        else:
            self._drop(error)

    def _drop(self, error: BusError) -> None:
        """Out of service from this moment, and why; `run` closes and reconnects."""
        self._ended, self.closing = error, closings.woken(self.closing)
        self._up.clear()
        self._lost.set()

    async def rejoin(self) -> None:
        """Connect to a device that closes after each answer, once it listens again: its deadline is the request's."""
        self.closing = closings.woken(self.closing)
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

    async def request(self, unit: int, op: Read | Write, timeout_s: float | None = None) -> Registers:
        """One request. timeout_s: another deadline than the pace's. Raises TimeoutError after it, BusClosed,
        BusFrameError or DeviceRefused."""
        self.closing = closings.asked(self.closing)
        try:
            answer = await self._deadline.of(timeout_s or self.pace.timeout_s, self.wire.request(unit, op))
        except BusNoise:
            raise
        except BusFrameError as error:
            self._drop(error)
            raise
        except BusClosed as error:
            if not self.closing.resting:
                self._drop(error)
            raise
        except DeviceRefused as error:
            self._answered(not error.by_gateway)
            raise
        self._answered(True)
        return answer

    def _answered(self, by_unit: bool) -> None:
        """One that closes by habit is closed before it does so: no request meets a connection that is being closed.

        by_unit: and not by a gateway in its place.
        """
        if by_unit:
            self.doubt = doubts.answered(self.doubt)
        before = self.closing
        self.closing = now = closings.answered(before, self.clock())
        if now.resting and not before.resting:
            self.wire.close()

    def silent(self, error: BusTimeout) -> None:
        """A request had no answer within the deadline."""
        self.doubt = doubts.silent(self.doubt)
        if (self.doubt.given_up and not self.wire.lasting) or self.wire.debris:
            self._drop(error)


async def listen(wire: Wire, seconds: float) -> None:
    """Until something is heard, `seconds` at most: what can't be told from the next answer has to come before."""
    before = dataclasses.replace(wire.tally)
    for _ in range(math.ceil(seconds / LISTEN_S)):
        if wire.tally != before:
            return
        await asyncio.sleep(LISTEN_S)
