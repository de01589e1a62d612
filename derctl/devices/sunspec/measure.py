"""AC measurements of inverters (101-103, 111-113, 701) and meters (201-204, 211-214) as a Reading."""

from __future__ import annotations

from typing import Any

from derctl.core.types import Reading
from derctl.core.words import Status
from derctl.devices.nominal import System
from derctl.devices.sunspec import phases

INVERTERS = (701, 103, 102, 101, 113, 112, 111)
METERS = (203, 204, 202, 201, 213, 214, 212, 211)

POINTS_1XX = (
    *("AphA", "AphB", "AphC", "W", "VAr", "Hz", "PhVphA", "PhVphB", "PhVphC", "PPVphAB", "PPVphBC", "PPVphCA"),
    *("WH", "DCW", "St"),
)
POINTS_701 = (
    *("ACType", "W", *phases.POINTS_701, "Var", "Hz", "LNV", "LLV", "VL1", "VL2", "VL3", "VL1L2", "VL2L3", "VL3L1"),
    *("TotWhInj", "TotWhAbs", "InvSt", "St", "ConnSt"),
)
POINTS_METER = (
    *("AphA", "AphB", "AphC", "W", "WphA", "WphB", "WphC", "VAR", "Hz", "PhV", "PhVphA", "PhVphB", "PhVphC", "PPV"),
    *("TotWhExp", "TotWhImp"),
    *("PhVphAB", "PhVphBC", "PhVphCA", "PPVphAB", "PPVphBC", "PPVphCA"),
)
VOLTS, VOLTS_701 = ("PhVphA", "PhVphB", "PhVphC"), ("VL1", "VL2", "VL3")
"""To neutral, phase by phase."""
LIVE_PU = 0.2
"""A phase below this share of the highest is not connected: what it reads is noise."""
PAIRS = ("AB", "BC", "CA")
"""Between which lines; models 202-204 call the point PhVph.., all others PPVph..."""

SYSTEMS = {
    **dict.fromkeys((101, 111, 201, 211), System.SINGLE),
    **dict.fromkeys((102, 112, 202, 212), System.SPLIT),
    **dict.fromkeys((103, 113, 203, 204, 213, 214), System.THREE),
}
"""By the model's own definition; wye and delta differ in nothing that is read here."""
SYSTEMS_701 = {0: System.SINGLE, 1: System.SPLIT, 2: System.THREE}
"""Point ACType of model 701."""

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


def system_of(model_id: int, values: dict[str, Any]) -> System | None:
    """How the device is connected; None where a 701 doesn't tell."""
    return SYSTEMS_701.get(values.get("ACType", -1)) if model_id == 701 else SYSTEMS[model_id]


def inverter(model_id: int, values: dict[str, Any], *, phase: int | None = None, **more: Any) -> Reading:
    """Models 101-103, 111-113 or 701: W positive for generation, as SunSpec has it. phase: of one that has only one.
    more: what other models said."""
    if model_id == 701:
        status = STATE_701.get(values.get("InvSt", -1), Status.UNKNOWN)
        if status is Status.UNKNOWN and values.get("St") is not None:
            status = Status.ON if values["St"] == 1 else Status.OFF
        q_var, energy = values.get("Var"), values.get("TotWhInj")
    else:
        status = STATE_1XX.get(values.get("St", -1), Status.UNKNOWN)
        q_var, energy = values.get("VAr"), values.get("WH")
    system, v_v = system_of(model_id, values), inverter_volts(model_id, values)
    each = tuple(values.get(name) for name in (VOLTS_701 if model_id == 701 else VOLTS))
    return Reading(
        p_w=values.get("W"),
        q_var=q_var,
        v_v=v_v,
        f_hz=values.get("Hz"),
        dc_p_w=values.get("DCW"),
        energy_wh=energy,
        energy_in_wh=values.get("TotWhAbs"),
        p_phase_w=phases.given(model_id, system, values, phase),
        v_phase_v=phases.volts(system, each, v_v, phase),
        status=status,
        **more,
    )


def inverter_volts(model_id: int, values: dict[str, Any]) -> float | None:
    """At its terminals, phase to neutral where it has one."""
    if model_id == 701:
        each = tuple(values.get(name) for name in VOLTS_701)
        lines = (values.get("VL1L2"), values.get("VL2L3"), values.get("VL3L1"))
        return voltage(system_of(701, values), values.get("LNV"), each, values.get("LLV"), lines)
    each = tuple(values.get(name) for name in VOLTS)
    lines = (values.get("PPVphAB"), values.get("PPVphBC"), values.get("PPVphCA"))
    return voltage(SYSTEMS[model_id], None, each, None, lines)


def meter(model_id: int, values: dict[str, Any], *, sign: int) -> Reading:
    """Models 201-214. sign +1 where the meter's W is positive for export; the counters' names say their side.

    A pair of lines tells where no phase is implemented: phases that read 0 are lost taps.
    """
    volts = tuple(values.get(name) for name in VOLTS)
    named = (_either(values.get(f"PhVph{pair}"), values.get(f"PPVph{pair}")) for pair in PAIRS)
    lines = tuple(named) if all(each is None for each in (values.get("PhV"), *volts)) else ()
    p_w, q_var = values.get("W"), values.get("VAR")
    p_phase_w, phase_sum_w = phases.metered(SYSTEMS[model_id], values, sign=sign)
    return Reading(
        p_w=None if p_w is None else sign * p_w,
        q_var=None if q_var is None else sign * q_var,
        v_v=voltage(SYSTEMS[model_id], values.get("PhV"), volts, values.get("PPV"), lines),
        f_hz=values.get("Hz"),
        energy_wh=values.get("TotWhExp"),
        energy_in_wh=values.get("TotWhImp"),
        p_phase_w=p_phase_w,
        v_phase_v=phases.volts(SYSTEMS[model_id], volts, None, None),
        phase_sum_w=phase_sum_w,
        status=Status.ON,
    )


Volts = float | None


def _either(first: Volts, second: Volts) -> Volts:
    return second if first is None else first


def voltage(
    system: System | None, mean: Volts, phases: tuple[Volts, ...], across: Volts, lines: tuple[Volts, ...]
) -> float | None:
    """Mean phase-to-neutral voltage: as given, from the phases that are there, or from what is between the lines.

    mean, across: the device's own means of phases and of lines. 0 only where all that is implemented reads 0. None
    where nobody knows what stands between the lines. A phase that is not connected counts no more than a missing one.
    """
    if mean:
        return mean
    live = [volts for volts in phases if volts]
    least = LIVE_PU * max(live, default=0.0)
    there = [volts for volts in live if volts >= least]
    if there:
        return sum(there) / len(there)
    pairs = [volts for volts in (lines if system is System.THREE else lines[:1]) if volts]
    between = across or (sum(pairs) / len(pairs) if pairs else None)
    if between:
        return None if system is None else between / system.lines
    return next((volts for volts in (mean, *phases, across, *lines) if volts is not None), None)
