"""RTU frames (Modbus over serial line V1.02, 2.5): how long they and the silences between them are. Pure."""

from __future__ import annotations

from pymodbus.framer.rtu import FramerRTU

from derctl.core.dataclass import dataclass
from derctl.core.exchange import Read, Write

QUIET_CHARS = 3.5
QUIET_MIN_S = 0.00175
FAST_BAUD = 19200
"""Silence between two frames: 3.5 characters, above 19200 baud 1.75 ms (2.5.1.1)."""
REFUSAL = 5
"""Bytes of an exception response."""
BITS = (1, 2)
"""Functions that read coils and discrete inputs: eight in a byte of the answer."""
READS = (*BITS, 3, 4)
WRITES = (6, 16)

Shape = tuple[int, ...]
"""What tells answers of one unit apart: function and length of a read's, function and first words of a write's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """How fast characters go. bits: of one, its start, parity and stop bits with it."""

    baud: int
    bits: int = 10

    @property
    def char_s(self) -> float:
        return self.bits / self.baud

    @property
    def quiet_s(self) -> float:
        """The least silence between two frames."""
        return QUIET_MIN_S if self.baud > FAST_BAUD else QUIET_CHARS * self.char_s

    def span_s(self, op: Read | Write) -> float:
        """Of a request, its answer, and the silence before each."""
        asks = 8 if isinstance(op, Read) or op.function == 6 else 9 + 2 * len(op.values)
        answers = 5 + content_bytes(op.function, op.count) if isinstance(op, Read) else 8
        return (asks + answers) * self.char_s + 2.0 * self.quiet_s


def content_bytes(function: int, count: int) -> int:
    """Of a read's answer."""
    return (count + 7) // 8 if function in BITS else 2 * count


def shape_of(op: Read | Write) -> Shape:
    """Of its answer."""
    if isinstance(op, Read):
        return op.function, content_bytes(op.function, op.count)
    return op.function, op.address, op.values[0] if op.function == 6 else len(op.values)


def answer_shape(frame: bytes) -> Shape:
    """Of one that came; of a refusal its function alone."""
    if frame[1] in READS:
        return frame[1], frame[2]
    return (frame[1], *_words(frame)) if frame[1] in WRITES else (frame[1],)


def request_shape(frame: bytes) -> Shape:
    """The same, from the request."""
    address, word = _words(frame)
    return (frame[1], content_bytes(frame[1], word)) if frame[1] in READS else (frame[1], address, word)


def length_of(shape: Shape) -> int:
    """Bytes of an answer of that shape."""
    return 5 + shape[1] if shape[0] in READS else 8


def _words(frame: bytes) -> tuple[int, int]:
    return int.from_bytes(frame[2:4], "big"), int.from_bytes(frame[4:6], "big")


def frame_at(heard: bytes, start: int) -> bytes | None:
    """The whole answer that begins there; None where there is none, or not all of it yet."""
    if len(heard) - start < REFUSAL:
        return None
    function = heard[start + 1]
    if function in READS:
        end = start + 5 + heard[start + 2]
    elif function in WRITES:
        end = start + 8
    elif function & 0x7F in (*READS, *WRITES):
        end = start + REFUSAL
    else:
        return None
    if end > len(heard):
        return None
    frame = heard[start:end]
    return frame if FramerRTU.check_CRC(frame[:-2], int.from_bytes(frame[-2:], "big")) else None
