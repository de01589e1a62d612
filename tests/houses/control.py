"""A house under the real core: one tick a second, the meter and the inverters as the image would show them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from derctl.core.engine import step
from derctl.core.plan import Plan
from derctl.core.types import DerState, PocState, Reading, Setpoint, SiteState
from derctl.core.value import replace
from derctl.core.words import Status
from derctl.functions.tracking import tracked
from hil.following import STEP_S
from hil.houses import House
from tests import make

TICK_S = 1.0


@dataclass(slots=True)
class Controlled:
    """The house and the memories of the functions that speak for it. observes_s: until then nothing is written.
    silent: whether what is read of the meter counts no more."""

    house: House
    plan: Plan
    name: str = "house"
    observes_s: float = 0.0
    silent: Callable[[], bool] = lambda: False
    memories: dict[str, Any] = field(default_factory=dict)
    n: int = 0
    ders: list[DerState] = field(default_factory=list)
    over_wh: float = 0.0
    samples: int = 0
    shown_w: float | None = None

    def __post_init__(self) -> None:
        self.ders = [make.pv("pv1", p_max_w=self.house.pv.p_max_w)]
        if self.house.battery is not None:
            self.ders.append(make.battery("bat1", soc_pct=50.0))

    def run(self, seconds: float, limit_w: float = 0.0, each: Callable[["Controlled"], None] | None = None) -> None:
        """Tick after tick; over_wh grows with what truly goes out above limit_w."""
        for _ in range(round(seconds / TICK_S)):
            for _ in range(round(TICK_S / STEP_S)):
                self.house.step()
                self.over_wh += max(self.house.p_w - limit_w, 0.0) * STEP_S / 3600.0
            self.tick()
            if each is not None:
                each(self)

    def tick(self) -> None:
        """What is seen, what is decided, what is told."""
        self.n += 1
        house = self.house
        units = [house.pv] if house.battery is None else [house.pv, house.battery]
        status = Status.ASLEEP if house.dark else Status.ON
        self.ders = [
            replace(der, sample=self.n, reading=replace(der.reading, p_w=float(round(unit.p_w)), status=status))
            for der, unit in zip(self.ders, units, strict=True)
        ]
        if house.shown_w != self.shown_w:
            self.samples, self.shown_w = self.samples + 1, house.shown_w
        poc = PocState(
            reading=Reading(p_w=house.shown_w),
            age_s=0.0,
            sample=self.samples,
            answer=self.n,
            fresh=house.heard and not self.silent(),
            v_nom_v=230.0,
        )
        state = SiteState(t_s=house.t_s, tick_s=TICK_S, f_nom_hz=50.0, ders=tuple(self.ders), poc=poc, id=self.name)
        self.memories, decisions = step(self.plan, self.memories, state, TICK_S)
        if house.t_s < self.observes_s:
            self.memories = tracked(self.memories)
            return
        for i, (unit, decision) in enumerate(zip(units, decisions, strict=True)):
            told = decision.setpoint
            unit.tell(told.p_ceiling_w if unit is house.pv else told.p_target_w, house.t_s)
            accepted = Setpoint(p_ceiling_w=told.p_ceiling_w, p_target_w=told.p_target_w)
            self.ders[i] = replace(
                self.ders[i], written=accepted, reading=replace(self.ders[i].reading, accepted=accepted)
            )
