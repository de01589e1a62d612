"""What goes out: as the broker takes it, left out where none takes it, and said once, not for each of many."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import aiomqtt
import pytest

from derctl.links.allowed import PACKET_TOO_LARGE, QOS_NOT_SUPPORTED, RETAIN_NOT_SUPPORTED, Denied
from derctl.links.broker import Broker
from derctl.links.ending import end
from derctl.links.publisher import DENIED_S, DENIED_SAID_S, DROP_SAID_S, SHOWN_MAX, TRIES_MAX, Publisher
from derctl.links.received import Client
from derctl.store.outbox import Message, Outbox

BROKER = Broker(host="127.0.0.1", port=1, base="a/b/c", will=b'{"online":false}')


class Wire:
    """A session that keeps what it is given, and breaks where the test says."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes, int, bool]] = []
        self.correlations: list[bytes | None] = []
        self.breaks = False
        self.ends: bytes | None = None
        self.denied: tuple[str, ...] = ()
        self.acknowledged_s = 0.0

    async def publish(self, topic: str, payload: bytes, qos: int, retain: bool, *, correlation: bytes | None) -> None:
        if topic.endswith(self.denied):
            raise Denied("not authorized")
        if self.breaks or payload == self.ends:
            raise ConnectionError("the session ended")
        await asyncio.sleep(self.acknowledged_s if qos else 0.0)
        self.sent.append((topic, payload, qos, retain))
        self.correlations.append(correlation)


class Office:
    """A publisher with an outbox, on virtual time."""

    def __init__(self) -> None:
        self.outbox, self.wire = Outbox(), Wire()
        self.told: list[tuple[str, str]] = []
        clock = asyncio.get_running_loop().time
        self.publisher = Publisher(BROKER, self.outbox, lambda *news: self.told.append(news), clock)
        self.task: asyncio.Task[None] | None = None

    def event(self, topic: str = "event", payload: bytes = b"{}") -> None:
        self.outbox.put(Message(topic=topic, payload=payload, qos=1))

    async def session(self) -> None:
        """One, until all is sent or it breaks."""
        self.publisher.begin()
        self.task = asyncio.create_task(self.publisher.run(self.wire))
        await asyncio.sleep(0.001)


@pytest.fixture
async def office() -> AsyncIterator[Office]:
    made = Office()
    yield made
    await end([] if made.task is None else [made.task])


def takes(size: int) -> Any:
    return SimpleNamespace(MaximumPacketSize=size)


async def test_what_is_sent_stands_under_the_sites_topics_and_leaves_the_outbox(office: Office) -> None:
    office.event(payload=b"1")
    await office.session()
    assert office.wire.sent == [("a/b/c/event", b"1", 1, False)]
    assert (office.outbox.published, office.publisher.limits()) == (1, "")
    assert not office.outbox.ordered and office.told == []


async def test_a_message_in_whose_sending_each_session_ends_is_left_out_and_the_next_is_sent(office: Office) -> None:
    office.event("event", b"bad")
    office.event("event", b"good")
    office.wire.breaks = True
    for _ in range(TRIES_MAX):
        await office.session()
    assert (len(office.outbox.ordered), office.told) == (2, [])
    office.wire.breaks = False
    await office.session()
    assert [payload for _, payload, _, _ in office.wire.sent] == [b"good"] and office.outbox.dropped == 1
    assert office.told == [("message_dropped", f"event: {TRIES_MAX} sessions ended while it was sent")]


async def test_a_message_that_ends_its_sessions_is_found_though_others_are_measured_between(office: Office) -> None:
    office.event("event", b"bad")
    office.event("event", b"good")
    office.wire.ends = b"bad"
    for n in range(TRIES_MAX + 1):
        office.outbox.put(Message(topic="poc", payload=b"%d" % n))
        await office.session()
    assert [payload for _, payload, *_ in office.wire.sent] == [b"%d" % TRIES_MAX, b"good"]
    assert office.told == [("message_dropped", f"event: {TRIES_MAX} sessions ended while it was sent")]


async def test_a_thousand_events_from_a_time_without_a_broker_hold_up_nothing_that_is_measured_now(
    office: Office,
) -> None:
    """A mobile link acknowledges each of them after a tenth of a second."""
    office.wire.acknowledged_s = 0.1
    for n in range(1000):
        office.event(payload=b"%d" % n)
    for n in range(40):
        office.outbox.put(Message(topic=f"der/{n}/measurement", payload=b"live"))
    await office.session()
    await asyncio.sleep(1.0)
    assert [payload for _, payload, *_ in office.wire.sent].count(b"live") == 40
    await asyncio.sleep(110.0)
    assert [int(payload) for _, payload, *_ in office.wire.sent if payload != b"live"] == [*range(1000)]


async def test_what_no_broker_takes_is_said_once_in_a_while_and_shortly(office: Office) -> None:
    await office.session()
    for _ in range(2):
        for _ in range(3):
            office.event(f"reply/{'x' * 100}#")
        await asyncio.sleep(DROP_SAID_S)
    assert office.outbox.dropped == 6 and office.wire.sent == []
    assert [event for event, _ in office.told] == ["message_dropped"] * 2
    assert office.told[0][1].startswith(f"reply/{'x' * (SHOWN_MAX - len('reply/'))}: its topic has #")


