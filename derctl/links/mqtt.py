"""The broker session on aiomqtt. MQTT 5; 3.1.1 only where the broker refuses the protocol, never on silence."""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, Protocol

import aiomqtt
from aiomqtt import ProtocolVersion
from paho.mqtt.reasoncodes import ReasonCode

from derctl.errors import LinkError

CONNECT_S = 10.0
GOODBYE_S = 1.0
"""How long the end of a session may take: a broker that stands still must not hold up the daemon's."""
BACKOFF_S = (1.0, 15.0)
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
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
            if self.cert_file is not None:
                context.load_cert_chain(self.cert_file, self.key_file)
        except (OSError, ssl.SSLError) as error:
            raise LinkError(f"TLS: {error}") from error
        return context


OnCommand = Callable[[str, bytes, bool], Awaitable[None]]
"""Called with topic (without the base), payload, and whether it was retained."""


@dataclass(slots=True)
class MqttLink:
    """Keeps a session until cancelled. hello() makes the retained `online` message of each new session."""

    broker: Broker
    source: Source
    on_command: OnCommand
    hello: Callable[[], bytes]
    may_connect: Callable[[], bool] = lambda: True
    jitter: Callable[[float, float], float] = random.uniform
    connected: bool = False
    protocol: str = "5"
    text: str = "not connected yet"
    sessions: int = 0
    _version: ProtocolVersion = field(default=ProtocolVersion.V5)
    _ending: bool = False

    async def run(self) -> None:
        """Connect, talk, back off, again. Only cancellation ends it."""
        failures = 0
        while True:
            began = self.sessions
            try:
                if not self.may_connect():
                    raise LinkError("TLS waits for the clock to be set")
                if failures % 2 and not self.sessions and self._version is ProtocolVersion.V5:
                    await self._ask_version()
                await self._session()
            except aiomqtt.MqttCodeError as error:
                if self._refuses_protocol(error):
                    continue
                self.text = str(error)
            except (aiomqtt.MqttError, LinkError, OSError, ValueError) as error:
                self.text = str(error) or type(error).__name__
            finally:
                self.connected = False
            if self._ending:
                raise asyncio.CancelledError
            failures = 0 if self.sessions > began else failures + 1
            cap = min(BACKOFF_S[1], BACKOFF_S[0] * 2.0 ** min(failures, 10))
            await asyncio.sleep(BACKOFF_S[0] + self.jitter(0.0, cap))

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
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._send(client), name="mqtt send")
                group.create_task(self._receive(client), name="mqtt receive")
        except ExceptionGroup as both:
            bugs = (error for error in both.exceptions if not isinstance(error, aiomqtt.MqttError))
            raise next(bugs, both.exceptions[0]) from both

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


def _quiet() -> logging.Logger:
    logger = logging.getLogger("derctl.mqtt.paho")
    logger.setLevel(logging.CRITICAL)
    return logger
