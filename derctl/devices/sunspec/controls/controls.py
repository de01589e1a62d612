"""All that a SunSpec device lets be told: at most one group for its limit, one for its target and one for its var."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from derctl.core.capability import clamp, q_box
from derctl.core.exchange import Exchange, Registers
from derctl.core.types import NOTHING, Fallback, Port, Rating, Setpoint
from derctl.core.value import replace
from derctl.core.words import FallbackBy, Timer
from derctl.devices.profile import Profile
from derctl.devices.steps import Steps
from derctl.devices.sunspec.controls.parts import Limit, Power, Target, Var
from derctl.devices.sunspec.layout import View
from derctl.devices.types import Answers, Reversion
from derctl.errors import DeviceError

Values = Mapping[str, dict[str, Any]]
"""The decoded points of the blocks, by the name of their view."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Controls:
    """The groups that a device has. views: of their blocks, by name. problems: what is missing for control."""

    rating: Rating
    profile: Profile
    views: Mapping[str, View] = field(default_factory=dict)
    limit: Limit | None = None
    target: Target | None = None
    var: Var | None = None
    problems: tuple[str, ...] = ()

    @property
    def port(self) -> Port:
        """What the device takes at its AC terminals."""
        return Port(limit=self.limit is not None, aim=self.target is not None, var=self.var is not None)

    @property
    def reversion(self) -> Reversion:
        power = self.target or self.limit
        if power is None or power.timer is Timer.NONE:
            return Reversion()
        return Reversion(timer=power.timer, model=power.view.block.model_id)

    def joined(self, other: Controls) -> Controls:
        """With the groups of another model."""
        return replace(
            self,
            views={**self.views, **other.views},
            limit=self.limit or other.limit,
            target=self.target or other.target,
            var=self.var or other.var,
            problems=(*self.problems, *other.problems),
        )

    def without(self, refused: Mapping[str, str]) -> Controls:
        """Without the groups that stand in these blocks; refused: why not, by block."""
        lost = {view.block.model_id: refused[name] for name, view in self.views.items() if name in refused}
        limit, target, var = self.limit, self.target, self.var
        return replace(
            self,
            views={name: view for name, view in self.views.items() if name not in refused},
            limit=None if limit is None or limit.view.name in refused else limit,
            target=None if target is None or target.view.name in refused else target,
            var=None if var is None or var.view.name in refused else var,
            problems=(*self.problems, *(f"model {number}: {why}" for number, why in lost.items())),
        )

    def values(self, answers: Answers) -> Values:
        """What its blocks read, decoded once for whoever asks."""
        return {name: view.values(answers) for name, view in self.views.items()}

    def accepted(self, values: Values) -> Setpoint:
        """What the device reads back, W and var."""
        limit, target, var = self.limit, self.target, self.var
        return Setpoint(
            p_ceiling_w=None if limit is None else limit.accepted_w(values[limit.view.name], self.rating.p_max_w),
            p_target_w=None if target is None else target.accepted_w(values[target.view.name]),
            q_var=None if var is None else var.accepted_var(values[var.view.name]),
        )

    def tells(self, values: Values) -> bool:
        """Whether what it is told reads back: nothing, from one that does not have the points, is not no limit."""
        powers: list[Power] = [power for power in (self.limit, self.target) if power is not None]
        return not powers or any(power.tells(values[power.view.name]) for power in powers)

    def promises(self, answers: Answers, fallback: Fallback) -> bool | None:
        """Of those that are counted upon one is enough, since the lower one binds; a full rating needs none."""
        powers: list[Power] = [power for power in (self.limit, self.target) if power is not None]
        full = self.rating.p_max_w
        counted = [power for power in powers if power.absent_w(fallback, full) < full]
        if fallback.by == FallbackBy.DEVICE or not counted:
            return True
        if self.profile.readback == "effect_only":
            return None
        return any(power.promises(power.view.values(answers), fallback) for power in counted)

    def absent_w(self, fallback: Fallback) -> float:
        """The most that it gives when derctl is not there; a limit beside a target holds whatever that does."""
        powers: list[Power] = [power for power in (self.limit, self.target) if power is not None]
        if powers:
            return min(power.absent_w(fallback, self.rating.p_max_w) for power in powers)
        held = fallback.by == FallbackBy.DEVICE and fallback.p_ceiling_w is not None
        return (fallback.p_ceiling_w or 0.0) if held else self.rating.p_max_w

    def sendable(self, setpoint: Setpoint) -> Setpoint:
        """On the steps of the registers, inside the rating."""
        setpoint = self._rated(setpoint)
        ceiling, target, q_var = setpoint.p_ceiling_w, setpoint.p_target_w, setpoint.q_var
        if self.limit is not None and ceiling is not None:
            ceiling = self._awake(self.limit.steps.down(ceiling))
        if self.target is not None and target is not None:
            target = self.target.steps.down(target)
        if self.var is not None and q_var is not None:
            q_var = self._on_step(q_var, self.var.steps)
        return Setpoint(p_ceiling_w=ceiling, p_target_w=target, q_var=q_var)

    def _rated(self, setpoint: Setpoint) -> Setpoint:
        """Inside the rating, between the steps of the registers too."""
        rating, ceiling, target = self.rating, setpoint.p_ceiling_w, setpoint.p_target_w
        return Setpoint(
            p_ceiling_w=None if ceiling is None else self._awake(clamp(ceiling, 0.0, rating.p_max_w)),
            p_target_w=None if target is None else clamp(target, rating.p_min_w, rating.p_max_w),
            q_var=None if setpoint.q_var is None else q_box(rating, setpoint.q_var),
        )

    def _on_step(self, q_var: float, steps: Steps) -> float:
        """The nearest step, but none outside the rating."""
        nearest = steps.nearest(q_var)
        return nearest if q_box(self.rating, nearest) == nearest else steps.down(q_var)

    def _awake(self, ceiling_w: float) -> float:
        """A limit below what keeps the inverter awake is written as 0."""
        least = self.profile.min_limit_pct / 100.0 * self.rating.p_max_w
        return 0.0 if ceiling_w < least - 1e-6 else ceiling_w

    def write(
        self, setpoint: Setpoint, fallback: Fallback, answers: Answers, *, give_back_var: bool
    ) -> Exchange[Setpoint]:
        """The limit before the target, so that a target never shows unlimited; a target that is told no more is given
        back behind its limit."""
        setpoint = self._rated(setpoint)
        if self.limit is not None and setpoint.p_ceiling_w is not None:
            yield from self.limit.write(setpoint.p_ceiling_w, fallback, answers)
        if self.target is not None and setpoint.p_target_w is not None:
            yield from self.target.write(setpoint.p_target_w, fallback, answers)
        elif self.target is not None and self.limit is not None and setpoint.p_ceiling_w is not None:
            yield from self.target.release(Fallback(), answers)
        if self.var is not None and setpoint.q_var is not None:
            yield from self.var.write(setpoint.q_var, fallback, answers)
        elif self.var is not None and give_back_var:
            yield from self.var.release(answers)
        return (yield from self.read_back())

    def release(
        self, fallback: Fallback, *, lift: bool, held: Setpoint = NOTHING, believed: bool = True
    ) -> Exchange[Setpoint]:
        """Var first; power is given back although var is refused. Raises the first refusal."""
        answers = yield from self._read()
        accepted, refusals = self.accepted(self.values(answers)), list[DeviceError]()
        believed = believed and self.profile.readback == "values"
        present = accepted.p_ceiling_w if believed else None
        present = held.p_ceiling_w if present is None else present
        stands = self._stands(fallback, present, lift=lift)
        for part in (
            self._release_var(accepted, answers, held),
            self._release_limit(stands, answers),
            self._release_target(fallback, answers),
        ):
            try:
                yield from part
            except DeviceError as error:
                refusals.append(error)
        if refusals:
            raise refusals[0]
        found = yield from self.read_back()
        return found if believed else self._left_blindly(fallback, stands, held)

    def _left_blindly(self, fallback: Fallback, stands: float | None, held: Setpoint) -> Setpoint:
        """What stands by what was written, in a device that doesn't tell."""
        rests = self.target is not None and fallback.p_ceiling_w is not None
        limit_w = None if self.limit is None else held.p_ceiling_w if stands is None else stands
        return Setpoint(p_ceiling_w=limit_w, p_target_w=0.0 if rests else None)

    def _release_var(self, accepted: Setpoint, answers: Answers, held: Setpoint) -> Exchange[None]:
        if self.var is not None and (accepted.q_var is not None or held.q_var is not None):
            yield from self.var.release(answers)

    def _release_target(self, fallback: Fallback, answers: Answers) -> Exchange[None]:
        if self.target is not None:
            yield from self.target.release(fallback, answers)

    def _release_limit(self, stands: float | None, answers: Answers) -> Exchange[None]:
        if self.limit is not None and stands is not None:
            yield from self.limit.release(None if stands >= self.rating.p_max_w else stands, answers)

    def _stands(self, fallback: Fallback, present: float | None, *, lift: bool) -> float | None:
        """The ceiling that stays, W: never above the fallback, and unless lifted never above the present one.

        None: leave it as it is. What is there is not known then, and whatever is written may be more; only where the
        timer runs towards no limit at all does the fallback go in first.
        """
        full = self.rating.p_max_w
        low = full if fallback.p_ceiling_w is None else min(fallback.p_ceiling_w, full)
        if lift:
            return low
        if present is not None:
            return min(present, low)
        return low if fallback.by == FallbackBy.REVERSION and low < full and self._lets_go() else None

    def _lets_go(self) -> bool:
        """Whether its timer may let go of a limit altogether: of one that reads back nothing that isn't known."""
        no_target = self.limit is not None and self.limit.timer is Timer.NO_TARGET
        return no_target or self.profile.readback == "effect_only"

    def read_back(self) -> Exchange[Setpoint]:
        """Read the control groups again and say what they hold."""
        return self.accepted(self.values((yield from self._read())))

    def _read(self) -> Exchange[dict[str, Registers]]:
        fresh: dict[str, Registers] = {}
        for name, view in self.views.items():
            fresh[name] = yield view.read
        return fresh
