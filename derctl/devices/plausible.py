"""What can't be true of a reading, whoever's registers it comes from: the last gate behind every driver."""

from __future__ import annotations

import math
from dataclasses import fields
from functools import lru_cache
from operator import attrgetter
from typing import Any

from derctl.core.pack import Pack
from derctl.core.types import Rating, Reading
from derctl.core.value import replace
from derctl.core.words import Status

F_LOW_HZ, F_HIGH_HZ = 45.0, 65.0
P_MAX_PU = 1.2
V_LOW_PU, V_HIGH_PU = 0.5, 1.5
P_MOST_W = 1e8
"""More than any plant that derctl is made for: the largest power that a function's setting may have."""
E_MOST_WH = 1e14
"""P_MOST_W for a hundred years."""
AWAKE_PU = 0.02
"""Above this share of its rating an inverter is not asleep, whatever its voltage reads."""

CELL_LOW_V, CELL_HIGH_V = 0.5, 5.5
"""No lithium cell, nor a block of lead, is beyond these."""
T_LOW_C, T_HIGH_C = -60.0, 120.0
PACK_MOST_V, PACK_MOST_A = 2000.0, 1e4
PACK = (
    *((name, CELL_LOW_V, CELL_HIGH_V) for name in ("cell_max_v", "cell_min_v")),
    *((name, T_LOW_C, T_HIGH_C) for name in ("t_max_c", "t_min_c")),
    ("battery_v", 0.0, PACK_MOST_V),
    ("battery_a", -PACK_MOST_A, PACK_MOST_A),
    *((name, 0.0, PACK_MOST_A) for name in ("charge_limit_a", "discharge_limit_a")),
    *((name, 0.0, P_MOST_W) for name in ("charge_limit_w", "discharge_limit_w")),
)
"""(name, lowest, highest) of each number of a battery. A NaN is between nothing."""

NUMBERS = tuple(item.name for item in fields(Reading) if item.type == "float | None")
_numbers = attrgetter(*NUMBERS)
POWERS = ("p_w", "q_var", "dc_p_w", "p_charge_limit_w", "p_discharge_limit_w")
AWAKE = frozenset({Status.ON, Status.THROTTLED, Status.STARTING, Status.FAULT})
"""Who says one of these of itself, and measures nothing, may give anything: its power is not known."""


def plausible(reading: Reading, rating: Rating) -> Reading:
    """Drop what can't be true (docs/sources.md): it becomes None, so no function acts on it.

    An inverter whose power, voltage and frequency are all missing or 0, or that gives nothing and has no grid (0 Hz,
    less than half the nominal voltage), is asleep: its registers do not tell night from outage. It gives 0 W then,
    unless it says of itself that it is at work, and no frequency is measured where there is no grid. A meter with 0 V
    or 0 Hz has lost its voltage taps, and the 0 W that it makes of that are none. rating: of a meter or a battery
    management system, zeros.
    """
    reading = _possible(reading, rating)
    return reading if reading.v_phase_v is None else _with_live_phases(reading, rating)


def _possible(reading: Reading, rating: Rating) -> Reading:
    dark = _dark(reading)
    reading = _within(reading, rating)
    if rating.size_w <= 0.0:
        return _usable(_without_its_sum(reading), rating)
    still = reading.p_w is None or abs(reading.p_w) <= AWAKE_PU * rating.size_w
    if not (_without_grid(reading, rating) and still) and not (dark and reading.status is not Status.FAULT):
        return _usable(reading, rating)
    rests = dark and reading.status not in AWAKE
    tripped = reading.status is Status.FAULT and not without_volts(reading)
    return replace(
        reading,
        p_w=0.0 if rests else reading.p_w,
        q_var=0.0 if rests else reading.q_var,
        v_v=None,
        f_hz=None,
        status=Status.FAULT if tripped else Status.ASLEEP,
    )


def _without_its_sum(reading: Reading) -> Reading:
    """A meter that has no power has no phases of it either."""
    if without_volts(reading):
        return replace(reading, p_w=None, q_var=None, p_phase_w=None)
    return reading if reading.p_w is not None or reading.p_phase_w is None else replace(reading, p_phase_w=None)


