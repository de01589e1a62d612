"""contract_export_limit on core/belief.py instead of its own trust: what it would do once that is wired in."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from derctl.core import belief
from derctl.core.belief import Need
from derctl.core.capability import assumed_w
from derctl.core.evidence import Evidence
from derctl.core.types import DerState, SiteProposal, SiteState
from derctl.core.value import replace, value
from derctl.core.words import Belief
from derctl.functions import contract_export_limit, meter_trust
from derctl.functions.contract_export_limit import ContractExportLimit

RISE_PU = 0.04
"""Load is credited in steps of this, per unit of the rating, each once the meter has shown the one before."""
RISE_S = 2.5
SHOWN = 0.5
RENEW_S, AGE_MAX_S, RENEW_WH = 230.0, 300.0, 35.0


@value
class Credit:
    """load_w: credited, beyond what may go out without a meter. rising: whether a step waits to be shown, for wait_s;
    ders_w and poc_w: where it began."""

    load_w: float = 0.0
    rising: bool = False
    wait_s: float = 0.0
    ders_w: float = 0.0
    poc_w: float = 0.0
    suspect: bool = False


@value
class Memory:
    """Of the contract's own law, of the belief and of the credit."""

    law: contract_export_limit.Memory
    known: belief.Memory = belief.Memory()
    credit: Credit = Credit()
    evidence: Evidence = Evidence()


@dataclass(frozen=True, slots=True, kw_only=True)
class Believing:
    """The law, narrowed by what the meter is believed to be."""

    kind: ClassVar[str] = "contract_export_limit"
    rank: ClassVar[int] = 15
    law: ContractExportLimit
    always: bool = False
    seed: int = field(default=1)

    def start(self) -> Memory:
        return Memory(law=self.law.start(), known=belief.Memory(seed=self.seed))

    def step(
        self, memory: Memory, ders: Sequence[DerState], site: SiteState, dt_s: float
    ) -> tuple[Memory, SiteProposal | Any]:
        sum_w = sum(map(assumed_w, ders))
        base_w = self.law.limit_w
        credit = memory.credit
        used_w = max(sum_w - base_w, 0.0)
        need = Need(
            exposed_w=used_w,
            suspect=credit.suspect,
            always=self.always,
            age_s=min(RENEW_S, max(RENEW_WH * 3600.0 / max(used_w, 1.0) - 25.0, 20.0)),
        )
        known, evidence = belief.step(memory.known, ders, site.poc, need, dt_s)
        assert site.poc is not None
        proven = evidence.belief is Belief.PROVEN
        wrong = evidence.belief in {Belief.DOUBTED, Belief.LOST}
        trust = meter_trust.Trust(sample=site.poc.sample, proven=proven, doubted=wrong)
        law = replace(memory.law, trust=trust, lost=wrong, unproven_s=10.0)
        law, said = self.law.step(law, ders, site, dt_s)
        assert law.ceiling_w is not None and isinstance(said, SiteProposal)
        scale_w = sum(der.rating.per_unit_w for der in ders)
        apart_w = sum(w for _, w in said.apart_w)
        now = _Now(sum_w, used_w, site.poc.reading.p_w, scale_w)
        credit = _credited(credit, evidence, law.ceiling_w + apart_w - base_w, now, dt_s)
        most_w = base_w + credit.load_w
        law = replace(law, ceiling_w=min(law.ceiling_w, most_w))
        if evidence.most_w is not None:
            most_w = min(most_w, evidence.most_w)
        return Memory(law=law, known=known, credit=credit, evidence=evidence), _narrowed(said, most_w)


def _narrowed(said: SiteProposal, most_w: float) -> SiteProposal:
    """The sum and those on trial, who are apart from it, together."""
    assert said.p_ceiling_w is not None
    apart_w = sum(w for _, w in said.apart_w)
    share = min(1.0, max(most_w, 0.0) / apart_w) if apart_w > 0.0 else 1.0
    return replace(
        said,
        p_ceiling_w=min(said.p_ceiling_w, max(most_w - share * apart_w, 0.0)),
        apart_w=tuple((der, share * w) for der, w in said.apart_w),
    )


@dataclass(frozen=True, slots=True)
class _Now:
    sum_w: float
    used_w: float
    poc_w: float | None
    scale_w: float


def _credited(credit: Credit, evidence: Evidence, wanted_w: float, now: _Now, dt_s: float) -> Credit:
    """Up in steps that are shown, down at once, away where the evidence is old."""
    rise_w = RISE_PU * now.scale_w
    if evidence.belief is not Belief.PROVEN:
        return Credit()
    age_s = evidence.age_s or 0.0
    if age_s >= AGE_MAX_S:
        return Credit(load_w=max(min(credit.load_w, now.used_w) - 0.02 * now.scale_w * dt_s, 0.0), suspect=True)
    if credit.suspect and age_s > 0.0:
        return replace(credit, load_w=min(credit.load_w, now.used_w), rising=False)
    if evidence.most_w is not None:
        return replace(credit, rising=False, suspect=False)
    if credit.rising:
        return _shown(replace(credit, wait_s=credit.wait_s + dt_s), evidence, now, rise_w)
    load_w = min(credit.load_w, max(wanted_w, 0.0))
    if wanted_w > load_w and now.used_w >= load_w - 0.5 * rise_w:
        load_w = min(load_w, now.used_w) + min(rise_w, wanted_w - min(load_w, now.used_w))
        return Credit(load_w=load_w, rising=True, ders_w=now.sum_w, poc_w=now.poc_w or 0.0)
    return replace(credit, load_w=load_w, suspect=False)


def _shown(credit: Credit, evidence: Evidence, now: _Now, rise_w: float) -> Credit:
    moved_w, seen_w = now.sum_w - credit.ders_w, (now.poc_w or 0.0) - credit.poc_w
    if moved_w >= 0.1 * rise_w and seen_w >= SHOWN * moved_w and credit.wait_s >= 2.0:
        return replace(credit, rising=False)
    if credit.wait_s < RISE_S + (evidence.delay_s or 0.0) + 2.0 * (evidence.refresh_s or 0.0):
        return credit
    back_w = max(min(credit.load_w, now.used_w) - max(moved_w, 0.0), 0.0)
    if moved_w < 0.25 * rise_w:
        return Credit(load_w=back_w)
    return Credit(load_w=back_w, suspect=True)
