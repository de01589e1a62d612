"""Bytes of a line, taken apart: the answer, and what everything else is."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from derctl.core.exchange import Read, Write
from derctl.links.wires.codec import request_of
from derctl.links.wires.hearing import BROKEN_AFTER_S, KEPT, Hearing
from hil.rtu import crc

READ = Read(address=40000, count=2)
OTHER = Read(address=40100, count=3)
ONE = Write(address=40200, values=(5,), function=6)


def framed(content: bytes) -> bytes:
    return content + crc(content)


def request(op: Read | Write = READ, unit: int = 1) -> bytes:
    pdu = request_of(unit, op)
    return framed(bytes((unit, pdu.function_code)) + pdu.encode())


def answer(op: Read | Write = READ, unit: int = 1, word: int = 7) -> bytes:
    if isinstance(op, Read):
        return framed(bytes((unit, op.function, 2 * op.count)) + op.count * word.to_bytes(2, "big"))
    return request(op, unit) if op.function == 6 else framed(request(op, unit)[:6])


REFUSED = framed(b"\x01\x83\x02")


@dataclass
class Clock:
    now_s: float = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hearing(clock: Clock) -> Hearing:
    return Hearing(clock=clock)


def missed(hearing: Hearing, clock: Clock, op: Read | Write = READ, unit: int = 1) -> None:
    """Asked, and given up a second later."""
    hearing.watch(True, request(op, unit))
    clock.now_s += 1.0
    hearing.give_up()


@pytest.mark.parametrize("op", [READ, ONE, Write(address=40200, values=(1, 2)), Read(address=1, count=2, function=4)])
def test_the_answer_is_taken_when_it_is_whole(hearing: Hearing, op: Read | Write) -> None:
    hearing.watch(True, request(op))
    whole = answer(op)
    assert [hearing.take(bytes((byte,))) for byte in whole] == [None] * (len(whole) - 1) + [whole]
    assert hearing.take(whole) is None
    assert (hearing.tally.late, hearing.tally.foreign) == (0, 1)


def test_noise_before_the_answer_is_passed_over(hearing: Hearing) -> None:
    hearing.watch(True, request())
    assert hearing.take(b"\x01\x03\xff" + answer()) == answer()


def test_another_units_answer_is_none_of_this_request(hearing: Hearing) -> None:
    hearing.watch(True, request())
    assert hearing.take(answer(unit=2)) is None
    assert hearing.take(answer()) == answer()
    assert hearing.tally.foreign == 1


def test_a_wrong_length_is_handed_on_so_that_it_can_be_told(hearing: Hearing) -> None:
    hearing.watch(True, request())
    assert hearing.take(answer(OTHER)) == answer(OTHER)


def test_a_late_answer_is_told_and_never_taken(hearing: Hearing, clock: Clock) -> None:
    missed(hearing, clock)
    hearing.watch(True, request(OTHER))
    clock.now_s += 0.5
    assert hearing.take(answer() + answer(OTHER)) == answer(OTHER)
    assert hearing.tally.late == 1
    assert not hearing.told, "it has answered in time since"


def test_a_late_answer_of_another_unit_is_told_of_that_one(hearing: Hearing, clock: Clock) -> None:
    missed(hearing, clock, unit=2)
    hearing.watch(True, request())
    clock.now_s += 0.5
    assert hearing.take(answer(unit=2) + answer()) == answer()
    assert hearing.told == {2: "answers arrive late, after 1.5 s: raise timeout_s to 3"}
    assert not hearing.owed(2).answers


def test_a_refusal_that_may_be_late_is_not_taken_for_the_next_ones(hearing: Hearing, clock: Clock) -> None:
    missed(hearing, clock)
    hearing.watch(True, request(OTHER))
    assert hearing.take(REFUSED) is None
    assert hearing.take(REFUSED) == REFUSED


def test_an_answer_that_is_only_this_ones_settles_all_before_it(hearing: Hearing, clock: Clock) -> None:
    missed(hearing, clock)
    hearing.watch(True, request(OTHER))
    hearing.take(answer(OTHER))
    assert [each.presumed for each in hearing.owed(1).answers] == [True]


def test_what_was_presumed_not_to_come_is_late_where_it_comes_beside_the_answer(
    hearing: Hearing, clock: Clock
) -> None:
    missed(hearing, clock)
    hearing.watch(True, request(OTHER))
    hearing.take(answer(OTHER))
    hearing.watch(True, request())
    assert hearing.take(answer()) == answer(), "the only one so far"
    hearing.watch(True, request(OTHER))
    assert hearing.take(answer() + answer(OTHER)) == answer(OTHER)
    assert hearing.tally.late == 1


def test_an_echo_is_cut_off_and_a_copy_of_a_single_write_is_no_answer_then(hearing: Hearing) -> None:
    hearing.watch(True, request())
    assert hearing.take(request()) is None
    assert hearing.take(answer()) == answer()
    hearing.watch(True, request(ONE))
    assert hearing.take(request(ONE)) is None
    assert hearing.take(answer(ONE)) == answer(ONE)


def test_an_adapter_that_stopped_to_hear_itself_is_known_by_the_next_read(hearing: Hearing) -> None:
    hearing.watch(True, request())
    hearing.take(request() + answer())
    assert hearing.echoes
    hearing.watch(True, request())
    hearing.take(answer())
    hearing.watch(True, request(ONE))
    assert hearing.take(answer(ONE)) == answer(ONE)


def test_as_many_bytes_as_an_answer_has_that_are_none_were_it(hearing: Hearing) -> None:
    hearing.watch(True, request())
    hearing.take(answer()[:-1])
    assert hearing.broken == 0
    hearing.take(b"\x00")
    assert hearing.broken == len(answer())
    hearing.spoil()
    hearing.give_up()
    assert not hearing.owed(1).answers


def test_bytes_that_nobody_asked_for_are_forgotten_after_a_pause(hearing: Hearing, clock: Clock) -> None:
    missed(hearing, clock)
    hearing.take(b"\x09")
    clock.now_s += 2 * BROKEN_AFTER_S
    hearing.take(answer())
    assert hearing.tally.late == 1


def test_a_line_that_babbles_fills_no_memory(hearing: Hearing) -> None:
    hearing.watch(True, request())
    for _ in range(100):
        hearing.take(bytes(100))
    assert hearing.broken == KEPT


def test_what_is_owed_is_so_when_the_port_is_opened_anew(hearing: Hearing, clock: Clock) -> None:
    hearing.watch(True, request())
    hearing.begin()
    assert hearing.heard_s == clock.now_s, "somebody may have spoken a moment ago"
    assert hearing.owed(1).answers
    hearing.take(answer())
    assert hearing.tally.late == 1
