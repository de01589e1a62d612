"""What one request and its answer take on a wire: characters, silences, the device's own time, a pause. Pure.

Modbus over Serial Line V1.02: a frame is an address, a PDU and two bytes of CRC, behind 3.5 characters of silence.
"""

from __future__ import annotations

import math

from derctl.core.value import value

SILENCE_CHARACTERS = 3.5
FAST_BAUD = 19200
FAST_SILENCE_S = 0.00175
"""Above FAST_BAUD the silence between two frames is no shorter than this (docs/sources.md)."""
CHARACTER_BITS = 11
"""Of which the silence is made, whatever the line's own characters are (docs/sources.md)."""
READ_BYTES = 13
"""Of a read and its answer without registers: 8 and 5. Each register is two more."""
WRITE_BYTES = 17
"""Of a write of several registers and its answer without registers: 9 and 8."""
REGS_MAX = 125
"""Registers in one read."""


@value
class Serial:
    """How a serial line is set. even or odd parity takes a bit of each character, as each stop bit does."""

    baud: int
    parity: str = "none"
    stop_bits: int = 1

    @property
    def byte_s(self) -> float:
        """One character."""
        return (9 + (self.parity != "none") + self.stop_bits) / self.baud

    @property
    def silence_s(self) -> float:
        """Before each frame."""
        if self.baud > FAST_BAUD:
            return FAST_SILENCE_S
        return SILENCE_CHARACTERS * CHARACTER_BITS / self.baud


@value
class Transaction:
    """Of one wire. serial None: characters take no time. answer_s: the device's own time, from the end of a request
    to the begin of its answer. pause_s: from an answer to the next request, at least."""

    serial: Serial | None = None
    answer_s: float = 0.0
    pause_s: float = 0.0

    def read_s(self, registers: int) -> float:
        """A read of so many, with the pause behind it."""
        return self._takes_s(READ_BYTES + 2 * registers)

    def write_s(self, registers: int) -> float:
        """A write of so many, with the pause behind it."""
        return self._takes_s(WRITE_BYTES + 2 * registers)

    def _takes_s(self, length: int) -> float:
        """The silence before the answer, and the one before the next request, which a pause may contain."""
        if self.serial is None:
            return self.answer_s + self.pause_s
        silence_s = self.serial.silence_s
        return length * self.serial.byte_s + self.answer_s + silence_s + max(self.pause_s, silence_s)

    @property
    def gap(self) -> int:
        """So many registers that nobody wants cost less than a request of its own."""
        if self.serial is None:
            return REGS_MAX
        return min(math.ceil(self.read_s(0) / (2 * self.serial.byte_s)) - 1, REGS_MAX)
