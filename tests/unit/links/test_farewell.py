"""Why a connection could not be made, or ended: docs/interfaces.md names none of these numbers, people read words."""

from __future__ import annotations

import errno
import socket

import pytest

from derctl.links.wires.farewell import CLOSED, Farewell

HINTS = {
    CLOSED: "is another client connected?",
    errno.ECONNREFUSED: "is it enabled?",
    errno.ETIMEDOUT: "is it on?",
    socket.EAI_NONAME: "is the name right?",
}


def farewell() -> Farewell:
    return Farewell("192.0.2.1:502", HINTS, 3.0)


@pytest.mark.parametrize(
    ("error", "says", "hint"),
    [
        (None, "closed by the device", "is another client connected?"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "x"), "connection refused", "is it enabled?"),
        (TimeoutError(), "no answer within 3 s", "is it on?"),  # our own deadline
        (TimeoutError(errno.ETIMEDOUT, "x"), "connection timed out", "is it on?"),  # the system's
        (socket.gaierror(socket.EAI_NONAME, "x"), "no such host", "is the name right?"),
        (socket.gaierror(socket.EAI_AGAIN, "Try Again"), "host not found: try again", ""),
        (UnicodeError("a label is too long"), "no such host", "is the name right?"),
        (OSError(errno.EHOSTUNREACH, "x"), "no route to host", ""),
        (OSError("Multiple exceptions: [Errno 111] x, [Errno 113] y"), "connection refused", "is it enabled?"),
        (OSError("odd"), "odd", ""),
    ],
)
def test_the_system_s_reason_is_told_in_words_and_with_what_to_look_at(
    error: Exception | None, says: str, hint: str
) -> None:
    last = farewell()
    told = last.by(error)
    assert (str(told), told.hint) == (f"192.0.2.1:502: {says}", hint)
    again = last.again()
    assert (str(again), again.hint, again is told) == (str(told), hint, False), "each raises one of its own"


def test_before_the_first_connection_and_after_its_regular_end_there_is_no_reason() -> None:
    last = farewell()
    assert (str(last.again()), last.again().hint) == ("192.0.2.1:502: not connected", "")
    last.by(None)
    last.regular()
    assert str(last.again()) == "192.0.2.1:502: not connected"