def without_volts(reading: Reading) -> bool:
    """Whether voltage or frequency reads exactly 0: an inverter asleep, a meter without its voltage taps."""
    return reading.v_v == 0.0 or reading.f_hz == 0.0


def _without_grid(reading: Reading, rating: Rating) -> bool:
    low_v = reading.v_v is not None and reading.v_v < V_LOW_PU * rating.v_nom_v
    return without_volts(reading) or low_v


def unmeasured(reading: Reading, rating: Rating) -> bool:
    """Whether a device that answers tells nothing of what it is there for. reading: a plausible one."""
    if rating.size_w > 0.0:
        return reading.p_w is None
    told = (reading.p_w, reading.dc_p_w, reading.soc_pct, reading.p_charge_limit_w, reading.p_discharge_limit_w)
    return all(value is None for value in told)


def _within(reading: Reading, rating: Rating) -> Reading:
    """Numbers only, of the size of a plant."""
    gone: dict[str, Any] = {}
    for value, (name, low, high) in zip(_numbers(reading), _bounds(rating), strict=True):
        if value is not None and not low <= value <= high:
            gone[name] = None
    if reading.pack is not None:
        gone["pack"] = packed(reading.pack)
    return replace(reading, **gone) if gone else reading


def packed(pack: Pack) -> Pack:
    """Cells, temperatures, volts and amperes that a battery can have; a cell of 0 V is a line that is not there."""
    gone: dict[str, Any] = {}
    for name, low, high in PACK:
        number = getattr(pack, name)
        if number is not None and not low <= number <= high:
            gone[name] = None
    return replace(pack, **gone) if gone else pack


@lru_cache(maxsize=64)
def _bounds(rating: Rating) -> tuple[tuple[str, float, float], ...]:
    """(name, lowest, highest) of each number. A NaN is between nothing, nor is what is infinite."""
    limit = P_MAX_PU * max(rating.size_w, rating.s_max_va) or P_MOST_W
    most = {**dict.fromkeys(POWERS, P_MOST_W), "energy_wh": E_MOST_WH, "energy_in_wh": E_MOST_WH, "soc_pct": 100.0}
    most |= dict.fromkeys(("p_w", "q_var"), min(limit, P_MOST_W))
    least = {"energy_wh": 0.0, "energy_in_wh": 0.0, "soc_pct": 0.0}
    highs = {name: most.get(name, math.nextafter(math.inf, 0.0)) for name in NUMBERS}
    return tuple((name, least.get(name, -high), high) for name, high in highs.items())


def _usable(reading: Reading, rating: Rating) -> Reading:
    """Without a voltage or a frequency that no grid has."""
    v_v, f_hz = reading.v_v, reading.f_hz
    bad_f = without_volts(reading) or (f_hz is not None and not F_LOW_HZ <= f_hz <= F_HIGH_HZ)
    v_pu = None if v_v is None else v_v / rating.v_nom_v
    bad_v = without_volts(reading) or (v_pu is not None and not V_LOW_PU <= v_pu <= V_HIGH_PU)
    if not bad_f and not bad_v:
        return reading
    return replace(reading, f_hz=None if bad_f else f_hz, v_v=None if bad_v else v_v)


def _with_live_phases(reading: Reading, rating: Rating) -> Reading:
    """Of the phases those with a voltage that a grid has; none where the mean is none."""
    low_v, high_v = V_LOW_PU * rating.v_nom_v, V_HIGH_PU * rating.v_nom_v
    each = reading.v_phase_v or ()
    live = tuple(volts if volts is not None and low_v <= volts <= high_v else None for volts in each)
    none = reading.v_v is None or not any(live)
    return reading if live == each and not none else replace(reading, v_phase_v=None if none else live)


def _dark(reading: Reading) -> bool:
    """Nothing of it shows any life."""
    return not (reading.p_w or reading.v_v or reading.f_hz or reading.dc_p_w)
