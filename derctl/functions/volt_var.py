"""Voltage-reactive power mode, IEEE 1547-2018 5.3.3."""

from __future__ import annotations

import math
from dataclasses import field
from itertools import pairwise
from typing import ClassVar

from derctl.core.curve import Curve, falling
from derctl.core.dataclass import dataclass
from derctl.core.types import Abstain, DerState, Proposal, SiteState
from derctl.core.words import Priority
from derctl.errors import SettingError
from derctl.functions.lagged import NO_VOLTAGE, Lagged, Memory, fresh_v_pu, var_towards
from derctl.functions.settings import Settings, choice, number, points

SOURCE = "IEEE 1547-2018 5.3.3 table 8, as in OpenDER 2.2.0"

CATEGORY: dict[str, tuple[tuple[tuple[float, float], ...], float]] = {
    "A": (((0.90, 0.25), (1.00, 0.0), (1.00, 0.0), (1.10, -0.25)), 10.0),
    "B": (((0.92, 0.44), (0.98, 0.0), (1.02, 0.0), (1.08, -0.44)), 5.0),
}
"""Default points (v_pu, q per unit of rated apparent power, + injects) and open-loop response time, s."""
V_POSSIBLE = (0.5, 1.5)
"""Between these a voltage, pu, can stand in a curve at all: no code asks for var beyond."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VoltVar(Lagged):
    """Var by the voltage, on a curve and slowed down; per unit of rated apparent power, + injects."""

    kind: ClassVar[str] = "volt_var"
    rank: ClassVar[int] = 30

    category: str = choice("B", among=("A", "B"), ruled=True, source="default curve; " + SOURCE)
    points: tuple[tuple[float, float], ...] | None = points(
        source="own curve: four pairs (voltage pu, var per unit of rated VA); " + SOURCE
    )
    v_ref_pu: float = number(1.0, low=0.95, high=1.05, wide=(0.95, 1.05), source="shifts the curve; " + SOURCE)
    olrt_s: float | None = number(
        None, low=1.0, high=90.0, wide=(0.2, 600.0), source="time to 90 %; " + SOURCE, optional=True
    )
    q_priority: str = choice(
        Priority.REACTIVE,
        among=tuple(Priority),
        source="what gives way at the apparent-power limit; IEEE 1547-2018 5.3.1; UL 1741 SB",
    )
    _curve: Curve = field(init=False, repr=False, compare=False)
    _olrt_s: float = field(init=False, repr=False, compare=False)
    _priority: Priority = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Named, not super(): a slotted dataclass is a new class, which the zero-argument form doesn't know.
        Settings.__post_init__(self)
        defaults, olrt_s = CATEGORY[self.category]
        if self.points is not None:
            _check_points(self.points, ruled=self.rules is not None)
        object.__setattr__(self, "_curve", Curve.of(self.points or defaults, name="points"))
        object.__setattr__(self, "_olrt_s", self.olrt_s or olrt_s)
        object.__setattr__(self, "_priority", Priority(self.q_priority))

    @property
    def steepest(self) -> float:
        """Of its curve: per unit of var for each per unit of voltage."""
        pairs = [(v1 - v0, q0 - q1) for (v0, q0), (v1, q1) in pairwise(self._curve.points)]
        return max((fall / width if width > 0.0 else math.inf for width, fall in pairs if fall > 0.0), default=0.0)

    @property
    def response_s(self) -> float:
        """Time to 90 %, its own or its category's."""
        return self._olrt_s

    def step(self, memory: Memory, der: DerState, site: SiteState, dt_s: float) -> tuple[Memory, Proposal | Abstain]:
        """The curve is shifted as a whole by v_ref_pu - 1 (OpenDER and UL 1741 SB read it so)."""
        v_pu = fresh_v_pu(der, site.poc)
        if v_pu is None:
            return memory, NO_VOLTAGE
        wish = self._curve(v_pu - (self.v_ref_pu - 1.0))
        return var_towards(self, memory, der, wish, dt_s, olrt_s=self._olrt_s, priority=self._priority)


def _check_points(given: tuple[tuple[float, float], ...], *, ruled: bool) -> None:
    """Order, spacing and, where no grid code has its own, ranges of table 8 for a four-point curve (v1..v4)."""
    curve = Curve.of(given, name="points")
    if len(curve.points) != 4:
        raise SettingError("points", given, "four points (v1, q1) to (v4, q4)")
    if ruled:
        for index, (v, q) in enumerate(curve.points):
            _within(f"points[{index}].v", v, *V_POSSIBLE)
            _within(f"points[{index}].q", q, -1.0, 1.0)
    else:
        _check_table_8(curve)
    falling(curve, name="points")


def _check_table_8(curve: Curve) -> None:
    (v1, q1), (v2, q2), (v3, q3), (v4, q4) = curve.points
    _within("points[1].v", v2, 0.97, 1.0)
    _within("points[2].v", v3, 1.0, 1.03)
    _within("points[0].v", v1, 0.82, v2 - 0.02)
    _within("points[3].v", v4, v3 + 0.02, 1.18)
    _within("points[0].q", q1, 0.0, 1.0)
    _within("points[1].q", q2, -1.0, 1.0)
    _within("points[2].q", q3, -1.0, 1.0)
    _within("points[3].q", q4, -1.0, 0.0)


def _within(name: str, value: float, low: float, high: float) -> None:
    if not low - 1e-9 <= value <= high + 1e-9:
        raise SettingError(name, value, f"{low:.4g} to {high:.4g} ({SOURCE})")
