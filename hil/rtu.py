"""RTU frames: a unit id, a PDU and a CRC, without a header. On a TCP socket as cheap gateways pass them on."""

import random
from collections.abc import Iterator

from hil.exchange import HEADER, Exchange
from hil.wire import Connection, Endpoint

BITS = 10
"""Of one character: a start bit, eight of content, a stop bit. A pseudo-terminal keeps no parity."""
QUIET_CHARS, QUIET_MIN_S, FAST_BAUD = 3.5, 0.00175, 19200
"""Silence between frames (Modbus over serial line V1.02, 2.5.1.1)."""


def crc(content: bytes) -> bytes:
    """CRC-16 of Modbus over serial line V1.02, 6.2.2, low byte first."""
    register = 0xFFFF
    for byte in content:
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ 0xA001 if register & 1 else register >> 1
    return register.to_bytes(2, "little")


def char_s(baud: int) -> float:
    """How long one character takes."""
    return BITS / baud


def quiet_s(baud: int) -> float:
    """The least silence between two frames."""
    return QUIET_MIN_S if baud > FAST_BAUD else QUIET_CHARS * char_s(baud)


def on_line(content: bytes) -> bytes:
    """An answer with a TCP header as the RTU frame that it is; what is no such frame stays what it is."""
    if len(content) < HEADER.size + 1 or content[2:4] != b"\0\0":
        return content
    return content[6:] + crc(content[6:])


def requests(buffer: bytearray) -> Iterator[tuple[int, bytes]]:
    """Whole requests, taken off the buffer: (unit id, PDU). Raises ValueError where none can be made out."""
    while len(buffer) >= 8:
        end = 9 + buffer[6] if buffer[1] == 16 else 8
        if len(buffer) < end:
            return
        frame = bytes(buffer[:end])
        if crc(frame[:-2]) != frame[-2:]:
            raise ValueError(f"no request: {bytes(buffer).hex()}")
        del buffer[:end]
        yield frame[0], frame[1:-2]


# -- faults of a line: they change an Exchange whose `sends` are RTU frames already ----------------------------------


def crc_noise(x: Exchange, *, bits: int = 1) -> None:
    """So many bits of the answer turn over on their way: its CRC doesn't fit."""
    x.spoiled = True
    x.sends = [(wait_s, _noisy(frame, bits, x.random)) for wait_s, frame in x.sends]


def _noisy(frame: bytes, bits: int, chance: random.Random) -> bytes:
    noisy = bytearray(frame)
    for at in chance.sample(range(8 * len(frame)), bits):
        noisy[at // 8] ^= 1 << at % 8
    return bytes(noisy)


def frame_gap(x: Exchange, *, gap_s: float = 0.02, at: float = 0.5) -> None:
    """The line rests for gap_s within the answer, after that share of it. Not counted as spoiled."""
    [(wait_s, frame), *more] = x.sends or [(0.0, b"")]
    cut = max(1, int(len(frame) * at))
    x.sends = [(wait_s, frame[:cut]), (wait_s + gap_s, frame[cut:]), *more]


def line_noise(x: Exchange, *, size: int = 3) -> None:
    """Random bytes just before the answer, as a driver that is switched on makes them. Not counted as spoiled."""
    x.sends = [(wait_s, x.random.randbytes(size) + frame) for wait_s, frame in x.sends]


LINE = {f.__name__: f for f in (crc_noise, frame_gap, line_noise)}


class RtuEndpoint(Endpoint):
    """Units whose answers are RTU frames."""

    def onto_line(self, exchange: Exchange) -> None:
        exchange.sends = [(wait_s, on_line(content)) for wait_s, content in exchange.sends]
        for fault in list(self.faults.line.values()):
            fault(exchange)


class RtuConnection(Connection):
    """One client that sends RTU frames over TCP."""

    def take(self) -> bool:
        try:
            self.queue.extend((0, unit_id, pdu) for unit_id, pdu in requests(self.buffer))
        except ValueError:
            self.buffer.clear()
        return True


class RtuOverTcp(RtuEndpoint):
    """A gateway that passes frames on as they are."""

    def client(self) -> Connection:
        return RtuConnection(self)
