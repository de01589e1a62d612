"""Takes an RTU line's bytes apart: which of them are the request's own answer, and what everything else is."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import field

from derctl.core.dataclass import dataclass
from derctl.links.wires import owed as debts
from derctl.links.wires.frames import Shape, answer_shape, frame_at, length_of, request_shape
from derctl.links.wires.owed import Owed
from derctl.links.wires.strays import Tally, late

BROKEN_AFTER_S = 0.05
"""A pause after which bytes are not of one frame: adapters hand them on every 16 ms, some later."""
KEPT = 512
"""Bytes; two of the longest frames."""


@dataclass(slots=True, kw_only=True)
class Question:
    """A request on the line. echoed: its own bytes came back, as from an adapter that hears itself."""

    unit: int
    shape: Shape
    frame: bytes
    sent_s: float
    echoed: bool = False


@dataclass(slots=True)
class Hearing:
    """told: what came lately instead of an answer, by unit. heard_s: when the last byte came. spoilt: how many came
    instead of the last request's answer. echoes: whether the adapter hears itself: a single write is answered by a
    copy of itself, which its echo must not be taken for."""

    clock: Callable[[], float] = time.monotonic
    told: dict[int, str] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)
    heard_s: float = -1e9
    sent_s: float = -1e9
    echoes: bool = False
    spoilt: int = 0
    _owed: dict[int, Owed] = field(default_factory=dict)
    _asked: Question | None = None
    _heard: bytearray = field(default_factory=bytearray)

    def begin(self) -> None:
        """The port is opened, and who spoke before nobody knows. What is owed stays so: the devices were there."""
        self.give_up()
        self.heard_s = self.clock()
        self._heard.clear()

    def watch(self, sending: bool, content: bytes) -> bytes:
        """pymodbus's trace_packet: a request that is sent."""
        if sending:
            self.sent_s, self.spoilt = self.clock(), 0
            self._heard.clear()
            self._asked = Question(unit=content[0], shape=request_shape(content), frame=content, sent_s=self.sent_s)
        return content

    def owed(self, unit: int) -> Owed:
        return self._owed.get(unit, debts.NONE)

    def give_up(self) -> None:
        """The answer to the request on the line is too late from now on."""
        asked, self._asked = self._asked, None
        if asked is not None:
            self._owed[asked.unit] = debts.given_up(self.owed(asked.unit), asked.shape, asked.sent_s, self.clock())

    @property
    def broken(self) -> int:
        """How many bytes came instead of an answer, where they are as many as it has; 0: it may still come."""
        asked, count = self._asked, len(self._heard)
        return count if asked is not None and count >= length_of(asked.shape) else 0

    def spoil(self) -> None:
        """Those bytes were the answer."""
        self.spoilt = self.broken
        self._asked = None
        self._heard.clear()

    def take(self, content: bytes) -> bytes | None:
        """Bytes came: the answer to the request on the line, once it is whole."""
        now_s = self.clock()
        if self._asked is None and now_s - self.heard_s > BROKEN_AFTER_S:
            self._heard.clear()
        self.heard_s = now_s
        self._heard += content
        del self._heard[:-KEPT]
        self._strip_echo()
        while True:
            start, frame = self._frame()
            if frame is None:
                return None
            del self._heard[: start + len(frame)]
            if self._is_answer(frame, now_s):
                return frame

    def _strip_echo(self) -> None:
        asked = self._asked
        if asked is None or asked.echoed or (asked.shape[0] == 6 and not self.echoes):
            return
        start = self._heard.find(asked.frame)
        if start >= 0:
            del self._heard[: start + len(asked.frame)]
            asked.echoed = self.echoes = True

    def _frame(self) -> tuple[int, bytes | None]:
        """The asked unit's wherever it begins, any other's only where bytes begin: a CRC alone can be chance."""
        heard, asked = bytes(self._heard), self._asked
        first = frame_at(heard, 0)
        if first is not None or asked is None:
            return 0, first
        functions = (asked.shape[0], asked.shape[0] | 0x80)
        for start in range(1, len(heard) - 4):
            if heard[start] == asked.unit and heard[start + 1] in functions:
                frame = frame_at(heard, start)
                if frame is not None:
                    return start, frame
        return 0, None

    def _is_answer(self, frame: bytes, now_s: float) -> bool:
        """Whether it is the request's; what else it is, is counted. One that is owed comes before it."""
        unit, shape, asked = frame[0], answer_shape(frame), self._asked
        owed = self.owed(unit)
        missing = debts.of(owed, shape, now_s)
        if missing is None and (asked is None or (unit, shape) != (asked.unit, asked.shape)):
            missing = debts.of(owed, shape, now_s, presumed=True)
        if missing is not None:
            self._owed[unit] = debts.came(owed, missing)
            self.tally.late += 1
            self.told[unit] = late(now_s - missing.asked_s)
            return False
        if asked is None or unit != asked.unit or frame[1] & 0x7F != asked.shape[0]:
            self.tally.foreign += 1
            return False
        if not asked.echoed and asked.shape[0] != 6:
            self.echoes = False
        self._asked = None
        self._owed[unit] = debts.settled(owed)
        self.told.pop(unit, None)
        return True
