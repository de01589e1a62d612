"""How much load is credited: up in small steps that the meter has to show, down at once, away with old evidence."""

from __future__ import annotations

from derctl.core.evidence import Evidence, Need
from derctl.core.pace import LATE_S
from derctl.core.value import replace, value

RISE_PU = 0.04
"""A step of credit, per unit of the DERs' rating."""
RISE_S, SHOWN_S = 2.5, 2.0
"""A step has to be shown within RISE_S, the meter's lateness and two of its refreshes, and stands for SHOWN_S."""
SHOWN = 0.5
"""The least share of a step that the meter has to show."""
MOVED_PU, JUDGED_PU = 0.1, 0.25
"""Shares of a step: up to the first one nobody took it; from the second one on it can be judged."""
JUMPED, JUMPS = 2.2, 3
"""What the meter shows beside a step, in steps, from which it is the load's: a reversed meter shows two. So often the
step is looked at again."""
BUCKETS_S = 1.0
"""Meter and DERs are not read at the same instant."""
AGE_MAX_S, AWAY_PU_PER_S = 300.0, 0.02
"""Credit on older evidence goes away so fast, per unit of the DERs' rating."""
RENEW_S, RENEW_MIN_S, RENEW_WH, NOTICE_S = 230.0, 20.0, 35.0, 25.0
"""Evidence is renewed from this age on, or from an earlier one at which a wrong meter would have let out so much
within that and the time to notice it."""


@value
class Low:
    """The least that the meter showed in this BUCKETS_S and in the one before, W. in_s: since this one began."""

    now_w: float = 0.0
    before_w: float = 0.0
    in_s: float = BUCKETS_S


@value
class Credit:
    """load_w: what may go out beyond what may without a meter, a step above sure_w at most: so much the meter was
    shown to follow; None: not known yet. ders_w, low: before the step; wait_s: for how long it waits to be shown.
    back: it is taken anew. jumps: of the load, so often in a row. suspect: it was not shown, or the evidence is old.
    age_s: of the evidence, one tick ago.
    """

    load_w: float = 0.0
    sure_w: float | None = None
    ders_w: float = 0.0
    low: Low = Low()
    wait_s: float = 0.0
    back: bool = False
    jumps: int = 0
    suspect: bool = False
    age_s: float | None = None


NO_LOW = Low()


@value
class Use:
    """sum_w: what the DERs give. used_w: how much of that only load lets go out. wanted_w: how much the loop would
    like. poc_w: the meter. scale_w: the DERs' rating."""

    sum_w: float
    used_w: float
    wanted_w: float
    poc_w: float
    scale_w: float


def need_of(credit: Credit, used_w: float, always_pu: float) -> Need:
    """What depends on the meter by this credit."""
    age_s = min(RENEW_S, max(RENEW_WH * 3600.0 / max(used_w, 1.0) - NOTICE_S, RENEW_MIN_S))
    return Need(exposed_w=used_w, suspect=credit.suspect, always_pu=always_pu, age_s=age_s, steps=False, limited=True)


def credited(credit: Credit, evidence: Evidence, use: Use, dt_s: float) -> Credit:
    """One tick on. Before there is evidence, its age is how long something has depended on it."""
    age_s = evidence.age_s
    if age_s is None:
        age_s = 0.0 if credit.age_s is None or use.used_w <= 0.0 else credit.age_s + dt_s
    return replace(_aged(credit, evidence, age_s, use, dt_s), age_s=age_s)


def _aged(credit: Credit, evidence: Evidence, age_s: float, use: Use, dt_s: float) -> Credit:
    """By the age of the evidence, and while it is renewed."""
    sure_w = use.used_w if credit.sure_w is None else credit.sure_w
    renewed = credit.age_s is not None and age_s < credit.age_s
    if age_s >= AGE_MAX_S:
        sure_w = max(min(sure_w, use.used_w) - AWAY_PU_PER_S * use.scale_w * dt_s, 0.0)
        return Credit(load_w=sure_w, sure_w=sure_w, suspect=True)
    if credit.suspect and not renewed:
        sure_w = min(sure_w, use.used_w)
        return Credit(load_w=sure_w, sure_w=sure_w, suspect=True)
    if evidence.most_w is not None:
        load_w = min(max(credit.load_w, sure_w), max(use.wanted_w, 0.0))  # it may begin in a dip
        return Credit(load_w=load_w, sure_w=min(sure_w, load_w), ders_w=use.sum_w)
    if renewed:  # the meter was shown to follow where the DERs are now
        sure_w = max(sure_w, use.used_w)
    return _stepped(replace(credit, suspect=False), min(sure_w, max(use.wanted_w, 0.0)), evidence, use, dt_s)


def _stepped(credit: Credit, sure_w: float, evidence: Evidence, use: Use, dt_s: float) -> Credit:
    """Whether the meter came along with what the DERs did since they gave no more than is sure."""
    rise_w = RISE_PU * use.scale_w
    load_w, wait_s, low = sure_w + rise_w, credit.wait_s + dt_s, credit.low
    if use.used_w <= sure_w + MOVED_PU * rise_w:
        low = _lowered(low, use.poc_w, dt_s)
        return Credit(load_w=load_w, sure_w=sure_w, ders_w=use.sum_w, low=low, jumps=credit.jumps)
    if credit.back:
        return replace(credit, load_w=sure_w, sure_w=sure_w)
    moved_w, seen_w = use.sum_w - credit.ders_w, use.poc_w - min(low.now_w, low.before_w)
    judged = moved_w >= JUDGED_PU * rise_w
    if judged and seen_w >= SHOWN * moved_w and wait_s >= SHOWN_S:
        sure_w = min(use.used_w, load_w)
        return Credit(
            load_w=sure_w + rise_w, sure_w=sure_w, ders_w=use.sum_w, low=_lowered(low, use.poc_w, BUCKETS_S)
        )
    late_s = LATE_S if evidence.delay_s is None else evidence.delay_s
    if wait_s < RISE_S + late_s + 2.0 * (evidence.refresh_s or 0.0):
        return replace(credit, load_w=load_w, sure_w=sure_w, wait_s=wait_s)
    jumped = abs(seen_w - moved_w) > JUMPED * rise_w and credit.jumps < JUMPS
    if judged and not jumped:
        return Credit(load_w=sure_w, sure_w=sure_w, suspect=True)
    return Credit(load_w=sure_w, sure_w=sure_w, back=True, jumps=credit.jumps + jumped)


def _lowered(low: Low, poc_w: float, dt_s: float) -> Low:
    """The meter may show a step before the DERs' own readings do."""
    if low.in_s >= BUCKETS_S:
        return Low(now_w=poc_w, before_w=low.now_w if low != NO_LOW else poc_w, in_s=dt_s)
    return replace(low, now_w=min(low.now_w, poc_w), in_s=low.in_s + dt_s)
