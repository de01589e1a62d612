"""How often a release is tried again."""

from __future__ import annotations

import itertools

from derctl.daemon.actuate.retry import Retry

DAY_S = 86_400


def tries(word: str, *, seconds: int = DAY_S) -> list[int]:
    """The seconds at which a release that always ends with this word is tried."""
    retry, at = Retry(), []
    for now_s in range(seconds):
        if retry.due(["pv1"], now_s):
            at.append(now_s)
            retry.note({"pv1": word}, now_s)
    return at


def test_what_cannot_be_reached_is_tried_about_every_ten_seconds() -> None:
    assert tries("unreachable", seconds=60) == [0, 11, 22, 33, 44, 55]


def test_a_refusal_is_answered_by_ever_longer_pauses_up_to_an_hour() -> None:
    at = tries("exception 4 to function 16 at 40239 x 5")
    gaps = [after - before for before, after in itertools.pairwise(at)]
    assert gaps[:9] == [21, 41, 81, 161, 321, 641, 1281, 2561, 3601] and set(gaps[9:]) == {3601}
    assert len(at) == 31


def test_each_der_has_its_own_pause_and_a_new_write_begins_anew() -> None:
    retry = Retry()
    retry.note({"pv1": "exception 4", "pv2": "unreachable"}, 0.0)
    assert retry.due(["pv1", "pv2", "pv3"], 15.0) == ["pv2", "pv3"]
    retry.note({"pv1": "exception 4"}, 21.0)
    retry.forget("pv1")
    assert retry.due(["pv1"], 22.0) == ["pv1"]
    retry.note({"pv1": "exception 4"}, 22.0)
    assert retry.due(["pv1"], 43.0) == ["pv1"], "not the pause after a third refusal"


def test_a_device_that_was_away_in_between_is_asked_soon() -> None:
    retry = Retry()
    for _ in range(8):
        retry.note({"pv1": "exception 4"}, 0.0)
    retry.note({"pv1": "unreachable"}, 0.0)
    assert retry.due(["pv1"], 11.0) == ["pv1"]
