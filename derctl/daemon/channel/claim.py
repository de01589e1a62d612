"""What a device's read-back is worth: what its measured power contradicts is no claim. Pure."""

from __future__ import annotations

from functools import cache

from derctl.core.types import Rating, Reading, Setpoint
from derctl.core.value import replace, value
from derctl.core.words import What
from derctl.daemon.course import Course, left, measured, went_on
from derctl.devices import Profile


@value
class Claim:
    """mute: it reads back nothing at all. void: contradicted, so that it counts no more. said_w: what it claimed when
    it was contradicted last.

    course: the most that it claims, and since when it gives more. under: of a target, the same mirrored. kept_s: of a
    void one that claims something else now: since when the power is right there.
    """

    mute: bool = False
    void: bool = False
    said_w: float | None = None
    course: Course | None = None
    under: Course | None = None
    kept_s: float | None = None

    @property
    def blind(self) -> bool:
        """What it reads back says nothing."""
        return self.mute or self.void

    @property
    def doubtful(self) -> bool:
        """It gives something else than it claims now, be it for a moment: no ground to hold it to that for good."""
        return self.blind or any(each is not None and each.astray_s is not None for each in (self.course, self.under))


def weighed(
    claim: Claim, reading: Reading, rating: Rating, profile: Profile, now_s: float, *, before_s: float
) -> Claim:
    """After a reading that has just arrived. before_s: when the one before it did; nobody knows what was in a gap."""
    said_w, p_w = claimed_w(reading.accepted, rating), reading.p_w
    if said_w is None or p_w is None or now_s - before_s > profile.settle_s:
        claim = _begun_anew(claim)
    if said_w is None or p_w is None:
        return claim
    tolerance = profile.tolerance_pct / 100.0 * rating.size_w
    aims = reading.accepted is not None and reading.accepted.p_target_w is not None
    # Giving nothing contradicts nothing: a battery that is to charge may be full, one that is to discharge empty.
    course = _went_on(claim.course, max(said_w, 0.0), p_w, tolerance, profile.settle_s, now_s)
    under = _went_on(claim.under, max(-said_w, 0.0), -p_w, tolerance, profile.settle_s, now_s) if aims else None
    if course is not claim.course or under is not claim.under:
        claim = replace(claim, course=course, under=under)
    beyond = left(course, What.CEILING, p_w, tolerance, now_s, profile.settle_s)
    if beyond or (under is not None and left(under, What.CEILING, -p_w, tolerance, now_s, profile.settle_s)):
        return replace(claim, void=True, said_w=said_w, kept_s=None)
    return _kept(claim, said_w, p_w, tolerance, profile.settle_s, now_s) if claim.void else claim


def _begun_anew(claim: Claim) -> Claim:
    if claim.course is None and claim.under is None and claim.kept_s is None:
        return claim
    return replace(claim, course=None, under=None, kept_s=None)


def _went_on(
    course: Course | None, most_w: float, p_w: float, tolerance: float, settle_s: float, now_s: float
) -> Course:
    if course is None or course.setpoint.p_ceiling_w != most_w:
        course = went_on(course, Setpoint(p_ceiling_w=most_w), now_s, settle_s)
    return measured(course, now_s, astray=p_w > most_w + tolerance)


def _kept(claim: Claim, said_w: float, p_w: float, tolerance: float, settle_s: float, now_s: float) -> Claim:
    """A void claim counts again once it says something else and the power stays right there for the settle time: a
    night in which it gives nothing proves nothing."""
    there = said_w != claim.said_w and abs(p_w) > tolerance and abs(p_w - said_w) <= tolerance
    kept_s = None if not there else now_s if claim.kept_s is None else claim.kept_s
    if kept_s is not None and now_s - kept_s > settle_s:
        return replace(claim, void=False, said_w=None, kept_s=None)
    return replace(claim, kept_s=kept_s)


def claimed_w(accepted: Setpoint | None, rating: Rating) -> float | None:
    """The power that a device says it was told, W; None where it says nothing, or that nothing limits it."""
    if accepted is None:
        return None
    if accepted.p_target_w is not None:
        return accepted.p_target_w
    ceiling_w = accepted.p_ceiling_w
    return None if ceiling_w is None or ceiling_w >= rating.p_max_w else ceiling_w


def counts(claim: Claim, profile: Profile) -> bool:
    """Whether what it reads back says anything."""
    return profile.readback == "values" and not claim.blind


def profile_of(claim: Claim, profile: Profile) -> Profile:
    """The profile by what the device has shown: one that claims nothing can't be read back."""
    return _blind(profile) if claim.blind else profile


@cache
def _blind(profile: Profile) -> Profile:
    return replace(profile, readback="effect_only")
