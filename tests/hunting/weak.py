"""A house on a weak grid under the real core: its own power and var move the voltage that it follows."""

import random
from collections import deque
from dataclasses import dataclass, field
from math import atan, cos, exp, sin
from typing import Any

from derctl.core.engine import step
from derctl.core.plan import Plan
from derctl.core.types import DerState, PocState, Setpoint, SiteState
from derctl.core.value import replace
from hil.following import STEP_S
from hil.houses import Loads, Sun
from hil.plant.inverter import lag_share
from tests import make

S_VA = 10_000.0
BACK_S = 600.0
"""A source that wandered is brought back by the taps of its transformer in about so long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """scr: short-circuit power in units of the inverters' rating. source_pu: the voltage without the house."""

    scr: float
    r_over_x: float
    source_pu: float = 1.0

    def v_pu(self, p_pu: float, q_pu: float) -> float:
        """The voltage at the house that gives so much, in units of the inverters' rating."""
        angle = atan(1.0 / self.r_over_x)
        return self.source_pu + (cos(angle) * p_pu + sin(angle) * q_pu) / self.scr


@dataclass(slots=True)
class Weak:
    """write_s: between two setpoints at least. dead_s, t90_s: of the inverter. wander_pu: of the source's voltage in
    one second. loads None: none."""

    plan: Plan
    grid: Grid
    tick_s: float = 1.0
    write_s: float = 0.0
    dead_s: float = 0.3
    t90_s: float = 0.6
    v_noise_pu: float = 0.0002
    wander_pu: float = 0.0
    loads: Loads | None = None
    sun: Sun = field(default_factory=lambda: Sun(cloudy=False, now=0.95, goal=0.95))
    seed: int = 1
    t_s: float = 0.0
    p_pu: float = 0.9
    q_pu: float = 0.0
    told: Setpoint = field(default_factory=Setpoint)
    written_s: float = -1e9
    memories: dict[str, Any] = field(default_factory=dict)
    trace: list[tuple[float, float, float, float]] = field(default_factory=list)
    events: list[tuple[float, str, Any]] = field(default_factory=list)
    _way: deque[tuple[float, Setpoint]] = field(default_factory=deque)
    _dice: random.Random = field(init=False)
    _der: DerState = field(init=False)
    _load_pu: float = 0.0
    _wandered_pu: float = 0.0

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)
        self._der = make.pv("pv1", p_max_w=S_VA, v_pu=1.0)

    def run(self, seconds: float) -> "Weak":
        """Tick after tick."""
        for _ in range(round(seconds / self.tick_s)):
            for _ in range(max(round(self.tick_s / STEP_S), 1)):
                self._pass()
            self._tick()
        return self

    @property
    def v_pu(self) -> float:
        return self.grid.v_pu(self.p_pu - self._load_pu, self.q_pu) + self._wandered_pu

    def _pass(self) -> None:
        """STEP_S of the plant."""
        self.t_s += STEP_S
        while self._way and self._way[0][0] <= self.t_s:
            self.told = self._way.popleft()[1]
        if self.loads is not None:
            self._load_pu = sum(self.loads.w_at(self.t_s, self._dice)) / S_VA
        most_pu = self.sun.at(self.t_s, self._dice)
        ceiling_w, q_var = self.told.p_ceiling_w, self.told.q_var
        goal = most_pu if ceiling_w is None else min(most_pu, ceiling_w / S_VA)
        share = lag_share(STEP_S, self.t90_s)
        self.p_pu += share * (goal - self.p_pu)
        self.q_pu += share * ((q_var or 0.0) / S_VA - self.q_pu)

    def _tick(self) -> None:
        if self.wander_pu > 0.0:
            self._wandered_pu *= exp(-self.tick_s / BACK_S)
            self._wandered_pu += self.wander_pu * self.tick_s**0.5 * self._dice.gauss(0.0, 1.0)
        v_pu = self.v_pu + self._dice.gauss(0.0, self.v_noise_pu)
        self._der = make.again(self._der, v_pu=v_pu, p_w=self.p_pu * S_VA, q_var=self.q_pu * S_VA)
        state = SiteState(
            t_s=self.t_s, tick_s=self.tick_s, f_nom_hz=60.0, ders=(self._der,), poc=self._poc(), id="weak"
        )
        self.memories, (decision,) = step(self.plan, self.memories, state, self.tick_s)
        if self.t_s - self.written_s >= self.write_s - 1e-9:
            self.written_s = self.t_s
            self._way.append((self.t_s + self.dead_s, decision.setpoint))
            self._der = replace(self._der, written=decision.setpoint)
        self.trace.append((self.t_s, self.v_pu, self.p_pu, self.q_pu))

    def _poc(self) -> PocState | None:
        """The meter, where there is one."""
        return None

    def swing(self, last_s: float) -> tuple[float, float, float]:
        """Peak to peak of voltage, power and var within the last so many seconds."""
        rows = [row for row in self.trace if row[0] > self.t_s - last_s]
        v, p, q = (max(row[i] for row in rows) - min(row[i] for row in rows) for i in (1, 2, 3))
        return v, p, q
