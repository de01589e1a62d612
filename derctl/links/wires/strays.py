"""Answers that belong to no request in flight. pymodbus drops them, and a device that is only late looks dead."""

from __future__ import annotations

import math
import struct
import time
from collections.abc import Callable
from dataclasses import field
from enum import StrEnum
from typing import NamedTuple

from derctl.core.dataclass import dataclass

REQUESTS_KEPT = 16
"""Requests whose time is remembered: more than a bus sends before it gives a silent connection up."""
NUMBERS_KEPT = 8
"""Answers whose numbers are remembered where they are not their requests'. What counts up to less repeats itself."""
TIMEOUT_MAX_S = 60.0
"""The longest deadline that a site file takes."""
HEADER = struct.Struct(">HHHB")


class Header(StrEnum):
    """What of an answer's header has to be its request's (Modbus Messaging on TCP/IP V1.0b, 3.1.3)."""

    STRICT = "strict"
    IGNORE_TRANSACTION = "ignore_transaction"
    IGNORE_UNIT = "ignore_unit"


@dataclass(slots=True)
class Tally:
    """Answers that could not be taken. late: after the deadline. foreign: under another transaction or unit id.
    broken: asked for once more, since they didn't arrive whole."""

    late: int = 0
    foreign: int = 0
    broken: int = 0


class Asked(NamedTuple):
    """A request: its transaction and unit id."""

    transaction: int
    unit: int


class Frame(NamedTuple):
    """A whole frame in what has come: where it begins and ends, and its header."""

    start: int
    end: int
    transaction: int
    unit: int


@dataclass(slots=True)
class Strays:
    """Watches the headers of the TCP connections to one place, one after the other. told: by asked unit.

    spent: bytes came, or may come, that could be taken for the answer to another request, since by `header` the
    number of a request is no part of its answer. Nothing more may be asked on such a connection.
    """

    header: Header = Header.STRICT
    clock: Callable[[], float] = time.monotonic
    told: dict[int, str] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)
    spent: bool = False
    _sent: dict[int, tuple[int, float]] = field(default_factory=dict)
    _asked: Asked | None = None
    _last: Asked | None = None
    _numbers: tuple[int, ...] = ()

    def begin(self) -> None:
        """A new connection: numbers begin anew, and no answer of the one before can come."""
        self.spent, self._asked, self._last, self._numbers = False, None, None, ()
        self._sent.clear()

    def watch(self, sending: bool, content: bytes) -> bytes:
        """pymodbus's trace_packet: a frame that is sent, or all that has come and was not taken yet.

        What the header may differ in is put right, so that pymodbus finds the answer.
        """
        if sending:
            transaction, _, _, unit = HEADER.unpack_from(content)
            self.ask(transaction, unit)
            return content
        start = 0
        while (frame := _frame(content, start)) is not None:
            asked = self._asked
            if asked is not None and self._fits(frame, asked):
                return self._answered(content, frame, asked)
            self._stray(frame)
            start = frame.end
        return content

    def ask(self, transaction: int, unit: int) -> None:
        """A request is sent."""
        self._asked = self._last = Asked(transaction, unit)
        self._sent[transaction] = (unit, self.clock())
        if len(self._sent) > REQUESTS_KEPT:
            del self._sent[next(iter(self._sent))]

    def answered(self) -> None:
        """Its own answer came, and nothing else."""
        if self._asked is not None:
            self._done(self._asked)

    def give_up(self) -> None:
        """The answer to the request in flight is too late from now on."""
        self.spent = self.spent or self._loose
        self._asked = None

    @property
    def _loose(self) -> bool:
        return self.header is Header.IGNORE_TRANSACTION

    def _fits(self, frame: Frame, asked: Asked) -> bool:
        number = frame.transaction
        numbered = not repeated(number, self._numbers) if self._loose else number == asked.transaction
        return numbered and self._from(frame, asked.unit)

    def _from(self, frame: Frame, unit: int) -> bool:
        return frame.unit == unit or self.header is Header.IGNORE_UNIT

    def _answered(self, content: bytes, frame: Frame, asked: Asked) -> bytes:
        self._done(asked)
        if self._loose:
            self._numbers = (*self._numbers[1 - NUMBERS_KEPT :], frame.transaction)
        self.spent = self.spent or (self._loose and frame.end < len(content))
        if frame.transaction == asked.transaction and frame.unit == asked.unit:
            return content
        length = frame.end - frame.start - 6
        header = HEADER.pack(asked.transaction, 0, length, asked.unit)
        return content[: frame.start] + header + content[frame.start + HEADER.size :]

    def _done(self, asked: Asked) -> None:
        """It is answered."""
        self._asked = None
        self._sent.pop(asked.transaction, None)
        if self.told:
            self.told.pop(asked.unit, None)

    def _stray(self, frame: Frame) -> None:
        """A request is answered once: its number again is none of its own. Before the first nobody is told."""
        self.spent = self.spent or self._loose
        asked = self._asked or self._last
        if asked is None:
            return
        if self._loose and self._asked is None:
            self._late(asked.transaction)
            return
        sent = self._sent.get(frame.transaction)
        if sent is not None and self._asked != (frame.transaction, sent[0]):
            asked = Asked(frame.transaction, sent[0])
            if self._from(frame, asked.unit):
                self._late(asked.transaction)
                return
        self.tally.foreign += 1
        self.told[asked.unit] = foreign(asked, frame)

    def _late(self, transaction: int) -> None:
        if (sent := self._sent.pop(transaction, None)) is not None:
            self.tally.late += 1
            unit, sent_s = sent
            self.told[unit] = late(self.clock() - sent_s)


