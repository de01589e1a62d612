"""A battery beside a noisy, sleepy BMS: whatever is commanded, and however that fails, its limits are kept.

The plant is written here: a pack, a BMS that tells it late, and an inverter that does as it is told.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import pytest

from derctl.core.pack import Bounds, Pack
from derctl.core.plan import Plan
from derctl.core.requests import BatteryRequest
from derctl.core.types import FOREVER_S, DerState, Setpoint
from derctl.core.words import Bar
from derctl.functions.bms_guard import BmsGuard
from derctl.functions.freq_droop import FreqDroop
from derctl.functions.operator import SetpointFunction
from derctl.functions.reserve import Reserve
from derctl.functions.self_consumption import SelfConsumption
from derctl.functions.soc_guard import SocGuard
from derctl.functions.survival import kept, revived
from tests import make
from tests.timeline import PlanTimeline

RATED_W, EFFICIENCY = 5000.0, 0.96
STOP_S = 30.0
SEEDS = range(8)
SLACK_W = 1.0


@dataclass
class Battery:
    """charge_w, discharge_w: what is true now, DC; told: what the BMS told last, and when. way: what it does."""

    noise: random.Random
    capacity_wh: float = 10_000.0
    soc_pct: float = 50.0
    charge_w: float = 5000.0
    discharge_w: float = 5000.0
    bars: tuple[Bar, ...] = ()
    closed: bool = True
    way: str = "well"
    told: tuple[Pack, float, float, float] | None = None
    told_s: float = -1e9
    p_w: float = 0.0

    def true_w(self) -> tuple[float, float]:
        """What may go in and come out at the AC terminals."""
        charge_w = 0.0 if not self.closed or Bar.OVER_VOLT in self.bars else self.charge_w
        discharge_w = 0.0 if not self.closed or Bar.UNDER_VOLT in self.bars else self.discharge_w
        return charge_w / EFFICIENCY, discharge_w * EFFICIENCY

    def tell(self, t_s: float) -> None:
        """The BMS answers, unless it is silent; one that stands still answers what it told before."""
        if self.way != "well":
            return
        volts = 50.0 + self.noise.uniform(-0.5, 0.5)
        pack = Pack(battery_v=volts, closed=self.closed, bars=self.bars, bounds=Bounds(cell_high_v=3.65))
        self.told, self.told_s = (pack, self.charge_w, self.discharge_w, self.soc_pct), t_s

    def state(self, n: int, t_s: float) -> DerState:
        age_s = FOREVER_S if self.way == "frozen" else t_s - self.told_s
        given: dict[str, Any] = {}
        if self.told is not None:
            pack, charge_w, discharge_w, soc_pct = self.told
            given = {"pack": pack, "p_charge_limit_w": charge_w, "p_discharge_limit_w": discharge_w}
            given["soc_pct"] = soc_pct if age_s <= STOP_S else None
        return make.battery(p_w=self.p_w, sample=n, bms_age_s=age_s, **given)

    def act(self, told: Setpoint, dt_s: float) -> None:
        """The inverter does as it is told, where the contactor lets it."""
        self.p_w = (told.p_target_w or 0.0) if self.closed else 0.0
        dc_w = self.p_w / EFFICIENCY if self.p_w > 0.0 else self.p_w * EFFICIENCY
        self.soc_pct = min(100.0, max(0.0, self.soc_pct - 100.0 * dc_w * dt_s / 3600.0 / self.capacity_wh))


def site(*more: Any) -> PlanTimeline:
    """All that may command a battery."""
    droop = FreqDroop(db_of_hz=0.036, db_uf_hz=0.036, k_of=0.05, k_uf=0.05)
    functions: Any = [SetpointFunction(), droop, Reserve(min_pct=15.0), SocGuard(), BmsGuard(), *more]
    return PlanTimeline(
        Plan(
            der_functions=tuple((each, ("bat1",)) for each in functions),
            site_functions=((SelfConsumption(), ("bat1",)),),
        )
    )


def asked(noise: random.Random) -> tuple[BatteryRequest, ...]:
    """An operator's wish, or none."""
    if noise.random() < 0.3:
        return ()
    target_w = noise.choice([-9000.0, -5000.0, -300.0, 0.0, 700.0, 5000.0, 9000.0])
    return (BatteryRequest(id="r", der="bat1", by="anna", remaining_s=60.0, p_target_w=target_w),)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_command_drives_a_battery_beyond_what_its_bms_truly_allowed_two_cycles_ago(seed: int) -> None:
    """Its last true limits: those that it told, or could have told, since the tick before last. What it did not tell
    while it was silent nobody can know: then they are those that it told last, and none from 30 s on."""
    noise = random.Random(seed)
    battery, time = Battery(noise=noise), site()
    allowed: list[tuple[float, float]] = []
    requests, exercised, silent_s = asked(noise), 0, 0
    for n in range(700):
        if noise.random() < 0.05:
            battery.charge_w, battery.discharge_w = (
                noise.choice([0.0, 50.0, 800.0, 2500.0, 5000.0]) for _ in range(2)
            )
        if noise.random() < 0.03:
            battery.bars = noise.choice([(), (), (Bar.OVER_VOLT,), (Bar.UNDER_VOLT,)])
        if noise.random() < 0.02:
            battery.closed = noise.random() < 0.7
        if noise.random() < 0.03:
            battery.way = noise.choice(["well", "well", "well", "silent", "frozen"])
        if noise.random() < 0.1:
            requests = asked(noise)
        silent_s = 0 if battery.way == "well" else silent_s + 1
        battery.tell(float(n))
        if battery.way == "well":
            allowed.append(battery.true_w())
        f_hz = 50.0 + (noise.choice([-0.8, 0.8]) if noise.random() < 0.1 else noise.uniform(-0.02, 0.02))
        state = battery.state(n, float(n))
        state = make.again(state, f_hz=f_hz)
        poc = make.meter(noise.uniform(-9000.0, 9000.0), sample=n)
        told = time.told(state, dt_s=1.0 if n else 0.0, poc=poc, requests=requests)["bat1"]
        battery.act(told, 1.0)
        assert told.p_target_w is not None
        recent = allowed[-2:] or [(0.0, 0.0)]
        most_in_w, most_out_w = (max(pair[way] for pair in recent) for way in (0, 1))
        if silent_s > STOP_S + 2 and silent_s < 600:
            most_in_w = most_out_w = 0.0
        small_w = 0.05 * RATED_W
        if not battery.closed or silent_s >= 600:
            most_in_w = max(most_in_w, small_w)
        assert -most_in_w - SLACK_W <= told.p_target_w <= most_out_w + SLACK_W, (n, battery, told)
        exercised += abs(told.p_target_w) > 100.0
    assert exercised > 50, "it was driven at all"


