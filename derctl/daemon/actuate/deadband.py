"""Whether a setpoint has to be written now, and whether the device took it. Pure."""

from __future__ import annotations

import math

from derctl.core.types import Fallback, Rating, Setpoint
from derctl.core.value import value
from derctl.core.words import WriteFor
from derctl.devices import Profile

EXACT_PU = 0.002
"""Less power is asked for from this share of the rating on; only more of it has the profile's dead band."""

GIVE_BACK_S = 10.0
"""Var that nobody asks for any more is given back after this: a function that misses one input costs no write."""

PATIENT_FROM = 3
"""Refusals in a row from which on a device is asked less and less often."""
PATIENT_S = 30.0
PATIENT_WORN_S = 3600.0
"""The longest pause of one that is asked less and less often; of one whose memory wears out (docs/sources.md)."""


@value
class Written:
    """The last write: what, when (monotonic), and how often in a row the device did not take it over.

    found: what the device read back of it, None where it can't be read back. sample: of its last poll then.
    """

    setpoint: Setpoint
    at_s: float
    refusals: int = 0
    found: Setpoint | None = None
    sample: int = -1


def reason_to_write(
    desired: Setpoint,
    accepted: Setpoint | None,
    written: Written | None,
    *,
    rating: Rating,
    fallback: Fallback,
    profile: Profile,
    now_s: float,
    p_w: float | None = None,
    q_unasked_s: float | None = None,
    broken: bool = False,
    lapses_s: float | None = None,
) -> WriteFor | None:
    """Why it has to be written now (now_s, monotonic), None where it hasn't.

    p_w: what it gives, measured when the last write had had its time to show; None where that is not known.
    q_unasked_s: how long nobody has asked for var, where derctl wrote some and hasn't given it back.
    broken: a later write broke off: what it left in one that can't be read back is not known.
    lapses_s: of a device whose timer runs whatever is declared, after how long at the latest.
    """
    blind = profile.readback == "effect_only"
    if written is None and _told(desired, fallback, blind=blind):
        return WriteFor.FIRST
    if written is not None:
        since_s = now_s - written.at_s
        if since_s < profile.write_min_interval_s:
            return None
        if not profile.guarded and _half_spent(since_s, desired, fallback, lapses_s):
            return WriteFor.REFRESH
        if since_s < _patience_s(written.refusals, profile) and not tighter(
            desired, written.setpoint, rating, profile
        ):
            return None
    if var_left(desired, accepted, q_unasked_s, profile):
        return WriteFor.GIVE_BACK
    stands = _standing(None if blind else accepted, written, rating)
    if differs(desired, stands, rating, profile) or (blind and broken):
        return WriteFor.CHANGED
    if written is None or desired.p_ceiling_w is None:
        return None
    return WriteFor.DISOBEYED if obeys(written, p_w, rating, profile) is False else None


def _half_spent(since_s: float, desired: Setpoint, fallback: Fallback, lapses_s: float | None) -> bool:
    """Whether half of the device's timer has gone, where it has one."""
    timed = fallback.by != "stands" or desired.q_var is not None or lapses_s is not None
    after_s = min(fallback.after_s, math.inf if lapses_s is None else lapses_s)
    return timed and since_s >= after_s / 2.0


def _standing(accepted: Setpoint | None, written: Written | None, rating: Rating) -> Setpoint:
    """What stands in it: what it reads back, or what was written where it took that over in its own way, or where it
    can't be read back."""
    if accepted is None or (written is not None and _as_it_took_it(written, accepted)):
        return Setpoint(p_ceiling_w=rating.p_max_w) if written is None else written.setpoint
    return accepted


def _told(desired: Setpoint, fallback: Fallback, *, blind: bool) -> bool:
    """Whether there is something to tell a device for the first time. One that reads back shows its limit."""
    limited = blind and desired.p_ceiling_w is not None
    return desired.p_target_w is not None or desired.q_var is not None or limited or fallback.p_ceiling_w is not None


def _as_it_took_it(written: Written, accepted: Setpoint) -> bool:
    """Whether the device still holds what it made of the last write, by its own rounding: to write the same again
    would change nothing."""
    return not written.refusals and accepted == written.found


def var_left(desired: Setpoint, accepted: Setpoint | None, q_unasked_s: float | None, profile: Profile) -> bool:
    """Whether var that derctl wrote, and nobody asks for any more, stands in the device."""
    if desired.q_var is not None or q_unasked_s is None or q_unasked_s < GIVE_BACK_S:
        return False
    return profile.readback == "effect_only" or (accepted is not None and accepted.q_var is not None)


