"""The numbers of hil/scenarios/n5_oracle_match.yaml are OpenDER's: it stands in the same plant in derctl's place."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from hil.plant.inverter import InverterCommand
from hil.scenario import Scenario, load
from hil.world import World

SHELF = Path(str(files("hil").joinpath("scenarios")))
STEP_S = 0.1


class TheirWord:
    """In a face's place: what OpenDER says, as the device's command."""

    def __init__(self) -> None:
        self.q_var: float | None = None

    def command(self) -> InverterCommand:
        return InverterCommand(q_var=self.q_var)


def course(scenario: Scenario, oracle: Any) -> dict[float, dict[str, tuple[float, float]]]:
    """Of each inverter, P and Q in per unit that OpenDER gives at each time, in a plant that answers to it."""
    world = World(scenario)
    for _ in range(20):
        world.advance(STEP_S)
    ders = {id: float(world.ders[id].rating["p_max_w"]) for id in ("pv1", "pv2")}
    theirs = {id: oracle(t_s=STEP_S, QV_MODE_ENABLE=True) for id in ders}
    words = {id: TheirWord() for id in ders}
    world.faces.update(words)  # type: ignore[arg-type]
    waiting, found = list(scenario.timeline), {}
    for n in range(round(scenario.duration_s / STEP_S)):
        while waiting and waiting[0].at_s <= n * STEP_S:
            event = waiting.pop(0)
            world.source_v_pu.turn(world.state.t_s, event.args["to"], event.args["over_s"])
        world.advance(STEP_S)
        now = world.state.ders
        told = {id: theirs[id](p=min(1.0, now[id].p_available_w / ders[id]), v=now[id].v_pu) for id in ders}
        for id, (_, q) in told.items():
            words[id].q_var = q * ders[id]
        found[round((n + 1) * STEP_S, 1)] = told
    return found


def test_what_the_scenario_expects_is_what_opender_gives_in_the_same_plant(oracle: Any) -> None:
    scenario = load(SHELF / "n5_oracle_match.yaml")
    theirs = course(scenario, oracle)
    seen = {}
    for each in scenario.expect:
        _, id, what = each["signal"].split(".")
        p, q = theirs[float(each["to"])][id]
        assert each["tolerance"] == 0.02, "per unit: what the scenario promises"
        assert each["equals"] == pytest.approx(q if what == "q_var" else p, abs=1e-3), each["says"]
        seen[id, each["to"]] = each["equals"]
    assert len(seen) == 14, "seven voltages and two inverters"
