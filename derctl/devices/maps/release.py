"""One release of a device with a register map: which ceiling stays in it, and what is given back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from derctl.core.dataclass import dataclass
from derctl.core.exchange import Exchange
from derctl.core.types import NOTHING, Fallback, Setpoint
from derctl.core.words import FallbackBy
from derctl.devices.maps.control import Step
from derctl.devices.maps.orders import Orders
from derctl.errors import DeviceError


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """lift: a limit that stands is raised to the fallback's. held: what the device was told last. believed: whether
    what it reads back counts."""

    orders: Orders
    fallback: Fallback
    lift: bool
    held: Setpoint
    believed: bool

    def run(self) -> Exchange[Setpoint]:
        """All are tried although one is refused. Raises the first refusal. Returns what stands then."""
        points = self.orders.points
        words = (yield from points.read()) if self.believed else None
        present = NOTHING if words is None else self.orders.accepted(words)
        stands_w, refusals = self.stands_w(present), list[DeviceError]()
        for way, amount in self._parts(present, stands_w):
            try:
                yield from points.tell(way, amount, self.fallback, held=words)
            except DeviceError as error:
                refusals.append(error)
        if refusals:
            raise refusals[0]
        found = self.orders.accepted((yield from points.read()))
        return found if self.believed else self._left(stands_w)

    def stands_w(self, present: Setpoint) -> float | None:
        """The ceiling that stays, W: never above the fallback, and unless lifted never above the present one; None:
        it is not known, and left as it is."""
        fallback, full = self.fallback, self.orders.points.rated.rating.p_max_w
        low = full if fallback.p_ceiling_w is None else min(fallback.p_ceiling_w, full)
        now = self.held.p_ceiling_w if present.p_ceiling_w is None else present.p_ceiling_w
        if self.lift:
            return low
        if now is not None:
            return min(now, low)
        return low if fallback.by == FallbackBy.REVERSION and low < full else None

    def _parts(self, present: Setpoint, stands_w: float | None) -> Iterator[tuple[Sequence[Step], float]]:
        """Steps, and W. Var first, where it was told any. A target goes back to the device's own mode, or to 0 W
        where a ceiling is declared."""
        limit, target, var = self.orders.limit, self.orders.target, self.orders.var
        if var is not None and (present.q_var is not None or self.held.q_var is not None):
            yield var.release, 0.0
        if limit is not None and stands_w is not None:
            free = stands_w >= self.orders.points.rated.rating.p_max_w
            yield limit.release if free else limit.give, stands_w
        if target is not None:
            own = self.fallback.p_ceiling_w is None
            yield target.release if own else target.give, 0.0

    def _left(self, stands_w: float | None) -> Setpoint:
        """As it was written."""
        rests = self.orders.target is not None and self.fallback.p_ceiling_w is not None
        known_w = self.held.p_ceiling_w if stands_w is None else stands_w
        return Setpoint(p_ceiling_w=None if self.orders.limit is None else known_w, p_target_w=0.0 if rests else None)
