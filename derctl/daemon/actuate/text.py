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
    parts = [_changed(what, ours, now, unit) for what, ours, now, unit in pairs if ours is not None]
    return f"something else {' and '.join(part for part in parts if part) or 'changed it'}; written again"


def _changed(what: str, ours: float, now: float | None, unit: str) -> str:
    """ "" where both are the same in print: who reads of it could not tell them apart."""
    told = f"{round(ours) + 0:,} {unit}"
    if now is None:
        return f"took its {what} of {told} back"
    found = f"{round(now) + 0:,} {unit}"
    return "" if found == told else f"set its {what} to {found} (derctl: {told})"
