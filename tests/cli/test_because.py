"""The one line that says why an inverter is where it is."""

from __future__ import annotations

from typing import Any

import pytest

from derctl.cli.holding import _battery, because


def bound(by: str, what: str, value: float, why: str | None = None) -> dict[str, Any]:
    return {"by": by, "what": what, "value": value, "rank": 0, "why": why}


CHARGE = bound("self_consumption", "p_target_w", -5000.0)
LINES: dict[str, tuple[dict[str, Any], str]] = {
    "nothing": ({}, ""),
    "a ceiling": (
        {
            "p_ceiling_w": 900.0,
            "bound_by": [bound("volt_watt", "p_ceiling_w", 4000.0), bound("contract", "p_ceiling_w", 900.0)],
        },
        "contract 900",
    ),
    "why": (
        {"p_ceiling_w": 3000.0, "bound_by": [bound("contract", "p_ceiling_w", 3000.0, "meter_lost")]},
        "contract 3,000 (meter_lost)",
    ),
    "a target away from the edge": (
        {"p_target_w": -5000.0, "bound_by": [CHARGE, bound("bms_guard", "p_ceiling_w", 4750.0)]},
        "self_consumption -5,000",
    ),
    "a target at the edge": (
        {"p_target_w": -2000.0, "bound_by": [CHARGE, bound("bms_guard", "p_floor_w", -2000.0)]},
        "self_consumption -5,000; bms_guard -2,000",
    ),
    "var besides": (
        {"p_target_w": 0.0, "bound_by": [CHARGE, bound("volt_var", "q_var", -220.0)]},
        "self_consumption -5,000; volt_var -220",
    ),
}


@pytest.mark.parametrize("case", LINES)
def test_who_bound_it_is_one_line(case: str) -> None:
    told, line = LINES[case]
    assert because(told) == line


@pytest.mark.parametrize(
    ("seen", "text"),
    [
        ({}, None),
        ({"alarms": [], "pack": {"bars": [], "closed": True}, "limits_by": "bms"}, None),
        ({"alarms": ["under_volt_alarm"], "pack": {"bars": ["under_volt"], "closed": False}},
         "battery: under volt alarm, contactor open"),
        ({"alarms": None, "pack": {"bars": ["charge_off"], "closed": None}}, "battery: charge off"),
        ({"alarms": None, "pack": None, "limits_by": "nobody"}, "limits not read"),
    ],
)  # fmt: skip
def test_what_bars_a_battery_is_said(seen: dict[str, Any], text: str | None) -> None:
    assert _battery(seen) == text