async def test_what_the_broker_denies_is_left_out_and_said_seldom_for_each_kind_of_topic(office: Office) -> None:
    """A broker that acknowledges a message with "not authorized" does not have it."""
    office.wire.denied = ("reply/ops", "reply/home", "interval")
    for topic in ("reply/ops", "reply/home", "interval", "event"):
        office.event(topic)
    await office.session()
    assert [topic for topic, *_ in office.wire.sent] == ["a/b/c/event"] and office.outbox.dropped == 3
    assert office.told == [
        ("broker_denies", f"{topic}: not authorized: its access list?") for topic in ("reply/ops", "interval")
    ]
    assert office.publisher.denies("interval") and not office.publisher.denies("event")
    await asyncio.sleep(DENIED_S)
    assert not office.publisher.denies("interval")
    office.event("interval")
    await asyncio.sleep(DENIED_SAID_S)
    office.event("interval")
    await asyncio.sleep(0.001)
    assert [event for event, _ in office.told] == ["broker_denies"] * 3


async def test_what_is_too_large_is_cut_or_left_out_and_said_once_for_each_limit(office: Office) -> None:
    office.publisher.announced(takes(60))
    for _ in range(2):
        office.event(payload=b'{"text":"%s"}' % (b"x" * 100))
        office.event(payload=b"[%s]" % (b"1," * 100 + b"1"))
    await office.session()
    assert office.outbox.dropped == 2 and len(office.wire.sent) == 2
    assert all(len(payload) < 60 and payload.endswith(b'..."}') for _, payload, _, _ in office.wire.sent)
    assert [event for event, _ in office.told] == ["broker_limits"]
    assert office.publisher.limits() == f"; {office.told[0][1]}" and "60 bytes" in office.publisher.limits()
    office.publisher.announced(takes(50))
    assert office.publisher.limits() == "", "of that limit nothing is known yet"


@pytest.mark.parametrize("code", [RETAIN_NOT_SUPPORTED, QOS_NOT_SUPPORTED, PACKET_TOO_LARGE])
async def test_what_a_broker_refuses_it_is_not_given_again(office: Office, code: int) -> None:
    office.outbox.put(Message(topic="online", payload=b'{"text":"hello"}', qos=1, retain=True))
    await office.session()
    assert office.publisher.takes_less(code)
    assert not office.publisher.takes_less(code), "the same is no news"
    [before] = office.wire.sent
    office.outbox.put(Message(topic="online", payload=b'{"text":"hello"}', qos=1, retain=True))
    await asyncio.sleep(0.001)
    assert office.wire.sent[1:] != [before]


async def test_what_a_broker_ends_a_session_for_before_anything_was_sent_on_it_is_no_limit(office: Office) -> None:
    office.event()
    await office.session()
    office.publisher.begin()
    assert not office.publisher.takes_less(PACKET_TOO_LARGE) and not office.publisher.takes_less(None)


async def test_a_brokers_limits_are_said_when_they_are_others_than_before(office: Office) -> None:
    publisher, words = office.publisher, "the broker takes QoS 0 only (events may be lost)"
    publisher.say_limits()
    publisher.announced(SimpleNamespace(MaximumQoS=0))
    for _ in range(2):
        publisher.say_limits()
    assert office.told == [("broker_limits", words)] and publisher.limits() == f"; {words}"


async def test_the_will_is_whole_however_little_the_broker_takes(office: Office) -> None:
    office.publisher.announced(takes(5))
    will = office.publisher.will()
    assert (will.topic, will.payload, will.retain) == ("a/b/c/online", b'{"online":false}', True)


async def test_an_answer_goes_out_with_the_correlation_data_of_what_it_answers(office: Office) -> None:
    office.outbox.put(Message(topic="reply/ops", payload=b"{}", qos=1, correlation=b"\x00\xff"))
    office.event()
    await office.session()
    assert office.wire.correlations == [b"\x00\xff", None]


@pytest.mark.parametrize(
    ("version", "has"), [(aiomqtt.ProtocolVersion.V5, True), (aiomqtt.ProtocolVersion.V311, False)]
)
async def test_a_session_of_mqtt_3_leaves_them_out(
    monkeypatch: pytest.MonkeyPatch, version: aiomqtt.ProtocolVersion, has: bool
) -> None:
    given: list[dict[str, Any]] = []

    async def publish(self: Any, *args: Any, **more: Any) -> None:
        given.append(more)

    monkeypatch.setattr(aiomqtt.Client, "publish", publish)
    client = Client(
        "127.0.0.1", admits=lambda topic, payload, correlation: True, queued_max=1, protocol=version, will=None
    )
    await client.publish("t", b"{}", qos=1, retain=False, correlation=b"x")
    await client.publish("t", b"{}", qos=1, retain=False, correlation=None)
    assert ["properties" in more for more in given] == [has, False]
    if has:
        assert given[0]["properties"].CorrelationData == b"x"
