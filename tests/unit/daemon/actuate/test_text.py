"""Setpoints in words."""

from __future__ import annotations

import pytest

from derctl.core.types import Reading, Setpoint
from derctl.daemon.actuate.text import contradicted_text, not_followed_text, override_text, setpoint_text


@pytest.mark.parametrize(
    ("setpoint", "text"),
    [
        (Setpoint(p_ceiling_w=4000.4), "limit 4,000 W"),
        (Setpoint(p_target_w=-1500.0, q_var=-0.2), "charging 1,500 W, 0 var"),
        (Setpoint(p_target_w=1500.0), "discharging 1,500 W"),
        (Setpoint(p_target_w=-0.2), "power 0 W"),
        (Setpoint(p_ceiling_w=-500.0), "charging at least 500 W"),
        (Setpoint(), "nothing"),
        (None, "nothing"),
    ],
)
def test_a_setpoint_is_said_in_watts_and_var(setpoint: Setpoint | None, text: str) -> None:
    assert setpoint_text(setpoint) == text


@pytest.mark.parametrize(
    ("ours", "found", "text"),
    [
        (
            Setpoint(p_ceiling_w=9630.0, q_var=100.0),
            Setpoint(p_ceiling_w=4000.0, q_var=100.0),
            "something else set its limit to 4,000 W (derctl: 9,630 W); written again",
        ),
        (
            Setpoint(p_target_w=-500.0, q_var=100.0),
            Setpoint(p_target_w=0.0),
            "something else set its power to 0 W (derctl: charging 500 W)"
            " and took its reactive power of 100 var back; written again",
        ),
        (
            Setpoint(p_ceiling_w=9630.0, q_var=-0.3),
            Setpoint(p_ceiling_w=10_000.0, q_var=0.0),
            "something else set its limit to 10,000 W (derctl: 9,630 W); written again",
        ),
    ],
)
def test_an_override_names_what_differs_and_both_values(ours: Setpoint, found: Setpoint, text: str) -> None:
    assert override_text(ours, found) == text


def test_what_draws_is_said_to_draw() -> None:
    told = not_followed_text(Setpoint(p_target_w=-4000.0), Reading(p_w=-1500.0))
    assert told == "told charging 4,000 W, draws 1,500 W"
    assert not_followed_text(Setpoint(p_ceiling_w=4000.0), Reading(p_w=7000.0)) == "told limit 4,000 W, gives 7,000 W"
    assert contradicted_text(-900.0, Reading(p_w=-20.0)).startswith("reads back charging 900 W and draws 20 W:")
    assert contradicted_text(0.0, Reading(p_w=1080.0)).startswith("reads back 0 W and gives 1,080 W:")
