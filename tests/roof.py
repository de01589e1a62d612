"""A roof in time: inverters that obey late, lie, or come and go; a load, and a meter with noise and lag.

The plant is written from physics alone; what control sees of it is what a poll would bring.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from derctl.core import first, trial
from derctl.core.plan import Plan
from derctl.core.types import DerState, Fallback, Setpoint
from derctl.functions.contract_export_limit import ContractExportLimit
from derctl.functions.export_memory import Memory
from derctl.functions.meter_trust import Trust
from derctl.functions.self_consumption import SelfConsumption
from tests import make
from tests.timeline import Clock, PlanTimeline

TAU_S, STALE_S = 0.5, 3.0
KIND, SELF = "contract_export_limit", "self_consumption"


def always(t_s: float) -> bool:
    """Never away."""
    return True


def flapping(up_s: float, down_s: float, from_s: float) -> Callable[[float], bool]:
    """Away for down_s, heard for up_s, again and again."""
    return lambda t_s: t_s < from_s or (t_s - from_s) % (up_s + down_s) >= down_s


def away(from_s: float, to_s: float) -> Callable[[float], bool]:
    """Away once."""
    return lambda t_s: not from_s <= t_s < to_s


@dataclass
class Unit:
    """One DER. sun_w: what it could give. claims: what it says that it gives, from the truth; None: the truth.

    reverts_s: told by nobody for so long, it goes where nobody told it anything; absent_w: the most it gives there.
    deaf_s: from then on it does what it was told before. tau_s: its own time constant; None: TAU_S.
    """

    p_max_w: float
    sun_w: Callable[[float], float] = lambda t_s: 1e9
    up: Callable[[float], bool] = always
    claims: Callable[[float, float], float] | None = None
    charge_w: float = 0.0
    reverts_s: float = math.inf
    absent_w: float | None = None
    deaf_s: float = math.inf
    tau_s: float | None = None
    p_w: float = 0.0
    told: Setpoint | None = None
    heeded: Setpoint = field(default_factory=Setpoint)
    told_s: float = 0.0
    sample: int = 0
    read_w: float = 0.0
    heard_s: float = 0.0
    queue: list[Setpoint] = field(default_factory=list)

    def run(self, t_s: float, dt_s: float) -> None:
        """Let dt_s pass."""
        lapsed = t_s - self.told_s > self.reverts_s
        told = Setpoint() if lapsed or self.told is None else self.told
        if t_s < self.deaf_s:
            self.heeded = told
        told = self.heeded
        goal = min(self.sun_w(t_s), self.p_max_w)
        if self.charge_w:
            goal = max(min(told.p_target_w or 0.0, self.p_max_w), -self.charge_w)
        if told.p_ceiling_w is not None:
            goal = min(goal, told.p_ceiling_w)
        self.p_w += (goal - self.p_w) * (1.0 - math.exp(-dt_s / (TAU_S if self.tau_s is None else self.tau_s)))

    def said_w(self, t_s: float) -> float:
        """What its registers say."""
        return self.p_w if self.claims is None else self.claims(t_s, self.p_w)


@dataclass
class Roof:
    """lag: samples by which the meter is late. noise: of each reading, in shares of the rating. believed: who was
    seen to move the meter before, the others come back; None: the meter is new."""

    units: Mapping[str, Unit]
    limit_w: float
    load_w: Callable[[float], float] = lambda t_s: 900.0
    tick_s: float = 1.0
    lag: int = 0
    noise: float = 0.002
    load_noise_w: float = 20.0
    seed: int = 1
    believed: tuple[str, ...] | None = None
    meter: Callable[[float], float | None] = lambda export_w: export_w
    functions: Any = None
    exports: list[tuple[float, float]] = field(default_factory=list)
    powers: list[dict[str, float]] = field(default_factory=list)
    t_s: float = 0.0
    n: int = 0

    def __post_init__(self) -> None:
        names = tuple(self.units)
        self.random = random.Random(self.seed)
        given = self.functions or (ContractExportLimit(limit_w=self.limit_w), SelfConsumption())
        plan = Plan(site_functions=tuple((each, names) for each in given))
        known: dict[str, Any] = {}
        if self.believed is not None:
            known = {KIND: Memory(trust=Trust(proven=True))}
            known["trial"] = trial.Memory(relied=True, once=True, heard=self.believed, met=names)
            known["first"] = first.Memory(met=names)
        self.time = PlanTimeline(plan, Clock(tick_s=self.tick_s), memories=known)
        self.seen: list[float] = []

    @property
    def on_trial(self) -> tuple[str, ...]:
        """Who is."""
        return tuple(case.der for case in self.time.memories["trial"].cases)

    @property
    def unseen(self) -> tuple[str, ...]:
        """Who was never seen to move the meter."""
        return tuple(each.der for each in self.time.memories["first"].unseen)

    def run(self, seconds: float) -> Roof:
        """So long."""
        for _ in range(round(seconds / self.tick_s)):
            self._tick()
        return self

    def over(self, from_s: float, to_s: float = math.inf) -> list[float]:
        """The export in this time."""
        return [w for t_s, w in self.exports if from_s <= t_s < to_s]

    def of(self, name: str, from_s: float, to_s: float = math.inf) -> list[float]:
        """What one gives in this time."""
        return [each[name] for (t_s, _), each in zip(self.exports, self.powers, strict=True) if from_s <= t_s < to_s]

    def _tick(self) -> None:
        self.n += 1
        self.t_s += self.tick_s
        steps = max(round(self.tick_s / 0.1), 1)
        for unit in self.units.values():
            for i in range(steps):
                unit.run(self.t_s - self.tick_s + i * self.tick_s / steps, self.tick_s / steps)
        load_w = self.load_w(self.t_s)
        export_w = sum(unit.p_w for unit in self.units.values()) - load_w
        self.exports.append((self.t_s, export_w))
        self.powers.append({name: unit.p_w for name, unit in self.units.items()})
        self.seen.append(export_w + self.random.gauss(0.0, self.load_noise_w))
        late_w = self.meter(self.seen[max(self.n - 1 - self.lag, 0)])
        ders = [self._der(name, unit) for name, unit in self.units.items()]
        poc = make.meter(late_w, sample=self.n, fresh=late_w is not None)
        told = self.time.told(*ders, dt_s=self.tick_s if self.n > 1 else 0.0, poc=poc)
        for der in ders:
            unit = self.units[der.id]
            if der.fresh and unit.up(self.t_s):
                unit.told, unit.told_s = told[der.id], self.t_s

    def _der(self, name: str, unit: Unit) -> DerState:
        if unit.up(self.t_s):
            unit.sample += 1
            unit.heard_s = self.t_s
            unit.read_w = unit.said_w(self.t_s) + self.random.gauss(0.0, self.noise * unit.p_max_w)
        fresh = self.t_s - unit.heard_s <= STALE_S
        given: dict[str, Any] = {
            "p_w": unit.read_w,
            "sample": unit.sample,
            "age_s": self.t_s - unit.heard_s,
            "fresh": fresh,
            "controllable": fresh,
            "accepted": unit.told if unit.deaf_s == math.inf else unit.heeded,
            "absent_w": unit.absent_w,
            "fallback": Fallback(p_ceiling_w=None, after_s=unit.reverts_s),
        }
        if unit.charge_w:
            return make.battery(name, p_max_w=unit.p_max_w, charge_w=unit.charge_w, soc_pct=50.0, **given)
        return make.pv(name, p_max_w=unit.p_max_w, **given)
