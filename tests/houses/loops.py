"""What a closed loop at the meter does with seeded plants: after a load drop, in the long run, with slow meters."""

import random
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from dataclasses import replace as replaced
from statistics import fmean, median
from typing import Any

from derctl.core import belief
from derctl.core.pace import Pace
from derctl.core.plan import Plan
from derctl.core.value import replace
from derctl.functions.contract_export_limit import ContractExportLimit
from derctl.functions.export_memory import Memory
from derctl.functions.meter_trust import Trust
from derctl.functions.probe import Probe
from derctl.functions.self_consumption import SelfConsumption
from hil.following import STEP_S
from hil.houses import House, Loads, Sun, Unit
from tests import make
from tests.houses.control import Controlled

LIMIT_W, P_MAX_W = 3000.0, 13_300.0
MARGIN_W = max(0.02 * LIMIT_W, 50.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plant:
    """seed decides when in a tick the load drops, and the noise. known: how late it is was measured. probed: the
    coin makes its steps all the time."""

    seed: int
    t90_s: float = 0.5
    dead_s: float = 0.2
    refresh_s: float = 1.0
    late_s: float = 0.0
    known: bool = True
    noise_w: float = 15.0
    gives: float = 1.0
    band_w: float = 0.0
    step_w: float = 0.0
    probed: bool = False
    law: ContractExportLimit = field(default_factory=lambda: ContractExportLimit(limit_w=LIMIT_W))


def controlled(plant: Plant) -> Controlled:
    """A house with a meter that is proven, and one load."""
    house = House(plant.seed, refresh_s=plant.refresh_s, late_s=plant.late_s)
    house.loads = Loads(base_w=6000.0, noise_w=plant.noise_w, switched=[])
    house.sun = Sun(cloudy=False, now=1.0, goal=1.0)
    house.pv = Unit(
        p_max_w=P_MAX_W,
        p_min_w=0.0,
        t90_s=plant.t90_s,
        dead_s=plant.dead_s,
        gives=plant.gives,
        band_w=plant.band_w,
        step_w=plant.step_w,
    )
    proven: dict[str, Any] = {"contract_export_limit": Memory(trust=Trust(proven=True))}
    if plant.known:
        pace = Pace(late_s=plant.late_s, refresh_s=plant.refresh_s)
        proven["belief"] = replace(belief.start("house"), pace=pace)
    law = replace(plant.law, probe="always") if plant.probed else plant.law
    probe: tuple[Any, ...] = ((Probe(), ("pv1",)),) if plant.probed else ()
    plan = Plan(site_functions=((law, ("pv1",)), *probe))
    return Controlled(house, plan, name=f"house-{plant.seed}", memories=proven)


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """back_s: from the drop until the export is back under the limit. again_w: the most above the limit after that.
    below_w: the most below the goal after it, once the meter has shown it. mean_w: of the last minute, off the goal;
    swing_w: between the highest and the lowest mean of 5 s in it."""

    back_s: float
    again_w: float
    below_w: float
    mean_w: float
    swing_w: float


def load_drop(plant: Plant, *, drop_w: float = 3000.0, seconds: float = 180.0) -> Drop:
    """One step of the load after the loop has settled."""
    control = controlled(plant)
    control.run(180.0)
    house = control.house
    for _ in range(random.Random(plant.seed).randrange(round(1.0 / STEP_S))):
        house.step()
    house.loads.base_w -= drop_w
    seen = watch(control, seconds)
    back = next((n for n in range(1, len(seen)) if seen[n] <= LIMIT_W < seen[n - 1]), len(seen))
    last = seen[-round(60.0 / STEP_S) :]
    part = round(5.0 / STEP_S)
    means = [fmean(last[n : n + part]) for n in range(0, len(last) - part, part)]
    return Drop(
        back_s=back * STEP_S,
        again_w=max(seen[back:], default=0.0) - LIMIT_W,
        below_w=LIMIT_W - MARGIN_W - min(seen[back:], default=0.0),
        mean_w=fmean(last) - (LIMIT_W - MARGIN_W),
        swing_w=max(means) - min(means),
    )


def beside_a_step(plant: Plant, *, drop_w: float) -> float:
    """A load drops at any moment of the coin's steps: for how long the export is above its limit at a stretch, s."""
    control = controlled(plant)
    control.run(300.0)
    watch(control, random.Random(plant.seed).randrange(round(60.0 / STEP_S)) * STEP_S)
    control.house.loads.base_w -= drop_w
    longest = lasts = 0
    for p_w in watch(control, 60.0):
        lasts = lasts + 1 if p_w > LIMIT_W + MARGIN_W else 0
        longest = max(longest, lasts)
    return longest * STEP_S


def load_ramp(plant: Plant, *, w_per_s: float, seconds: float) -> float:
    """The most above the limit while the load falls so fast, and half a minute after."""
    control = controlled(plant)
    control.run(120.0)
    seen = []
    for _ in range(round(seconds)):
        control.house.loads.base_w -= w_per_s
        seen += watch(control, 1.0)
    return max(seen + watch(control, 30.0)) - LIMIT_W


STORE_W, SUN_W, FLICKERS = 5000.0, 8000.0, 0.003
"""A battery, what the sun gives beside it, and by what share of that it flickers (hil.houses.Sun)."""


def battery_mean(plant: Plant, *, discharges: bool) -> tuple[float, float]:
    """The mean of a minute off the goal, and what the battery gives, where it is a battery that the limit binds: it
    wants to give all it has without sun, or takes what the sun gives beyond the limit. plant tells of the battery."""
    control = controlled(plant)
    house, sun = control.house, 0.0 if discharges else SUN_W / P_MAX_W
    house.battery = replaced(house.pv, p_max_w=STORE_W, p_min_w=-STORE_W, pending=deque())
    house.pv = replaced(house.pv, gives=1.0, band_w=0.0, step_w=0.0, pending=deque())
    house.sun, house.loads.base_w = Sun(cloudy=False, now=sun, goal=sun), 1000.0
    control.ders.append(make.battery("bat1", soc_pct=50.0))
    functions: list[Any] = [(plant.law, ("pv1", "bat1"))]
    if discharges:
        functions.append((SelfConsumption(target_w=2.0 * LIMIT_W), ("bat1",)))
    control.plan = Plan(site_functions=tuple(functions))
    control.run(240.0)
    return fmean(watch(control, 60.0)) - (LIMIT_W - MARGIN_W), house.battery.p_w


def watch(control: Controlled, seconds: float) -> list[float]:
    """What truly goes out, step by step of the house, with a tick each second of it."""
    house = control.house
    seen: list[float] = []
    per_tick = round(1.0 / STEP_S)
    while len(seen) < round(seconds / STEP_S):
        house.step()
        seen.append(house.p_w)
        if round(house.t_s / STEP_S) % per_tick == 0:
            control.tick()
    return seen


QUICK: dict[str, Any] = {"t90_s": 0.5, "dead_s": 0.2}
SLOW: dict[str, Any] = {"t90_s": 4.0, "dead_s": 1.0}
BAND: dict[str, Any] = {"band_w": 0.01 * P_MAX_W}
KINDS: dict[str, dict[str, Any]] = {
    "quick": QUICK,
    "quick, meter 5 s late": QUICK | {"late_s": 5.0},
    "quick, refresh 5 s": QUICK | {"refresh_s": 5.0},
    "slow": SLOW,
    "slow, meter 5 s late": SLOW | {"late_s": 5.0},
    "slow, refresh 5 s": SLOW | {"refresh_s": 5.0},
    "slow, 5 s late, refresh 5 s": SLOW | {"late_s": 5.0, "refresh_s": 5.0},
    "98 %": QUICK | {"gives": 0.98},
    "102 %": QUICK | {"gives": 1.02},
    "dead band 1 %": QUICK | BAND,
    "98 %, dead band 1 %": QUICK | BAND | {"gives": 0.98},
    "steps of 1 %": QUICK | {"step_w": 0.01 * P_MAX_W},
}
"""Plants of the table, by what is said of them."""
STORES: dict[str, dict[str, Any]] = {
    "quick, 97 %": QUICK | {"gives": 0.97},
    "slow, 97 %": SLOW | {"gives": 0.97},
    "quick, 97 %, dead band 1 %": QUICK | {"gives": 0.97, "band_w": 0.01 * STORE_W},
}
"""Batteries of the table."""

Map = Callable[[Callable[[Plant], Drop], Iterable[Plant]], Iterable[Drop]]


def table(seeds: range, spread: Map) -> Iterable[str]:
    """Line by line: a load of 6 kW drops by 3 kW, of each kind for so many seeds."""
    for name, kind in STORES.items():
        for discharges in (True, False):
            means = [battery_mean(Plant(seed=seed, **kind), discharges=discharges)[0] for seed in seeds]
            yield (
                f"battery that {'discharges' if discharges else 'charges'} at the limit, {name:26}: mean of a minute "
                f"off by {max(map(abs, means)):3.0f} W at most"
            )
    for name, kind in KINDS.items():
        found = list(spread(load_drop, [Plant(seed=seed, **kind) for seed in seeds]))
        yield (
            f"load drop, {name:28}: back in {median(each.back_s for each in found):4.1f} s median, "
            f"{max(each.back_s for each in found):4.1f} at most; then {max(each.again_w for each in found):4.0f} W "
            f"above the limit at most, {max(each.below_w for each in found):4.0f} W below the goal; mean of a minute "
            f"off by {max(abs(each.mean_w) for each in found):3.0f} W at most, swing "
            f"{max(each.swing_w for each in found):3.0f} W"
        )
