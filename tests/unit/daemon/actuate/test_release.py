"""How often a release is tried again, and what is told of it."""

from __future__ import annotations

import itertools

import pytest

from derctl.core.words import Released
from derctl.daemon.actuate.release import Attempts, Release

DAY_S = 86_400
AWAY = Release(Released.UNREACHABLE)
NO = Release(Released.REFUSED, "exception 4 to function 16 at 40239 x 5")


def tries(release: Release, *, seconds: int = DAY_S) -> list[int]:
    """The seconds at which a release that always ends like this is tried."""
    attempts, at = Attempts(), []
    for now_s in range(seconds):
        if attempts.due(["pv1"], now_s):
            at.append(now_s)
            attempts = attempts.noted({"pv1": release}, now_s)
    return at


def test_what_cannot_be_reached_is_tried_about_every_ten_seconds() -> None:
    assert tries(AWAY, seconds=60) == [0, 11, 22, 33, 44, 55]


def test_a_refusal_is_answered_by_ever_longer_pauses_up_to_an_hour() -> None:
    at = tries(NO)
    gaps = [after - before for before, after in itertools.pairwise(at)]
    assert gaps[:9] == [21, 41, 81, 161, 321, 641, 1281, 2561, 3601] and set(gaps[9:]) == {3601}
    assert len(at) == 31


def test_each_der_has_its_own_pause_and_a_new_write_begins_anew() -> None:
    attempts = Attempts().noted({"pv1": NO, "pv2": AWAY}, 0.0)
    assert attempts.due(["pv1", "pv2", "pv3"], 15.0) == ["pv2", "pv3"]
    attempts = attempts.noted({"pv1": NO}, 21.0).without("pv1")
    assert attempts.due(["pv1"], 22.0) == ["pv1"]
    attempts = attempts.noted({"pv1": NO}, 22.0)
    assert attempts.due(["pv1"], 43.0) == ["pv1"], "not the pause after a third refusal"


def test_a_device_that_was_away_in_between_is_asked_soon() -> None:
    attempts = Attempts()
    for _ in range(8):
        attempts = attempts.noted({"pv1": NO}, 0.0)
    assert attempts.noted({"pv1": AWAY}, 0.0).due(["pv1"], 11.0) == ["pv1"]


def test_a_word_is_told_once_and_again_when_it_is_another_one_or_after_a_new_write() -> None:
    attempts = Attempts().noted({"pv1": AWAY}, 0.0)
    assert attempts.news({"pv1": AWAY, "pv2": AWAY}) == {"pv2": AWAY}
    assert attempts.news({"pv1": NO}) == {"pv1": NO}
    assert attempts.without("pv1").news({"pv1": AWAY}) == {"pv1": AWAY}


def test_a_release_says_what_the_device_answered_else_its_word() -> None:
    assert (str(NO), str(AWAY)) == ("exception 4 to function 16 at 40239 x 5", "unreachable")


def test_what_becomes_of_one_der_leaves_the_others_as_they_were() -> None:
    attempts = Attempts().noted({"pv1": NO, "pv2": NO}, 0.0).noted({"pv1": AWAY}, 0.0)
    assert attempts.due(["pv1", "pv2"], 15.0) == ["pv1"]
    assert attempts.without("pv1").due(["pv1", "pv2"], 0.0) == ["pv1"]


def test_a_device_that_refuses_for_years_is_still_asked_every_hour() -> None:
    attempts = Attempts()
    for _ in range(2000):
        attempts = attempts.noted({"pv1": NO}, 0.0)
    assert (attempts.due(["pv1"], 3600.0), attempts.due(["pv1"], 3601.0)) == ([], ["pv1"])


@pytest.mark.parametrize(
    ("release", "ceiling_w", "below"),
    [
        (Release(Released.RELEASED, stands_w=1200.0), 3000.0, True),
        (Release(Released.RELEASED, stands_w=1200.0), None, True),
        (Release(Released.RELEASED, stands_w=2999.8), 3000.0, False),
        (Release(Released.RELEASED), 3000.0, False),
        (Release(Released.REFUSED, stands_w=1200.0), 3000.0, False),
    ],
)
def test_only_a_limit_below_the_fallback_is_one_to_lift(
    release: Release, ceiling_w: float | None, below: bool
) -> None:
    assert release.held_below(ceiling_w) is below
