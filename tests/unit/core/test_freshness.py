"""How old a reading may be: by the bus that brings it."""

from __future__ import annotations

import pytest

from derctl.core.freshness import METER_STALE_MAX_S, STALE_MAX_S, Round, period_s, stale_s


@pytest.mark.parametrize(
    ("tick_s", "round_", "old_s"),
    [
        (1.0, Round(), 3.0),
        (1.0, Round(requests=4, answer_s=0.05), 3.0),
        (0.1, Round(requests=2, answer_s=0.02), 1.0),
        (5.0, Round(requests=4, answer_s=0.05), 15.0),
        (1.0, Round(requests=10, answer_s=0.1, writes=4), 3.0),
    ],
)
def test_where_a_poll_fits_into_a_tick_three_ticks_count(tick_s: float, round_: Round, old_s: float) -> None:
    assert stale_s(tick_s, round_) == pytest.approx(old_s)


@pytest.mark.parametrize(
    ("tick_s", "round_", "old_s"),
    [
        (1.0, Round(requests=3, min_interval_s=1.0), 9.0),
        (1.0, Round(requests=3, min_interval_s=1.0, answer_s=0.05), 12.0),
        (1.0, Round(requests=3, min_interval_s=1.0, writes=4), 13.0),
        (0.5, Round(requests=3, min_interval_s=0.25, answer_s=0.01), 3.0),
        (2.0, Round(requests=3, answer_s=1.4), 18.0),
        (1.0, Round(requests=2, answer_s=0.05, lost_s=2.0), 5.0),
    ],
)
def test_a_bus_that_needs_longer_gets_three_of_its_polls(tick_s: float, round_: Round, old_s: float) -> None:
    assert stale_s(tick_s, round_) == pytest.approx(old_s)


def test_a_poll_begins_with_a_tick() -> None:
    assert period_s(1.0, Round(requests=3, min_interval_s=1.0)) == 3.0
    assert period_s(1.0, Round(requests=3, min_interval_s=1.0, answer_s=0.01)) == 4.0
    assert period_s(1.0, Round(requests=0)) == 1.0


def test_no_bus_is_slow_enough_for_a_reading_to_count_for_ever() -> None:
    slow = Round(requests=20, min_interval_s=10.0, answer_s=60.0, lost_s=60.0)
    assert stale_s(1.0, slow) == STALE_MAX_S
    assert stale_s(1.0, slow, METER_STALE_MAX_S) == METER_STALE_MAX_S
    assert stale_s(60.0, slow, METER_STALE_MAX_S) == 180.0, "what a long tick gives is the site's own word"
