"""The end of a session whose client swallows a cancellation, as aiomqtt does before Python 3.12."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from derctl.links.broker import Broker
from derctl.links.ending import end
from derctl.links.mqtt import MqttLink
from derctl.store.outbox import Message, Outbox


class Client:
    """A client of a broker that says nothing. The first event's publish is answered in the turn in which it is
    cancelled, so that `asyncio.wait_for` gives its result instead of the cancellation."""

    def __init__(self) -> None:
        self.publishing = asyncio.Event()
        self.timeout = 10.0
        self.announced = None

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(self, *error: object) -> None:
        return None

    async def publish(self, topic: str, *args: object, **given: object) -> None:
        if topic.endswith("/event"):
            self.publishing.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                return

    async def hear(self, topic: str, qos: int) -> tuple[int, ...]:
        return (1,)

    @property
    async def messages(self) -> AsyncIterator[Any]:
        await asyncio.Event().wait()
        yield None


async def test_a_session_ends_though_a_publish_swallows_the_cancellation(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client()
    monkeypatch.setattr("derctl.links.mqtt.Client", lambda *args, **given: client)
    outbox = Outbox()
    link = MqttLink(
        Broker(host="127.0.0.1", port=1, base="a/b/c", will=b""), outbox, nothing, lambda: b"", lambda: True
    )
    outbox.put(Message(topic="event", payload=b"", qos=1))
    task = asyncio.create_task(link.run())
    await client.publishing.wait()
    await end([task])
    assert task.cancelled()


async def nothing(topic: str, payload: bytes, retained: bool, correlation: bytes | None) -> None:
    return
