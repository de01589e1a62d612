"""The broker session on aiomqtt. MQTT 5; 3.1.1 where the broker refuses that, or answers 3.1.1 and right behind it is
silent to MQTT 5; never on silence alone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import field
from typing import Any

import aiomqtt
from aiomqtt import ProtocolVersion
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.reasoncodes import ReasonCode

from derctl.core.dataclass import dataclass
from derctl.errors import LinkError
from derctl.links.beside import Beside
from derctl.links.broker import Broker, distrusted, said
from derctl.links.ending import end
from derctl.links.publisher import Publisher, Source
from derctl.links.received import Client, correlation_of
from derctl.links.tidings import Tidings

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


OnCommand = Callable[[str, bytes, bool, bytes | None], Coroutine[Any, Any, None]]
"""Called with topic (without the base), payload, whether it was retained, and its correlation data; in the order in
which they came, and beside each other."""
Admits = Callable[[str, bytes, bytes | None], bool]
"""Whether a message (topic without the base, payload, correlation data) is kept until its turn comes: called as soon
as it is there."""


@dataclass(slots=True)
class MqttLink:
    """Keeps a session until cancelled. hello() makes the retained `online` message of each new session.

    on_change, on_news: who hears of the tidings. queued_max: commands that were admitted and are under way, and as
    many that wait for a turn. They outlive the session that they came by: their replies wait for the next one.
    distrust: why TLS was not agreed at the last try, "": it was, or it came to none.
    """

    broker: Broker
    source: Source
    on_command: OnCommand
    hello: Callable[[], bytes]
    may_connect: Callable[[], bool] = lambda: True
    on_change: Callable[[bool, str], None] = lambda connected, text: None
    on_news: Callable[[str, str], None] = lambda event, text: None
    admits: Admits = lambda topic, payload, correlation: True
    queued_max: int = 128
    publisher: Publisher = field(init=False)
    tidings: Tidings = field(init=False)
    commands: Beside = field(init=False)
    protocol: str = "5"
    distrust: str = ""
    _ending: bool = False

    def __post_init__(self) -> None:
        self.publisher = Publisher(self.broker, self.source, self.on_news)
        self.commands = Beside(self.queued_max)
        self.tidings = Tidings(lambda connected: self.on_change(connected, self.text), self.on_news)

    @property
    def connected(self) -> bool:
        return self.tidings.connected

    @property
    def text(self) -> str:
        """How it is with the session, for people."""
        return f"{self.tidings.word}{self.publisher.limits() if self.connected else ''}"

    async def run(self) -> None:
        """Connect, talk, back off, again. Only cancellation ends it."""
        try:
            while True:
                self.tidings.begin()
                self.publisher.begin()
                wait_s = self._ended(await self._try())
                if wait_s is not None:
                    await asyncio.sleep(wait_s)
        finally:
            await end(self.commands.tasks)

    async def _try(self) -> Exception:
        """One session, from its beginning to what ended it."""
        try:
            if not self.may_connect():
                raise LinkError("TLS waits for the clock to be set")
            unsure = self.tidings.history.failed % 2 and not self.tidings.sessions and self.protocol == "5"
            if unsure and await _knows_old_only(lambda protocol: self._client(None, protocol)):
                self.protocol = "3.1.1"
            await self._session()
        except (aiomqtt.MqttError, LinkError, OSError, ValueError) as error:
            return error
        finally:
            self.tidings.connected = False
        return LinkError("the session ended")

    def _ended(self, error: Exception) -> float | None:
        """What is said of it, and the pause until the next try; None: at once. The error isn't kept: it holds the
        session's socket."""
        if self._ending:
            raise asyncio.CancelledError
        self.distrust = said(error) if distrusted(error) else ""
        code = _code_of(error)
        if self._takes_less(code):
            return None
        return self.tidings.lost(said(error), closed=code in CLOSED, taken_over=isinstance(error, TakenOver))

    def _takes_less(self, code: int | None) -> bool:
        """Whether the broker refused something that can be left out: then it is asked again at once."""
        if self.protocol == "5" and code in UNSUPPORTED_PROTOCOL:
            self.protocol = "3.1.1"
            return True
        return self.publisher.takes_less(code)

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
        granted = await client.hear(self.broker.topic("cmd/#"), COMMANDS_QOS)
        refusals = [str(code) for code in granted if isinstance(code, ReasonCode) and code.is_failure]
        self.distrust = ""
        self.tidings.won(f"connected, but no command comes through: {refusals[0]}" if refusals else "connected")
        self.publisher.say_limits()
        tasks = (
            asyncio.create_task(self.tidings.lasts(), name="mqtt last"),
            asyncio.create_task(self.publisher.run(client), name="mqtt send"),
            asyncio.create_task(self._receive(client), name="mqtt receive"),
            asyncio.create_task(self.commands.bug(), name="mqtt commands"),
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

    def _client(self, will: aiomqtt.Will | None, protocol: str | None = None) -> Client:
        """Without a will it only asks for the version. protocol: another one than that of the sessions."""
        broker = self.broker
        return Client(
            broker.host,
            broker.port,
            username=broker.username,
            password=broker.password,
            identifier=broker.base.replace("/", "-"),
            protocol=VERSIONS[protocol or self.protocol],
            will=will,
            keepalive=broker.keepalive_s,
            timeout=CONNECT_S,
            tls_context=broker.tls(),
            logger=_quiet(),
            admits=lambda topic, *more: self.admits(broker.own(topic), *more),
            queued_max=self.queued_max,
        )

    async def _receive(self, client: Client) -> None:
        async for message in client.messages:
            topic = self.broker.own(message.topic.value)
            payload = message.payload if isinstance(message.payload, bytes) else str(message.payload).encode()
            came = self.on_command(topic, payload, bool(message.retain), correlation_of(message))
            await self.commands.begin("mqtt command", came)


async def _knows_old_only(client: Callable[[str], Client]) -> bool:
    """Whether MQTT 3.1.1 is answered and MQTT 5 right behind it is not: so with RabbitMQ before 3.13. Raises what a
    refusal of MQTT 5 raises, or the silence of both. client: one without a will, since amqtt drops MQTT 5 with one
    before it looks at the version."""
    answers = True
    try:
        async with client("3.1.1"):
            pass
    except aiomqtt.MqttError as error:
        answers = False
        if _code_of(error) is None:
            raise
    try:
        async with client("5"):
            pass
    except aiomqtt.MqttError as error:
        if not answers or _code_of(error) is not None:
            raise
        return True
    return False


def _code_of(error: BaseException) -> int | None:
    """The broker's reason for a session's end: aiomqtt has it in the cause of what it raises."""
    code = next((each.rc for each in (error.__cause__, error) if isinstance(each, aiomqtt.MqttCodeError)), None)
    return code.value if isinstance(code, ReasonCode) else code


def _quiet() -> logging.Logger:
    logger = logging.getLogger("derctl.mqtt.paho")
    logger.setLevel(logging.CRITICAL)
    return logger
