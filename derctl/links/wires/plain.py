"""The usual request on a numbered connection, and its usual answer, as bytes: packed and known in one comparison.

What is not the whole answer to the request in flight, and nothing else, is left to pymodbus.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from derctl.core.exchange import Read, Write
from derctl.core.transaction import REGS_MAX

NUMBERS = struct.Struct(">HHHBBHH")
"""Header, function and two numbers: of a read its address and count, as of a write's echo."""
BEGIN = struct.Struct(">HHHBBB")
"""Header, function and byte count of an answer to a read."""
WRITE_MAX = 123
"""Registers in one write of several."""
Plain = tuple[int, ...]
"""The registers of an answer that has been checked, () of a write."""
WORDS = [struct.Struct(f">{count}H") for count in range(REGS_MAX + 1)]


class Question(NamedTuple):
    """A request on the way. begin: how its plain answer begins; so many registers stand behind that."""

    frame: bytes
    begin: bytes
    registers: int = 0

    def words(self, content: bytes) -> Plain | None:
        """The registers that were asked for, () for a write; None where that is not its answer, or not it alone."""
        begin = len(self.begin)
        if len(content) != begin + 2 * self.registers or not content.startswith(self.begin):
            return None
        return WORDS[self.registers].unpack_from(content, begin)


def question(number: int, unit: int, op: Read | Write) -> Question | None:
    """The frame that asks for this under this number; None where that is no usual request."""
    if not (0 < unit <= 255 and 0 <= op.address <= 0xFFFF):
        return None
    if isinstance(op, Read):
        return _read(number, unit, op) if op.function in {3, 4} and 0 < op.count <= REGS_MAX else None
    if op.function == 6:
        frame = NUMBERS.pack(number, 0, 6, unit, 6, op.address, op.values[0])
        return Question(frame, frame)
    count = len(op.values)
    if op.function != 16 or not 0 < count <= WRITE_MAX:
        return None
    head = NUMBERS.pack(number, 0, 7 + 2 * count, unit, 16, op.address, count)
    echo = NUMBERS.pack(number, 0, 6, unit, 16, op.address, count)
    return Question(head + bytes((2 * count,)) + WORDS[count].pack(*op.values), echo)


def _read(number: int, unit: int, op: Read) -> Question:
    count = op.count
    frame = NUMBERS.pack(number, 0, 6, unit, op.function, op.address, count)
    return Question(frame, BEGIN.pack(number, 0, 3 + 2 * count, unit, op.function, 2 * count), count)
