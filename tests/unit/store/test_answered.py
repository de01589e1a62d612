"""Ids that were answered: none is taken twice, however many come, and what is kept is bounded."""

from __future__ import annotations

import pytest

from derctl.store.answered import EXPIRES_MAX_S, IDS_MAX, JUMP_S, Answered, alive, noted, objection


def many(count: int, *, first: float = 0.0, life_s: float = 600.0) -> Answered:
    """One a second, `n0` at `first`."""
    answered = Answered()
    for n in range(count):
        answered = noted(answered, f"n{n}", first + n, first + n + life_s)
    return answered


def test_an_id_that_was_answered_is_known() -> None:
    answered = noted(Answered(), "a", 10.0, 20.0)
    assert objection(answered, "a", 10.0) == "id 'a' was answered before"
    assert objection(answered, "b", 10.0) is None


def test_of_more_than_are_kept_none_is_taken_again_and_a_new_one_is() -> None:
    """As many as come in ten minutes at five a second, each alive for a week."""
    answered = many(3000, life_s=EXPIRES_MAX_S)
    assert len(answered.ids) == IDS_MAX
    assert all(objection(answered, f"n{n}", float(n)) is not None for n in range(3000))
    assert objection(answered, "new", 3000.0) is None


def test_one_that_comes_late_is_taken_while_every_id_of_its_time_is_kept() -> None:
    answered = many(IDS_MAX + 1)
    assert objection(answered, "late", 1.0) is None
    assert objection(answered, "later", 0.0) is not None, "it was issued when n0 was, whose id is gone"


def test_the_order_in_which_they_come_is_no_matter() -> None:
    """A thousand of an hour ago behind a thousand of now: what goes is what was issued first."""
    answered = many(IDS_MAX, first=3600.0)
    for n in range(IDS_MAX):
        answered = noted(answered, f"old{n}", float(n), 1e6)
    assert all(objection(answered, f"old{n}", float(n)) is not None for n in range(IDS_MAX))
    assert all(f"n{n}" in answered.ids for n in range(IDS_MAX))


@pytest.mark.parametrize(("now", "kept"), [(20.0, True), (20.0 + JUMP_S - 1.0, True), (20.0 + JUMP_S, False)])
def test_an_id_is_kept_until_its_replay_is_too_old_by_a_clock_that_jumps_back_an_hour(now: float, kept: bool) -> None:
    assert (alive(noted(Answered(), "a", 10.0, 20.0), now) is not None) == kept


def test_the_gap_closes_when_all_that_fell_into_it_is_too_old() -> None:
    """The longest life, and the hour."""
    answered = many(IDS_MAX + 1)
    left = alive(answered, EXPIRES_MAX_S + JUMP_S - 1.0)
    assert left is not None
    assert (left.gap, len(left.ids)) == (0.0, 0)
    assert alive(answered, EXPIRES_MAX_S + JUMP_S) is None
