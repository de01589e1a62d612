"""`status` for people: 80 columns, what holds each DER and until when, and nothing that a device's text can break."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from derctl.cli.holding import owner
from derctl.cli.page import render
from derctl.cli.plain import REASONS, STATES, Clockface, columns, number, span, who, wrapped
from derctl.core.text import clean
from derctl.core.words import Reason, Shown
from derctl.functions import ROWS

Json = dict[str, Any]
Change = Callable[[Json], object]
CONTRACT = "contract_export_limit"


def page(state: Json) -> list[str]:
    lines = render(state, zone=UTC).split("\n")
    assert all(columns(line) <= 80 for line in lines)
    return lines


def row(state: Json, name: str) -> str:
    """A DER's lines as one."""
    lines = page(state)
    at = next(i for i, line in enumerate(lines) if line.startswith(name + " "))
    more = [line.strip() for line in lines[at + 1 : at + 6]]
    indented = [line.startswith("      ") for line in lines[at + 1 : at + 6]]
    return " ".join([lines[at], *more[: (*indented, False).index(False)]])


def told(state: Json, name: str, **values: Any) -> Json:
    """The state, changed."""
    state["ders"][name]["setpoint"].update(values)
    return state


def bound(by: str, what: str, value: float, why: str | None = None) -> Json:
    return {"by": by, "what": what, "value": value, "rank": 0, "why": why}


def test_the_page_is_the_one_that_people_asked_for(house: Json) -> None:
    """The issue's page, in the order of its lines."""
    assert page(house)[:7] == [
        "house-12   CONTROL, armed 15:11 by anna                   clock not synchronised",
        "export 5,544 of 7,000 W         234 V  50.00 Hz         meter proven, 0.9 s late",
        "pv1   2,000 W  limited to 2,000 W by operator anna until 15:27",
        "pv2   9,500 W  not limited (rated 10,000 W)",
        "bat1 -5,000 W  charging: self-consumption; 62 %",
        "not running: volt_var, volt_watt, freq_droop on pv1 (its own mode can't be read",
        "  back)",
    ]
    assert "requested: limit 2,000 W on pv1 by operator anna until 15:27, 15 min left" in page(house)
    assert "15:11:00  mode control" in page(house)


def test_a_clock_that_is_set_shows_the_time(house: Json) -> None:
    house["synced"] = True
    assert page(house)[0].endswith("  15:12:00")


def test_what_the_daemon_does_not_say_yet_is_left_out(house: Json) -> None:
    for key in ("armed",):
        del house[key]
    for key in ("by", "until"):
        del house["requests"][0][key]
    for key in ("meter", "belief"):
        del house["poc"][key]
    lines = page(house)
    assert lines[0].startswith("house-12   CONTROL   ")
    assert lines[1].endswith("  meter answers")
    assert row(house, "pv1").endswith("by operator until 15:27")


def test_why_it_only_observes_is_said(house: Json) -> None:
    house |= {"mode": "observe", "mode_reason": "not armed", "armed": {"armed": False, "by": None, "since": None}}
    house["ders"]["pv1"]["outcome"] |= {"accepted": {"p_ceiling_w": 4000.0, "p_target_w": None}}
    assert page(house)[0].startswith("house-12   OBSERVE: not armed   ")
    assert row(house, "pv1").endswith(
        "would be limited to 2,000 W by operator anna until 15:27; it reads back a limit of 4,000 W"
    )


@pytest.mark.parametrize(
    ("mode", "armed", "by", "head"),
    [
        ("control", True, None, "CONTROL, by the site file   "),
        ("control", True, "local", "CONTROL, armed 15:11   "),
        ("observe", False, "ben", "OBSERVE, disarmed 15:11 by ben   "),
        ("observe", False, "local", "OBSERVE, disarmed 15:11   "),
    ],
)
def test_who_decided_the_mode_is_said(house: Json, mode: str, armed: bool, by: str | None, head: str) -> None:
    since = None if by is None else house["armed"]["since"]
    reason = None if mode == "control" else "not armed"
    house |= {"mode": mode, "mode_reason": reason, "armed": {"armed": armed, "by": by, "since": since}}
    assert page(house)[0].startswith(f"house-12   {head}")


