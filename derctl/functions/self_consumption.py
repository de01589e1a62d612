"""Storage that brings the power at the point of connection to a target, usually 0 W."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import field
from typing import ClassVar

from derctl.core.belief import RISE_MIN_PU
from derctl.core.capability import assumed_w, clamp, told_w
from derctl.core.dataclass import dataclass
from derctl.core.evidence import Evidence, Need
from derctl.core.feeding import shares_pu
from derctl.core.types import Abstain, DerState, PocState, SiteProposal, SiteState
from derctl.core.value import replace, value
from derctl.core.words import Reason
from derctl.functions.credit import AGE_MAX_S, AWAY_PU_PER_S
from derctl.functions.meter_loop import Course, Seen, aimed, anew, late, noted, reached
from derctl.functions.meter_trust import Trust, passed_s, shown_pu, weigh
from derctl.functions.settings import Settings, choice, number, switch

FALL_S, FALL_PU = 20.0, 0.05
"""PV above what it is let comes down within this time, and what it gives above this share of its rating is not stored
meanwhile: the meter still shows it. After that it is there to stay (docs/sources.md)."""


LEVEL_S = 10.0
"""How slowly what a phase exports moves the shares of the stores: the meter and they are not read at one instant."""
RENEW_S = 230.0
"""While stores follow the meter, the evidence for it is renewed from this age on (docs/sources.md)."""
LEAST_PU = 1.25 * RISE_MIN_PU
"""Of the DERs' rating: so much can be dipped of by the least step, and is left to stores whatever the evidence."""


@value
class Memory:
    """The meter sample acted on last, the time since, and the sum asked for, W, of these stores. course: what the
    meter may not show yet. trust: does the meter follow the stores?

    exports_w: what each phase exports without the stores, slowly; (): not known. told_s: since the sample for that.
    unproven_s: for how long it has been heard, the proof apart. falling_s: for how long others have given more than
    they are let. most_w: no more than this either way, since the evidence for the meter is old; None: it is not.
    stood_w: what these stores gave when no step was made last.
    """

    sample: int = -1
    since_s: float = 0.0
    sum_w: float | None = None
    over: tuple[str, ...] = ()
    course: Course = Course()
    exports_w: tuple[float, ...] = ()
    told_s: float = 0.0
    falling_s: float = 0.0
    unproven_s: float = 0.0
    most_w: float | None = None
    stood_w: float = 0.0
    trust: Trust = field(default_factory=Trust)


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfConsumption(Settings):
    """Batteries bring the power at the point of connection to target_w; inside deadband_w they are left alone.

    sum = what the stores gave when the meter measured - (p_poc - target_w), by gain of the way in a second
    (functions/meter_loop.py). What others give above what they are let is about to go, and no part of it.

    While the meter is not believed stores rest, but for a step that it has to show; during such a step they stay
    where they are. Evidence for it that can't be renewed takes them to rest too, but for less than a step would show.
    """

    kind: ClassVar[str] = "self_consumption"
    rank: ClassVar[int] = 70

    target_w: float = number(
        0.0, low=-1e7, high=1e7, source="wanted at the point of connection, W, + exports; the owner's word"
    )
    gain: float = number(
        0.5, low=0.05, high=1.0, source="share of the error corrected in a second; stability: docs/sources.md"
    )
    deadband_w: float = number(
        30.0, low=0.0, high=5000.0, source="an error left alone, W; our choice: docs/sources.md"
    )

    per_phase: bool = switch(
        source="single-phase stores take first what their own phase exports or draws most; the owner's word"
    )

    probe: str = choice(
        "due",
        among=("none", "due"),
        source="steps that the meter has to show, where no limit says it; our choice: docs/sources.md",
    )

    def start(self) -> Memory:
        """No sample seen."""
        return Memory()

    def step(
        self, memory: Memory, ders: Sequence[DerState], site: SiteState, dt_s: float
    ) -> tuple[Memory, SiteProposal | Abstain]:
        """One step. A sample is judged once; without a fresh meter it abstains and forgets what it asked for.

        A store that isn't measured counts with what it was told. One that isn't told anything either has no share.
        """
        poc = site.poc
        stores = [der for der in ders if der.can.balance and der.controllable and der.trial is None and _known(der)]
        if poc is None or not poc.fresh or poc.reading.p_w is None or poc.belief.contradicted:
            return _forgetting(memory), Abstain(Reason.METER_LOST, lost=True)
        if all(der.reading.p_w is None for der in stores):
            return _forgetting(memory), Abstain("no storage to steer", lost=True)
        falling_w = _falling_w(stores, site)
        falling_s = memory.falling_s + dt_s if falling_w > 0.0 else 0.0
        memory = replace(memory, falling_s=falling_s, unproven_s=passed_s(memory.unproven_s, stores, dt_s))
        memory = replace(memory, since_s=memory.since_s + dt_s, told_s=memory.told_s + dt_s)
        memory = _noted(memory, stores, site.t_s)
        if poc.sample != memory.sample:
            trust = weigh(memory.trust, _without(poc, stores, site), stores, site.t_s)
            going_w = falling_w if memory.falling_s <= FALL_S else 0.0
            memory = self._aimed(replace(memory, trust=trust), stores, site, poc.reading.p_w - going_w)
            memory = self._levelled(memory, stores, poc)
        if poc.belief.wrong:
            memory = replace(memory, sum_w=poc.belief.rise_w, course=anew(memory.course))
        elif poc.belief.most_w is None:
            memory = replace(self._moved(memory, dt_s), stood_w=_given_w(stores))
        memory = _aged(memory, site.ders, poc.belief, dt_s)
        assert memory.sum_w is not None
        return memory, SiteProposal(
            by=self.kind,
            rank=self.rank,
            over=tuple(der.id for der in stores),
            p_target_w=_risen_w(memory, poc.belief),
            why=Reason.METER_LOST if poc.belief.wrong else None,
            meter_pu=0.0 if poc.belief.wrong else shown_pu(memory.trust, memory.unproven_s),
            need=Need(exposed_w=abs(memory.sum_w), age_s=RENEW_S, steps=False),
            uneven_w=memory.exports_w,
        )

    def _levelled(self, memory: Memory, stores: Sequence[DerState], poc: PocState) -> Memory:
        """One sample of the phases, of a meter that shows them."""
        shown_w = poc.reading.p_phase_w
        if not self.per_phase or shown_w is None:
            return memory if not memory.exports_w else replace(memory, exports_w=())
        given = [(shares_pu(der), assumed_w(der)) for der in stores if der.feeds_pu is not None]
        now_w = [w - sum((shares[k] * each for shares, each in given), 0.0) for k, w in enumerate(shown_w)]
        was_w = memory.exports_w if len(memory.exports_w) == len(now_w) else tuple(now_w)
        share = 1.0 - math.exp(-memory.told_s / LEVEL_S)
        exports_w = tuple([was + share * (now - was) for was, now in zip(was_w, now_w, strict=True)])
        return replace(memory, exports_w=exports_w, told_s=0.0)

    def _aimed(self, memory: Memory, stores: Sequence[DerState], site: SiteState, p_poc_w: float) -> Memory:
        """One sample."""
        assert site.poc is not None and memory.sum_w is not None
        error_w = p_poc_w - self.target_w
        course = memory.course
        if course.goal_w is None or abs(error_w) > self.deadband_w:
            seen = Seen(
                given_w=_given_w(stores),
                asked_w=memory.sum_w,
                headroom_w=-error_w,
                size_w=sum(der.rating.size_w for der in stores),
                dt_s=memory.since_s,
                least_w=0.0,
                held=site.poc.belief.most_w is None,
            )
            course = aimed(course, seen, late(site.poc, stores, site.tick_s))
        return replace(memory, sample=site.poc.sample, since_s=0.0, course=course)

    def _moved(self, memory: Memory, dt_s: float) -> Memory:
        """One tick on the way to where the last sample leads."""
        sum_w, goal_w = memory.sum_w, memory.course.goal_w
        if sum_w is None or goal_w is None:
            return memory
        return replace(memory, sum_w=sum_w + reached(self.gain, dt_s) * (goal_w - sum_w))


