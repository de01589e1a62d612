"""The setpoints of model 704, for active and for reactive power: the same points, in the unit or in percent."""

from __future__ import annotations

from typing import Any, ClassVar

from derctl.core.capability import clamp
from derctl.core.dataclass import dataclass
from derctl.core.exchange import Exchange
from derctl.core.types import Fallback, Rating
from derctl.core.words import FallbackBy
from derctl.devices.profile import Profile
from derctl.devices.steps import Steps, percent_of, plain
from derctl.devices.sunspec.controls.bounds import Bounds, percents, within
from derctl.devices.sunspec.controls.group import Group, targeted, whole
from derctl.devices.sunspec.layout import View
from derctl.devices.types import Answers

POINTS_SET = (
    *("WSetEna", "WSetMod", "WSet", "WSetRvrt", "WSetPct", "WSetPctRvrt", "WSetEnaRvrt", "WSetRvrtTms"),
    *("WSet_SF", "WSetPct_SF"),
    *("VarSetEna", "VarSetMod", "VarSet", "VarSetPct", "VarSetRvrtTms", "VarSet_SF", "VarSetPct_SF"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setpoint704(Group):
    """One setpoint. POINT: what its points' names begin with. PLAIN, PERCENT: the modes of its two units.
    DOWN: between two steps the one nearer to 0 goes out. ALSO: words that go with every write."""

    POINT: ClassVar[str]
    PLAIN: ClassVar[int]
    PERCENT: ClassVar[int]
    DOWN: ClassVar[bool]
    ALSO: ClassVar[dict[str, tuple[int, ...]]] = {}

    def bounds(self, rating: Rating) -> Bounds:
        return self._bounds(self.base)

    def _bounds(self, most: float) -> Bounds:
        """most: in its unit, W or var."""
        name = self.POINT
        return {name: most, f"{name}Rvrt": most, **percents(f"{name}Pct", f"{name}PctRvrt")}

    @classmethod
    def _in_unit(cls, view: View, values: dict[str, Any], profile: Profile) -> bool:
        """Whether it is told in the unit: the device has that point, and takes it; else in percent of base."""
        return values[cls.POINT] is not None and whole(view, cls.POINT, profile)

    @classmethod
    def _told(cls, view: View, values: dict[str, Any], profile: Profile) -> bool:
        """Whether it can be told at all: not where all that it has is a point that it does not take whole."""
        lost = values[cls.POINT] is not None and values[f"{cls.POINT}Pct"] is None
        return not lost or whole(view, cls.POINT, profile)

    @classmethod
    def _steps(cls, view: View, values: dict[str, Any], base: float, profile: Profile) -> Steps:
        if cls._in_unit(view, values, profile):
            return plain(values[f"{cls.POINT}_SF"])
        return percent_of(base, values[f"{cls.POINT}Pct_SF"])

    def _held(self, values: dict[str, Any]) -> float | None:
        """What stands, W or var; None where the setpoint is off."""
        name, percent = self.POINT, values[f"{self.POINT}Pct"]
        if not values[f"{name}Ena"]:
            return None
        if values[f"{name}Mod"] == self.PLAIN:
            value: float | None = values[name]
            return value
        if values[f"{name}Mod"] != self.PERCENT or percent is None:
            return None
        return float(percent * self.base / 100.0)

    def _set(self, value: float, timer_s: float, revert_enabled: int, answers: Answers) -> Exchange[None]:
        """Write it, enabled. Its reversion target is 0.

        The points of the other unit go back as they were read: FranklinWH refuses a percentage that it doesn't use.
        What can't have been meant is left out.
        """
        name, values = self.POINT, self.view.values(answers)
        words, bounds = answers[self.view.name], self._bounds(self.base)
        points = {f"{name}Mod": (self.PERCENT,), **self.ALSO}
        points |= {
            point: self._raw(answers, point) for point in bounds if within(self.view, words, point, bounds[point])
        }
        if self._in_unit(self.view, values, self.profile):
            points[f"{name}Mod"] = (self.PLAIN,)
            points |= {
                name: self._scaled(name, value, values[f"{name}_SF"], most=self.base, down=self.DOWN),
                f"{name}Rvrt": (0, 0),
            }
        else:
            percent = clamp(value, -self.base, self.base), values[f"{name}Pct_SF"]
            points |= {f"{name}Pct": self._percent(f"{name}Pct", *percent, down=self.DOWN), f"{name}PctRvrt": (0,)}
        points |= {f"{name}EnaRvrt": (revert_enabled,), f"{name}RvrtTms": self._u32(timer_s)}
        yield from self._write(answers, points | {f"{name}Ena": (1,)})

    def _off(self, answers: Answers) -> Exchange[None]:
        yield from self._write(answers, {f"{self.POINT}Ena": (0,)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Target704(Setpoint704):
    """Active power, in W or in percent of WMax."""

    NEEDED: ClassVar = frozenset({"WSetEna"})
    POINT: ClassVar = "WSet"
    PLAIN: ClassVar = 1
    PERCENT: ClassVar = 0
    DOWN: ClassVar = True

    @classmethod
    def build(cls, view: View, values: dict[str, Any], base: float, profile: Profile) -> Target704 | None:
        """base: WMax, W. None where it takes no point of it whole."""
        if not cls._told(view, values, profile):
            return None
        revert = "WSetRvrt" if cls._in_unit(view, values, profile) else "WSetPctRvrt"
        timer = targeted(view, values, ("WSetRvrtTms", "WSetEnaRvrt", revert), profile)
        return cls(view=view, base=base, profile=profile, steps=cls._steps(view, values, base, profile), timer=timer)

    def bounds(self, rating: Rating) -> Bounds:
        return self._bounds(max(self.base, rating.size_w))

    def accepted_w(self, values: dict[str, Any]) -> float | None:
        return self._held(values)

    def promises(self, values: dict[str, Any], fallback: Fallback) -> bool:
        if fallback.by == FallbackBy.STANDS:
            return self._kept(values["WSetRvrtTms"], self._held(values), fallback)
        plain_w = values["WSetMod"] == self.PLAIN
        revert = values["WSetRvrt"] if plain_w else values["WSetPctRvrt"]
        held_w = revert if plain_w or revert is None else revert * self.base / 100.0
        both = bool(values["WSetEna"] and values["WSetEnaRvrt"])
        return both and self._kept(values["WSetRvrtTms"], held_w, fallback)

    def write(self, target_w: float, fallback: Fallback, answers: Answers) -> Exchange[None]:
        """Reverts to rest (0 W) where a fallback ceiling is declared, else to the device's own mode."""
        timer_s = 0.0 if fallback.by == FallbackBy.STANDS else fallback.after_s
        yield from self._set(target_w, timer_s, 0 if fallback.p_ceiling_w is None else 1, answers)

    def release(self, fallback: Fallback, answers: Answers) -> Exchange[None]:
        yield from self._off(answers) if fallback.p_ceiling_w is None else self._set(0.0, 0.0, 1, answers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Var704(Setpoint704):
    """Reactive power, in var or in percent of VarMax."""

    NEEDED: ClassVar = frozenset({"VarSetEna"})
    POINT: ClassVar = "VarSet"
    PLAIN: ClassVar = 4
    PERCENT: ClassVar = 1
    DOWN: ClassVar = False
    ALSO: ClassVar = {"VarSetPri": (1,)}

    @classmethod
    def build(cls, view: View, values: dict[str, Any], rating: Rating, profile: Profile) -> Var704 | None:
        """None for a device without a var rating, or that takes no point of it whole."""
        base = max(rating.q_inj_max_var, rating.q_abs_max_var)
        if base <= 0.0 or not cls._told(view, values, profile):
            return None
        return cls(view=view, base=base, profile=profile, steps=cls._steps(view, values, base, profile))

    def accepted_var(self, values: dict[str, Any]) -> float | None:
        return self._held(values)

    def write(self, q_var: float, fallback: Fallback, answers: Answers) -> Exchange[None]:
        """Reverts to the device's own var."""
        yield from self._set(q_var, fallback.after_s, 0, answers)

    def release(self, answers: Answers) -> Exchange[None]:
        yield from self._off(answers)
