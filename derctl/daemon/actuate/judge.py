"""Whether a setpoint has been achieved, and the code of what stands in its way. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from derctl.core.types import Bound, Capability, Decision, DerState, Outcome, Setpoint
from derctl.core.words import Achieved, Reason, Status, What
from derctl.daemon.actuate.deadband import Written, taken
from derctl.devices import Profile

Verdict = tuple[Achieved, Reason | None]


class Case(NamedTuple):
    """What a judgement is made from. lost: why the device isn't heard, None while it is. trouble: what stands between
    the setpoint and the device. since_s: when the wish or its write changed last."""

    decision: Decision
    der: DerState
    written: Written | None
    profile: Profile
    written_at_all: bool
    lost: Reason | None
    trouble: Reason | None
    since_s: float


def wished(outcome: Outcome, decision: Decision, now_s: float) -> Outcome:
    """The outcome with what is requested and desired now."""
    if decision.requested != outcome.requested:
        asked, by = decision.requested, decision.requested_by
        outcome = replace(outcome, requested=asked, requested_by=by, requested_s=now_s)
    if decision.setpoint != outcome.desired:
        outcome = replace(outcome, desired=decision.setpoint, desired_s=now_s)
    return outcome


def judged(outcome: Outcome, case: Case, now_s: float) -> Outcome:
    """The outcome with what is accepted and achieved now."""
    seen = case.der.reading.accepted if case.der.fresh else outcome.accepted
    if seen != outcome.accepted:
        outcome = replace(outcome, accepted=seen, accepted_s=now_s)
    word, reason = _verdict(outcome.desired, case, now_s)
    if (word, reason) != (outcome.achieved, outcome.reason):
        outcome = replace(outcome, achieved=word, reason=reason, achieved_s=now_s)
    return outcome


def _verdict(desired: Setpoint, case: Case, now_s: float) -> Verdict:
    der, profile = case.der, case.profile
    if not case.written_at_all:
        return Achieved.UNKNOWN, Reason.GATE_CLOSED
    if not der.fresh:
        return Achieved.UNKNOWN, case.lost or Reason.STALE
    word, reason = achieved(desired, der, profile, now_s - case.since_s > profile.settle_s)
    return word, case.trouble or _override(case, now_s) or reason or _short(case)


def _override(case: Case, now_s: float) -> Reason | None:
    return Reason.OVERRIDE if overridden(case.written, case.der, case.profile, now_s) else None


def _short(case: Case) -> Reason | None:
    asked = case.decision.requested
    return None if asked is None else kept_back(asked, case.decision, case.der.can)


def achieved(desired: Setpoint, der: DerState, profile: Profile, settled: bool) -> Verdict:
    """`achieved` and its reason code, from the measurement. settled: the profile's time for it has passed."""
    p, q = der.reading.p_w, der.reading.q_var
    if not der.fresh or p is None:
        return Achieved.UNKNOWN, Reason.STALE
    tol = profile.tolerance_pct / 100.0 * der.rating.size_w
    miss = Achieved.NO if settled else Achieved.PENDING
    if desired.q_var is not None and q is not None:
        q_tol = profile.tolerance_pct / 100.0 * der.rating.s_max_va
        if abs(q - desired.q_var) > q_tol:
            return miss, Reason.NO_SUN if der.reading.status is Status.ASLEEP else None
    if desired.p_target_w is not None:
        if abs(p - desired.p_target_w) <= tol:
            return Achieved.YES, None
        return miss, _why_short(desired.p_target_w, p, der)
    if desired.p_ceiling_w is None:
        return Achieved.UNKNOWN, None
    if p > desired.p_ceiling_w + tol:
        return miss, None
    return (Achieved.YES if p >= desired.p_ceiling_w - tol else Achieved.NOT_BINDING), None


def _why_short(target: float, p: float, der: DerState) -> Reason | None:
    limit = der.reading.p_discharge_limit_w if target > p else der.reading.p_charge_limit_w
    return Reason.BMS_LIMIT if limit is not None and abs(target) > limit else None


def kept_back(asked: Setpoint, decision: Decision, can: Capability) -> Reason | None:
    """Why a request is not the decision: the device can't, its meter does not count, its BMS, or somebody senior."""
    if not can.steer or (asked.p_target_w is not None and not can.aim):
        return Reason.NOT_SUPPORTED
    got = decision.setpoint
    short = asked.p_target_w is not None and got.p_target_w != asked.p_target_w
    low = asked.p_ceiling_w is not None and got.p_ceiling_w is not None and got.p_ceiling_w < asked.p_ceiling_w
    if not (short or low):
        return None
    others = [bound for bound in decision.bound_by if bound.by != decision.requested_by]
    if any(bound.by == "bms_guard" and _excludes(bound, asked) for bound in others):
        return Reason.BMS_LIMIT
    lost = any(bound.why == Reason.METER_LOST for bound in others)
    return Reason.METER_LOST if lost else Reason.SENIOR_BOUND


def _excludes(bound: Bound, asked: Setpoint) -> bool:
    """Whether a bound stands against what was asked: a battery's discharge limit does not against charging."""
    wish_w = asked.p_ceiling_w if asked.p_target_w is None else asked.p_target_w
    if wish_w is None or bound.what not in {What.CEILING, What.FLOOR}:
        return True
    return bound.value < wish_w if bound.what == What.CEILING else bound.value > wish_w


def overridden(written: Written | None, der: DerState, profile: Profile, now_s: float) -> bool:
    """Whether a device that had taken a setpoint reads back another one now: a second master, or its own mind.

    now_s: when the age was taken.
    """
    accepted = der.reading.accepted
    if written is None or written.refusals or accepted is None or profile.readback == "effect_only":
        return False
    later = now_s - der.age_s > written.at_s
    return later and not taken(written.setpoint, accepted, der.rating, profile)
