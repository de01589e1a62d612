"""The whole site: every DER and load on one feeder, seen at the point of connection. `step` is a pure function."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from hil.plant.battery import WAKE_W, BatteryInputs, BatteryParams, BatteryState, battery_step
from hil.plant.ems import Behind, aimed_w, capped_w
from hil.plant.frequency import SwingParams, SwingState, swing_step
from hil.plant.grid import GridModel, GridSolution, Spot
from hil.plant.inverter import (
    InverterCommand,
    InverterInputs,
    InverterParams,
    InverterState,
    dc_power_w,
    inverter_step,
)
from hil.plant.load import Load, injection_va


@dataclass(frozen=True, slots=True, kw_only=True)
class Der:
    """One DER: an inverter on a node, with a battery or the sun behind it, or both (`sun_w`: the DC peak of a
    hybrid). `obeys_bms`: it keeps CCL/DCL itself. `phase`: "a", "b" or "c" of a single-phase one, on a feeder with
    phases."""

    id: str
    node: str
    inverter: InverterParams
    battery: BatteryParams | None = None
    obeys_bms: bool = True
    sun_w: float = 0.0
    phase: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteModel:
    """What does not change in a run."""

    grid: GridModel
    f_nom_hz: float
    ders: tuple[Der, ...]
    swing: SwingParams | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DerInputs:
    """Command from the device's registers, sun, and what a scenario forces."""

    command: InverterCommand = field(default_factory=InverterCommand)
    irradiance: float = 1.0
    trip: bool = False
    battery: BatteryInputs = field(default_factory=BatteryInputs)


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteInputs:
    """The world outside for one step. `f_hz` None: the swing model decides."""

    source_v_pu: float
    f_hz: float | None
    loads: Mapping[str, Load]
    ders: Mapping[str, DerInputs]
    loss_w: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class DerState:
    """One DER's state; `v_pu` at its node (on its phase, where it has one), `each_v_pu` where the feeder has phases.
    `pv_w` is what the sun gives behind the port of a hybrid, DC."""

    inverter: InverterState = field(default_factory=InverterState)
    battery: BatteryState | None = None
    p_available_w: float = 0.0
    v_pu: float = 1.0
    each_v_pu: tuple[float, ...] = ()
    pv_w: float = 0.0
    phase: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PocState:
    """The point of connection: + is export; energies only grow. `each_*` per phase, where the feeder has phases."""

    p_w: float = 0.0
    q_var: float = 0.0
    v_pu: float = 1.0
    f_hz: float = 50.0
    export_wh: float = 0.0
    import_wh: float = 0.0
    each_v_pu: tuple[float, ...] = ()
    each_p_w: tuple[float, ...] = ()
    each_q_var: tuple[float, ...] = ()
    each_export_wh: tuple[float, ...] = ()
    each_import_wh: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteState:
    """Everything that goes from one step to the next."""

    t_s: float = 0.0
    poc: PocState = field(default_factory=PocState)
    v_pu: Mapping[str, float] = field(default_factory=dict)
    ders: Mapping[str, DerState] = field(default_factory=dict)
    swing: SwingState | None = None
    p_start_w: float | None = None
    converged: bool = True


def step(model: SiteModel, state: SiteState, inputs: SiteInputs, dt_s: float) -> SiteState:
    """Let dt_s pass (0.1 s or less): DERs answer to the last voltages, then the grid to their powers.

    With half a second volt-var hunts at another gain than with a tenth.
    """
    f_hz, swing = _frequency(model, state, inputs, dt_s)
    ders = {der.id: _der_step(model, der, state, inputs.ders[der.id], f_hz, dt_s) for der in model.ders}
    solution = model.grid.solve(_injected(model, state, inputs, ders), inputs.source_v_pu)
    ders = {der.id: _at_its_node(der, ders[der.id], solution) for der in model.ders}
    poc = _poc(state.poc, solution, f_hz, dt_s)
    start_w = poc.p_w if state.p_start_w is None else state.p_start_w
    return SiteState(
        t_s=state.t_s + dt_s,
        poc=poc,
        v_pu=solution.v_pu,
        ders=ders,
        swing=swing,
        p_start_w=start_w,
        converged=solution.converged,
    )


