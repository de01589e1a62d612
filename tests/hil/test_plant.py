"""The plant against closed forms."""

import math
from dataclasses import replace
from typing import Any

import pytest

from hil.plant.battery import BatteryInputs, BatteryParams, battery_step, settled, stored_wh
from hil.plant.curve import interpolate, points_of
from hil.plant.ems import Behind, Ems
from hil.plant.frequency import SwingParams, SwingState, swing_step
from hil.plant.grid import Line, PhasedFeeder, Spot, ZBusFeeder
from hil.plant.inverter import (
    FAULT,
    RUNNING,
    SLEEPING,
    STANDBY,
    STARTING,
    THROTTLED,
    InverterCommand,
    InverterInputs,
    InverterParams,
    InverterState,
    dc_power_w,
    inverter_step,
)
from hil.plant.load import Load
from hil.plant.reversion import armed, elapse, restarted
from hil.plant.site import Der, DerInputs, SiteInputs, SiteModel, SiteState, at_rest, step
from hil.plant.sun import SunProfile


def two_bus_v(p_w: float, q_var: float, r_ohm: float, x_ohm: float, e_v: float) -> float:
    """|V| of a two-bus net with injection P+jQ per phase, from the quadratic in V^2."""
    b = 2.0 * (r_ohm * p_w + x_ohm * q_var) + e_v**2
    c = (r_ohm**2 + x_ohm**2) * (p_w**2 + q_var**2)
    return math.sqrt((b + math.sqrt(b * b - 4.0 * c)) / 2.0)


@pytest.mark.parametrize(("p_w", "q_var"), [(9000.0, 0.0), (9000.0, -3000.0), (-6000.0, -1000.0), (0.0, 3000.0)])
@pytest.mark.parametrize(("v_nom_v", "phases"), [(230.0, 3), (120.0, 1), (277.0, 3)])
def test_the_voltage_at_the_end_of_a_line_is_the_two_bus_solution(
    p_w: float, q_var: float, v_nom_v: float, phases: int
) -> None:
    feeder = ZBusFeeder(
        [Line(parent="source", node="poc", r_ohm=0.2, x_ohm=0.15)], poc="poc", v_nom_v=v_nom_v, phases=phases
    )
    p_w, q_var = p_w / 3 * phases, q_var / 3 * phases
    solution = feeder.solve({"poc": complex(p_w, q_var)}, 1.02)
    expected_v = two_bus_v(p_w / phases, q_var / phases, 0.2, 0.15, 1.02 * v_nom_v)
    assert solution.converged
    assert solution.v_pu["poc"] * v_nom_v == pytest.approx(expected_v, rel=1e-8)
    assert solution.poc_p_w == pytest.approx(p_w, rel=1e-8)
    assert solution.poc_q_var == pytest.approx(q_var, rel=1e-8, abs=1e-6)


def test_export_is_what_the_node_injects_less_load_and_line_loss() -> None:
    lines = [
        Line(parent="source", node="street", r_ohm=0.1, x_ohm=0.1),
        Line(parent="street", node="poc", r_ohm=0.05, x_ohm=0.02),
        Line(parent="poc", node="roof", r_ohm=0.1, x_ohm=0.03),
    ]
    feeder = ZBusFeeder(lines, poc="poc", v_nom_v=230.0)
    s = {"roof": 9000 + 0j, "poc": -2000 - 300j, "street": -5000 + 0j}
    solution = feeder.solve(s, 1.0)
    current_a = 3000.0 / (solution.v_pu["roof"] * 230.0)
    loss_w = 3.0 * current_a**2 * 0.1
    assert solution.poc_p_w == pytest.approx(7000.0 - loss_w, abs=0.5)
    assert solution.poc_v_pu == solution.v_pu["poc"]


