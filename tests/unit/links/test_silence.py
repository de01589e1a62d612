"""How long a unit has been silent, and when it is asked again."""

from __future__ import annotations

import pytest

from derctl.links.silence import DEMOTED_MAX_S, HEARD, UNKNOWN, Silence, deeper, pause_s, unheard

NOW_S = 100.0


def silent(times: int, silence: Silence = HEARD, *, timeout_s: float = 1.0, alone: bool = False) -> Silence:
    """So many requests in a row without an answer, on one connection."""
    for _ in range(times):
        silence = deeper(silence, 1, NOW_S, timeout_s=timeout_s, alone=alone)
    return silence


@pytest.mark.parametrize(
    ("times", "timeout_s", "waits_s"),
    [
        (0, 1.0, 0.0),
        (1, 1.0, 0.0),  # one silence is usual
        (2, 1.0, 1.0),
        (3, 1.0, 2.0),
        (4, 1.0, 4.0),
        (5, 1.0, DEMOTED_MAX_S),
        (2000, 1.0, DEMOTED_MAX_S),  # 2^1024 is more than a float holds
        (2, 0.25, 0.25),
        (3, 0.25, 0.5),
        (2, 60.0, DEMOTED_MAX_S),
    ],
)
def test_who_is_silent_twice_in_a_row_waits_ever_longer_and_never_longer_than_five_seconds(
    times: int, timeout_s: float, waits_s: float
) -> None:
    assert max(pause_s(silent(times, timeout_s=timeout_s), 1, NOW_S), 0.0) == waits_s


def test_a_pause_passes() -> None:
    assert [pause_s(silent(3), 1, NOW_S + later_s) for later_s in (0.5, 2.0, 3.0)] == [1.5, 0.0, -1.0]


def test_who_has_the_wire_to_itself_holds_up_nobody() -> None:
    assert pause_s(silent(9, alone=True), 1, NOW_S) <= 0.0


def test_a_new_connection_asks_every_unit_at_once_and_counts_its_silences_anew() -> None:
    before = silent(9)
    assert pause_s(before, 2, NOW_S) <= 0.0
    once = deeper(before, 2, NOW_S, timeout_s=1.0, alone=False)
    assert (once.silent, pause_s(once, 2, NOW_S) <= 0.0) == (1, True)
    assert pause_s(deeper(once, 2, NOW_S, timeout_s=1.0, alone=False), 2, NOW_S) == 1.0


@pytest.mark.parametrize("times", [1, 9])
def test_who_has_answered_once_is_known_for_ever(times: int) -> None:
    assert silent(times).known
    assert not silent(times, UNKNOWN).known


@pytest.mark.parametrize(
    ("silence", "stray", "says", "hint"),
    [
        (UNKNOWN, "", "no answer", "is the unit id right? derctl scan 192.0.2.1 -u 6"),
        (HEARD, "", "no answer", ""),
        (UNKNOWN, "one came after 1.4 s", "no answer, but one came after 1.4 s", ""),
        (HEARD, "one came after 1.4 s", "no answer, but one came after 1.4 s", ""),
    ],
)
def test_only_who_was_never_heard_in_any_way_may_have_another_id(
    silence: Silence, stray: str, says: str, hint: str
) -> None:
    told = unheard("no answer", silence, stray, "192.0.2.1 -u 6")
    assert (str(told), told.stray, told.hint) == (says, stray, hint)
