"""The control groups that a SunSpec device has: at most one for its limit, one for its target and one for its var."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from functools import cache
from typing import Any

from derctl.core.dataclass import dataclass
from derctl.core.exchange import Exchange, Registers, Write
from derctl.core.types import Port, Rating, Setpoint
from derctl.core.value import replace
from derctl.core.words import Timer
from derctl.devices.sunspec.controls.bounds import Bounds, beyond
from derctl.devices.sunspec.controls.parts import Limit, Power, Target, Var
from derctl.devices.sunspec.layout import View
from derctl.devices.types import Answers, Reversion

Values = Mapping[str, dict[str, Any]]
"""The decoded points of the blocks, by the name of their view."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """What can be told, and what it reads. views: of their blocks, by name. problems: what is missing for control."""

    views: Mapping[str, View] = field(default_factory=dict)
    limit: Limit | None = None
    target: Target | None = None
    var: Var | None = None
    problems: tuple[str, ...] = ()

    @property
    def port(self) -> Port:
        """What the device takes at its AC terminals."""
        return Port(limit=self.limit is not None, aim=self.target is not None, var=self.var is not None)

    def bounds(self, rating: Rating) -> Mapping[str, Bounds]:
        """The most that its points can be told, by the name of their view."""
        found: dict[str, Bounds] = {}
        for part in (self.limit, self.target, self.var):
            if part is not None:
                found[part.view.name] = {**found.get(part.view.name, {}), **part.bounds(rating)}
        return found

    def beyond(self, write: Write, answers: Answers, bounds: Mapping[str, Bounds]) -> str:
        """What of a write would say more than it can mean, in words; "" where nothing, or nobody knows its scale."""
        found = [
            beyond(self.views[name], answers[name], each, write) for name, each in bounds.items() if name in answers
        ]
        return "; ".join(filter(None, found))

    @property
    def powers(self) -> list[Power]:
        """Those of active power."""
        return [power for power in (self.limit, self.target) if power is not None]

    @property
    def reversion(self) -> Reversion:
        """What its timer does with the power."""
        power = self.target or self.limit
        if power is None or power.timer is Timer.NONE:
            return Reversion()
        return _reversion(power.timer, power.view.block.model_id)

    def joined(self, other: Groups) -> Groups:
        """With the groups of another model."""
        return Groups(
            views={**self.views, **other.views},
            limit=self.limit or other.limit,
            target=self.target or other.target,
            var=self.var or other.var,
            problems=(*self.problems, *other.problems),
        )

    def without(self, refused: Mapping[str, str]) -> Groups:
        """Without those that stand in these blocks; refused: why not, by block."""
        lost = {view.block.model_id: refused[name] for name, view in self.views.items() if name in refused}
        limit, target, var = self.limit, self.target, self.var
        return Groups(
            views={name: view for name, view in self.views.items() if name not in refused},
            limit=None if limit is None or limit.view.name in refused else limit,
            target=None if target is None or target.view.name in refused else target,
            var=None if var is None or var.view.name in refused else var,
            problems=(*self.problems, *(f"model {number}: {why}" for number, why in lost.items())),
        )

    def saying(self, problem: str) -> Groups:
        """With one problem more."""
        return replace(self, problems=(*self.problems, problem))

    def values(self, answers: Answers) -> Values:
        """What its blocks read, decoded once for whoever asks."""
        return {name: view.values(answers) for name, view in self.views.items()}

    def tells(self, values: Values) -> bool:
        """Whether what it is told reads back: nothing, from one that does not have the points, is not no limit."""
        limit, target = self.limit, self.target
        if limit is not None and limit.tells(values[limit.view.name]):
            return True
        return limit is None if target is None else target.tells(values[target.view.name])

    def accepted(self, values: Values, unlimited_w: float) -> Setpoint:
        """What the device reads back, W and var. unlimited_w: the ceiling of one whose limit is off."""
        limit, target, var = self.limit, self.target, self.var
        return Setpoint(
            p_ceiling_w=None if limit is None else limit.accepted_w(values[limit.view.name], unlimited_w),
            p_target_w=None if target is None else target.accepted_w(values[target.view.name]),
            q_var=None if var is None else var.accepted_var(values[var.view.name]),
        )

    def read(self) -> Exchange[dict[str, Registers]]:
        """Ask for their blocks again."""
        fresh: dict[str, Registers] = {}
        for name, view in self.views.items():
            fresh[name] = yield view.read
        return fresh


@cache
def _reversion(timer: Timer, model: int) -> Reversion:
    """It is asked for in each tick."""
    return Reversion(timer=timer, model=model)
