"""The quantities that a map's lines may tell, by what a device is, each with the unit that it is in here."""

from __future__ import annotations

IDENTITY = {"model": "", "serial": "", "firmware": ""}
"""Who it is; read when it is found, and to make sure that it is still the one."""

AC = {
    "p_w": "W",
    "p_a_w": "W",
    "p_b_w": "W",
    "p_c_w": "W",
    "q_var": "var",
    "f_hz": "Hz",
    "i_a_a": "A",
    "i_b_a": "A",
    "i_c_a": "A",
    "v_v": "V",
    "v_a_v": "V",
    "v_b_v": "V",
    "v_c_v": "V",
    "v_ab_v": "V",
    "v_bc_v": "V",
    "v_ca_v": "V",
    "energy_wh": "Wh",
    "energy_in_wh": "Wh",
}
"""Sign: of a meter as it counts itself, the site file says which way that is; of all others towards the grid.
energy_wh: delivered, of a meter exported. v_v: mean of phase to neutral. i: with the sign that it has there."""

PHASE_POWERS = ("p_a_w", "p_b_w", "p_c_w")
"""What makes up the power where a map has no line p_w."""
ALARMS = ("alarms", "alarms_b", "alarms_c", "alarms_d")
"""Of a battery whose alarms stand in several places; they count as one list."""

BOUNDS = {
    "v_high_v": "V",
    "v_low_v": "V",
    "cell_high_v": "V",
    "cell_low_v": "V",
    "charge_t_low_c": "°C",
    "charge_t_high_c": "°C",
    "discharge_t_low_c": "°C",
    "discharge_t_high_c": "°C",
}
"""What a battery says that it must not go beyond now: all of it, a cell of it, and its temperature each way."""

BATTERY = {
    "soc_pct": "%",
    "soh_pct": "%",
    "battery_v": "V",
    "battery_a": "A",
    "dc_p_w": "W",
    "charge_w": "W",
    "discharge_w": "W",
    "charge_limit_w": "W",
    "charge_limit_a": "A",
    "discharge_limit_w": "W",
    "discharge_limit_a": "A",
    "flow": "",
    "charge_on": "",
    "discharge_on": "",
    "cell_max_v": "V",
    "cell_min_v": "V",
    "t_max_c": "°C",
    "t_min_c": "°C",
    **BOUNDS,
    **dict.fromkeys(ALARMS, ""),
    "status": "",
}
"""Sign: discharge is positive. charge_w, discharge_w: its power each way, both positive, where each has a number.
Limits: what it permits now, both positive. flow: which way dc_p_w goes, by the names of its bits, charging and
discharging. cell, t: of the highest and the lowest cell, the warmest and the coldest. charge_on, discharge_on: 0
where that way is blocked."""

RATING = {"p_max_w": "W", "s_max_va": "VA", "p_charge_max_w": "W", "e_max_wh": "Wh", "q_max_var": "var"}
"""Of the AC terminals; read when it is found."""

PV = {**IDENTITY, **AC, **RATING, "dc_p_w": "W", "status": ""}

BY_KIND: dict[str, dict[str, str]] = {
    "map_meter": {**IDENTITY, **AC},
    "map_bms": {**IDENTITY, **BATTERY},
    "map_pv": PV,
    "map_storage": {**PV, **BATTERY},
    "map_hybrid": {**PV, **BATTERY},
}
NEEDED: dict[str, tuple[str, ...]] = {
    "map_meter": ("p_w",),
    "map_bms": ("soc_pct",),
    "map_pv": ("p_w",),
    "map_storage": ("p_w",),
    "map_hybrid": ("p_w",),
}
"""Without these a device of this kind is of no use."""
ONCE = {**IDENTITY, **RATING}
"""What is not polled."""
