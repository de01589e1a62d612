"""Whether a setpoint has been achieved, and the code of what stands in its way. Pure."""

from __future__ import annotations

from derctl.core.types import Capability, Decision, DerState, Setpoint
from derctl.core.words import Status
from derctl.daemon.actuate.deadband import Written, taken
from derctl.devices import Profile


def achieved(desired: Setpoint, der: DerState, profile: Profile, settled: bool) -> tuple[str, str | None]:
    """`achieved` and its reason code, from the measurement. settled: the profile's time for it has passed."""
    p, q = der.reading.p_w, der.reading.q_var
    if not der.fresh or p is None:
        return "unknown", "stale"
    tol = profile.tolerance_pct / 100.0 * der.rating.size_w
    miss = "no" if settled else "pending"
    if desired.q_var is not None and q is not None:
        q_tol = profile.tolerance_pct / 100.0 * der.rating.s_max_va
        if abs(q - desired.q_var) > q_tol:
            return miss, "no_sun" if der.reading.status is Status.ASLEEP else None
    if desired.p_target_w is not None:
        if abs(p - desired.p_target_w) <= tol:
            return "yes", None
        return miss, _why_short(desired.p_target_w, p, der)
    if desired.p_ceiling_w is None:
        return "unknown", None
    if p > desired.p_ceiling_w + tol:
        return miss, None
    return ("yes", None) if p >= desired.p_ceiling_w - tol else ("not_binding", None)


def _why_short(target: float, p: float, der: DerState) -> str | None:
    limit = der.reading.p_discharge_limit_w if target > p else der.reading.p_charge_limit_w
    return "bms_limit" if limit is not None and abs(target) > limit else None


def kept_back(asked: Setpoint, decision: Decision, can: Capability) -> str | None:
    """Why a request is not the decision: the device can't, its meter does not count, its BMS, or somebody senior."""
    if not can.steer or (asked.p_target_w is not None and not can.aim):
        return "not_supported"
    got = decision.setpoint
    short = asked.p_target_w is not None and got.p_target_w != asked.p_target_w
    low = asked.p_ceiling_w is not None and got.p_ceiling_w is not None and got.p_ceiling_w < asked.p_ceiling_w
    if not (short or low):
        return None
    others = [bound for bound in decision.bound_by if bound.by != decision.requested_by]
    if any(bound.by == "bms_guard" for bound in others):
        return "bms_limit"
    return "meter_lost" if any(bound.why == "meter_lost" for bound in others) else "senior_bound"


def overridden(written: Written | None, der: DerState, profile: Profile, now_s: float) -> bool:
    """Whether a device that had taken a setpoint reads back another one now: a second master, or its own mind.

    now_s: when the age was taken.
    """
    accepted = der.reading.accepted
    if written is None or written.refusals or accepted is None or profile.readback == "effect_only":
        return False
    later = now_s - der.age_s > written.at_s
    return later and not taken(written.setpoint, accepted, der.rating, profile)
