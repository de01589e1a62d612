"""Storage that brings the point of connection to a target: the law of docs/sources.md, once per sample."""

from __future__ import annotations

import math
from typing import Any

import pytest

from derctl.core.evidence import Evidence
from derctl.core.plan import Plan
from derctl.core.types import Abstain, Fallback, Setpoint
from derctl.core.value import replace
from derctl.core.words import Belief, Doubt, FallbackBy, Status
from derctl.functions.self_consumption import SelfConsumption
from tests import make
from tests.timeline import PlanTimeline, SiteTimeline


def test_it_takes_half_of_what_is_imported_or_exported() -> None:
    for p_poc, p_bat, expected in ((-2_000.0, 500.0, 1_500.0), (3_000.0, 0.0, -1_500.0), (-100.0, -1_000.0, -950.0)):
        said = SiteTimeline(SelfConsumption()).proposes(make.battery(p_w=p_bat), poc=make.meter(p_poc))
        assert said.p_target_w == expected and said.rank == 70


def test_the_target_may_be_another_than_zero() -> None:
    time = SiteTimeline(SelfConsumption(target_w=-500.0, gain=1.0))
    assert time.proposes(make.battery(p_w=0.0), poc=make.meter(0.0)).p_target_w == -500.0


def test_one_sample_leads_to_one_sum_and_no_further() -> None:
    time = SiteTimeline(SelfConsumption())
    told = [
        time.proposes(make.battery(p_w=p), poc=make.meter(-2_000.0, sample=1)).p_target_w
        for p in (0.0, 300.0, 800.0, *([1_000.0] * 20))
    ]
    assert told[:3] == [1_000.0, 1_500.0, 1_750.0] and told[-1] == pytest.approx(2_000.0)


def test_what_was_asked_for_and_is_not_shown_yet_is_not_asked_for_again() -> None:
    """2 kW are missing; the battery gives them at once, and the meter is 3 s late."""
    time = SiteTimeline(SelfConsumption(gain=1.0))
    shown = [-2_000.0] * 4 + [0.0] * 4
    told = [
        time.proposes(make.battery(p_w=2_000.0 if n else 0.0), poc=make.meter(w + n % 2, sample=n)).p_target_w
        for n, w in enumerate(shown)
    ]
    assert told == [2_000.0] * 8


def test_inside_its_dead_band_it_rests() -> None:
    time = SiteTimeline(SelfConsumption(deadband_w=30.0, gain=1.0))
    first = time.proposes(make.battery(p_w=0.0), poc=make.meter(-2_000.0, sample=1)).p_target_w
    for n in range(2, 30):
        assert time.proposes(make.battery(p_w=2_000.0), poc=make.meter(-30.0, sample=n)).p_target_w == first
    assert time.proposes(make.battery(p_w=2_000.0), poc=make.meter(-31.0, sample=30)).p_target_w == pytest.approx(
        2_031.0, abs=30.0
    )


@pytest.mark.parametrize("load_w", [3_000.0, -3_000.0], ids=["discharging", "charging"])
@pytest.mark.parametrize("gives", [0.97, 1.03])
def test_a_battery_that_gives_97_percent_ends_where_it_should(load_w: float, gives: float) -> None:
    time = SiteTimeline(SelfConsumption())
    p_w, poc_w = 0.0, []
    for n in range(240):
        poc_w.append(p_w - load_w)
        said = time.proposes(make.battery(p_w=p_w), poc=make.meter(poc_w[-1], sample=n))
        p_w = gives * (said.p_target_w or 0.0)
    assert abs(sum(poc_w[-60:]) / 60.0) <= 50.0


def test_another_store_begins_with_the_next_sample() -> None:
    time = SiteTimeline(SelfConsumption())
    one, other = make.battery("a", p_w=0.0), make.battery("b", p_w=500.0)
    said = [time.proposes(*ders, poc=make.meter(-2_000.0, sample=1)) for ders in ([one], [one, other])]
    assert said[1].p_target_w == said[0].p_target_w == 1_000.0 and said[1].over == ("a", "b")
    assert time.proposes(one, other, poc=make.meter(-1_500.0, sample=2)).p_target_w == 1_500.0


