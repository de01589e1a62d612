"""Excursions are counted, and the third long one within a day locks out for four hours: ENA G100."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from derctl.core.excursions import Memory, Rule, stepped

G100 = Rule(most=3, within_s=86_400.0, lock_s=14_400.0)


def passed(memory: Memory, *spells: tuple[float, float | None], rule: Rule | None = G100) -> Memory:
    """For so many seconds so many watts above the limit, a tick a second."""
    for seconds, excess_w in spells:
        for _ in range(int(seconds)):
            memory = stepped(memory, excess_w, containment_s=15.0, rule=rule, dt_s=1.0)
    return memory


SHORT, LONG, REST = (14, 500.0), (16, 500.0), (60, -50.0)


@pytest.mark.parametrize(
    ("spells", "count", "long", "locked"),
    [
        ((REST,), 0, 0, False),
        ((SHORT, REST), 1, 0, False),
        ((SHORT, REST) * 9, 9, 0, False),
        ((LONG, REST), 1, 1, False),
        ((LONG,), 1, 1, False),
        ((LONG, REST) * 2, 2, 2, False),
        ((LONG, REST) * 3, 3, 0, True),
        (((900, 500.0),), 1, 1, False),
        ((LONG, (1, -1.0), LONG, (1, -1.0), LONG), 3, 0, True),
    ],
)
def test_what_is_longer_than_contained_counts_and_the_third_locks_out(
    spells: tuple[tuple[float, float], ...], count: int, long: int, locked: bool
) -> None:
    found = passed(Memory(), *spells)
    assert (found.count, len(found.ages_s), found.locked) == (count, long, locked)


def test_exactly_at_the_limit_is_no_excursion() -> None:
    assert passed(Memory(), (60, 0.0)) == Memory()


def test_the_lockout_lasts_four_hours_and_begins_with_a_clean_count() -> None:
    locked = passed(Memory(), *(LONG, REST) * 2, LONG)
    assert locked.locked_s == pytest.approx(14_400.0, abs=2.0)
    waited = stepped(locked, -50.0, containment_s=15.0, rule=G100, dt_s=14_390.0)
    assert waited.locked and not stepped(waited, -50.0, containment_s=15.0, rule=G100, dt_s=20.0).locked
    assert waited.ages_s == ()


def test_a_day_later_they_are_forgotten() -> None:
    two = passed(Memory(), *(LONG, REST) * 2)
    for rule in (G100, None):
        old = stepped(two, -50.0, containment_s=15.0, rule=rule, dt_s=86_400.0)
        assert old.ages_s == ()
    assert not passed(old, LONG).locked


def test_without_a_rule_they_are_counted_and_nothing_follows() -> None:
    found = passed(Memory(), *(LONG, REST) * 5, rule=None)
    assert (found.count, len(found.ages_s), found.locked) == (5, 5, False)
    assert found.longest_s == 16.0


def test_a_meter_that_is_not_heard_ends_no_excursion_and_begins_none() -> None:
    found = passed(Memory(), (10, 500.0), (100, None))
    assert (found.over_s, found.count) == (10.0, 1)
    assert len(passed(found, (5, 500.0)).ages_s) == 1
    assert passed(Memory(), (100, None)) == Memory()


@given(st.lists(st.tuples(st.integers(1, 40), st.sampled_from([-10.0, 10.0, None])), max_size=20))
def test_it_is_never_locked_out_by_fewer_than_three_long_ones(spells: list[tuple[float, float | None]]) -> None:
    memory, long = Memory(), 0
    for seconds, excess_w in spells:
        for _ in range(int(seconds)):
            before = memory
            memory = stepped(memory, excess_w, containment_s=15.0, rule=G100, dt_s=1.0)
            long += memory.long and not before.long
    assert memory.locked == (long >= 3)
