"""Energy out of counters: what wraps, restarts, steps back and jumps; and out of power where there is no counter."""

from __future__ import annotations

import pytest

from derctl.core.types import Reading
from derctl.store.counting import By, How, Meter, Side, moved

ACC32 = 2.0**32
"""SunSpec: acc32 is an unsigned 32-bit accumulator; it begins anew behind 4,294,967,295."""


@pytest.mark.parametrize(
    ("before", "now", "most", "how", "wh"),
    [
        (1000.0, 1000.0, 5.0, How.COUNTED, 0.0),
        (1000.0, 1003.0, 5.0, How.COUNTED, 3.0),
        (1000.0, 2000.0, 1.0, How.COUNTED, 1000.0),  # whole kWh
        (1000.0, 50_000.0, 5.0, How.JUMPED, None),
        (0.0, 12_345_678.0, 5.0, How.JUMPED, None),  # back from a reading of 0
        (ACC32 - 2.0, 1.0, 5.0, How.WRAPPED, 3.0),
        (ACC32 * 10.0 - 10.0, 10.0, 5.0, How.WRAPPED, 20.0),  # scale factor 1
        (ACC32 / 10.0 - 0.2, 0.1, 5.0, How.WRAPPED, 0.3),  # scale factor -1
        (12_345_678.0, 3.0, 5.0, How.RESTARTED, 3.0),
        (12_345_678.0, 0.0, 5.0, How.RESTARTED, 0.0),
        (600.0, 0.0, 5.0, How.RESTARTED, 0.0),
        (12_345_678.0, 12_345_670.0, 5.0, How.STEPPED_BACK, 0.0),
        (12_345_678.0, 8_000_000.0, 5.0, How.JUMPED, None),  # another device
        (64_900.0, 2.0, 500.0, How.RESTARTED, 2.0),  # not a wrap of 16 bits at 65,536
    ],
)
def test_how_a_counter_moved(before: float, now: float, most: float, how: How, wh: float | None) -> None:
    found = moved(before, now, most)
    assert found.how is how
    assert found.wh == (None if wh is None else pytest.approx(wh, abs=1e-6))


def test_a_counter_that_steps_back_is_not_counted_twice() -> None:
    side = Side()
    for at_s, wh in enumerate((5000.0, 5010.0, 5004.0, 5010.0, 5012.0)):
        side.look(wh, None, 5000.0, float(at_s))
    assert (side.wh, side.by, side.hows) == (12.0, By.COUNTER, {How.STEPPED_BACK})


def test_a_counter_that_reads_nothing_for_a_while_loses_nothing() -> None:
    side = Side()
    for at_s, wh in enumerate((100.0, None, None, 130.0)):
        side.look(wh, None, 5000.0, float(at_s))
    assert side.wh == 30.0


def test_where_the_counter_jumps_the_power_counts_and_says_so() -> None:
    side = Side()
    for at_s, wh in enumerate((100.0, 101.0, 9e6, 9e6 + 1.0)):
        side.look(wh, 0.9, 5000.0, float(at_s))
    assert (side.wh, side.by, side.hows) == (pytest.approx(2.0 + 0.9 + 0.9), By.BOTH, {How.JUMPED})


def test_without_a_counter_the_power_counts_each_way() -> None:
    meter = Meter(most_w=5000.0)
    for at_s, p_w in enumerate((3600.0, 3600.0, 3600.0, -7200.0)):
        meter.look(Reading(p_w=p_w), float(at_s))
    assert (meter.out.wh, meter.out.by, meter.into.wh) == (pytest.approx(2.0), By.POWER, pytest.approx(2.0))
    assert (meter.covered_s, meter.p_w) == (3.0, (-7200.0, 3600.0))


def test_a_power_does_not_count_over_a_silence() -> None:
    meter = Meter(most_w=5000.0)
    meter.look(Reading(p_w=3600.0), 0.0)
    meter.look(Reading(p_w=3600.0), 60.0)
    assert (meter.out.wh, meter.covered_s) == (None, 0.0)


def test_nothing_known_is_nothing_and_not_zero() -> None:
    assert (Side().wh, Side().by) == (None, None)
