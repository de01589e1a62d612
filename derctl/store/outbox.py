"""What waits for the broker: the newest of each measurement, events and replies in order; all of it bounded."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from contextlib import suppress
from dataclasses import field

from derctl.core.dataclass import dataclass

EVENTS_MAX = 1000
"""Events kept while the broker is away; beyond it the oldest go, and are counted. As many replies, and notices."""
LANE_BYTES_MAX = 524_288
"""Bytes of each of these."""
LATEST_BYTES_MAX = 2_097_152
"""Bytes of the newest measurements of all topics."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """topic: without the site's prefix, or whole. correlation: of the request that it answers (MQTT 5, 3.3.2.3.6)."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False
    whole: bool = False
    correlation: bytes | None = None

    @property
    def lane(self) -> str:
        """event, reply, notice: none of them pushes out another."""
        return self.topic.partition("/")[0]

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.topic.encode(errors="replace")) + len(self.payload) + len(self.correlation or b"")


@dataclass(slots=True)
class Outbox:
    """Putting never waits and never fails: a broker that is away costs memory only, and that is bounded.

    Behind each that has to arrive goes all that is measured then: a day's events hold up no measurement, and those no
    event. shut: the site has no broker, so what is put is not kept.
    """

    latest: dict[str, Message] = field(default_factory=dict)
    ordered: deque[Message] = field(default_factory=deque)
    dropped: int = 0
    published: int = 0
    shut: bool = False
    _waiting: Counter[str] = field(default_factory=Counter)
    _bytes: Counter[str] = field(default_factory=Counter)
    _latest_bytes: int = 0
    _turns: int = 0
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _sent: asyncio.Event = field(default_factory=asyncio.Event)
    _awaited: dict[int, asyncio.Future[bool]] = field(default_factory=dict)

    def put(self, message: Message) -> None:
        """Ordered where it must arrive (qos 1), else only the newest of its topic is kept: of what is retained, too,
        since an older one would stand there as if it were so now."""
        if self.shut:
            return
        if message.qos == 0 or message.retain:
            self._renew(message)
        else:
            self._line_up(message)
        self._wake.set()

    def _renew(self, message: Message) -> None:
        if message.topic in self.latest:
            self._forget(message.topic)
        self.latest[message.topic] = message
        self._latest_bytes += message.size
        while self._latest_bytes > LATEST_BYTES_MAX:
            self._forget(next(iter(self.latest)))
            self.dropped += 1

    def _forget(self, topic: str) -> None:
        self._latest_bytes -= self.latest.pop(topic).size

    def _line_up(self, message: Message) -> None:
        lane = message.lane
        self.ordered.append(message)
        self._waiting[lane] += 1
        self._bytes[lane] += message.size
        while self._waiting[lane] > EVENTS_MAX or self._bytes[lane] > LANE_BYTES_MAX:
            self._leave(next(at for at, each in enumerate(self.ordered) if each.lane == lane))
            self.dropped += 1

    def _leave(self, at: int) -> None:
        message = self.ordered[at]
        del self.ordered[at]
        self._is_gone(message, sent=False)
        self._waiting[message.lane] -= 1
        self._bytes[message.lane] -= message.size

    async def peek(self) -> Message:
        """The next to send; it stays until `sent`."""
        while not self.ordered and not self.latest:
            self._wake.clear()
            await self._wake.wait()
        if self.latest and (self._turns or not self.ordered):
            return next(iter(self.latest.values()))
        return self.ordered[0]

    async def emptied(self, seconds: float) -> None:
        """Return when all is sent, or after so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.ordered or self.latest:
                    self._sent.clear()
                    await self._sent.wait()

    async def deliver(self, message: Message) -> bool:
        """Put it, and wait until it is gone. Whether the broker has it."""
        if self.shut:
            return False
        gone: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._awaited[id(message)] = gone
        self.put(message)
        try:
            return await gone
        finally:
            del self._awaited[id(message)]

    def _is_gone(self, message: Message, *, sent: bool) -> None:
        gone = self._awaited.get(id(message))
        if gone is not None and not gone.done():
            gone.set_result(sent)

    def sent(self, message: Message) -> None:
        """Take it out, unless a newer one has come in its place."""
        self.published += 1
        self._is_gone(message, sent=True)
        self._take_out(message)

    def left_out(self, message: Message) -> None:
        """The same for one that the broker would not take."""
        self.dropped += 1
        self._take_out(message)
        self._is_gone(message, sent=False)

    def _take_out(self, message: Message) -> None:
        self._sent.set()
        self._turns = max(self._turns - 1, 0)
        if self.ordered and self.ordered[0] is message:
            self._leave(0)
            self._turns = len(self.latest)
        elif self.latest.get(message.topic) is message:
            self._forget(message.topic)