def repeated(transaction: int, numbers: tuple[int, ...]) -> bool:
    """Whether it has the number of an answer before (numbers), where none of those had another's."""
    if len(numbers) < 2 or len(set(numbers)) < len(numbers):
        return False
    return transaction in (numbers if len(numbers) == NUMBERS_KEPT else numbers[-1:])


def late(seconds: float) -> str:
    """What a person needs to know of an answer that took so long."""
    return f"answers arrive late, after {seconds:.1f} s: raise timeout_s to {enough_s(seconds):g}"


def enough_s(seconds: float) -> float:
    """A deadline for answers that take so long: twice that, in whole seconds; what a clock adds doesn't count."""
    return min(max(math.ceil(2.0 * seconds - 0.1), 1), TIMEOUT_MAX_S)


def foreign(asked: Asked, frame: Frame) -> str:
    """How the header of an answer differs, and what can be done."""
    if (frame.transaction, frame.unit) == asked:
        return "an answer came twice"
    if frame.transaction != asked.transaction and frame.unit != asked.unit:
        text = (
            f"answers arrive under another transaction id ({frame.transaction} for {asked.transaction}) and as unit"
        )
        return f"{text} {frame.unit}'s, not unit {asked.unit}'s: is the unit id right? No header setting takes both"
    if frame.transaction == asked.transaction:
        text = (
            f"answers arrive as unit {frame.unit}'s, not unit {asked.unit}'s: is the unit id right? What answers so"
        )
        return f"{text} to every unit id needs header: {Header.IGNORE_UNIT}"
    text = f"answers arrive under another transaction id ({frame.transaction} for {asked.transaction})"
    return f"{text}: what doesn't repeat it needs header: {Header.IGNORE_TRANSACTION}"


def _frame(content: bytes, start: int) -> Frame | None:
    """The frame that begins there, None while it isn't whole, or where nothing could make sense of it."""
    if len(content) - start < HEADER.size:
        return None
    transaction, protocol, length, unit = HEADER.unpack_from(content, start)
    end = start + 6 + length
    return Frame(start, end, transaction, unit) if protocol == 0 and end <= len(content) else None
