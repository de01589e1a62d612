"""Whether a setpoint has been achieved, and the code of what stands in its way. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from derctl.core.capability import DARK
from derctl.core.types import Bound, Capability, Decision, DerState, Outcome, Setpoint
from derctl.core.value import replace
from derctl.core.words import Achieved, Reason, Status, What
from derctl.daemon.actuate.deadband import Written, taken
from derctl.daemon.course import Course, left
from derctl.devices import Profile

Verdict = tuple[Achieved, Reason | None]

VAR_FROM_PU = 0.2
"""Below this share of its rating an inverter need not give all of its var (IEEE 1547-2018, 5.2)."""


class Case(NamedTuple):
    """What a judgement is made from. lost: why the device isn't heard, None while it is. trouble: what stands between
    the setpoint and the device. course: what it took over of late. unfinished: a write is under way, or broke off.
    void_w: what it claimed when its power contradicted that, None while its claim counts."""

    decision: Decision
    der: DerState
    written: Written | None
    profile: Profile
    written_at_all: bool
    lost: Reason | None
    trouble: Reason | None
    course: Course | None
    unfinished: bool = False
    void_w: float | None = None


def judged(outcome: Outcome, case: Case, second: bool | None, now_s: float) -> Outcome:
    """The outcome with what is requested, desired, accepted and achieved now. A write or a release that was read back
    knows more than a poll before it. second: what `overridden` says."""
    decision, changes = case.decision, dict[str, Any]()
    if decision.requested != outcome.requested:
        changes |= {"requested": decision.requested, "requested_by": decision.requested_by, "requested_s": now_s}
    if decision.setpoint != outcome.desired:
        changes |= {"desired": decision.setpoint, "desired_s": now_s}
    older = outcome.accepted_s is not None and now_s - case.der.age_s < outcome.accepted_s
    if not older and case.der.fresh and case.der.reading.accepted != outcome.accepted:
        changes |= {"accepted": case.der.reading.accepted, "accepted_s": now_s}
    word, reason = _verdict(decision.setpoint, case, second, now_s)
    if word is not outcome.achieved or reason is not outcome.reason:
        changes |= {"achieved": word, "reason": reason, "achieved_s": now_s}
    return replace(outcome, **changes) if changes else outcome


def _verdict(desired: Setpoint, case: Case, second: bool | None, now_s: float) -> Verdict:
    der, profile = case.der, case.profile
    void = Reason.CONTRADICTED if contradicted(case) else None
    if not case.written_at_all:
        return Achieved.UNKNOWN, void or Reason.GATE_CLOSED
    if not der.fresh:
        return Achieved.UNKNOWN, case.lost or Reason.STALE
    word, reason = achieved(desired, der, profile, case.course, now_s - der.age_s)
    other = Reason.OVERRIDE if second else None
    return word, case.trouble or other or reason or _short(case) or _too_little(case) or void


def _short(case: Case) -> Reason | None:
    asked = case.decision.requested
    return None if asked is None else kept_back(asked, case.decision, case.der.can)


def _too_little(case: Case) -> Reason | None:
    """It may give something, and less than one step of its register or than keeps it awake: it is told 0 W."""
    if case.written is None or case.der.reading.status in DARK:
        return None
    for bound in case.decision.bound_by:
        if bound.why is Reason.BELOW_MINIMUM:
            return Reason.BELOW_MINIMUM
    told_w, may_w = case.written.setpoint.p_ceiling_w, case.decision.setpoint.p_ceiling_w
    return Reason.BELOW_MINIMUM if told_w == 0.0 and may_w is not None and may_w > 0.0 else None


def achieved(desired: Setpoint, der: DerState, profile: Profile, course: Course | None, at_s: float) -> Verdict:
    """`achieved` and its reason code, from the measurement of at_s."""
    if not der.fresh or der.reading.p_w is None:
        return Achieved.UNKNOWN, Reason.STALE
    what = missed(desired, der, profile)
    if what is not None:
        value = der.reading.q_var if what is What.VAR else der.reading.p_w
        gone = course is not None and value is not None and _left(course, what, value, der, profile, at_s)
        reason = _why_missed(what, desired, der)
        if gone:
            return Achieved.NO, reason or Reason.NOT_FOLLOWED
        return Achieved.PENDING, reason
    if desired.p_target_w is not None:
        return Achieved.YES, None
    if desired.p_ceiling_w is None:
        return Achieved.UNKNOWN, None
    near = der.reading.p_w >= desired.p_ceiling_w - tolerance_of(What.CEILING, der, profile)
    return (Achieved.YES if near else Achieved.NOT_BINDING), None


def missed(desired: Setpoint, der: DerState, profile: Profile) -> What | None:
    """The part of a setpoint that is not measured, outside the tolerance."""
    p, q, share = der.reading.p_w, der.reading.q_var, profile.tolerance_pct / 100.0
    if desired.q_var is not None and q is not None and abs(q - desired.q_var) > share * der.rating.s_max_va:
        return What.VAR
    if p is None:
        return None
    tol = share * der.rating.size_w
    if desired.p_target_w is not None:
        return What.TARGET if abs(p - desired.p_target_w) > tol else None
    over = desired.p_ceiling_w is not None and p > desired.p_ceiling_w + tol
    return What.CEILING if over else None


def tolerance_of(what: What, der: DerState, profile: Profile) -> float:
    """W or var."""
    base = der.rating.s_max_va if what is What.VAR else der.rating.size_w
    return profile.tolerance_pct / 100.0 * base


def _left(course: Course, what: What, value: float, der: DerState, profile: Profile, at_s: float) -> bool:
    return left(course, what, value, tolerance_of(what, der, profile), at_s, profile.settle_s)


def _why_missed(what: What, desired: Setpoint, der: DerState) -> Reason | None:
    p = der.reading.p_w or 0.0
    if what is What.VAR:
        little = not der.can.store and abs(p) < VAR_FROM_PU * der.rating.size_w
        return Reason.NO_SUN if little or der.reading.status is Status.ASLEEP else None
    return _why_short(desired.p_target_w, p, der) if desired.p_target_w is not None else None


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
    said = (Reason.FIRMWARE_CHANGED, Reason.METER_LOST)
    return next((why for why in said if any(bound.why is why for bound in others)), Reason.SENIOR_BOUND)


def _excludes(bound: Bound, asked: Setpoint) -> bool:
    """Whether a bound stands against what was asked: a battery's discharge limit does not against charging."""
    wish_w = asked.p_ceiling_w if asked.p_target_w is None else asked.p_target_w
    if wish_w is None or bound.what not in {What.CEILING, What.FLOOR}:
        return True
    return bound.value < wish_w if bound.what == What.CEILING else bound.value > wish_w