def test_a_site_file_s_word_that_is_held_back_is_said(house: Json) -> None:
    house |= {"mode": "observe", "mode_reason": "rating_unknown: pv1", "armed": {"armed": True, "by": None}}
    assert page(house)[0].startswith("house-12   OBSERVE, although armed by the site file")
    house |= {"mode_reason": "started with --observe", "armed": {"armed": False, "by": "ben", "since": None}}
    assert page(house)[0].startswith("house-12   OBSERVE: started with --observe")


def test_a_limit_that_was_found_is_said_by_name(house: Json) -> None:
    told(house, "pv1", p_ceiling_w=3000.0, bound_by=[bound("found_limit", "p_ceiling_w", 3000.0)])
    assert "limited to 3,000 W by a limit that was found in it" in row(house, "pv1")


@pytest.mark.parametrize(
    ("standing", "reason", "says"),
    [
        ({"p_ceiling_w": 1500.0, "record": "left"}, None, "it reads back a limit of 1,500 W, left by derctl"),
        ({"p_ceiling_w": 1500.0, "record": "nothing"}, None, "it reads back a limit of 1,500 W"),
        (
            {"p_ceiling_w": 1500.0, "q_var": 300.0, "record": "written"},
            None,
            "it reads back a limit of 1,500 W and 300 var, not given back yet",
        ),
        (
            {"p_ceiling_w": 1500.0, "record": "left", "seen": "as_written"},
            None,
            "a limit of 1,500 W was written, and it does not tell, left by derctl",
        ),
        ({"record": "missing"}, None, "by operator anna until 15:27"),
        ({"record": "nothing"}, "contradicted", "its power contradicts what it reads back"),
    ],
)
def test_what_still_stands_in_a_device_is_said_with_whose_it_is(
    house: Json, standing: Json, reason: str | None, says: str
) -> None:
    house["mode"] = "observe"
    given = {"p_ceiling_w": None, "p_target_w": None, "q_var": None, "seen": "read_back"} | standing
    read = {"p_ceiling_w": given["p_ceiling_w"], "p_target_w": None} if given["seen"] == "read_back" else None
    house["ders"]["pv1"] |= {"standing": given}
    house["ders"]["pv1"]["outcome"] |= {"accepted": None if reason else read, "reason": reason}
    assert row(house, "pv1").endswith(says)


def test_what_stands_against_control_is_said_with_its_watts(house: Json) -> None:
    text = "without derctl the site may export pv1 5000 W + pv2 9000 W = 14000 W, the contract allows 7000 W"
    house |= {"mode": "observe", "mode_reason": f"fallback_breaks_contract: {text}"}
    lines = page(house)
    assert lines[0].startswith("house-12   OBSERVE, although armed 15:11 by anna")
    assert " ".join(line.strip() for line in lines[1:3]) == f"not in control: {text}"


