"""Mutated frames from one device and mutated commands from everywhere: control goes on as if nothing were."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hil.runner import Result, run_scenario
from tests.attack import Attack
from tests.soak.conftest import held, of, scenario

EXCHANGES_PER_S = 2.0
"""At tick 1 s, with a device that has to be found again most of the time."""
FULL_BURST = 240
PER_S = 100.0
AROUND_S = 20.0
"""Before the attack, and for what is late."""


def judged(result: Result, attack: Attack) -> None:
    last = result.snapshots[-1]
    attack.found(peak_export_w=round(max(each["poc"]["export_w"] for each in result.snapshots[200:])))
    attack.found(rss_mb=f"{last['daemon']['rss_mb']:.0f}")
    held(result.checks, result.stderr)
    attack.in_time(last["status"]["loop"])


@pytest.mark.scenario
@pytest.mark.soak(full=200_000, short=500)
async def test_a_device_that_answers_with_mutated_frames_moves_no_other_and_stops_no_tick(attack: Attack) -> None:
    found = scenario("mutated_frames")
    sent = 0
    burst = FULL_BURST if attack.full else 60
    seconds = AROUND_S + attack.count / (EXCHANGES_PER_S * burst / 2.0)
    attacked = of(found, "mutated", most=burst, keep=str(attack.folder / "frames.hex"))
    result = await run_scenario(replace(attacked, seed=attack.seed, duration_s=seconds))
    sent = result.snapshots[-1]["dev"]["pv2"]["mutated"]
    attack.found(frames=sent, connections=result.snapshots[-1]["dev"]["pv2"]["connects"])
    judged(result, attack)
    assert sent >= 0.8 * attack.count


@pytest.mark.scenario
@pytest.mark.soak(full=50_000, short=1500)
async def test_mutated_commands_stop_no_tick_and_leave_the_operators_their_answers(attack: Attack) -> None:
    keep = str(attack.folder / "commands.hex")
    attacked = of(scenario("mutated_commands"), "mutated_commands", count=attack.count, per_s=PER_S, keep=keep)
    result = await run_scenario(replace(attacked, seed=attack.seed, duration_s=AROUND_S + attack.count / PER_S))
    attack.found(commands=result.snapshots[-1]["mutated"])
    judged(result, attack)
