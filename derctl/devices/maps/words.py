"""A map's quantities in the words of SunSpec's models, so that one piece of code makes Readings of both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from derctl.devices.maps.number import Value
from derctl.devices.nominal import System

METER_MODELS = {System.SINGLE: 201, System.SPLIT: 202, System.THREE: 203}
INVERTER_MODELS = {System.SINGLE: 101, System.SPLIT: 102, System.THREE: 103}

METER = {
    "p_w": "W",
    "p_a_w": "WphA",
    "p_b_w": "WphB",
    "p_c_w": "WphC",
    "q_var": "VAR",
    "f_hz": "Hz",
    "i_a_a": "AphA",
    "i_b_a": "AphB",
    "i_c_a": "AphC",
    "v_v": "PhV",
    "v_a_v": "PhVphA",
    "v_b_v": "PhVphB",
    "v_c_v": "PhVphC",
    "v_ab_v": "PPVphAB",
    "v_bc_v": "PPVphBC",
    "v_ca_v": "PPVphCA",
    "energy_wh": "TotWhExp",
    "energy_in_wh": "TotWhImp",
}
INVERTER = {**METER, "q_var": "VAr", "energy_wh": "WH", "dc_p_w": "DCW"}
BATTERY = {
    "battery_v": "V",
    "charge_limit_a": "AChaMax",
    "charge_limit_w": "WChaRteMax",
    "discharge_limit_a": "ADisChaMax",
    "discharge_limit_w": "WDisChaRteMax",
}


def renamed(values: Mapping[str, Value | None], names: Mapping[str, str]) -> dict[str, Any]:
    """Those that have another name there."""
    return {names[name]: value for name, value in values.items() if name in names}
