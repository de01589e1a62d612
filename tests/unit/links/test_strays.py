"""Answers by their headers, in frames that are packed here (Modbus Messaging on TCP/IP V1.0b, 3.1.3)."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest

from derctl.links.wires.strays import Header, Strays, enough_s


def frame(transaction: int, unit: int = 5, pdu: bytes = b"\x03\x02\x00\x07", protocol: int = 0) -> bytes:
    return struct.pack(">HHHB", transaction, protocol, len(pdu) + 1, unit) + pdu


class Line:
    """A connection whose requests and answers are the test's. now_s: its time."""

    def __init__(self, header: Header = Header.STRICT) -> None:
        self.now_s = 100.0
        self.strays = Strays(header, clock=lambda: self.now_s)
        self.strays.begin()

    def asks(self, transaction: int, unit: int = 5) -> None:
        self.strays.watch(True, frame(transaction, unit, b"\x03\x9c\x40\x00\x01"))

    def comes(self, *frames: bytes, after_s: float = 0.0) -> bytes:
        self.now_s += after_s
        return self.strays.watch(False, b"".join(frames))

    @property
    def counts(self) -> tuple[int, int]:
        return self.strays.tally.late, self.strays.tally.foreign


def test_an_answer_in_time_is_nothing_to_tell() -> None:
    line = Line()
    line.asks(1)
    assert line.comes(frame(1)) == frame(1)
    assert (line.counts, line.strays.told, line.strays.spent) == ((0, 0), {}, False)


def test_an_answer_after_the_deadline_is_late_however_much_later() -> None:
    for late_s in (0.2, 1.4, 9.0):
        line = Line()
        line.asks(1)
        line.strays.give_up()
        line.comes(frame(1), after_s=late_s)
        assert line.counts == (1, 0)
        needed = f"raise timeout_s to {enough_s(late_s):g}"
        assert line.strays.told[5] == f"answers arrive late, after {late_s:.1f} s: {needed}"


def test_a_late_answer_is_told_of_the_unit_that_was_asked_and_not_of_the_next() -> None:
    line = Line()
    line.asks(1, unit=5)
    line.strays.give_up()
    line.asks(2, unit=6)
    assert line.comes(frame(1, 5), frame(2, 6), after_s=1.4) == frame(1, 5) + frame(2, 6)
    assert {*line.strays.told} == {5}


def test_what_is_late_and_under_another_unit_id_is_told_to_be_foreign() -> None:
    line = Line()
    line.asks(1)
    line.strays.give_up()
    line.asks(2)
    line.comes(frame(1, 0), after_s=1.4)
    assert line.counts == (0, 1)
    assert "as unit 0's, not unit 5's" in line.strays.told[5]


TRANSACTIONS: dict[str, Callable[[int], int]] = {
    "the next": lambda n: n + 1,
    "the one before": lambda n: n - 1,
    "always 1": lambda n: 1,
    "always 0": lambda n: 0,
    "bytes swapped": lambda n: n >> 8 | (n & 255) << 8,
    "of its own": lambda n: 40_000 + n,
}


@pytest.mark.parametrize("name", [name for name in TRANSACTIONS if name != "the one before"])
def test_an_answer_under_another_number_is_foreign_in_every_fashion(name: str) -> None:
    """One less than its request's is the number of a request before, as a late answer's is."""
    line = Line()
    for number in range(2, 30):
        line.asks(number)
        line.comes(frame(TRANSACTIONS[name](number)))
        line.strays.give_up()
    assert line.counts == (0, 28)
    assert "header: ignore_transaction" in line.strays.told[5]


@pytest.mark.parametrize("name", TRANSACTIONS)
def test_where_the_number_may_differ_the_answer_gets_its_requests(name: str) -> None:
    line = Line(Header.IGNORE_TRANSACTION)
    for number in range(2, 30):
        line.asks(number)
        assert line.comes(frame(TRANSACTIONS[name](number))) == frame(number)
    assert (line.counts, line.strays.spent) == ((0, 0), False)


@pytest.mark.parametrize("unit", [0, 1, 255])
def test_where_the_unit_may_differ_the_number_may_not(unit: int) -> None:
    line = Line(Header.IGNORE_UNIT)
    line.asks(7)
    assert line.comes(frame(6, unit)) == frame(6, unit)
    assert line.counts == (0, 1)
    assert line.comes(frame(7, unit)) == frame(7, 5)
    line.asks(8)
    line.strays.give_up()
    line.comes(frame(8, unit), after_s=2.0)
    assert line.counts == (1, 1)