@pytest.mark.parametrize("seed", SEEDS)
def test_an_empty_battery_recovers_wherever_it_can(seed: int) -> None:
    """Its BMS opened the contactor, or fell asleep too, and wakes up only if something is charged. Somebody offers
    charge now and then; within three hours it is above its bound."""
    noise = random.Random(1000 + seed)
    sleeps, forgets = seed % 2 == 0, seed % 4 < 2
    battery = Battery(noise=noise, capacity_wh=2000.0, soc_pct=4.0, discharge_w=0.0, bars=(Bar.UNDER_VOLT, Bar.EMPTY))
    time = site()
    battery.tell(0.0)
    time.told(battery.state(0, 0.0), dt_s=0.0)
    battery.closed, battery.way = sleeps, "silent" if sleeps else "well"
    woken = None
    for n in range(1, 10_000):
        if n == 300 and forgets:
            time.memories = kept_over_a_restart(time.memories)
        battery.tell(float(n))
        offers = n // 1800 % 2 == 0
        wish = (BatteryRequest(id="r", der="bat1", by="anna", remaining_s=60.0, p_target_w=-3000.0),)
        told = time.told(battery.state(n, float(n)), requests=wish if offers else ())["bat1"]
        wants_w = -(told.p_target_w or 0.0)
        if woken is None and wants_w >= 100.0 + noise.uniform(0.0, 50.0):
            battery.closed, battery.way, woken = True, "well", n
        battery.act(told, 1.0)
        if battery.soc_pct > 6.0:
            battery.bars = ()
        if battery.soc_pct > 12.5:
            break
    assert woken is not None and battery.soc_pct > 12.5, (battery, woken)


def kept_over_a_restart(memories: Any) -> dict[str, Any]:
    found = revived(kept(memories))
    assert not found.refused
    return found.memories
