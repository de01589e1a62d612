"""Answers that belong to no request in flight. pymodbus drops them, and a device that is only late looks dead."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field

REQUESTS_KEPT = 16
"""Requests whose time is remembered: more than a bus sends before it gives a silent connection up."""
HEADER = struct.Struct(">H2xHB")


@dataclass(slots=True)
class Strays:
    """Watches the headers of one TCP connection (Modbus Messaging on TCP/IP V1.0b, 3.1.3). told: by asked unit."""

    clock: Callable[[], float] = time.monotonic
    told: dict[int, str] = field(default_factory=dict)
    _sent_s: dict[int, float] = field(default_factory=dict)
    _asked: tuple[int, int] = (0, 0)

    def watch(self, sending: bool, content: bytes) -> bytes:
        """pymodbus's trace_packet: a frame that is sent, or what has come so far of the next one."""
        if len(content) >= HEADER.size:
            transaction, length, unit = HEADER.unpack_from(content)
            if sending:
                self._send(transaction, unit)
            elif (transaction, unit) == self._asked:
                self._sent_s.pop(transaction, None)
                if self.told:
                    self.told.pop(unit, None)
            elif len(content) >= length + 6:
                self.told[self._asked[1]] = self._words(transaction, unit)
        return content

    def give_up(self) -> None:
        """The answer to the request in flight is too late from now on. No request has number 0."""
        self._asked = (0, self._asked[1])

    def _send(self, transaction: int, unit: int) -> None:
        self._asked = (transaction, unit)
        self._sent_s[transaction] = self.clock()
        if len(self._sent_s) > REQUESTS_KEPT:
            del self._sent_s[next(iter(self._sent_s))]

    def _words(self, transaction: int, unit: int) -> str:
        """A request is answered once: its number again is none of its own."""
        asked, asked_unit = self._asked
        if transaction == asked:
            return f"unit {unit} answered for unit {asked_unit}"
        if transaction in self._sent_s:
            return f"one came after {self.clock() - self._sent_s.pop(transaction):.1f} s: the deadline is too short"
        return f"one came under transaction {transaction} for {asked}: what answers doesn't repeat the number"
