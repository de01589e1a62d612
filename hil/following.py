"""Who else follows the meter of a house: a charger that takes the surplus, and somebody else's battery.

The shapes are our choice, after what such devices do: a charger acts every 10 s or so and in whole amperes, a battery
with its own meter every second or two.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from hil.plant.inverter import lag_share

STEP_S = 0.2
AMPERE_W = 690.0
"""One ampere in each of three phases of 230 V."""


class Follower(Protocol):
    """What it draws, W; each step it is shown what goes out at the point of connection."""

    def step(self, p_w: float, t_s: float) -> float: ...


@dataclass(slots=True)
class SurplusCharger:
    """Every `every_s` it takes what went out in the mean, in whole amperes, from 6 to 16 of them."""

    every_s: float
    drawn_w: float = 0.0
    goal_w: float = 0.0
    sum_w: float = 0.0
    n: int = 0
    next_s: float = 0.0

    def step(self, p_w: float, t_s: float) -> float:
        self.sum_w, self.n = self.sum_w + p_w, self.n + 1
        if t_s >= self.next_s:
            self.next_s = t_s + self.every_s
            amperes = int((self.drawn_w + self.sum_w / self.n) / AMPERE_W)
            self.goal_w = AMPERE_W * min(amperes, 16) if amperes >= 6 else 0.0
            self.sum_w, self.n = 0.0, 0
        self.drawn_w += lag_share(STEP_S, 1.0) * (self.goal_w - self.drawn_w)
        return self.drawn_w


@dataclass(slots=True)
class ForeignBattery:
    """Every `every_s` it takes over a share of what it saw go in or out, up to 5 kW."""

    every_s: float
    gain: float = 0.6
    drawn_w: float = 0.0
    goal_w: float = 0.0
    next_s: float = 0.0

    def step(self, p_w: float, t_s: float) -> float:
        if t_s >= self.next_s:
            self.next_s = t_s + self.every_s
            self.goal_w = min(max(self.goal_w + self.gain * p_w, -5000.0), 5000.0)
        self.drawn_w += lag_share(STEP_S, 0.5) * (self.goal_w - self.drawn_w)
        return self.drawn_w


FOLLOWERS: Mapping[str, Callable[[random.Random], Follower]] = {
    "surplus_charger": lambda dice: SurplusCharger(every_s=dice.uniform(8.0, 12.0)),
    "foreign_battery": lambda dice: ForeignBattery(every_s=dice.uniform(1.0, 3.0)),
}
