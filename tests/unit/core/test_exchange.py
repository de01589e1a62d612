"""A patient exchange asks again what was refused in passing; one that remembers asks nothing twice."""

from __future__ import annotations

from typing import Any

import pytest

from derctl.core.exchange import Exchange, Pause, Read, Write, only_read, patient, remembered
from derctl.errors import BusTimeout, DeviceRefused, WriteBarred


def driver() -> Exchange[list[int]]:
    first = yield Read(address=10, count=1)
    try:
        second = yield Read(address=20, count=1)
    except DeviceRefused:
        second = (0,)
    return [*first, *second]


def refused(code: int) -> DeviceRefused:
    return DeviceRefused(code, function=3, address=0, count=1)


def play(answers: list[Any]) -> tuple[list[Any], list[Any]]:
    """Run to the end; what was asked, and the result."""
    exchange, asked = patient(driver()), []
    try:
        op = next(exchange)
        while True:
            asked.append(op)
            answer = () if isinstance(op, Pause) else answers.pop(0)
            op = exchange.throw(answer) if isinstance(answer, Exception) else exchange.send(answer)
    except StopIteration as stop:
        return asked, stop.value


def test_a_busy_device_is_asked_again_after_a_pause() -> None:
    asked, result = play([refused(6), refused(0x0B), (7,), (8,)])
    assert result == [7, 8]
    assert [type(op) for op in asked] == [Read, Pause, Read, Pause, Read, Read]


def test_four_refusals_in_a_row_are_the_drivers_business() -> None:
    _, result = play([(7,), *(refused(6) for _ in range(4))])
    assert result == [7, 0]
    with pytest.raises(DeviceRefused):
        play([refused(6) for _ in range(4)])


def test_an_illegal_address_and_a_timeout_are_not_asked_again() -> None:
    asked, result = play([(7,), refused(2)])
    assert result == [7, 0] and len(asked) == 2
    with pytest.raises(BusTimeout):
        play([BusTimeout("silent")])


def forgetful() -> Exchange[list[int]]:
    """Reads one place twice, is refused at another twice, and writes in between."""
    found: list[int] = []
    for _ in range(2):
        found += yield Read(address=10, count=1)
        yield Write(address=30, values=(1,))
        try:
            found += yield Read(address=20, count=1)
        except DeviceRefused as error:
            found.append(-error.code)
    found += yield Read(address=10, count=2)
    return found


def test_what_was_read_or_refused_is_remembered_and_what_is_written_is_not() -> None:
    exchange, asked = remembered(forgetful()), []
    answers: list[Any] = [(7,), (), refused(2), (), (7, 8)]
    try:
        op = next(exchange)
        while True:
            asked.append(op)
            answer = answers.pop(0)
            op = exchange.throw(answer) if isinstance(answer, Exception) else exchange.send(answer)
    except StopIteration as stop:
        assert stop.value == [7, -2, 7, -2, 7, 8]
    write = Write(address=30, values=(1,))
    ten, twenty = Read(address=10, count=1), Read(address=20, count=1)
    assert asked == [ten, write, twenty, write, Read(address=10, count=2)]


def test_a_read_without_cuts_is_sent_as_it_is() -> None:
    whole = Read(address=100, count=60)
    assert list(whole.parts) == [whole]


def test_a_read_is_cut_where_it_says_and_nowhere_else() -> None:
    parts = Read(address=100, count=60, function=4, cuts=(120, 150)).parts
    assert [(part.address, part.count, part.function, part.cuts) for part in parts] == [
        (100, 20, 4, ()),
        (120, 30, 4, ()),
        (150, 10, 4, ()),
    ]


def test_who_has_no_permit_may_not_write() -> None:
    with pytest.raises(WriteBarred, match="2 registers at 40100"):
        only_read(Write(address=40100, values=(1, 2)))