def obeys(written: Written, p_w: float | None, rating: Rating, profile: Profile) -> bool | None:
    """Whether a device that can't be read back keeps the ceiling that was written; None where nothing tells."""
    ceiling_w = written.setpoint.p_ceiling_w
    if profile.readback != "effect_only" or ceiling_w is None or p_w is None:
        return None
    return p_w <= ceiling_w + profile.tolerance_pct / 100.0 * rating.size_w


def _patience_s(refusals: int, profile: Profile) -> float:
    """Nothing after one or two refusals, then 2, 4, 8 ... 30 s: a device that doesn't obey is not flooded. Up to an
    hour where its memory wears out."""
    most_s = PATIENT_WORN_S if profile.guarded else PATIENT_S
    return 0.0 if refusals < PATIENT_FROM else min(most_s, 2.0 ** min(refusals - 2, 16))


def tighter(desired: Setpoint, tried: Setpoint, rating: Rating, profile: Profile) -> bool:
    """Whether this asks for less power than what was tried, outside the dead band: that never has to wait.

    Each such write is lower than the last one, so that a device that takes nothing gets a bounded number of them.
    """
    step = max(EXACT_PU, profile.deadband_pct / 100.0) * rating.size_w
    pairs = ((desired.p_ceiling_w, tried.p_ceiling_w), (desired.p_target_w, tried.p_target_w))
    return any(now is not None and before is not None and abs(now) < abs(before) - step for now, before in pairs)


def differs(desired: Setpoint, held: Setpoint, rating: Rating, profile: Profile) -> bool:
    """Whether any part is outside its dead band."""
    band = profile.deadband_pct / 100.0
    p_scale, q_scale = rating.size_w, rating.s_max_va
    ceiling = _ceiling_differs(desired.p_ceiling_w, held.p_ceiling_w, p_scale, band)
    target = _target_differs(desired.p_target_w, held.p_target_w, p_scale, band)
    value = _value_differs(desired.q_var, held.q_var, q_scale, band)
    return ceiling or target or value or target_left(desired, held)


def target_left(desired: Setpoint, held: Setpoint) -> bool:
    """Whether a target still stands in a device that is to have its ceiling alone, so that its sun flows."""
    return desired.p_target_w is None and desired.p_ceiling_w is not None and held.p_target_w is not None


def _ceiling_differs(desired: float | None, held: float | None, scale: float, band: float) -> bool:
    if desired is None:
        return False
    if held is None:
        return True
    if desired < held - EXACT_PU * scale:
        return True
    at_edge = desired >= scale or desired <= 0.0
    return desired > held + (EXACT_PU if at_edge else band) * scale


def _target_differs(desired: float | None, held: float | None, scale: float, band: float) -> bool:
    if desired is None or held is None:
        return desired is not None
    towards_zero = abs(desired) < abs(held) or desired * held < 0.0
    return abs(desired - held) > (EXACT_PU if towards_zero else band) * scale


def _value_differs(desired: float | None, held: float | None, scale: float, band: float) -> bool:
    if desired is None:
        return False
    if held is None:
        return True
    return abs(desired - held) > (EXACT_PU if desired == 0.0 else band) * scale


def near(desired: Setpoint, accepted: Setpoint, rating: Rating, profile: Profile) -> bool:
    """Whether what the device reads back is what was written, so that nothing is to be written again: within the dead
    band, where that is narrower than the tolerance."""
    return _within(desired, accepted, rating, min(profile.deadband_pct, profile.tolerance_pct))


def taken(desired: Setpoint, accepted: Setpoint, rating: Rating, profile: Profile) -> bool:
    """Whether what the device reads back is what was written, within the profile's tolerance."""
    return _within(desired, accepted, rating, profile.tolerance_pct)


def _within(desired: Setpoint, accepted: Setpoint, rating: Rating, share_pct: float) -> bool:
    share = max(EXACT_PU, share_pct / 100.0)
    p_tol, q_tol = share * rating.size_w, share * rating.s_max_va
    there = (
        _there(desired.p_ceiling_w, accepted.p_ceiling_w, p_tol)
        and _there(desired.p_target_w, accepted.p_target_w, p_tol)
        and _there(desired.q_var, accepted.q_var, q_tol)
    )
    return there and not target_left(desired, accepted)


def _there(wish: float | None, held: float | None, tolerance: float) -> bool:
    return wish is None or (held is not None and abs(wish - held) <= tolerance)
