"""A patient exchange: passing refusals are asked again, everything else is the driver's business."""

from __future__ import annotations

from typing import Any

import pytest

from derctl.core.exchange import Exchange, Pause, Read, patient
from derctl.errors import BusTimeout, DeviceRefused


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
