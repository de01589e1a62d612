"""A house on a weak grid whose inverter or meter tells something else from a moment on."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import log

from derctl.core.memories import SENSITIVITY
from derctl.core.sensitivity import suspicion
from derctl.core.types import PocState
from derctl.functions import plan_of
from hil.houses import Loads, Sun
from tests import make
from tests.hunting.grids import PLACES, Place
from tests.hunting.weak import S_VA, Grid, Weak


@dataclass(slots=True)
class Claimed(Weak):
    """lie: by its name; from since_s on."""

    lie: str = "right"
    since_s: float = 1200.0
    _frozen: float | None = None
    _sample: int = 0

    @property
    def lying(self) -> bool:
        return self.lie != "right" and self.t_s >= self.since_s

    @property
    def v_pu(self) -> float:
        if self.lying and self.lie == "frozen_volts":
            if self._frozen is None:
                self._frozen = self._volts(self.p_pu)
            return self._frozen
        return self._volts(0.0 if self.lying and self.lie == "invents" else self.p_pu)

    def _volts(self, p_pu: float) -> float:
        return self.grid.v_pu(p_pu - self._load_pu, self.q_pu) + self._wandered_pu

    def _poc(self) -> PocState:
        given_w = S_VA * (0.0 if self.lying and self.lie == "invents" else self.p_pu)
        shown_w = METERS.get(self.lie if self.lying else "right", METERS["right"])(
            given_w, S_VA * self._load_pu, self._dice
        )
        self._sample += 1
        return make.meter(float(round(shown_w)), sample=self._sample)


METERS: dict[str, Callable[[float, float, random.Random], float]] = {
    "right": lambda given_w, load_w, dice: given_w - load_w,
    "meter_reversed": lambda given_w, load_w, dice: load_w - given_w,
    "meter_dead": lambda given_w, load_w, dice: dice.uniform(-5.0, 5.0),
    "meter_load_side": lambda given_w, load_w, dice: -load_w,
    "meter_tenth": lambda given_w, load_w, dice: 0.1 * (given_w - load_w),
}
"""What a meter shows."""
LIES = ("right", "invents", "frozen_volts", *(name for name in METERS if name != "right"))


def claimed(place: Place, seed: int, lie: str, *, since_s: float = 1200.0) -> Claimed:
    """A house under clouds."""
    dice = random.Random(seed * 7 + 1)
    source_pu = dice.uniform(place.low_pu, place.high_pu) - 0.5 / place.scr
    return Claimed(
        plan=plan_of([(function, ("pv1",)) for function in place.functions], ()),
        grid=Grid(scr=place.scr, r_over_x=place.r_over_x, source_pu=source_pu),
        dead_s=0.5,
        t90_s=dice.choice((0.5, 1.0, 2.0, 4.0)) / log(10.0),
        v_noise_pu=place.noise_pu,
        wander_pu=place.wander_pu,
        loads=Loads.of(dice),
        sun=Sun(cloudy=True),
        seed=seed,
        lie=lie,
        since_s=since_s,
    )


@dataclass(slots=True)
class Said:
    """After how long each is suspected first, since the lie began; below 0: before."""

    der_s: float | None = None
    meter_s: float | None = None


def said(house: Claimed, seconds: float) -> Said:
    """Until the end."""
    found = Said()
    for _ in range(round(seconds / 4.0)):
        house.run(4.0)
        house.trace.clear()
        memory = house.memories[SENSITIVITY]
        if found.der_s is None and memory.terminals[0].known.contradicted:
            found.der_s = house.t_s - house.since_s
        if found.meter_s is None and suspicion(memory) is not None:
            found.meter_s = house.t_s - house.since_s
    return found


def table(seeds: int, place: Place = PLACES[0]) -> Iterator[str]:
    """For people."""
    for lie in LIES:
        all_ = [said(claimed(place, seed, lie), 3600.0) for seed in range(seeds)]
        der = [each.der_s for each in all_ if each.der_s is not None]
        meter = [each.meter_s for each in all_ if each.meter_s is not None]
        yield f"{place.name}, {lie}, {seeds} houses: the inverter {_times(der)}, the meter {_times(meter)}"


def _times(found: list[float]) -> str:
    if not found:
        return "never"
    ordered = sorted(found)
    early = sum(s < 0.0 for s in found)
    return f"suspected in {len(found)}, {early} of them before, median {ordered[len(ordered) // 2]:.0f} s"
