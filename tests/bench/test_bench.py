"""`python -m bench` runs and measures something in every row. What it measures is no test's business."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
ROWS = [
    *(f"a{n}" for n in range(1, 7)),
    *(f"b{n}" for n in range(1, 8)),
    *(f"c{n}" for n in range(1, 5)),
    "d1",
    "d2",
    *(f"e{n}" for n in range(1, 5)),
    *(f"f{n}" for n in range(1, 4)),
]


def quick_run() -> dict[str, Any]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "bench", "--quick", "--json"]
    found = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900, check=False
    )
    assert found.returncode == 0, found.stderr
    content: dict[str, Any] = json.loads(found.stdout)
    return content


@pytest.mark.scenario
def test_a_quick_run_names_its_machine_and_has_positive_finite_figures_in_every_row() -> None:
    measured = quick_run()
    machine = measured["machine"]
    assert machine["cores"] == os.cpu_count()
    assert machine["python"] == sys.version.split()[0]
    assert {"cpu", "uvloop", "pymodbus", "pysunspec2"} <= set(machine)
    rows = {row["row"]: row for row in measured["rows"]}
    assert set(ROWS) <= set(rows)
    for row in rows.values():
        figures = [row["ratio"], row["aim"], row["measured"], row["against"], *row["also"].values()]
        assert all(math.isfinite(figure) and figure > 0.0 for figure in figures), row