def test_a_dead_grid_can_be_solved() -> None:
    feeder = ZBusFeeder([Line(parent="source", node="poc", r_ohm=0.2, x_ohm=0.1)], poc="poc", v_nom_v=230.0)
    solution = feeder.solve({"poc": 5000 + 0j}, 0.0)
    assert solution.v_pu["poc"] < 0.5
    assert math.isfinite(solution.poc_p_w)


INVERTER = InverterParams(p_max_w=5000.0, s_max_va=5000.0, q_max_var=2200.0, dead_s=0.0, tau_s=1.0, q_tau_s=1.0)


def driven(
    params: InverterParams,
    command: InverterCommand,
    seconds: float,
    state: InverterState | None = None,
    **inputs: float,
) -> InverterState:
    state = state or InverterState()
    given: dict[str, Any] = {"v_pu": 1.0, "f_hz": 50.0, "f_nom_hz": 50.0, "p_available_w": 5000.0, **inputs}
    for _ in range(round(seconds / 0.1)):
        state = inverter_step(state, params, InverterInputs(command=command, **given), 0.1)
    return state


def test_power_follows_with_a_first_order_lag() -> None:
    state = driven(INVERTER, InverterCommand(), 1.0)
    assert state.p_w == pytest.approx(5000.0 * (1.0 - math.exp(-1.0)), rel=1e-9)


def test_a_command_acts_after_its_dead_time() -> None:
    late = replace(INVERTER, dead_s=0.5, tau_s=0.0)
    full = driven(late, InverterCommand(), 2.0)
    ceiling = InverterCommand(p_ceiling_w=1000.0)
    assert driven(late, ceiling, 0.5, full).p_w == pytest.approx(5000.0)
    assert driven(late, ceiling, 0.7, full).p_w == pytest.approx(1000.0)


@pytest.mark.parametrize(
    ("q_priority", "p_w", "q_var"), [(True, math.sqrt(5000**2 - 2200**2), 2200.0), (False, 5000.0, 0.0)]
)
def test_the_junior_of_p_and_q_gives_way_on_the_circle(q_priority: bool, p_w: float, q_var: float) -> None:
    state = driven(replace(INVERTER, q_priority=q_priority), InverterCommand(q_var=2200.0), 20.0)
    assert state.p_w == pytest.approx(p_w, rel=1e-3)
    assert state.q_var == pytest.approx(q_var, abs=1.0)


def test_an_inverter_sleeps_at_night_and_wakes() -> None:
    asleep = driven(INVERTER, InverterCommand(), 1.0, p_available_w=0.0)
    assert (asleep.status, asleep.p_w) == (SLEEPING, 0.0)
    assert driven(INVERTER, InverterCommand(), 5.0, asleep).status == RUNNING


def test_an_inverter_stands_by_under_a_low_limit_and_takes_its_time_to_wake_up() -> None:
    params = replace(INVERTER, standby_pu=0.1, wake_s=6.0, service_ramp_s=0.0)
    running = driven(params, InverterCommand(p_ceiling_w=600.0), 5.0)
    assert (running.status, running.p_w) == (THROTTLED, pytest.approx(600.0, rel=0.02))
    standing = driven(params, InverterCommand(p_ceiling_w=400.0), 1.0, running)
    assert (standing.status, standing.p_w) == (STANDBY, 0.0)
    assert driven(params, InverterCommand(), 5.5, standing).status == STARTING
    assert driven(params, InverterCommand(), 12.0, standing).p_w == pytest.approx(5000.0, rel=0.02)


def test_a_trip_waits_for_its_enter_service_delay_and_ramps() -> None:
    params = replace(INVERTER, service_delay_s=3.0, service_ramp_s=10.0, tau_s=0.1)
    running = driven(params, InverterCommand(), 5.0)
    tripped = driven(params, InverterCommand(), 0.5, running, v_pu=1.3)
    assert (tripped.status, tripped.p_w) == (FAULT, 0.0)
    assert driven(params, InverterCommand(), 2.5, tripped).status == STARTING
    assert driven(params, InverterCommand(), 8.0, tripped).p_w == pytest.approx(2500.0, rel=0.1)
    assert driven(params, InverterCommand(), 16.0, tripped).p_w == pytest.approx(5000.0, rel=1e-3)


