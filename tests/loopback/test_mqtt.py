"""The broker session against mosquitto (and amqtt for MQTT 3.1.1), seen by another client."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import re
import shutil
import signal
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from derctl.links.broker import Broker
from derctl.links.ending import end
from derctl.links.mqtt import MqttLink
from derctl.links.publisher import TRIES_MAX
from derctl.links.received import KEPT_MAX, Client
from derctl.links.sessions import BRIEFLY
from derctl.store.outbox import EVENTS_MAX, Message, Outbox
from tests.loopback.conftest import free_port

BASE = "derctl/demo/house-12"
Start = Callable[..., Any]


class Site:
    """A link with its outbox, its commands as they came, and a `hello` that counts."""

    def __init__(self, port: int, **given: Any) -> None:
        self.outbox = Outbox()
        self.commands: list[tuple[str, bytes, bool]] = []
        self.hellos = 0
        basis: dict[str, Any] = {"host": "127.0.0.1", "port": port, "base": BASE, "keepalive_s": 5}
        broker = Broker(**basis | {"will": b'{"online":false}'} | given)
        self.may = True
        self.tries = 0
        self.changes: list[tuple[bool, str]] = []
        self.news: list[tuple[str, str]] = []
        self.link = MqttLink(
            broker,
            self.outbox,
            self.on_command,
            self.hello,
            self.may_connect,
            on_change=lambda connected, text: self.changes.append((connected, text)),
            on_news=lambda event, text: self.news.append((event, text)),
        )
        self.link.tidings.jitter = lambda low, high: low
        self.task: asyncio.Task[None] | None = None

    async def on_command(self, topic: str, payload: bytes, retained: bool, correlation: bytes | None) -> None:
        self.commands.append((topic, payload, retained))

    def may_connect(self) -> bool:
        self.tries += 1
        return self.may

    def hello(self) -> bytes:
        self.hellos += 1
        return json.dumps({"online": True, "n": self.hellos}).encode()

    def event(self, n: int) -> None:
        self.outbox.put(Message(topic="event", payload=str(n).encode(), qos=1))

    def measure(self, n: int) -> None:
        self.outbox.put(Message(topic="der/pv1/measurement", payload=str(n).encode()))

    async def end(self) -> None:
        if self.task is not None and not self.task.cancelled():
            await end([self.task])
            results = await asyncio.gather(self.task, return_exceptions=True)
            assert [type(result) for result in results] == [asyncio.CancelledError], results


@pytest.fixture
async def start(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Start]:
    """A site whose link runs; reconnections are made without delay."""
    monkeypatch.setattr("derctl.links.sessions.BACKOFF_S", (0.05, 0.1))
    sites: list[Site] = []

    def make(port: int, **given: Any) -> Site:
        site = Site(port, **given)
        site.task = asyncio.create_task(site.link.run())
        sites.append(site)
        return site

    yield make
    for site in sites:
        await site.end()


@pytest.fixture
def amqtt(run_python: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The port of a broker that knows no MQTT 5; who speaks it waits for its answer in vain."""
    monkeypatch.setattr("derctl.links.mqtt.CONNECT_S", 1.0)
    port = free_port()
    with run_python(["-m", "hil.broker", str(port)]):
        yield port


# -- a session ------------------------------------------------------------------------------------------------------


async def test_online_is_retained_and_the_session_speaks_mqtt_5(
    mosquitto: Any, make_outside: Any, start: Start, until: Any
) -> None:
    site = start(mosquitto.port, keepalive_s=30)
    await until(lambda: site.link.connected)
    outside = await make_outside(mosquitto.port).watch()
    await until(lambda: outside.seen)
    assert outside.seen == [(f"{BASE}/online", b'{"online": true, "n": 1}', True, 1)]
    assert site.link.protocol == "5"
    assert "as derctl-demo-house-12 (p5, c1, k30)" in mosquitto.log, "mosquitto's own word for MQTT 5"


async def test_measurements_are_not_retained_and_events_arrive(
    mosquitto: Any, make_outside: Any, start: Start, until: Any
) -> None:
    early = await make_outside(mosquitto.port).watch()
    site = start(mosquitto.port)
    site.measure(1)
    site.event(1)
    await until(lambda: len(early.seen) == 3)
    late = await make_outside(mosquitto.port).watch()
    await until(lambda: late.seen)
    assert sorted((topic, retained) for topic, _, retained, _ in early.seen[1:]) == [
        (f"{BASE}/der/pv1/measurement", False),
        (f"{BASE}/event", False),
    ]
    assert [topic for topic, *_ in late.seen] == [f"{BASE}/online"]
    assert site.outbox.published == 2


