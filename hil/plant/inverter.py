"""An inverter between its port (sun or battery) and the grid: lag, dead time, ramp, S circle, trip and enter service.

The defaults are our choice: a small string inverter. P and Q are + towards the grid.
"""

from dataclasses import dataclass, field, replace
from math import exp, sqrt

from hil.plant.curve import Points, interpolate
from hil.plant.ems import Ems

OFF, SLEEPING, STARTING, RUNNING, THROTTLED, FAULT = "off", "sleeping", "starting", "running", "throttled", "fault"
STANDBY = "standby"


@dataclass(frozen=True, slots=True, kw_only=True)
class InverterParams:
    """What one inverter is. `trip_*` bounds None: it rides through everything. Under a limit below `standby_pu` it
    stands by, and needs `wake_s` from there."""

    p_max_w: float
    s_max_va: float
    q_max_var: float
    p_charge_max_w: float = 0.0
    p_sun_max_w: float | None = None
    tau_s: float = 0.4
    q_tau_s: float = 0.3
    dead_s: float = 0.2
    ramp_w_per_s: float | None = None
    q_priority: bool = True
    night_w: float = 20.0
    efficiency: float = 0.96
    service_delay_s: float = 5.0
    service_ramp_s: float = 5.0
    standby_pu: float = 0.0
    wake_s: float = 60.0
    v_service_pu: tuple[float, float] = (0.9, 1.1)
    f_service_hz: tuple[float, float] = (45.0, 65.0)
    trip_v_pu: tuple[float, float] | None = (0.5, 1.2)
    trip_s: float = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnFunctions:
    """The device's own grid support; empty curves are off. Volts and watts in per unit of nominal and rating."""

    volt_var: Points = ()
    volt_var_olrt_s: float = 5.0
    volt_watt: Points = ()
    droop_db_hz: float | None = None
    droop_k_pu: float = 0.05
    droop_olrt_s: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class InverterCommand:
    """What the device's control registers ask for; None is free. Bounds are + towards the grid."""

    p_ceiling_w: float | None = None
    p_floor_w: float | None = None
    p_target_w: float | None = None
    q_var: float | None = None
    tan_phi: float | None = None
    connect: bool = True
    own: OwnFunctions = field(default_factory=OwnFunctions)
    ems: Ems = field(default_factory=Ems)


@dataclass(frozen=True, slots=True, kw_only=True)
class InverterInputs:
    """Terminal conditions, the port's power window, the command and what a scenario forces on it."""

    v_pu: float
    f_hz: float
    f_nom_hz: float
    p_available_w: float
    p_absorb_w: float = 0.0
    command: InverterCommand = field(default_factory=InverterCommand)
    trip: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class InverterState:
    """State between two steps. `pending` are commands inside the dead time: (seconds left, command)."""

    p_w: float = 0.0
    q_var: float = 0.0
    status: str = RUNNING
    active: InverterCommand = field(default_factory=InverterCommand)
    pending: tuple[tuple[float, InverterCommand], ...] = ()
    over_s: float = 0.0
    service_wait_s: float = 0.0
    service_ramp_pu: float = 1.0
    own_q_pu: float = 0.0
    own_p_w: float = 0.0
    energy_out_wh: float = 0.0
    energy_in_wh: float = 0.0


def lag_share(dt_s: float, tau_s: float) -> float:
    """Exact share of the way that a first-order lag goes in dt_s."""
    return 1.0 if tau_s <= 0.0 else 1.0 - exp(-dt_s / tau_s)


def inverter_step(state: InverterState, params: InverterParams, inputs: InverterInputs, dt_s: float) -> InverterState:
    """Let dt_s pass."""
    state = _through_dead_time(state, params, inputs.command, dt_s)
    state = _protected(state, params, inputs, dt_s)
    asleep = params.p_charge_max_w == 0.0 and inputs.p_available_w < params.night_w
    if state.status in (OFF, FAULT, STARTING, STANDBY) or asleep:
        stopped = replace(state, p_w=0.0, q_var=0.0, own_q_pu=0.0)
        return replace(stopped, status=SLEEPING) if asleep and state.status not in (OFF, FAULT) else stopped
    return _counted(_driven(state, params, inputs, dt_s), dt_s)