def test_a_battery_loses_in_both_directions() -> None:
    params = BatteryParams(capacity_wh=10_000.0, limit_lag_s=0.0)
    inverter = InverterParams(p_max_w=5e3, s_max_va=5e3, q_max_var=0.0, p_charge_max_w=5e3, efficiency=0.95)
    state = settled(params, soc_pct=50.0)
    ac_in_wh = ac_out_wh = 0.0
    for _ in range(36_00):
        state = battery_step(state, params, BatteryInputs(dc_p_w=dc_power_w(inverter, -4000.0)), 1.0)
        ac_in_wh += 4000.0 / 3600.0
    while state.soc_pct > 50.0:
        state = battery_step(state, params, BatteryInputs(dc_p_w=dc_power_w(inverter, 4000.0)), 1.0)
        ac_out_wh += 4000.0 / 3600.0
    assert ac_in_wh == pytest.approx(4000.0, rel=1e-6)
    resistance_loss = 2.0 * (9.4 * params.cells * params.r_cell_ohm) / params.v_nom_v
    assert ac_out_wh / ac_in_wh == pytest.approx(0.95**2 - resistance_loss, abs=0.01)


def test_charge_is_book_kept_by_the_ampere_hour() -> None:
    params = BatteryParams()
    state = settled(params, soc_pct=60.0)
    for _ in range(600):
        state = battery_step(state, params, BatteryInputs(dc_p_w=3000.0), 1.0)
    moved_ah = (60.0 - state.soc_pct) / 100.0 * params.capacity_ah
    assert state.discharged_ah == pytest.approx(moved_ah, rel=1e-9)
    assert state.discharged_wh == pytest.approx(500.0, rel=1e-3)


def test_what_a_battery_stores_is_its_charge_at_open_circuit() -> None:
    """Prada2013 in steps of 10 %: under the line through 2.0 and 2.978 V lie 24.89 V %, under the next one 30.73."""
    pack = BatteryParams(cells=100)
    per_volt_pct = pack.capacity_ah * 100.0 / 100.0
    assert stored_wh(settled(pack, soc_pct=0.0), pack) == 0.0
    assert stored_wh(settled(pack, soc_pct=10.0), pack) == pytest.approx(24.89 * per_volt_pct)
    assert stored_wh(settled(pack, soc_pct=20.0), pack) == pytest.approx((24.89 + 30.73) * per_volt_pct)
    half = stored_wh(settled(pack, soc_pct=15.0), pack) - stored_wh(settled(pack, soc_pct=10.0), pack)
    assert half == pytest.approx((2.978 + 3.073) / 2.0 * 5.0 * per_volt_pct)


def test_a_cold_battery_takes_no_charge() -> None:
    assert settled(BatteryParams(), soc_pct=50.0, temperature_c=-5.0).charge_limit_a == 0.0
    assert settled(BatteryParams(), soc_pct=50.0, temperature_c=-5.0).discharge_limit_a > 0.0


def test_limits_taper_towards_full() -> None:
    limits = [settled(BatteryParams(), soc_pct=soc).charge_limit_a for soc in (90.0, 96.0, 98.0, 99.5)]
    assert limits == sorted(limits, reverse=True)
    assert limits[-1] < 0.2 * limits[0]


def test_lasting_overcurrent_opens_the_contactor_for_good() -> None:
    params = BatteryParams(overcurrent_s=5.0)
    state = settled(params, soc_pct=50.0)
    inputs = BatteryInputs(dc_p_w=-5000.0, charge_limit_a=0.0)
    for _ in range(45):
        state = battery_step(state, params, inputs, 0.1)
    assert state.closed
    for _ in range(20):
        state = battery_step(state, params, inputs, 0.1)
    assert not state.closed
    assert battery_step(state, params, BatteryInputs(dc_p_w=-5000.0), 0.1).current_a == 0.0


