"""The broker session on aiomqtt. MQTT 5; 3.1.1 only where the broker refuses the protocol, never on silence."""

from __future__ import annotations

import asyncio
import logging
import random
import re
import ssl
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import aiomqtt
from aiomqtt import ProtocolVersion
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from derctl.core.value import replace
from derctl.errors import LinkError
from derctl.links.allowed import Allowed, Packet, announced, fitted, refused, unsendable
from derctl.links.ending import end
from derctl.links.received import Client
from derctl.links.sessions import BRIEF_S, STEADY_S, End, Sessions, after, pause_s

CONNECT_S = 10.0
GOODBYE_S = 1.0
"""How long the end of a session may take: a broker that stands still must not hold up the daemon's."""
TRIES_MAX = 5
"""Sessions in a row that may end while the same message is being sent: then it is the message."""
COMMANDS_QOS = 0
"""Of the subscription: a command's reply acknowledges it. mosquitto 2.0.11 never gives back the place of a message of
QoS 1 above Maximum Packet Size: after 20 of them, from whoever may publish below `cmd/`, it hears no other."""
DROP_SAID_S = 60.0
"""How often at most it is said that one was left out."""
SHOWN_MAX = 80
"""Characters of a topic that this shows."""
SESSION_TAKEN_OVER = 142
"""DISCONNECT reason of MQTT 5."""
CLOSED = frozenset({MQTTErrorCode.MQTT_ERR_CONN_LOST.value, 128})
"""What a session ends with where the broker gives no reason: the library's, and the "unspecified error" of MQTT 5."""
ANOTHER = "each session is closed soon: another client may use this site's id on the broker"
_NUMBERED = re.compile(r"^\[[A-Za-z][^\]]*\] | \(_ssl\.c:[0-9]+\)$")
OF_THE_LIBRARY = {
    "Disconnected during message iteration": "the broker closed the connection",
    "Operation timed out": "the broker does not answer",
    "Unspecified error": "the broker ended the session without a reason",
}
"""What aiomqtt says, for people."""
UNSUPPORTED_PROTOCOL = frozenset({1, 132})
"""CONNACK codes for "unacceptable protocol version": 1 in MQTT 3.1.1, 132 in MQTT 5."""


class Source(Protocol):
    """Where messages (topic, payload, qos, retain) come from; one stays until it is `sent`, or `left_out`."""

    async def peek(self) -> Any: ...
    def sent(self, message: Any) -> None: ...
    def left_out(self, message: Any) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Broker:
    """Where and as whom. base: `{prefix}/{fleet}/{site}`; will: the retained payload of `online` when we vanish."""

    host: str
    port: int
    base: str
    will: bytes
    username: str | None = None
    password: str | None = None
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    keepalive_s: int = 30

    def tls(self) -> ssl.SSLContext | None:
        """Raises LinkError where a file can't be used."""
        if self.ca_file is None:
            return None
        with _named("ca_file", self.ca_file):
            context = ssl.create_default_context(cafile=self.ca_file)
        if self.cert_file is not None:
            for key, path in (("cert_file", self.cert_file), ("key_file", self.key_file or self.cert_file)):
                with _named(key, path):
                    Path(path).open("rb").close()
            with _named("cert_file", self.cert_file):
                context.load_cert_chain(self.cert_file, self.key_file)
        return context