@pytest.mark.parametrize("poc", ["none", "stale", "unreadable"])
def test_without_a_fresh_meter_it_abstains_and_forgets(poc: str) -> None:
    time = SiteTimeline(SelfConsumption())
    time.at(make.battery(p_w=0.0), poc=make.meter(-2_000.0, sample=1))
    lost = {
        "none": None,
        "stale": make.meter(-2_000.0, sample=1, fresh=False),
        "unreadable": make.meter(None, sample=2),
    }
    assert time.at(make.battery(p_w=0.0), poc=lost[poc]) == Abstain("meter_lost", lost=True)
    assert (time.memory.sample, time.memory.sum_w) == (-1, None), "it begins anew at what is measured then"


@pytest.mark.parametrize("why", Doubt)
def test_a_meter_that_something_else_speaks_against_is_not_followed(why: Doubt) -> None:
    time = SiteTimeline(SelfConsumption())
    said = time.at(make.battery(p_w=0.0), poc=replace(make.meter(-2_000.0), belief=Evidence(why=why)))
    follows = why in {Doubt.FOLLOWERS, Doubt.FOLLOWER_SUSPECTED, Doubt.VOLTAGE, Doubt.DER_PHASE}
    assert (said == Abstain("meter_lost", lost=True)) is not follows


def test_it_speaks_only_for_storage_that_can_be_steered_and_measured() -> None:
    others = [make.pv(p_w=5_000.0), make.battery("away", p_w=3_000.0, controllable=False)]
    said = SiteTimeline(SelfConsumption()).at(*others, poc=make.meter(-2_000.0))
    assert said == Abstain("no storage to steer", lost=True)
    said = SiteTimeline(SelfConsumption()).at(*others, make.battery("mute"), poc=make.meter(-2_000.0))
    assert said == Abstain("no storage to steer", lost=True)
    said = SiteTimeline(SelfConsumption()).at(*others, make.battery("here", p_w=0.0), poc=make.meter(-2_000.0))
    assert said.over == ("here",) and said.p_target_w == 1_000.0


def test_a_store_that_is_not_measured_counts_with_what_it_was_told() -> None:
    told = Setpoint(p_target_w=2_000.0)
    ders = [make.battery("a", p_w=2_000.0, accepted=told), make.battery("b", accepted=told)]
    said = SiteTimeline(SelfConsumption()).at(*ders, poc=make.meter(-600.0))
    assert said.over == ("a", "b") and said.p_target_w == 4_300.0


def test_a_store_that_is_neither_measured_nor_told_gets_no_share_of_a_sum_without_it() -> None:
    ders = [make.battery("a", p_w=2_000.0), make.battery("mute")]
    said = SiteTimeline(SelfConsumption()).at(*ders, poc=make.meter(-600.0))
    assert said.over == ("a",) and said.p_target_w == 2_300.0


def test_in_closed_loop_a_battery_without_a_measurement_carries_its_half() -> None:
    """Two at one charge; b tells what it was told and not what it gives. 4 kW of load are 2 kW each."""
    time = PlanTimeline(Plan(site_functions=((SelfConsumption(), ("a", "b")),)))
    told: list[Any] = [(0.0, 0.0)]
    for n in range(60):
        a, b = told[-1]
        ders = [
            make.battery("a", p_w=a, sample=n, accepted=Setpoint(p_target_w=a)),
            make.battery("b", sample=n, accepted=Setpoint(p_target_w=b)),
        ]
        found = time.told(*ders, poc=make.meter(a + b - 4_000.0, sample=n))
        told.append((found["a"].p_target_w, found["b"].p_target_w))
    assert told[-1] == (pytest.approx(2_000.0, abs=15.0), pytest.approx(2_000.0, abs=15.0))


@pytest.mark.parametrize("dead", [1, 2])
def test_in_closed_loop_two_batteries_bring_import_to_zero(dead: int) -> None:
    time = PlanTimeline(Plan(site_functions=((SelfConsumption(), ("a", "b")),)))
    told: list[Any] = [(0.0, 0.0)] * (dead + 1)
    for n in range(60):
        a, b = told[-dead]
        ders = [make.battery("a", p_w=a, soc_pct=80.0, sample=n), make.battery("b", p_w=b, soc_pct=40.0, sample=n)]
        found = time.told(*ders, poc=make.meter(a + b - 3_000.0, sample=n))
        told.append((found["a"].p_target_w, found["b"].p_target_w))
    assert sum(told[-1]) == pytest.approx(3_000.0, abs=30.0)
    assert told[-1][0] == pytest.approx(2.0 * told[-1][1]), "in proportion to the charge that is left"