def test_an_empty_battery_opens_its_contactor_until_a_charger_pulls_and_its_alarm_ends_above() -> None:
    params = BatteryParams(opens_below_v=2.49, low_ends_v=0.01, capacity_wh=1000.0)
    state = battery_step(settled(params, soc_pct=5.0), params, BatteryInputs(), 0.1)
    assert (state.low, state.closed) == (True, False)
    state = battery_step(state, params, BatteryInputs(dc_p_w=-10.0), 0.1)
    assert not state.closed
    state = battery_step(state, params, BatteryInputs(dc_p_w=-50.0), 0.1)
    assert (state.low, state.closed) == (True, True)
    while state.low:
        state = battery_step(state, params, BatteryInputs(dc_p_w=-500.0), 1.0)
        assert state.closed
    assert state.cell_min_v == pytest.approx(2.5, abs=0.002)


def test_the_first_rocof_is_the_textbook_one() -> None:
    params = SwingParams(f_nom_hz=50.0, e_k_ws=2.5 * 50e6, s_base_va=50e6, damping_pu=1.0)
    state = swing_step(SwingState(f_hz=50.0), params, site_change_w=0.0, loss_w=5e6, dt_s=0.02)
    assert (state.f_hz - 50.0) / 0.02 == pytest.approx(-5e6 * 50.0 / (2.0 * 125e6), rel=1e-9)


def test_droop_settles_where_the_governor_meets_the_loss() -> None:
    params = SwingParams(f_nom_hz=60.0, e_k_ws=4e8, s_base_va=1e8, damping_pu=1.0, droop_pu=0.05)
    state = SwingState(f_hz=60.0)
    for _ in range(1200):
        state = swing_step(state, params, site_change_w=0.0, loss_w=1e7, dt_s=0.1)
    assert state.f_hz == pytest.approx(60.0 * (1.0 - 0.1 / (1.0 / 0.05 + 1.0)), abs=1e-3)


def test_a_dead_man_reverts_only_when_its_time_is_over() -> None:
    timer = armed(10.0, enabled=True)
    timer, reverts = elapse(timer, 9.9)
    assert not reverts
    assert elapse(timer, 0.1)[1]
    assert not elapse(restarted(timer), 9.9)[1]
    assert armed(0.0, enabled=True).remaining_s is None
    assert armed(10.0, enabled=False).remaining_s is None


def test_a_timer_that_counts_to_nothing_never_reverts() -> None:
    timer, reverts = elapse(armed(1.0, enabled=True), 2.0, acts=False)
    assert (timer.remaining_s, reverts) == (0.0, False)
    assert not elapse(timer, 5.0, acts=False)[1]


def test_curves_hold_their_ends_and_may_step() -> None:
    points = points_of([[0, 1.0], [10, 2.0], [10, 5.0], [20, 5.0]])
    assert [interpolate(points, x) for x in (-1, 5, 10, 30)] == [1.0, 1.5, 5.0, 5.0]
    with pytest.raises(ValueError, match="falls"):
        points_of([[1, 0], [0, 0]])


def test_a_clear_day_is_dark_at_night() -> None:
    sun = SunProfile(clear_day=True, start_h=0.0)
    assert sun.at(3 * 3600.0) == 0.0
    assert sun.at(13 * 3600.0) == pytest.approx(1.0)


def test_pv_and_load_balance_at_the_point_of_connection() -> None:
    feeder = ZBusFeeder([Line(parent="source", node="poc", r_ohm=0.1, x_ohm=0.1)], poc="poc", v_nom_v=230.0)
    model = SiteModel(grid=feeder, f_nom_hz=50.0, ders=(Der(id="pv", node="poc", inverter=INVERTER),))
    state = at_rest(model, {})
    loads = {"house": Load(node="poc", p_w=1200.0, q_var=300.0)}
    for _ in range(200):
        inputs = SiteInputs(source_v_pu=1.0, f_hz=50.0, loads=loads, ders={"pv": DerInputs(irradiance=0.8)})
        state = step(model, state, inputs, 0.1)
    assert state.poc.p_w == pytest.approx(4000.0 - 1200.0, abs=0.1)
    assert state.poc.q_var == pytest.approx(-300.0, abs=0.1)
    assert state.poc.export_wh == pytest.approx(2800.0 * 20 / 3600, rel=0.15)
    assert state.poc.v_pu > 1.0


