"""The limit of each phase: its law, its fallback without the meter or its phases, and the evidence that it needs."""

from __future__ import annotations

from typing import Any

import pytest

from derctl.core.evidence import Evidence
from derctl.core.types import DerState, PocState, Setpoint, SiteProposal
from derctl.core.value import replace
from derctl.core.words import Belief, Reason
from derctl.functions import phase_loop
from derctl.functions.contract_export_limit import ContractExportLimit
from derctl.functions.export_memory import Memory
from derctl.functions.meter_trust import Trust
from tests import make
from tests.timeline import SiteTimeline

A, B, THREE = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (1 / 3, 1 / 3, 1 / 3)
LIMIT = ContractExportLimit(limit_w=9000.0, phase_limit_w=3000.0, probe="none")
PROVEN = Memory(trust=Trust(proven=True))


def meter(*phases_w: float, shown: bool = True, **given: Any) -> PocState:
    poc = make.meter(sum(phases_w), **given)
    return replace(poc, reading=replace(poc.reading, p_phase_w=phases_w if shown else None))


def said(*ders: DerState, poc: PocState | None, memory: Memory = PROVEN, ticks: int = 1) -> SiteProposal:
    time = SiteTimeline(LIMIT, memory=memory)
    for _ in range(ticks):
        proposal = time.proposes(*ders, poc=poc)
    return proposal


def edges(proposal: SiteProposal) -> tuple[tuple[float, ...], Reason | None]:
    assert proposal.phases is not None
    return proposal.phases.ceiling_w, proposal.phases.why


PVA, PV3 = make.pv("pva", p_w=4000.0, feeds_pu=A), make.pv("pv3", p_w=3000.0, feeds_pu=THREE)


def test_without_an_agreed_limit_of_each_phase_none_is_asked_for() -> None:
    time = SiteTimeline(ContractExportLimit(limit_w=9000.0), memory=PROVEN)
    assert time.proposes(PVA, poc=meter(4000.0, 0.0, 0.0)).phases is None


def test_the_excess_of_a_phase_is_taken_from_it_and_the_others_have_what_the_meter_leaves() -> None:
    """A: 5 kW are given, 3.5 go out where 2.94 may. B and C: 1 kW is given, and 0.5 go out."""
    ceilings, why = edges(said(PVA, PV3, poc=meter(3500.0, 500.0, 500.0)))
    assert why is None
    assert ceilings == pytest.approx((4440.0, 1000.0 + 0.1 * 10_000 / 3, 1000.0 + 0.1 * 10_000 / 3))


def test_a_phase_in_which_nobody_is_controlled_yet_has_nothing_to_give_and_who_comes_brings_its_own() -> None:
    time = SiteTimeline(LIMIT, memory=PROVEN)
    assert edges(time.proposes(poc=meter(-500.0, 0.0, 0.0)))[0] == (0.0, 0.0, 0.0)
    ceilings, _ = edges(time.proposes(PVA, poc=meter(-500.0, 0.0, 0.0)))
    assert ceilings[0] >= 4000.0 and ceilings[1:] == (0.0, 0.0)


def test_a_meter_that_shows_no_phases_lets_no_load_count_in_any_and_says_so() -> None:
    ceilings, why = edges(said(PVA, PV3, poc=meter(-9000.0, -9000.0, -9000.0, shown=False), ticks=60))
    assert (ceilings, why) == (pytest.approx((3000.0,) * 3), Reason.PHASES_UNSEEN)


def test_a_meter_that_shows_two_phases_says_nothing_of_the_third() -> None:
    ceilings, _ = edges(said(PVA, PV3, poc=meter(-9000.0, -9000.0), ticks=120))
    assert ceilings[0] > 3000.0 and ceilings[2] == pytest.approx(3000.0)


@pytest.mark.parametrize(
    ("poc", "memory", "why"),
    [
        (None, Memory(lost=True), Reason.METER_LOST),
        (meter(-9000.0, 0.0, 0.0, fresh=False), PROVEN, Reason.METER_LOST),
        (meter(-9000.0, 0.0, 0.0), Memory(), Reason.METER_UNPROVEN),
        (meter(-9000.0, 0.0, 0.0), replace(PROVEN, trust=Trust(doubted=True)), Reason.METER_LOST),
    ],
)
def test_without_a_believed_meter_no_load_counts(poc: PocState | None, memory: Memory, why: Reason) -> None:
    ceilings, found = edges(said(PVA, PV3, poc=poc, memory=memory, ticks=60))
    assert (ceilings, found) == (pytest.approx((3000.0,) * 3), why)


def test_each_may_be_off_where_no_meter_shows_it_and_who_is_not_ours_counts_at_its_worst() -> None:
    """The one in three phases is off by a third of 300 W in each."""
    off, three = replace(PVA, beyond_w=200.0), replace(PV3, beyond_w=300.0)
    other = make.pv("pvb", p_w=1000.0, feeds_pu=B, controllable=False)
    ceilings, _ = edges(said(off, three, other, poc=None, memory=Memory(lost=True), ticks=60))
    assert ceilings == pytest.approx((2700.0, 1900.0, 2900.0))