def _through_dead_time(
    state: InverterState, params: InverterParams, command: InverterCommand, dt_s: float
) -> InverterState:
    newest = state.pending[-1][1] if state.pending else state.active
    pending = tuple((left_s - dt_s, queued) for left_s, queued in state.pending)
    if command != newest:
        pending = (*pending, (params.dead_s, command))
    active = state.active
    while pending and pending[0][0] <= 1e-9:
        active, pending = pending[0][1], pending[1:]
    return replace(state, active=active, pending=pending)


def _protected(state: InverterState, params: InverterParams, inputs: InverterInputs, dt_s: float) -> InverterState:
    """Trip on voltage outside the bounds for trip_s, or when told; return through enter-service delay and ramp."""
    bounds = params.trip_v_pu
    outside = bounds is not None and not bounds[0] <= inputs.v_pu <= bounds[1]
    over_s = state.over_s + dt_s if outside else 0.0
    state = replace(state, over_s=over_s)
    if inputs.trip or over_s > params.trip_s:
        return replace(state, status=FAULT, service_wait_s=params.service_delay_s, service_ramp_pu=0.0)
    if not state.active.connect:
        return replace(state, status=OFF, service_wait_s=params.service_delay_s, service_ramp_pu=0.0)
    ceiling_w = state.active.p_ceiling_w
    if ceiling_w is not None and 0.0 <= ceiling_w < params.standby_pu * params.p_max_w:
        return replace(state, status=STANDBY, service_wait_s=params.wake_s, service_ramp_pu=0.0)
    if state.status in (OFF, FAULT, STARTING, STANDBY):
        return _entering(state, params, inputs, dt_s)
    ramp_pu = min(1.0, state.service_ramp_pu + dt_s / params.service_ramp_s) if params.service_ramp_s > 0.0 else 1.0
    return replace(state, service_ramp_pu=ramp_pu)


def _entering(state: InverterState, params: InverterParams, inputs: InverterInputs, dt_s: float) -> InverterState:
    v_ok = params.v_service_pu[0] <= inputs.v_pu <= params.v_service_pu[1]
    f_ok = params.f_service_hz[0] <= inputs.f_hz <= params.f_service_hz[1]
    if not (v_ok and f_ok):
        return replace(state, status=STARTING, service_wait_s=params.service_delay_s)
    wait_s = state.service_wait_s - dt_s
    return replace(state, status=RUNNING if wait_s <= 0.0 else STARTING, service_wait_s=wait_s)


def _driven(state: InverterState, params: InverterParams, inputs: InverterInputs, dt_s: float) -> InverterState:
    """Move P and Q towards what command, port, own functions and the S circle leave."""
    own_q_pu, own_p_w = _own(state, params, inputs, dt_s)
    state = replace(state, own_q_pu=own_q_pu, own_p_w=own_p_w)
    p_w = _wanted_p_w(state, params, inputs)
    q_var = _wanted_q_var(state, params)
    p_w, q_var = _inside_circle(p_w, q_var, params)
    p_next_w = state.p_w + (p_w - state.p_w) * lag_share(dt_s, params.tau_s)
    if params.ramp_w_per_s is not None:
        most = params.ramp_w_per_s * dt_s
        p_next_w = min(max(p_next_w, state.p_w - most), state.p_w + most)
    p_next_w = min(p_next_w, max(inputs.p_available_w, 0.0))
    q_next_var = state.q_var + (q_var - state.q_var) * lag_share(dt_s, params.q_tau_s)
    throttled = p_w < min(inputs.p_available_w, params.p_max_w) - 1.0 and params.p_charge_max_w == 0.0
    return replace(state, p_w=p_next_w, q_var=q_next_var, status=THROTTLED if throttled else RUNNING)


