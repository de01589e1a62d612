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
from paho.mqtt.reasoncodes import ReasonCode

from derctl.errors import LinkError
from derctl.links.ending import end

CONNECT_S = 10.0
GOODBYE_S = 1.0
"""How long the end of a session may take: a broker that stands still must not hold up the daemon's."""
BACKOFF_S = (1.0, 15.0)
TAKEN_OVER_S = 60.0
"""How long another client with this site's name is left alone: two that take turns disturb each other for ever."""
BRIEF_S = 5.0
BRIEFLY = 3
"""Sessions in a row, won at the first try, that lasted less than BRIEF_S: the broker lives and throws us out."""
SESSION_TAKEN_OVER = 142
"""DISCONNECT reason of MQTT 5."""
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
    """Where messages (topic, payload, qos, retain) come from; one stays until it is `sent`."""

    async def peek(self) -> Any: ...
    def sent(self, message: Any) -> None: ...


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


@dataclass(slots=True)
class MqttLink:
    """Keeps a session until cancelled. hello() makes the retained `online` message of each new session. on_change
    hears of the first try's end, and then of each session won or lost."""

    broker: Broker
    source: Source
    on_command: OnCommand
    hello: Callable[[], bytes]
    may_connect: Callable[[], bool] = lambda: True
    on_change: Callable[[bool, str], None] = lambda connected, text: None
    jitter: Callable[[float, float], float] = random.uniform
    connected: bool = False
    protocol: str = "5"
    text: str = "not connected yet"
    sessions: int = 0
    _version: ProtocolVersion = field(default=ProtocolVersion.V5)
    _ending: bool = False
    _told: bool | None = None
    _brief: int = 0

    async def run(self) -> None:
        """Connect, talk, back off, again. Only cancellation ends it."""
        failures = 0
        while True:
            began, began_s = self.sessions, time.monotonic()
            try:
                if not self.may_connect():
                    raise LinkError("TLS waits for the clock to be set")
                if failures % 2 and not self.sessions and self._version is ProtocolVersion.V5:
                    await self._ask_version()
                await self._session()
            except aiomqtt.MqttCodeError as error:
                if self._refuses_protocol(error):
                    continue
                self.text = _said(error)
            except TakenOver as error:
                self.text, self._brief = str(error), BRIEFLY
            except (aiomqtt.MqttError, LinkError, OSError, ValueError) as error:
                self.text = _said(error)
            finally:
                self.connected = False
            if self._ending:
                raise asyncio.CancelledError
            least_s = self._pause_s(won=self.sessions > began, lasted_s=time.monotonic() - began_s)
            self._tell(connected=False)
            failures = 0 if self.sessions > began else failures + 1
            cap = min(BACKOFF_S[1], BACKOFF_S[0] * 2.0 ** min(failures, 10))
            await asyncio.sleep(least_s + self.jitter(0.0, cap))

    def _pause_s(self, *, won: bool, lasted_s: float) -> float:
        """The least pause before the next try; a long one where another client takes the session again and again.

        Some brokers (mosquitto 2.0.11, all with 3.1.1) close a session that is taken over without a word.
        """
        if self._brief < BRIEFLY:
            self._brief = self._brief + 1 if won and lasted_s < BRIEF_S else 0
            if self._brief < BRIEFLY:
                return BACKOFF_S[0]
            self.text = "each session is closed at once: another client may use this site's id on the broker"
        self.text, self._brief = f"{self.text}; next try in {TAKEN_OVER_S:g} s", 0
        return TAKEN_OVER_S

    def _tell(self, *, connected: bool) -> None:
        if connected is not self._told:
            self._told = connected
            self.on_change(connected, self.text)

    def _refuses_protocol(self, error: aiomqtt.MqttCodeError) -> bool:
        code = error.rc.value if isinstance(error.rc, ReasonCode) else error.rc
        if self._version is not ProtocolVersion.V5 or code not in UNSUPPORTED_PROTOCOL:
            return False
        self._version, self.protocol = ProtocolVersion.V311, "3.1.1"
        return True

    async def _ask_version(self) -> None:
        """A CONNECT without a will: amqtt drops one of MQTT 5 with a will before it looks at the version."""
        async with AsyncExitStack() as stack:
            await self._enter(stack, self._client(None))

    async def _session(self) -> None:
        will = aiomqtt.Will(self._topic("online"), self.broker.will, qos=1, retain=True)
        async with AsyncExitStack() as stack:
            client = await self._enter(stack, self._client(will))
            try:
                await self._talk(client)
            except asyncio.CancelledError:
                await self._goodbye(client)
                raise

    async def _talk(self, client: aiomqtt.Client) -> None:
        await client.publish(self._topic("online"), self.hello(), qos=1, retain=True)
        granted = await client.subscribe(self._topic("cmd/#"), qos=1)
        refusals = [str(code) for code in granted if isinstance(code, ReasonCode) and code.is_failure]
        self.connected = True
        self.text = f"connected, but no command comes through: {refusals[0]}" if refusals else "connected"
        self.sessions += 1
        self._tell(connected=True)
        tasks = (
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

    async def _goodbye(self, client: aiomqtt.Client) -> None:
        """A clean disconnect discards the will (MQTT 5, 3.14.4), so its word is said here.

        The disconnect that follows may fail and then raises in the place of the cancellation: `run` has to know.
        """
        self._ending = True
        client.timeout = GOODBYE_S
        try:
            await client.publish(self._topic("online"), self.broker.will, qos=1, retain=True)
        except aiomqtt.MqttError:
            return

    @staticmethod
    async def _enter(stack: AsyncExitStack, client: aiomqtt.Client) -> aiomqtt.Client:
        """aiomqtt leaves socket and task of a failed connection alive for a keepalive: end them now."""
        try:
            return await stack.enter_async_context(client)
        except BaseException:
            client._client.on_disconnect = None
            client._client.disconnect()
            raise

    def _client(self, will: aiomqtt.Will | None) -> aiomqtt.Client:
        broker = self.broker
        return aiomqtt.Client(
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
        )

    def _topic(self, name: str) -> str:
        return f"{self.broker.base}/{name}"

    async def _send(self, client: aiomqtt.Client) -> None:
        while True:
            message = await self.source.peek()
            await client.publish(self._topic(message.topic), message.payload, qos=message.qos, retain=message.retain)
            self.source.sent(message)

    async def _receive(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            topic = message.topic.value.removeprefix(self.broker.base + "/")
            payload = message.payload if isinstance(message.payload, bytes) else str(message.payload).encode()
            await self.on_command(topic, payload, bool(message.retain))


def _said(error: Exception) -> str:
    """Its words, without `[Errno 111]` and the like around them."""
    text = _NUMBERED.sub("", str(error)) or type(error).__name__
    return OF_THE_LIBRARY.get(text, text)


def _code_of(error: BaseException) -> int | None:
    """The broker's reason for a session's end: aiomqtt has it in the cause of what it raises."""
    code = next((each.rc for each in (error, error.__cause__) if isinstance(each, aiomqtt.MqttCodeError)), None)
    return code.value if isinstance(code, ReasonCode) else code


def _quiet() -> logging.Logger:
    logger = logging.getLogger("derctl.mqtt.paho")
    logger.setLevel(logging.CRITICAL)
    return logger
