"""Who announces Modbus in this network: one question to everybody (RFC 6762, 5.1), and their answers for a moment."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from ipaddress import IPv4Address

from derctl.core.dataclass import dataclass

GROUP = ("224.0.0.251", 5353)
SERVICES = ("_modbus._tcp.local",)
"""As meters and gateways announce it (inepro GROW, Victron GX)."""
ANNOUNCE_S = 1.5
PTR, A, SRV, IN = 12, 1, 33, 1
MOST = 9000
"""Bytes of a message (RFC 6762, 17)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """Where somebody says that he is. name: of the instance."""

    host: str
    port: int
    name: str


def announced(group: tuple[str, int] = GROUP, listen_s: float = ANNOUNCE_S) -> list[Announced]:
    """Each once. Raises OSError where nothing can be sent."""
    found: dict[tuple[str, int], Announced] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
        sock.sendto(question(SERVICES), group)
        until_s = time.monotonic() + listen_s
        while (left_s := until_s - time.monotonic()) > 0.0:
            sock.settimeout(left_s)
            try:
                message, (sender, _) = sock.recvfrom(MOST)
            except TimeoutError:
                break
            for each in answered(message, sender):
                found.setdefault((each.host, each.port), each)
    return sorted(found.values(), key=lambda each: (each.host, each.port))


def question(services: tuple[str, ...]) -> bytes:
    """One message that asks for all of them."""
    asked = b"".join(_encoded(name) + struct.pack(">HH", PTR, IN) for name in services)
    return struct.pack(">6H", 0, 0, len(services), 0, 0, 0) + asked


def _encoded(name: str) -> bytes:
    parts = [part.encode() for part in name.split(".")]
    return b"".join(bytes([len(part)]) + part for part in parts) + b"\0"


def answered(message: bytes, sender: str) -> list[Announced]:
    """What a message says; of a broken one nothing. Where it has no address the sender's counts."""
    try:
        records = list(_records(message))
    except (IndexError, struct.error, ValueError):
        return []
    hosts = {name: str(IPv4Address(value)) for name, kind, value, _ in records if kind == A and len(value) == 4}
    found = []
    for name, kind, value, at in records:
        if kind != SRV or len(value) < 7 or not name.endswith(SERVICES):
            continue
        try:
            target, _ = _name(message, at + 6)
        except (IndexError, ValueError):
            continue
        port = int(struct.unpack(">H", value[4:6])[0])
        if port:
            found.append(Announced(host=hosts.get(target, sender), port=port, name=name.partition(".")[0]))
    return found


def _records(message: bytes) -> Iterator[tuple[str, int, bytes, int]]:
    """Name, type, content, and where that begins."""
    _, flags, questions, *counts = struct.unpack(">6H", message[:12])
    if not flags & 0x8000:
        return
    at = 12
    for _ in range(questions):
        _, at = _name(message, at)
        at += 4
    for _ in range(sum(counts)):
        name, at = _name(message, at)
        kind, _, _, length = struct.unpack(">HHIH", message[at : at + 10])
        yield name, kind, message[at + 10 : at + 10 + length], at + 10
        at += 10 + length


def _name(message: bytes, at: int) -> tuple[str, int]:
    """A name, which may go on elsewhere (RFC 1035, 4.1.4), and where what follows it begins. Raises ValueError."""
    parts: list[str] = []
    behind = None
    for _ in range(128):
        length = message[at]
        if length >= 0xC0:
            behind = at + 2 if behind is None else behind
            at = (length & 0x3F) << 8 | message[at + 1]
        elif length == 0:
            return ".".join(parts).lower(), at + 1 if behind is None else behind
        else:
            parts.append(message[at + 1 : at + 1 + length].decode("utf-8", "replace"))
            at += 1 + length
    raise ValueError("a name without an end")
