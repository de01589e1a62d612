"""What every part of the attack stands on: its counts, its ticks and the table at the end."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.attack import Attack, table


def part(folder: Path, *, full: bool) -> Attack:
    return Attack(full=full, count=3, seed=8, folder=folder)


def loop(ticks: int, missed: int) -> dict[str, float]:
    return {"ticks": ticks, "missed": missed, "worst_s": 0.25}


def test_the_whole_attack_bears_no_missed_tick_and_says_how_many_there_were(tmp_path: Path) -> None:
    attack = part(tmp_path, full=True)
    attack.in_time(loop(1000, 0))
    with pytest.raises(AssertionError):
        attack.in_time(loop(1000, 1))
    assert attack.figures == {"ticks": "1000", "missed": "1", "worst_tick_s": "0.25"}
    assert "missed 1" in (tmp_path / "figures.txt").read_text()


def test_beside_other_tests_one_in_a_hundred_may_be_late(tmp_path: Path) -> None:
    attack = part(tmp_path, full=False)
    attack.in_time(loop(100, 2))
    with pytest.raises(AssertionError):
        attack.in_time(loop(100, 3))


def test_the_same_seed_gives_the_same_chance(tmp_path: Path) -> None:
    attack = part(tmp_path, full=True)
    assert attack.chance.random() == attack.chance.random()


def test_the_table_has_a_line_for_each_part_with_its_figures() -> None:
    def report(name: str, when: str, *properties: tuple[str, object]) -> SimpleNamespace:
        return SimpleNamespace(nodeid=f"tests/{name}::{name}", when=when, duration=61.4, user_properties=properties)

    stats = {
        "passed": [report("b", "call", ("soak", {"kills": "300", "lost": "0"})), report("plain", "call")],
        "failed": [report("a", "call", ("soak", {"frames": "7"}))],
        "": [report("b", "setup", ("soak", {"kills": "300"}))],
    }
    assert table(stats).splitlines() == ["FAILED  61 s  a  frames 7", "PASSED  61 s  b  kills 300; lost 0"]
    assert table({}) == ""
