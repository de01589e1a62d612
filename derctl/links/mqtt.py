"""The broker session on aiomqtt. MQTT 5; 3.1.1 only where the broker refuses the protocol, never on silence."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import aiomqtt
from aiomqtt import ProtocolVersion
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from derctl.errors import LinkError
from derctl.links.broker import Broker, said
from derctl.links.ending import end
from derctl.links.publisher import Publisher, Source
from derctl.links.received import Client
from derctl.links.sessions import BRIEF_S, STEADY_S, End, Sessions, after, lost_text, pause_s

CONNECT_S = 10.0
GOODBYE_S = 1.0
"""How long the end of a session may take: a broker that stands still must not hold up the daemon's."""
COMMANDS_QOS = 0
"""Of the subscription: a command's reply acknowledges it. mosquitto 2.0.11 never gives back the place of a message of
QoS 1 above Maximum Packet Size: after 20 of them, from whoever may publish below `cmd/`, it hears no other."""
SESSION_TAKEN_OVER = 142
"""DISCONNECT reason of MQTT 5."""
CLOSED = frozenset({MQTTErrorCode.MQTT_ERR_CONN_LOST.value, 128})
"""What a session ends with where the broker gives no reason: the library's, and the "unspecified error" of MQTT 5."""
UNSUPPORTED_PROTOCOL = frozenset({1, 132})
"""CONNACK codes for "unacceptable protocol version": 1 in MQTT 3.1.1, 132 in MQTT 5."""
VERSIONS = {"5": ProtocolVersion.V5, "3.1.1": ProtocolVersion.V311}


class TakenOver(LinkError):
    """Another client came to the broker under this site's name."""


OnCommand = Callable[[str, bytes, bool], Awaitable[None]]
"""Called with topic (without the base), payload, and whether it was retained."""
Admits = Callable[[str, bytes], bool]
"""Whether a message (topic without the base, payload) is kept until its turn comes: called as soon as it is there."""


