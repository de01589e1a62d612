"""Active power-reactive power mode, IEEE 1547-2018 5.3.4."""

from __future__ import annotations

from dataclasses import field
from typing import ClassVar

from derctl.core.curve import Curve, falling
from derctl.core.dataclass import dataclass
from derctl.core.types import Abstain, DerState, Proposal, SiteState
from derctl.core.words import Priority
from derctl.errors import SettingError
from derctl.functions.lagged import Lagged, Memory, var_towards
from derctl.functions.settings import Settings, choice, number, points

SOURCE = "IEEE 1547-2018 5.3.4 table 9, as in OpenDER 2.2.0"
WATT_VAR = ((-1.0, 0.44), (-0.5, 0.0), (-0.2, 0.0), (0.2, 0.0), (0.5, 0.0), (1.0, -0.44))
"""Category B: power per unit of the rating (below 0 of the charge rating), var per unit of rated apparent power."""
NO_POWER = Abstain("no fresh power", lost=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class WattVar(Lagged):
    """Var by the measured power, on a curve and slowed down; per unit of rated apparent power, + injects."""

    kind: ClassVar[str] = "watt_var"
    rank: ClassVar[int] = 30

    points: tuple[tuple[float, float], ...] | None = points(
        source="own curve: pairs (power pu, var per unit of rated VA), var never rising with power; " + SOURCE
    )
    olrt_s: float = number(10.0, low=1.0, high=10.0, wide=(0.2, 60.0), source="time to 90 %; " + SOURCE)
    q_priority: str = choice(
        Priority.REACTIVE,
        among=tuple(Priority),
        ruled=True,
        source="what gives way at the apparent-power limit; IEEE 1547-2018 5.3.1; UL 1741 SB",
    )
    _curve: Curve = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        Settings.__post_init__(self)
        curve = Curve.of(self.points or WATT_VAR, name="points")
        for index, (p, q) in enumerate(curve.points):
            for axis, value in (("p", p), ("q", q)):
                if not -1.0 <= value <= 1.0:
                    raise SettingError(f"points[{index}].{axis}", value, f"-1 to 1 ({SOURCE})")
        falling(curve, name="points")
        object.__setattr__(self, "_curve", curve)

    def step(self, memory: Memory, der: DerState, site: SiteState, dt_s: float) -> tuple[Memory, Proposal | Abstain]:
        """One step; OpenDER takes the desired power, which is the measured one once it is reached."""
        rating, p_w = der.rating, der.reading.p_w
        if p_w is None or not der.fresh:
            return memory, NO_POWER
        side_w = rating.p_max_w if p_w > 0.0 else -rating.p_min_w
        wish = self._curve(p_w / side_w if side_w > 0.0 else 0.0)
        priority = Priority(self.q_priority)
        return var_towards(self, memory, der, wish, dt_s, olrt_s=self.olrt_s, priority=priority)
