"""An export above the agreed limit ends in time, or load is not credited: the sum of all inverters stays below it.

How long it may last is core/containment.py's sum, with what is measured; excursions are counted (core/excursions.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from typing import Any, ClassVar

from derctl.core import containment, excursions
from derctl.core.capability import told_w
from derctl.core.containment import Budget, Summand
from derctl.core.dataclass import dataclass
from derctl.core.response import ramp
from derctl.core.types import Abstain, DerState, PocState, SiteProposal, SiteState
from derctl.core.value import replace, value
from derctl.core.words import Idle, Reason, Stage
from derctl.functions.meter_loop import SKEW
from derctl.functions.plain import finite
from derctl.functions.settings import Settings
from derctl.functions.worst import worst_w

STEP_PU = 0.05
"""A DER that is told to give less by this share of its rating shows how quick it is."""
SHOWN_PU = 0.03
"""It is there once it is this near, in shares of its rating: the tolerance of a profile."""
GIVES_PU = 0.05
"""Who gives less than this share of its rating adds to no excursion yet."""
FORGETS = 0.1
"""How far a quicker answer counts against the slowest one before."""
AGAIN_S = 60.0
"""Load is credited again after it was known for so long that an excursion ends in time."""
RELAX_PU_PER_S = 0.1
"""What was taken back for want of credit returns so fast, per unit of the DERs' ratings."""


@value
class Answer:
    """How a DER follows. told_w, p_w: as seen last. for_s: since it was told less, None: it has followed.

    seconds: how long it took, the slowest of late; None: that was not seen.
    """

    der: str
    told_w: float | None = None
    p_w: float | None = None
    for_s: float | None = None
    seconds: float | None = None


@value
class Memory:
    """answers: of the DERs that were seen to follow. uncontained: load is not credited; well_s: for how long it
    could be. ceiling_w: of the sum, None: none. excursions: counted. summands: the table with what is measured."""

    summands: tuple[Summand, ...] = ()
    answers: tuple[Answer, ...] = ()
    uncontained: bool = False
    well_s: float = AGAIN_S
    ceiling_w: float | None = None
    excursions: excursions.Memory = excursions.Memory()


@dataclass(frozen=True, slots=True, kw_only=True)
class Containment(Settings):
    """Comes with `contract_export_limit`. limit_w, gain: its own; budget: what is allowed, and what it takes."""

    kind: ClassVar[str] = "containment"
    rank: ClassVar[int] = 15

    limit_w: float = 0.0
    gain: float = 1.0
    budget: Budget = field(default=Budget(containment_s=0.0, by=""))

    def start(self) -> Memory:
        """Nothing seen yet."""
        return Memory()

    def step(
        self, memory: Memory, ders: Sequence[DerState], site: SiteState, dt_s: float
    ) -> tuple[Memory, SiteProposal | Abstain]:
        """One step. Nobody is narrowed while excursions are known to end in time."""
        steered = [der for der in ders if der.controllable]
        counted = excursions.stepped(
            memory.excursions,
            _excess_w(site.poc, self.limit_w),
            containment_s=self.budget.containment_s,
            rule=self.budget.rule,
            dt_s=dt_s,
        )
        memory = replace(memory, excursions=counted, answers=_followed(memory.answers, steered, dt_s))
        memory = self._credited(memory, steered, site, dt_s)
        memory = replace(memory, ceiling_w=self._ceiling_w(memory, ders, steered, dt_s))
        if memory.ceiling_w is None:
            return memory, Abstain(Idle.INSIDE_ITS_BOUNDS)
        return memory, SiteProposal(
            by=self.kind,
            rank=self.rank,
            over=tuple(der.id for der in steered),
            p_ceiling_w=memory.ceiling_w,
            why=Reason.LOCKED_OUT
            if counted.locked
            else Reason.UNCONTAINED
            if memory.uncontained
            else Reason.RELAXING,
        )

    def _summands(self, memory: Memory, steered: Sequence[DerState], site: SiteState) -> tuple[Summand, ...]:
        """The table with what is measured now, of the DERs and of the meter."""
        seen = None if site.poc is None else site.poc.belief
        delay_s = None if seen is None else seen.delay_s
        found = (
            (Stage.METER_REFRESH, None if seen is None else seen.refresh_s),
            (Stage.METER_DELAY, delay_s),
            (Stage.LAW, None if delay_s is None else law_s(delay_s, site.tick_s, self.gain)),
            (Stage.RESPONSE, _slowest_s(memory.answers, steered)),
        )
        return containment.measured(self.budget.summands, found)

    def _credited(self, memory: Memory, steered: Sequence[DerState], site: SiteState, dt_s: float) -> Memory:
        """Lost at once; given back after AGAIN_S."""
        summands = self._summands(memory, steered, site)
        well = containment.within(summands, self.budget.containment_s)
        well_s = min(memory.well_s + dt_s, AGAIN_S) if well else 0.0
        return replace(memory, uncontained=well_s < AGAIN_S, well_s=well_s, summands=summands)

    def _ceiling_w(
        self, memory: Memory, ders: Sequence[DerState], steered: Sequence[DerState], dt_s: float
    ) -> float | None:
        """Down at once, up on a ramp; None once that has reached what all can give."""
        locked, full_w = memory.excursions.locked, sum(der.rating.p_max_w for der in steered)
        if locked or memory.uncontained:
            ids = {der.id for der in steered}
            most_w = self.limit_w - sum(worst_w(der) for der in ders if der.id not in ids)
            goal_w = min(most_w, 0.0) if locked else most_w
        elif memory.ceiling_w is None or memory.ceiling_w >= full_w:
            return None
        else:
            goal_w = full_w
        if memory.ceiling_w is None:
            return goal_w
        rise_w = RELAX_PU_PER_S * sum(der.rating.per_unit_w for der in steered)
        return ramp(memory.ceiling_w, goal_w, up_per_s=rise_w, dt_s=dt_s)


