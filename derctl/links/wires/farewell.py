"""Why a connection could not be made, or ended, in words for who stands at the cabinet."""

from __future__ import annotations

import errno
import os
import re
import socket
from collections.abc import Mapping

from derctl.core.dataclass import dataclass
from derctl.errors import BusClosed

CLOSED = 0
"""Stands for a number where the peer ended the connection in the regular way."""


@dataclass(slots=True)
class Farewell:
    """Carries the last reason. where: the place, for people. hints: what to look at, by the system's number of the
    error. deadline_s: for connecting."""

    where: str
    hints: Mapping[int, str]
    deadline_s: float
    _reason: BusClosed | None = None

    def regular(self) -> None:
        """We closed it."""
        self._reason = None

    def by(self, error: Exception | None) -> BusClosed:
        """The system's reason. A TimeoutError without a number is our own deadline for connecting.

        An error without a number may have its own hint.
        """
        number = number_of(error)
        late = isinstance(error, TimeoutError) and error.errno is None
        words = f"no answer within {self.deadline_s:g} s" if late else reason(error, number)
        ended = number in {
            CLOSED,
            errno.ECONNRESET,
            errno.EPIPE,
        }  # it may be seen before the connection counts as made
        hint = getattr(error, "hint", "") if number is None else self.hints.get(number, "")
        distrust = getattr(error, "distrust", False)
        self._reason = BusClosed(f"{self.where}: {words}", hint=hint, ended=ended, distrust=distrust)
        return self._reason

    def again(self) -> BusClosed:
        """The last reason, to be raised."""
        if self._reason is None:
            return BusClosed(f"{self.where}: not connected")
        last = self._reason
        return BusClosed(str(last), hint=last.hint, ended=last.ended, distrust=last.distrust)


def number_of(error: Exception | None) -> int | None:
    """The system's number; CLOSED where the peer closed without one.

    Several addresses that fail in several ways come as one text: the first of them counts.
    """
    if error is None:
        return CLOSED
    if isinstance(error, TimeoutError):
        return errno.ETIMEDOUT
    if isinstance(error, ValueError):
        return socket.EAI_NONAME
    number = getattr(error, "errno", None)
    found = None if number is not None else re.search(r"Errno (-?\d+)", str(error))
    return int(found.group(1)) if found is not None else number


def reason(error: Exception | None, number: int | None) -> str:
    """The system's words, in the same words for every event loop."""
    if error is None:
        return "closed by the device"
    if isinstance(error, ValueError):
        return "no such host"
    if isinstance(error, socket.gaierror):
        known = error.errno == socket.EAI_NONAME
        return "no such host" if known else f"host not found: {(error.strerror or str(error)).lower()}"
    if number is not None and number > 0:
        return os.strerror(number).lower()
    return str(error) or type(error).__name__
