"""A scale factor that is another than before counts once two answers in a row had it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from derctl.core.exchange import Exchange, Read, Write
from derctl.core.scales import NONE, Scale, confirmed, doubt, seen
from derctl.errors import DecodeError, DeviceRefused

MEASURED = Read(address=100, count=4, scales=(1, 3))
TOLD = Read(address=200, count=4, scales=(1, 3), told=True)
MINUS = 0xFFFF
WORDS = st.sampled_from([0, 1, 3, MINUS, 0xFFFE, 0x8000])


def answer(first: int, second: int = 0) -> tuple[int, ...]:
    return (7, first, 8, second)


def after(read: Read, *firsts: int) -> Scale:
    scale = NONE
    for first in firsts:
        scale = seen(scale, read, answer(first))
    return scale


@pytest.mark.parametrize("read", [MEASURED, TOLD])
@pytest.mark.parametrize(
    ("firsts", "counts"),
    [
        ((0,), True),
        ((0, 3), False),
        ((0, 0), True),
        ((0, 0, 3), False),
        ((0, 0, 3, 0), True),
        ((0, 0, 3, 3), True),
        ((0, 0, 3, MINUS, 3), False),
        ((0, 0, 3, 0, 3), False),
        ((0, 3, 3), True),
        ((0, 3, 0, 3), False),
    ],
)
def test_what_two_answers_in_a_row_had_counts(read: Read, firsts: tuple[int, ...], counts: bool) -> None:
    assert after(read, *firsts).counts is counts


def test_a_change_back_is_a_change_where_something_is_written_by_it_and_else_known() -> None:
    """Fronius inverters change those of measured values to and fro (dbus-fronius#17)."""
    assert after(MEASURED, 0, 0, MINUS, MINUS, 0).counts
    assert not after(TOLD, 0, 0, MINUS, MINUS, 0).counts
    assert after(TOLD, 0, 0, MINUS, MINUS, 0, 0).counts


def test_each_register_is_confirmed_by_itself_and_all_of_them_have_to_be() -> None:
    scale = seen(seen(NONE, TOLD, answer(0, 0)), TOLD, answer(0, 5))
    assert not scale.counts
    assert doubt(scale, TOLD) == "the scale factor in register 203 reads 5 after 0: it counts once it is read twice"
    assert seen(scale, TOLD, answer(0, 5)).counts


def test_a_doubt_says_where_it_stands_and_what_it_was() -> None:
    text = doubt(after(MEASURED, 0, 0, MINUS, MINUS, 3), MEASURED)
    assert text == "the scale factor in register 101 reads 3 after 0 or -1: it counts once it is read twice"
    assert doubt(after(MEASURED, 0, 0), MEASURED) == ""


@given(st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=30), st.booleans())
def test_nothing_but_the_first_counts_that_never_came_twice_in_a_row(
    pairs: list[tuple[int, int]], told: bool
) -> None:
    read, scale = (TOLD if told else MEASURED), NONE
    for n, pair in enumerate(pairs):
        scale = seen(scale, read, answer(*pair))
        for place in (0, 1):
            column = [each[place] for each in pairs[: n + 1]]
            runs = [a for a, b in pairwise(column) if a == b]
            runs = [column[0], *runs]
            believed = column[n] in (runs[-1:] if told else runs)
            assert (column[n] in scale.known[place]) is believed
        if n and pairs[n - 1] == pair:
            assert scale.counts


def asks(*ops: Read | Write) -> Exchange[list[Any]]:
    found: list[Any] = []
    for op in ops:
        answer = yield op
        found.append(answer)
    return found


def run(exchange: Exchange[Any], answers: list[Any]) -> tuple[Any, list[Any]]:
    """What it returns, and what it asked for."""
    asked: list[Any] = []
    try:
        op = next(exchange)
        while True:
            asked.append(op)
            given = answers.pop(0)
            op = exchange.throw(given) if isinstance(given, Exception) else exchange.send(given)
    except StopIteration as stop:
        return stop.value, asked


KNOWN = {TOLD: after(TOLD, 0, 0)}
PLAIN = Read(address=300, count=1)


def test_a_block_with_the_known_scale_factors_is_read_once() -> None:
    write = Write(address=1, values=(1,))
    found, asked = run(confirmed(asks(write, TOLD, PLAIN), KNOWN), [(), answer(0), (9,)])
    assert found == [(), answer(0), (9,)]
    assert asked == [write, TOLD, PLAIN]


def test_one_with_others_is_read_again_and_counts_by_the_second_answer() -> None:
    again = (99, 3, 99, 0)
    found, asked = run(confirmed(asks(TOLD), KNOWN), [answer(3), again])
    assert (found, asked) == ([again], [TOLD, TOLD])


def test_one_that_was_never_read_is_read_once() -> None:
    found, asked = run(confirmed(asks(TOLD), {}), [answer(3)])
    assert (found, asked) == ([answer(3)], [TOLD])


def test_a_lie_in_the_first_answer_is_mended_by_the_second() -> None:
    assert run(confirmed(asks(TOLD), KNOWN), [answer(3), answer(0)])[0] == [answer(0)]


def test_two_answers_that_differ_are_none() -> None:
    with pytest.raises(DecodeError, match="register 201 reads 5 after 0"):
        run(confirmed(asks(TOLD), KNOWN), [answer(3), answer(5)])


def test_a_refusal_passes_and_an_exchange_that_asks_for_nothing_ends() -> None:
    refused = DeviceRefused(4, function=3, address=200, count=4)
    with pytest.raises(DeviceRefused):
        run(confirmed(asks(TOLD), KNOWN), [refused])
    assert run(confirmed(asks(), KNOWN), []) == ([], [])


def test_a_block_with_one_scale_factor_is_confirmed_as_one_with_several() -> None:
    read = Read(address=300, count=2, scales=(1,))
    first = seen(NONE, read, (7, 0))
    assert first.counts and not seen(first, read, (7, 3)).counts
    assert seen(seen(first, read, (7, 3)), read, (7, 3)).counts
