"""A house with one DER whose times, gains and grid are known, moved stage by stage: no clock, no device."""

from __future__ import annotations

import math
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from derctl.core.stages import Heard, Play, Sample, Stage
from derctl.core.types import Rating, Setpoint
from derctl.core.value import replace
from derctl.core.words import Status

T = TypeVar("T")
POLL_S, DT_S = 0.1, 0.05
RATING = Rating(
    p_max_w=10_000.0, p_min_w=0.0, s_max_va=10_000.0, q_inj_max_var=4_400.0, q_abs_max_var=4_400.0, v_nom_v=230.0
)


@dataclass(kw_only=True)
class House:
    """The DER answers dead_s after it was told, by a lag of t90_s or on a ramp (W or var a second). refresh_s: of its
    registers. x_pu, r_pu: what its var and its power move of the voltage. p_part, q_part: what it makes of what it is
    told. trap_w: a limit below it sends it off for good. slope, late_s, meter_s: what the meter shows of the DER,
    how late, how often. The voltage and the load have noise in each reading, and walk (per root second)."""

    seed: int = 1
    dead_s: float = 0.8
    t90_s: float = 2.0
    ramp_per_s: float | None = None
    refresh_s: float = 1.0
    sun_w: float = 8_000.0
    p_part: float = 1.0
    q_part: float = 1.0
    q_real: float = 1.0
    trap_w: float = 0.0
    x_pu: float = 0.03
    r_pu: float = 0.05
    v_noise: float = 5e-4
    v_walk: float = 3e-4
    load_w: float = 1_500.0
    load_noise_w: float = 20.0
    slope: float = 1.0
    late_s: float = 0.0
    meter_s: float = 1.0
    refuses: str = ""
    t_s: float = 1_000.0
    told: Setpoint = field(default_factory=Setpoint)
    stages: list[Stage] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.p_w, self.q_var, self.walk, self.off = self.sun_w, 0.0, 0.0, False
        self.coming: deque[tuple[float, Setpoint]] = deque()
        self.goal = self.told
        self.past: deque[tuple[float, float]] = deque()
        self.shown = Sample(t_s=self.t_s)
        self.device_at, self.meter_at = self.t_s + self.random.random() * self.refresh_s, self.t_s
        self.meter_w: float | None = None

    def hear(self, stage: Stage) -> Heard:
        """The stage stands for its time."""
        self.stages.append(stage)
        if self.refuses and stage.setpoint != Setpoint():
            return Heard(at_s=self.t_s, samples=(), refused=self.refuses)
        at_s, self.told = self.t_s, stage.setpoint
        if stage.setpoint != Setpoint():
            self.coming.append((self.t_s + self.dead_s, stage.setpoint))
        samples, ends_s, poll_s = [], self.t_s + stage.seconds, self.t_s + POLL_S * self.random.random()
        while self.t_s < ends_s:
            self._on()
            if self.t_s >= poll_s:
                samples.append(replace(self.shown, t_s=self.t_s, meter_w=self.meter_w))
                poll_s += POLL_S
        return Heard(at_s=at_s, samples=tuple(samples), sent=stage.setpoint, accepted=stage.setpoint)

    def _on(self) -> None:
        self.t_s += DT_S
        while self.coming and self.coming[0][0] <= self.t_s:
            self.goal = self.coming.popleft()[1]
        most_w = self.sun_w if self.goal.p_ceiling_w is None else min(self.goal.p_ceiling_w, self.sun_w)
        self.off = self.off or (self.goal.p_ceiling_w is not None and self.goal.p_ceiling_w < self.trap_w)
        goal_w = 0.0 if self.off else self.sun_w + self.p_part * (most_w - self.sun_w)
        self.p_w = self._towards(self.p_w, goal_w)
        self.q_var = self._towards(self.q_var, self.q_part * (self.goal.q_var or 0.0))
        self.walk += self.random.gauss(0.0, self.v_walk * math.sqrt(DT_S))
        self.past.append((self.t_s, self.p_w))
        while self.past[0][0] < self.t_s - self.late_s - DT_S / 2.0:
            self.past.popleft()
        if self.t_s >= self.device_at:
            self.device_at += self.refresh_s
            self.shown = self._reading()
        if self.t_s >= self.meter_at:
            self.meter_at += self.meter_s
            load_w = self.load_w + self.random.gauss(0.0, self.load_noise_w)
            self.meter_w = round(self.slope * self.past[0][1] - load_w)

    def _towards(self, now: float, goal: float) -> float:
        if self.ramp_per_s is not None:
            return now + max(min(goal - now, self.ramp_per_s * DT_S), -self.ramp_per_s * DT_S)
        return now + (goal - now) * -math.expm1(-DT_S * math.log(10.0) / self.t90_s)

    def _reading(self) -> Sample:
        v = 1.0 + self.r_pu * self.p_w / RATING.s_max_va + self.x_pu * self.q_real * self.q_var / RATING.s_max_va
        return Sample(
            t_s=self.t_s,
            p_w=self.p_w + self.random.gauss(0.0, 8.0),
            q_var=self.q_var + self.random.gauss(0.0, 8.0),
            v_pu=v + self.walk + self.random.gauss(0.0, self.v_noise),
            ders_w=self.p_w,
            status=Status.ASLEEP if self.off else Status.ON,
        )


def played(play: Play[T], hear: Callable[[Stage], Heard]) -> T:
    """To its end."""
    try:
        stage = next(play)
        while True:
            stage = play.send(hear(stage))
    except StopIteration as stop:
        result: T = stop.value
        return result
