"""What the core makes of a grid that it is not told of: slopes of the voltage, as a share of what they are."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import atan, cos, log, sin
from typing import Any

from derctl.core.memories import SENSITIVITY
from derctl.functions import plan_of
from derctl.functions.volt_var import VoltVar
from derctl.functions.volt_watt import VoltWatt
from hil.houses import Loads, Sun
from tests.hunting.weak import Grid, Weak

ON_THE_SLOPES: tuple[Any, ...] = (VoltVar(), VoltWatt())


@dataclass(frozen=True, slots=True)
class Place:
    """low_pu, high_pu: where the voltage lies at half of the power. wander_pu: of the source in a second."""

    name: str
    scr: float
    r_over_x: float
    low_pu: float = 1.03
    high_pu: float = 1.07
    functions: Sequence[Any] = ()
    wander_pu: float = 3e-4
    noise_pu: float = 2e-4


PLACES = (
    Place("SCR 3, R/X 2", 3.0, 2.0),
    Place("SCR 3, R/X 2, rough", 3.0, 2.0, wander_pu=1e-3, noise_pu=1e-3),
    Place("SCR 3, R/X 2, volt-var", 3.0, 2.0, functions=(VoltVar(),)),
    Place("SCR 3, R/X 2, both loops", 3.0, 2.0, functions=ON_THE_SLOPES),
    Place("SCR 3, R/X 0.5, both loops", 3.0, 0.5, functions=ON_THE_SLOPES),
    Place("SCR 20, R/X 2", 20.0, 2.0),
    Place("SCR 20, R/X 2, rough", 20.0, 2.0, wander_pu=1e-3, noise_pu=1e-3),
    Place("SCR 20, R/X 2, both loops", 20.0, 2.0, functions=ON_THE_SLOPES),
)


@dataclass(slots=True)
class Found:
    """Of power and of var: the last word, as a share of the truth, None: not known; and the furthest from it ever."""

    p: float | None
    q: float | None
    worst_p: float = 1.0
    worst_q: float = 1.0


def house(place: Place, seed: int, *, t90_s: float, cloudy: bool = True) -> Weak:
    """With loads, and an inverter of this t90."""
    dice = random.Random(seed * 7 + 1)
    source_pu = dice.uniform(place.low_pu, place.high_pu) - 0.5 / place.scr
    return Weak(
        plan=plan_of([(function, ("pv1",)) for function in place.functions], ()),
        grid=Grid(scr=place.scr, r_over_x=place.r_over_x, source_pu=source_pu),
        write_s=1.5 if seed % 2 else 0.0,
        dead_s=0.5,
        t90_s=t90_s / log(10.0),
        v_noise_pu=place.noise_pu,
        wander_pu=place.wander_pu,
        loads=Loads.of(dice),
        sun=Sun(cloudy=cloudy),
        seed=seed,
    )


def found(place: Place, weak: Weak, seconds: float) -> Found:
    """What is known of the grid at the end, and how wrong it ever was."""
    angle = atan(1.0 / place.r_over_x)
    said = Found(None, None)
    for _ in range(round(seconds / 4.0)):
        weak.run(4.0)
        weak.trace.clear()
        known = weak.memories[SENSITIVITY].terminals[0].known
        said.p = None if known.dv_dp_pu is None else known.dv_dp_pu * place.scr / cos(angle)
        said.q = None if known.dv_dq_pu is None else known.dv_dq_pu * place.scr / sin(angle)
        said.worst_p, said.worst_q = _further(said.worst_p, said.p), _further(said.worst_q, said.q)
    return said


def _further(worst: float, share: float | None) -> float:
    if share is None:
        return worst
    return max(worst, share, 1.0 / share if share > 0.0 else 1e9)


def judged(shares: Sequence[float | None], worst: Sequence[float]) -> tuple[int, int, int]:
    """How many are known, within 25 %, and were ever wrong by more than 2."""
    known = [share for share in shares if share is not None]
    return len(known), sum(abs(share - 1.0) <= 0.25 for share in known), sum(each > 2.0 for each in worst)


def table(seeds: int, minutes: float) -> Iterator[str]:
    """For people: known, within 25 % of the truth, ever wrong by more than 2."""
    for place in PLACES:
        for t90_s in (0.5, 10.0):
            said = [found(place, house(place, seed, t90_s=t90_s), 60.0 * minutes) for seed in range(seeds)]
            p = judged([each.p for each in said], [each.worst_p for each in said])
            q = judged([each.q for each in said], [each.worst_q for each in said])
            yield f"{place.name}, t90 {t90_s:g} s, {minutes:g} min, {seeds} seeds: dV/dP {p}, dV/dQ {q}"
