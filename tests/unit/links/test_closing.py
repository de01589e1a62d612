"""Whether a device closes the connection after each answer."""

from __future__ import annotations

from derctl.links.closing import BRIEF_S, LOOK_AGAIN_S, Closing, asked, connected, due, ended, rejoined, woken
from derctl.links.closing import answered as heard


def answered(closing: Closing, now_s: float) -> Closing:
    """Asked, and answered."""
    return heard(asked(closing), now_s)


def brief(closing: Closing, now_s: float) -> Closing:
    return ended(answered(connected(closing, now_s), now_s + 0.1), now_s + 0.2)


def test_two_connections_in_a_row_that_end_soon_after_an_answer_make_a_habit() -> None:
    once = brief(Closing(), 0.0)
    assert (once.brief, once.habit) == (1, False), "one may be a restart"
    assert brief(once, 1.0).habit


def test_who_ends_a_connection_without_an_answer_or_after_a_while_has_no_habit() -> None:
    once = brief(Closing(), 0.0)
    assert ended(asked(connected(once, 1.0)), 1.1).brief == 0, "a reset instead of an answer"
    assert ended(answered(connected(once, 1.0), 1.1), 1.0 + BRIEF_S).brief == 0


def test_of_one_that_closes_by_habit_one_answer_may_be_lost_to_the_end_that_overtakes_it() -> None:
    habit = brief(brief(Closing(), 0.0), 1.0)
    once = ended(asked(rejoined(habit, 2.0)), 2.1)
    assert once.habit
    assert not ended(asked(rejoined(once, 3.0)), 3.1).habit, "not two in a row"
    well = ended(answered(rejoined(once, 3.0), 3.1), 3.2)
    assert ended(asked(rejoined(well, 4.0)), 4.1).habit
    assert not ended(asked(rejoined(habit, 2.0)), 2.0 + BRIEF_S).habit


def test_a_connection_that_lives_on_ends_the_habit() -> None:
    habit = brief(brief(Closing(), 0.0), 1.0)
    up = rejoined(habit, 2.0)
    assert answered(up, 2.1).habit
    assert answered(up, 2.0 + BRIEF_S).brief == 0


def test_once_in_a_while_the_habit_is_to_be_shown_again() -> None:
    habit = brief(brief(Closing(), 0.0), 1.0)
    assert not due(habit, LOOK_AGAIN_S)
    assert rejoined(habit, LOOK_AGAIN_S).habit
    assert due(habit, 1.0 + LOOK_AGAIN_S)
    again = rejoined(habit, 1.0 + LOOK_AGAIN_S)
    assert (again.habit, again.looked_s) == (False, 1.0 + LOOK_AGAIN_S)
    assert ended(answered(again, LOOK_AGAIN_S + 1.1), LOOK_AGAIN_S + 1.2).habit


def test_a_connection_that_is_ended_before_anybody_used_it_shows_the_habit_of_the_one_before() -> None:
    """A device that closes what is idle for less than a tick."""
    once = brief(Closing(), 0.0)
    assert ended(connected(once, 1.0), 1.3).habit
    assert ended(connected(Closing(), 1.0), 1.3).brief == 0, "nothing was shown yet"
    habit = brief(once, 1.0)
    assert ended(rejoined(habit, 2.0), 2.3) == rejoined(habit, 2.0)


def test_who_closes_by_habit_rests_until_the_next_request() -> None:
    once = brief(Closing(), 0.0)
    assert not once.resting, "one may be a restart: the connection is lost"
    habit = brief(once, 1.0)
    assert (habit.resting, woken(habit).resting, woken(habit).habit) == (True, False, True)
    up = rejoined(woken(habit), 2.0)
    assert not asked(up).resting
    assert answered(up, 2.1).resting, "it is closed before the device closes it"
    assert ended(asked(up), 2.1).resting, "an answer may be lost to the end that overtakes it"
    assert not ended(asked(rejoined(woken(ended(asked(up), 2.1)), 3.0)), 3.1).resting, "not two in a row"
    assert not answered(up, 2.0 + BRIEF_S).resting
    assert ended(connected(once, 1.0), 1.3).resting, "what was idle is closed"


def test_an_answer_that_comes_with_the_end_of_its_connection_leaves_it_at_rest() -> None:
    """The end is seen before the answer is taken."""
    habit = brief(brief(Closing(), 0.0), 1.0)
    cut = ended(asked(rejoined(woken(habit), 2.0)), 2.1)
    assert answered(cut, 2.1).resting
    assert answered(cut, 2.0 + BRIEF_S).resting
