"""The connection agreement's limit at the point of connection: a ceiling on export, on import where one is agreed.

Export is positive here. The law and its gain are derived in docs/sources.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import field
from typing import ClassVar, NamedTuple

from derctl.core import first
from derctl.core.belief import DOUBLET_PU, RISE_MARGIN_W
from derctl.core.capability import DARK, assumed_w, clamp, held_w, least_rise_w
from derctl.core.dataclass import dataclass
from derctl.core.evidence import Evidence
from derctl.core.lost import FADE_S, HOLD_S, HOLD_SAMPLES
from derctl.core.response import ramp
from derctl.core.types import Abstain, DerState, PocState, SiteProposal, SiteState
from derctl.core.value import replace, value
from derctl.core.words import Belief, Reason
from derctl.functions import phase_loop
from derctl.functions.apart import PRESSED_S, TRIED_SHARE, Alone, Law, entered, parted, stepped
from derctl.functions.credit import Credit, Use, credited, need_of
from derctl.functions.meter_loop import Course, Late, Seen, anew, capped, free, late, moved, noted
from derctl.functions.meter_trust import PROBE_EVERY_S, PROBE_PU, Trust, passed_s, probing, shown_pu, weigh
from derctl.functions.settings import Settings, choice, number
from derctl.functions.worst import pending_w, surely, worst_w

MARGIN_PU = 0.02
MARGIN_MIN_W = 50.0
"""Kept below the limit where the site file gives no margin: max(2 % of the limit, 50 W) (docs/sources.md)."""

PROBE_AFTER_S = 5.0
"""From the first setpoint to the first probe: arming alone dips nobody (docs/sources.md)."""


NO_CREDIT = Credit()

OBEY_S, OBEY_SHARE = 5.0, 0.33
"""How long the DERs may take to come down to what they were told before the others make up for them, and what share
of it they make up for in a second."""


@value
class Memory:
    """ceiling_w: what the sum may be, None before the first sample. floor_w: the same for the import limit.

    sample, since_s: the meter sample acted on last, and the time since.

    waiting: answers of the meter are missing, and what was said last is held. answer, heard_s: its last that had its
    power, and how old that is. lost: it is not believed; good: answers in a row since it is heard again.
    unproven_s: for how long it has been heard without having followed a step, or doubted. over: the DERs that
    ceiling_w and floor_w were meant for. excess_w: while load does not count, what the sum is kept lower since the
    DERs give more than they were told; over_s: for how long they have. alone: the ceilings of those on trial, who are
    no part of the sum; pressed_s: for how long the export has been too high. course, floor_course: what the meter may
    not show yet. credit: how much load counts. phases: of the limit of each phase.
    """

    ceiling_w: float | None = None
    floor_w: float | None = None
    sample: int = -1
    since_s: float = 0.0
    waiting: bool = False
    answer: int = -1
    heard_s: float = 0.0
    lost: bool = False
    good: int = 0
    unproven_s: float = 0.0
    over: tuple[str, ...] = ()
    excess_w: float = 0.0
    over_s: float = 0.0
    uncounted: tuple[str, ...] = ()
    alone: tuple[Alone, ...] = ()
    pressed_s: float = 0.0
    phases: phase_loop.Memory = phase_loop.START
    course: Course = Course()
    floor_course: Course = Course()
    credit: Credit = Credit()
    trust: Trust = field(default_factory=Trust)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractExportLimit(Settings):
    """Keeps the export at the point of connection below the agreed limit: down at once, up on a ramp.

    sum = what the DERs gave when the meter measured + the headroom that it shows (functions/meter_loop.py).

    Without a meter that can be believed, or before it was seen to follow a step of the inverters: the sum of all
    inverters stays below the limit, local load not counted.
    """

    kind: ClassVar[str] = "contract_export_limit"
    rank: ClassVar[int] = 15

    limit_w: float = number(low=0.0, high=1e8, source="the connection agreement: most export, W")
    phase_limit_w: float | None = number(
        None,
        low=0.0,
        high=1e8,
        source="the connection agreement: most export in each phase, W; none if absent",
        optional=True,
    )
    import_limit_w: float | None = number(
        None, low=0.0, high=1e8, source="the connection agreement: most import, W; none if absent", optional=True
    )
    margin_w: float | None = number(
        None,
        low=0.0,
        high=1e6,
        source="kept below the limit; default 2 % of it, at least 50 W: our choice, docs/sources.md",
        optional=True,
    )
    gain: float = number(
        1.0,
        low=0.05,
        high=1.0,
        source="share of an excess taken back at once; what is on its way is no excess: docs/sources.md",
    )
    relax_pu_per_s: float = number(
        0.1, low=0.001, high=1.0, source="rise per second, share of the rating; our choice: docs/sources.md"
    )
    recover_samples: float = number(
        5, low=1, high=600, source="good meter samples in a row; our choice: docs/sources.md"
    )
    probe: str = choice(
        "due",
        among=("none", "due", "always"),
        source="steps that the meter has to show while load counts; our choice: docs/sources.md",
    )

    @property
    def kept_below_w(self) -> float:
        """Below the limit, as the loop aims, W."""
        return self._margin(self.limit_w)

    def start(self) -> Memory:
        """Nothing allowed beyond what is measured at the first sample."""
        return Memory()

    def step(
        self, memory: Memory, ders: Sequence[DerState], site: SiteState, dt_s: float
    ) -> tuple[Memory, SiteProposal | Abstain]:
        """One step. What the meter lets it do is judged once per sample; the way up to that goes on between them."""
        memory = replace(memory, since_s=memory.since_s + dt_s, heard_s=memory.heard_s + dt_s)
        memory = self._heard(memory, ders, site)
        ours = [der for der in ders if der.controllable]
        tried = [der for der in ours if der.trial is not None] if _relied(memory) else []
        steered = [der for der in ours if der.trial is None] if tried else ours
        alone = entered(memory.alone, tried)
        memory = memory if alone == memory.alone else replace(memory, alone=alone)
        memory = uncounting(regrouped(memory, ders, steered), steered)
        memory = self._obeyed(memory, ders, steered, site.poc, dt_s)
        memory = self._noted(memory, steered, site)
        if memory.lost:
            memory = self._open_loop(memory, ders, steered, site.poc, dt_s)
        elif memory.waiting:
            memory = replace(memory, floor_w=_eased(memory.floor_w, steered, dt_s))
        else:
            assert site.poc is not None
            if site.poc.sample != memory.sample:
                memory = self._closed_loop(memory, steered, tried, site, pending_w(ders))
            memory = self._moved(memory, steered, dt_s)
            if not memory.trust.proven:
                memory = self._unproven(memory, ders, steered, site.poc, dt_s)
        memory, law = self._by_phase(memory, ders, ours, site, dt_s)
        memory, used_w = self._credited(memory, ders, steered, site.poc, dt_s)
        part = parted(memory.alone, memory.ceiling_w, steered, _rise_w(memory, site), first.unseen_of(site.ders))
        return memory, SiteProposal(
            by=self.kind,
            rank=self.rank,
            over=part.over,
            p_ceiling_w=part.ceiling_w,
            p_floor_w=memory.floor_w,
            why=self._why(memory, steered, site.poc),
            meter_pu=self._shown_pu(memory, site.poc),
            need=need_of(memory.credit, used_w, DOUBLET_PU if self.probe == "always" else 0.0),
            apart_w=part.apart_w,
            blind=not _relied(memory),
            phases=None if law is None else phase_loop.edges(memory.phases, law),
        )

    def _by_phase(
        self, memory: Memory, ders: Sequence[DerState], ours: Sequence[DerState], site: SiteState, dt_s: float
    ) -> tuple[Memory, phase_loop.Law | None]:
        law = self._phase_law(memory, site.poc)
        if law is None:
            return memory, None
        return replace(memory, phases=phase_loop.stepped(memory.phases, law, ders, ours, site, dt_s)), law

    def _phase_law(self, memory: Memory, poc: PocState | None) -> phase_loop.Law | None:
        """None where no limit of each phase is agreed."""
        if self.phase_limit_w is None:
            return None
        return phase_loop.Law(
            limit_w=self.phase_limit_w,
            margin_w=self._margin(self.phase_limit_w),
            gain=self.gain,
            relax_pu=self.relax_pu_per_s,
            heard=not memory.lost,
            closed=_relied(memory),
            waiting=memory.waiting,
            rise_w=0.0 if poc is None else poc.belief.rise_w,
        )

    def _credited(
        self,
        memory: Memory,
        ders: Sequence[DerState],
        steered: Sequence[DerState],
        poc: PocState | None,
        dt_s: float,
    ) -> tuple[Memory, float]:
        """No more than may go out without a meter, and what load is credited beside that; and how much of it is used.
        While one is on trial nobody's credit is counted. What one claims that was never seen to move the meter,
        where others were, is no use of credit; where nobody was yet, the meter was proven by all of them."""
        if poc is None or not poc.belief.steps:
            return replace(memory, credit=Credit()), 0.0
        if memory.waiting or memory.ceiling_w is None:
            return memory, 0.0
        ids, unseen = {der.id for der in steered}, first.unseen_of(ders)
        others = [der for der in ders if der.id not in ids and der.id not in unseen]
        free_w = self.limit_w - sum((max(assumed_w(der), 0.0) for der in others), 0.0)
        claimed_w = sum((assumed_w(der) for der in steered if der.id in unseen), 0.0)
        sum_w = _counted_w(memory, steered) - claimed_w
        goal_w = memory.ceiling_w if memory.course.goal_w is None else memory.course.goal_w
        used_w, wanted_w = self._phase_use(memory, ders)
        use = Use(
            sum_w=sum_w,
            used_w=max(sum_w - free_w, used_w, 0.0),
            wanted_w=max(goal_w - claimed_w - free_w, wanted_w),
            poc_w=poc.reading.p_w or 0.0,
            scale_w=sum(der.rating.per_unit_w for der in steered),
        )
        relied, ceiling_w = _relied(memory), memory.ceiling_w
        if not relied or any(der.trial is not None and not der.unseen for der in ders):
            memory = memory if memory.credit == NO_CREDIT else replace(memory, credit=NO_CREDIT)
            beyond_w = max(sum_w - self.limit_w, 0.0)  # the meter is told all the same
            return memory, beyond_w if relied else max(use.wanted_w, self._waits_w(use, claimed_w - free_w), 0.0)
        credit = credited(memory.credit, poc.belief, use, dt_s)
        least_w = sum((der.rating.p_min_w for der in steered), 0.0)
        most_w = max(free_w + claimed_w + credit.load_w + poc.belief.rise_w, least_w)
        memory = self._phases_credited(memory, ders, credit.load_w + poc.belief.rise_w)
        return replace(memory, credit=credit, ceiling_w=min(ceiling_w, most_w)), use.used_w

    def _waits_w(self, use: Use, over_w: float) -> float:
        """For the proof, where others claim more than may go out by over_w: what the meter, if it is right, would let
        those give whose power counts."""
        return use.sum_w + self.limit_w - self._margin(self.limit_w) - use.poc_w if over_w > 0.0 else 0.0

    def _phase_use(self, memory: Memory, ders: Sequence[DerState]) -> tuple[float, float]:
        """How much load they use in the phases, and would like to."""
        if self.phase_limit_w is None:
            return 0.0, -math.inf
        ours = [der for der in ders if der.controllable]
        free_w = phase_loop.without_load_w(self.phase_limit_w, ders, ours)
        return phase_loop.used_w(memory.phases, ours, free_w)

    def _phases_credited(self, memory: Memory, ders: Sequence[DerState], load_w: float) -> Memory:
        if self.phase_limit_w is None:
            return memory
        ours = [der for der in ders if der.controllable]
        free_w = phase_loop.without_load_w(self.phase_limit_w, ders, ours)
        return replace(memory, phases=phase_loop.credited(memory.phases, free_w, load_w))

    def _why(self, memory: Memory, steered: Sequence[DerState], poc: PocState | None) -> Reason | None:
        if memory.lost:
            return Reason.METER_LOST
        if memory.waiting:
            return Reason.HELD
        if memory.trust.proven:
            return None
        return Reason.BELOW_MINIMUM if self._too_little(steered, poc) else Reason.METER_UNPROVEN

    def _too_little(self, steered: Sequence[DerState], poc: PocState | None) -> bool:
        """Nothing may go out without a meter, and its import is less than they take at least: no step can
        prove it."""
        if poc is None or poc.reading.p_w is None or self.limit_w > 0.0:
            return False
        least_w = least_rise_w([der for der in steered if der.reading.status not in DARK])
        return least_w > 0.0 and -poc.reading.p_w - RISE_MARGIN_W < least_w

    def _shown_pu(self, memory: Memory, poc: PocState | None) -> float:
        """A meter without a proof that shows more than may go out is the likelier to be reversed."""
        shown_w = None if poc is None else poc.reading.p_w
        over = not memory.trust.proven and shown_w is not None and shown_w > self.limit_w
        return 0.0 if memory.lost or over else shown_pu(memory.trust, memory.unproven_s)

    def _heard(self, memory: Memory, ders: Sequence[DerState], site: SiteState) -> Memory:
        """Is the meter there, and does it make sense? Believed again only after recover_samples in a row."""
        poc = site.poc
        if poc is None or not poc.fresh or poc.reading.p_w is None:
            waiting = not memory.lost and memory.ceiling_w is not None and _holds(memory, poc, site.tick_s)
            return replace(memory, waiting=waiting, lost=not waiting, good=0)
        good = memory.good + (poc.answer != memory.answer)
        memory = replace(memory, waiting=False, answer=poc.answer, heard_s=poc.age_s)
        trust = weigh(memory.trust, poc, _movers(memory, ders), site.t_s)
        if self.probe != "none":
            trust = _told(trust, poc.belief)
        if trust.doubted or poc.belief.contradicted or poc.belief.wrong:
            return replace(memory, lost=True, good=0, trust=trust)
        return replace(memory, lost=memory.lost and good < self.recover_samples, good=good, trust=trust)

    def _closed_loop(
        self, memory: Memory, steered: Sequence[DerState], tried: Sequence[DerState], site: SiteState, pending: float
    ) -> Memory:
        """Until a tightening shows in the measurement, the tightened sum counts (docs/sources.md, section 9).

        pending: what the silent may still come to give, which no meter shows yet.
        """
        poc = site.poc
        assert poc is not None and poc.reading.p_w is not None
        headroom = self.limit_w - self._margin(self.limit_w) - poc.reading.p_w - pending
        dip_w = sum(der.trial.dip_w for der in tried if der.trial is not None)
        room = max(headroom - dip_w, 0.0)  # what one on trial makes by its dip is no room for anybody
        seen, lateness = _seen(memory, steered, poc, headroom), late(poc, steered, site.tick_s)
        seen = seen if dip_w == 0.0 else replace(seen, held=False)  # what is kept free is nobody's slack
        course = capped(memory.course, replace(seen, room_w=room, margin_w=self._margin(self.limit_w)), lateness)
        memory = self._floored(memory, seen, lateness, poc.reading.p_w)
        if tried or memory.pressed_s > 0.0 or headroom < 0.0:
            memory = self._apart(memory, tried, min(headroom, room), alone=not steered, held=dip_w > 0.0)
        return replace(memory, course=course, ceiling_w=seen.asked_w, sample=poc.sample, since_s=0.0)

    def _moved(self, memory: Memory, steered: Sequence[DerState], dt_s: float) -> Memory:
        """One tick on the way to where the last sample leads."""
        assert memory.ceiling_w is not None
        ceiling = moved(memory.course, memory.ceiling_w, self.gain, self._relax_w(steered), dt_s)
        return replace(memory, ceiling_w=ceiling)

    def _apart(
        self, memory: Memory, tried: Sequence[DerState], headroom: float, *, alone: bool, held: bool
    ) -> Memory:
        """Those on trial. alone: nobody else is there to make up for an excess."""
        pressed_s = memory.pressed_s + memory.since_s if headroom < 0.0 else 0.0
        law = Law(
            headroom_w=headroom,
            taken_w=-TRIED_SHARE * headroom,
            room_w=TRIED_SHARE * headroom * (1.0 if alone else 0.5),
            relax_pu=self.relax_pu_per_s,
            dt_s=memory.since_s,
            pressed=alone or pressed_s > PRESSED_S,
            held=held,
        )
        return replace(memory, alone=stepped(memory.alone, tried, law), pressed_s=pressed_s)

    def _open_loop(
        self, memory: Memory, ders: Sequence[DerState], steered: Sequence[DerState], poc: PocState | None, dt_s: float
    ) -> Memory:
        """Every inverter as if it exported all it gives; those out of our hands count with the worst they may do. A
        meter that is doubted gets its steps, or it could never be believed again."""
        ceiling = surely(self._without_load(ders, steered), steered) - memory.excess_w
        if poc is not None and poc.fresh and memory.trust.doubted:
            ceiling = self._probed(memory, ceiling, _Stood(ders, steered, poc))
            memory = replace(memory, unproven_s=passed_s(memory.unproven_s, steered, dt_s))
        elif poc is not None:
            ceiling += poc.belief.rise_w
        if memory.ceiling_w is not None:
            ceiling = ramp(memory.ceiling_w, ceiling, up_per_s=self._relax_w(steered), dt_s=dt_s)
        floor = None if self.import_limit_w is None else max(_eased(memory.floor_w, steered, dt_s) or 0.0, 0.0)
        return replace(memory, ceiling_w=ceiling, floor_w=floor, since_s=0.0, course=anew(memory.course))

    def _obeyed(
        self, memory: Memory, ders: Sequence[DerState], steered: Sequence[DerState], poc: PocState | None, dt_s: float
    ) -> Memory:
        """While no meter is believed: does the sum come down to what was asked? A battery that does not charge as it
        was told, an inverter that ignores its limit: the others make up for it. What rises for a proof was asked."""
        if not memory.lost and memory.trust.proven:
            free = memory.excess_w == 0.0 and memory.over_s == 0.0
            return memory if free else replace(memory, excess_w=0.0, over_s=0.0)
        allowed = self._without_load(ders, steered) + (0.0 if poc is None else poc.belief.rise_w)
        over_w = _counted_w(memory, steered) - allowed
        over_s = memory.over_s + dt_s if over_w > 0.0 else 0.0
        held_down = memory.ceiling_w is not None and memory.ceiling_w < allowed - memory.excess_w - 1.0
        if 0.0 < over_s <= OBEY_S or (over_w < 0.0 and held_down):
            return replace(memory, over_s=over_s)
        most = max(allowed - sum(der.rating.p_min_w for der in steered), 0.0)
        return replace(memory, over_s=over_s, excess_w=clamp(memory.excess_w + OBEY_SHARE * dt_s * over_w, 0.0, most))

    def _without_load(self, ders: Sequence[DerState], steered: Sequence[DerState]) -> float:
        ids = {der.id for der in steered}
        return self.limit_w - sum(worst_w(der) for der in ders if der.id not in ids)

    def _unproven(
        self, memory: Memory, ders: Sequence[DerState], steered: Sequence[DerState], poc: PocState, dt_s: float
    ) -> Memory:
        """As without a meter, and now and then a step that a right meter must show."""
        most = self._probed(
            memory, surely(self._without_load(ders, steered), steered) - memory.excess_w, _Stood(ders, steered, poc)
        )
        assert memory.ceiling_w is not None
        ceiling = min(memory.ceiling_w, max(most, sum((der.rating.p_min_w for der in steered), 0.0)))
        return replace(memory, ceiling_w=ceiling, unproven_s=passed_s(memory.unproven_s, steered, dt_s))

    def _probed(self, memory: Memory, most_w: float, seen: _Stood) -> float:
        """A dip; where there is nothing to dip, a rise, as far as the meter shows import. A right meter then sees no
        export; one that is reversed shows no import where there is a load. Where a coin decides the rise is its own,
        which is smaller."""
        step = PROBE_PU * sum(der.rating.per_unit_w for der in first.known(seen.steered))
        if probing(memory.unproven_s) and most_w - step >= _lowest_w(seen):
            return most_w - step
        if self.probe != "none" or not probing(memory.unproven_s):
            return most_w + seen.poc.belief.rise_w
        return most_w + clamp(-(seen.poc.reading.p_w or 0.0) - self._margin(self.limit_w), 0.0, step)

    def _relax_w(self, steered: Sequence[DerState]) -> float:
        return self.relax_pu_per_s * sum(der.rating.per_unit_w for der in steered)

    def _floored(self, memory: Memory, seen: Seen, lateness: Late, p_poc_w: float) -> Memory:
        """The same for the import, upside down: a floor is a ceiling on what is drawn."""
        if self.import_limit_w is None:
            return memory if memory.floor_w is None else replace(memory, floor_w=None)
        drawn_w = memory.floor_course.points[-1].given_high_w
        asked_w = drawn_w if memory.floor_w is None else -memory.floor_w
        headroom = self.import_limit_w - self._margin(self.limit_w) + p_poc_w
        drawn = replace(seen, given_w=drawn_w, asked_w=asked_w, headroom_w=headroom, room_w=None, least_w=-1e9)
        course = capped(memory.floor_course, drawn, lateness)
        assert course.goal_w is not None
        return replace(memory, floor_course=course, floor_w=-course.goal_w)

    def _noted(self, memory: Memory, steered: Sequence[DerState], site: SiteState) -> Memory:
        """What the DERs give and are asked for now, for a meter that shows it later."""
        given_w = _counted_w(memory, steered)
        asked_w = given_w if memory.ceiling_w is None else memory.ceiling_w
        dip_w = 0.0 if site.poc is None else site.poc.belief.dip_w
        course = noted(memory.course, given_w, asked_w, site.t_s, dip_w)
        if self.import_limit_w is None:
            return replace(memory, course=course)
        measured_w = sum((der.reading.p_w or 0.0 for der in steered), 0.0)
        floor_w = measured_w if memory.floor_w is None else memory.floor_w
        floor_course = noted(memory.floor_course, -measured_w, -floor_w, site.t_s)
        return replace(memory, course=course, floor_course=floor_course)

    def _margin(self, limit_w: float) -> float:
        return max(MARGIN_PU * limit_w, MARGIN_MIN_W) if self.margin_w is None else self.margin_w


class _Stood(NamedTuple):
    """What a probe depends on."""

    ders: Sequence[DerState]
    steered: Sequence[DerState]
    poc: PocState


def _lowest_w(seen: _Stood) -> float:
    """How low the sum goes for a probe: no store draws more than others give."""
    sun_w = sum(max(assumed_w(der), 0.0) for der in seen.ders if der.fresh and not der.can.store)
    return max(sum(der.rating.p_min_w for der in seen.steered), -sun_w)


def _seen(memory: Memory, steered: Sequence[DerState], poc: PocState, headroom_w: float) -> Seen:
    """During a step of the coin it is that which holds them, and not what they are asked for here."""
    given_w = _counted_w(memory, steered)
    asked_w = given_w if memory.ceiling_w is None else memory.ceiling_w
    return Seen(
        given_w=given_w,
        asked_w=asked_w,
        headroom_w=headroom_w,
        size_w=sum(der.rating.size_w for der in steered),
        dt_s=memory.since_s,
        least_w=sum((der.rating.p_min_w for der in steered), 0.0),
        held=poc.belief.most_w is None and not any(map(free, steered)),
    )


def _told(trust: Trust, evidence: Evidence) -> Trust:
    """What the steps of a coin say counts for more than what the loop saw by itself. Whom they doubt has to be proven
    anew."""
    if evidence.belief is Belief.PROVEN:
        return replace(trust, proven=True, doubted=False)
    return replace(trust, proven=False, went=0.0) if evidence.wrong else trust


def _rise_w(memory: Memory, site: SiteState) -> float:
    """Of the coin, before the proof."""
    return 0.0 if site.poc is None or _relied(memory) else site.poc.belief.rise_w


def _relied(memory: Memory) -> bool:
    """Whether the meter closes the loop. Else who is on trial is held down with the others, load not counted."""
    return memory.trust.proven and not memory.lost


def _movers(memory: Memory, ders: Sequence[DerState]) -> list[DerState]:
    """Whom the meter has to follow: who was seen to move it, and who is known to; where nobody is, or it is doubted,
    all."""
    awake = first.known([der for der in ders if der.fresh and der.reading.status not in DARK])
    counted = [der for der in awake if der.trial is None]
    return counted if counted and _relied(memory) else awake


def _holds(memory: Memory, poc: PocState | None, tick_s: float) -> bool:
    """As long as any function holds without its input (core/lost.py): heard_s counts from the last answer with it.
    The tick that is nearest to the end ends it: a moment too early for the next would cost a whole one."""
    few = poc is not None and poc.fresh and poc.answer - memory.answer < HOLD_SAMPLES
    return memory.heard_s < HOLD_S - tick_s / 2.0 or few


def _eased(floor_w: float | None, steered: Sequence[DerState], dt_s: float) -> float | None:
    """Without the meter nobody is raised for long: down to 0 W within FADE_S. A floor below that is held."""
    if floor_w is None or floor_w <= 0.0:
        return floor_w
    return max(floor_w - dt_s / FADE_S * sum(der.rating.size_w for der in steered), 0.0)


def regrouped(memory: Memory, ders: Sequence[DerState], steered: Sequence[DerState]) -> Memory:
    """A DER that leaves our hands takes its share of the sum along, and one that comes brings its own: else the
    others would be given what it still has. Not below what the others give now; the law judges that. The sum of
    nobody is 0 W."""
    ids = tuple(der.id for der in steered)
    if ids == memory.over:
        return memory
    if memory.ceiling_w is None:
        return replace(memory, over=ids, course=Course(), floor_course=Course())
    gone = sum(held_w(der) for der in ders if der.id in memory.over and der.id not in ids)
    stay = sum((min(assumed_w(der), held_w(der)) for der in steered if der.id in memory.over), 0.0)
    come = sum(assumed_w(der) for der in steered if der.id not in memory.over)
    left = max(memory.ceiling_w - gone, min(memory.ceiling_w, stay)) if memory.over else 0.0
    memory = replace(memory, course=anew(memory.course), floor_course=Course())
    return replace(memory, ceiling_w=left + come, floor_w=None, over=ids)


def uncounting(memory: Memory, steered: Sequence[DerState]) -> Memory:
    """What a store draws comes into the sum, or leaves it, and the sum with that: nobody is raised by it."""
    ids = () if _relied(memory) else tuple(der.id for der in steered if der.unseen and der.can.store)
    if ids == memory.uncounted:
        return memory
    after = replace(memory, uncounted=ids, course=anew(memory.course))
    if memory.ceiling_w is None:
        return after
    return replace(after, ceiling_w=memory.ceiling_w + _counted_w(after, steered) - _counted_w(memory, steered))


def _counted_w(memory: Memory, steered: Sequence[DerState]) -> float:
    """What is known of their sum."""
    if not memory.uncounted:
        return float(sum([assumed_w(der) for der in steered]))
    given = ((der, assumed_w(der)) for der in steered)
    return sum((max(w, 0.0) if der.id in memory.uncounted else w for der, w in given), 0.0)


def seen_of_the_meter(memory: Memory) -> Memory:
    """While nothing is written: what is known of the meter. The sum starts anew from what is measured, and the first
    probe comes PROBE_AFTER_S after control has begun."""
    unproven_s = PROBE_EVERY_S - PROBE_AFTER_S
    return Memory(lost=memory.lost, good=memory.good, unproven_s=unproven_s, trust=memory.trust)
