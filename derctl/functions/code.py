"""What a grid code allows of a function's settings: rules that are data of a preset."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol

from derctl.core.dataclass import dataclass
from derctl.errors import SettingError

NEAR = 1e-9
"""What two ways of writing one number may differ by."""


class Rule(Protocol):
    """What one setting may be."""

    def violation(self, name: str, value: Any) -> SettingError | None:
        """What is wrong with it, or None."""
        ...


Rules = Mapping[str, Rule]
"""By setting. One that a function has and a code does not name keeps the function's widest range."""

Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Between:
    """A number. source: who says so. v_nom_v: where the code has it in volts, of this nominal."""

    low: float
    high: float
    source: str
    v_nom_v: float | None = None

    def violation(self, name: str, value: Any) -> SettingError | None:
        """No number, or one outside."""
        number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if number and self.low - NEAR <= value <= self.high + NEAR:
            return None
        allowed = _span(self.low, self.high)
        if self.v_nom_v is not None:
            allowed += f" pu, {_span(self.low * self.v_nom_v, self.high * self.v_nom_v)} V"
        return SettingError(name, value, f"{allowed} ({self.source})")


def _span(low: float, high: float) -> str:
    return f"{low:.10g}" if low == high else f"{low:.10g} to {high:.10g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Among:
    """One of a few words."""

    among: tuple[str, ...]

    def violation(self, name: str, value: Any) -> SettingError | None:
        """Another word."""
        return None if value in self.among else SettingError(name, value, "one of " + ", ".join(self.among))


@dataclass(frozen=True, slots=True, kw_only=True)
class Along:
    """The points of a curve: each between its own two corners; gap: least step in x where the curve falls outside.

    v_nom_v: as in Between, of x.
    """

    low: Points
    high: Points
    source: str
    gap: float = 0.0
    v_nom_v: float | None = None

    def violation(self, name: str, value: Points) -> SettingError | None:
        """The first point, or the first step, that is not as it should be."""
        if len(value) != len(self.low):
            return SettingError(name, value, f"{len(self.low)} points ({self.source})")
        for index, (point, low, high) in enumerate(zip(value, self.low, self.high, strict=True)):
            for axis, each in enumerate(point):
                v_nom_v = None if axis else self.v_nom_v
                span = Between(low=low[axis], high=high[axis], source=self.source, v_nom_v=v_nom_v)
                if (wrong := span.violation(f"{name}[{index}].{'xy'[axis]}", each)) is not None:
                    return wrong
        for index in (1, len(value) - 1):
            least = value[index - 1][0] + self.gap
            if value[index][0] < least - NEAR:
                return SettingError(f"{name}[{index}].x", value[index][0], f"at least {least:.10g} ({self.source})")
        return None
