"""Wall-clock time for people, and whether it can be believed. Control runs on the monotonic clock alone."""

from __future__ import annotations

import ctypes
import struct
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from derctl.core.dataclass import dataclass

TIME_ERROR = 5
"""Return of adjtimex(2): the clock is not synchronised."""
TIMEX = "@Illll"
"""modes, offset, freq, maxerror, esterror (adjtimex(2)), the errors in microseconds."""

STEP_S = 1.0
"""A clock that is kept right by a time server is moved by less, but for its first setting (docs/sources.md)."""
BELIEVED_EVERY = 64
"""Looks between two at whether it is set."""

_LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(slots=True)
class Clock:
    """mode: auto (ask the kernel), assume, or a file that exists once the clock is set."""

    mode: str = "auto"
    wall: Callable[[], float] = time.time

    @property
    def synced(self) -> bool:
        """Whether timestamps can be believed."""
        if self.mode == "assume":
            return True
        if self.mode == "auto":
            return _kernel_synced()
        return Path(self.mode).exists()

    @property
    def error_s(self) -> float | None:
        """The most that the kernel says it may be wrong by; None: it is not set, or somebody else says that it is."""
        return _kernel_error_s() if self.mode == "auto" and self.synced else None

    def since_s(self, saved: float, *, synced: bool | None) -> float:
        """How long ago that was, 0 where nobody knows. synced: whether the clock could be believed then."""
        return max(self.wall() - saved, 0.0) if synced and self.synced else 0.0

    def now(self) -> datetime:
        """UTC."""
        return datetime.fromtimestamp(self.wall(), UTC)

    def stamp(self) -> str:
        """UTC in RFC 3339 with milliseconds."""
        return text_of(self.now())


def _booted_s() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(slots=True)
class Steps:
    """Sees the wall clock jump. tell: event and text. boot: s since the machine began, its sleep with it."""

    clock: Clock
    tell: Callable[[str, str], None]
    boot: Callable[[], float] = _booted_s
    _apart_s: float | None = None
    _believed: bool = False
    _looks: int = 0

    def look(self) -> None:
        """Once a tick."""
        apart_s, before_s = self.clock.wall() - self.boot(), self._apart_s
        self._apart_s = apart_s
        step_s = 0.0 if before_s is None else apart_s - before_s
        if abs(step_s) >= STEP_S:
            word = "forward" if step_s > 0.0 else "back"
            event = "clock_stepped" if self._believed else "clock_found"
            self.tell(event, f"{abs(step_s):.1f} s {word}; it is {self.clock.stamp()} now")
        if before_s is None or abs(step_s) >= STEP_S or self._looks >= BELIEVED_EVERY:
            self._believed, self._looks = self.clock.synced, 0
        self._looks += 1


def text_of(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds and Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def _kernel_synced() -> bool:
    """adjtimex with modes = 0 reads only; chrony, ntpd and timesyncd all clear the flag."""
    return _kernel()[0]


def _kernel_error_s() -> float:
    return _kernel()[1]


def _kernel() -> tuple[bool, float]:
    """Whether the clock is set, and the most that it may be wrong by, s."""
    buffer = ctypes.create_string_buffer(512)
    try:
        state = _LIBC.adjtimex(buffer)
    except AttributeError:
        return False, 0.0
    most_us: int = struct.unpack_from(TIMEX, buffer.raw)[3]
    return bool(0 <= state < TIME_ERROR), most_us / 1e6