@contextmanager
def _named(key: str, path: str) -> Iterator[None]:
    """The system's own error tells neither the file nor what in the site file named it."""
    try:
        yield
    except FileNotFoundError as error:
        raise LinkError(f"mqtt.tls.{key}: {path}: there is no such file") from error
    except OSError as error:  # ssl.SSLError is one, too
        raise LinkError(f"mqtt.tls.{key}: {path}: {_said(error)}") from error


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
    allowed: Allowed = field(default_factory=Allowed)
    connected: bool = False
    protocol: str = "5"
    text: str = "not connected yet"
    sessions: int = 0
    _version: ProtocolVersion = field(default=ProtocolVersion.V5)
    _ending: bool = False
    _told: bool | None = None
    _won_s: float | None = None
    _largest: int = 0
    _limits: str = ""
    _packet_said: int | None = None
    _trying: Any = None
    _tries: int = 0
    _drop_said_s: float = -1e9
    _left_out: str = ""

    async def run(self) -> None:
        """Connect, talk, back off, again. Only cancellation ends it."""
        while True:
            self._won_s, self._largest = None, 0
            wait_s = self._ended(await self._try(), time.monotonic())
            if wait_s is not None:
                await asyncio.sleep(wait_s)

    def _ended(self, error: Exception, now_s: float) -> float | None:
        """The pause until the next try; None: at once. The error isn't kept: it holds the session's socket."""
        if self._ending:
            raise asyncio.CancelledError
        if self._takes_less(error):
            return None
        won = self._won_s is not None
        lasted_s = 0.0 if self._won_s is None else now_s - self._won_s
        closed, taken_over = won and _code_of(error) in CLOSED, isinstance(error, TakenOver)
        return self._lost(error, End(won=won, lasted_s=lasted_s, closed=closed, taken_over=taken_over))

    async def _try(self) -> Exception:
        """One session, from its beginning to what ended it."""
        try:
            if not self.may_connect():
                raise LinkError("TLS waits for the clock to be set")
            if self.history.failed % 2 and not self.sessions and self._version is ProtocolVersion.V5:
                await self._ask_version()
            await self._session()
        except (aiomqtt.MqttError, LinkError, OSError, ValueError) as error:
            return error
        finally:
            self.connected = False
        return LinkError("the session ended")

    def _lost(self, error: Exception, end: End) -> float:
        """What is said of it, and the pause until the next try."""
        before, self.history = self.history, after(self.history, end)
        least_s, more_s = pause_s(self.history, end)
        wait_s = least_s + self.jitter(0.0, more_s)
        self.text = _said(error)
        if self.history.contested and (end.closed or end.taken_over):
            said = self.text if end.taken_over else ANOTHER
            self.text = f"{said}; next try in {wait_s:.0f} s"
            if not before.contested:
                self._told = False
                self.on_news("broker_taken_over", self.text)
                return wait_s
        elif self.history.brief:
            self.text = f"{self.text} after {end.lasted_s:.0f} s: does another client use this site's id?"
        self._tell(connected=False)
        return wait_s

    def _tell(self, *, connected: bool) -> None:
        if connected is not self._told:
            self._told = connected
            self.on_change(connected, self.text)

    def _takes_less(self, error: Exception) -> bool:
        """Whether the broker refused something that can be left out: then it is asked again at once."""
        code = _code_of(error)
        if self._version is ProtocolVersion.V5 and code in UNSUPPORTED_PROTOCOL:
            self._version, self.protocol = ProtocolVersion.V311, "3.1.1"
            return True
        less = refused(self.allowed, code, self._largest)
        changed, self.allowed = less != self.allowed, less
        return changed

    async def _ask_version(self) -> None:
        """A CONNECT without a will: amqtt drops one of MQTT 5 with a will before it looks at the version."""
        async with AsyncExitStack() as stack:
            await self._enter(stack, self._client(None))

    async def _session(self) -> None:
        last = fitted(self._online(self.broker.will), replace(self.allowed, packet_max=None))
        assert last is not None
        will = aiomqtt.Will(last.topic, last.payload, qos=last.qos, retain=last.retain)
        async with AsyncExitStack() as stack:
            client = await self._enter(stack, self._client(will))
            self.allowed = announced(self.allowed, client.announced)
            try:
                await self._talk(client)
            except asyncio.CancelledError:
                await self._goodbye(client)
                raise

    async def _talk(self, client: Client) -> None:
        await self._publish(client, self._online(self.hello()))
        granted = await client.subscribe(self._topic("cmd/#"), qos=COMMANDS_QOS)
        refusals = [str(code) for code in granted if isinstance(code, ReasonCode) and code.is_failure]
        self.connected = True
        self.text = f"connected, but no command comes through: {refusals[0]}" if refusals else "connected"
        self.sessions, self._won_s = self.sessions + 1, time.monotonic()
        self._say_limits()
        tasks = (
            asyncio.create_task(self._last(), name="mqtt last"),
            asyncio.create_task(self._send(client), name="mqtt send"),
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

    def _say_limits(self) -> None:
        words = self.allowed.words()
        if words:
            self.text = f"{self.text}; {words}"
        if self._left_out and self._packet_said == self.allowed.packet_max:
            self.text = f"{self.text}; {self._left_out}"
        if words and words != self._limits:
            self.on_news("broker_limits", words)
        self._limits = words

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
            await self._publish(client, self._online(self.broker.will))
        except aiomqtt.MqttError:
            return

    @staticmethod
    async def _enter(stack: AsyncExitStack, client: Client) -> Client:
        """aiomqtt leaves socket and task of a failed connection alive for a keepalive: end them now."""
        try:
            return await stack.enter_async_context(client)
        except BaseException:
            client._client.on_disconnect = None
            client._client.disconnect()
            raise

    def _client(self, will: aiomqtt.Will | None) -> Client:
        broker = self.broker
        return Client(
            broker.host,
            broker.port,
            username=broker.username,
            password=broker.password,
            identifier=broker.base.replace("/", "-"),
            protocol=self._version,
            will=will,
            keepalive=broker.keepalive_s,
            timeout=CONNECT_S,
            tls_context=broker.tls(),
            logger=_quiet(),
            admits=lambda topic, payload: self.admits(self._own(topic), payload),
            queued_max=self.queued_max,
        )

    def _own(self, topic: str) -> str:
        return topic.removeprefix(f"{self.broker.base}/")

    def _topic(self, name: str) -> str:
        return f"{self.broker.base}/{name}"

    def _online(self, payload: bytes) -> Packet:
        return Packet(topic=self._topic("online"), payload=payload, qos=1, retain=True)

    async def _send(self, client: Client) -> None:
        while True:
            message = await self.source.peek()
            topic = self._topic(message.topic)
            packet = Packet(topic=topic, payload=message.payload, qos=message.qos, retain=message.retain)
            self._trying, self._tries = message, self._tries + 1 if message is self._trying else 1
            wrong = unsendable(packet)
            if wrong is None and self._tries > TRIES_MAX:
                wrong = f"{TRIES_MAX} sessions ended while it was sent"
            if wrong is not None:
                self._say_dropped(packet, wrong)
                self.source.left_out(message)
            elif await self._publish(client, packet):
                self.source.sent(message)
            else:
                self.source.left_out(message)

    async def _publish(self, client: Client, packet: Packet) -> bool:
        """As the broker takes it. Whether it does."""
        fits = fitted(packet, self.allowed)
        if fits is None or len(fits.payload) < len(packet.payload):
            self._say_too_large(packet)
        if fits is None:
            return False
        self._largest = max(self._largest, fits.size)
        await client.publish(fits.topic, fits.payload, qos=fits.qos, retain=fits.retain)
        return True

    def _say_dropped(self, packet: Packet, wrong: str) -> None:
        """Not each of many: what says so is a message, too."""
        now_s = time.monotonic()
        if now_s - self._drop_said_s >= DROP_SAID_S:
            self._drop_said_s = now_s
            self.on_news("message_dropped", f"{self._own(packet.topic)[:SHOWN_MAX]}: {wrong}")

    def _say_too_large(self, packet: Packet) -> None:
        """Once for each limit."""
        limit, topic = self.allowed.packet_max, self._own(packet.topic)
        if limit != self._packet_said:
            self._packet_said = limit
            text = f"the broker takes {limit} bytes in one message, {topic} has {packet.size}"
            text = f"{text}: texts are cut to fit, what else is larger is left out"
            self.on_news("broker_limits", text)
            self._left_out = text
            if self.connected:
                self.text = f"{self.text}; {text}"

    async def _receive(self, client: Client) -> None:
        async for message in client.messages:
            topic = self._own(message.topic.value)
            payload = message.payload if isinstance(message.payload, bytes) else str(message.payload).encode()
            await self.on_command(topic, payload, bool(message.retain))


def _said(error: Exception) -> str:
    """Its words, without `[Errno 111]` and the like around them."""
    text = _NUMBERED.sub("", str(error)) or type(error).__name__
    return OF_THE_LIBRARY.get(text, text)


def _code_of(error: BaseException) -> int | None:
    """The broker's reason for a session's end: aiomqtt has it in the cause of what it raises."""
    code = next((each.rc for each in (error.__cause__, error) if isinstance(each, aiomqtt.MqttCodeError)), None)
    return code.value if isinstance(code, ReasonCode) else code


def _quiet() -> logging.Logger:
    logger = logging.getLogger("derctl.mqtt.paho")
    logger.setLevel(logging.CRITICAL)
    return logger
