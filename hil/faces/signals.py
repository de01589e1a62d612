"""The plant's values by the names that register maps use. + is towards the grid, and discharge at a battery.

`poc.` the point of connection, `ac.` a DER's terminals, `bat.` its pack, `pv.` the sun behind it, `house.` what the
loads draw, `rating.`, `device.`.
"""

from collections.abc import Iterator

from hil.faces import ac
from hil.faces.view import AcReading, Rating, SiteView, between_v
from hil.plant.battery import BatteryParams, BatteryState
from hil.plant.site import DerState, SiteState

Signal = float | str
PHASES, PAIRS = ("a", "b", "c"), ("ab", "bc", "ca")
COUNTED_WH = 1000.0
"""What its counters stood at when it came: nobody meets a device that never counted."""
STRING_V = 600.0
IDLE_W = 10.0


def of_reading(prefix: str, reading: AcReading) -> Iterator[tuple[str, Signal]]:
    """Everything that can be measured at one place."""
    whole = {
        "p_w": reading.p_w, "q_var": reading.q_var, "s_va": reading.s_va, "pf": reading.pf, "f_hz": reading.f_hz,
        "v_ln": reading.v_mean_v, "a": reading.current_a, "export_wh": COUNTED_WH + reading.energy_out_wh,
        "import_wh": COUNTED_WH + reading.energy_in_wh,
        "total_wh": 2.0 * COUNTED_WH + reading.energy_out_wh + reading.energy_in_wh,
    }  # fmt: skip
    yield from ((f"{prefix}.{name}", value) for name, value in whole.items())
    for index, phase in enumerate(PHASES[: len(reading.v_v)]):
        p_w, s_va = reading.each_p_w[index], reading.each_s_va[index]
        each = {
            "v": reading.v_v[index], "a": reading.each_a[index], "p": p_w, "q": reading.each_q_var[index], "s": s_va,
            "pf": p_w / s_va if s_va > 1e-6 else 1.0,
            "import_wh": COUNTED_WH / 3.0 + reading.each_in_wh[index],
            "export_wh": COUNTED_WH / 3.0 + reading.each_out_wh[index],
        }  # fmt: skip
        yield from ((f"{prefix}.{name}.{phase}", value) for name, value in each.items())
    yield f"{prefix}.exporting", float(reading.p_w > IDLE_W)
    yield f"{prefix}.importing", float(reading.p_w < -IDLE_W)
    between = between_v(reading.v_v)
    yield f"{prefix}.v_ll", sum(between) / 3.0 if between else 0.0
    yield from ((f"{prefix}.v.{pair}", volts) for pair, volts in zip(PAIRS, between, strict=False))