def phased(**line: Any) -> PhasedFeeder:
    own = {"parent": "source", "node": "poc", "r_ohm": 0.2, "x_ohm": 0.1, **line}
    return PhasedFeeder([Line(**own)], poc="poc", v_nom_v=230.0)


def test_three_phases_that_carry_the_same_are_the_balanced_feeder() -> None:
    lines = [
        Line(parent="source", node="poc", r_ohm=0.2, x_ohm=0.1),
        Line(parent="poc", node="roof", r_ohm=0.1, x_ohm=0.03, neutral=(0.3, 0.1)),
    ]
    s = {"roof": 9000 - 2000j, "poc": -3000 - 500j}
    even = ZBusFeeder(lines, poc="poc", v_nom_v=230.0).solve(s, 1.01)
    found = PhasedFeeder(lines, poc="poc", v_nom_v=230.0).solve(s, 1.01)
    assert found.converged
    assert found.each_v_pu["roof"] == pytest.approx((even.v_pu["roof"],) * 3, rel=1e-9)
    assert (found.poc_p_w, found.poc_q_var) == pytest.approx((even.poc_p_w, even.poc_q_var), rel=1e-9)
    assert sum(found.each_poc_p_w) == pytest.approx(found.poc_p_w, rel=1e-12)


def test_what_is_on_one_phase_moves_that_one_as_the_two_bus_solution_says() -> None:
    each = ((0.2, 0.1), (0.4, 0.1), (0.1, 0.05))
    found = phased(each=each).solve({Spot("poc", "b"): 4600 + 0j, Spot("poc", "c"): -2300 - 700j}, 1.0)
    a, b, c = found.each_poc_v_pu
    assert a == pytest.approx(1.0, abs=1e-9)
    assert b * 230.0 == pytest.approx(two_bus_v(4600.0, 0.0, 0.4, 0.1, 230.0), rel=1e-8)
    assert c * 230.0 == pytest.approx(two_bus_v(-2300.0, -700.0, 0.1, 0.05, 230.0), rel=1e-8)
    assert found.each_poc_p_w == pytest.approx((0.0, 4600.0, -2300.0), abs=1e-4)
    assert found.each_poc_q_var == pytest.approx((0.0, 0.0, -700.0), abs=1e-4)
    assert found.poc_p_w == pytest.approx(2300.0, abs=1e-4)


def test_a_neutral_that_carries_the_return_moves_the_other_phases_too() -> None:
    found = phased(neutral=(0.2, 0.0)).solve({Spot("poc", "a"): -4600 + 0j}, 1.0)
    a, b, c = found.each_poc_v_pu
    assert a * 230.0 == pytest.approx(two_bus_v(-4600.0, 0.0, 0.4, 0.1, 230.0), rel=1e-8)
    assert b > 1.005 or c > 1.005
    current_a = 4600.0 / (a * 230.0)
    shift_v = 0.2 * current_a
    assert max(b, c) * 230.0 < 230.0 + shift_v


def test_behind_one_port_sun_goes_to_the_battery_first_and_is_lost_last() -> None:
    behind = Behind(sun_w=6000.0, give_w=3000.0, take_w=2500.0, efficiency=0.96)
    assert behind.shared(6000.0) == (0.0, 6000.0)
    assert behind.shared(4000.0) == (-2000.0, 6000.0), "the rest is charged"
    assert behind.shared(1000.0) == (-2500.0, 3500.0), "no more can be charged, so the sun gives less"
    assert behind.shared(7500.0) == (1500.0, 6000.0)
    assert behind.most_w == pytest.approx(8640.0)
    dark = Behind(sun_w=0.0, give_w=3000.0, take_w=2500.0, efficiency=0.96)
    assert dark.least_w == pytest.approx(-2500.0 / 0.96), "charged from the grid, it takes its loss too"


