"""Settings that hunt on a weak grid, and sites that don't, with real loads and clouds; all seeded."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from derctl.core.hunting import Memory
from derctl.functions import plan_of
from derctl.functions.volt_var import VoltVar
from derctl.functions.volt_watt import VoltWatt
from hil.houses import Loads, Sun
from tests.hunting.weak import Grid, Weak

HECO = VoltVar(points=((0.94, 0.44), (0.97, 0.0), (1.03, 0.0), (1.06, -0.44)))
"""Hawaii's curve, twice as steep as category B's."""


@dataclass(frozen=True, slots=True)
class Hunts:
    """One that hunts. last: which of voltage, power and var swings."""

    name: str
    function: Any
    grid: Grid
    shows: int
    tick_s: float = 1.0
    write_s: float = 0.0
    dead_s: float = 1.0


HUNTING = (
    Hunts("volt-watt, SCR 3, R/X 2", VoltWatt(), Grid(scr=3, r_over_x=2, source_pu=0.90), 1, write_s=1.5),
    Hunts("HECO volt-var, SCR 5", HECO, Grid(scr=5, r_over_x=0.5, source_pu=0.99), 2, write_s=1.5, dead_s=1.2),
    Hunts("HECO volt-var, SCR 3", HECO, Grid(scr=3, r_over_x=0.2, source_pu=1.02), 2, write_s=1.5),
    Hunts("tick of 5 s, SCR 3", HECO, Grid(scr=3, r_over_x=0.5, source_pu=0.96), 2, tick_s=5.0, dead_s=0.3),
)


def played(case: Hunts, seconds: float, *, guarded: bool) -> Weak:
    """In the calm, so that all that swings is the loop."""
    plan = plan_of([(case.function, ("pv1",))], ())
    weak = Weak(
        plan=plan if guarded else _bare(plan),
        grid=case.grid,
        tick_s=case.tick_s,
        write_s=case.write_s,
        dead_s=case.dead_s,
    )
    return weak.run(seconds)


def _bare(plan: Any) -> Any:
    """As before there was a guard."""
    from derctl.core.value import replace

    return replace(plan, loops=frozenset())


def guards(weak: Weak) -> list[Memory]:
    """Of its loops."""
    return [memory for memory in weak.memories.values() if isinstance(memory, Memory)]


def lived_in(scr: float, seed: int, *, r_over_x: float = 2.0) -> Weak:
    """A house with clouds and loads whose voltage lies on the slopes, volt-var and volt-watt as they ship."""
    dice = random.Random(seed * 7 + 1)
    return Weak(
        plan=plan_of([(VoltVar(), ("pv1",)), (VoltWatt(), ("pv1",))], ()),
        grid=Grid(scr=scr, r_over_x=r_over_x, source_pu=dice.uniform(1.03, 1.07) - 0.5 / scr),
        write_s=1.5 if seed % 2 else 0.0,
        dead_s=0.5,
        loads=Loads.of(dice),
        sun=Sun(cloudy=seed % 3 != 0),
        seed=seed,
    )


def alarms(weak: Weak, hours: float) -> int:
    """How often a loop was made slower."""
    count, before = 0, 0
    for _ in range(round(hours * 360)):
        weak.run(10.0)
        now = sum(memory.stage + (memory.held is not None) for memory in guards(weak))
        count += max(now - before, 0)
        before = now
        weak.trace.clear()
    return count


def table(houses: int, hours: float) -> Iterator[str]:
    """For people: what hunts with and without the guard, and false alarms on calm grids."""
    for case in HUNTING:
        bare = played(case, 900.0, guarded=False).swing(120.0)[case.shows]
        kept = played(case, 900.0, guarded=True).swing(120.0)[case.shows]
        yield f"{case.name}: swings {100 * bare:.0f} % of the rating, {100 * kept:.1f} % with the guard"
    for scr in (20.0, 10.0):
        found = sum(alarms(lived_in(scr, seed), hours) for seed in range(houses))
        yield f"SCR {scr:g}: {found} false alarms in {houses * hours:g} house-hours"
