"""What the SunSpec control groups have in common: which points a write names, and how the device takes them.

Percentages are in the device's own base, read at bind. Scale factors come from the same poll as the values.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from derctl.core.dataclass import dataclass
from derctl.core.exchange import Exchange
from derctl.core.types import Fallback, Rating
from derctl.core.words import FallbackBy, Timer
from derctl.devices.profile import Profile
from derctl.devices.steps import Steps
from derctl.devices.sunspec.controls.bounds import Bounds, percents
from derctl.devices.sunspec.controls.sending import sent
from derctl.devices.sunspec.layout import View
from derctl.devices.types import Answers
from derctl.devices.writable import fits
from derctl.errors import DecodeError
from derctl.sunspec import absent, encode_point

NO_TIMER = "no reversion timer that reverts"
"""A problem of the device: fallback by reversion proves nothing there."""
TORN = "it takes one register in a request (profile: writes: registers), so these of two are not told: {}"

NEAR_PU = 0.005
"""A fallback that reads back is the right one within this share of the base: registers have steps."""


def timed(profile: Profile) -> bool:
    """Whether a timer may be counted upon: it reverts, and its registers bear to be written before half is spent."""
    return profile.timer_rearm != "none" and not profile.guarded


def whole(view: View, point: str, profile: Profile) -> bool:
    """Whether a write carries all of a point: function 6 has one register, and half a number is another one."""
    return profile.writes != "registers" or view.model.fixed[point].size == 1


def torn(view: View, values: Mapping[str, Any], profile: Profile) -> tuple[str, ...]:
    """The problem of the points that it has and can't be told."""
    names = [point for point in values if values[point] is not None and not whole(view, point, profile)]
    return (TORN.format(", ".join(names)),) if names else ()


def targeted(view: View, values: Mapping[str, Any], points: Sequence[str], profile: Profile) -> Timer:
    """A timer that reverts to a target, where the device has all its points, takes them, and it is known to revert at
    all."""
    there = all(values[point] is not None and whole(view, point, profile) for point in points)
    return Timer.TARGET if there and timed(profile) else Timer.NONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A control group at its place. base: what 100 % is, W or var. profile: how this device takes writes.
    steps: what its setpoint can be. timer: what its own reversion timer does.

    SHARES are its setpoints in percent.
    NEEDED are the points without which a write means nothing; others are left out where the device reads as not
    having them (unless its profile says that its control points never read as anything, or not until they are told).
    """

    NEEDED: ClassVar[frozenset[str]] = frozenset()
    SHARES: ClassVar[tuple[str, ...]] = ()

    view: View
    base: float
    profile: Profile
    steps: Steps
    timer: Timer = Timer.NONE

    def bounds(self, rating: Rating) -> Bounds:
        """The most that its points can be told."""
        return percents(*self.SHARES)

    def tells(self, values: Mapping[str, Any]) -> bool:
        """Whether what it was told reads back as anything: a device may take what it does not show."""
        return None not in [values[point] for point in self.NEEDED]

    def absent_w(self, fallback: Fallback, p_max_w: float) -> float:
        """The most that what it controls gives when derctl is not there. What has no target reverts to no limit."""
        if fallback.p_ceiling_w is None or (fallback.by == FallbackBy.REVERSION and self.timer is not Timer.TARGET):
            return p_max_w
        return max(fallback.p_ceiling_w, 0.0)

    def _kept(self, seconds: float | None, held_w: float | None, fallback: Fallback) -> bool:
        """Whether this stands with such a timer, or comes with it: a limit that stands has none."""
        runs = not seconds if fallback.by == FallbackBy.STANDS else 0.0 < (seconds or 0.0) <= fallback.after_s + 1.0
        return runs and held_w is not None and held_w <= (fallback.p_ceiling_w or 0.0) + NEAR_PU * self.base

    def _limit_w(self, enabled: int | None, percent: float | None, unlimited_w: float) -> float | None:
        """A limit in percent as it reads back; None where the device doesn't tell."""
        if enabled is None or percent is None:
            return None
        return unlimited_w if enabled == 0 else percent * self.base / 100.0

    def _write(self, answers: Answers, values: Mapping[str, tuple[int, ...]]) -> Exchange[None]:
        """Write these points in this order, neighbours in one request as far as the device takes that."""
        kept = {point: words for point, words in values.items() if self._has(point, answers)}
        yield from sent(self.view, self.profile, kept)

    def _has(self, point: str, answers: Answers) -> bool:
        if not whole(self.view, point, self.profile):
            return False
        if point in self.NEEDED or self.profile.readback == "effect_only":
            return True
        if self.profile.until_told and fits(f"{self.view.block.model_id}.{point}", self.profile.until_told):
            return True
        words, place = self._raw(answers, point), self.view.model.fixed[point]
        return len(words) == place.size and words != absent(place)

    def _percent(self, point: str, value: float, sf: int | None, *, down: bool = False) -> tuple[int, ...]:
        """`value` (W or var) as this point's percent of base."""
        return self._scaled(point, 100.0 * value / self.base, sf, most=100.0, down=down)

    def _scaled(
        self, point: str, value: float, sf: int | None, *, most: float, down: bool = False
    ) -> tuple[int, ...]:
        """`value` in this point's unit. down: between two steps the one nearer to 0, so never more than the value; so
        it is where the nearest is more than most."""
        if sf is None:
            raise DecodeError(f"model {self.view.model.id}: {point} has no scale factor now")
        if down or round(abs(value) * 10.0**-sf) * 10.0**sf > most:
            steps = math.floor(abs(value) * 10.0**-sf + 1e-6)
            value = math.copysign(steps * 10.0**sf, value)
        return encode_point(self.view.model, point, value, sf=sf)

    def _u32(self, seconds: float) -> tuple[int, int]:
        whole = round(seconds)
        return whole >> 16, whole & 0xFFFF

    def _raw(self, answers: Answers, point: str) -> tuple[int, ...]:
        place = self.view.model.fixed[point]
        return tuple(answers[self.view.name][place.offset : place.end])
