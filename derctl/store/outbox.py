"""What waits for the broker: the newest of each measurement, and events in order, both bounded."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field

EVENTS_MAX = 1000
"""Events kept while the broker is away; beyond it the oldest go, and are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """topic: without the site's prefix."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False


@dataclass(slots=True)
class Outbox:
    """Putting never waits and never fails: a broker that is away costs memory only, and that is bounded."""

    latest: dict[str, Message] = field(default_factory=dict)
    ordered: deque[Message] = field(default_factory=deque)
    dropped: int = 0
    published: int = 0
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _sent: asyncio.Event = field(default_factory=asyncio.Event)

    def put(self, message: Message) -> None:
        """Ordered where it must arrive (qos 1), else only the newest of its topic is kept."""
        if message.qos == 0:
            self.latest.pop(message.topic, None)
            self.latest[message.topic] = message
        else:
            if len(self.ordered) >= EVENTS_MAX:
                self.ordered.popleft()
                self.dropped += 1
            self.ordered.append(message)
        self._wake.set()

    async def peek(self) -> Message:
        """The next to send; it stays until `sent`."""
        while not self.ordered and not self.latest:
            self._wake.clear()
            await self._wake.wait()
        return self.ordered[0] if self.ordered else next(iter(self.latest.values()))

    async def emptied(self, seconds: float) -> None:
        """Return when all is sent, or after so many seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.ordered or self.latest:
                    self._sent.clear()
                    await self._sent.wait()

    def sent(self, message: Message) -> None:
        """Take it out, unless a newer one has come in its place."""
        self.published += 1
        self._take_out(message)

    def left_out(self, message: Message) -> None:
        """The same for one that the broker would not take."""
        self.dropped += 1
        self._take_out(message)

    def _take_out(self, message: Message) -> None:
        self._sent.set()
        if self.ordered and self.ordered[0] is message:
            self.ordered.popleft()
        elif self.latest.get(message.topic) is message:
            del self.latest[message.topic]
