"""Answers that may still come, and what is not asked meanwhile."""

from __future__ import annotations

from derctl.core.exchange import Read
from derctl.links.wires.frames import shape_of
from derctl.links.wires.owed import FORGOTTEN_S, NONE, PROBES, Owed, came, given_up, held_s, of, probe, settled

LONG, SHORT = shape_of(Read(address=0, count=50)), shape_of(Read(address=0, count=20))
PLACE = Read(address=40000, count=50)


def owing(*shapes: tuple[int, ...]) -> Owed:
    """Asked one after the other, each given up a second later."""
    owed = NONE
    for n, shape in enumerate(shapes):
        owed = given_up(owed, shape, float(n), n + 1.0)
    return owed


def test_only_what_an_owed_answer_could_be_taken_for_waits() -> None:
    owed = owing(LONG)
    assert held_s(owed, LONG, 1.2, 1.0) == 0.8
    assert held_s(owed, SHORT, 1.2, 1.0) == 0.0
    assert held_s(owed, LONG, 2.5, 1.0) < 0.0
    assert held_s(NONE, LONG, 1.2, 1.0) == 0.0


def test_an_answer_that_came_settles_what_was_asked_before_it_and_nothing_later() -> None:
    owed = owing(LONG, SHORT, LONG)
    short = of(owed, SHORT, 3.0)
    assert short is not None
    left = came(owed, short)
    assert [(each.asked_s, each.presumed) for each in left.answers] == [(0.0, True), (2.0, False)]


def test_a_refusal_may_be_any_answers_of_its_function() -> None:
    found = of(owing(SHORT, LONG), (0x83,), 2.0)
    assert found is not None and found.shape == SHORT
    assert of(owing(LONG), (0x90,), 2.0) is None


def test_who_is_silent_for_long_is_asked_as_if_nothing_were_owed() -> None:
    assert of(owing(LONG), LONG, 0.9 + FORGOTTEN_S) is not None
    assert of(owing(LONG), LONG, 1.0 + FORGOTTEN_S) is None
    assert len(given_up(owing(LONG), LONG, 99.0, 100.0).answers) == 1


def test_what_is_presumed_not_to_come_holds_nothing_up_and_is_not_forgotten() -> None:
    owed = settled(owing(LONG))
    assert held_s(owed, LONG, 1.2, 1.0) == 0.0
    assert of(owed, LONG, 1.2) is None
    assert of(owed, LONG, 1.2, presumed=True) == owed.answers[0]
    assert of(owed, LONG, 1.0 + FORGOTTEN_S, presumed=True) is None
    assert settled(NONE) == NONE


def test_a_probe_has_a_length_that_nothing_owed_has() -> None:
    assert probe(owing(LONG), PLACE, 1.0) == Read(address=40000, count=2)
    tried = owing(LONG, shape_of(Read(address=0, count=2)))
    assert probe(tried, PLACE, 2.0) == Read(address=40000, count=1)
    assert probe(owing(*(shape_of(Read(address=0, count=n)) for n in PROBES)), PLACE, 4.0) is None
    assert probe(owing(LONG), None, 1.0) is None
    assert probe(owing((3, 2)), Read(address=7, count=1), 1.0) is None