def overridden(case: Case, now_s: float) -> bool | None:
    """Whether a device that had taken a setpoint reads back another one now: a second master, or its own mind.

    None where nothing tells: what was read while our own write was under way, or by the poll after it, may be half of
    what was before. now_s: when the age was taken.
    """
    written, der = case.written, case.der
    accepted = der.reading.accepted
    if written is None or written.refusals or accepted is None or case.profile.readback == "effect_only":
        return None
    later = now_s - der.age_s > written.at_s and der.sample > written.sample + 1
    if case.unfinished or not later or not der.fresh:
        return None
    return not taken(written.setpoint, accepted, der.rating, case.profile)


def contradicted(case: Case) -> bool:
    """Whether it claims something else than what it gives, and than what it was told: else it just doesn't follow."""
    if case.void_w is None:
        return False
    tolerance = tolerance_of(What.CEILING, case.der, case.profile)
    course = case.course
    ours = [] if course is None else [course.setpoint, *(before for _, before in course.past)]
    told = [each.p_ceiling_w if each.p_target_w is None else each.p_target_w for each in ours]
    return not any(watts is not None and abs(watts - case.void_w) <= tolerance for watts in told)


def spells(case: Case, outcome: Outcome, second: bool | None, now_s: float) -> dict[Reason, bool]:
    """What is worth a word to people while it lasts: whether it is so now, as far as that is known. second: what
    `overridden` says."""
    found: dict[Reason, bool] = {Reason.CONTRADICTED: contradicted(case)}
    if not case.written_at_all:
        return found | {Reason.OVERRIDE: False, Reason.NOT_FOLLOWED: False}
    if second:
        found[Reason.OVERRIDE] = True
    elif second is False and case.written is not None and now_s - case.written.at_s > case.profile.settle_s:
        found[Reason.OVERRIDE] = False  # a fight with a second master is one spell
    if outcome.achieved in {Achieved.YES, Achieved.NOT_BINDING}:
        found[Reason.NOT_FOLLOWED] = False
    elif outcome.reason is Reason.NOT_FOLLOWED:
        found[Reason.NOT_FOLLOWED] = True
    return found


def to_tell(told: frozenset[Reason], seen: Mapping[Reason, bool]) -> tuple[frozenset[Reason], list[Reason]]:
    """What has been told of spells that go on, and what is to be told now: each once, until it is seen to be over."""
    if not told and not any(seen.values()):
        return told, []
    fresh = [reason for reason, so in seen.items() if so and reason not in told]
    over = {reason for reason, so in seen.items() if not so}
    if not fresh and not told & over:
        return told, []
    return (told | set(fresh)) - over, fresh
