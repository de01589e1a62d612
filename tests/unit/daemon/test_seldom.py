"""A device that sends rubbish gets a line now and then, not one for each frame."""

from __future__ import annotations

import asyncio
import logging

from derctl.daemon.seldom import EVERY_S, KINDS_MAX, Seldom, SeldomAgain, Transports


async def test_what_a_transports_callback_raised_is_an_event_and_ends_nothing() -> None:
    told: list[tuple[str, str, str]] = []
    running = asyncio.get_running_loop()
    running.set_exception_handler(Transports(lambda *event: told.append(event)).problem)
    running.call_soon(lambda: 1 / 0)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    [(name, der, text)] = told
    assert (name, der) == ("transport_problem", "")
    assert "ZeroDivisionError('division by zero')" in text


async def test_a_thousand_mutated_frames_make_one_line_and_the_next_says_how_many() -> None:
    """Each frame that could not be decoded had a line of its own: 14,000 in an hour."""
    told: list[str] = []
    now = [0.0]
    transports = Transports(lambda name, der, text: told.append(text), Seldom(lambda: now[0]))
    running = asyncio.get_running_loop()
    for n in range(1000):
        now[0] = n * EVERY_S / 1001.0
        transports.problem(running, {"message": "Fatal error", "exception": ValueError(f"frame {n}")})
    transports.problem(running, {"message": "Fatal error", "exception": OSError("another kind")})
    assert len(told) == 2
    now[0] = EVERY_S
    transports.problem(running, {"message": "Fatal error", "exception": ValueError("frame")})
    assert len(told) == 3 and "(999 more since it was said last)" in told[2]


def test_who_makes_up_new_kinds_gets_no_lines_and_no_memory_for_them() -> None:
    seldom = Seldom(lambda: 0.0)
    assert [seldom.again(str(n)) for n in range(KINDS_MAX)] == [0] * KINDS_MAX
    assert seldom.again("one more") is None and len(seldom.said) == KINDS_MAX


def test_a_library_s_line_is_written_once_in_a_while() -> None:
    seen = SeldomAgain()
    record = logging.LogRecord("asyncio", logging.WARNING, "", 0, "socket.send() raised exception.", (), None)
    assert [seen.filter(record) for _ in range(3)] == [True, False, False]
