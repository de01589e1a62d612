"""A setpoint as a device can take it: inside its rating, on its registers' steps, and not so low that it sleeps."""

from __future__ import annotations

from derctl.core.capability import clamp, q_box
from derctl.core.dataclass import dataclass
from derctl.core.types import Rating, Setpoint
from derctl.devices.profile import Profile
from derctl.devices.steps import Steps


@dataclass(frozen=True, slots=True, kw_only=True)
class Rated:
    """rating: of the device. profile: its habits."""

    rating: Rating
    profile: Profile

    def inside(self, setpoint: Setpoint) -> Setpoint:
        """Between the steps of the registers too."""
        ceiling_w, target_w, q_var = self._inside(setpoint)
        return Setpoint(p_ceiling_w=ceiling_w, p_target_w=target_w, q_var=q_var)

    def _inside(self, setpoint: Setpoint) -> tuple[float | None, float | None, float | None]:
        """Its ceiling, target and var."""
        rating, ceiling_w, target_w, q_var = self.rating, setpoint.p_ceiling_w, setpoint.p_target_w, setpoint.q_var
        return (
            None if ceiling_w is None else self._awake(clamp(ceiling_w, 0.0, rating.p_max_w)),
            None if target_w is None else clamp(target_w, rating.p_min_w, rating.p_max_w),
            None if q_var is None else q_box(rating, q_var),
        )

    def on_steps(
        self, setpoint: Setpoint, *, limit: Steps | None, target: Steps | None, var: Steps | None
    ) -> Setpoint:
        """As it reads back when it is taken. The steps are those of the groups; None: the device has no such one."""
        ceiling_w, target_w, q_var = self._inside(setpoint)
        if limit is not None and ceiling_w is not None:
            ceiling_w = self._awake(limit.down(ceiling_w))
        if target is not None and target_w is not None:
            target_w = target.down(target_w)
        if var is not None and q_var is not None:
            q_var = self._nearest(q_var, var)
        return Setpoint(p_ceiling_w=ceiling_w, p_target_w=target_w, q_var=q_var)

    def _nearest(self, q_var: float, steps: Steps) -> float:
        """The nearest step, but none outside the rating."""
        nearest = steps.nearest(q_var)
        return nearest if q_box(self.rating, nearest) == nearest else steps.down(q_var)

    def least_w(self, limit: Steps | None) -> float:
        """The least limit above 0 W that it takes from there."""
        pct = max(self.profile.min_limit_pct, self.profile.deadband_pct)
        return max(pct / 100.0 * self.rating.p_max_w, 0.0 if limit is None else limit.size)

    def _awake(self, ceiling_w: float) -> float:
        """A limit below what keeps the inverter awake is written as 0."""
        least = self.profile.min_limit_pct / 100.0 * self.rating.p_max_w
        return 0.0 if ceiling_w < least - 1e-6 else ceiling_w
