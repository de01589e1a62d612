"""`make test` looks for scenarios in a few folders only: one elsewhere would never run, and nobody would know."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
MARK = "mark." + "scenario"


def test_each_scenario_stands_where_make_test_looks_for_it() -> None:
    listed = re.search(r"^SCENARIO_TESTS := (.+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    assert listed is not None
    folders = [ROOT / name for name in listed[1].split()]
    marked = [file for file in (ROOT / "tests").rglob("test_*.py") if MARK in file.read_text(encoding="utf-8")]
    assert marked
    assert [file for file in marked if not any(file.is_relative_to(folder) for folder in folders)] == []
