"""Memory that a start takes is no growth, and a leak is one, in each life of the daemon."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hil.memory import GROWTH_MB, Memory

STEP_S = 0.1
TICKS: dict[str, Any] = {"loop": {"ticks": 1}}


def life(
    memory: Memory, rss_mb: Callable[[float], float], seconds: float, *, start: int = 1, at_s: float = 0.0
) -> None:
    """One that ticks from its begin on; its status is another object each time."""
    for n in range(int(seconds / STEP_S)):
        memory.weigh({"starts": start, "rss_mb": rss_mb(n * STEP_S)}, dict(TICKS), at_s + n * STEP_S)


@pytest.mark.parametrize(
    ("rss_mb", "seconds", "leaks"),
    [
        (lambda t_s: 37.0 + min(t_s, 12.0), 60.0, False),
        (lambda t_s: 50.0 + 10.0 * (1.0 - 2.0 ** (-t_s / 10.0)), 300.0, False),
        (lambda t_s: 50.0 + t_s, 20.0, False),
        (lambda t_s: 50.0 + t_s, 30.0, True),
        (lambda t_s: 50.0 + 0.1 * t_s, 120.0, False),
        (lambda t_s: 50.0 + 0.1 * t_s, 180.0, True),
        (lambda t_s: 50.0 + (9.0 if t_s > 50.0 else 0.0), 60.0, True),
    ],
    ids=["start", "ring", "short", "fast leak", "little", "slow leak", "one gulp"],
)
def test_what_grows_from_the_half_of_its_life_on_is_a_leak(
    rss_mb: Callable[[float], float], seconds: float, leaks: bool
) -> None:
    memory = Memory()
    life(memory, rss_mb, seconds)
    assert (memory.grown_mb > GROWTH_MB) is leaks
    assert bool(memory.faults()) is leaks


def test_each_life_is_judged_by_itself_and_a_leak_of_one_stays_said() -> None:
    memory = Memory()
    life(memory, lambda t_s: 30.0, 60.0)
    life(memory, lambda t_s: 60.0, 60.0, start=2, at_s=60.0)
    assert memory.grown_mb == 0.0, "another process is no growth"
    life(memory, lambda t_s: 60.0 + t_s, 40.0, start=3, at_s=120.0)
    life(memory, lambda t_s: 60.0, 60.0, start=4, at_s=160.0)
    assert memory.faults()


def test_a_life_begins_with_its_first_tick_whatever_the_one_before_has_left() -> None:
    """A busy machine needs 9 s for a start: what comes in meanwhile is none of its growth."""
    memory, stale = Memory(), dict(TICKS)
    memory.weigh({"starts": 1, "rss_mb": 60.0}, stale, 0.0)
    for n in range(200):
        memory.weigh({"starts": 2, "rss_mb": 20.0 + n}, stale, 1.0 + 0.1 * n)
    assert memory.seen_s == []
    memory.weigh({"starts": 2, "rss_mb": 220.0}, {"loop": {}}, 21.0)
    memory.weigh({"starts": 2, "rss_mb": 220.0}, None, 21.1)
    memory.weigh({"starts": 2, "rss_mb": None}, dict(TICKS), 21.2)
    assert memory.seen_s == []
    life(memory, lambda t_s: 220.0, 60.0, start=2, at_s=22.0)
    assert (memory.seen_s[0], memory.grown_mb) == (22.0, 0.0)
