"""What a broker takes, and messages that are made to fit."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from derctl.links.allowed import Allowed, Packet, announced, fitted, refused


def packet(payload: bytes = b"{}", *, topic: str = "a/b/c/event", qos: int = 1, retain: bool = True) -> Packet:
    return Packet(topic=topic, payload=payload, qos=qos, retain=retain)


def connack(**given: int) -> Properties:
    properties = Properties(PacketTypes.CONNACK)  # type: ignore[no-untyped-call]
    for name, value in given.items():
        setattr(properties, name, value)
    return properties


def test_a_connack_without_properties_allows_everything() -> None:
    assert announced(Allowed(), None) == announced(Allowed(), connack()) == Allowed()
    assert Allowed().words() == ""


def test_what_a_connack_does_not_allow_is_known_and_said() -> None:
    allowed = announced(Allowed(), connack(RetainAvailable=0, MaximumQoS=0, MaximumPacketSize=300))
    assert allowed == Allowed(retain=False, qos=0, packet_max=300)
    assert "no retained messages" in allowed.words()
    assert "QoS 0" in allowed.words()
    assert announced(Allowed(), connack(MaximumQoS=1)) == Allowed()
    assert announced(allowed, None) == allowed, "what was learned stays"
    assert announced(allowed, connack(MaximumPacketSize=200)).packet_max == 200
    assert announced(allowed, SimpleNamespace(MaximumPacketSize=400)).packet_max == 300


@pytest.mark.parametrize(
    ("code", "less"),
    [
        (154, Allowed(retain=False)),
        (155, Allowed(qos=0)),
        (149, Allowed(packet_max=499)),
        (135, Allowed()),
        (None, Allowed()),
    ],
)
def test_a_refusal_teaches_what_is_not_taken(code: int | None, less: Allowed) -> None:
    assert refused(Allowed(), code, 500) == less
    assert refused(Allowed(), 149, 0) == Allowed(), "nothing was sent: it was the CONNECT"


@pytest.mark.parametrize(("payload", "qos"), [(0, 0), (5, 1), (90, 1), (300, 0), (20_000, 1)])
def test_the_size_of_a_packet_is_the_one_on_the_wire(payload: int, qos: int) -> None:
    """MQTT 5, 3.3: first byte, remaining length, topic with its length, number, no properties, payload."""
    made = packet(bytes(payload), topic="abc", qos=qos)
    rest = 2 + 3 + (2 if qos else 0) + 1 + payload
    assert made.size == 1 + (1 if rest < 128 else 2 if rest < 16_384 else 3) + rest


def test_what_fits_is_only_lowered() -> None:
    made = fitted(packet(), Allowed(retain=False, qos=0, packet_max=100))
    assert made == packet(qos=0, retain=False)
    assert fitted(packet(qos=0, retain=False), Allowed()) == packet(qos=0, retain=False)


@pytest.mark.parametrize("text", ["x" * 400, "\u00e4\u20ac" * 200, '"\\\n' * 150])
def test_a_text_is_cut_until_its_message_fits(text: str) -> None:
    payload = json.dumps({"event": "found", "der": "pv1", "text": text}).encode()
    made = fitted(packet(payload), Allowed(packet_max=200))
    assert made is not None
    assert made.size <= 200
    said = json.loads(made.payload)
    assert (said["event"], said["der"], said["text"][-3:]) == ("found", "pv1", "...")
    assert text.startswith(said["text"][:-3])


NO_TEXT = b"[" + b"1," * 150 + b"1]"
NUMBERS = b'{"text": "a", "p_w": [1.0' + b", 1.0" * 80 + b"]}"


@pytest.mark.parametrize("payload", [b"\xff" * 300, NO_TEXT, b'{"text": 1}' + b" " * 300, NUMBERS])
def test_what_cannot_be_cut_is_left_out(payload: bytes) -> None:
    assert fitted(packet(payload), Allowed(packet_max=200)) is None
    assert fitted(packet(payload), Allowed()) == packet(payload)


@pytest.mark.parametrize("correlation", [b"", b"x", b"x" * 124, b"x" * 125, b"x" * 128])
def test_correlation_data_counts_as_paho_packs_it(correlation: bytes) -> None:
    """Its one byte for no properties is counted without any, too."""
    properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    properties.CorrelationData = correlation
    bare = packet()
    with_it = Packet(topic=bare.topic, payload=bare.payload, qos=1, retain=True, correlation=correlation)
    more = len(properties.pack()) - 1  # type: ignore[no-untyped-call]
    length_byte = 1 if bare.size - 2 + more >= 128 else 0
    assert with_it.size == bare.size + more + length_byte
