"""Every site file that we hand out or run ourselves names the grid code of its voltage and frequency functions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml

from bench.simulated import scenario
from derctl.functions import ROWS
from derctl.functions.settings import Ruled
from hil.scenario import Words, load
from tests.laws.test_workplace import ROOT

RULED = {kind for kind, row in ROWS.items() if issubclass(row.function, Ruled)}


def sites() -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Where it stands, and the site file."""
    for path in sorted((ROOT / "config").glob("*.yaml")):
        yield path.name, yaml.safe_load(path.read_text(encoding="utf-8"))
    for path in sorted((ROOT / "hil" / "scenarios").glob("*.yaml")):
        yield path.stem, load(path).site
    for path in sorted((ROOT / "hil" / "scenarios" / "base").glob("*.yaml")):
        yield f"base/{path.stem}", yaml.load(path.read_text(encoding="utf-8"), Words)["site"]
    yield "bench", scenario(2)["site"]


@pytest.mark.parametrize(("where", "site"), [pytest.param(*each, id=each[0]) for each in sites()])
def test_a_voltage_or_frequency_function_of_ours_runs_under_a_named_code(where: str, site: Mapping[str, Any]) -> None:
    ruled = {section["kind"] for section in site.get("functions", ())} & RULED
    assert not ruled or "grid_code" in site["site"], f"{where} runs {ruled} under no code"
