"""Registers that stand still while power flows: the socket lives, the device's data does not.

An idle battery and PV at night stand still too, rightly: only a device that moves energy can be frozen.
"""

from __future__ import annotations

from derctl.core.exchange import Registers
from derctl.core.types import Rating, Reading
from derctl.core.value import value

PERIODS = 3
"""Refresh periods (or expected counts of the energy counter) that may pass without a change."""
COUNT_UNKNOWN_WH = 10.0
"""Resolution assumed of an energy counter until it has been seen to move (docs/sources.md)."""
FLOOR_PU = 0.02
"""Below this share of the rating a steady reading is believable (docs/sources.md)."""

METER_SCALE_W = 2500.0
"""Scale for a meter's stillness, and the least for a BMS's: with 2 % of it, 50 W, a steady reading is believable."""
BMS_REFRESH_S = 10.0
"""Three of these are the 30 s after which a silent BMS stops the battery too (docs/sources.md)."""


@value
class Stillness:
    """What is known of a device's changes. count_wh: the smallest step seen of its energy counter."""

    registers: tuple[int, ...] = ()
    since_s: float = 0.0
    energy_wh: float | None = None
    count_wh: float | None = None


def observe(still: Stillness, registers: Registers, energy_wh: float | None, now_s: float) -> Stillness:
    """Take a new poll into account."""
    words = tuple(registers)
    count = still.count_wh
    if energy_wh is not None and still.energy_wh is not None and energy_wh > still.energy_wh:
        step = energy_wh - still.energy_wh
        count = step if count is None else min(count, step)
    since = still.since_s if words == still.registers else now_s
    return Stillness(registers=words, since_s=since, energy_wh=energy_wh, count_wh=count)


def stands_still(still: Stillness, reading: Reading, rating: Rating, refresh_s: float, now_s: float) -> bool:
    """The same for a poll of a device; a BMS states no rating, its limits tell its size."""
    if reading.p_w is None and reading.dc_p_w is not None:
        limits = (reading.p_charge_limit_w or 0.0, reading.p_discharge_limit_w or 0.0)
        scale_w, refresh_s = max(*limits, rating.size_w or METER_SCALE_W), max(refresh_s, BMS_REFRESH_S)
        return frozen(still, p_w=reading.dc_p_w, scale_w=scale_w, refresh_s=refresh_s, now_s=now_s)
    scale_w = rating.size_w or METER_SCALE_W
    return frozen(still, p_w=reading.p_w, scale_w=scale_w, refresh_s=refresh_s, now_s=now_s)


def frozen(still: Stillness, *, p_w: float | None, scale_w: float, refresh_s: float, now_s: float) -> bool:
    """Whether nothing has changed for too long, given the power that it claims. scale_w: its rating."""
    if p_w is None or abs(p_w) < FLOOR_PU * scale_w:
        return False
    count_s = 3600.0 * (still.count_wh or COUNT_UNKNOWN_WH) / abs(p_w)
    return now_s - still.since_s > PERIODS * max(refresh_s, count_s)
