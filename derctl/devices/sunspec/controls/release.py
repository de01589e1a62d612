"""One release of a device: which ceiling stays in it, what is given back, and what is known to stand then."""

from __future__ import annotations

from collections.abc import Sequence

from derctl.core.dataclass import dataclass
from derctl.core.exchange import Exchange
from derctl.core.types import Fallback, Setpoint
from derctl.core.words import FallbackBy, Timer
from derctl.devices.sunspec.controls.groups import Groups
from derctl.devices.sunspec.controls.rated import Rated
from derctl.devices.types import Answers


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """lift: a limit that stands is raised to the fallback's. held: what the device was told last. accepted: what it
    reads back. believed: whether that counts."""

    groups: Groups
    rated: Rated
    fallback: Fallback
    lift: bool
    held: Setpoint
    accepted: Setpoint
    believed: bool

    @property
    def stands_w(self) -> float | None:
        """The ceiling that stays, W: never above the fallback, and unless lifted never above the present one.

        None: leave it as it is. What is there is not known then, and whatever is written may be more; only where the
        timer runs towards no limit at all does the fallback go in first.
        """
        fallback, full = self.fallback, self.rated.rating.p_max_w
        low = full if fallback.p_ceiling_w is None else min(fallback.p_ceiling_w, full)
        if self.lift:
            return low
        present = self.accepted.p_ceiling_w if self.believed else None
        present = self.held.p_ceiling_w if present is None else present
        if present is not None:
            return min(present, low)
        return low if fallback.by == FallbackBy.REVERSION and low < full and self._lets_go() else None

    def _lets_go(self) -> bool:
        """Whether its timer may let go of a limit altogether: of one that reads back nothing that isn't known."""
        limit = self.groups.limit
        no_target = limit is not None and limit.timer is Timer.NO_TARGET
        return no_target or self.rated.profile.readback == "effect_only"

    def parts(self, answers: Answers) -> Sequence[Exchange[None]]:
        """Var first; each may be refused by itself."""
        return self._var(answers), self._limit(answers), self._target(answers)

    def _var(self, answers: Answers) -> Exchange[None]:
        var = self.groups.var
        if var is not None and (self.accepted.q_var is not None or self.held.q_var is not None):
            yield from var.release(answers)

    def _limit(self, answers: Answers) -> Exchange[None]:
        limit, stands_w = self.groups.limit, self.stands_w
        if limit is not None and stands_w is not None:
            yield from limit.release(None if stands_w >= self.rated.rating.p_max_w else stands_w, answers)

    def _target(self, answers: Answers) -> Exchange[None]:
        if self.groups.target is not None:
            yield from self.groups.target.release(self.fallback, answers)

    def left(self, found: Setpoint) -> Setpoint:
        """What stands afterwards. found: what reads back; in a device that doesn't tell what was written counts."""
        if self.believed:
            return found
        rests = self.groups.target is not None and self.fallback.p_ceiling_w is not None
        stands_w = self.held.p_ceiling_w if self.stands_w is None else self.stands_w
        return Setpoint(
            p_ceiling_w=None if self.groups.limit is None else stands_w, p_target_w=0.0 if rests else None
        )
