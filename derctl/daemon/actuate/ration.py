"""What one DER may be written: which points at all, and how much a day where its memory wears out."""

from __future__ import annotations

import math
from dataclasses import field

from derctl.core.dataclass import dataclass
from derctl.core.exchange import Permit, Write
from derctl.core.types import NOTHING, Setpoint
from derctl.daemon.actuate import wear as wears
from derctl.daemon.actuate.ledger import EACH, TOGGLED, Ledger
from derctl.devices import Profile
from derctl.devices.types import Answers, Controllable
from derctl.devices.writable import barred
from derctl.errors import WriteBarred


@dataclass(slots=True)
class Ration:
    """named: points that the site file lets derctl write beside those of setpoints."""

    id: str = ""
    ledger: Ledger = field(default_factory=Ledger)
    named: frozenset[str] = frozenset()

    def left(self, profile: Profile) -> int | None:
        """How often it may still be told something today; None: that is not counted."""
        return wears.left(self.ledger.wear(self.id), profile, self.ledger.clock())

    def bounded(self, wanted: Setpoint, held: Setpoint, profile: Profile, fallback_w: float | None) -> Setpoint:
        """What it may be told. held: what it was told last. fallback_w: its declared ceiling."""
        left = self.left(profile)
        if wears.may_raise(left, profile):
            return wanted
        return rationed(wanted, held, fallback_w, spent=left == 0)

    def keeps_back(self, desired: Setpoint, holds: Setpoint | None, told: Setpoint, profile: Profile) -> bool:
        """Whether this write has to wait for another day, or for a moment. holds: what the device reads back, or was
        told; None: nobody knows. told: what was sent to it last, whatever became of that."""
        left = self.left(profile)
        if wears.may_raise(left, profile):
            return False
        if holds is not None and not tightens(desired, holds):
            return True
        if left:
            return False
        wear, now_s = self.ledger.wear(self.id), self.ledger.clock()
        before = holds if told == NOTHING else told
        lower = before is not None and tightens(desired, before)
        wait_s = wears.OVER_EVERY_S if lower else wears.over_wait_s(wear, profile, now_s)
        return now_s - wear.last_s < wait_s

    def binds(self, desired: Setpoint, wanted: Setpoint, profile: Profile) -> bool:
        """Whether it is told something else than what is wanted since little is left."""
        return desired != wanted and not wears.may_raise(self.left(profile), profile)

    def text(self, profile: Profile) -> str:
        """For people: what keeps it from being raised."""
        return (
            f"its registers wear out: {self.left(profile)} of {profile.writes_a_day} writes a day are left; only what"
            " gives less power is written until older ones are a day old"
        )

    async def reserve(self, profile: Profile, *, toggle: bool) -> None:
        """Before a write: it is counted on disk first, where its memory wears out."""
        await self.ledger.reserve(self.id, profile, each=TOGGLED if toggle else EACH)

    async def reserve_spare(self, profile: Profile) -> None:
        """The same before a release."""
        await self.ledger.reserve_spare(self.id, profile)

    def permit(self, device: Controllable, profile: Profile, answers: Answers, *, urgent: bool) -> Permit:
        """The one place that each write of this DER passes on its way to the wire. urgent: it gives less power, or
        gives the device back, and is counted without being kept back. answers: of its last poll that counts."""

        def ask(write: Write) -> None:
            points, wear = device.points_of(write), self.ledger.wear(self.id)
            worn = profile.worn(points)
            for point in points:
                why = barred(point, self.named)
                if why is not None:
                    raise WriteBarred(f"{why}, which derctl never writes (ders[].may_write names exceptions)")
                spent = point in worn and not wears.left_of(wear, point, profile, self.ledger.clock())
                if spent and not urgent:
                    raise WriteBarred(f"{point}: {self.text(profile)}")
            if why := device.beyond(write, answers):
                raise WriteBarred(f"{why}: derctl keeps it back")
            self.ledger.wrote(self.id, points, profile)

        return ask


def rationed(wanted: Setpoint, held: Setpoint, fallback_w: float | None, *, spent: bool) -> Setpoint:
    """Nothing that gives more power than what is held. spent: nothing is left, so that a tightening goes to the
    fallback at once and from there to nothing: two writes beyond the day's do, whatever comes."""
    return Setpoint(
        p_ceiling_w=_ceiling(wanted.p_ceiling_w, held.p_ceiling_w, fallback_w or 0.0, spent=spent),
        p_target_w=_target(wanted.p_target_w, held.p_target_w, spent=spent),
        q_var=wanted.q_var,
    )


def _ceiling(wanted: float | None, held: float | None, fallback_w: float, *, spent: bool) -> float | None:
    if wanted is None or (held is not None and wanted >= held):
        return held
    if not spent:
        return wanted
    return 0.0 if held is not None and held <= fallback_w else min(wanted, fallback_w)


def _target(wanted: float | None, held: float | None, *, spent: bool) -> float | None:
    """Towards rest is less power, in both directions; across it only as far as rest."""
    if wanted is None or held is None:
        return held
    if wanted * held < 0.0:
        return 0.0
    if abs(wanted) >= abs(held):
        return held
    return 0.0 if spent else wanted


def both(told: Setpoint, read: Setpoint | None) -> Setpoint:
    """What a device holds: what it was told, and of what it was never told what it reads back."""
    if read is None:
        return told
    return Setpoint(
        p_ceiling_w=read.p_ceiling_w if told.p_ceiling_w is None else told.p_ceiling_w,
        p_target_w=read.p_target_w if told.p_target_w is None else told.p_target_w,
        q_var=read.q_var if told.q_var is None else told.q_var,
    )


def tightens(desired: Setpoint, accepted: Setpoint) -> bool:
    """Whether a device that holds this gives less power afterwards, or may."""
    ceiling = _less(desired.p_ceiling_w, accepted.p_ceiling_w)
    if desired.p_target_w is None:
        return ceiling
    target_w = math.inf if accepted.p_target_w is None else accepted.p_target_w
    return ceiling or abs(desired.p_target_w) < abs(target_w) or desired.p_target_w * target_w < 0.0


def _less(wanted: float | None, held: float | None) -> bool:
    return wanted is not None and (held is None or wanted < held)
