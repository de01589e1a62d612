"""What a day should bring, worked out beside the plant: its feeder by sweeps, its battery by hand."""

import itertools
import math
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from hil.scenario import Scenario, load

SHELF = Path(str(files("hil").joinpath("scenarios")))
CATEGORY_B = ((0.92, 0.44), (0.98, 0.0), (1.02, 0.0), (1.08, -0.44))
"""Volt-var, IEEE 1547-2018 5.3.3 table 8."""


def volt_watt(v_pu: float) -> float:
    """The least of it: 1 at 1.06, 0.2 at 1.10, IEEE 1547-2018 5.4.2 table 10."""
    return min(1.0, max(0.2, 1.0 - 0.8 * (v_pu - 1.06) / 0.04))


def expected(scenario: Scenario, signal: str) -> Any:
    """The expectation that stands in the file for a signal's growth."""
    return next(each["counts"] for each in scenario.expect if each["signal"] == signal and "counts" in each)


# ---- n2: energy of a clear day


def on_the_curve(v_pu: float) -> float:
    for (v0, q0), (v1, q1) in itertools.pairwise(CATEGORY_B):
        if v_pu <= v1:
            return min(q0, q0 + (q1 - q0) * (v_pu - v0) / (v1 - v0))
    return CATEGORY_B[-1][1]


def swept(street: Scenario, s_va: dict[str, complex]) -> dict[str, float]:
    """Voltages by backward and forward sweeps of the radial feeder, injections per phase."""
    plant = street.plant
    lines = [{"parent": "source", "node": "poc", **plant["source"]}, *plant["lines"]]
    source_v = plant["source_v_pu"] * plant["v_nom_v"]
    volts = dict.fromkeys(["source", *(line["node"] for line in lines)], complex(source_v))
    for _ in range(30):
        amps = {node: (s_va.get(node, 0j) / v).conjugate() for node, v in volts.items()}
        for line in reversed(lines):
            amps[line["parent"]] += amps[line["node"]]
        for line in lines:
            drop = complex(line["r_ohm"], line["x_ohm"]) * amps[line["node"]]
            volts[line["node"]] = volts[line["parent"]] + drop
    return {node: abs(v) / plant["v_nom_v"] for node, v in volts.items()}


def at_rest(street: Scenario, sun: float) -> dict[str, tuple[float, float, float]]:
    """P, Q and V of each roof where volt-var has come to rest."""
    roofs = {d.id: (d.node, float(d.rating["s_max_va"]), d.rating.get("q_max_var")) for d in street.devices[:-1]}
    q_var, p_w, v_pu = dict.fromkeys(roofs, 0.0), dict.fromkeys(roofs, 0.0), {"": 0.0}
    ceiling = dict.fromkeys(roofs, 1.0)
    for _ in range(60):
        s_va: dict[str, complex] = {}
        for load_ in street.plant["loads"].values():
            s_va[load_["node"]] = complex(-load_["p_w"], -load_["q_var"]) / 3.0
        for id, (node, rated_va, _) in roofs.items():
            p_w[id] = min(min(sun, ceiling[id]) * rated_va, math.sqrt(rated_va**2 - q_var[id] ** 2))
            s_va[node] += complex(p_w[id], q_var[id]) / 3.0
        v_pu = swept(street, s_va)
        for id, (node, rated_va, most_var) in roofs.items():
            wish = on_the_curve(v_pu[node]) * rated_va
            wish = max(wish, -most_var) if most_var is not None else wish
            q_var[id] += 0.3 * (wish - q_var[id])
            ceiling[id] += 0.3 * (volt_watt(v_pu[node]) - ceiling[id])
    return {id: (p_w[id], q_var[id], v_pu[roofs[id][0]]) for id in roofs}


def test_the_energies_of_the_clear_day_are_those_of_the_sweep() -> None:
    street = load(SHELF / "n2_clear_day_volt_var.yaml")
    energy_wh = dict.fromkeys((device.id for device in street.devices[:-1]), 0.0)
    minutes = 10.0
    for n in range(int(14 * 60 / minutes)):
        hour = 6.0 + (n + 0.5) * minutes / 60.0
        sun = math.sin(math.pi * (hour - 6.0) / 14.0) ** 1.3
        for id, (p_w, _, _) in at_rest(street, sun).items():
            energy_wh[id] += p_w * minutes / 60.0
    told = {id: expected(street, f"der.{id}.out_wh")["equals"] for id in energy_wh}
    assert told == pytest.approx(energy_wh, rel=1e-3)
    assert expected(street, "sum.out_wh")["equals"] == pytest.approx(sum(energy_wh.values()), rel=1e-3)


# ---- n7: what a battery loses

LFP_V = (2.0, 2.978, 3.168, 3.206, 3.252, 3.266, 3.269, 3.274, 3.310, 3.314, 3.6)
"""Open-circuit voltage of a cell by tenths of charge: parameter set Prada2013 of PyBaMM."""
CELLS, CELL_OHM, INVERTER = 128, 0.0008, 0.96
"""What n7's pack and inverter are by default."""


def open_circuit_v(soc: float) -> float:
    tenth = min(int(soc * 10.0), 9)
    return CELLS * (LFP_V[tenth] + (LFP_V[tenth + 1] - LFP_V[tenth]) * (soc * 10.0 - tenth))


def lost_share(ac_w: float, between: tuple[float, float]) -> float:
    """Of each Wh at the AC terminals, what gets neither into the cells nor out of them; + ac_w discharges."""
    ac, lost, steps = 0.0, 0.0, 500
    dc_w = ac_w / INVERTER if ac_w > 0.0 else ac_w * INVERTER
    for n in range(steps):
        e_v = open_circuit_v(between[0] + (between[1] - between[0]) * (n + 0.5) / steps)
        amps = dc_w / e_v
        for _ in range(20):
            amps = dc_w / (e_v - amps * CELLS * CELL_OHM)
        hours = 1.0 / abs(amps)
        ac += abs(ac_w) * hours
        lost += abs(ac_w - e_v * amps) * hours
    return lost / ac


@pytest.mark.parametrize(("counter", "ac_w"), [("in_wh", -4000.0), ("out_wh", 4000.0)])
def test_the_losses_of_the_battery_are_those_of_its_cells_and_its_inverter(counter: str, ac_w: float) -> None:
    trade = load(SHELF / "n7_battery_arbitrage_day.yaml")
    along = [each["along"] for each in trade.expect if "along" in each]
    points = next(each["points"] for each in along if each["signal"] == f"der.bat1.{counter}")
    share = lost_share(ac_w, (0.30, 0.55))
    assert points[1][1] / points[1][0] == pytest.approx(share, rel=0.005)
