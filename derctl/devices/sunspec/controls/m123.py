"""Model 123: active power limit and fixed reactive power."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from derctl.core.capability import clamp
from derctl.core.exchange import Exchange
from derctl.core.types import Fallback
from derctl.devices.sunspec.controls.group import Group
from derctl.devices.types import Answers

POINTS_123 = (
    *("WMaxLimPct", "WMaxLimPct_RvrtTms", "WMaxLim_Ena", "WMaxLimPct_SF"),
    *("VArWMaxPct", "VArMaxPct", "VArAvalPct", "VArPct_RvrtTms", "VArPct_Mod", "VArPct_Ena", "VArPct_SF"),
)
VAR_123 = (("VArMaxPct", 2), ("VArWMaxPct", 1), ("VArAvalPct", 3))


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit123(Group):
    """Active power limit by model 123. Its timer has no target: it reverts to no limit."""

    NEEDED: ClassVar = frozenset({"WMaxLimPct", "WMaxLim_Ena"})

    def accepted_w(self, values: dict[str, Any], unlimited_w: float) -> float | None:
        if values["WMaxLim_Ena"] is None or values["WMaxLimPct"] is None:
            return None
        return unlimited_w if values["WMaxLim_Ena"] == 0 else values["WMaxLimPct"] * self.base / 100.0

    def absent_w(self, fallback: Fallback, p_max_w: float) -> float:
        if fallback.p_ceiling_w is None or fallback.by == "reversion":
            return p_max_w
        return fallback.p_ceiling_w

    def write(self, ceiling_w: float, fallback: Fallback, answers: Answers) -> Exchange[None]:
        values = self.view.values(answers)
        percent = self._percent("WMaxLimPct", clamp(ceiling_w, 0.0, self.base), values["WMaxLimPct_SF"], down=True)
        timer = round(fallback.after_s) if fallback.by != "stands" else 0
        yield from self._write(answers, _limit_123(percent, timer, 1))

    def release(self, ceiling_w: float | None, answers: Answers) -> Exchange[None]:
        """A ceiling stands without a timer; None takes the limit off (100 % too: some keep it over a restart)."""
        values = self.view.values(answers)
        wanted = self.base if ceiling_w is None else clamp(ceiling_w, 0.0, self.base)
        percent = self._percent("WMaxLimPct", wanted, values["WMaxLimPct_SF"], down=True)
        yield from self._write(answers, _limit_123(percent, 0, 0 if ceiling_w is None else 1))


def _limit_123(percent: tuple[int, ...], timer: int, enabled: int) -> dict[str, tuple[int, ...]]:
    return {
        "WMaxLimPct": percent,
        "WMaxLimPct_WinTms": (0,),
        "WMaxLimPct_RvrtTms": (timer,),
        "WMaxLimPct_RmpTms": (0,),
        "WMaxLim_Ena": (enabled,),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Var123(Group):
    """Fixed reactive power by model 123. base: VArMax, or WMax for devices that take percent of that."""

    NEEDED: ClassVar = frozenset({"VArPct_Ena", "VArWMaxPct", "VArMaxPct", "VArAvalPct"})

    point: str
    mode: int

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
