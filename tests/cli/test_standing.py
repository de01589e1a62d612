"""What a release leaves in each device: said, with what lifts it."""

from __future__ import annotations

from typing import Any

import pytest

from derctl.cli.standing import LIFT, NOTHING, WORDS, all_released, kept, results, settled, standing
from derctl.core.words import Released

Json = dict[str, Any]


def result(word: str, text: str = "", stands_w: float | None = None) -> Json:
    return {"result": word, "text": text, "stands_w": stands_w}


def test_a_limit_that_stands_is_said_and_what_lifts_it() -> None:
    found = {"pv1": result("released", stands_w=2000.0), "bat1": result("released")}
    assert standing(found, {}) == ["pv1: released; a limit of 2,000 W stands", "bat1: released", LIFT]


def test_a_limit_at_the_fallback_is_as_high_as_it_goes() -> None:
    found = {"pv1": result("released", stands_w=2000.0)}
    assert standing(found, {}, {"pv1": 2000.0}) == ["pv1: released; a limit of 2,000 W stands"]
    assert standing(found, {}, {"pv1": 3000.0})[-1] == LIFT
    assert standing(found, {}, {"pv1": None})[-1] == LIFT


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (result("unreachable", "roof: not connected"), "ends it, where it has one: roof: not connected"),
        (result("refused", "exception 4"), "pv1: refuses to be released: exception 4"),
        (
            result("not_in_file", "not in the site file any more"),
            "pv1: not in the site file any more, and not touched",
        ),
        ("exception 4 to function 16 at 40228 x 5", "pv1: exception 4 to function 16 at 40228 x 5"),
    ],
)
def test_what_could_not_be_released_is_said_in_words(given: Any, line: str) -> None:
    (said,) = standing({"pv1": given}, {})
    assert said.startswith("pv1: ") and said.endswith(line)
    assert not all_released({"pv1": given, "pv2": "released"})


def test_why_one_waits_is_said_once() -> None:
    text = "waits: it would give more, and pv2 is lost or not released; its own timer ends what was written"
    assert standing({"pv1": result("waits", text)}, {}) == [f"pv1: {text}"]


def test_every_result_has_its_words() -> None:
    assert set(WORDS) == {*Released}


def test_what_derctl_did_not_write_is_said_beside_what_it_reads_back(house: Json) -> None:
    house["ders"]["pv1"]["outcome"]["accepted"] = {"p_ceiling_w": 2000.0, "p_target_w": None}
    house["ders"]["pv2"]["outcome"]["accepted"] = {"p_ceiling_w": 10000.0, "p_target_w": None}
    assert standing({}, house["ders"]) == [
        "pv1: nothing to give back; a limit of 2,000 W stands",
        "pv2: nothing to give back",
        "bat1: nothing to give back",
    ]


def test_only_a_limit_that_derctl_left_is_said_to_be_lifted(house: Json) -> None:
    house["ders"]["pv1"]["outcome"]["accepted"] = {"p_ceiling_w": 2000.0, "p_target_w": None}
    found = {"pv1": result("released", "released before", stands_w=1200.0)}
    assert standing(found, {"pv1": house["ders"]["pv1"]}) == [
        "pv1: released before; a limit of 2,000 W stands",  # as it reads back now
        LIFT,
    ]


def test_what_stands_is_asked_for_when_the_devices_were_read_again() -> None:
    ticks = iter([4, 4, 5, 6, 7])
    assert settled(lambda: {"loop": {"ticks": next(ticks)}}) == {"loop": {"ticks": 6}}


def test_what_is_read_back_from_a_silent_device_is_not_of_now(house: Json) -> None:
    house["ders"]["pv1"] |= {
        "state": "unreachable",
        "outcome": {"accepted": {"p_ceiling_w": 1.0, "p_target_w": None}},
    }
    assert standing({"pv1": "unreachable"}, {"pv1": house["ders"]["pv1"]}) == [f"pv1: {WORDS['unreachable']}"]
    assert standing({}, {"pv1": house["ders"]["pv1"]}) == [
        "pv1: nothing to give back; can't be reached, so what stands is not known"
    ]


