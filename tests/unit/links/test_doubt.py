"""What speaks against a connection, and when the next one is tried."""

from __future__ import annotations

from itertools import pairwise

import pytest

from derctl.links.doubt import (
    CONNECT_GAP_S,
    CONNECT_TRIES,
    GIVE_UP_AFTER,
    GIVE_UP_PATIENT,
    Doubt,
    answered,
    next_s,
    renewed,
    silent,
    tried,
)


def up(doubt: Doubt, connects: int = 1) -> Doubt:
    """Connected so many times in a row; nobody said a word."""
    for n in range(connects):
        doubt = renewed(tried(doubt, float(n)))
    return doubt


def borne(doubt: Doubt) -> int:
    """Silences until the connection is given up."""
    count = 0
    while not doubt.given_up:
        doubt, count = silent(doubt), count + 1
    return count


HEARD = answered(up(Doubt()))


@pytest.mark.parametrize(
    ("before", "connects", "silences"),
    [
        (HEARD, 0, GIVE_UP_AFTER),
        (HEARD, 1, GIVE_UP_AFTER),
        (HEARD, 2, GIVE_UP_AFTER),  # somebody answered in time lately: a device that restarts is reached at once
        (HEARD, 6, GIVE_UP_AFTER),
        (HEARD, CONNECT_TRIES + 2, GIVE_UP_PATIENT),  # nobody has for a minute
        (HEARD, CONNECT_TRIES + 3, GIVE_UP_AFTER),
        (HEARD, CONNECT_TRIES + 6, GIVE_UP_PATIENT),
        (Doubt(), 1, GIVE_UP_AFTER),
        (Doubt(), 2, GIVE_UP_PATIENT),  # nobody ever: one connection in four is kept for who is very late
        (Doubt(), 3, GIVE_UP_AFTER),
        (Doubt(), 5, GIVE_UP_AFTER),
        (Doubt(), 6, GIVE_UP_PATIENT),
    ],
)
def test_a_connection_bears_three_silences_in_a_row_and_now_and_then_twelve(
    before: Doubt, connects: int, silences: int
) -> None:
    assert borne(up(before, connects)) == silences


@pytest.mark.parametrize("clears", [answered, renewed])
def test_an_answer_and_a_new_connection_clear_the_silences(clears: object) -> None:
    doubted = silent(silent(HEARD))
    assert callable(clears)
    assert borne(doubted) == 1
    assert borne(clears(doubted)) == GIVE_UP_AFTER


def test_a_usual_answer_makes_nothing_anew() -> None:
    assert answered(HEARD) is HEARD
    assert answered(silent(HEARD)) == HEARD


@pytest.mark.parametrize(
    ("tries", "most_s", "gap_s"),
    [
        (1, 8.0, CONNECT_GAP_S),
        (CONNECT_TRIES, 8.0, CONNECT_GAP_S),
        (CONNECT_TRIES + 1, 8.0, 2.0),
        (CONNECT_TRIES + 2, 8.0, 4.0),
        (CONNECT_TRIES + 3, 8.0, 8.0),
        (CONNECT_TRIES + 4, 8.0, 8.0),
        (CONNECT_TRIES + 2000, 130.0, 130.0),
        (CONNECT_TRIES + 9, 0.1, CONNECT_GAP_S),  # no device is stormed, whatever its profile says
    ],
)
def test_a_wire_is_tried_once_a_second_for_a_minute_and_then_ever_less_often(
    tries: int, most_s: float, gap_s: float
) -> None:
    assert next_s(Doubt(tries=tries, tried_s=50.0), most_s) == 50.0 + gap_s


def test_only_an_answer_ends_the_back_off() -> None:
    doubt = up(HEARD, CONNECT_TRIES + 3)
    assert next_s(doubt, 8.0) - doubt.tried_s == 8.0, "connecting alone proves nothing"
    doubt = tried(answered(doubt), 500.0)
    assert next_s(doubt, 8.0) - 500.0 == CONNECT_GAP_S


def test_a_storm_makes_at_most_one_connect_a_second() -> None:
    doubt, begun = Doubt(), [0.0]
    for _ in range(300):
        doubt = tried(doubt, begun[-1])
        begun.append(next_s(doubt, 8.0))
    gaps = [later - earlier for earlier, later in pairwise(begun)]
    assert (min(gaps), max(gaps)) == (CONNECT_GAP_S, 8.0)