DERS: dict[str, tuple[Change, str, str]] = {
    "the contract": (
        lambda s: told(s, "pv2", p_ceiling_w=3120.0, bound_by=[bound(CONTRACT, "p_ceiling_w", 3120.0)]),
        "pv2",
        "limited to 3,120 W by the contract",
    ),
    "a lost meter": (
        lambda s: told(
            s,
            "pv2",
            p_ceiling_w=3120.0,
            bound_by=[bound(CONTRACT, "p_ceiling_w", 3120.0, "meter_lost")],
        ),
        "pv2",
        "limited to 3,120 W by the contract, because the meter is lost: load is not counted",
    ),
    "the last to bind": (
        lambda s: told(
            s,
            "pv2",
            p_ceiling_w=900.0,
            bound_by=[bound("volt_watt", "p_ceiling_w", 4000.0), bound(CONTRACT, "p_ceiling_w", 900.0)],
        ),
        "pv2",
        "limited to 900 W by the contract",
    ),
    "two within a watt": (
        lambda s: told(
            s,
            "pv2",
            p_ceiling_w=900.0,
            bound_by=[bound("volt_watt", "p_ceiling_w", 900.4), bound(CONTRACT, "p_ceiling_w", 900.0)],
        ),
        "pv2",
        "limited to 900 W by the contract",
    ),
    "the sun gives less": (
        lambda s: (
            told(s, "pv2", p_ceiling_w=9000.0, bound_by=[bound("volt_watt", "p_ceiling_w", 9000.0)]),
            s["ders"]["pv2"]["outcome"].update(achieved="not_binding"),
        ),
        "pv2",
        "below its limit of 9,000 W by volt-watt",
    ),
    "disobeyed": (
        lambda s: s["ders"]["pv1"]["outcome"].update(achieved="no", reason="write_ignored"),
        "pv1",
        "limited to 2,000 W by operator anna until 15:27, but it ignores what is written",
    ),
    "under way": (
        lambda s: s["ders"]["pv1"]["outcome"].update(achieved="pending"),
        "pv1",
        "limited to 2,000 W by operator anna until 15:27, under way",
    ),
    "var besides": (
        lambda s: told(s, "pv2", q_var=-220.4, bound_by=[bound("volt_var", "q_var", -220.4)]),
        "pv2",
        "not limited (rated 10,000 W); -220 var: volt-var",
    ),
    "no var that come and go": (lambda s: told(s, "pv2", q_var=-49.0), "pv2", "not limited (rated 10,000 W)"),
    "no var of nothing": (lambda s: told(s, "pv2", q_var=-0.2), "pv2", "not limited (rated 10,000 W)"),
    "charges less than told": (
        lambda s: s["ders"]["bat1"]["measurement"].update(p_w=-3000.0),
        "bat1",
        "charging at 5,000 W: self-consumption; 62 %",
    ),
    "rests": (
        lambda s: told(s, "bat1", p_target_w=-0.0, bound_by=[bound("self_consumption", "p_target_w", 0.0)]),
        "bat1",
        "resting: self-consumption; 62 %",
    ),
    "an operator's setpoint": (
        lambda s: (
            told(s, "bat1", p_target_w=2000.0, bound_by=[bound("setpoint", "p_target_w", 2000.0)]),
            s["requests"].append(
                {"id": "x", "kind": "set_battery_power", "der": "bat1", "value_w": 2000.0, "remaining_s": 60.0}
            ),
        ),
        "bat1",
        "discharging at 2,000 W: operator until 15:13; 62 %",
    ),
    "the site's limit": (
        lambda s: (
            told(s, "pv2", p_ceiling_w=500.0, bound_by=[bound("operator_site_limit", "p_ceiling_w", 500.0)]),
            s["requests"].append(
                {"id": "x", "kind": "limit_power", "der": None, "value_w": 500.0, "remaining_s": 86400.0}
            ),
        ),
        "pv2",
        "limited to 500 W by operator until 22 Nov 15:12",
    ),
    "silent": (
        lambda s: s["ders"]["pv1"].update(
            state="unreachable", fresh=False, text="roof unit 1: no answer within 1 s",
            outcome=s["ders"]["pv1"]["outcome"] | {"accepted": {"p_ceiling_w": 2000.0, "p_target_w": None}},
        ),
        "pv1",
        "can't be reached: roof unit 1: no answer within 1 s; told last: a limit of 2,000 W",
    ),
    "another device": (
        lambda s: s["ders"]["pv1"].update(state="refused", text="serial '7' answers, '1' is expected"),
        "pv1",
        "not accepted: serial '7' answers, '1' is expected",
    ),
    "only observed": (
        lambda s: s["ders"]["pv2"].update(state="observed"),
        "pv2",
        "never written (control: false)",
    ),
    "standing by": (
        lambda s: s["ders"]["pv1"].update(state="standby"),
        "pv1",
        "stands by because of its limit; limited to 2,000 W by operator anna until 15:27",
    ),
    "before the first tick": (lambda s: s["ders"]["pv2"].update(setpoint=None), "pv2", "nothing is decided yet"),
}  # fmt: skip