def _aged(memory: Memory, ders: Sequence[DerState], evidence: Evidence, dt_s: float) -> Memory:
    """What they do by evidence that is too old goes away, but for what the least step can be made of: that does next
    to nothing. Where no step can be told, or nobody makes any, none is waited for."""
    assert memory.sum_w is not None
    waits = evidence.steps and evidence.why is None and not evidence.wrong
    if not waits or (evidence.age_s or 0.0) < AGE_MAX_S:
        return memory if memory.most_w is None else replace(memory, most_w=None)
    size_w = sum(der.rating.per_unit_w for der in ders if der.controllable)
    before_w = abs(memory.sum_w) if memory.most_w is None else memory.most_w
    most_w = max(before_w - AWAY_PU_PER_S * size_w * dt_s, LEAST_PU * size_w)
    return replace(memory, most_w=most_w, sum_w=clamp(memory.sum_w, -most_w, most_w))


def _risen_w(memory: Memory, evidence: Evidence) -> float:
    """With the coin's rise, where nobody else makes it: no limit is kept by the meter, or they have come to rest. Who
    is asked for more than it can draw rises from what it draws."""
    assert memory.sum_w is not None
    if evidence.wrong or evidence.rise_w <= 0.0 or (evidence.limited and memory.most_w is None):
        return memory.sum_w
    return max(memory.sum_w, memory.stood_w) + evidence.rise_w


def _given_w(stores: Sequence[DerState]) -> float:
    return sum((assumed_w(der) for der in stores), 0.0)


def _noted(memory: Memory, stores: Sequence[DerState], t_s: float) -> Memory:
    """What the stores give and are asked for now. Others make a sum of their own."""
    ids, given_w = tuple(der.id for der in stores), _given_w(stores)
    course = memory.course if memory.over == ids else anew(memory.course)
    sum_w = given_w if memory.sum_w is None else memory.sum_w
    return replace(memory, over=ids, sum_w=sum_w, course=noted(course, given_w, sum_w, t_s))


def _forgetting(memory: Memory) -> Memory:
    """What was asked for counts no more; what was seen of the meter stays."""
    return Memory(trust=memory.trust, unproven_s=memory.unproven_s)


def _without(poc: PocState, stores: Sequence[DerState], site: SiteState) -> PocState:
    """The meter without what all the others are known to give: what is left moves with the stores."""
    assert poc.reading.p_w is not None
    own = {der.id for der in stores}
    others_w = sum(
        der.reading.p_w or 0.0 for der in site.ders if der.fresh and der.trial is None and der.id not in own
    )
    return replace(poc, reading=replace(poc.reading, p_w=poc.reading.p_w - others_w))


def _falling_w(stores: Sequence[DerState], site: SiteState) -> float:
    """What the others give above what they are let now."""
    own = {der.id for der in stores}
    others = [der for der in site.ders if der.controllable and der.trial is None and der.id not in own]
    return sum((_above_w(der) for der in others), 0.0)


def _above_w(der: DerState) -> float:
    if der.most_w is None or der.reading.p_w is None or not der.can.limit:
        return 0.0
    above_w = der.reading.p_w - max(der.most_w, 0.0)
    return above_w if above_w > FALL_PU * der.rating.size_w else 0.0


def _known(der: DerState) -> bool:
    return der.reading.p_w is not None or told_w(der) is not None
