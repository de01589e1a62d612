"""The apparent-power circle and the reactive box inside it."""

from __future__ import annotations

import math

from derctl.core.types import Rating


def q_box(rating: Rating, q_var: float) -> float:
    """Clip to what the DER can inject or absorb."""
    return min(max(q_var, -rating.q_abs_max_var), rating.q_inj_max_var)


def room(s_max_va: float, other: float) -> float:
    """What the circle leaves on one axis when the other holds `other`: sqrt(S^2 - other^2), never NaN."""
    return math.sqrt(max(s_max_va * s_max_va - other * other, 0.0))


def clamp(value: float, low: float, high: float) -> float:
    """The nearest value inside [low, high]."""
    return min(max(value, low), high)
