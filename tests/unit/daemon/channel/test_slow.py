"""Which slow block is next, from tables; over buses in time: test_slow_blocks."""

from __future__ import annotations

from collections import Counter

from derctl.core.freshness import SLOW_EVERY_S
from derctl.daemon.channel import slow as slows
from derctl.daemon.channel.slow import OWN_KEEP_S, SLOW_KEEP_S, Slow

NAMES = ["own_705", "soc", "own_706", "own_711"]


def read_for(seconds: int, *, names: list[str] = NAMES, first: bool = False, steps: int = 10) -> Counter[str]:
    """How often each block is read when the bus always has time, asked ten times a second."""
    slow, count = Slow(), Counter[str]()
    for tick in range(seconds * steps):
        now_s = tick / steps
        name = slows.due(slow, names, now_s, first=first)
        if name is not None:
            slow = slows.answered(slows.asked(slow, name, names, now_s), name, now_s)
            count[name] += 1
    return count


def test_each_block_is_read_about_every_five_seconds_and_none_more_often() -> None:
    count = read_for(600)
    assert set(count) == set(NAMES)
    assert all(600 / SLOW_EVERY_S * 0.9 <= n <= 600 / SLOW_EVERY_S for n in count.values())


def test_a_device_without_slow_blocks_is_asked_for_none() -> None:
    assert read_for(60, names=[]) == Counter()


def test_where_time_is_short_only_what_has_a_pace_of_its_own_is_due() -> None:
    assert set(read_for(60, first=True)) == set(SLOW_KEEP_S)


def test_what_has_a_pace_of_its_own_goes_first() -> None:
    assert slows.due(Slow(), NAMES, 0.0, first=False) == "soc"


def test_an_answer_counts_for_as_long_as_its_block_is_kept() -> None:
    slow = slows.answered(slows.answered(Slow(), "soc", 0.0), "own_705", 0.0)
    assert slows.expired(slow, SLOW_KEEP_S["soc"]) == []
    assert slows.expired(slow, SLOW_KEEP_S["soc"] + 0.1) == ["soc"]
    assert slows.expired(slow, OWN_KEEP_S + 0.1) == ["soc", "own_705"]
    assert slows.expired(slows.without(slow, ["soc"]), OWN_KEEP_S + 0.1) == ["own_705"]


def test_a_block_that_could_not_be_read_has_had_its_turn_and_keeps_its_last_answer() -> None:
    slow = slows.asked(slows.answered(Slow(), "soc", 0.0), "soc", NAMES, 5.0)
    assert slow.read_s == {"soc": 0.0}
    assert slows.due(slow, ["soc"], 6.0, first=False) is None


def test_a_block_with_a_pace_of_its_own_is_due_when_its_time_has_come_and_not_before() -> None:
    slow = slows.asked(Slow(), "soc", NAMES, 100.0)
    early, late = 100.0 + SLOW_EVERY_S - 0.1, 100.0 + SLOW_EVERY_S
    assert [slows.due(slow, NAMES, at, first=True) for at in (early, late)] == [None, "soc"]
