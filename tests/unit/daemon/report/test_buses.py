"""The load of a bus and the ages of its readings, as measured over the last minute or two."""

from __future__ import annotations

import pytest

from derctl.daemon.report.buses import WINDOW_S, Mark, Measured, load_pct, seen


def ticks(
    seconds: int, busy_s: float, *, age_s: float = 0.4, begin: Measured | None = None, first: int = 0
) -> Measured:
    """A bus that is busy for so long in each second, with two requests."""
    measured = begin or Measured(now=Mark(at_s=0.0))
    for second in range(first, first + seconds):
        now = Mark(at_s=float(second + 1), busy_s=busy_s * (second + 1), requests=2 * (second + 1))
        measured = seen(measured, {"pv1": age_s}, now)
    return measured


def mark(second: int, busy_s: float) -> Mark:
    return Mark(at_s=float(second), busy_s=busy_s * second, requests=2 * second)


def test_the_load_is_the_time_that_requests_and_their_pauses_take() -> None:
    measured = ticks(30, 0.25)
    assert load_pct(measured, mark(30, 0.25), 0.0) == pytest.approx(25.0)
    assert load_pct(measured, mark(30, 0.25), 0.3) == pytest.approx(85.0)
    assert load_pct(measured, mark(30, 0.25), 1.0) == 100.0
    assert load_pct(Measured(now=Mark(at_s=3.0)), Mark(at_s=3.0), 0.0) is None


def test_what_was_longer_ago_than_two_windows_counts_no_more() -> None:
    long = int(WINDOW_S)
    measured = ticks(long, 0.9, age_s=7.0)
    assert measured.oldest_s == {"pv1": 7.0}
    for second in range(long, 3 * long + 1):
        now = Mark(at_s=float(second + 1), busy_s=0.9 * long + 0.1 * (second + 1 - long), requests=2 * (second + 1))
        measured = seen(measured, {"pv1": 0.4}, now)
    assert measured.oldest_s == {"pv1": 0.4}
    assert load_pct(measured, now, 0.0) == pytest.approx(10.0)


def test_an_age_that_is_no_older_changes_nothing() -> None:
    measured = ticks(5, 0.1)
    assert seen(measured, {"pv1": 0.3}, mark(6, 0.1)) is measured
