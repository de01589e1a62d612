"""Model 704: active power limit, active power setpoint and reactive power setpoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from derctl.core.capability import clamp
from derctl.core.exchange import Exchange
from derctl.core.types import Fallback
from derctl.devices.sunspec.controls.group import Group
from derctl.devices.types import Answers
from derctl.sunspec import encode_point

POINTS_704 = (
    *("WMaxLimPctEna", "WMaxLimPct", "WMaxLimPctRvrt", "WMaxLimPctEnaRvrt", "WMaxLimPctRvrtTms", "WMaxLimPct_SF"),
    *("WSetEna", "WSetMod", "WSet", "WSetRvrt", "WSetPct", "WSetPctRvrt", "WSetEnaRvrt", "WSetRvrtTms"),
    *("WSet_SF", "WSetPct_SF"),
    *("VarSetEna", "VarSetMod", "VarSet", "VarSetPct", "VarSetRvrtTms", "VarSet_SF", "VarSetPct_SF"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit704(Group):
    """Active power limit by model 704, with timer and target."""

    NEEDED: ClassVar = frozenset({"WMaxLimPct", "WMaxLimPctEna"})

    def accepted_w(self, values: dict[str, Any], unlimited_w: float) -> float | None:
        if values["WMaxLimPctEna"] is None or values["WMaxLimPct"] is None:
            return None
        return unlimited_w if values["WMaxLimPctEna"] == 0 else values["WMaxLimPct"] * self.base / 100.0

    def absent_w(self, fallback: Fallback, p_max_w: float, *, timer: bool) -> float:
        if fallback.p_ceiling_w is None or (fallback.by == "reversion" and not timer):
            return p_max_w
        return fallback.p_ceiling_w

    def write(self, ceiling_w: float, fallback: Fallback, answers: Answers) -> Exchange[None]:
        values = self.view.values(answers)
        sf = values["WMaxLimPct_SF"]
        percent = self._percent("WMaxLimPct", clamp(ceiling_w, 0.0, self.base), sf, down=True)
        target = self.base if fallback.p_ceiling_w is None else min(fallback.p_ceiling_w, self.base)
        revert = self._percent("WMaxLimPct", max(target, 0.0), sf, down=True)
        timer = fallback.after_s if fallback.by != "stands" else 0.0
        enabled = 0 if fallback.p_ceiling_w is None else 1
        yield from self._write(answers, self._points(percent, revert, enabled, timer) | {"WMaxLimPctEna": (1,)})

    def release(self, ceiling_w: float | None, answers: Answers) -> Exchange[None]:
        values = self.view.values(answers)
        wanted = self.base if ceiling_w is None else clamp(ceiling_w, 0.0, self.base)
        percent = self._percent("WMaxLimPct", wanted, values["WMaxLimPct_SF"], down=True)
        enabled = 0 if ceiling_w is None else 1
        yield from self._write(answers, self._points(percent, percent, enabled, 0.0) | {"WMaxLimPctEna": (enabled,)})

    def _points(
        self, percent: tuple[int, ...], revert: tuple[int, ...], enabled: int, timer_s: float
    ) -> dict[str, tuple[int, ...]]:
        return {
            "WMaxLimPct": percent,
            "WMaxLimPctRvrt": revert,
            "WMaxLimPctEnaRvrt": (enabled,),
            "WMaxLimPctRvrtTms": self._u32(timer_s),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Target704(Group):
    """Active power setpoint by model 704, in watts where the device has that point, else in percent."""

    NEEDED: ClassVar = frozenset({"WSetEna"})

    def accepted_w(self, values: dict[str, Any]) -> float | None:
        if not values["WSetEna"]:
            return None
        if values["WSetMod"] == 1:
            target: float | None = values["WSet"]
            return target
        if values["WSetMod"] != 0 or values["WSetPct"] is None:
            return None
        return float(values["WSetPct"] * self.base / 100.0)

    def write(self, target_w: float, fallback: Fallback, answers: Answers, *, timer: bool = True) -> Exchange[None]:
        """The reversion target is rest (0 W) where a fallback ceiling is declared, else the device's own mode.

        The points of the other unit go back as they were read: FranklinWH refuses a percentage that it doesn't use.
        """
        values = self.view.values(answers)
        points = {
            name: self._raw(answers, name) for name in ("WSetMod", "WSet", "WSetRvrt", "WSetPct", "WSetPctRvrt")
        }
        if values["WSet"] is not None:
            points["WSet"] = self._scaled("WSet", target_w, values["WSet_SF"], down=True)
            points |= {"WSetMod": (1,), "WSetRvrt": (0, 0)}
        else:
            target = clamp(target_w, -self.base, self.base)
            points["WSetPct"] = self._percent("WSetPct", target, values["WSetPct_SF"], down=True)
            points |= {"WSetMod": (0,), "WSetPctRvrt": (0,)}
        points["WSetEnaRvrt"] = (0 if fallback.p_ceiling_w is None else 1,)
        points["WSetRvrtTms"] = self._u32(fallback.after_s if timer and fallback.by != "stands" else 0.0)
        yield from self._write(answers, points | {"WSetEna": (1,)})

    def release(self, fallback: Fallback, answers: Answers) -> Exchange[None]:
        if fallback.p_ceiling_w is None:
            yield from self._write(answers, {"WSetEna": (0,)})
        else:
            yield from self.write(0.0, fallback, answers, timer=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Var704(Group):
    """Fixed reactive power by model 704, in var where the device has that point, else in percent of VarMax."""

    NEEDED: ClassVar = frozenset({"VarSetEna"})

    def accepted_var(self, values: dict[str, Any]) -> float | None:
        if not values["VarSetEna"]:
            return None
        if values["VarSetMod"] == 4:
            q_var: float | None = values["VarSet"]
            return q_var
        if values["VarSetMod"] != 1 or values["VarSetPct"] is None:
            return None
        return float(values["VarSetPct"] * self.base / 100.0)

    def write(self, q_var: float, fallback: Fallback, answers: Answers) -> Exchange[None]:
        values = self.view.values(answers)
        names = ("VarSetMod", "VarSetPri", "VarSet", "VarSetRvrt", "VarSetPct", "VarSetPctRvrt")
        points = {name: self._raw(answers, name) for name in names}
        if values["VarSet"] is not None:
            points["VarSet"] = encode_point(self.view.model, "VarSet", q_var, sf=values["VarSet_SF"])
            points |= {"VarSetMod": (4,), "VarSetRvrt": (0, 0)}
        else:
            wanted = clamp(q_var, -self.base, self.base)
            points["VarSetPct"] = self._percent("VarSetPct", wanted, values["VarSetPct_SF"])
            points |= {"VarSetMod": (1,), "VarSetPctRvrt": (0,)}
        points |= {"VarSetPri": (1,), "VarSetEnaRvrt": (0,), "VarSetRvrtTms": self._u32(fallback.after_s)}
        yield from self._write(answers, points | {"VarSetEna": (1,)})

    def release(self, answers: Answers) -> Exchange[None]:
        yield from self._write(answers, {"VarSetEna": (0,)})