def test_a_reply_of_one_line_is_taken_apart() -> None:
    assert results("pv1: released, bat1: exception 4, at once, roof_2: unreachable") == {
        "pv1": "released",
        "bat1": "exception 4, at once",
        "roof_2": "unreachable",
    }
    stood = "pv1: released; limit 2,000 W, 300 var stands, bat1: exception 4; again; what stands is not known, c: no"
    assert results(stood) == {"pv1": "released", "bat1": "exception 4; again", "c": "no"}
    assert results(
        "pv1: released; nothing stands, b: released; limit 1 W stands as written, which it does not tell"
    ) == {
        "pv1": "released",
        "b": "released",
    }
    assert results("nothing was written") == {}
    assert results({"pv1": result("released")}) == {"pv1": result("released")}


NOON = {"since": "2026-11-26T12:00:00.000Z", "fallback": {}}


def test_before_a_release_each_device_is_said_with_what_it_holds(house: Json) -> None:
    house["ders"]["pv1"]["outcome"]["accepted"] = {"p_ceiling_w": 2000.0, "p_target_w": None}
    house["ders"]["pv2"]["state"] = "unreachable"
    assert kept({"pv1": NOON, "pv2": NOON}, {}, house, {"pv1": 5000.0, "pv2": None}) == [
        "derctl is in control",
        "pv1: written since 2026-11-26T12:00:00.000Z, not given back; a limit of 2,000 W stands",
        "pv2: written since 2026-11-26T12:00:00.000Z, not given back; can't be reached, so what stands is not known",
        "bat1: nothing to give back",
        LIFT,
    ]


def test_a_limit_that_derctl_has_given_back_is_said_without_a_word_that_would_not_lift_it(house: Json) -> None:
    house["mode"] = "observe"
    house["ders"] = {"pv1": house["ders"]["pv1"]}
    house["ders"]["pv1"]["outcome"]["accepted"] = {"p_ceiling_w": 2000.0, "p_target_w": None}
    lines = ["derctl observes", NOTHING, "pv1: nothing to give back; a limit of 2,000 W stands"]
    assert kept({}, {}, house, {"pv1": 5000.0}) == lines


def test_without_a_daemon_the_journal_alone_is_said() -> None:
    told = "written since 2026-11-26T12:00:00.000Z, not given back; no daemon answers, so what stands is not known"
    assert kept({"pv1": NOON}, {}, None, {"pv1": 5000.0}) == [f"pv1: {told}"]
    assert kept({}, {}, None, {"pv1": 5000.0}) == [NOTHING]


def test_a_limit_that_a_release_left_is_said_before_it_is_lifted(house: Json) -> None:
    house["mode"] = "observe"
    house["ders"] = {"pv1": house["ders"]["pv1"]}
    house["ders"]["pv1"]["outcome"]["accepted"] = {"p_ceiling_w": 2000.0, "p_target_w": None}
    left = {"pv1": {"stands_w": 1200.0}}
    lines = ["derctl observes", NOTHING, "pv1: released before; a limit of 2,000 W stands", LIFT]
    assert kept({}, left, house, {"pv1": 5000.0}) == lines
    stood = "pv1: released before; a limit of 1,200 W stood then"
    assert kept({}, left, None, {"pv1": 5000.0}) == [NOTHING, stood]
    house["ders"]["pv1"]["state"] = "unreachable"
    assert kept({}, left, house, {"pv1": 5000.0})[-1] == stood


def test_a_limit_that_was_found_is_said_with_the_word_that_lifts_it(house: Json) -> None:
    """`release --lift` gives back what is derctl's; somebody else's limit stays."""
    house["ders"]["pv1"]["outcome"]["accepted"] = {"p_ceiling_w": 4000.0, "p_target_w": None}
    house["ders"]["pv1"]["found"] = {"limit_w": 4000.0, "lifted": False}
    found, ders = {"pv1": result("released", stands_w=4000.0)}, {"pv1": house["ders"]["pv1"]}
    told = "pv1: released; a limit of 4,000 W stands, as it was found: `derctl clear pv1 --found` lifts it"
    assert standing(found, ders, {"pv1": 9000.0}) == [told]
    house["ders"]["pv1"]["outcome"]["accepted"] = {"p_ceiling_w": 2000.0, "p_target_w": None}
    assert standing(found, ders, {"pv1": 9000.0})[-1] == LIFT
    house["ders"]["pv1"]["found"]["lifted"] = True
    assert standing(found, ders, {"pv1": 9000.0})[-1] == LIFT