@dataclass(slots=True)
class MqttLink:
    """Keeps a session until cancelled. hello() makes the retained `online` message of each new session.

    on_change hears of the first try's end, and then of each session won or lost; one that follows a session which did
    not last is won when it has lasted. on_news: event and text of what else a person has to know, once each.
    queued_max: messages that were admitted and wait for their turn.
    """

    broker: Broker
    source: Source
    on_command: OnCommand
    hello: Callable[[], bytes]
    may_connect: Callable[[], bool] = lambda: True
    on_change: Callable[[bool, str], None] = lambda connected, text: None
    on_news: Callable[[str, str], None] = lambda event, text: None
    admits: Admits = lambda topic, payload: True
    queued_max: int = 128
    jitter: Callable[[float, float], float] = random.uniform
    history: Sessions = field(default_factory=Sessions)
    publisher: Publisher = field(init=False)
    connected: bool = False
    protocol: str = "5"
    sessions: int = 0
    _word: str = "not connected yet"
    _ending: bool = False
    _told: bool | None = None
    _won_s: float | None = None

    def __post_init__(self) -> None:
        self.publisher = Publisher(self.broker, self.source, self.on_news)

    @property
    def text(self) -> str:
        """How it is with the session, for people."""
        return f"{self._word}{self.publisher.limits() if self.connected else ''}"

    async def run(self) -> None:
        """Connect, talk, back off, again. Only cancellation ends it."""
        while True:
            self._won_s = None
            self.publisher.begin()
            wait_s = self._ended(await self._try(), time.monotonic())
            if wait_s is not None:
                await asyncio.sleep(wait_s)

    async def _try(self) -> Exception:
        """One session, from its beginning to what ended it."""
        try:
            if not self.may_connect():
                raise LinkError("TLS waits for the clock to be set")
            if self.history.failed % 2 and not self.sessions and self.protocol == "5":
                async with self._client(None):  # amqtt drops MQTT 5 with a will before it looks at the version
                    pass
            await self._session()
        except (aiomqtt.MqttError, LinkError, OSError, ValueError) as error:
            return error
        finally:
            self.connected = False
        return LinkError("the session ended")

    def _ended(self, error: Exception, now_s: float) -> float | None:
        """What is said of it, and the pause until the next try; None: at once. The error isn't kept: it holds the
        session's socket."""
        if self._ending:
            raise asyncio.CancelledError
        if self._takes_less(_code_of(error)):
            return None
        ended = _end_of(error, None if self._won_s is None else now_s - self._won_s)
        before, self.history = self.history, after(self.history, ended)
        least_s, more_s = pause_s(self.history, ended)
        wait_s = least_s + self.jitter(0.0, more_s)
        self._word = lost_text(self.history, ended, said(error), wait_s)
        if self.history.taken(ended) and not before.contested:
            self._told = False
            self.on_news("broker_taken_over", self._word)
        else:
            self._tell(connected=False)
        return wait_s

    def _takes_less(self, code: int | None) -> bool:
        """Whether the broker refused something that can be left out: then it is asked again at once."""
        if self.protocol == "5" and code in UNSUPPORTED_PROTOCOL:
            self.protocol = "3.1.1"
            return True
        return self.publisher.takes_less(code)

    def _tell(self, *, connected: bool) -> None:
        if connected is not self._told:
            self._told = connected
            self.on_change(connected, self.text)

    async def _session(self) -> None:
        last = self.publisher.will()
        will = aiomqtt.Will(last.topic, last.payload, qos=last.qos, retain=last.retain)
        async with self._client(will) as client:
            self.publisher.announced(client.announced)
            try:
                await self._talk(client)
            except asyncio.CancelledError:
                await self._goodbye(client)
                raise

    async def _talk(self, client: Client) -> None:
        await self.publisher.publish(client, self.broker.online(self.hello()))
        granted = await client.subscribe(self.broker.topic("cmd/#"), qos=COMMANDS_QOS)
        refusals = [str(code) for code in granted if isinstance(code, ReasonCode) and code.is_failure]
        self._word = f"connected, but no command comes through: {refusals[0]}" if refusals else "connected"
        self.connected, self.sessions, self._won_s = True, self.sessions + 1, time.monotonic()
        self.publisher.say_limits()
        tasks = (
            asyncio.create_task(self._last(), name="mqtt last"),
            asyncio.create_task(self.publisher.run(client), name="mqtt send"),
            asyncio.create_task(self._receive(client), name="mqtt receive"),
        )
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end(tasks)  # not a TaskGroup: it cancels once, and a publish that is just answered swallows that
        ended = [task.exception() for task in tasks if not task.cancelled()]
        errors = [error for error in ended if error is not None] or [LinkError("the session ended")]
        if any(_code_of(error) == SESSION_TAKEN_OVER for error in errors):
            raise TakenOver("another client uses this site's id on the broker (session taken over)") from errors[0]
        bugs = (error for error in errors if not isinstance(error, aiomqtt.MqttError))
        raise next(bugs, errors[0])

    async def _last(self) -> None:
        """A session that may be taken again is told when it has lasted."""
        if self.history.doubtful:
            await asyncio.sleep(STEADY_S if self.history.contested else BRIEF_S)
            self.history = Sessions()
        self._tell(connected=True)
        await asyncio.Event().wait()

    async def _goodbye(self, client: Client) -> None:
        """A clean disconnect discards the will (MQTT 5, 3.14.4), so its word is said here.

        The disconnect that follows may fail and then raises in the place of the cancellation: `run` has to know.
        """
        self._ending = True
        client.timeout = GOODBYE_S
        try:
            await self.publisher.publish(client, self.broker.online(self.broker.will))
        except aiomqtt.MqttError:
            return

    def _client(self, will: aiomqtt.Will | None) -> Client:
        """Without a will it only asks for the version."""
        broker = self.broker
        return Client(
            broker.host,
            broker.port,
            username=broker.username,
            password=broker.password,
            identifier=broker.base.replace("/", "-"),
            protocol=VERSIONS[self.protocol],
            will=will,
            keepalive=broker.keepalive_s,
            timeout=CONNECT_S,
            tls_context=broker.tls(),
            logger=_quiet(),
            admits=lambda topic, payload: self.admits(broker.own(topic), payload),
            queued_max=self.queued_max,
        )

    async def _receive(self, client: Client) -> None:
        async for message in client.messages:
            topic = self.broker.own(message.topic.value)
            payload = message.payload if isinstance(message.payload, bytes) else str(message.payload).encode()
            await self.on_command(topic, payload, bool(message.retain))


def _end_of(error: Exception, lasted_s: float | None) -> End:
    """lasted_s None: there was no session."""
    won = lasted_s is not None
    closed, taken_over = won and _code_of(error) in CLOSED, isinstance(error, TakenOver)
    return End(won=won, lasted_s=lasted_s or 0.0, closed=closed, taken_over=taken_over)


def _code_of(error: BaseException) -> int | None:
    """The broker's reason for a session's end: aiomqtt has it in the cause of what it raises."""
    code = next((each.rc for each in (error.__cause__, error) if isinstance(each, aiomqtt.MqttCodeError)), None)
    return code.value if isinstance(code, ReasonCode) else code


def _quiet() -> logging.Logger:
    logger = logging.getLogger("derctl.mqtt.paho")
    logger.setLevel(logging.CRITICAL)
    return logger