def test_without_numbers_nothing_is_asked_where_another_answer_may_come() -> None:
    """A deadline, an answer that nobody asked for, two answers at once, and another unit's."""
    late = Line(Header.IGNORE_TRANSACTION)
    late.asks(1)
    late.strays.give_up()
    twice = Line(Header.IGNORE_TRANSACTION)
    twice.asks(1)
    assert twice.comes(frame(9), frame(9)) == frame(1) + frame(9)
    unasked = Line(Header.IGNORE_TRANSACTION)
    unasked.asks(1)
    unasked.comes(frame(1))
    unasked.comes(frame(1))
    other = Line(Header.IGNORE_TRANSACTION)
    other.asks(1)
    other.comes(frame(1, unit=6))
    for line in (late, twice, unasked, other):
        assert line.strays.spent
        line.strays.begin()
        assert not line.strays.spent, "a new connection has none of it"
    strict = Line()
    strict.asks(1)
    strict.strays.give_up()
    strict.comes(frame(1), frame(9))
    assert not strict.strays.spent, "numbers tell answers apart"


@pytest.mark.parametrize("name", [name for name in TRANSACTIONS if not name.startswith("always")])
def test_an_answer_that_comes_twice_is_not_the_next_ones_where_its_numbers_change(name: str) -> None:
    """Whatever they mean: a gateway that changes them has none twice in a row."""
    line = Line(Header.IGNORE_TRANSACTION)
    for number in (2, 3):
        line.asks(number)
        assert line.comes(frame(TRANSACTIONS[name](number))) == frame(number)
    line.asks(4)
    assert line.comes(frame(TRANSACTIONS[name](3))) == frame(TRANSACTIONS[name](3))
    assert line.strays.spent
    assert line.counts == (0, 1)


def test_an_answer_that_comes_twice_is_called_that() -> None:
    """It was called unit 5's and not unit 5's."""
    line = Line()
    line.asks(7)
    line.comes(frame(7), frame(7))
    line.comes(frame(7))
    assert line.strays.told[5] == "an answer came twice"


@pytest.mark.parametrize("back", [1, 2, 7])
def test_one_that_comes_twice_some_requests_later_is_none_either(back: int) -> None:
    line = Line(Header.IGNORE_TRANSACTION)
    for number in range(2, 12):
        line.asks(number)
        line.comes(frame(300 + number))
    line.asks(12)
    line.comes(frame(300 + 12 - back))
    assert line.strays.spent


@pytest.mark.parametrize("numbers", [(1, 2) * 8, (1, 2, 3) * 5, (1, 1, 2, 2, 3, 3, 3, 4, 4)])
def test_numbers_that_come_again_by_themselves_are_no_sign_of_anything(numbers: tuple[int, ...]) -> None:
    line = Line(Header.IGNORE_TRANSACTION)
    for asked, number in enumerate(numbers, start=100):
        line.asks(asked)
        assert line.comes(frame(number)) == frame(asked)
    assert not line.strays.spent


def test_where_both_numbers_are_others_no_setting_is_proposed() -> None:
    """Each of the two would be answered with a word for the other."""
    for header in Header:
        line = Line(header)
        line.asks(7)
        line.comes(frame(1, unit=0))
        line.strays.give_up()
        assert "(1 for 7) and as unit 0's, not unit 5's" in line.strays.told[5]
        assert "No header setting takes both" in line.strays.told[5]


def test_without_numbers_an_answer_after_the_deadline_is_late_too() -> None:
    line = Line(Header.IGNORE_TRANSACTION)
    line.asks(3)
    line.strays.give_up()
    line.comes(frame(1), after_s=1.4)
    assert line.counts == (1, 0)
    assert "raise timeout_s to 3" in line.strays.told[5]


def test_what_is_no_whole_frame_is_left_to_pymodbus() -> None:
    line = Line(Header.IGNORE_TRANSACTION)
    line.asks(1)
    for content in (b"", frame(9)[:6], frame(9)[:-1], frame(9, protocol=7)):
        assert line.comes(content) == content
    assert line.comes(frame(9)) == frame(1)
    fresh = Line()
    assert fresh.comes(frame(9)) == frame(9)
    assert fresh.counts == (0, 0), "nobody has asked yet"


@pytest.mark.parametrize(("took_s", "timeout_s"), [(0.2, 1), (1.4, 3), (2.0, 4), (31.0, 60), (300.0, 60)])
def test_a_deadline_is_twice_what_an_answer_takes_in_whole_seconds(took_s: float, timeout_s: float) -> None:
    assert enough_s(took_s) == timeout_s