def _injected(
    model: SiteModel, state: SiteState, inputs: SiteInputs, ders: Mapping[str, DerState]
) -> dict[Spot, complex]:
    s_va: dict[Spot, complex] = {}
    for der in model.ders:
        inverter, spot = ders[der.id].inverter, Spot(der.node, der.phase)
        s_va[spot] = s_va.get(spot, 0j) + complex(inverter.p_w, inverter.q_var)
    for load in inputs.loads.values():
        spot = Spot(load.node, load.phase)
        s_va[spot] = s_va.get(spot, 0j) + injection_va(load, state.v_pu.get(load.node, 1.0))
    return s_va


def _at_its_node(der: Der, state: DerState, solution: GridSolution) -> DerState:
    each = solution.each_v_pu.get(der.node, ())
    if der.phase and each:
        each = (each["abc".index(der.phase)],)
    v_pu = sum(each) / len(each) if each else solution.v_pu[der.node]
    return replace(state, v_pu=v_pu, each_v_pu=each)


def _frequency(
    model: SiteModel, state: SiteState, inputs: SiteInputs, dt_s: float
) -> tuple[float, SwingState | None]:
    if inputs.f_hz is not None:
        return inputs.f_hz, state.swing
    if model.swing is None:
        return model.f_nom_hz, None
    swing = state.swing or SwingState(f_hz=model.swing.f_nom_hz)
    change_w = 0.0 if state.p_start_w is None else state.poc.p_w - state.p_start_w
    swing = swing_step(swing, model.swing, site_change_w=change_w, loss_w=inputs.loss_w, dt_s=dt_s)
    return swing.f_hz, swing


def _der_step(model: SiteModel, der: Der, state: SiteState, given: DerInputs, f_hz: float, dt_s: float) -> DerState:
    before = state.ders[der.id]
    behind = _behind(der, before, given)
    battery = before.battery
    hybrid = der.sun_w > 0.0
    inputs = InverterInputs(
        v_pu=before.v_pu if der.phase else state.v_pu.get(der.node, 1.0),
        f_hz=f_hz,
        f_nom_hz=model.f_nom_hz,
        p_available_w=min(max(behind.most_w, 0.0), der.inverter.p_max_w)
        if hybrid
        else _window_w(der, before, given)[0],
        p_absorb_w=max(-behind.least_w, 0.0) if hybrid else _window_w(der, before, given)[1],
        command=_own_way(given.command, behind, before.inverter.p_w, state.poc.p_w, hybrid=hybrid),
        trip=given.trip,
    )
    inverter = inverter_step(before.inverter, der.inverter, inputs, dt_s)
    if der.battery is None or battery is None:
        return replace(before, inverter=inverter, p_available_w=inputs.p_available_w)
    dc_w, pv_w = dc_power_w(der.inverter, inverter.p_w), 0.0
    if hybrid:
        dc_w, pv_w = behind.shared(dc_w)
    battery = battery_step(battery, der.battery, replace(given.battery, dc_p_w=dc_w), dt_s)
    return replace(before, inverter=inverter, battery=battery, p_available_w=inputs.p_available_w, pv_w=pv_w)


def _own_way(
    command: InverterCommand, behind: Behind, now_w: float, poc_w: float, *, hybrid: bool
) -> InverterCommand:
    """The command with what the device's own energy management makes of it."""
    target_w = command.p_target_w
    if target_w is None:
        target_w = aimed_w(command.ems, behind, now_w, poc_w)
    if target_w is None and hybrid:
        target_w = behind.ac_w(behind.sun_w)
    cap_w = capped_w(command.ems, now_w, poc_w)
    ceilings = [w for w in (command.p_ceiling_w, cap_w) if w is not None]
    return replace(command, p_target_w=target_w, p_ceiling_w=min(ceilings, default=None))