def test_while_answers_are_missing_the_last_word_is_held() -> None:
    time = SiteTimeline(LIMIT, memory=PROVEN)
    before = edges(time.proposes(PVA, poc=meter(3500.0, 0.0, 0.0)))[0]
    assert edges(time.proposes(PVA, poc=meter(3500.0, 0.0, 0.0, fresh=False))) == (before, Reason.HELD)


def test_who_leaves_takes_its_share_along_and_who_comes_brings_its_own() -> None:
    time = SiteTimeline(LIMIT, memory=PROVEN)
    pvb = make.pv("pvb", p_w=2000.0, feeds_pu=B, accepted=Setpoint(p_ceiling_w=2000.0))
    poc = meter(2940.0, 1000.0, 0.0)
    pva = make.pv("pva", p_w=3000.0, feeds_pu=A)
    time.proposes(pva, pvb, poc=poc)
    alone = edges(time.proposes(pva, replace(pvb, controllable=False), poc=poc))[0]
    assert alone[:2] == pytest.approx((3000.0, 1000.0), abs=1.0), "it had 1 kW beyond what it gave"
    again = edges(time.proposes(pva, pvb, poc=poc))[0]
    assert again[:2] == pytest.approx((3000.0, 3000.0), abs=1.0)


def test_who_is_found_to_feed_elsewhere_counts_there_from_now_on() -> None:
    time = SiteTimeline(LIMIT, memory=PROVEN)
    time.proposes(PVA, poc=meter(2940.0, 0.0, 0.0))
    said = time.proposes(replace(PVA, feeds_pu=B), poc=meter(2940.0, 0.0, 0.0))
    assert said.phases is not None and said.phases.shares_pu == (B,)


def test_an_excess_that_lasts_makes_every_single_phase_count_in_all() -> None:
    time = SiteTimeline(LIMIT, memory=PROVEN)
    pvb = make.pv("pvb", p_w=4000.0, feeds_pu=B)
    for n in range(12):
        proposal = time.proposes(pvb, PV3, poc=meter(4500.0, 0.0, 0.0, sample=n))
    assert proposal.phases is not None
    assert proposal.phases.shares_pu == ((1.0, 1.0, 1.0), THREE)
    assert proposal.phases.why is Reason.PHASE_ASTRAY
    for n in range(700):
        proposal = time.proposes(pvb, PV3, poc=meter(100.0, 0.0, 0.0, sample=100 + n))
    assert proposal.phases is not None and proposal.phases.shares_pu == (B, THREE)


def test_for_a_proof_a_phase_gets_as_much_as_the_meter_shows_to_be_drawn_there() -> None:
    rising = Evidence(belief=Belief.UNPROVEN, steps=True, rise_w=400.0)
    function = replace_probe(LIMIT)
    for drawn_w, more_w in ((2000.0, 400.0), (300.0, 240.0), (0.0, 0.0)):
        time = SiteTimeline(function, memory=Memory())
        for n in range(80):
            proposal = time.proposes(PVA, poc=meter(-drawn_w, 0.0, 0.0, sample=n, belief=rising))
        assert edges(proposal)[0][0] == pytest.approx(3000.0 + more_w)


def replace_probe(limit: ContractExportLimit) -> ContractExportLimit:
    return ContractExportLimit(limit_w=limit.limit_w, phase_limit_w=limit.phase_limit_w, probe="due")


def test_what_load_lets_out_of_a_phase_is_told_as_what_depends_on_the_meter() -> None:
    """6 kW are given in A, of which 3 may go out without load."""
    pva = make.pv("pva", p_w=6000.0, feeds_pu=A)
    proven = Evidence(belief=Belief.PROVEN, steps=True, age_s=1.0)
    time = SiteTimeline(replace_probe(LIMIT), memory=PROVEN)
    proposal = time.proposes(pva, poc=meter(2500.0, 0.0, 0.0, belief=proven))
    assert proposal.need is not None and proposal.need.exposed_w == pytest.approx(3000.0)
    plain = SiteTimeline(ContractExportLimit(limit_w=9000.0, probe="due"), memory=PROVEN)
    proposal = plain.proposes(pva, poc=meter(2500.0, 0.0, 0.0, belief=proven))
    assert proposal.need is not None and proposal.need.exposed_w == 0.0


def test_no_more_load_counts_than_is_credited() -> None:
    memory = phase_loop.Memory(ceilings_w=(5000.0, 4000.0, 1000.0))
    assert phase_loop.credited(memory, (3000.0,) * 3, 9000.0) is memory
    found = phase_loop.credited(memory, (3000.0,) * 3, 1500.0)
    assert found.ceilings_w == pytest.approx((4000.0, 3500.0, 1000.0))
