"""(b) In the core: from a load that drops to the export that is back under its limit. Seeded plants, no socket."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median

from bench.row import Row
from tests.houses.loops import QUICK, Plant, load_drop

AIM_S = 2.5
STEPS, QUICK_STEPS = 20, 4
WATCHED_S = 20.0


def rows(quick: bool) -> Iterable[Row]:
    """One row: what the first write is for."""
    steps = QUICK_STEPS if quick else STEPS
    found = [load_drop(Plant(seed=seed, **QUICK), seconds=WATCHED_S).back_s for seed in range(steps)]
    yield Row(
        row="b7",
        ratio=median(found) / AIM_S,
        aim=1.0,
        measured=median(found),
        against=AIM_S,
        unit="s",
        means="median from a load drop to the export back under its limit, 1 s ticks, t90 0.5 s, against 2.5 s",
        also={"max": max(found), "samples": len(found)},
    )
