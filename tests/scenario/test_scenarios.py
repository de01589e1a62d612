"""Every scenario of hil/scenarios, against the real daemon process over real sockets.

Each is judged by its own expectations and by the common invariants (hil/README.md). Longest first, so that many run
side by side and end together.
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from hil.scenario import load

SHELF = Path(str(files("hil").joinpath("scenarios")))
BY_LENGTH = sorted(SHELF.glob("*.yaml"), key=lambda path: -load(path).duration_s)
SPARE_S = 60.0
NAMED = (
    *("n4", "n8", "g3", "g6", "g10"),
    *("d1", "d2", "d3", "d6", "d9", "d10", "d13", "d18"),
    *("w1", "w3", "w4", "w5", "w7", "w8", "w14", "w17", "w18", "w19", "w20", "w21", "o8", "e4", "e6"),
)


@pytest.mark.scenario
@pytest.mark.parametrize("path", BY_LENGTH, ids=lambda path: path.stem)
def test_every_expectation_and_invariant_holds_in(path: Path) -> None:
    command = [sys.executable, "-m", "hil", "run", str(path), "--json", "-v"]
    limit = load(path).duration_s + SPARE_S
    done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
    assert done.stdout, done.stderr
    verdict = json.loads(done.stdout)
    assert verdict["unsupported"] is None, verdict["unsupported"]
    broken = [f"{c['says']}: saw {c['seen']}, wanted {c['wanted']}" for c in verdict["checks"] if not c["passed"]]
    assert not broken, "\n".join(broken) + "\n" + done.stderr[-3000:]
    assert done.returncode == 0
    assert len(verdict["checks"]) > 6, "its own expectations beside the common invariants"


def test_every_named_scenario_is_there() -> None:
    """A scenario file that is lost is a promise that nobody keeps any more."""
    stems = [path.stem for path in BY_LENGTH]
    for name in NAMED:
        assert any(stem.startswith(f"{name}_") for stem in stems), name
    for stem in (
        "dark_day",
        "killed_under_limit",
        "upgraded_under_limit",
        "boot_two_days_behind",
        "meter_opposite_sign",
        "demo",
        "one_none",
        "input_lost",
        "night_unasked",
        "two_batteries",
        "self_reversed",
        "liar_flaps",
        "liars_six",
        "liars_six_fast",
        "back_and_believed",
        "ratings_lie",
        "two_limits",
    ):
        assert stem in stems