def _wanted_p_w(state: InverterState, params: InverterParams, inputs: InverterInputs) -> float:
    """Target (storage: 0 when none; sun: all there is), then floor, then the ceilings, then the port's window."""
    command = state.active
    storage = params.p_charge_max_w > 0.0
    p_w = command.p_target_w if command.p_target_w is not None else (0.0 if storage else inputs.p_available_w)
    p_w += state.own_p_w if storage else 0.0
    if command.p_floor_w is not None:
        p_w = max(p_w, command.p_floor_w)
    p_w = min(p_w, inputs.p_available_w, params.p_max_w * state.service_ramp_pu)
    if command.p_ceiling_w is not None:
        p_w = min(p_w, command.p_ceiling_w)
    if not storage:
        p_w = min(p_w, params.p_max_w + min(state.own_p_w, 0.0))
    if command.own.volt_watt:
        p_w = min(p_w, params.p_max_w * interpolate(command.own.volt_watt, inputs.v_pu))
    return max(p_w, -min(params.p_charge_max_w, inputs.p_absorb_w) * state.service_ramp_pu)


def _wanted_q_var(state: InverterState, params: InverterParams) -> float:
    command = state.active
    q_var = 0.0
    if command.own.volt_var:
        q_var = state.own_q_pu * params.q_max_var
    elif command.q_var is not None:
        q_var = command.q_var
    elif command.tan_phi is not None:
        q_var = state.p_w * command.tan_phi
    return max(-params.q_max_var, min(params.q_max_var, q_var))


def _own(state: InverterState, params: InverterParams, inputs: InverterInputs, dt_s: float) -> tuple[float, float]:
    """The device's own volt-var (per unit of q_max) and droop (W to add), each with 90 % in its open-loop time."""
    own = state.active.own
    q_pu = interpolate(own.volt_var, inputs.v_pu) if own.volt_var else 0.0
    q_pu = state.own_q_pu + (q_pu - state.own_q_pu) * lag_share(dt_s, own.volt_var_olrt_s / 2.303)
    change_w = 0.0
    if own.droop_db_hz is not None:
        away_hz = inputs.f_hz - inputs.f_nom_hz
        beyond_hz = max(0.0, abs(away_hz) - own.droop_db_hz)
        change_w = -beyond_hz / inputs.f_nom_hz / own.droop_k_pu * params.p_max_w * (1.0 if away_hz > 0.0 else -1.0)
    own_p_w = state.own_p_w + (change_w - state.own_p_w) * lag_share(dt_s, own.droop_olrt_s / 2.303)
    return q_pu, own_p_w


def _inside_circle(p_w: float, q_var: float, params: InverterParams) -> tuple[float, float]:
    """The senior one of P and Q keeps its value, the other gets what the apparent power leaves."""
    s_va = params.s_max_va
    if p_w * p_w + q_var * q_var <= s_va * s_va:
        return p_w, q_var
    senior, junior = (q_var, p_w) if params.q_priority else (p_w, q_var)
    senior = max(-s_va, min(s_va, senior))
    room = sqrt(s_va * s_va - senior * senior)
    junior = max(-room, min(room, junior))
    return (junior, senior) if params.q_priority else (senior, junior)


def _counted(state: InverterState, dt_s: float) -> InverterState:
    hours = dt_s / 3600.0
    out_wh = state.energy_out_wh + max(0.0, state.p_w) * hours
    return replace(state, energy_out_wh=out_wh, energy_in_wh=state.energy_in_wh + max(0.0, -state.p_w) * hours)


def dc_power_w(params: InverterParams, p_w: float) -> float:
    """Power at the DC port for P at the AC terminals; losses in both directions."""
    return p_w / params.efficiency if p_w > 0.0 else p_w * params.efficiency
