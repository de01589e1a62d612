"""Setpoints in words, for events and people."""

from __future__ import annotations

from derctl.core.types import NOTHING, Setpoint


def setpoint_text(setpoint: Setpoint | None) -> str:
    """Such as `limit 4,000 W, 300 var`."""
    told = setpoint or NOTHING
    parts = (("limit", told.p_ceiling_w, "W"), ("power", told.p_target_w, "W"), ("", told.q_var, "var"))
    words = [f"{what} {round(value) + 0:,} {unit}".lstrip() for what, value, unit in parts if value is not None]
    return ", ".join(words) or "nothing"


def override_text(told: Setpoint, found: Setpoint | None) -> str:
    """What something else made of a setpoint: only the parts that differ."""
    seen = found or NOTHING
    pairs = (
        ("limit", told.p_ceiling_w, seen.p_ceiling_w, "W"),
        ("power", told.p_target_w, seen.p_target_w, "W"),
        ("reactive power", told.q_var, seen.q_var, "var"),
    )
    parts = [
        f"set its {what} to {_number(now, unit)} (derctl: {_number(ours, unit)})"
        for what, ours, now, unit in pairs
        if ours is not None and ours != now
    ]
    return f"something else {' and '.join(parts) or 'changed it'}; written again"


def _number(value: float | None, unit: str) -> str:
    return "its own" if value is None else f"{round(value) + 0:,} {unit}"
