"""Every site file that we hand out or run ourselves names the grid code of its voltage and frequency functions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench.simulated import scenario
from derctl.functions import ROWS
from derctl.functions.settings import Ruled
from hil.scenario import Words, load
from tests.laws.test_workplace import ROOT

RULED = {kind for kind, row in ROWS.items() if issubclass(row.function, Ruled)}


def handed_out(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def played(path: Path) -> Any:
    return load(path).site


def below(path: Path) -> Any:
    return yaml.load(path.read_text(encoding="utf-8"), Words)["site"]


SCENARIOS = ROOT / "hil" / "scenarios"
SITES: dict[str, Callable[[], Any]] = {
    **{path.name: partial(handed_out, path) for path in sorted((ROOT / "config").glob("*.yaml"))},
    **{path.stem: partial(played, path) for path in sorted(SCENARIOS.glob("*.yaml"))},
    **{f"base/{path.stem}": partial(below, path) for path in sorted((SCENARIOS / "base").glob("*.yaml"))},
    "bench": lambda: scenario(2)["site"],
}
"""By where it stands: reads the site file."""


@pytest.mark.parametrize("where", SITES)
def test_a_voltage_or_frequency_function_of_ours_runs_under_a_named_code(where: str) -> None:
    site = SITES[where]()
    ruled = {section["kind"] for section in site.get("functions", ())} & RULED
    assert not ruled or "grid_code" in site["site"], f"{where} runs {ruled} under no code"