def _behind(der: Der, before: DerState, given: DerInputs) -> Behind:
    """Sun and battery behind the port, within what the BMS allows (where it is obeyed) and the settings say."""
    battery, ems = before.battery, given.command.ems
    give_w, take_w = 0.0, 0.0
    if battery is not None and battery.closed:
        give_w = der.inverter.p_max_w if battery.soc_pct > 0.0 else 0.0
        take_w = der.inverter.p_charge_max_w if battery.soc_pct < 100.0 else 0.0
        if der.obeys_bms:
            give_w = min(give_w, battery.discharge_limit_a * battery.v_v)
            take_w = min(take_w, battery.charge_limit_a * battery.v_v)
        give_w = give_w if ems.discharge_max_w is None else min(give_w, ems.discharge_max_w)
        take_w = take_w if ems.charge_max_w is None else min(take_w, ems.charge_max_w)
    sun_w = given.irradiance * der.sun_w
    return Behind(sun_w=sun_w, give_w=give_w, take_w=take_w, efficiency=der.inverter.efficiency)


def _window_w(der: Der, before: DerState, given: DerInputs) -> tuple[float, float]:
    """What the port can give and take, in W at the AC terminals."""
    battery = before.battery
    if battery is None:
        peak_w = der.inverter.p_sun_max_w if der.inverter.p_sun_max_w is not None else der.inverter.p_max_w
        return given.irradiance * peak_w, 0.0
    if not battery.closed:
        return 0.0, WAKE_W if battery.low else 0.0
    give_w, take_w = der.inverter.p_max_w, der.inverter.p_charge_max_w
    if battery.soc_pct <= 0.0:
        give_w = 0.0
    if battery.soc_pct >= 100.0:
        take_w = 0.0
    if der.obeys_bms:
        give_w = min(give_w, battery.discharge_limit_a * battery.v_v * der.inverter.efficiency)
        take_w = min(take_w, battery.charge_limit_a * battery.v_v / der.inverter.efficiency)
    ems = given.command.ems
    give_w = give_w if ems.discharge_max_w is None else min(give_w, ems.discharge_max_w * der.inverter.efficiency)
    take_w = take_w if ems.charge_max_w is None else min(take_w, ems.charge_max_w / der.inverter.efficiency)
    return give_w, take_w


def _poc(before: PocState, solution: GridSolution, f_hz: float, dt_s: float) -> PocState:
    hours, p_w, each_w = dt_s / 3600.0, solution.poc_p_w, solution.each_poc_p_w
    return PocState(
        p_w=p_w,
        q_var=solution.poc_q_var,
        v_pu=solution.poc_v_pu,
        f_hz=f_hz,
        export_wh=before.export_wh + max(0.0, p_w) * hours,
        import_wh=before.import_wh + max(0.0, -p_w) * hours,
        each_v_pu=solution.each_poc_v_pu,
        each_p_w=each_w,
        each_q_var=solution.each_poc_q_var,
        each_export_wh=_counted(before.each_export_wh, each_w, hours),
        each_import_wh=_counted(before.each_import_wh, [-w for w in each_w], hours),
    )


def _counted(before_wh: Sequence[float], each_w: Sequence[float], hours: float) -> tuple[float, ...]:
    return tuple(wh + max(0.0, w) * hours for wh, w in zip(before_wh or (0.0,) * len(each_w), each_w, strict=True))


def at_rest(model: SiteModel, batteries: Mapping[str, BatteryState]) -> SiteState:
    """The start: nothing runs yet, batteries as given."""
    ders = {der.id: DerState(battery=batteries.get(der.id), phase=der.phase) for der in model.ders}
    return SiteState(ders=ders, poc=PocState(f_hz=model.f_nom_hz))
