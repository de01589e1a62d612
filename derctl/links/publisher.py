"""What goes out to a broker: each message as the broker takes it. What none takes is left out, and that is said."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import field
from typing import Any, Protocol

from derctl.core.dataclass import dataclass
from derctl.core.value import replace
from derctl.links.allowed import Allowed, Denied, Packet, announced, fitted, refused, unsendable
from derctl.links.broker import Broker

TRIES_MAX = 5
"""Sessions in a row that may end while the same message is being sent: then it is the message."""
DROP_SAID_S = 60.0
"""How often at most it is said that one was left out."""
DENIED_S, DENIED_SAID_S = 60.0, 3600.0
"""How long a topic that the broker denies is not tried again where it can wait, and how often that is said."""
SHOWN_MAX = 80
"""Characters of a topic that this shows."""


class Source(Protocol):
    """Where messages (topic, payload, qos, retain, correlation; whole: the topic is) come from; one stays until it is
    `sent`, or `left_out`."""

    async def peek(self) -> Any: ...
    def sent(self, message: Any) -> None: ...
    def left_out(self, message: Any) -> None: ...


class Session(Protocol):
    """A client that is connected."""

    async def publish(
        self, topic: str, payload: bytes, qos: int, retain: bool, *, correlation: bytes | None
    ) -> None: ...


@dataclass(slots=True)
class Publisher:
    """Lives through all sessions. allowed: what the broker takes, by its word and by its refusals.

    on_news: event and text of what a person has to know, once each.
    """

    broker: Broker
    source: Source
    on_news: Callable[[str, str], None]
    clock: Callable[[], float] = time.monotonic
    allowed: Allowed = field(default_factory=Allowed)
    _largest: int = 0
    _limits: str = ""
    _too_large: tuple[int | None, str] = (None, "")
    _trying: Any = None
    _tries: int = 0
    _drop_said_s: float = -1e9
    _denied_s: dict[str, float] = field(default_factory=dict)
    _denied_said_s: dict[str, float] = field(default_factory=dict)

    def begin(self) -> None:
        """Another try for a session: nothing was sent on it."""
        self._largest = 0

    def will(self) -> Packet:
        """The broker's last word on us. Its size is the broker's own matter."""
        packet = fitted(self.broker.online(self.broker.will), replace(self.allowed, packet_max=None))
        assert packet is not None
        return packet

    def announced(self, properties: Any) -> None:
        """A CONNACK has come."""
        self.allowed = announced(self.allowed, properties)

    def takes_less(self, code: int | None) -> bool:
        """Whether the broker ended a session for something that can be left out; it is, from then on."""
        less = refused(self.allowed, code, self._largest)
        changed, self.allowed = less != self.allowed, less
        return changed

    def say_limits(self) -> None:
        """What the broker doesn't take, where that is another thing than before."""
        words = self.allowed.words()
        if words and words != self._limits:
            self.on_news("broker_limits", words)
        self._limits = words

    def limits(self) -> str:
        """What doesn't get through now, as it follows on `connected`."""
        limit, text = self._too_large
        too_large = [text] if text and limit == self.allowed.packet_max else []
        return "".join(f"; {each}" for each in (self.allowed.words(), *too_large) if each)

    async def run(self, session: Session) -> None:
        """Send what comes until the session ends."""
        while True:
            message = await self.source.peek()
            topic = message.topic if message.whole else self.broker.topic(message.topic)
            packet = Packet(
                topic=topic,
                payload=message.payload,
                qos=message.qos,
                retain=message.retain,
                correlation=message.correlation,
            )
            self._trying, self._tries = message, self._tries + 1 if message is self._trying else 1
            wrong = unsendable(packet)
            if wrong is None and self._tries > TRIES_MAX:
                wrong = f"{TRIES_MAX} sessions ended while it was sent"
            if wrong is not None:
                self._say_dropped(packet, wrong)
                self.source.left_out(message)
            elif await self.publish(session, packet):
                self.source.sent(message)
            else:
                self.source.left_out(message)

    async def publish(self, session: Session, packet: Packet) -> bool:
        """As the broker takes it. Whether it does."""
        fits = fitted(packet, self.allowed)
        if fits is None or len(fits.payload) < len(packet.payload):
            self._say_too_large(packet)
        if fits is None:
            return False
        self._largest = max(self._largest, fits.size)
        try:
            await session.publish(
                fits.topic, fits.payload, qos=fits.qos, retain=fits.retain, correlation=fits.correlation
            )
        except Denied as error:
            self._say_denied(packet, str(error))
            return False
        return True

    def denies(self, kind: str) -> bool:
        """Whether the broker lately did not let us write topics that begin so."""
        return self.clock() - self._denied_s.get(kind, -1e9) < DENIED_S

    def _say_denied(self, packet: Packet, why: str) -> None:
        """Of each kind of topic seldom: it goes on until somebody mends the access list."""
        topic, now_s = self.broker.own(packet.topic), self.clock()
        kind = topic.partition("/")[0]
        self._denied_s[kind] = now_s
        if now_s - self._denied_said_s.get(kind, -1e9) >= DENIED_SAID_S:
            self._denied_said_s[kind] = now_s
            self.on_news("broker_denies", f"{topic[:SHOWN_MAX]}: {why}: its access list?")

    def _say_dropped(self, packet: Packet, wrong: str) -> None:
        """Not each of many: what says so is a message, too."""
        now_s = self.clock()
        if now_s - self._drop_said_s >= DROP_SAID_S:
            self._drop_said_s = now_s
            self.on_news("message_dropped", f"{self.broker.own(packet.topic)[:SHOWN_MAX]}: {wrong}")

    def _say_too_large(self, packet: Packet) -> None:
        """Once for each limit."""
        limit, topic = self.allowed.packet_max, self.broker.own(packet.topic)
        if limit != self._too_large[0]:
            text = f"the broker takes {limit} bytes in one message, {topic} has {packet.size}"
            text = f"{text}: texts are cut to fit, what else is larger is left out"
            self._too_large = (limit, text)
            self.on_news("broker_limits", text)
