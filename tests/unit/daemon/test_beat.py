"""Ticks on a grid of one second: what is missed is counted, and never made up for."""

from __future__ import annotations

import pytest

from derctl.daemon.beat import Beat, ended


@pytest.mark.parametrize(
    ("began_s", "now_s", "missed", "overran", "due_s"),
    [
        (100.0, 100.1, 0, 0, 101.0),
        (100.0, 101.0, 0, 0, 101.0),  # to the moment
        (100.0, 101.1, 1, 1, 102.0),
        (100.0, 102.0, 2, 1, 103.0),  # too late for the one that is due now
        (100.0, 103.5, 3, 1, 104.0),
        (100.4, 100.9, 0, 0, 101.0),  # it was woken late: the next is on the grid again
    ],
)
def test_the_next_tick_is_on_the_grid_and_those_that_are_gone_are_counted(
    began_s: float, now_s: float, missed: int, overran: int, due_s: float
) -> None:
    beat, due = ended(Beat(), 100.0, began_s, now_s, 1.0)
    assert (beat.missed, beat.overran, due) == (missed, overran, due_s)
    assert beat.last_s == pytest.approx(now_s - began_s)


def test_the_slowest_is_remembered() -> None:
    beat, due_s = Beat(), 100.0
    for seconds in (0.1, 3.5, 0.2):
        beat, due_s = ended(beat, due_s, due_s, due_s + seconds, 1.0)
    assert (beat.last_s, beat.worst_s) == (pytest.approx(0.2), 3.5)
    assert (beat.missed, beat.overran) == (3, 1)
