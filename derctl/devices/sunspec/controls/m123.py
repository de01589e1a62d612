"""Model 123: active power limit and fixed reactive power."""

from __future__ import annotations

from typing import Any, ClassVar

from derctl.core.capability import clamp
from derctl.core.dataclass import dataclass
from derctl.core.exchange import Exchange
from derctl.core.types import Fallback, Port, Rating
from derctl.core.words import FallbackBy, Timer
from derctl.devices.profile import Profile
from derctl.devices.steps import percent_of
from derctl.devices.sunspec.controls.group import Group, timed
from derctl.devices.sunspec.controls.groups import Groups
from derctl.devices.sunspec.layout import Layout, View
from derctl.devices.types import Answers

POINTS_123 = (
    *("WMaxLimPct", "WMaxLimPct_RvrtTms", "WMaxLim_Ena", "WMaxLimPct_SF"),
    *("VArWMaxPct", "VArMaxPct", "VArAvalPct", "VArPct_RvrtTms", "VArPct_Mod", "VArPct_Ena", "VArPct_SF"),
)
VAR_123 = (("VArMaxPct", 2), ("VArWMaxPct", 1), ("VArAvalPct", 3))


def build_123(layout: Layout, rating: Rating, profile: Profile, want: Port) -> Exchange[Groups]:
    """The limit where one is wanted, and var."""
    block, nothing = layout.find(123), Groups()
    if block is None:
        return nothing
    view = layout.view("ctl", block, POINTS_123, told=True)
    values = yield from layout.asked(block, POINTS_123)
    if 123 in layout.unread:
        return nothing
    return Groups(
        views={view.name: view},
        limit=Limit123.build(view, values, rating, profile) if want.limit else None,
        var=Var123.build(view, values, rating, profile) if want.var else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit123(Group):
    """Active power limit by model 123. Its timer has no target: it reverts to no limit."""

    NEEDED: ClassVar = frozenset({"WMaxLimPct", "WMaxLim_Ena"})
    SHARES: ClassVar = ("WMaxLimPct",)

    @classmethod
    def build(cls, view: View, values: dict[str, Any], rating: Rating, profile: Profile) -> Limit123:
        """Percentages count from the rating."""
        steps = percent_of(rating.p_max_w, values["WMaxLimPct_SF"])
        timer = Timer.NO_TARGET if timed(profile) else Timer.NONE
        return cls(view=view, base=rating.p_max_w, profile=profile, steps=steps, timer=timer)

    def accepted_w(self, values: dict[str, Any], unlimited_w: float) -> float | None:
        return self._limit_w(values["WMaxLim_Ena"], values["WMaxLimPct"], unlimited_w)

    def promises(self, values: dict[str, Any], fallback: Fallback) -> bool:
        percent, enabled = values["WMaxLimPct"], values["WMaxLim_Ena"]
        held_w = percent * self.base / 100.0 if enabled and percent is not None else None
        return self._kept(values["WMaxLimPct_RvrtTms"], held_w, fallback)

    def write(self, ceiling_w: float, fallback: Fallback, answers: Answers) -> Exchange[None]:
        timer_s = 0.0 if fallback.by == FallbackBy.STANDS else fallback.after_s
        yield from self._write(answers, self._points(ceiling_w, timer_s, 1, answers))

    def release(self, ceiling_w: float | None, answers: Answers) -> Exchange[None]:
        """100 % too where the limit is taken off: some keep it over a restart."""
        wanted = self.base if ceiling_w is None else ceiling_w
        yield from self._write(answers, self._points(wanted, 0.0, 0 if ceiling_w is None else 1, answers))

    def _points(self, ceiling_w: float, timer_s: float, enabled: int, answers: Answers) -> dict[str, tuple[int, ...]]:
        sf = self.view.values(answers)["WMaxLimPct_SF"]
        return {
            "WMaxLimPct": self._percent("WMaxLimPct", clamp(ceiling_w, 0.0, self.base), sf, down=True),
            "WMaxLimPct_WinTms": (0,),
            "WMaxLimPct_RvrtTms": (round(timer_s),),
            "WMaxLimPct_RmpTms": (0,),
            "WMaxLim_Ena": (enabled,),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Var123(Group):
    """Fixed reactive power by model 123. base: VArMax, or WMax for devices that take percent of that."""

    NEEDED: ClassVar = frozenset({"VArPct_Ena", "VArWMaxPct", "VArMaxPct", "VArAvalPct"})
    SHARES: ClassVar = ("VArWMaxPct", "VArMaxPct", "VArAvalPct")

    point: str
    mode: int

    @classmethod
    def build(cls, view: View, values: dict[str, Any], rating: Rating, profile: Profile) -> Var123 | None:
        """The first way to set var that the device implements: percent of VArMax, of WMax, of what is available."""
        var_max = max(rating.q_inj_max_var, rating.q_abs_max_var)
        for point, mode in VAR_123:
            base = rating.p_max_w if mode == 1 else var_max
            if values[point] is not None and base > 0.0 and var_max > 0.0:
                steps = percent_of(base, values["VArPct_SF"])
                return cls(view=view, base=base, profile=profile, steps=steps, point=point, mode=mode)
        return None

    def accepted_var(self, values: dict[str, Any]) -> float | None:
        if not values["VArPct_Ena"] or values[self.point] is None or values["VArPct_Mod"] not in {None, self.mode}:
            return None
        return float(values[self.point] * self.base / 100.0)

    def write(self, q_var: float, fallback: Fallback, answers: Answers) -> Exchange[None]:
        values = self.view.values(answers)
        percent = self._percent(self.point, clamp(q_var, -self.base, self.base), values["VArPct_SF"])
        mode = {} if values["VArPct_Mod"] == self.mode else {"VArPct_Mod": (self.mode,)}
        timers = {"VArPct_WinTms": (0,), "VArPct_RvrtTms": (round(fallback.after_s),), "VArPct_RmpTms": (0,)}
        yield from self._write(answers, mode | {self.point: percent} | timers | {"VArPct_Ena": (1,)})

    def release(self, answers: Answers) -> Exchange[None]:
        yield from self._write(answers, {"VArPct_Ena": (0,)})
