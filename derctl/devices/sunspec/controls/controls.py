"""All that a SunSpec device lets be told: its groups, told inside its rating, and what they do without derctl."""

from __future__ import annotations

from collections.abc import Mapping

from derctl.core.dataclass import dataclass
from derctl.core.exchange import Exchange
from derctl.core.types import NOTHING, Fallback, Setpoint
from derctl.core.value import replace
from derctl.core.words import FallbackBy
from derctl.devices.sunspec.controls.groups import Groups, Values
from derctl.devices.sunspec.controls.rated import Rated
from derctl.devices.sunspec.controls.release import Release
from derctl.devices.types import Answers
from derctl.errors import DeviceError


@dataclass(frozen=True, slots=True, kw_only=True)
class Controls:
    """groups: what is told. rated: what of it may be told to this device."""

    rated: Rated
    groups: Groups

    def without(self, refused: Mapping[str, str]) -> Controls:
        """Without the groups that stand in these blocks; refused: why not, by block."""
        return replace(self, groups=self.groups.without(refused))

    @property
    def least_w(self) -> float:
        """The least limit above 0 W that it takes; 0: it takes none."""
        limit = self.groups.limit
        return 0.0 if limit is None else self.rated.least_w(limit.steps)

    def accepted(self, values: Values) -> Setpoint:
        """What the device reads back, W and var."""
        return self.groups.accepted(values, self.rated.rating.p_max_w)

    def promises(self, answers: Answers, fallback: Fallback) -> bool | None:
        """Of those that are counted upon one is enough, since the lower one binds; a full rating needs none."""
        full = self.rated.rating.p_max_w
        counted = [power for power in self.groups.powers if power.absent_w(fallback, full) < full]
        if fallback.by == FallbackBy.DEVICE or not counted:
            return True
        if self.rated.profile.readback == "effect_only":
            return None
        return any(power.promises(power.view.values(answers), fallback) for power in counted)

    def absent_w(self, fallback: Fallback) -> float:
        """The most that it gives when derctl is not there; a limit beside a target holds whatever that does."""
        powers, full = self.groups.powers, self.rated.rating.p_max_w
        if powers:
            return min(power.absent_w(fallback, full) for power in powers)
        held = fallback.by == FallbackBy.DEVICE and fallback.p_ceiling_w is not None
        return (fallback.p_ceiling_w or 0.0) if held else full

    def sendable(self, setpoint: Setpoint) -> Setpoint:
        """On the steps of the registers, inside the rating."""
        limit, target, var = self.groups.limit, self.groups.target, self.groups.var
        return self.rated.on_steps(
            setpoint,
            limit=None if limit is None else limit.steps,
            target=None if target is None else target.steps,
            var=None if var is None else var.steps,
        )

    def write(
        self, setpoint: Setpoint, fallback: Fallback, answers: Answers, *, give_back_var: bool
    ) -> Exchange[Setpoint]:
        """The limit before the target, so that a target never shows unlimited; a target that is told no more is given
        back behind its limit."""
        if self.rated.profile.guarded:  # no timer: to keep one from running out would take a write every minute
            fallback = replace(fallback, by=FallbackBy.STANDS)
        setpoint = self.rated.inside(setpoint)
        limit, target, var = self.groups.limit, self.groups.target, self.groups.var
        if limit is not None and setpoint.p_ceiling_w is not None:
            yield from limit.write(setpoint.p_ceiling_w, fallback, answers)
        if target is not None and setpoint.p_target_w is not None:
            yield from target.write(setpoint.p_target_w, fallback, answers)
        elif target is not None and limit is not None and setpoint.p_ceiling_w is not None:
            yield from target.release(Fallback(), answers)
        if var is not None and setpoint.q_var is not None:
            yield from var.write(setpoint.q_var, fallback, answers)
        elif var is not None and give_back_var:
            yield from var.release(answers)
        return (yield from self.read_back())

    def release(
        self, fallback: Fallback, *, lift: bool, held: Setpoint = NOTHING, believed: bool = True
    ) -> Exchange[Setpoint]:
        """Power is given back although var is refused. Raises the first refusal."""
        answers = yield from self.groups.read()
        release = Release(
            groups=self.groups,
            rated=self.rated,
            fallback=fallback,
            lift=lift,
            held=held,
            accepted=self.accepted(self.groups.values(answers)),
            believed=believed and self.rated.profile.readback == "values",
        )
        refusals = list[DeviceError]()
        for part in release.parts(answers):
            try:
                yield from part
            except DeviceError as error:
                refusals.append(error)
        if refusals:
            raise refusals[0]
        return release.left((yield from self.read_back()))

    def read_back(self) -> Exchange[Setpoint]:
        """Read the control groups again and say what they hold."""
        return self.accepted(self.groups.values((yield from self.groups.read())))
