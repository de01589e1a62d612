"""How a setpoint becomes registers: one class per SunSpec control group. Parameters first, the enable point last.

Percentages are in the device's own base, read at bind. Scale factors come from the same poll as the values.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from derctl.core.capability import clamp
from derctl.core.exchange import Exchange, Write
from derctl.core.types import Fallback
from derctl.devices.layout import View
from derctl.devices.profile import Profile
from derctl.devices.steps import Steps
from derctl.devices.types import Answers
from derctl.errors import DecodeError, DeviceRefused
from derctl.sunspec import absent, encode_point

POINTS_123 = (
    *("WMaxLimPct", "WMaxLimPct_RvrtTms", "WMaxLim_Ena", "WMaxLimPct_SF"),
    *("VArWMaxPct", "VArMaxPct", "VArAvalPct", "VArPct_RvrtTms", "VArPct_Mod", "VArPct_Ena", "VArPct_SF"),
)
POINTS_704 = (
    *("WMaxLimPctEna", "WMaxLimPct", "WMaxLimPctRvrt", "WMaxLimPctEnaRvrt", "WMaxLimPctRvrtTms", "WMaxLimPct_SF"),
    *("WSetEna", "WSetMod", "WSet", "WSetRvrt", "WSetPct", "WSetPctRvrt", "WSetEnaRvrt", "WSetRvrtTms"),
    *("WSet_SF", "WSetPct_SF"),
    *("VarSetEna", "VarSetMod", "VarSet", "VarSetPct", "VarSetRvrtTms", "VarSet_SF", "VarSetPct_SF"),
)
POINTS_124 = ("WChaMax", "StorCtl_Mod", "OutWRte", "InWRte", "InOutWRte_RvrtTms", "InOutWRte_SF", "WChaMax_SF")


UNTAKEN = frozenset({2, 3, 4})
"""Exception codes that a device may answer where it takes the points of a block singly only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A control group at its place. base: what 100 % is, W or var. profile: how this device takes writes.
    steps: what its setpoint can be.

    NEEDED are the points without which a write means nothing; others are left out where the device reads as not
    having them (unless its profile says that its control points never read as anything).
    """

    NEEDED: ClassVar[frozenset[str]] = frozenset()

    view: View
    base: float
    profile: Profile
    steps: Steps

    def _write(self, answers: Answers, values: Mapping[str, tuple[int, ...]]) -> Exchange[None]:
        """Write these points in this order, neighbours in one request as far as the device takes that."""
        kept = {point: words for point, words in values.items() if self._has(point, answers)}
        for run in self._runs(tuple(kept)):
            try:
                yield from self._send({point: kept[point] for point in run})
            except DeviceRefused as refused:
                if len(run) == 1 or refused.code not in UNTAKEN:
                    raise
                for point in run:
                    yield from self._send({point: kept[point]})

    def _send(self, values: Mapping[str, tuple[int, ...]]) -> Exchange[None]:
        address = self.view.offset(next(iter(values)))
        words = tuple(word for each in values.values() for word in each)
        if self.profile.writes != "registers":
            yield Write(address=address, values=words)
            return
        for index, word in enumerate(words):
            yield Write(address=address + index, values=(word,), function=6)

    def _runs(self, points: tuple[str, ...]) -> list[list[str]]:
        """Points that lie behind one another, together; each alone where the profile says so."""
        runs: list[list[str]] = []
        for point in points:
            after = runs and self.view.model.fixed[runs[-1][-1]].end == self.view.model.fixed[point].offset
            if after and self.profile.writes == "block":
                runs[-1].append(point)
            else:
                runs.append([point])
        return runs

    def _has(self, point: str, answers: Answers) -> bool:
        if point in self.NEEDED or self.profile.readback == "effect_only":
            return True
        words, place = self._raw(answers, point), self.view.model.fixed[point]
        return len(words) == place.size and words != absent(place)

    def _percent(self, point: str, value: float, sf: int | None, *, down: bool = False) -> tuple[int, ...]:
        """`value` (W or var) as this point's percent of base."""
        return self._scaled(point, 100.0 * value / self.base, sf, down=down)

    def _scaled(self, point: str, value: float, sf: int | None, *, down: bool = False) -> tuple[int, ...]:
        """`value` in this point's unit. down: between two steps the one nearer to 0, so never more than the value."""
        if sf is None:
            raise DecodeError(f"model {self.view.model.id}: {point} has no scale factor now")
        if down:
            steps = math.floor(abs(value) * 10.0**-sf + 1e-6)
            value = math.copysign(steps * 10.0**sf, value)
        return encode_point(self.view.model, point, value, sf=sf)

    def _u32(self, seconds: float) -> tuple[int, int]:
        whole = round(seconds)
        return whole >> 16, whole & 0xFFFF

    def _raw(self, answers: Answers, point: str) -> tuple[int, ...]:
        place = self.view.model.fixed[point]
        return tuple(answers[self.view.name][place.offset : place.end])


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
class Target124(Group):
    """Storage power by model 124: both rates at the same value, so that they leave one power only."""

    NEEDED: ClassVar = frozenset({"OutWRte", "InWRte", "StorCtl_Mod"})

    def accepted_w(self, values: dict[str, Any]) -> float | None:
        if values["StorCtl_Mod"] != 3 or values["OutWRte"] is None:
            return None
        return float(values["OutWRte"] * self.base / 100.0)

    def write(self, target_w: float, fallback: Fallback, answers: Answers, *, timer: bool = True) -> Exchange[None]:
        sf = self.view.values(answers)["InOutWRte_SF"]
        target = clamp(target_w, -self.base, self.base)
        points = {
            "OutWRte": self._percent("OutWRte", target, sf, down=True),
            "InWRte": self._percent("InWRte", -target, sf, down=True),
        }
        seconds = round(fallback.after_s) if timer and fallback.by != "stands" else 0
        points |= {"InOutWRte_WinTms": (0,), "InOutWRte_RvrtTms": (seconds,), "InOutWRte_RmpTms": (0,)}
        yield from self._write(answers, points | {"StorCtl_Mod": (3,)})

    def release(self, fallback: Fallback, answers: Answers) -> Exchange[None]:
        if fallback.p_ceiling_w is None:
            yield from self._write(answers, {"StorCtl_Mod": (0,)})
        else:
            yield from self.write(0.0, fallback, answers, timer=False)


VAR_123 = (("VArMaxPct", 2), ("VArWMaxPct", 1), ("VArAvalPct", 3))


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
