"""How a setpoint becomes registers: one class per SunSpec control group. Write orders of sunspec.md a.6, enable last.

Percentages are in the device's own base, read at bind. Scale factors come from the same poll as the values.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from derctl.core.capability import clamp
from derctl.core.exchange import Exchange, Write
from derctl.core.types import Fallback
from derctl.devices.layout import View
from derctl.devices.types import Answers
from derctl.errors import DecodeError
from derctl.sunspec import encode_point

POINTS_123 = (
    *("WMaxLimPct", "WMaxLimPct_RvrtTms", "WMaxLim_Ena", "WMaxLimPct_SF"),
    *("VArWMaxPct", "VArMaxPct", "VArAvalPct", "VArPct_RvrtTms", "VArPct_Mod", "VArPct_Ena", "VArPct_SF"),
)
POINTS_704 = (
    *("WMaxLimPctEna", "WMaxLimPct", "WMaxLimPctRvrt", "WMaxLimPctEnaRvrt", "WMaxLimPctRvrtTms", "WMaxLimPct_SF"),
    *("WSetEna", "WSetMod", "WSet", "WSetRvrt", "WSetPct", "WSetEnaRvrt", "WSetRvrtTms", "WSet_SF", "WSetPct_SF"),
    *("VarSetEna", "VarSetMod", "VarSet", "VarSetPct", "VarSetRvrtTms", "VarSet_SF", "VarSetPct_SF"),
)
POINTS_124 = ("WChaMax", "StorCtl_Mod", "OutWRte", "InWRte", "InOutWRte_RvrtTms", "InOutWRte_SF", "WChaMax_SF")


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A control group at its place. base: what 100 % is, W or var. function: 16, or 6 for single writes."""

    view: View
    base: float
    function: int = 16

    def _write(self, point: str, *registers: int) -> Exchange[None]:
        address = self.view.offset(point)
        if self.function == 6:
            for index, register in enumerate(registers):
                yield Write(address=address + index, values=(register,), function=6)
        else:
            yield Write(address=address, values=registers)

    def _percent(self, point: str, value: float, sf: int | None, *, down: bool = False) -> tuple[int, ...]:
        """`value` (W or var) as this point's percent of base; down: never above the value."""
        if sf is None:
            raise DecodeError(f"model {self.view.model.id}: {point} has no scale factor now")
        percent = 100.0 * value / self.base
        if down:
            percent = math.floor(percent * 10.0**-sf + 1e-6) * 10.0**sf
        return encode_point(self.view.model, point, percent, sf=sf)

    def _u32(self, seconds: float) -> tuple[int, int]:
        whole = round(seconds)
        return whole >> 16, whole & 0xFFFF

    def _raw(self, answers: Answers, point: str, count: int = 1) -> tuple[int, ...]:
        start = self.view.model.fixed[point].offset
        return tuple(answers[self.view.name][start : start + count])


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit123(Group):
    """Active power limit by model 123. Its timer has no target: it reverts to no limit."""

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
        yield from self._write("WMaxLimPct", *percent, 0, timer, 0, 1)

    def release(self, ceiling_w: float | None, answers: Answers) -> Exchange[None]:
        """A ceiling stands without a timer; None takes the limit off (100 % too: some keep it over a restart)."""
        values = self.view.values(answers)
        wanted = self.base if ceiling_w is None else clamp(ceiling_w, 0.0, self.base)
        percent = self._percent("WMaxLimPct", wanted, values["WMaxLimPct_SF"], down=True)
        yield from self._write("WMaxLimPct", *percent, 0, 0, 0, 0 if ceiling_w is None else 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit704(Group):
    """Active power limit by model 704, with timer and target."""

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
        yield from self._write("WMaxLimPct", *percent, *revert, enabled, *self._u32(timer))
        yield from self._write("WMaxLimPctEna", 1)

    def release(self, ceiling_w: float | None, answers: Answers) -> Exchange[None]:
        values = self.view.values(answers)
        wanted = self.base if ceiling_w is None else clamp(ceiling_w, 0.0, self.base)
        percent = self._percent("WMaxLimPct", wanted, values["WMaxLimPct_SF"], down=True)
        enabled = 0 if ceiling_w is None else 1
        yield from self._write("WMaxLimPct", *percent, *percent, enabled, 0, 0)
        yield from self._write("WMaxLimPctEna", enabled)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target704(Group):
    """Active power setpoint by model 704, in watts where the device has that point, else in percent."""

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
        in_watts = values["WSet"] is not None
        rest: tuple[int, ...]
        if in_watts:
            watts, rest = self._watts(target_w, values), (0, 0)
            percent, rest_pct = self._raw(answers, "WSetPct"), self._raw(answers, "WSetPctRvrt")
        else:
            watts, rest = self._raw(answers, "WSet", 2), self._raw(answers, "WSetRvrt", 2)
            percent = self._percent("WSetPct", clamp(target_w, -self.base, self.base), values["WSetPct_SF"])
            rest_pct = (0,)
        rvrt_s = fallback.after_s if timer and fallback.by != "stands" else 0.0
        held = 0 if fallback.p_ceiling_w is None else 1
        mode = 1 if in_watts else 0
        yield from self._write("WSetMod", mode, *watts, *rest, *percent, *rest_pct, held, *self._u32(rvrt_s))
        yield from self._write("WSetEna", 1)

    def _watts(self, target_w: float, values: dict[str, Any]) -> tuple[int, ...]:
        return encode_point(self.view.model, "WSet", target_w, sf=values["WSet_SF"])

    def release(self, fallback: Fallback, answers: Answers) -> Exchange[None]:
        if fallback.p_ceiling_w is None:
            yield from self._write("WSetEna", 0)
        else:
            yield from self.write(0.0, fallback, answers, timer=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target124(Group):
    """Storage power by model 124: both rates at the same value, so that they leave one power only."""

    def accepted_w(self, values: dict[str, Any]) -> float | None:
        if values["StorCtl_Mod"] != 3 or values["OutWRte"] is None:
            return None
        return float(values["OutWRte"] * self.base / 100.0)

    def write(self, target_w: float, fallback: Fallback, answers: Answers, *, timer: bool = True) -> Exchange[None]:
        sf = self.view.values(answers)["InOutWRte_SF"]
        target = clamp(target_w, -self.base, self.base)
        rates = (*self._percent("OutWRte", target, sf), *self._percent("InWRte", -target, sf))
        seconds = round(fallback.after_s) if timer and fallback.by != "stands" else 0
        yield from self._write("OutWRte", *rates, 0, seconds, 0)
        yield from self._write("StorCtl_Mod", 3)

    def release(self, fallback: Fallback, answers: Answers) -> Exchange[None]:
        if fallback.p_ceiling_w is None:
            yield from self._write("StorCtl_Mod", 0)
        else:
            yield from self.write(0.0, fallback, answers, timer=False)


VAR_123 = (("VArMaxPct", 2), ("VArWMaxPct", 1), ("VArAvalPct", 3))


@dataclass(frozen=True, slots=True, kw_only=True)
class Var123(Group):
    """Fixed reactive power by model 123. base is VArMax; base_w is WMax, for devices that take percent of that."""

    point: str
    mode: int

    def accepted_var(self, values: dict[str, Any]) -> float | None:
        if not values["VArPct_Ena"] or values[self.point] is None or values["VArPct_Mod"] not in {None, self.mode}:
            return None
        return float(values[self.point] * self.base / 100.0)

    def write(self, q_var: float, fallback: Fallback, answers: Answers) -> Exchange[None]:
        values = self.view.values(answers)
        percent = self._percent(self.point, clamp(q_var, -self.base, self.base), values["VArPct_SF"])
        if values["VArPct_Mod"] != self.mode:
            yield from self._write("VArPct_Mod", self.mode)
        yield from self._write(self.point, *percent)
        yield from self._write("VArPct_WinTms", 0, round(fallback.after_s), 0)
        yield from self._write("VArPct_Ena", 1)

    def release(self, answers: Answers) -> Exchange[None]:
        yield from self._write("VArPct_Ena", 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Var704(Group):
    """Fixed reactive power by model 704, in var where the device has that point, else in percent of VarMax."""

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
        in_var = values["VarSet"] is not None
        rest: tuple[int, ...]
        if in_var:
            var, rest = encode_point(self.view.model, "VarSet", q_var, sf=values["VarSet_SF"]), (0, 0)
            percent, rest_pct = self._raw(answers, "VarSetPct"), self._raw(answers, "VarSetPctRvrt")
        else:
            var, rest = self._raw(answers, "VarSet", 2), self._raw(answers, "VarSetRvrt", 2)
            percent = self._percent("VarSetPct", clamp(q_var, -self.base, self.base), values["VarSetPct_SF"])
            rest_pct = (0,)
        yield from self._write(
            *("VarSetMod", 4 if in_var else 1, 1),
            *(*var, *rest, *percent, *rest_pct, 0, *self._u32(fallback.after_s)),
        )
        yield from self._write("VarSetEna", 1)

    def release(self, answers: Answers) -> Exchange[None]:
        yield from self._write("VarSetEna", 0)
