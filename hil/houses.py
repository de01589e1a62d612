"""Seeded houses for long runs without a socket: clouds, loads as people live with them, and a meter that may lie.

+ is towards the grid. The shapes are our choice.
"""

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from math import log

from hil.following import FOLLOWERS, STEP_S
from hil.plant.inverter import lag_share

PHASES = 3


@dataclass(slots=True)
class Switched:
    """A load that is on for a while and off for a while, exponentially; it cycles inside when `cycle_s` is given."""

    w: float
    on_s: float
    off_s: float
    cycle_s: float = 0.0
    phase: int = 0
    on: bool = False
    until_s: float = 0.0

    def w_at(self, t_s: float, dice: random.Random) -> float:
        """What it draws now."""
        if t_s >= self.until_s:
            self.on = not self.on if self.until_s > 0.0 else dice.random() < self.on_s / (self.on_s + self.off_s)
            mean_s = self.on_s if self.on else self.off_s
            self.until_s = t_s + mean_s * dice.uniform(0.6, 1.4)
        if not self.on:
            return 0.0
        return self.w if self.cycle_s <= 0.0 or t_s % self.cycle_s < 0.45 * self.cycle_s else 0.0


@dataclass(slots=True)
class Loads:
    """A household: base with noise, fridge, kettle, cycling hob, car. Each switched one is on one phase."""

    base_w: float
    noise_w: float
    switched: list[Switched]
    noise_now_w: float = 0.0

    @classmethod
    def of(cls, dice: random.Random) -> "Loads":
        """A house of its own."""

        def on(w: float, on_s: float, off_s: float, cycle_s: float = 0.0) -> Switched:
            return Switched(w=w, on_s=on_s, off_s=off_s, cycle_s=cycle_s, phase=dice.randrange(PHASES))

        return cls(
            base_w=dice.uniform(150.0, 700.0),
            noise_w=dice.uniform(10.0, 50.0),
            switched=[
                on(120.0, 600.0, 1200.0),
                on(dice.uniform(1800.0, 2800.0), 140.0, 1800.0),
                on(dice.uniform(1200.0, 2000.0), 500.0, 5400.0, dice.uniform(6.0, 25.0)),
                on(dice.choice((2300.0, 3700.0)), 5400.0, 9000.0),
            ],
        )

    def w_at(self, t_s: float, dice: random.Random) -> tuple[float, ...]:
        """What each phase draws now."""
        share = lag_share(STEP_S, 3.0)
        self.noise_now_w += -share * self.noise_now_w + self.noise_w * (2.0 * share) ** 0.5 * dice.gauss(0.0, 1.0)
        each = max(self.base_w + self.noise_now_w, 20.0) / PHASES
        drawn = [each] * PHASES
        for load in self.switched:
            drawn[load.phase] += load.w_at(t_s, dice)
        return tuple(drawn)


@dataclass(slots=True)
class Sun:
    """What the modules could give, per unit: clear or under a cloud, with edges of some seconds."""

    cloudy: bool
    now: float = 0.9
    goal: float = 0.9
    edge_s: float = 10.0
    until_s: float = 0.0

    def at(self, t_s: float, dice: random.Random) -> float:
        """Let one step pass."""
        if self.cloudy and t_s >= self.until_s:
            self.goal = dice.uniform(0.25, 0.6) if self.goal > 0.6 else dice.uniform(0.8, 1.0)
            self.edge_s = dice.uniform(4.0, 25.0)
            self.until_s = t_s + dice.uniform(40.0, 400.0)
        self.now += lag_share(STEP_S, self.edge_s) * (self.goal - self.now)
        return self.now * (1.0 + 0.003 * dice.gauss(0.0, 1.0))


@dataclass(slots=True)
class Unit:
    """An inverter: dead time, then a first-order lag of this t90.

    gives: the share of what it is told that it gives. band_w: by so much less it does not move. step_w: of its
    register, towards 0.
    """

    p_max_w: float
    p_min_w: float
    t90_s: float
    dead_s: float
    gives: float = 1.0
    band_w: float = 0.0
    step_w: float = 0.0
    p_w: float = 0.0
    told_w: float | None = None
    pending: deque[tuple[float, float | None]] = field(default_factory=deque)

    def tell(self, told_w: float | None, t_s: float) -> None:
        """A setpoint arrives: a ceiling for PV, a target for a battery; it acts after the dead time."""
        self.pending.append((t_s + self.dead_s, told_w))

    def step(self, goal: Callable[[float | None], float], t_s: float) -> None:
        """Let one step pass."""
        while self.pending and self.pending[0][0] <= t_s:
            self._take(self.pending.popleft()[1])
        meant_w = None if self.told_w is None else self.gives * self.told_w
        wanted = min(max(goal(meant_w), self.p_min_w), self.p_max_w)
        self.p_w += lag_share(STEP_S, self.t90_s / log(10.0)) * (wanted - self.p_w)

    def _take(self, told_w: float | None) -> None:
        if told_w is not None and self.step_w > 0.0:
            told_w = int(told_w / self.step_w + (1e-9 if told_w > 0.0 else -1e-9)) * self.step_w
        if told_w is None or self.told_w is None or abs(told_w - self.told_w) >= self.band_w:
            self.told_w = told_w


