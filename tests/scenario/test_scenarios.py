"""Every scenario of hil/scenarios, against the real daemon process over real sockets.

Each is judged by its own expectations and by the common invariants (hil/README.md). Longest first, so that many run
side by side and end together. A bench that was behind its own plant has judged nothing: it has another two tries.
"""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from hil.scenario import load

SHELF = Path(str(files("hil").joinpath("scenarios")))
BY_LENGTH = sorted(SHELF.glob("*.yaml"), key=lambda path: -load(path).duration_s)
QUIET = {"back_after_restart_fast", "liars_six_fast", "n10_mixed_bus"}
SPARE = 1.0
"""Of its duration, and a minute: its time stands still while a controller starts."""
NAMED = (
    *("n1", "n2", "n3", "n4", "n5", "n6", "n7", "n8", "n9", "g3", "g4", "g5", "g6", "g10"),
    *("d1", "d2", "d3", "d4", "d5", "d6", "d7", "d8", "d9", "d10", "d11", "d12"),
    *(
        "w1",
        "w2",
        "w3",
        "w4",
        "w5",
        "w6",
        "w7",
        "w8",
        "w9",
        "w10",
        "w11",
        "w12",
        "w13",
        "w14",
        "w17",
        "w18",
        "w19",
        "w20",
        "w21",
    ),
    *("d13", "d14", "d15", "d16", "d17", "d18"),
    *("o4", "o5", "o6", "o8", "o9", "o10", "s6", "e4", "e6"),
)


TRIES = 3


def _judged(path: Path) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    command = [sys.executable, "-m", "hil", "run", str(path), "--json", "-v"]
    limit = (1.0 + SPARE) * load(path).duration_s + 60.0
    done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
    assert done.stdout, done.stderr
    return done, json.loads(done.stdout)


MAKERS = (
    *("apsystems", "franklinwh", "fronius", "hybrid", "kaco", "kostal", "outback", "sma", "solaredge", "tripower_x"),
    "wattsonic",
)


@pytest.mark.scenario
@pytest.mark.filterwarnings("default:.* behind, once more")
@pytest.mark.parametrize(
    "path",
    [pytest.param(path, id=path.stem, marks=pytest.mark.quiet if path.stem in QUIET else ()) for path in BY_LENGTH],
)
def test_every_expectation_and_invariant_holds_in(path: Path) -> None:
    for left in reversed(range(TRIES)):
        done, verdict = _judged(path)
        if verdict["passed"] or not verdict["overrun"] or not left:
            break
        warnings.warn(f"{path.stem}: the bench was {verdict['behind_s']} s behind, once more", stacklevel=1)
    assert verdict["unsupported"] is None, verdict["unsupported"]
    broken = [f"{c['says']}: saw {c['seen']}, wanted {c['wanted']}" for c in verdict["checks"] if not c["passed"]]
    late = f"the bench was {verdict['behind_s']} s behind"
    assert not broken, "\n".join((*broken, late)) + "\n" + done.stderr[-3000:]
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
        "serial_bus",
        "one_none",
        "input_lost",
        "night_unasked",
        "two_batteries",
        "self_reversed",
        "liar_flaps",
        "liars_six",
        "liars_six_fast",
        "tls_trust",
        "standby",
        "contested",
        "firmware",
        "replaced",
        *(f"maker_{name}" for name in MAKERS),
        "back_and_believed",
        "ratings_lie",
        "two_limits",
        "standby",
        *(f"maker_{maker}" for maker in MAKERS),
        "tls_trust",
    ):
        assert stem in stems