@pytest.mark.parametrize("case", DERS)
def test_a_line_says_what_holds_a_der(house: Json, case: str) -> None:
    change, name, says = DERS[case]
    change(house)
    assert row(house, name).partition(" W  ")[2] == says


def test_a_stale_power_is_not_shown_as_one_of_now(house: Json) -> None:
    house["ders"]["pv1"] |= {"state": "stale", "fresh": False}
    assert row(house, "pv1").startswith("pv1       - W  its last reading is too old")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda s: s["poc"]["measurement"].update(p_w=-818.2), "import 818 W (export limit 7,000)"),
        (lambda s: s["poc"]["measurement"].update(p_w=-0.2), "import 0 W"),
        (lambda s: s["absent"].update(limit_w=None), "export 5,544 W  "),
        (lambda s: s.update(poc=None), "no meter at the point of connection; 7,000 W of export allowed"),
        (
            lambda s: s["poc"].update(fresh=False, state="unreachable", text="lan unit 3: silent"),
            "export not known; 7,000 W of export allowed; meter can't be reached: lan unit 3:",
        ),
        (lambda s: s["poc"].update(meter="unproven"), "meter not proven yet, 0.9 s late"),
    ],
)
def test_the_meter_line_says_what_is_known(house: Json, change: Change, says: str) -> None:
    change(house)
    assert any(says in line for line in page(house)[1:3])


def test_what_nobody_watches_is_among_the_troubles(house: Json) -> None:
    assert not any("one alone may carry more" in line for line in page(house))
    house["poc"]["unwatched"] = ["fuse_limit: one alone may carry more"]
    assert "! fuse_limit: one alone may carry more" in page(house)


def test_functions_that_only_have_nothing_to_say_are_not_called_not_running(house: Json) -> None:
    house["ders"]["pv2"]["abstained"] = {"freq_droop": "inside the dead band", "operator_limit": "no request"}
    house["ders"]["bat1"]["abstained"] = {"reserve": "above the reserve", "soc_guard": "inside its bounds"}
    assert sum("not running" in line for line in page(house)) == 1


def test_functions_with_the_same_reason_stand_together_with_their_ders(house: Json) -> None:
    for name in ("pv1", "pv2"):
        house["ders"][name]["abstained"] = {"volt_var": "no fresh voltage", "volt_watt": "no fresh voltage"}
    assert "not running: volt_var, volt_watt on pv1, pv2 (no fresh voltage)" in page(house)


def test_a_site_that_breaks_the_contract_without_derctl_says_so(house: Json) -> None:
    house["absent"] |= {"p_export_w": 9000.0, "holds": False, "unknown": ["pv9"]}
    text = " ".join(line.strip() for line in page(house))
    assert "at most 9,000 of 7,000 W, BREAKS the contract" in text and "pv9 not known" in text


def test_a_site_that_a_kill_would_leave_above_the_contract_says_for_how_long(house: Json) -> None:
    assert "killed" not in " ".join(page(house))
    house["absent"]["between"] = {"p_w": 8000.0, "for_s": 22.5, "limit_w": 7000.0, "rises": [], "waits": []}
    text = " ".join(line.strip() for line in page(house))
    assert "keeps the contract" in text and "killed without a release above it for up to 22.5 s" in text


def test_trouble_in_a_device_is_said(house: Json) -> None:
    house["ders"]["pv1"] |= {"problems": ["no model 123: it can't be limited"]}
    lines = page(house)
    assert "! pv1: no model 123: it can't be limited" in lines


def test_a_broker_that_is_lost_is_said_with_what_it_cost(house: Json) -> None:
    house["mqtt"] |= {"connected": False, "text": "[Errno 111] Connection refused", "dropped": 1234}
    assert "broker: [Errno 111] Connection refused (MQTT 5); 1,234 messages dropped" in page(house)


