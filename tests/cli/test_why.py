"""`derctl why`: one paragraph that answers why an inverter is where it is."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from derctl.cli.why import ACHIEVED, PARTS, why
from derctl.core.words import Achieved, What

Json = dict[str, Any]


def test_the_paragraph_goes_from_what_it_gives_to_why(house: Json) -> None:
    pv1 = house["ders"]["pv1"]
    pv1["setpoint"]["bound_by"].insert(
        0,
        {"by": "contract_export_limit", "what": "p_ceiling_w", "value": 3120.0, "rank": 15, "why": "meter_unproven"},
    )
    pv1["outcome"] |= {
        "requested": {"p_ceiling_w": 2000.0, "by": "operator_limit"},
        "requested_t": "2026-11-21T15:11:30.000Z",
        "accepted": {"p_ceiling_w": 2000.0, "p_target_w": None},
        "accepted_t": "2026-11-21T15:11:31.000Z",
        "achieved": "yes",
    }
    assert why("pv1", house, zone=UTC) == (
        "pv1 gives 2,000 W. It is told: at most 2,000 W. Bound in this order: the contract at most 3,120 W (the "
        "meter is not proven yet: load is not counted), then operator anna at most 2,000 W (asked for 2,000 W until "
        "15:27). Requested by operator anna: at most 2,000 W since 15:11:30. It reads back a limit of "
        "2,000 W since 15:11:31. It does what it is told. Without a say now: volt_var, volt_watt, "
        "freq_droop (its own mode can't be read back)."
    )


def test_a_function_in_another_shape_is_said_with_who_asked_and_for_what(house: Json) -> None:
    """Of two that are shaped the one that bound it, and one for all where there is none of its own."""
    asked: Json = {"kind": "set_function", "by": "dso", "der": None, "on": True, "reactive": False, "binds": True}
    asked |= {"remaining_s": 900.0, "until": "2026-11-21T15:27:00.000Z"}
    house["requests"] = [
        asked | {"id": "a", "function": "freq_droop", "settings": {"k_of": 0.03}},
        asked | {"id": "b", "function": "volt_watt", "settings": {"v1_pu": 1.05}},
    ]
    bound = {"by": "volt_watt", "what": "p_ceiling_w", "value": 2000.0, "rank": 20, "why": None}
    house["ders"]["pv1"]["setpoint"]["bound_by"] = [bound]
    told = why("pv1", house, zone=UTC)
    assert "volt-watt as dso asked at most 2,000 W (asked for volt_watt (v1_pu 1.05 pu) until 15:27)." in told


def test_in_observe_mode_it_is_what_would_be(house: Json) -> None:
    house["mode"] = "observe"
    house["ders"]["pv2"]["outcome"] |= {"achieved": "no", "reason": "gate_closed"}
    assert why("pv2", house, zone=UTC) == (
        "pv2 gives 9,500 W. It would be told: at most 10,000 W; nothing is written in observe mode. "
        "Nobody bounds it below its rating."
    )


def test_which_way_a_batterys_power_goes_is_said(house: Json) -> None:
    house["ders"]["bat1"]["rating"] = {"p_max_w": 5000.0, "p_min_w": -5000.0}
    told = why("bat1", house, zone=UTC)
    assert told.startswith("bat1 draws 5,000 W (charging). It is told: charging 5,000 W.")


def test_of_what_is_told_nothing_no_verdict_is_said(house: Json) -> None:
    house["ders"]["pv1"]["setpoint"] |= {"p_ceiling_w": None, "bound_by": []}
    house["ders"]["pv1"] |= {"abstained": {}}
    assert why("pv1", house, zone=UTC) == "pv1 gives 2,000 W. It is told nothing."


def test_why_it_does_not_obey_comes_with_its_code(house: Json) -> None:
    house["ders"]["pv1"]["outcome"] |= {"achieved": "no", "reason": "write_ignored"}
    told = why("pv1", house, zone=UTC)
    assert "It does not do what it is told: it ignores what is written (write_ignored)." in told


def test_of_a_silent_device_nothing_of_now_is_said(house: Json) -> None:
    house["ders"]["pv1"] |= {"state": "unreachable", "text": "no answer \x1b[1m", "setpoint": None}
    assert why("pv1", house, zone=UTC).startswith("pv1: can't be reached: no answer ?[1m. Nothing is decided yet.")


def test_every_verdict_and_every_part_has_its_words() -> None:
    assert set(ACHIEVED) == {*Achieved}
    assert set(PARTS) == {*What}