@pytest.mark.parametrize(("protocol", "seen"), [("5", True), ("3.1.1", False)])
async def test_a_command_comes_in_with_its_topic_and_whether_it_was_retained(
    mosquitto: Any, make_outside: Any, start: Start, until: Any, protocol: str, seen: bool
) -> None:
    """What is published to stay while the site listens shows it in MQTT 5 alone."""
    outside = await make_outside(mosquitto.port).watch()
    outside.send(f"{BASE}/cmd/ops/limit_power", b"old", retain=True)
    outside.send("derctl/demo/house-13/cmd/ops/ping", b"another house's")
    await until(lambda: len(outside.seen) == 2)  # the broker has them; what it gets later is not retained
    site = start(mosquitto.port)
    site.link.protocol = protocol
    await until(lambda: site.link.connected and site.commands)
    outside.send(f"{BASE}/cmd/ops/ping", b"\xff\x00 not text")
    outside.send(f"{BASE}/cmd/ops/limit_power", b"new", retain=True)
    await until(lambda: len(site.commands) == 3)
    assert site.commands == [
        ("cmd/ops/limit_power", b"old", True),
        ("cmd/ops/ping", b"\xff\x00 not text", False),
        ("cmd/ops/limit_power", b"new", seen),
    ]


async def test_a_command_that_takes_seconds_holds_up_no_other_and_outlives_its_session(
    make_mosquitto: Any, make_outside: Any, start: Start, until: Any
) -> None:
    broker = make_mosquitto()
    outside = await make_outside(broker.port).watch()
    site, may_end, done = start(broker.port), asyncio.Event(), list[str]()

    async def slow(topic: str, payload: bytes, retained: bool, correlation: bytes | None) -> None:
        if topic.endswith("/arm"):
            await may_end.wait()
        done.append(topic)

    site.link.on_command = slow
    await until(lambda: site.link.connected)
    outside.send(f"{BASE}/cmd/ops/arm", b"{}")
    outside.send(f"{BASE}/cmd/home/disarm", b"{}")
    await until(lambda: done)
    assert done == ["cmd/home/disarm"]
    broker.stop()
    await until(lambda: not site.link.connected)
    may_end.set()
    await until(lambda: len(done) == 2)


CHILD = """
import asyncio, sys
from derctl.store.outbox import Outbox
from derctl.links.broker import Broker
from derctl.links.mqtt import MqttLink
broker = Broker(host="127.0.0.1", port=int(sys.argv[1]), base=sys.argv[2], will=b'{"online":false}')
async def ignore(*given): pass
asyncio.run(MqttLink(broker, Outbox(), ignore, lambda: b'{"online":true}').run())
"""


async def test_a_session_won_or_lost_is_told_once(mosquitto: Any, start: Start, until: Any) -> None:
    """Not each try: a broker that is away for a day is one line."""
    site = start(mosquitto.port)
    await until(lambda: site.link.connected)
    mosquitto.stop()
    await until(lambda: len(site.changes) == 2)
    tries = site.tries
    await until(lambda: site.tries >= tries + 3)
    mosquitto.start()
    await until(lambda: site.link.connected)
    assert [connected for connected, _ in site.changes] == [True, False, True]
    told, lost = [text for _, text in site.changes[:2]]
    assert told == "connected"
    assert re.fullmatch(r"the broker closed the connection after \d+ s: does another client .*\?", lost)


