"""Model 704: active power limit, active power setpoint and reactive power setpoint."""

from __future__ import annotations

from typing import Any, ClassVar

from derctl.core.capability import clamp
from derctl.core.dataclass import dataclass
from derctl.core.exchange import Exchange
from derctl.core.types import Fallback, Port, Rating
from derctl.core.words import FallbackBy, Timer
from derctl.devices.profile import Profile
from derctl.devices.steps import percent_of
from derctl.devices.sunspec.controls.group import NO_TIMER, Group, targeted, torn
from derctl.devices.sunspec.controls.groups import Groups
from derctl.devices.sunspec.controls.setpoint704 import POINTS_SET, Target704, Var704
from derctl.devices.sunspec.layout import Layout, View
from derctl.devices.sunspec.nameplate import base_704
from derctl.devices.types import Answers

POINTS_704 = (
    *("WMaxLimPctEna", "WMaxLimPct", "WMaxLimPctRvrt", "WMaxLimPctEnaRvrt", "WMaxLimPctRvrtTms", "WMaxLimPct_SF"),
    *POINTS_SET,
)


def build_704(layout: Layout, rating: Rating, profile: Profile, want: Port) -> Exchange[Groups]:
    """Limit and target where they are wanted, and var."""
    block, nothing = layout.find(704), Groups()
    if block is None:
        return nothing
    view = layout.view("ctl", block, POINTS_704, told=True)
    values = yield from layout.asked(block, POINTS_704)
    if 704 in layout.unread:
        return nothing
    base = (yield from base_704(layout)) or rating.p_max_w
    limit = Limit704.build(view, values, base, profile) if want.limit else None
    target = Target704.build(view, values, base, profile) if want.aim else None
    powers = [power for power in (limit, target) if power is not None]
    return Groups(
        views={view.name: view},
        limit=limit,
        target=target,
        var=Var704.build(view, values, rating, profile) if want.var else None,
        problems=(
            *((NO_TIMER,) if any(power.timer is Timer.NONE for power in powers) else ()),
            *torn(view, values, profile),
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit704(Group):
    """Active power limit by model 704, with timer and target."""

    NEEDED: ClassVar = frozenset({"WMaxLimPct", "WMaxLimPctEna"})
    SHARES: ClassVar = ("WMaxLimPct", "WMaxLimPctRvrt")
    REVERTS: ClassVar = ("WMaxLimPctRvrtTms", "WMaxLimPctEnaRvrt", "WMaxLimPctRvrt")

    @classmethod
    def build(cls, view: View, values: dict[str, Any], base: float, profile: Profile) -> Limit704:
        """base: WMax, W."""
        steps, timer = percent_of(base, values["WMaxLimPct_SF"]), targeted(view, values, cls.REVERTS, profile)
        return cls(view=view, base=base, profile=profile, steps=steps, timer=timer)

    def accepted_w(self, values: dict[str, Any], unlimited_w: float) -> float | None:
        return self._limit_w(values["WMaxLimPctEna"], values["WMaxLimPct"], unlimited_w)

    def promises(self, values: dict[str, Any], fallback: Fallback) -> bool:
        if fallback.by == FallbackBy.STANDS:
            percent, enabled = values["WMaxLimPct"], values["WMaxLimPctEna"]
        else:
            percent, enabled = values["WMaxLimPctRvrt"], values["WMaxLimPctEnaRvrt"]
        held_w = None if percent is None else percent * self.base / 100.0
        both = bool(enabled and values["WMaxLimPctEna"])
        return both and self._kept(values["WMaxLimPctRvrtTms"], held_w, fallback)

    def write(self, ceiling_w: float, fallback: Fallback, answers: Answers) -> Exchange[None]:
        revert = self.base if fallback.p_ceiling_w is None else fallback.p_ceiling_w
        timer_s = 0.0 if fallback.by == FallbackBy.STANDS else fallback.after_s
        points = self._points(ceiling_w, revert, 0 if fallback.p_ceiling_w is None else 1, timer_s, answers)
        yield from self._write(answers, points | {"WMaxLimPctEna": (1,)})

    def release(self, ceiling_w: float | None, answers: Answers) -> Exchange[None]:
        wanted = self.base if ceiling_w is None else ceiling_w
        enabled = 0 if ceiling_w is None else 1
        points = self._points(wanted, wanted, enabled, 0.0, answers)
        yield from self._write(answers, points | {"WMaxLimPctEna": (enabled,)})

    def _points(
        self, ceiling_w: float, revert_w: float, revert_enabled: int, timer_s: float, answers: Answers
    ) -> dict[str, tuple[int, ...]]:
        sf = self.view.values(answers)["WMaxLimPct_SF"]
        return {
            "WMaxLimPct": self._percent("WMaxLimPct", clamp(ceiling_w, 0.0, self.base), sf, down=True),
            "WMaxLimPctRvrt": self._percent("WMaxLimPct", clamp(revert_w, 0.0, self.base), sf, down=True),
            "WMaxLimPctEnaRvrt": (revert_enabled,),
            "WMaxLimPctRvrtTms": self._u32(timer_s),
        }
