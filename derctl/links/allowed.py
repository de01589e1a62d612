"""What a broker lets a client send (CONNACK properties of MQTT 5, 3.2.2.3), and messages made to fit. Pure."""

from __future__ import annotations

import json
from typing import Any

from derctl.core.dataclass import dataclass
from derctl.core.value import replace
from derctl.errors import LinkError

RETAIN_NOT_SUPPORTED = 154
QOS_NOT_SUPPORTED = 155
PACKET_TOO_LARGE = 149
"""Reason codes of CONNACK and DISCONNECT (MQTT 5, 2.4)."""
TOPIC_MAX = 65_535
"""Bytes of a topic (MQTT 5, 1.5.4)."""
CUT = "..."
"""Ends a text that was made shorter."""


class Denied(LinkError):
    """The broker has not taken a message, and says why (PUBACK, MQTT 5, 3.4.2.1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """packet_max: bytes of one packet, None where the broker names no limit."""

    retain: bool = True
    qos: int = 1
    packet_max: int | None = None

    def words(self) -> str:
        """What it doesn't take, for people; "" where it takes all."""
        kept = [] if self.retain else ["keeps no retained messages (who connects later sees no `online`)"]
        sure = [] if self.qos else ["takes QoS 0 only (events may be lost)"]
        return "" if not kept + sure else f"the broker {' and '.join(kept + sure)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """A PUBLISH, its topic whole. correlation: Correlation Data, its only property; None: it has none."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    correlation: bytes | None = None

    @property
    def size(self) -> int:
        """Bytes on the wire (MQTT 5, 3.3)."""
        properties = 0 if self.correlation is None else 3 + len(self.correlation)
        properties += _digits(properties)
        rest = 2 + len(self.topic.encode()) + (2 if self.qos else 0) + properties + len(self.payload)
        return 1 + _digits(rest) + rest


def announced(allowed: Allowed, properties: Any) -> Allowed:
    """With what a CONNACK says. What was learned from a refusal stays."""
    size = getattr(properties, "MaximumPacketSize", None)
    sizes = [each for each in (allowed.packet_max, size) if each is not None]
    return Allowed(
        retain=allowed.retain and bool(getattr(properties, "RetainAvailable", 1)),
        qos=min(allowed.qos, getattr(properties, "MaximumQoS", 2)),
        packet_max=min(sizes) if sizes else None,
    )


def refused(allowed: Allowed, code: int | None, largest: int) -> Allowed:
    """With what a refusal or an end of a session says. largest: of the packets that were sent, bytes."""
    if code == RETAIN_NOT_SUPPORTED:
        return replace(allowed, retain=False)
    if code == QOS_NOT_SUPPORTED:
        return replace(allowed, qos=0)
    if code == PACKET_TOO_LARGE and largest:
        return replace(allowed, packet_max=largest - 1)
    return allowed


def unsendable(packet: Packet) -> str | None:
    """Why no broker takes it (MQTT 5, 1.5.4 and 3.3.2.1); None where one may."""
    try:
        size = len(packet.topic.encode())
    except UnicodeEncodeError:
        return "its topic is no UTF-8"
    if size > TOPIC_MAX:
        return f"its topic has {size} bytes, more than {TOPIC_MAX}"
    return "its topic has #, + or a zero in it" if set(packet.topic) & {"#", "+", "\0"} else None


def fitted(packet: Packet, allowed: Allowed) -> Packet | None:
    """As the broker takes it: a text in it is cut where it is too large, else there is none."""
    packet = replace(packet, qos=min(packet.qos, allowed.qos), retain=packet.retain and allowed.retain)
    over = 0 if allowed.packet_max is None else packet.size - allowed.packet_max
    if over <= 0:
        return packet
    shorter = _shorter(packet.payload, over)
    return None if shorter is None else replace(packet, payload=shorter)


def _shorter(payload: bytes, over: int) -> bytes | None:
    """None where it has no text, or where that alone doesn't make it small enough."""
    try:
        value = json.loads(payload)
    except ValueError:
        return None
    text = value.get("text") if isinstance(value, dict) else None
    if not isinstance(text, str):
        return None
    keep, over = len(text), over + len(CUT) + len(_encoded(value)) - len(payload)
    while keep and over > 0:
        keep -= 1
        over -= len(json.dumps(text[keep])) - 2
    return None if over > 0 else _encoded(value | {"text": text[:keep] + CUT})


def _encoded(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _digits(number: int) -> int:
    """Bytes of a variable byte integer (MQTT 5, 1.5.5)."""
    return 1 if number < 128 else 1 + _digits(number // 128)