async def test_another_client_with_the_sites_name_is_told_and_left_alone_for_a_while(
    mosquitto: Any, start: Start, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two daemons of one site took the session from each other every 2 s; this broker closes without a reason."""
    monkeypatch.setattr("derctl.links.sessions.TAKEN_OVER_S", 200.0)
    site = start(mosquitto.port)
    for n in range(BRIEFLY):
        await until(lambda n=n: site.link.tidings.sessions == n + 1)
        await usurp(mosquitto.port, BASE.replace("/", "-"))
    said = "another client may use this site's id on the broker; next try in 200 s"
    await until(lambda: site.link.text.endswith(said))
    assert (site.link.tidings.sessions, [connected for connected, _ in site.changes][-1]) == (BRIEFLY, False)


async def usurp(port: int, name: str) -> None:
    """Come to the broker under this name, and leave: MQTT 5, 3.1."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = b"\x00\x04MQTT\x05\x02\x00\x3c\x00" + len(name).to_bytes(2, "big") + name.encode()
    writer.write(b"\x10" + bytes([len(body)]) + body)
    assert (await reader.readexactly(1)) == b"\x20", "CONNACK"
    writer.close()


async def test_the_last_will_speaks_after_a_kill(
    mosquitto: Any, make_outside: Any, until: Any, run_python: Any
) -> None:
    outside = await make_outside(mosquitto.port).watch()
    with run_python(["-c", CHILD, str(mosquitto.port), BASE]) as child:
        await until(lambda: outside.of("online"))
        child.send_signal(signal.SIGKILL)
        await until(lambda: len(outside.of("online")) == 2)
    late = await make_outside(mosquitto.port).watch()
    await until(lambda: late.seen)
    assert outside.of("online") == [b'{"online":true}', b'{"online":false}']
    assert late.seen == [(f"{BASE}/online", b'{"online":false}', True, 1)]


async def test_an_orderly_end_says_offline_too(mosquitto: Any, make_outside: Any, start: Start, until: Any) -> None:
    """A clean disconnect discards the will (MQTT 5, 3.14.4): it has to be said."""
    outside = await make_outside(mosquitto.port).watch()
    site = start(mosquitto.port)
    await until(lambda: outside.of("online"))
    await site.end()
    await until(lambda: len(outside.of("online")) == 2)
    assert outside.seen[-1] == (f"{BASE}/online", b'{"online":false}', True, 1)


# -- trouble --------------------------------------------------------------------------------------------------------


async def test_a_broker_that_is_away_costs_bounded_memory_and_keeps_the_order_of_events(
    make_mosquitto: Any, make_outside: Any, start: Start, until: Any
) -> None:
    mosquitto = make_mosquitto(started=False)
    site = start(mosquitto.port)
    for n in range(EVENTS_MAX + 300):
        site.event(n)
        site.measure(n)
    assert (len(site.outbox.ordered), len(site.outbox.latest), site.outbox.dropped) == (EVENTS_MAX, 1, 300)
    await until(lambda: site.link.text != "not connected yet")
    site.may = False
    mosquitto.start()
    outside = await make_outside(mosquitto.port).watch()
    site.may = True
    await until(lambda: len(outside.of("event")) >= EVENTS_MAX and outside.of("measurement"))
    assert [int(payload) for payload in outside.of("event")] == list(range(300, EVENTS_MAX + 300))
    assert outside.of("measurement") == [str(EVENTS_MAX + 299).encode()]


async def test_a_broker_that_is_killed_again_and_again_gets_the_events_in_order_and_each_session_anew(
    mosquitto: Any, make_outside: Any, start: Start, until: Any
) -> None:
    """What it had acknowledged and not passed on dies with it; at each kill one event may come twice."""
    site = start(mosquitto.port)
    received: list[int] = []
    for life in range(4):
        site.may = False
        outside = await make_outside(mosquitto.port).watch()
        site.may = True
        await until(lambda: site.link.connected)
        for n in range(50):
            site.event(50 * life + n)
        await until(lambda seen=outside: len(seen.of("event")) >= 20)
        mosquitto.stop()
        await until(lambda seen=outside: not site.link.connected and not seen.client.is_connected())
        received += [int(payload) for payload in outside.of("event")]
        assert site.task is not None
        assert not site.task.done(), "only cancellation ends a link"
        site.may = False
        await until(lambda: "clock" in site.link.text)
        mosquitto.start()
    outside = await make_outside(mosquitto.port).watch()
    site.may = True
    site.event(200)
    await until(lambda: outside.of("event")[-1:] == [b"200"])
    received += [int(payload) for payload in outside.of("event")]
    first_time = list(dict.fromkeys(received))
    assert first_time == sorted(first_time), "the order changed"
    assert len(received) - len(first_time) <= 4
    assert len(first_time) >= 20 * 4
    await until(lambda: not site.outbox.ordered)
    assert (site.outbox.dropped, site.link.tidings.sessions) == (0, 5)


@pytest.mark.parametrize("topic", ["reply/" + "x" * 65_535, "reply/a+b", "reply/\0", "reply/\ud800"])
async def test_what_no_broker_takes_is_left_out_with_an_event_and_the_rest_goes_on(
    mosquitto: Any, make_outside: Any, start: Start, until: Any, topic: str
) -> None:
    outside = await make_outside(mosquitto.port).watch()
    site = start(mosquitto.port)
    await until(lambda: site.link.connected)
    for n in range(3):
        site.outbox.put(Message(topic=topic, payload=b"x", qos=1))
        site.event(n)
    await until(lambda: len(outside.of("event")) == 3)
    assert (site.outbox.dropped, site.link.tidings.sessions) == (3, 1)
    [(event, text)] = site.news
    assert event == "message_dropped"
    assert len(text) < 200


async def test_a_message_that_ends_each_session_is_given_up(
    mosquitto: Any, make_outside: Any, start: Start, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the reason: here the library itself refuses it."""
    publish = Client.publish

    async def refuse(client: Any, topic: str, *given: Any, **more: Any) -> None:
        if topic.endswith("/poison"):
            raise ValueError("not this one")
        await publish(client, topic, *given, **more)

    monkeypatch.setattr(Client, "publish", refuse)
    outside = await make_outside(mosquitto.port).watch()
    site = start(mosquitto.port)
    site.outbox.put(Message(topic="reply/poison", payload=b"x", qos=1))
    site.event(1)
    await until(lambda: outside.of("event"))
    assert (site.outbox.dropped, site.link.tidings.sessions) == (1, TRIES_MAX + 1)
    assert [event for event, _ in site.news] == ["message_dropped"]


async def test_a_broker_without_a_maximum_packet_size_costs_no_memory_either(
    start: Start, until: Any, amqtt: int
) -> None:
    """MQTT 3.1.1 has none: of 1 MB the beginning is kept, and the next message comes."""
    site = start(amqtt)
    await until(lambda: site.link.connected)
    outside = paho.Client(CallbackAPIVersion.VERSION2, protocol=paho.MQTTv311)
    outside.connect("127.0.0.1", amqtt)
    outside.loop_start()
    outside.publish(f"{BASE}/cmd/ops/large", b"x" * 1_000_000, qos=0)
    outside.publish(f"{BASE}/cmd/ops/small", b"y", qos=0)
    await until(lambda: len(site.commands) == 2)
    outside.disconnect()
    outside.loop_stop()
    (_, large, _), (_, small, _) = site.commands
    assert 0 < len(large) <= KEPT_MAX + 1_000
    assert (set(large), small) == (set(b"x"), b"y")
    assert site.link.tidings.sessions == 1
    await site.end()


@pytest.mark.parametrize("size", [100, 100_000])
async def test_the_longest_topic_ends_no_session_of_mqtt_3_1_1(
    mosquitto: Any, make_outside: Any, start: Start, until: Any, size: int
) -> None:
    """Cut within the topic it was no packet any more for the library, and each such message cost a session."""
    site = start(mosquitto.port)
    site.link.protocol = "3.1.1"
    await until(lambda: site.link.connected)
    outside = await make_outside(mosquitto.port).watch("none")
    topic = f"{BASE}/cmd/"
    outside.send(topic + "x" * (65_535 - len(topic)), b"z" * size, qos=0)
    outside.send(topic + "ops/" + "ü" * 32_000, b"z" * size, qos=1)
    outside.send(f"{BASE}/cmd/ops/small", b"y", qos=0)
    await until(lambda: site.commands and site.commands[-1][0] == "cmd/ops/small")
    assert [len(name) for name, *_ in site.commands] == [65_535 - len(BASE) - 1, 32_008, 13]
    assert site.link.tidings.sessions == 1
    await site.end()


async def test_a_broker_that_stands_still_is_noticed_by_the_keepalive(
    mosquitto: Any, start: Start, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("derctl.links.mqtt.CONNECT_S", 1.0)
    site = start(mosquitto.port, keepalive_s=2)
    await until(lambda: site.link.connected)
    mosquitto.signal(signal.SIGSTOP)
    await until(lambda: not site.link.connected)
    mosquitto.signal(signal.SIGCONT)
    await until(lambda: site.link.connected)


async def test_a_broker_that_stands_still_under_load_is_noticed_and_no_event_is_lost(
    mosquitto: Any, make_outside: Any, start: Start, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("derctl.links.mqtt.CONNECT_S", 0.5)
    site = start(mosquitto.port, keepalive_s=60)
    outside = await make_outside(mosquitto.port).watch()
    await until(lambda: site.link.connected)
    mosquitto.signal(signal.SIGSTOP)
    for n in range(30):
        site.event(n)
        site.measure(n)
    await until(lambda: not site.link.connected)
    mosquitto.signal(signal.SIGCONT)
    await until(lambda: outside.of("event")[-1:] == [b"29"])
    assert list(dict.fromkeys(int(payload) for payload in outside.of("event"))) == list(range(30))


async def test_a_refused_user_is_told_and_tried_again(make_mosquitto: Any, start: Start, until: Any) -> None:
    mosquitto = make_mosquitto("allow_anonymous false")
    site = start(mosquitto.port, username="house-12", password="wrong")
    await until(lambda: mosquitto.log.count("not authorised") >= 2)
    assert "not authori" in site.link.text.lower()
    assert (site.link.connected, site.link.protocol, site.link.tidings.sessions) == (False, "5", 0)


async def test_a_broker_for_mqtt_3_is_spoken_to_in_3_1_1(start: Start, until: Any, amqtt: int) -> None:
    """amqtt 0.12 refuses MQTT 5 with 132, and says nothing at all where there is a will."""
    site = start(amqtt)
    await until(lambda: site.link.connected)
    assert site.link.protocol == "3.1.1"
    site.event(1)
    await until(lambda: not site.outbox.ordered)
    await site.end()


@pytest.mark.parametrize(
    ("connack", "spoken"),
    [(b"\x20\x03\x00\x84\x00", "3.1.1"), (b"\x20\x02\x00\x01", "3.1.1"), (b"\x20\x03\x00\x87\x00", "5"), (b"", "5")],
    ids=["132 of MQTT 5", "1 of MQTT 3.1.1", "135 not authorised", "silence"],
)
async def test_only_a_broker_that_refuses_the_protocol_is_spoken_to_in_an_older_one(
    start: Start, until: Any, monkeypatch: pytest.MonkeyPatch, connack: bytes, spoken: str
) -> None:
    monkeypatch.setattr("derctl.links.mqtt.CONNECT_S", 0.2)
    packets: list[bytes] = []
    open_now: set[asyncio.StreamWriter] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_now.add(writer)
        try:
            packets.append(await reader.read(1000))
            writer.write(connack)
            await reader.read()
        except ConnectionError:
            pass
        finally:
            open_now.discard(writer)
            writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    site = start(server.sockets[0].getsockname()[1], keepalive_s=600)
    await until(lambda: len(packets) >= 6)
    await until(lambda: len(open_now) <= 1)
    assert (site.link.protocol, site.link.tidings.sessions) == (spoken, 0)
    await site.end()
    await until(lambda: not open_now)
    server.close()
    levels = [packet[packet.index(b"MQTT") + 4] for packet in packets]
    assert levels[0] == 5, "protocol level in a CONNECT (MQTT 5, 3.1.2.2)"
    assert set(levels[1:]) == ({4} if spoken == "3.1.1" else {4, 5}), "4 is asked for, and not spoken on silence"


@pytest.mark.parametrize(("silent", "spoken"), [(1000, "3.1.1"), (1, "5")], ids=["always", "when it started"])
async def test_a_broker_that_answers_3_1_1_and_is_silent_to_5_right_behind_it_is_spoken_to_in_3_1_1(
    start: Start, until: Any, monkeypatch: pytest.MonkeyPatch, silent: int, spoken: str
) -> None:
    """RabbitMQ before 3.13 does so. silent: how many CONNECTs of MQTT 5 meet no answer."""
    monkeypatch.setattr("derctl.links.mqtt.CONNECT_S", 0.5)
    levels: list[int] = []

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            packet = await reader.read(1000)
            levels.append(packet[packet.index(b"MQTT") + 4])
            if levels[-1] == 4 or levels.count(5) > silent:
                writer.write(b"\x20\x02\x00\x00" if levels[-1] == 4 else b"\x20\x03\x00\x00\x00")
            await reader.read()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    site = start(server.sockets[0].getsockname()[1], keepalive_s=600)
    await until(lambda: len(levels) >= 4)
    assert site.link.protocol == spoken
    await site.end()
    server.close()
    assert levels[:4] == ([5, 4, 5, 4] if spoken == "3.1.1" else [5, 4, 5, 5])


class Accountant(asyncio.Protocol):
    """A broker of MQTT 5 that says yes to everything but its first `event`: there it hangs up without a PUBACK.

    suback: its answer to a subscription.
    """

    def __init__(self, events: list[bytes], suback: int = 1) -> None:
        self.events, self.suback, self.buffer = events, suback, bytearray()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, content: bytes) -> None:
        self.buffer += content
        while len(self.buffer) >= 2 and len(self.buffer) >= 2 + self.buffer[1]:
            assert self.buffer[1] < 128, "packets here are short"
            packet = bytes(self.buffer[: 2 + self.buffer[1]])
            del self.buffer[: len(packet)]
            self.take(packet[0] >> 4, packet[2:])

    def take(self, kind: int, body: bytes) -> None:
        if kind == 1:
            self.transport.write(b"\x20\x03\x00\x00\x00")
        elif kind == 8:
            self.transport.write(b"\x90\x04" + body[:2] + bytes((0, self.suback)))
        elif kind == 3:
            size = int.from_bytes(body[:2], "big")
            topic, number, payload = body[2 : 2 + size], body[2 + size : 4 + size], body[5 + size :]
            if topic.endswith(b"/event"):
                self.events.append(payload)
                if len(self.events) == 1:
                    self.transport.abort()
                    return
            self.transport.write(b"\x40\x02" + number)


async def test_an_event_stays_until_the_broker_has_acknowledged_it(start: Start, until: Any) -> None:
    events: list[bytes] = []
    server = await asyncio.get_running_loop().create_server(lambda: Accountant(events), "127.0.0.1", 0)
    site = start(server.sockets[0].getsockname()[1])
    for n in range(3):
        site.event(n)
    await until(lambda: not site.outbox.ordered)
    assert events == [b"0", b"0", b"1", b"2"]
    await site.end()
    server.close()


@pytest.mark.parametrize(
    ("suback", "said"), [(1, "connected"), (0, "connected"), (0x87, "Not authorized"), (0x80, "Unspecified error")]
)
async def test_a_broker_that_refuses_the_subscription_is_said(
    start: Start, until: Any, suback: int, said: str
) -> None:
    """Codes of MQTT 5, 3.9.3: else the operator's commands would stay away without a word."""
    running = asyncio.get_running_loop()
    server = await running.create_server(lambda: Accountant([b""], suback), "127.0.0.1", 0)
    site = start(server.sockets[0].getsockname()[1])
    await until(lambda: site.link.connected)
    assert site.link.text.endswith(said)
    site.event(1)
    await until(lambda: not site.outbox.ordered)
    await site.end()
    server.close()


class Usurped(Accountant):
    """Another client has come under the same name: MQTT 5, 3.14.2.1, reason 0x8E."""

    def take(self, kind: int, body: bytes) -> None:
        super().take(kind, body)
        if kind == 8:
            self.transport.write(b"\xe0\x01\x8e")
            self.transport.close()


async def test_a_broker_that_says_that_the_session_was_taken_over_is_believed_at_once(
    start: Start, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("derctl.links.sessions.TAKEN_OVER_S", 200.0)
    server = await asyncio.get_running_loop().create_server(lambda: Usurped([b""]), "127.0.0.1", 0)
    site = start(server.sockets[0].getsockname()[1])
    said = "another client uses this site's id on the broker (session taken over); next try in 200 s"
    await until(lambda: site.link.text == said)
    assert site.link.tidings.sessions == 1
    await site.end()
    server.close()


@pytest.mark.parametrize("state", ["well", "stopped", "dead"])
async def test_the_end_of_a_link_waits_for_no_broker(
    mosquitto: Any, start: Start, until: Any, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    monkeypatch.setattr("derctl.links.mqtt.CONNECT_S", 3600.0)
    site = start(mosquitto.port)
    await until(lambda: site.link.connected)
    if state == "stopped":
        mosquitto.signal(signal.SIGSTOP)
    if state == "dead":
        mosquitto.stop()
    site.event(1)
    async with asyncio.timeout(60.0):
        await site.end()


# -- what a broker takes --------------------------------------------------------------------------------------------


class Subscriber:
    """The broker's own client, in MQTT 5: (retained, QoS, topic, payload) of each message."""

    def __init__(self, port: int) -> None:
        tool = shutil.which("mosquitto_sub") or pytest.fail("NOT TESTED: mosquitto_sub is missing")
        words = [tool, "-h", "127.0.0.1", "-p", str(port), "-V", "5", "-q", "1", "-t", "#", "-F", "%r %q %t %p"]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        os.set_blocking(self.process.stdout.fileno(), False)
        self.text = ""

    @property
    def seen(self) -> list[tuple[str, str, str, str]]:
        assert self.process.stdout is not None
        self.text += (self.process.stdout.read() or b"").decode()
        lines = [line.split(" ", 3) for line in self.text.splitlines()]
        return [(line[0], line[1], line[2], line[3]) for line in lines if len(line) == 4]

    def topics(self) -> list[str]:
        return [topic.removeprefix(f"{BASE}/") for _, _, topic, _ in self.seen]

    def leave(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def subscriber() -> Any:
    found: list[Subscriber] = []

    def make(port: int) -> Subscriber:
        found.append(Subscriber(port))
        return found[-1]

    yield make
    for each in found:
        each.leave()


async def test_a_broker_that_keeps_nothing_and_has_qos_0_only_gets_everything(
    make_mosquitto: Any, start: Start, until: Any, subscriber: Any
) -> None:
    mosquitto = make_mosquitto("allow_anonymous true", "retain_available false", "max_qos 0")
    outside = subscriber(mosquitto.port)
    await until(lambda: "#" in mosquitto.log)
    site = start(mosquitto.port)
    await until(lambda: site.link.connected)
    site.event(1)
    site.measure(2)
    await until(lambda: len(outside.seen) == 3)
    assert sorted(outside.topics()) == ["der/pv1/measurement", "event", "online"]
    assert {(retained, qos) for retained, qos, _, _ in outside.seen} == {("0", "0")}
    assert [event for event, _ in site.news] == ["broker_limits"]
    assert site.link.text == f"connected; {site.news[0][1]}"
    for words in ("no retained messages", "QoS 0"):
        assert words in site.link.text
    assert (site.link.tidings.sessions, site.outbox.dropped, site.link.protocol) == (1, 0, "5")
    await site.end()
    await until(lambda: outside.topics().count("online") == 2)
    assert json.loads(outside.seen[-1][3]) == {"online": False}


async def test_a_broker_of_small_packets_gets_what_fits_and_says_so_once(
    make_mosquitto: Any, start: Start, until: Any, subscriber: Any
) -> None:
    mosquitto = make_mosquitto("allow_anonymous true", "max_packet_size 150")
    outside = subscriber(mosquitto.port)
    await until(lambda: "#" in mosquitto.log)
    site = start(mosquitto.port)
    await until(lambda: site.link.connected)
    for n in range(3):
        long = {"event": f"e{n}", "text": "x" * 300}
        site.outbox.put(Message(topic="event", payload=json.dumps(long).encode(), qos=1))
        site.outbox.put(Message(topic="der/pv1/outcome", payload=b"y" * 300))
        site.measure(n)
        await until(lambda n=n: outside.topics().count("event") == n + 1 and not site.outbox.latest)
    assert {*outside.topics()} == {"online", "event", "der/pv1/measurement"}
    events = [json.loads(payload) for _, _, topic, payload in outside.seen if topic.endswith("event")]
    assert [event["event"] for event in events] == ["e0", "e1", "e2"]
    assert all(event["text"].endswith("x...") for event in events)
    assert [event for event, _ in site.news] == ["broker_limits"], "once"
    assert "150 bytes" in site.news[0][1]
    assert "150 bytes" in site.link.text, "no plain `connected` where measurements may be missing"
    assert (site.link.tidings.sessions, site.outbox.dropped) == (1, 3)


class Strict(Accountant):
    """A broker that announces nothing and ends the session with this reason at what it doesn't take."""

    def __init__(self, events: list[bytes], reason: int) -> None:
        super().__init__([b"", *events])
        self.reason, self.taken = reason, events

    def take(self, kind: int, body: bytes) -> None:
        if kind == 3 and len(body) > 100:
            self.transport.write(bytes((0xE0, 1, self.reason)))
            self.transport.close()
            return
        super().take(kind, body)


async def test_a_broker_that_ends_the_session_at_a_large_packet_is_sent_smaller(start: Start, until: Any) -> None:
    running = asyncio.get_running_loop()
    server = await running.create_server(lambda: Strict([], 149), "127.0.0.1", 0)
    site = start(server.sockets[0].getsockname()[1])
    await until(lambda: site.link.connected)
    site.outbox.put(Message(topic="event", payload=b"z" * 90, qos=1))
    site.outbox.put(Message(topic="event", payload=b"small", qos=1))
    await until(lambda: not site.outbox.ordered)
    assert (site.outbox.published, site.outbox.dropped) == (1, 1)
    assert [event for event, _ in site.news] == ["broker_limits"]
    await site.end()
    server.close()


async def test_a_session_that_is_taken_again_and_again_is_one_event(
    start: Start, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("derctl.links.sessions.TAKEN_OVER_S", 0.05)
    server = await asyncio.get_running_loop().create_server(lambda: Usurped([b""]), "127.0.0.1", 0)
    site = start(server.sockets[0].getsockname()[1])
    await until(lambda: site.link.tidings.sessions >= 4)
    assert [event for event, _ in site.news] == ["broker_taken_over"]
    said = "another client uses this site's id on the broker (session taken over); next try in "
    assert site.news[0][1].startswith(said)
    assert [connected for connected, _ in site.changes] == [True], "a session is won when it has lasted"
    await site.end()
    server.close()


# -- who may --------------------------------------------------------------------------------------------------------


@pytest.fixture
def guarded(make_mosquitto: Any, certificates: Path, tmp_path: Path) -> Any:
    """TLS with a client certificate, passwords, and an ACL with just what docs/interfaces.md section 3 needs."""
    passwords, acl = tmp_path / "passwords", tmp_path / "acl"
    tool = subprocess.run(["mosquitto_passwd", "-b", "-c", str(passwords), "house-12", "secret"], check=False)
    assert tool.returncode == 0
    subprocess.run(["mosquitto_passwd", "-b", str(passwords), "ops", "word"], check=True)
    subprocess.run(["mosquitto_passwd", "-b", str(passwords), "guest", "guest"], check=True)
    outward = ("online", "poc", "event", "reply/+", "notice/+")
    outward += tuple(f"der/+/{name}" for name in ("measurement", "setpoint", "outcome", "standing"))
    acl.write_text(
        "\n".join(
            [
                "user house-12",
                *(f"topic write {BASE}/{topic}" for topic in outward),
                f"topic read {BASE}/cmd/#",
                "user ops",
                f"topic read {BASE}/#",
                f"topic write {BASE}/cmd/ops/#",
                "user guest",
                f"topic read {BASE}/#",
                "",
            ]
        )
    )
    for path in (passwords, acl):
        path.chmod(0o600)
    return make_mosquitto(
        "allow_anonymous false",
        f"password_file {passwords}",
        f"acl_file {acl}",
        f"cafile {certificates / 'ca.pem'}",
        f"certfile {certificates / 'server.pem'}",
        f"keyfile {certificates / 'server.key'}",
        "require_certificate true",
    )


def of_site(certificates: Path, ca: str = "ca") -> dict[str, Any]:
    files = {"ca_file": f"{ca}.pem", "cert_file": "site.pem", "key_file": "site.key"}
    return {"username": "house-12", "password": "secret"} | {k: str(certificates / v) for k, v in files.items()}


def of_operator(certificates: Path, username: str, password: str) -> dict[str, Any]:
    context = ssl.create_default_context(cafile=str(certificates / "ca.pem"))
    context.load_cert_chain(certificates / "site.pem", certificates / "site.key")
    return {"username": username, "password": password, "tls": context}


async def test_tls_password_client_certificate_and_acl_let_through_what_they_should(
    guarded: Any, certificates: Path, make_outside: Any, start: Start, until: Any
) -> None:
    site = start(guarded.port, **of_site(certificates))
    ops = await make_outside(guarded.port, **of_operator(certificates, "ops", "word")).watch(f"{BASE}/#")
    guest = await make_outside(guarded.port, **of_operator(certificates, "guest", "guest")).watch(f"{BASE}/#")
    await until(lambda: site.link.connected and ops.of("online"))
    site.event(1)
    site.measure(2)
    guest.send(f"{BASE}/cmd/ops/ping", b"from a guest")
    ops.send(f"{BASE}/cmd/ops/ping", b"from ops")
    await until(lambda: site.commands and ops.of("event") and ops.of("measurement"))
    assert site.commands == [("cmd/ops/ping", b"from ops", False)]
    assert "Denied PUBLISH from" in guarded.log


@pytest.fixture
def collected() -> Iterator[None]:
    """What a test dropped is cleared away in its own time, and not, with a warning, in that of a later one."""
    yield
    gc.collect()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # paho drops the socket unclosed
@pytest.mark.usefixtures("collected")
@pytest.mark.parametrize("what", ["another authority", "no client certificate", "no TLS"])
async def test_what_is_not_trusted_gets_no_session(
    guarded: Any, certificates: Path, start: Start, until: Any, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr("derctl.links.mqtt.CONNECT_S", 0.5)
    given = of_site(certificates, "other" if what == "another authority" else "ca")
    if what != "another authority":
        given |= {"cert_file": None, "key_file": None}
    if what == "no TLS":
        given |= {"ca_file": None}
    site = start(guarded.port, **given)
    await until(lambda: site.link.text != "not connected yet")
    assert (site.link.connected, site.link.tidings.sessions, site.link.protocol) == (False, 0, "5")
    if what == "no client certificate":
        await until(lambda: site.link.distrust.startswith("the broker refuses TLS with us (certificate required)"))
    unsigned = "the broker's certificate is not signed by who stands in mqtt.tls.ca_file"
    assert what != "another authority" or site.link.distrust == unsigned
    assert what != "no TLS" or not site.link.distrust


@pytest.mark.parametrize("key", ["ca_file", "cert_file", "key_file"])
async def test_a_certificate_file_that_cannot_be_read_is_told_and_tried_again(
    guarded: Any, certificates: Path, start: Start, until: Any, tmp_path: Path, key: str
) -> None:
    missing = tmp_path / "missing.pem"
    site = start(guarded.port, **of_site(certificates) | {key: str(missing)})
    await until(lambda: site.link.text == f"mqtt.tls.{key}: {missing}: there is no such file")
    missing.write_bytes((certificates / of_site(certificates)[key]).read_bytes())
    await until(lambda: site.link.connected)


async def test_a_certificate_file_that_is_none_is_named_too(
    guarded: Any, certificates: Path, start: Start, until: Any, tmp_path: Path
) -> None:
    ca = tmp_path / "ca.pem"
    site = start(guarded.port, **of_site(certificates) | {"ca_file": str(ca)})
    await until(lambda: site.link.text == f"mqtt.tls.ca_file: {ca}: there is no such file")
    ca.write_text("no certificate")
    await until(lambda: site.link.text.startswith(f"mqtt.tls.ca_file: {ca}: ") and "no such" not in site.link.text)
    assert "[" not in site.link.text and "_ssl" not in site.link.text
    ca.write_bytes((certificates / "ca.pem").read_bytes())
    await until(lambda: site.link.connected)


async def test_tls_waits_for_the_clock(mosquitto: Any, start: Start, until: Any) -> None:
    site = start(mosquitto.port)
    site.may = False
    await until(lambda: "clock" in site.link.text)
    assert (site.link.tidings.sessions, "as derctl" in mosquitto.log) == (0, False)
    site.may = True
    await until(lambda: site.link.connected)
