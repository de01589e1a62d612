"""Wall-clock time for people, and whether it can be believed. Control runs on the monotonic clock alone."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

TIME_ERROR = 5
"""Return of adjtimex(2): the clock is not synchronised."""

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
        """By how much it is off at most, by the kernel's own estimate; None where that has none."""
        return _kernel_error_s()

    def since_s(self, saved: float, *, synced: bool | None) -> float:
        """How long ago that was, 0 where nobody knows. synced: whether the clock could be believed then."""
        return max(self.wall() - saved, 0.0) if synced and self.synced else 0.0

    def now(self) -> datetime:
        """UTC."""
        return datetime.fromtimestamp(self.wall(), UTC)

    def stamp(self) -> str:
        """UTC in RFC 3339 with milliseconds."""
        return text_of(self.now())


def text_of(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds and Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


class _Timex(ctypes.Structure):
    """The beginning of struct timex (adjtimex(2))."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
    )


def _kernel() -> tuple[bool, float]:
    """Whether it takes its clock for set, and by how much it is off at most, s: maxerror is in µs.

    adjtimex with modes = 0 reads only; chrony, ntpd and timesyncd all clear the flag.
    """
    buffer = ctypes.create_string_buffer(512)
    try:
        state = _LIBC.adjtimex(buffer)
    except AttributeError:
        return False, 0.0
    return bool(0 <= state < TIME_ERROR), _Timex.from_buffer(buffer).maxerror / 1e6


def _kernel_synced() -> bool:
    return _kernel()[0]


def _kernel_error_s() -> float | None:
    synced, error_s = _kernel()
    return round(error_s, 6) if synced else None
