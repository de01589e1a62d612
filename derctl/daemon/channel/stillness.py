"""Registers that stand still while power flows: the socket lives, the device's data does not.

An idle battery and PV at night stand still too, rightly: only a device that moves energy can be frozen. A meter that
measures volts or hertz never stands still, at no power: the grid wavers.
"""

from __future__ import annotations

from derctl.core.exchange import Registers
from derctl.core.types import Rating, Reading
from derctl.core.value import made, value

PERIODS = 3
"""Refresh periods (or expected counts of the energy counter) that may pass without a change."""
COUNT_UNKNOWN_WH = 10.0
"""Resolution assumed of an energy counter until it has been seen to move (docs/sources.md)."""
FLOOR_PU = 0.02
"""Below this share of the rating a steady reading is believable (docs/sources.md)."""

METER_SCALE_W = 2500.0
"""Scale for a meter's stillness, and the least for a BMS's: with 2 % of it, 50 W, a steady reading is believable."""
METER_STILL_S, METER_STILL_REFRESHES = 15.0, 8.0
"""For how long all that a meter shows may stand still: this, and so many of its refresh times, the longer."""
FORGETS = 0.02
"""Share by which a longer refresh time is forgotten with each change."""
BMS_REFRESH_S = 10.0
"""Three of these are the 30 s after which a silent BMS stops the battery too (docs/sources.md)."""


@value
class Stillness:
    """What is known of a device's changes. count_wh: the smallest step seen of its energy counter.

    polled_s: when it was polled last. refresh_s: how long it was lately seen to stand still before it changed.
    """

    registers: tuple[int, ...] = ()
    since_s: float = 0.0
    energy_wh: float | None = None
    count_wh: float | None = None
    polled_s: float = 0.0
    refresh_s: float = 0.0


_new_stillness = made(Stillness)


def observe(still: Stillness, registers: Registers, energy_wh: float | None, now_s: float) -> Stillness:
    """Take a new poll into account."""
    words = tuple(registers)
    count = still.count_wh
    if energy_wh is not None and still.energy_wh is not None and energy_wh > still.energy_wh:
        step = energy_wh - still.energy_wh
        count = step if count is None else min(count, step)
    same = words == still.registers
    return _new_stillness(
        registers=words,
        since_s=still.since_s if same else now_s,
        energy_wh=energy_wh,
        count_wh=count,
        polled_s=now_s,
        refresh_s=still.refresh_s if same else _refreshed(still),
    )


def _refreshed(still: Stillness) -> float:
    """What stood still for longer than a meter may was frozen, and teaches nothing."""
    stood_s = still.polled_s - still.since_s
    if not still.registers or stood_s > METER_STILL_S:
        return still.refresh_s
    return max(stood_s, still.refresh_s + FORGETS * (stood_s - still.refresh_s))


def stands_still(still: Stillness, reading: Reading, rating: Rating, refresh_s: float, now_s: float) -> bool:
    """The same for a poll of a device; a BMS states no rating, its limits tell its size."""
    if reading.p_w is None and reading.dc_p_w is not None:
        limits = (reading.p_charge_limit_w or 0.0, reading.p_discharge_limit_w or 0.0)
        scale_w, refresh_s = max(*limits, rating.size_w or METER_SCALE_W), max(refresh_s, BMS_REFRESH_S)
        return frozen(still, p_w=reading.dc_p_w, scale_w=scale_w, refresh_s=refresh_s, now_s=now_s)
    if rating.size_w:
        return frozen(still, p_w=reading.p_w, scale_w=rating.size_w, refresh_s=refresh_s, now_s=now_s)
    return reading.p_w is not None and _meter_stands_still(still, reading, refresh_s, now_s)


def _meter_stands_still(still: Stillness, reading: Reading, refresh_s: float, now_s: float) -> bool:
    """One without volts and hertz may stand still where it shows next to no power."""
    least_s = max(METER_STILL_S, METER_STILL_REFRESHES * max(refresh_s, still.refresh_s))
    if now_s - still.since_s < least_s:
        return False
    wavers = bool(reading.v_v or reading.f_hz)
    return wavers or frozen(still, p_w=reading.p_w, scale_w=METER_SCALE_W, refresh_s=refresh_s, now_s=now_s)


def frozen(still: Stillness, *, p_w: float | None, scale_w: float, refresh_s: float, now_s: float) -> bool:
    """Whether nothing has changed for too long, given the power that it claims. scale_w: its rating."""
    if p_w is None or abs(p_w) < FLOOR_PU * scale_w:
        return False
    count_s = 3600.0 * (still.count_wh or COUNT_UNKNOWN_WH) / abs(p_w)
    return now_s - still.since_s > PERIODS * max(refresh_s, count_s)
