"""A device with a register map as it is told: what it takes, what stands in it, and what that is without derctl."""

from __future__ import annotations

import math
from collections.abc import Collection

from derctl.core.dataclass import dataclass
from derctl.core.exchange import Exchange
from derctl.core.types import NOTHING, Fallback, Port, Rating, Setpoint
from derctl.core.value import replace
from derctl.core.words import FallbackBy, Timer
from derctl.devices.maps.control import Control, Order
from derctl.devices.maps.points import Points, Words, most_var
from derctl.devices.profile import Profile
from derctl.devices.steps import Steps
from derctl.devices.sunspec.controls.group import NEAR_PU, timed
from derctl.devices.types import Answers, Reversion


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """limit, target, var: what of its map is confirmed."""

    points: Points
    limit: Order | None = None
    target: Order | None = None
    var: Order | None = None

    @property
    def port(self) -> Port:
        """What it takes."""
        return Port(limit=self.limit is not None, aim=self.target is not None, var=self.var is not None)

    @property
    def powers(self) -> list[Order]:
        """Those of active power."""
        return [order for order in (self.limit, self.target) if order is not None]

    @property
    def all(self) -> list[Order]:
        """With reactive power."""
        return [*self.powers, *([] if self.var is None else [self.var])]

    @property
    def reversion(self) -> Reversion:
        timer = next(map(self.timer, reversed(self.powers)), Timer.NONE)
        lapses = [order.lapses_s or math.inf for order in self.all if order.timed]
        return Reversion(timer=timer, lapses_s=min(lapses, default=None))

    def timer(self, order: Order) -> Timer:
        """What may be counted upon."""
        return order.timer if order.timed and timed(self.points.rated.profile) else Timer.NONE

    @property
    def least_w(self) -> float:
        """The least limit above 0 W that it takes; 0: it takes none."""
        return 0.0 if self.limit is None else self.points.rated.least_w(self.points.steps(self.limit))

    def accepted(self, words: Words) -> Setpoint:
        """What it reads back, W and var; nothing of one whose points are written only."""
        if not words:
            return NOTHING
        limit, target, var, points = self.limit, self.target, self.var, self.points
        ceiling_w = None if limit is None else points.told(limit, words)
        if limit is not None and ceiling_w is None and points.stands(limit.release[-1:], words):
            ceiling_w = points.rated.rating.p_max_w
        return Setpoint(
            p_ceiling_w=ceiling_w,
            p_target_w=None if target is None else points.told(target, words),
            q_var=None if var is None else points.told(var, words),
        )

    def sendable(self, setpoint: Setpoint) -> Setpoint:
        """On the steps of its registers, inside its rating."""
        steps: list[Steps | None] = [
            None if order is None else self.points.steps(order) for order in (self.limit, self.target, self.var)
        ]
        limit, target, var = steps
        on_steps = self.points.rated.on_steps(setpoint, limit=limit, target=target, var=var)
        return on_steps if var is not None else replace(on_steps, q_var=None)

    def write(
        self, setpoint: Setpoint, fallback: Fallback, held: Words | None = None, *, give_back_var: bool = False
    ) -> Exchange[Setpoint]:
        """The limit before the target, and var last; a target that is told no more is given back behind its limit.
        held: what stands there. give_back_var: where the setpoint has no var, the device gets its own back."""
        setpoint, points = self.points.rated.inside(setpoint), self.points
        ceiling_w, target_w = setpoint.p_ceiling_w, setpoint.p_target_w
        if self.limit is not None and ceiling_w is not None:
            yield from points.tell(self.limit.give, ceiling_w, fallback, held=held)
        if self.target is not None and target_w is not None:
            yield from points.tell(self.target.way(target_w), target_w, fallback, held=held)
        elif self.target is not None and self.limit is not None and ceiling_w is not None:
            yield from points.tell(self.target.release, 0.0, fallback, held=held)
        if self.var is not None and setpoint.q_var is not None:
            yield from points.tell(self.var.way(setpoint.q_var), setpoint.q_var, fallback, held=held)
        elif self.var is not None and give_back_var:
            yield from points.tell(self.var.release, 0.0, fallback, held=held)
        return self.accepted((yield from points.read()))

    def absent_w(self, fallback: Fallback) -> float:
        """The most that it gives when derctl is not there."""
        full = self.points.rated.rating.p_max_w
        return min((self._absent_w(order, fallback, full) for order in self.powers), default=full)

    def _absent_w(self, order: Order, fallback: Fallback, full: float) -> float:
        """What lapses goes back to the device's own mode, or to what it was told to fall to."""
        if self.timer(order) is Timer.TARGET:
            return full if fallback.p_ceiling_w is None else max(fallback.p_ceiling_w, 0.0)
        timed_out = fallback.by == FallbackBy.STANDS and self.timer(order) is not Timer.NONE
        lapses = fallback.by == FallbackBy.REVERSION or timed_out
        return full if fallback.p_ceiling_w is None or lapses else max(fallback.p_ceiling_w, 0.0)

    def promises(self, answers: Answers, fallback: Fallback) -> bool | None:
        """Whether what stands there makes the fallback true; one that is counted upon is enough."""
        points, words = self.points, self.points.words(answers)
        full = points.rated.rating.p_max_w
        counted = [order for order in self.powers if self._absent_w(order, fallback, full) < full]
        if fallback.by == FallbackBy.DEVICE or not counted:
            return True
        if words is None or points.rated.profile.readback == "effect_only":
            return None
        most = (fallback.p_ceiling_w or 0.0) + NEAR_PU * full
        told = [
            points.falls_w(order, words) if self.timer(order) is Timer.TARGET else points.told(order, words)
            for order in counted
        ]
        return any(watts is not None and watts <= most for watts in told)


QUOTED = (
    "its {} is not written, since its maker's word on it is known as others quote it only: `may_write: [{}]` in its"
    " row counts on them (derctl profiles show {})"
)
"""What it is, the points, and the profile's name."""


WORN = "its var is not told, since that wears out {}"
"""The points."""
NO_VAR = "its var is not told, since no register of it says how much that is (q_max_var)"


def confirmed(control: Control, profile: Profile, named: Collection[str]) -> tuple[Control, tuple[str, ...]]:
    """Without what nobody confirmed, and why that is not written, in words. named: the points that the site file
    names, which may be quoted only."""
    problems: list[str] = []
    kept: dict[str, Order | None] = {}
    for name, order in control.orders.items():
        doubts, quoted = list(control.doubts(order)), control.quoted(order, named)
        kept[name] = None if doubts or quoted else order
        if doubts:
            problems.append(f"its {name} is not written, since nobody has confirmed {'; '.join(doubts)}")
        elif quoted:
            problems.append(QUOTED.format(name, ", ".join(quoted), profile.name))
    left = replace(control, limit=kept.get("limit"), target=kept.get("target"), var=kept.get("var"))
    return left, tuple(problems)


def varied(control: Control, rating: Rating, profile: Profile) -> tuple[Control, tuple[str, ...]]:
    """Without its var where that wears out memory, as each step of a curve would, or where nobody says how much it
    can give, and why that is, in words."""
    if control.var is None:
        return control, ()
    often = {step.point for step in (*control.var.give, *control.var.take)}
    points = [point for point in control.points_of(control.var) if point.line.name in often and not point.once]
    worn = ", ".join(point.name for point in points if profile.wears(point.name))
    if not worn and most_var(rating) > 0.0:
        return control, ()
    return replace(control, var=None), (WORN.format(worn) if worn else NO_VAR,)
