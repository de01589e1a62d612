"""One part of the attack: `make soak` runs all of it, `make test` a few seconds, from the same seed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import pytest

KEPT = Path("soak-kept")
SEEDS_APART = 1_000_000
"""Between two pieces of one part: what a piece adds to its seed by itself is less."""
MISSED_SHARE = 0.01
"""Of the ticks, on a machine that runs other tests beside this one (I4 of hil/README.md)."""


@dataclass(frozen=True)
class Attack:
    """full: as `make soak` runs it. count: of frames, kills and so on. folder: where its input is kept for a replay.

    figures: what the table at the end says of it.
    """

    full: bool
    count: int
    seed: int
    folder: Path
    figures: dict[str, str] = field(default_factory=dict)

    @property
    def chance(self) -> Random:
        return Random(self.seed)

    def found(self, **figures: object) -> None:
        """Before the assertions, so that the table has them when one fails; in a file for whoever can't wait."""
        self.figures.update({name: str(value) for name, value in figures.items()})
        (self.folder / "figures.txt").write_text(_figures(self.figures) + "\n")

    def in_time(self, loop: Mapping[str, Any]) -> None:
        """Control missed no tick: `loop` of the daemon's status. Alone on its machine, not one."""
        ticks, missed = int(loop["ticks"]), int(loop["missed"])
        self.found(ticks=ticks, missed=missed, worst_tick_s=f"{loop['worst_s']:.2f}")
        assert missed <= (0 if self.full else 1 + MISSED_SHARE * ticks), loop


def marker_of(item: pytest.Item) -> pytest.Mark:
    marker = item.get_closest_marker("soak")
    assert marker is not None, "a part of the attack is marked `soak`"
    return marker


def pieces_of(marker: pytest.Mark, share: float | None) -> int:
    """Into how many tests it is divided, which may run at the same time: fewer where little is left of each."""
    most, full, short = (int(marker.kwargs.get(name, 1)) for name in ("pieces", "full", "short"))
    return 1 if share is None else max(1, min(most, int(share * full / short)))


def attack_of(item: pytest.Item, config: pytest.Config, spare: Path, piece: int) -> Attack:
    """piece: which of those; each has its own seed."""
    marker = marker_of(item)
    share, short = config.getoption("--soak"), int(marker.kwargs["short"])
    pieces = pieces_of(marker, share)
    count = short if share is None else max(short, math.ceil(share * marker.kwargs["full"] / pieces))
    folder = spare if share is None else (KEPT / item.name.replace("/", "_")).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    seed = int(config.getoption("--soak-seed")) + SEEDS_APART * piece
    made = Attack(full=share is not None, count=count, seed=seed, folder=folder)
    made.found(count=count, seed=made.seed)
    item.user_properties.append(("soak", made.figures))
    return made


def table(stats: Mapping[str, Sequence[Any]]) -> str:
    """A line for each part: what became of it, how long it took, and its figures."""
    lines = [
        (word.upper(), f"{report.duration:.0f} s", report.nodeid.partition("::")[2], _figures(figures))
        for word in ("passed", "failed", "error", "skipped")
        for report in stats.get(word, ())
        for name, figures in getattr(report, "user_properties", ())
        if name == "soak" and (report.when == "call" or word != "passed")
    ]
    return "\n".join("  ".join(line) for line in _aligned(sorted(lines, key=lambda line: line[2])))


def _figures(figures: Mapping[str, str]) -> str:
    return "; ".join(f"{name} {value}" for name, value in figures.items())


def _aligned(lines: Sequence[tuple[str, str, str, str]]) -> Iterable[list[str]]:
    widths = [max((len(line[at]) for line in lines), default=0) for at in range(3)]
    return ([*(cell.ljust(width) for cell, width in zip(line, widths, strict=False)), line[3]] for line in lines)