def test_what_a_device_sends_never_reaches_the_terminal_as_an_order(house: Json) -> None:
    evil = "\x1b[2J\x9b31mPV\r\n\x07\u202e\x00\u2028x"
    house["ders"]["pv1"] |= {"state": "refused", "text": evil, "problems": [evil]}
    house["events"].append({"t": house["t"], "event": "found", "der": "pv1", "text": evil})
    text = render(house, zone=UTC)
    assert all(c.isprintable() for c in text.replace("\n", "")) and "?[2J?31mPV" in text


@given(text=st.text(max_size=400))
def test_no_text_makes_a_line_wider_than_the_page_and_none_is_cut(text: str) -> None:
    lines = wrapped(clean(text), "first: ", "  ")
    assert all(columns(line) <= 80 for line in lines)
    assert "".join("".join(lines).split()) == "first:" + "".join(clean(text).split())


@pytest.mark.parametrize(
    ("kind", "own", "says"),
    [
        ("limit_power", {"p_ceiling_w": 2000.0}, "limit 2,000 W on pv1"),
        ("set_battery_power", {"p_target_w": -1500.4}, "setpoint -1,500 W on pv1"),
        ("limit_power", {"value_w": 500.0}, "limit 500 W on pv1"),
        ("set_angle", {"pf": -0.95}, "set angle -0.95 on pv1"),
        ("pause_charging", {"pause_s": 1200.0}, "pause charging 20 min on pv1"),
        ("hold", {"low_pct": 20.0, "high_pct": 62.5}, "hold low 20 %, high 62.5 % on pv1"),
        ("be_quiet", {}, "be quiet on pv1"),
        ("set_mode", {"mode": "eco", "hard": True}, "set mode mode eco, hard True on pv1"),
    ],
)
def test_a_request_of_any_kind_is_said_with_its_own_values(house: Json, kind: str, own: Json, says: str) -> None:
    request = {"id": "1", "kind": kind, "der": "pv1", "by": "anna", "remaining_s": 540.0, "until": house["t"]}
    house["requests"] = [request | own]
    assert any(line.startswith(f"requested: {says} by operator anna until ") for line in page(house))


def test_what_is_no_operator_s_is_of_whom_it_is(house: Json) -> None:
    common = {"id": "1", "der": None, "by": "dso", "remaining_s": 540.0, "until": house["t"], "binds": True}
    limit = {"kind": "grid_limit", "export_w": 1500.0, "import_w": None, "generation_w": None}
    house["requests"] = [common | limit, common | {"kind": "emergency_stop"}]
    lines = [line for line in page(house) if line.startswith("requested: ")]
    assert lines[0].startswith("requested: grid limit export 1,500 W on the site by dso until ")
    assert lines[1].startswith("requested: emergency stop on the site by dso until ")
    assert owner(house["requests"][0]) == "grid limit of dso"


def test_every_code_that_a_page_shows_has_its_words() -> None:
    assert set(REASONS) == {*Reason} and set(STATES) == {*Shown}
    assert {kind: who(kind) for kind in ROWS} == {kind: row.said for kind, row in ROWS.items()}
    assert who("something_new") == "something-new"


@pytest.mark.parametrize(
    ("value", "says"), [(-0.4, "0"), (-0.0, "0"), (None, "-"), (-1520.83, "-1,521"), (1e6, "1,000,000")]
)
def test_a_number_has_thousands_apart_and_no_minus_nought(value: float | None, says: str) -> None:
    assert number(value) == says


@pytest.mark.parametrize(
    ("seconds", "says"),
    [(0.4, "0 s"), (59.4, "59 s"), (60, "1 min"), (3600, "1 h"), (5400, "1 h 30 min"), (90000, "1 d 1 h")],
)
def test_a_span_is_said_in_its_two_biggest_units(seconds: float, says: str) -> None:
    assert span(seconds) == says


