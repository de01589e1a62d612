"""The deadline that is learned."""

from __future__ import annotations

import pytest

from derctl.links.latency import FRESH, Latency, deadline_s, took, unanswered


def after(*seconds: float, silent: int = 0) -> Latency:
    latency = FRESH
    for each in seconds:
        latency = took(latency, each)
    for _ in range(silent):
        latency = unanswered(latency)
    return latency


@pytest.mark.parametrize(
    ("latency", "expected_s"),
    [
        (FRESH, 1.0),  # who never answered has the configured deadline
        (after(silent=1), 1.0),
        (after(0.01), 0.35),  # the floor and the time on the line
        (after(0.1), 0.45),  # four times
        (after(0.1, 0.2), 0.85),  # what is slower counts at once
        (after(0.2, 0.1), 0.8),  # what is faster by an eighth: 0.1875 s
        (after(0.5), 1.0),  # the configured one is the ceiling
        (after(0.01, silent=1), 0.7),
        (after(0.01, silent=2), 1.0),
        (after(0.01, silent=99), 1.0),
        (took(after(0.01, silent=2), 0.01), 0.35),
        (after(-0.01), 0.35),  # a clock's grain
    ],
)
def test_a_deadline_is_four_times_the_filtered_latency(latency: Latency, expected_s: float) -> None:
    assert deadline_s(latency, 0.05, floor_s=0.3, most_s=1.0) == pytest.approx(expected_s)
