"""The contract's ceilings for DERs on trial: what they claim gives the others nothing and takes nothing from them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from derctl.core.types import DerState, Setpoint, Trial
from derctl.functions.apart import Alone, Law, Part, entered, parted, stepped
from derctl.functions.contract_export_limit import ContractExportLimit
from derctl.functions.export_memory import Memory
from derctl.functions.meter_trust import Trust
from derctl.functions.self_consumption import SelfConsumption
from tests import make
from tests.timeline import Clock, SiteTimeline

LAW = Law(headroom_w=0.0, taken_w=0.0, room_w=0.0, relax_pu=0.1, dt_s=1.0, pressed=False, held=False)


def tried(name: str = "pv9", *, gave_w: float = 5_000.0, dip_w: float = 0.0, **given: Any) -> DerState:
    """One on trial."""
    der = make.pv(name, **{"p_w": 5_000.0, **given})
    return replace(der, trial=Trial(p_w=der.reading.p_w, gave_w=gave_w, dip_w=dip_w))


def ceiling(before_w: float, der: DerState, **law: Any) -> float:
    """One step."""
    given = {"taken_w": -0.33 * min(law.get("headroom_w", 0.0), 0.0), **law}
    (after,) = stepped([Alone(der=der.id, ceiling_w=before_w)], [der], replace(LAW, **given))
    return after.ceiling_w


def test_who_comes_is_raised_by_nothing_that_it_says() -> None:
    assert entered([], [tried(p_w=8_000.0)])[0].ceiling_w == 8_000.0
    assert entered([], [tried(p_w=8_000.0, accepted=Setpoint(p_ceiling_w=2_000.0))])[0].ceiling_w == 2_000.0
    assert entered([], [tried(p_w=-100.0)])[0].ceiling_w == 0.0
    assert entered([], [tried(p_w=None, accepted=Setpoint(p_ceiling_w=3_000.0))])[0].ceiling_w == 3_000.0
    assert entered([], [tried(p_w=None)])[0].ceiling_w == 0.0
    before = Alone(der="pv9", ceiling_w=1.0)
    assert entered([before, Alone(der="gone", ceiling_w=2.0)], [tried()]) == (before,)


def test_it_is_taken_back_where_the_others_were_not_enough() -> None:
    assert ceiling(5_000.0, tried(), headroom_w=-1_000.0) == 5_000.0
    assert ceiling(5_000.0, tried(), headroom_w=-1_000.0, pressed=True) == pytest.approx(4_670.0)
    assert ceiling(100.0, tried(p_w=100.0), headroom_w=-1_000.0, pressed=True) == 0.0


def test_it_comes_down_with_what_it_gives_but_for_the_slack() -> None:
    """An inverter of 10 kW: 5 % are 500 W."""
    assert ceiling(5_000.0, tried(p_w=1_000.0), headroom_w=-1.0) == 1_500.0
    assert ceiling(5_000.0, tried(p_w=None), headroom_w=-1.0) == 5_000.0


def test_it_rises_by_a_fifth_of_its_rating_or_to_what_the_meter_leaves() -> None:
    assert ceiling(5_000.0, tried(), headroom_w=4_000.0, room_w=600.0) == 5_600.0
    assert ceiling(5_000.0, tried(), headroom_w=4_000.0, room_w=3_000.0) == 6_000.0, "a tenth in a second"
    assert ceiling(6_900.0, tried(p_w=6_900.0), headroom_w=4_000.0, room_w=3_000.0) == 7_000.0
    assert ceiling(6_900.0, tried(p_w=6_900.0), headroom_w=7_300.0, room_w=3_000.0) == 7_300.0
    assert ceiling(9_900.0, tried(p_w=9_900.0), headroom_w=20_000.0, room_w=3_000.0) == 10_000.0
    assert ceiling(5_000.0, tried(), headroom_w=400.0, room_w=200.0) == 5_000.0, "next to nothing"


def test_who_gives_too_little_to_be_seen_rises_slowly_whatever_is_left() -> None:
    assert ceiling(1_000.0, tried(p_w=1_000.0, gave_w=0.0)) == 1_100.0
    assert ceiling(1_000.0, tried(p_w=1_000.0, gave_w=0.0), held=True) == 1_000.0, "not while one is moved"
    assert ceiling(1_600.0, tried(p_w=1_600.0, gave_w=0.0)) == 1_600.0


def test_a_store_that_charges_goes_on_with_it_while_there_is_no_room() -> None:
    """5 kW either way; what it lets go would go out."""
    store = make.battery("bat9", p_w=-3_000.0)
    store = replace(store, trial=Trial(p_w=-3_000.0, gave_w=-3_000.0))
    assert entered([], [store])[0].ceiling_w == -3_000.0
    assert ceiling(-3_000.0, store, headroom_w=-100.0) == -3_000.0
    assert ceiling(-3_000.0, store, headroom_w=0.0) == -3_000.0
    assert ceiling(-3_000.0, store, headroom_w=-3_000.0, pressed=True) == -3_990.0
    assert ceiling(-3_000.0, store, headroom_w=-9_000.0, pressed=True) == -5_000.0
    assert ceiling(-3_000.0, store, headroom_w=2_000.0, room_w=300.0) == -2_700.0
    assert (
        ceiling(900.0, replace(store, trial=Trial(p_w=900.0, gave_w=-3_000.0)), headroom_w=2_000.0, room_w=300.0)
        == 1_000.0
    )


PROVEN = Memory(trust=Trust(proven=True))


def contract(memory: Memory = PROVEN) -> SiteTimeline:
    """7 kW, a margin of 140 W."""
    return SiteTimeline(ContractExportLimit(limit_w=7_000.0), Clock(), memory)


def test_one_on_trial_is_no_part_of_the_sum_and_gets_a_ceiling_of_its_own() -> None:
    time, without = contract(), contract()
    pv1 = make.pv("pv1", p_w=3_000.0)
    for n, claim_w in enumerate((8_000.0, 0.0, 9_000.0, None)):
        liar = tried("liar", p_w=claim_w, accepted=Setpoint(p_ceiling_w=4_000.0))
        poc = make.meter(6_000.0 + 400.0 * n, sample=n)
        said = time.proposes(pv1, liar, poc=poc)
        assert said.over == ("pv1",)
        assert said.p_ceiling_w == without.proposes(pv1, poc=poc).p_ceiling_w, "whatever it claims"
        ((name, ceiling_w),) = said.apart_w
        assert name == "liar"
        assert ceiling_w <= 4_000.0 + 2_000.0


def test_what_one_makes_by_its_dip_is_no_room_for_the_others() -> None:
    time = contract()
    pv1 = make.pv("pv1", p_w=3_000.0)
    first = time.proposes(pv1, poc=make.meter(6_860.0, sample=1))
    dipped = time.proposes(pv1, tried(dip_w=1_500.0), poc=make.meter(5_360.0, sample=2))
    assert dipped.p_ceiling_w == first.p_ceiling_w
    more = time.proposes(pv1, tried(dip_w=1_500.0), poc=make.meter(4_360.0, sample=3))
    assert more.p_ceiling_w is not None and first.p_ceiling_w is not None
    assert more.p_ceiling_w > first.p_ceiling_w + 300.0, "what is left besides is"


def test_an_excess_takes_the_others_back_first_and_those_on_trial_after_3_s() -> None:
    time, pv1 = contract(), make.pv("pv1", p_w=3_000.0)
    time.proposes(pv1, tried(), poc=make.meter(6_860.0, sample=0))
    apart = [time.proposes(pv1, tried(), poc=make.meter(8_000.0, sample=n)).apart_w[0][1] for n in range(1, 6)]
    assert apart[:3] == [5_000.0] * 3
    assert apart[3] < 5_000.0


def test_where_nobody_else_is_those_on_trial_are_taken_back_at_once() -> None:
    said = contract().proposes(tried(), poc=make.meter(8_000.0))
    assert said.over == ()
    assert said.apart_w[0][1] == pytest.approx(5_000.0 - 0.33 * 1_140.0)


@pytest.mark.parametrize(
    "memory",
    [Memory(), Memory(trust=Trust(proven=True, doubted=True), lost=True)],
    ids=["new", "doubted"],
)
def test_without_a_meter_that_is_relied_on_all_are_held_down_together(memory: Memory) -> None:
    said = contract(memory).proposes(make.pv("pv1", p_w=3_000.0), tried(), poc=make.meter(0.0))
    assert said.over == ("pv1", "pv9")
    assert said.apart_w == ()
    assert said.p_ceiling_w is not None and said.p_ceiling_w <= 7_000.0


def test_a_meter_that_stands_still_while_one_on_trial_moves_is_doubted_where_nobody_else_is() -> None:
    time = contract()
    for n in range(40):
        said = time.proposes(tried(p_w=2_000.0 + 2_000.0 * (n % 2)), poc=make.meter(1_000.0, sample=n))
    assert time.memory.trust.doubted
    assert said.over == ("pv9",)


def test_a_store_on_trial_has_no_share_and_what_others_claim_on_trial_moves_no_store() -> None:
    time = SiteTimeline(SelfConsumption(), Clock())
    battery, other = make.battery("bat1", p_w=0.0), make.battery("bat2", p_w=4_000.0)
    other = replace(other, trial=Trial(p_w=4_000.0))
    liar = replace(tried("liar", p_w=9_000.0), most_w=0.0)
    said = time.proposes(battery, other, liar, poc=make.meter(-2_000.0))
    assert said.over == ("bat1",)
    assert said.p_target_w == pytest.approx(1_000.0), "half of what is drawn"


def test_who_is_believed_first_of_all_brings_what_it_gives_whatever_was_before() -> None:
    """A battery that charged left last, and took nothing along."""
    time = contract(replace(PROVEN, ceiling_w=-5_000.0, over=()))
    said = time.proposes(make.pv("pv1", p_w=4_000.0), poc=make.meter(6_860.0))
    assert said.p_ceiling_w == pytest.approx(4_000.0)


def test_who_claims_more_than_it_was_told_leaves_no_more_behind_than_that() -> None:
    told = Setpoint(p_ceiling_w=2_000.0)
    liar = make.pv("liar", p_w=8_000.0, accepted=told)
    time = contract(replace(PROVEN, ceiling_w=7_000.0, over=("liar", "pv1", "pv2")))
    gone = make.pv("pv2", p_w=2_000.0, accepted=told, fresh=False, controllable=False)
    said = time.proposes(make.pv("pv1", p_w=3_000.0, accepted=Setpoint(p_ceiling_w=3_000.0)), liar, gone)
    assert said.p_ceiling_w == pytest.approx(5_000.0)


def test_one_that_never_went_away_keeps_what_it_gives_whatever_it_reads_back() -> None:
    """It showed a limit of 0 W, and gave 4 kW."""
    came = replace(tried("pv9", p_w=4_000.0, accepted=Setpoint(p_ceiling_w=0.0)), unseen=True)
    assert entered((), [came]) == (Alone(der="pv9", ceiling_w=4_000.0),)
    assert entered((), [replace(came, unseen=False)]) == (Alone(der="pv9", ceiling_w=0.0),)


def test_for_a_rise_those_are_apart_whose_claims_would_take_all_of_it() -> None:
    """Two claim 8 kW, one of them though it is told 0 W; the third is known."""
    told = Setpoint(p_ceiling_w=0.0)
    ours = [
        make.pv("pv1", p_w=0.0, accepted=told),
        make.pv("liar1", p_w=8_000.0, accepted=told),
        make.pv("liar2", p_w=8_000.0, accepted=Setpoint(p_ceiling_w=9_000.0)),
    ]
    all_ = ("pv1", "liar1", "liar2")
    assert parted([], 600.0, ours, 600.0, {"liar2"}) == Part(
        over=("pv1",), ceiling_w=600.0, apart_w=(("liar1", 0.0), ("liar2", 0.0))
    )
    assert parted([], 8_600.0, ours, 600.0, {"liar2"}).apart_w == (("liar1", 4_000.0), ("liar2", 4_000.0))
    assert parted([], 600.0, ours, 600.0, set()).over == ("pv1", "liar2"), "it gives no more than it was told"
    assert parted([], 17_000.0, ours, 600.0, {"liar2"}) == Part(over=all_, ceiling_w=17_000.0, apart_w=()), "room"
    assert parted([], 600.0, ours[1:2], 600.0, {"liar1"}).over == ("liar1",), "nobody else is there"
    assert parted([], 600.0, ours[:1], 600.0, set()).over == ("pv1",), "all do what they are told"
    assert parted([], None, ours, 600.0, set()).ceiling_w is None
    alone = [Alone(der="pv9", ceiling_w=1.0)]
    assert parted(alone, 600.0, ours, 0.0, {"liar2"}) == Part(over=all_, ceiling_w=600.0, apart_w=(("pv9", 1.0),))


def test_one_that_is_not_measured_or_was_told_nothing_gives_no_more_than_it_was_told() -> None:
    ours = [make.pv("pv1", p_w=0.0), make.pv("pv2", p_w=5_000.0), make.pv("pv3", p_w=None, accepted=Setpoint())]
    assert parted([], 600.0, ours, 600.0, set()).over == ("pv1", "pv2", "pv3")