def of_battery(battery: BatteryState, pack: BatteryParams) -> Iterator[tuple[str, Signal]]:
    """What a BMS knows of its pack."""
    watts = battery.dc_p_w
    v_nom_v = pack.v_nom_v
    values: dict[str, Signal] = {
        "v": battery.v_v, "a": battery.current_a, "p_w": watts, "charging_w": max(0.0, -watts),
        "abs_w": abs(watts), "abs_a": abs(battery.current_a),
        "discharging_w": max(0.0, watts), "soc_pct": battery.soc_pct, "soh_pct": 99.0,
        "temperature_c": battery.temperature_c, "cell_max_v": battery.cell_max_v, "cell_min_v": battery.cell_min_v,
        "cell_avg_v": (battery.cell_max_v + battery.cell_min_v) / 2.0,
        "cell_spread_v": battery.cell_max_v - battery.cell_min_v, "cells": float(pack.cells),
        "charge_limit_a": battery.charge_limit_a, "discharge_limit_a": battery.discharge_limit_a,
        "charge_limit_w": battery.charge_limit_a * battery.v_v, "capacity_wh": pack.capacity_wh,
        "discharge_limit_w": battery.discharge_limit_a * battery.v_v, "capacity_ah": pack.capacity_ah,
        "remaining_ah": pack.capacity_ah * battery.soc_pct / 100.0, "charged_wh": COUNTED_WH + battery.charged_wh,
        "discharged_wh": COUNTED_WH + battery.discharged_wh, "cycles": 12.0,
        "cycled_ah": battery.charged_ah + battery.discharged_ah,
        "v_max": pack.cells * pack.cell_v_max_v, "v_min": pack.cells * pack.cell_v_min_v, "v_nom": v_nom_v,
        "closed": float(battery.closed), "may_charge": float(battery.closed and battery.charge_limit_a > 0.0),
        "may_discharge": float(battery.closed and battery.discharge_limit_a > 0.0),
        "open": float(not battery.closed), "full": float(battery.soc_pct >= pack.soc_max_pct),
        "empty": float(battery.soc_pct <= pack.soc_min_pct), "cold": float(battery.temperature_c < 0.0),
        "hot": float(battery.temperature_c > 60.0),
        "charging": float(watts < -IDLE_W), "discharging": float(watts > IDLE_W),
        "state": "charging" if watts < -IDLE_W else "discharging" if watts > IDLE_W else "idle",
    }  # fmt: skip
    yield from ((f"bat.{name}", value) for name, value in values.items())
    for index in range(pack.cells):
        share = index / max(1, pack.cells - 1)
        yield f"bat.cell.{index + 1}", battery.cell_min_v + share * (battery.cell_max_v - battery.cell_min_v)


def of_der(view: SiteView, der: DerState, reading: AcReading) -> Iterator[tuple[str, Signal]]:
    """Its terminals and the sun behind it."""
    yield from of_reading("ac", reading)
    battery = der.battery
    sun_w = der.pv_w if battery is not None else max(0.0, reading.p_w) / 0.96
    dc_w = sun_w + (battery.dc_p_w if battery is not None else 0.0)
    lit = der.p_available_w > 20.0 or sun_w > 20.0
    yield "ac.status", der.inverter.status
    yield "pv.p_w", sun_w
    yield "pv.giving", float(sun_w > IDLE_W)
    yield "pv.v", STRING_V if lit else 0.0
    yield "pv.a", sun_w / STRING_V
    yield "pv.a_half", sun_w / STRING_V / 2.0
    yield "pv.half_w", sun_w / 2.0
    yield "ac.dc_w", dc_w


def of_house(state: SiteState, poc: AcReading) -> Iterator[tuple[str, Signal]]:
    """What is drawn behind the point of connection: what the DERs give, less what leaves."""
    drawn_w = sum(der.inverter.p_w for der in state.ders.values()) - poc.p_w
    sun_w = sum(max(0.0, der.inverter.p_w) for der in state.ders.values() if der.battery is None)
    phases = len(poc.v_v)
    yield "house.p_w", drawn_w
    yield "house.sun_w", sun_w
    for index, phase in enumerate(PHASES[:phases]):
        own_w = sum(share_w(der, index, phases) for der in state.ders.values())
        yield f"house.p.{phase}", own_w - poc.each_p_w[index]
        yield (
            f"house.sun.{phase}",
            sum(max(0.0, share_w(der, index, phases)) for der in state.ders.values() if der.battery is None),
        )


def share_w(der: DerState, index: int, phases: int) -> float:
    """What a DER gives to one phase."""
    if der.phase:
        return der.inverter.p_w if PHASES[index] == der.phase else 0.0
    return der.inverter.p_w / phases


def of_rating(rating: Rating) -> Iterator[tuple[str, Signal]]:
    """The nameplate."""
    for name in ("p_max_w", "s_max_va", "q_max_var", "p_charge_max_w", "energy_wh"):
        yield f"rating.{name}", float(getattr(rating, name))


def terminals(view: SiteView, der: DerState) -> AcReading:
    """What a DER's own sensors see."""
    return ac.der_reading(view, der)
