"""Mutated frames from one device and mutated commands from everywhere: control goes on as if nothing were."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hil.runner import Result, run_scenario
from tests.attack import Attack
from tests.soak.conftest import held, of, scenario

BURST = 240
"""Frames for an answer: a device whose answers are that bad is asked once or twice a second."""
ROUND_S = 900.0
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
@pytest.mark.soak(full=200_000, short=1000, pieces=8)
async def test_a_device_that_answers_with_mutated_frames_moves_no_other_and_stops_no_tick(attack: Attack) -> None:
    attacked, sent = of(scenario("mutated_frames"), "mutated", most=BURST, keep=str(attack.folder / "frames.hex")), 0
    waived = {**attacked.waive, "I3": "what was written last to the device that is mad at the end can't be read back"}
    attacked = replace(attacked, waive=waived)
    while sent < attack.count:
        seconds = min(ROUND_S, AROUND_S + 2.0 * (attack.count - sent) / BURST)
        result = await run_scenario(replace(attacked, seed=attack.seed + sent, duration_s=seconds))
        sent += result.snapshots[-1]["dev"]["pv2"]["mutated"]
        attack.found(frames=sent, connections=result.snapshots[-1]["dev"]["pv2"]["connects"])
        judged(result, attack)


@pytest.mark.scenario
@pytest.mark.soak(full=50_000, short=1500, pieces=2)
async def test_mutated_commands_stop_no_tick_and_leave_the_operators_their_answers(attack: Attack) -> None:
    keep = str(attack.folder / "commands.hex")
    attacked = of(scenario("mutated_commands"), "mutated_commands", count=attack.count, per_s=PER_S, keep=keep)
    result = await run_scenario(replace(attacked, seed=attack.seed, duration_s=AROUND_S + attack.count / PER_S))
    attack.found(commands=result.snapshots[-1]["mutated"])
    judged(result, attack)