def law_s(delay_s: float, tick_s: float, gain: float) -> float:
    """How long the contract's loop takes with an excess: what DERs gave so long ago may explain it, and counts first
    (functions/meter_loop.py)."""
    return delay_s + SKEW * tick_s + containment.taken_s(gain)


def _excess_w(poc: PocState | None, limit_w: float) -> float | None:
    if poc is None or not poc.fresh or poc.reading.p_w is None:
        return None
    return poc.reading.p_w - limit_w


def _followed(answers: Iterable[Answer], ders: Sequence[DerState], dt_s: float) -> tuple[Answer, ...]:
    before = {answer.der: answer for answer in answers}
    return tuple(_answered(before.get(der.id) or Answer(der=der.id), der, dt_s) for der in ders)


def _answered(answer: Answer, der: DerState, dt_s: float) -> Answer:
    """One tick on. A DER that does not follow is as slow as it has taken so far."""
    told, p_w, size_w = told_w(der), der.reading.p_w, der.rating.size_w
    if told is None and der.can.limit:
        told = der.rating.p_max_w
    if told is None or p_w is None or size_w <= 0.0:
        return replace(answer, told_w=None, p_w=None, for_s=None)
    before_w, lowered = answer.p_w, answer.told_w is not None and told < answer.told_w
    if answer.for_s is None and told == answer.told_w and p_w == before_w:
        return answer
    answer = replace(answer, told_w=told, p_w=p_w)
    if lowered and before_w is not None and before_w - told >= STEP_PU * size_w:
        answer = replace(answer, for_s=0.0)
    if answer.for_s is None:
        return answer
    for_s = answer.for_s + dt_s
    slowest_s = answer.seconds
    if p_w > told + SHOWN_PU * size_w:
        slowest_s = for_s if slowest_s is not None and for_s > slowest_s else slowest_s
        return replace(answer, for_s=for_s, seconds=slowest_s)
    kept_s = for_s if slowest_s is None else max(for_s, slowest_s + FORGETS * (for_s - slowest_s))
    return replace(answer, for_s=None, seconds=kept_s)


def _slowest_s(answers: Sequence[Answer], steered: Sequence[DerState]) -> float | None:
    """Of those that give something; None while one of them was not seen to follow."""
    seen = {answer.der: answer.seconds for answer in answers}
    giving = [der for der in steered if (der.reading.p_w or 0.0) > GIVES_PU * der.rating.size_w]
    found = [seen.get(der.id) for der in giving]
    known = [seconds for seconds in found if seconds is not None]
    return max(known) if known and len(known) == len(found) else None


def kept_excursions(memory: Memory) -> dict[str, Any] | None:
    """For a restart: what the code counts, and how long the site stays locked out. Time away does not count."""
    counted = memory.excursions
    if not counted.ages_s and not counted.locked:
        return None
    return {"ages_s": list(counted.ages_s), "locked_s": counted.locked_s}


def excursions_of(plain: Any) -> Memory:
    """It goes on from where it was. Raises ValueError."""
    ages = plain.get("ages_s") if isinstance(plain, Mapping) else None
    if not isinstance(ages, list):
        raise ValueError(f"{plain!r} is nothing that is remembered of excursions")
    ages_s = tuple(finite({"ages_s": each}, "ages_s") for each in ages)
    return Memory(excursions=excursions.Memory(ages_s=ages_s, locked_s=finite(plain, "locked_s")))
