"""How sessions with a broker went: what each end makes of it, and the pause until the next try."""

from __future__ import annotations

import pytest

from derctl.links.sessions import ANOTHER, BRIEF_S, STEADY_S, End, Sessions, after, lasted, lost_text, pause_s

FAILED = End(won=False)
TAKEN = End(won=True, lasted_s=1.0, taken_over=True)
THROWN = End(won=True, lasted_s=1.0, closed=True)
LONG = End(won=True, lasted_s=BRIEF_S, closed=True)
CABLE = End(won=True, lasted_s=1.0)


def told(*ends: End) -> Sessions:
    sessions = Sessions()
    for end in ends:
        sessions = after(sessions, end)
    return sessions


@pytest.mark.parametrize(
    ("ends", "sessions"),
    [
        ((FAILED, FAILED), Sessions(failed=2)),
        ((TAKEN,), Sessions(failed=1, contested=1)),
        ((TAKEN, TAKEN), Sessions(failed=2, contested=2)),
        ((THROWN, THROWN), Sessions(failed=2, brief=2)),
        ((THROWN, THROWN, THROWN), Sessions(failed=3, contested=1)),
        ((THROWN, THROWN, FAILED, THROWN), Sessions(failed=4, brief=1)),
        ((THROWN, THROWN, CABLE), Sessions(failed=3)),
        ((FAILED, LONG), Sessions()),
        ((TAKEN, LONG), Sessions(failed=2, contested=2)),
        ((TAKEN, FAILED), Sessions(failed=2, contested=1)),
        ((TAKEN, End(won=True, lasted_s=BRIEF_S)), Sessions(contested=1)),
        ((TAKEN, End(won=True, lasted_s=STEADY_S, closed=True)), Sessions()),
    ],
    ids=str,
)
def test_success_counts_when_a_session_has_lasted(ends: tuple[End, ...], sessions: Sessions) -> None:
    assert told(*ends) == sessions


def test_the_pause_after_a_takeover_grows_and_has_an_end() -> None:
    sessions, pauses = Sessions(), []
    for _ in range(5):
        sessions = after(sessions, TAKEN)
        pauses.append(pause_s(sessions, TAKEN))
    assert pauses == [(60.0, 60.0), (120.0, 120.0), (240.0, 240.0), (300.0, 300.0), (300.0, 300.0)]
    assert sum(pauses[-1]) < STEADY_S, "who lasts longer than that has outlasted the other's pause"


def test_a_broker_that_is_away_is_tried_with_growing_chance() -> None:
    pauses = [pause_s(told(*[FAILED] * n), FAILED) for n in (1, 2, 3, 4, 2000)]
    assert pauses == [(1.0, 2.0), (1.0, 4.0), (1.0, 8.0), (1.0, 15.0), (1.0, 15.0)]
    assert pause_s(told(TAKEN, FAILED), FAILED)[0] == 1.0, "nobody holds a session on a broker that is away"


def test_brief_sessions_of_two_that_take_turns_stay_brief() -> None:
    """The other one holds the session for as long as this one's longest pause."""
    assert sum(pause_s(told(*[FAILED] * 50), FAILED)) < BRIEF_S


def test_a_session_after_a_doubtful_one_is_believed_when_it_has_lasted() -> None:
    for sessions, enough_s in ((told(THROWN), BRIEF_S), (told(TAKEN), STEADY_S)):
        assert sessions.doubtful
        assert lasted(sessions, enough_s - 1.0) == sessions
        assert lasted(sessions, enough_s) == Sessions()
    assert not Sessions().doubtful


@pytest.mark.parametrize(
    ("ends", "text"),
    [
        ((FAILED,), "no route"),
        ((THROWN,), "no route after 1 s: does another client use this site's id?"),
        ((CABLE,), "no route"),
        ((TAKEN,), "no route; next try in 90 s"),
        ((THROWN, THROWN, THROWN), f"{ANOTHER}; next try in 90 s"),
        ((TAKEN, FAILED), "no route"),
    ],
    ids=str,
)
def test_a_person_is_told_of_another_client_where_the_ends_look_like_one(ends: tuple[End, ...], text: str) -> None:
    assert lost_text(told(*ends), ends[-1], "no route", 90.0) == text
