"""What a DER can do, and what it may be doing: the apparent-power circle, the reactive box, the limit in force."""

from __future__ import annotations

import math
from collections.abc import Sequence

from derctl.core.types import NOTHING, DerState, Rating
from derctl.core.words import Status

DARK = frozenset({Status.ASLEEP, Status.OFF, Status.FAULT})
"""An inverter that says so gives nothing, whatever it is let."""


def q_box(rating: Rating, q_var: float) -> float:
    """Clip to what the DER can inject or absorb."""
    return clamp(q_var, -rating.q_abs_max_var, rating.q_inj_max_var)


def room(s_max_va: float, other: float) -> float:
    """What the circle leaves on one axis when the other holds `other`: sqrt(S^2 - other^2), never NaN."""
    return math.sqrt(max(s_max_va * s_max_va - other * other, 0.0))


def clamp(value: float, low: float, high: float) -> float:
    """The nearest value inside [low, high]; where low is above high, high."""
    lifted = low if value < low else value
    return high if lifted > high else lifted


def told_w(der: DerState) -> float | None:
    """The setpoint or limit in force, W: as read back last, else as written last. None: not known."""
    accepted = der.reading.accepted
    if accepted is None:
        accepted = der.written or NOTHING
    if accepted.p_target_w is not None:
        return accepted.p_target_w
    if accepted.p_ceiling_w is not None or der.written is None:
        return accepted.p_ceiling_w
    return der.written.p_ceiling_w


def present_w(der: DerState) -> float:
    """The most that it may give without being raised: the limit in force, or what a store gives; at least rest. 0 W
    where nothing is known."""
    known = told_w(der) if der.can.limit else der.reading.p_w
    if known is None:
        known = der.reading.p_w
    return max(known or 0.0, 0.0)


def shares_its_sun(der: DerState) -> bool:
    """Whether sun and a battery are behind the same AC terminals."""
    return der.can.pv is not None and der.can.battery is not None


def let_out_w(der: DerState, battery_w: float | None) -> float | None:
    """The ceiling at its AC terminals under which its battery gives no more than battery_w (AC W). Where the sun is
    behind them too, its power comes on top: theirs less what the battery gives, as they are measured. None: there is
    no such ceiling, or it is not known.
    """
    if battery_w is None or not shares_its_sun(der):
        return battery_w
    p_w, dc_w = der.reading.p_w, der.reading.dc_p_w
    return None if p_w is None or dc_w is None else max(p_w - dc_w, 0.0) + battery_w


def held_w(der: DerState) -> float:
    """The most that it may give under what it was told."""
    told = told_w(der)
    return der.rating.p_max_w if told is None else max(told, 0.0)


def least_rise_w(ders: Sequence[DerState]) -> float:
    """From 0 W on, what their sum has to be let at least, so that each takes its share of that."""
    sum_w = sum(der.rating.per_unit_w for der in ders)
    return max(
        (der.can.least_w / der.rating.per_unit_w * sum_w for der in ders if der.can.least_w > 0.0), default=0.0
    )


def assumed_w(der: DerState) -> float:
    """Its power, W; of one that is not measured now, what was measured lately, then what it was told; nothing where
    it says that it is dark."""
    if der.reading.p_w is not None:
        return der.reading.p_w
    if der.reading.status in DARK:
        return 0.0
    known = told_w(der) if der.seen_w is None else der.seen_w
    return der.rating.p_max_w if known is None else known
