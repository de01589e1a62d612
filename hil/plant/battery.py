"""A lithium battery: OCV table, resistance, current limits that taper, contactor, heat. + current is discharge."""

from dataclasses import dataclass, replace
from itertools import pairwise
from math import sqrt

from hil.plant.curve import Points, interpolate

# LFP, parameter set Prada2013 of PyBaMM (BSD-3), in steps of 10 %
OCV_LFP: Points = tuple(
    (10.0 * i, v) for i, v in enumerate((2.0, 2.978, 3.168, 3.206, 3.252, 3.266, 3.269, 3.274, 3.310, 3.314, 3.6))
)
# charge C-rate by temperature: manual of the Alpha APL48-50LFP
CHARGE_C_BY_T: Points = (
    (-0.01, 0.0),
    (0.0, 0.1),
    (5.0, 0.1),
    (5.01, 0.2),
    (10.0, 0.2),
    (10.01, 1.0),
    (50.0, 1.0),
    (60.0, 0.1),
    (60.1, 0.0),
)
DISCHARGE_C_BY_T: Points = ((-20.1, 0.0), (-20.0, 0.5), (0.0, 0.5), (0.01, 1.0), (60.0, 1.0), (60.1, 0.0))

WAKE_W, WOKEN_W = 50.0, 20.0
"""What a charger gives to an open contactor that may close, and from what on that is noticed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatteryParams:
    """Pack of `cells` in series. Limits are what the BMS reports when nothing tapers them.

    opens_below_v: the contactor opens where the lowest cell falls below it; the alarm ends low_ends_v above.
    """

    capacity_wh: float = 10_000.0
    cells: int = 128
    r_cell_ohm: float = 0.0008
    charge_max_a: float = 20.0
    discharge_max_a: float = 20.0
    soc_min_pct: float = 5.0
    soc_max_pct: float = 100.0
    cell_v_max_v: float = 3.65
    cell_v_min_v: float = 2.6
    cell_spread_v: float = 0.004
    limit_lag_s: float = 2.0
    heat_j_per_k: float = 60_000.0
    cooling_w_per_k: float = 5.0
    ambient_c: float = 25.0
    overcurrent_s: float = 5.0
    standby_w: float = 0.0
    opens_below_v: float | None = None
    low_ends_v: float = 0.01

    @property
    def v_nom_v(self) -> float:
        """Pack voltage at half charge."""
        return self.cells * interpolate(OCV_LFP, 50.0)

    @property
    def capacity_ah(self) -> float:
        """Ampere-hours at nominal voltage."""
        return self.capacity_wh / self.v_nom_v


@dataclass(frozen=True, slots=True, kw_only=True)
class BatteryInputs:
    """Power asked at the DC terminals (+ discharge) and what a scenario overrides."""

    dc_p_w: float = 0.0
    charge_limit_a: float | None = None
    discharge_limit_a: float | None = None
    temperature_c: float | None = None
    soc_pct: float | None = None
    open_contactor: bool = False
    cell_spread_v: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatteryState:
    """What the pack and its BMS know. Limits are positive amperes."""

    soc_pct: float = 50.0
    temperature_c: float = 25.0
    current_a: float = 0.0
    v_v: float = 0.0
    cell_max_v: float = 0.0
    cell_min_v: float = 0.0
    charge_limit_a: float = 0.0
    discharge_limit_a: float = 0.0
    closed: bool = True
    low: bool = False
    over_s: float = 0.0
    charged_wh: float = 0.0
    discharged_wh: float = 0.0
    charged_ah: float = 0.0
    discharged_ah: float = 0.0

    @property
    def dc_p_w(self) -> float:
        """Power at the terminals, + discharge."""
        return self.v_v * self.current_a


def settled(params: BatteryParams, *, soc_pct: float, temperature_c: float | None = None) -> BatteryState:
    """A battery at rest, its limits already reported."""
    ambient_c = params.ambient_c if temperature_c is None else temperature_c
    cell_v = interpolate(OCV_LFP, soc_pct)
    state = BatteryState(soc_pct=soc_pct, temperature_c=ambient_c, v_v=cell_v * params.cells)
    state = replace(state, cell_max_v=cell_v, cell_min_v=cell_v)
    charge_a, discharge_a = limits_a(state, params)
    return replace(state, charge_limit_a=charge_a, discharge_limit_a=discharge_a)


def stored_wh(state: BatteryState, params: BatteryParams) -> float:
    """What the charge is worth at open circuit, from empty on."""
    below = [point for point in OCV_LFP if point[0] < state.soc_pct]
    points = [*below, (state.soc_pct, interpolate(OCV_LFP, state.soc_pct))]
    volt_pct = sum((v0 + v1) / 2.0 * (soc1 - soc0) for (soc0, v0), (soc1, v1) in pairwise(points))
    return params.capacity_ah * params.cells * volt_pct / 100.0


def limits_a(state: BatteryState, params: BatteryParams) -> tuple[float, float]:
    """CCL and DCL before lag: tapered by temperature, by SoC near the ends and by the worst cell."""
    one_c = params.capacity_ah
    charge_a = min(params.charge_max_a, one_c * interpolate(CHARGE_C_BY_T, state.temperature_c))
    discharge_a = min(params.discharge_max_a, one_c * interpolate(DISCHARGE_C_BY_T, state.temperature_c))
    charge_a *= _share(params.soc_max_pct - state.soc_pct, 5.0) * _share(params.cell_v_max_v - state.cell_max_v, 0.15)
    discharge_a *= _share(state.soc_pct - params.soc_min_pct, 5.0) * _share(
        state.cell_min_v - params.cell_v_min_v, 0.2
    )
    return (charge_a, discharge_a) if state.closed else (0.0, 0.0)


def battery_step(state: BatteryState, params: BatteryParams, inputs: BatteryInputs, dt_s: float) -> BatteryState:
    """Let dt_s pass. SoC moves by charge, heat by I2R; the contactor opens on lasting overcurrent and stays open."""
    state = _overridden(state, inputs)
    current_a = _current_a(state, params, inputs.dc_p_w)
    soc_pct = state.soc_pct - 100.0 * current_a * dt_s / 3600.0 / params.capacity_ah
    if not 0.0 <= soc_pct <= 100.0:
        soc_pct, current_a = min(100.0, max(0.0, soc_pct)), 0.0
    cell_v = interpolate(OCV_LFP, soc_pct) - current_a * params.r_cell_ohm
    spread_v = params.cell_spread_v if inputs.cell_spread_v is None else inputs.cell_spread_v
    state = replace(state, soc_pct=soc_pct, current_a=current_a, v_v=cell_v * params.cells if state.closed else 0.0)
    state = replace(state, cell_max_v=cell_v + spread_v / 2.0, cell_min_v=cell_v - spread_v / 2.0)
    state = _watched(state, params, inputs)
    return _limited(_protected(_counted(state, params, inputs, dt_s), params, dt_s), params, inputs, dt_s)


def _overridden(state: BatteryState, inputs: BatteryInputs) -> BatteryState:
    if inputs.temperature_c is not None:
        state = replace(state, temperature_c=inputs.temperature_c)
    if inputs.soc_pct is not None:
        state = replace(state, soc_pct=inputs.soc_pct)
    return replace(state, closed=False) if inputs.open_contactor else state


def _watched(state: BatteryState, params: BatteryParams, inputs: BatteryInputs) -> BatteryState:
    """Too low it opens once; a charger that pulls at an open contactor closes it again, and the alarm stays on."""
    if params.opens_below_v is None:
        return state
    if not state.low and state.cell_min_v < params.opens_below_v:
        return replace(state, low=True, closed=False)
    if state.low and not state.closed and inputs.dc_p_w < -WOKEN_W and not inputs.open_contactor:
        return replace(state, closed=True)
    return replace(state, low=state.low and state.cell_min_v < params.opens_below_v + params.low_ends_v)


def _current_a(state: BatteryState, params: BatteryParams, p_w: float) -> float:
    """I from P = I (E - I R); at most the current of the largest power the pack can give."""
    if not state.closed:
        return 0.0
    e_v = params.cells * interpolate(OCV_LFP, state.soc_pct)
    r_ohm = params.cells * params.r_cell_ohm
    p_w = min(p_w + params.standby_w, 0.99 * e_v * e_v / (4.0 * r_ohm))
    return (e_v - sqrt(e_v * e_v - 4.0 * r_ohm * p_w)) / (2.0 * r_ohm)


def _counted(state: BatteryState, params: BatteryParams, inputs: BatteryInputs, dt_s: float) -> BatteryState:
    hours, current_a = dt_s / 3600.0, state.current_a
    heat_w = current_a * current_a * params.cells * params.r_cell_ohm
    drift_w = params.cooling_w_per_k * (state.temperature_c - params.ambient_c)
    warmed_c = state.temperature_c + (heat_w - drift_w) * dt_s / params.heat_j_per_k
    return replace(
        state,
        temperature_c=state.temperature_c if inputs.temperature_c is not None else warmed_c,
        charged_wh=state.charged_wh + max(0.0, -state.dc_p_w) * hours,
        discharged_wh=state.discharged_wh + max(0.0, state.dc_p_w) * hours,
        charged_ah=state.charged_ah + max(0.0, -current_a) * hours,
        discharged_ah=state.discharged_ah + max(0.0, current_a) * hours,
    )


def _protected(state: BatteryState, params: BatteryParams, dt_s: float) -> BatteryState:
    """Open the contactor after `overcurrent_s` above 120 % of the reported limit plus 1 A."""
    limit_a = state.charge_limit_a if state.current_a < 0.0 else state.discharge_limit_a
    over = abs(state.current_a) > 1.2 * limit_a + 1.0
    over_s = state.over_s + dt_s if over else 0.0
    return replace(state, over_s=over_s, closed=state.closed and over_s <= params.overcurrent_s)


def _limited(state: BatteryState, params: BatteryParams, inputs: BatteryInputs, dt_s: float) -> BatteryState:
    """Reported limits follow with a lag; an override is reported at once."""
    charge_a, discharge_a = limits_a(state, params)
    share = min(1.0, dt_s / params.limit_lag_s) if params.limit_lag_s > 0.0 else 1.0
    lagged_charge = state.charge_limit_a + (charge_a - state.charge_limit_a) * share
    lagged_discharge = state.discharge_limit_a + (discharge_a - state.discharge_limit_a) * share
    if not state.closed:
        lagged_charge = lagged_discharge = 0.0
    return replace(
        state,
        charge_limit_a=lagged_charge if inputs.charge_limit_a is None else min(lagged_charge, inputs.charge_limit_a),
        discharge_limit_a=lagged_discharge
        if inputs.discharge_limit_a is None
        else min(lagged_discharge, inputs.discharge_limit_a),
    )


def _share(room: float, width: float) -> float:
    return max(0.0, min(1.0, room / width))