STANDS = Fallback(p_ceiling_w=3_000.0, by=FallbackBy.STANDS)


def test_what_comes_down_by_its_own_limit_is_not_stored_meanwhile_too() -> None:
    plan = Plan(site_functions=((SelfConsumption(), ("bat1",)),))
    time = PlanTimeline(plan)
    sun = make.pv(p_w=9_000.0, fallback=STANDS)
    told = time.told(sun, make.battery(p_w=0.0), poc=make.meter(8_500.0))
    assert told == {"pv1": Setpoint(p_ceiling_w=3_000.0), "bat1": Setpoint(p_target_w=-1_250.0)}
    for n in range(1, 4):  # a slow meter: the same sample, while the sun has come down
        told = time.told(make.pv(p_w=3_000.0, fallback=STANDS), make.battery(p_w=-1_250.0), poc=make.meter(8_500.0))
        assert told["bat1"] == Setpoint(p_target_w=-2_500.0 * (1.0 - 0.5 ** (n + 1))), "else the site would import"


def test_what_does_not_come_down_is_stored_in_the_end() -> None:
    plan = Plan(site_functions=((SelfConsumption(), ("bat1",)),))
    time = PlanTimeline(plan)
    aims = []
    for n in range(30):
        told = time.told(
            make.pv(p_w=9_000.0, fallback=STANDS), make.battery(p_w=0.0), poc=make.meter(8_500.0, sample=n)
        )
        aims.append(told["bat1"].p_target_w)
    assert aims[0] == -1_250.0 and aims[-1] == -5_000.0


@pytest.mark.parametrize("given", [{"p_w": 3_400.0}, {"p_w": 9_000.0, "controllable": False}, {"p_w": None}])
def test_who_swings_around_its_limit_or_is_out_of_our_hands_is_not_waited_for(given: dict[str, Any]) -> None:
    plan = Plan(site_functions=((SelfConsumption(), ("bat1",)),))
    said = PlanTimeline(plan).told(
        make.pv(fallback=STANDS, **given),
        make.battery(p_w=0.0, p_max_w=9_000.0, charge_w=9_000.0),
        poc=make.meter(2_000.0),
    )
    assert said["bat1"] == Setpoint(p_target_w=-1_000.0) or given["p_w"] is None


@pytest.mark.parametrize("belief", [Belief.DOUBTED, Belief.LOST])
def test_by_a_meter_that_is_not_believed_stores_rest_but_for_the_step_that_it_has_to_show(belief: Belief) -> None:
    """A reversed clamp bought 5.9 kW."""
    time, bat = SiteTimeline(SelfConsumption()), make.battery(p_w=0.0)
    said = time.proposes(bat, poc=make.meter(-2_000.0, sample=1, belief=Evidence(belief=belief, steps=True)))
    assert (said.p_target_w, said.why, said.meter_pu) == (0.0, "meter_lost", 0.0)
    said = time.proposes(
        bat, poc=make.meter(-2_000.0, sample=2, belief=Evidence(belief=belief, steps=True, rise_w=200.0))
    )
    assert said.p_target_w == 200.0


def test_during_a_step_of_the_coin_stores_stay_where_they_are_asked_to_be() -> None:
    time = SiteTimeline(SelfConsumption())
    first = time.proposes(make.battery(p_w=0.0), poc=make.meter(-2_000.0, sample=1))
    dip = Evidence(most_w=500.0)
    said = time.proposes(make.battery(p_w=500.0), poc=make.meter(-3_000.0, sample=2, belief=dip))
    assert said.p_target_w == first.p_target_w
    assert said.need is not None and said.need.exposed_w == first.p_target_w


