"""What can't be true of a reading, whoever's registers it comes from."""

from __future__ import annotations

from dataclasses import replace

from derctl.core.types import Rating, Reading
from derctl.core.words import Status

F_LOW_HZ, F_HIGH_HZ = 45.0, 65.0
P_MAX_PU = 1.2
V_LOW_PU, V_HIGH_PU = 0.5, 1.5


def plausible(reading: Reading, rating: Rating) -> Reading:
    """Drop what can't be true (docs/sources.md): it becomes None, so no function acts on it.

    0 V or 0 Hz from an inverter means asleep, not a grid fault.
    """
    limit = P_MAX_PU * max(rating.size_w, rating.s_max_va)
    bad_p = limit > 0.0 and reading.p_w is not None and abs(reading.p_w) > limit
    bad_q = limit > 0.0 and reading.q_var is not None and abs(reading.q_var) > limit
    asleep = without_volts(reading)
    bad_f = asleep or (reading.f_hz is not None and not F_LOW_HZ <= reading.f_hz <= F_HIGH_HZ)
    v_pu = None if reading.v_v is None else reading.v_v / rating.v_nom_v
    bad_v = asleep or (v_pu is not None and not V_LOW_PU <= v_pu <= V_HIGH_PU)
    if not (bad_p or bad_q or bad_f or bad_v):
        return reading
    return replace(
        reading,
        p_w=None if bad_p else reading.p_w,
        q_var=None if bad_q else reading.q_var,
        f_hz=None if bad_f else reading.f_hz,
        v_v=None if bad_v else reading.v_v,
        status=Status.ASLEEP if asleep else reading.status,
    )


def metered(reading: Reading, rating: Rating) -> Reading:
    """The same for a meter. 0 V or 0 Hz: its voltage taps are lost, and the 0 W that it makes of that are none."""
    return plausible(replace(reading, p_w=None, q_var=None) if without_volts(reading) else reading, rating)


def without_volts(reading: Reading) -> bool:
    """Whether voltage or frequency reads exactly 0: an inverter asleep, a meter without its voltage taps."""
    return reading.v_v == 0.0 or reading.f_hz == 0.0