def hybrid(command: InverterCommand, *, irradiance: float, house_w: float, seconds: float = 40.0) -> SiteState:
    """A hybrid of 5 kW with 8 kW of sun and a battery that gives and takes 3 kW, in a house."""
    inverter = InverterParams(p_max_w=5000.0, s_max_va=5000.0, q_max_var=2200.0, p_charge_max_w=3000.0)
    pack = BatteryParams(capacity_wh=10_000.0, cells=128, charge_max_a=7.0, discharge_max_a=7.0)
    der = Der(id="h", node="poc", inverter=inverter, battery=pack, sun_w=8000.0)
    grid = ZBusFeeder([Line(parent="source", node="poc", r_ohm=0.1, x_ohm=0.1)], poc="poc", v_nom_v=230.0)
    model = SiteModel(grid=grid, f_nom_hz=50.0, ders=(der,))
    state = at_rest(model, {"h": settled(pack, soc_pct=50.0)})
    inputs = SiteInputs(
        source_v_pu=1.0,
        f_hz=50.0,
        loads={"house": Load(node="poc", p_w=house_w)},
        ders={"h": DerInputs(command=command, irradiance=irradiance)},
    )
    for _ in range(round(seconds / 0.1)):
        state = step(model, state, inputs, 0.1)
    return state


def test_a_hybrid_in_self_consumption_feeds_the_house_by_day_and_night() -> None:
    own_use = InverterCommand(ems=Ems(grid_w=0.0))
    night = hybrid(own_use, irradiance=0.0, house_w=1500.0)
    assert night.poc.p_w == pytest.approx(0.0, abs=20.0)
    assert night.ders["h"].battery is not None
    assert night.ders["h"].battery.dc_p_w == pytest.approx(1500.0 / 0.96, rel=0.02)
    day = hybrid(own_use, irradiance=0.4, house_w=1500.0)
    assert day.poc.p_w == pytest.approx(0.0, abs=20.0)
    assert day.ders["h"].pv_w == pytest.approx(3200.0, rel=0.01)
    assert day.ders["h"].battery is not None
    assert day.ders["h"].battery.dc_p_w == pytest.approx(-(3200.0 - 1500.0 / 0.96), rel=0.02)


def test_a_limit_at_the_ac_side_of_a_hybrid_sends_the_sun_into_the_battery() -> None:
    state = hybrid(InverterCommand(p_ceiling_w=1000.0), irradiance=0.4, house_w=0.0)
    der = state.ders["h"]
    assert der.inverter.p_w == pytest.approx(1000.0, abs=20.0)
    assert der.battery is not None
    assert der.battery.dc_p_w == pytest.approx(-(3200.0 - 1000.0 / 0.96), rel=0.02)
    assert der.pv_w == pytest.approx(3200.0, rel=0.01)


def test_a_hybrid_that_is_told_to_charge_takes_from_the_grid_what_the_sun_does_not_give() -> None:
    state = hybrid(InverterCommand(ems=Ems(battery_w=-2000.0)), irradiance=0.1, house_w=0.0)
    der = state.ders["h"]
    assert der.battery is not None
    assert der.battery.dc_p_w == pytest.approx(-2000.0, rel=0.02)
    assert der.inverter.p_w == pytest.approx(-1200.0 / 0.96, rel=0.02)


def test_a_hybrid_keeps_its_own_export_limit_at_the_point_of_connection() -> None:
    state = hybrid(InverterCommand(ems=Ems(export_max_w=500.0)), irradiance=1.0, house_w=800.0)
    assert state.poc.p_w == pytest.approx(500.0, abs=30.0)