def test_a_store_takes_first_what_its_own_phase_exports_and_forgets_that_where_the_meter_shows_none() -> None:
    """2 kW are exported in A and drawn in B: of what is stored A's store takes all."""
    stores = [
        make.battery(name, p_w=0.0, soc_pct=50.0, feeds_pu=feeds)
        for name, feeds in (("bata", (1.0, 0.0, 0.0)), ("batb", (0.0, 1.0, 0.0)), ("bat", None))
    ]
    function, poc = SelfConsumption(per_phase=True), make.meter(1500.0)
    by_phase = replace(poc, reading=replace(poc.reading, p_phase_w=(2000.0, -500.0, 0.0)))
    time = SiteTimeline(function)
    assert time.proposes(*stores, poc=by_phase).uneven_w == (2000.0, -500.0, 0.0)
    charging = [replace(stores[0], reading=replace(stores[0].reading, p_w=-1000.0)), *stores[1:]]
    later = replace(by_phase, sample=2, reading=replace(by_phase.reading, p_phase_w=(1500.0, -500.0, 0.0)))
    said = time.proposes(*charging, dt_s=10.0, poc=later)
    assert said.uneven_w == pytest.approx((2000.0 + 500.0 * (1.0 - math.exp(-1.0)), -500.0, 0.0))
    assert time.proposes(*stores, poc=replace(poc, sample=3)).uneven_w == ()
    assert SiteTimeline(SelfConsumption()).proposes(*stores, poc=by_phase).uneven_w == ()


def old(age_s: float | None, **given: Any) -> Evidence:
    return Evidence(**{"belief": Belief.PROVEN, "steps": True, "age_s": age_s, **given})


def followed(*evidence: Evidence, load_w: float = 4_000.0) -> list[float]:
    """What 10 kW of PV, which is dark, and a store of 5 kW that serves a load are asked for, second by second."""
    time, asked = SiteTimeline(SelfConsumption(gain=1.0)), 0.0
    found = []
    for n, each in enumerate(evidence):
        ders = [make.battery(p_w=asked), make.pv(p_w=0.0, status=Status.ASLEEP)]
        asked = time.proposes(*ders, poc=make.meter(asked - load_w, sample=n, belief=each)).p_target_w or 0.0
        found.append(asked)
    return found


def test_on_evidence_that_is_not_renewed_a_store_comes_to_rest_but_for_what_a_step_is_made_of() -> None:
    asked = followed(*[old(200.0)] * 5, *[old(301.0)] * 30, old(0.0), old(1.0))
    assert asked[4] == pytest.approx(4_000.0)
    assert asked[5:8] == pytest.approx([3_700.0, 3_400.0, 3_100.0]), "2 % of 15 kW a second"
    assert asked[34] == pytest.approx(0.0125 * 15_000.0)
    assert asked[-1] == pytest.approx(4_000.0), "renewed: it follows again"


def test_at_rest_it_makes_the_rise_that_renews_it() -> None:
    asked = followed(*[old(301.0)] * 30, old(301.0, rise_w=500.0, most_w=700.0), old(301.0))
    assert asked[-2:] == pytest.approx([687.5, 187.5])


@pytest.mark.parametrize(
    "evidence", [old(301.0, steps=False), old(301.0, why=Doubt.FOLLOWERS), old(None, belief=Belief.UNPROVEN)]
)
def test_where_no_step_is_made_or_can_be_told_or_none_was_yet_a_store_follows_on(evidence: Evidence) -> None:
    assert followed(*[evidence] * 30)[-1] == pytest.approx(4_000.0)


@pytest.mark.parametrize(("limited", "expected"), [(False, -4_300.0), (True, -7_500.0)])
def test_a_store_that_draws_all_it_can_draws_less_for_a_step_where_no_limit_is_kept_by_the_meter(
    limited: bool, expected: float
) -> None:
    """It is asked for 7.5 kW, and draws 5."""
    time = SiteTimeline(SelfConsumption(gain=1.0))
    store = make.battery(p_w=-5_000.0)
    assert time.proposes(store, poc=make.meter(2_500.0, sample=1)).p_target_w == -7_500.0
    rise = Evidence(belief=Belief.PROVEN, steps=True, limited=limited, most_w=700.0, rise_w=700.0)
    assert time.proposes(store, poc=make.meter(2_500.0, sample=2, belief=rise)).p_target_w == expected
