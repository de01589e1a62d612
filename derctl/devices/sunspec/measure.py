"""AC measurements of inverters (101-103, 111-113, 701) and meters (201-204, 211-214) as a Reading."""

from __future__ import annotations

import math
from typing import Any

from derctl.core.types import Reading
from derctl.core.words import Status

INVERTERS = (701, 103, 102, 101, 113, 112, 111)
METERS = (203, 204, 202, 201, 213, 214, 212, 211)

POINTS_1XX = (
    *("W", "VAr", "Hz", "PhVphA", "PhVphB", "PhVphC", "PPVphAB", "PPVphBC", "PPVphCA"),
    *("WH", "DCW", "St"),
)
POINTS_701 = ("W", "Var", "Hz", "LNV", "LLV", "VL1", "VL2", "VL3", "TotWhInj", "InvSt", "St", "ConnSt")
POINTS_METER = ("W", "VAR", "Hz", "PhV", "PhVphA", "PhVphB", "PhVphC", "PPV", "TotWhExp")

STATE_1XX = {
    1: Status.OFF,
    2: Status.ASLEEP,
    3: Status.STARTING,
    4: Status.ON,
    5: Status.THROTTLED,
    6: Status.OFF,
    7: Status.FAULT,
    8: Status.STANDBY,
}
"""Point St of models 101-113."""
STATE_701 = {
    0: Status.OFF,
    1: Status.ASLEEP,
    2: Status.STARTING,
    3: Status.ON,
    4: Status.THROTTLED,
    5: Status.OFF,
    6: Status.FAULT,
    7: Status.STANDBY,
}
"""Point InvSt of model 701."""


def inverter(model_id: int, values: dict[str, Any], **more: Any) -> Reading:
    """Models 101-103, 111-113 or 701: W positive for generation, as SunSpec has it. more: what other models said."""
    if model_id == 701:
        phases = (values.get("VL1"), values.get("VL2"), values.get("VL3"))
        status = STATE_701.get(values.get("InvSt", -1), Status.UNKNOWN)
        if status is Status.UNKNOWN and values.get("St") is not None:
            status = Status.ON if values["St"] == 1 else Status.OFF
        q_var, energy = values.get("Var"), values.get("TotWhInj")
        mean: float | None = values.get("LNV")
        line: tuple[float | None, ...] = (values.get("LLV"),)
    else:
        phases = (values.get("PhVphA"), values.get("PhVphB"), values.get("PhVphC"))
        status = STATE_1XX.get(values.get("St", -1), Status.UNKNOWN)
        q_var, energy = values.get("VAr"), values.get("WH")
        mean, line = None, (values.get("PPVphAB"), values.get("PPVphBC"), values.get("PPVphCA"))
    return Reading(
        p_w=values.get("W"),
        q_var=q_var,
        v_v=voltage(mean, phases, line),
        f_hz=values.get("Hz"),
        dc_p_w=values.get("DCW"),
        energy_wh=energy,
        status=status,
        **more,
    )


def meter(values: dict[str, Any], *, sign: int) -> Reading:
    """Models 201-214. sign +1 where the meter's W is positive for export; the counters' names say their side."""
    phases = (values.get("PhVphA"), values.get("PhVphB"), values.get("PhVphC"))
    p_w, q_var = values.get("W"), values.get("VAR")
    return Reading(
        p_w=None if p_w is None else sign * p_w,
        q_var=None if q_var is None else sign * q_var,
        v_v=voltage(values.get("PhV"), phases, (values.get("PPV"),)),
        f_hz=values.get("Hz"),
        energy_wh=values.get("TotWhExp"),
        status=Status.ON,
    )


def voltage(mean: float | None, phases: tuple[float | None, ...], lines: tuple[float | None, ...]) -> float | None:
    """Mean phase-to-neutral voltage: as given, from the phases that are there, or from line-to-line / sqrt 3.

    0 only where all that is implemented reads 0.
    """
    if mean:
        return mean
    there = [v for v in phases if v]
    if there:
        return sum(there) / len(there)
    across = [v for v in lines if v]
    if across:
        return sum(across) / len(across) / math.sqrt(3.0)
    return next((v for v in (mean, *phases, *lines) if v is not None), None)
