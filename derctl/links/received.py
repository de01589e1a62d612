"""aiomqtt's client with bounds on what comes in: paho keeps a packet whole, aiomqtt any number of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from copy import copy
from typing import Any

import aiomqtt
from aiomqtt import ProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from derctl.links.allowed import TOPIC_MAX, Denied
from derctl.links.aside import aside

RECEIVE_MAX = 40_960
"""Bytes of a packet that comes in: Maximum Packet Size of CONNECT (MQTT 5, 3.1.2.11.4)."""
KEPT_MAX = TOPIC_MAX + 4
"""Bytes of a packet that is kept: never less than the topic with its length and the packet's id (MQTT 5, 3.3.2)."""
CHUNK = 65_536
"""Bytes read at once of a packet that is too large."""


class Client(aiomqtt.Client):
    """It keeps what the broker announces in its CONNACK, which aiomqtt throws away. What blocks is done aside.

    admits: whether a message (topic, payload, correlation data) is kept at all. queued_max: how many wait.

    A CONNECT without a will only asks for the version: amqtt answers none that has properties.
    """

    announced: Any = None
    _denied: str | None = None
    _broken: OSError | None = None
    _reached: Future[None]

    def __init__(
        self, *args: Any, admits: Callable[[str, bytes, bytes | None], bool], queued_max: int, **more: Any
    ) -> None:
        limit = None
        if more["protocol"] is ProtocolVersion.V5 and more["will"] is not None:
            limit = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            limit.MaximumPacketSize = RECEIVE_MAX
        super().__init__(*args, properties=limit, max_queued_incoming_messages=queued_max, **more)
        self._admits = admits
        self._speaks_5 = more["protocol"] is ProtocolVersion.V5
        self._read: Callable[[int], bytes] = self._client._sock_recv
        self._client._sock_recv = self._bounded  # type: ignore[method-assign, assignment]

    async def __aenter__(self) -> Client:
        """aiomqtt leaves socket and task of a failed connection alive for a keepalive: they are ended here."""
        try:
            self._reached = aside("mqtt connect", super()._client_connect)
            with suppress(Exception):  # aiomqtt asks for it and makes its own error of it
                await asyncio.wrap_future(self._reached)
            return await super().__aenter__()
        except BaseException:
            self._client.on_disconnect = None
            self._client.disconnect()
            raise

    def _client_connect(self) -> None:
        self._reached.result()

    def _bounded(self, size: int) -> bytes:
        """Of a broker that knows no Maximum Packet Size: the beginning is kept, the rest is read and thrown away.

        paho takes no bytes for the end of the connection, so one of each chunk stays.
        """
        packet = self._client._in_packet
        try:
            data = self._read(min(size, CHUNK))
        except BlockingIOError:
            raise
        except OSError as error:
            self._broken = copy(error)  # without its traceback, which holds this client
            raise
        kept = data[: max(1, KEPT_MAX - len(packet["packet"]))]
        packet["to_process"] -= len(data) - len(kept)
        return kept

    def _on_connect(
        self, client: Any, userdata: Any, flags: Any, reason_code: ReasonCode, properties: Any = None
    ) -> None:
        self.announced = properties
        super()._on_connect(client, userdata, flags, reason_code, properties)

    def _on_disconnect(
        self, client: Any, userdata: Any, flags: Any, reason_code: ReasonCode, properties: Any = None
    ) -> None:
        """aiomqtt waits for the CONNACK of a broker that has hung up, and loses what it hung up with. In TLS 1.3 that
        is how a broker says that it does not take our certificate (RFC 8446, 4.4.2.4)."""
        if self._connected.done():
            super()._on_disconnect(client, userdata, flags, reason_code, properties)
            return
        error = aiomqtt.MqttError("the broker closed the connection before it answered")
        error.__cause__ = self._broken
        self._connected.set_exception(error)

    def _on_message(self, client: Any, userdata: Any, message: Any) -> None:
        """A topic that is no UTF-8 is nobody's."""
        try:
            topic = message.topic
        except UnicodeDecodeError:
            return
        if self._admits(topic, message.payload, correlation_of(message)):
            super()._on_message(client, userdata, message)

    def _on_publish(self, client: Any, userdata: Any, mid: int, reason_code: ReasonCode, properties: Any) -> None:
        """aiomqtt takes each acknowledgement for a yes."""
        if reason_code.is_failure:
            self._denied = str(reason_code).lower()
        super()._on_publish(client, userdata, mid, reason_code, properties)

    async def hear(self, topic: str, qos: int) -> tuple[int, ...] | list[ReasonCode]:
        """Subscribe, with Retain As Published (MQTT 5, 3.8.3.1): else the broker takes the flag off what is published
        while we listen (3.3.1.3). MQTT 3.1.1 has none: there the flag tells alone what lay there before."""
        if not self._speaks_5:
            return await self.subscribe(topic, qos)
        return await self.subscribe(topic, options=SubscribeOptions(qos, retainAsPublished=True))

    async def publish(self, *args: Any, correlation: bytes | None = None, **more: Any) -> None:
        """correlation: left out where the session is of an MQTT that has none. One after the other. Raises Denied."""
        self._denied = None
        if correlation is not None and self._speaks_5:
            more["properties"] = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            more["properties"].CorrelationData = correlation
        await super().publish(*args, **more)
        if self._denied is not None:
            raise Denied(self._denied)


def correlation_of(message: Any) -> bytes | None:
    """What a message of MQTT 5 wants to have back in its answer; None: nothing."""
    found = getattr(message.properties, "CorrelationData", None)
    return found if isinstance(found, bytes) else None