def test_a_moment_of_another_day_names_the_day() -> None:
    face = Clockface("2026-11-21T15:12:00.000Z", UTC)
    stamps = ("2026-11-21T03:04:05Z", "2026-11-22T03:04:05Z", "2020-01-01T00:00:00Z")
    assert [face.at(stamp) for stamp in stamps] == ["03:04", "22 Nov 03:04", "1 Jan 2020 00:00"]


CONTAINED: Json = {
    "containment_s": 15.0,
    "by": "g100",
    "lasts_s": 18.3,
    "credit": False,
    "summands": [
        {"stage": "meter_delay", "seconds": 5.0, "by": "assumed"},
        {"stage": "response", "seconds": 10.0, "by": "assumed"},
    ],
    "excursions": {"count": 3, "long": 0, "longest_s": 4.0, "locked_s": 0.0},
}


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({}, "! load is not credited: an excursion may last for up to 18.3 s, 15 s are allowed"),
        ({"lasts_s": None}, "! load is not credited: an excursion may last for nobody knows how long"),
        (
            {"lasts_s": 12.5, "credited_in_s": 48.0},
            "! load is not credited yet: an excursion lasts for up to 12.5 s by now, 15 s are allowed, and it has to "
            "stay so for another 48 s",
        ),
        ({"credit": True}, None),
        ({"credit": True, "excursions": {"long": 2, "locked_s": 0.0}}, "! 2 long excursions above the limit"),
        ({"excursions": {"long": 0, "locked_s": 7_200.0}}, "! locked out for 2 h"),
    ],
)
def test_what_keeps_load_from_counting_is_said_with_what_takes_longest(
    house: Json, changed: Json, says: str | None
) -> None:
    house["containment"] = CONTAINED | changed
    text = " ".join(line.strip() for line in page(house))
    assert (says is None and "credited" not in text) or (says is not None and says in text)
    slow = says is not None and "credited:" in says
    assert ("most of it response (assumed)" in text) is slow


@pytest.mark.parametrize(
    ("slowed", "says"),
    [
        ({"times": 4, "held": False}, "! pv1: volt_var hunted, and has 4 times its response time"),
        ({"times": 8, "held": True}, "! pv1: volt_var hunted, and is held still"),
    ],
)
def test_a_loop_that_hunted_is_said_with_what_was_done(house: Json, slowed: Json, says: str) -> None:
    house["loops"] = [{"kind": "volt_var", "slowed": {"pv1": slowed}}]
    assert says in page(house)


@pytest.mark.parametrize(
    ("seen", "says"),
    [
        ({"gain": 1.0, "alone": 2.6, "margin": 1.9}, "the margin of volt_var is 1.9, little"),
        ({"gain": 1.0, "alone": 2.6, "margin": None}, "the margin of volt_var is 2.6, little"),
        ({"gain": 0.1, "alone": 26.0, "margin": None}, None),
    ],
)
def test_a_loop_that_may_hunt_on_the_grid_as_measured_is_said(house: Json, seen: Json, says: str | None) -> None:
    house["loops"] = [{"kind": "volt_var", "slowed": {}, "measured": {"pv1": seen}}]
    text = " ".join(line.strip() for line in page(house))
    assert ("as measured" in text) is (says is not None)
    assert says is None or f"! pv1: on the grid as measured {says}" in text


def test_who_takes_a_target_and_has_none_is_not_said_to_be_bound(house: Json) -> None:
    told(house, "bat1", p_ceiling_w=None, p_target_w=0.0, bound_by=[])
    assert "resting: nobody aims at it" in row(house, "bat1")


@pytest.mark.parametrize(("export_w", "waits"), [(None, False), (9_000.0, True)])
def test_an_envelope_that_says_nothing_now_waits_for_nobody(
    house: dict[str, Any], export_w: float | None, waits: bool
) -> None:
    envelope = {"id": "e", "kind": "operating_envelope", "der": None, "by": "dso", "remaining_s": 600.0}
    house["requests"] = [envelope | {"part": None, "parts": 2, "export_w": export_w, "binds": False}]
    [line] = [line for line in page(house) if "operating envelope" in line]
    assert ("a tighter one binds" in " ".join(page(house))) is waits, line