class House:
    """One house: PV, a battery if wanted, loads and a meter. `lie` may be changed at any time. heard: the meter shows
    something.

    shares: of what the inverters give, by phase; None: each house has its own, which are not alike. follower: who
    else follows the meter, by its name in FOLLOWERS. dawn_s: until then it is night, and the inverter sleeps.
    """

    def __init__(
        self,
        seed: int,
        *,
        refresh_s: float = 1.0,
        late_s: float = 0.0,
        lie: str = "right",
        battery: bool = False,
        shares: tuple[float, ...] | None = (1 / 3, 1 / 3, 1 / 3),
        follower: str = "",
        dawn_s: float = 0.0,
    ) -> None:
        self.dice, self.dawn_s = random.Random(seed), dawn_s
        self.loads = Loads.of(self.dice)
        self.sun = Sun(cloudy=self.dice.random() < 0.6)
        t90_s, dead_s = self.dice.choice((0.5, 1.0, 2.0, 4.0)), self.dice.uniform(0.1, 0.6)
        self.pv = Unit(p_max_w=13_300.0, p_min_w=0.0, t90_s=t90_s, dead_s=dead_s)
        self.battery = Unit(p_max_w=5000.0, p_min_w=-5000.0, t90_s=t90_s, dead_s=dead_s) if battery else None
        self.refresh_s, self.late_s, self.lie = refresh_s, late_s, lie
        self.t_s, self.next_s = 0.0, self.dice.uniform(0.0, refresh_s)
        self.drawn_w: tuple[float, ...] = (0.0,) * PHASES
        self.coming: deque[tuple[float, float, tuple[float, ...]]] = deque()
        self.shown_phase_w: tuple[float, ...] = (0.0,) * PHASES
        self.shown_w, self.before_w, self.heard = 0.0, 0.0, False
        self.frozen_w = self.dice.uniform(-30.0, 30.0)
        self.shares = _uneven(self.dice) if shares is None else shares
        self.follower = FOLLOWERS[follower](self.dice) if follower else None

    @property
    def dark(self) -> bool:
        """Whether it is night."""
        return self.t_s < self.dawn_s

    @property
    def given_w(self) -> float:
        """What the inverters give together."""
        return self.pv.p_w + (0.0 if self.battery is None else self.battery.p_w)

    @property
    def p_w(self) -> float:
        """What truly goes out."""
        return self.given_w - sum(self.drawn_w)

    def phase_w(self, phase: int) -> float:
        """What truly goes out on one phase."""
        return self.given_w * self.shares[phase] - self.drawn_w[phase]

    def step(self) -> None:
        """Let STEP_S pass."""
        self.t_s += STEP_S
        before_w = self.p_w
        self.drawn_w = self.loads.w_at(self.t_s, self.dice)
        if self.follower is not None:
            more_w = self.follower.step(before_w, self.t_s) / PHASES
            self.drawn_w = tuple(w + more_w for w in self.drawn_w)
        sun_w = 0.0 if self.dark else self.pv.p_max_w * self.sun.at(self.t_s, self.dice)
        self.pv.step(lambda told: sun_w if told is None else min(sun_w, max(told, 0.0)), self.t_s)
        if self.battery is not None:
            self.battery.step(lambda told: told or 0.0, self.t_s)
        if self.t_s >= self.next_s:
            self.next_s += self.refresh_s
            shown_w = LIES[self.lie](self)
            self.coming.append((self.t_s + self.late_s, shown_w, _by_phase(self, shown_w)))
        while self.coming and self.coming[0][0] <= self.t_s:
            _, shown_w, phases_w = self.coming.popleft()
            self.heard = True
            self.shown_w, self.shown_phase_w = float(round(shown_w)), tuple(float(round(w)) for w in phases_w)
            if self.lie == "right":
                self.before_w = self.shown_w


def _uneven(dice: random.Random) -> tuple[float, ...]:
    weights = [dice.uniform(0.4, 1.6) for _ in range(PHASES)]
    return tuple(weight / sum(weights) for weight in weights)


def _by_phase(house: House, shown_w: float) -> tuple[float, ...]:
    """What the meter shows of each phase; of a lie that knows none, as much of each as it shows of the sum."""
    right = tuple(house.phase_w(phase) for phase in range(PHASES))
    if house.lie in CLAMPS:
        return tuple(factor * w for factor, w in zip(CLAMPS[house.lie], right, strict=True))
    return (shown_w / PHASES,) * PHASES


CLAMPS: dict[str, tuple[float, ...]] = {
    "right": (1.0, 1.0, 1.0),
    "reversed": (-1.0, -1.0, -1.0),
    "tenth": (0.1, 0.1, 0.1),
    "lost_phase": (0.0, 1.0, 1.0),
    "phase_reversed": (1.0, -1.0, 1.0),
}
"""What the clamps make of the three phases."""

LIES: dict[str, Callable[["House"], float]] = {
    "right": lambda house: house.p_w,
    "reversed": lambda house: -house.p_w,
    "dead": lambda house: 0.0,
    "near_zero": lambda house: house.dice.uniform(-5.0, 5.0),
    "stuck": lambda house: house.before_w + house.dice.uniform(-20.0, 20.0),
    "tenth": lambda house: 0.1 * house.p_w,
    "load_side": lambda house: -sum(house.drawn_w),
    "lost_phase": lambda house: sum(house.phase_w(each) for each in range(1, PHASES)),
    "phase_reversed": lambda house: house.p_w - 2.0 * house.phase_w(1),
    "frozen": lambda house: house.before_w,
    "frozen_near_zero": lambda house: house.frozen_w,
}
"""What a meter shows, by what is wrong with it."""
