"""Where an excursion may last too long, load is not credited; after too many the site is locked out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from derctl.core.containment import Budget, Summand
from derctl.core.evidence import Evidence
from derctl.core.excursions import Memory as Counted
from derctl.core.excursions import Rule
from derctl.core.types import Abstain, DerState, Setpoint, SiteProposal
from derctl.core.value import replace
from derctl.core.words import KnownBy, Reason, Stage
from derctl.functions.containment import Answer, Containment, Memory, excursions_of, kept_excursions
from tests import make

RULE = Rule(most=3, within_s=86_400.0, lock_s=14_400.0)


def function(response_s: float | None = 10.0, containment_s: float = 15.0, settings_s: float = 6.0) -> Containment:
    summands = (
        Summand(stage=Stage.POLL, seconds=settings_s, by=KnownBy.SET),
        Summand(stage=Stage.RESPONSE, seconds=response_s, by=KnownBy.ASSUMED),
    )
    budget = Budget(containment_s=containment_s, by="g100", summands=summands, rule=RULE)
    return Containment(limit_w=5_000.0, budget=budget)


def inverter(p_w: float | None, told_w: float | None, **given: Any) -> DerState:
    return make.pv("pv1", p_w=p_w, accepted=None if told_w is None else Setpoint(p_ceiling_w=told_w), **given)


def run(
    each: Containment, *seen: tuple[float | None, float | None], memory: Memory | None = None, poc_w: float = 0.0
) -> tuple[Memory, SiteProposal | Abstain]:
    """A tick a second: what the inverter gives, and what it was told."""
    memory = memory or each.start()
    said: SiteProposal | Abstain = Abstain("not asked")
    for p_w, told_w in seen:
        ders = [inverter(p_w, told_w)]
        memory, said = each.step(memory, ders, make.site(*ders, poc=make.meter(poc_w)), 1.0)
    return memory, said


def ceiling_w(said: SiteProposal | Abstain) -> float | None:
    return said.p_ceiling_w if isinstance(said, SiteProposal) else None


QUICK = ((8_000.0, 9_000.0), (8_000.0, 5_000.0), (6_000.0, 5_000.0), (5_100.0, 5_000.0))


def test_what_ends_in_time_narrows_nobody() -> None:
    _, said = run(function(response_s=9.0), (8_000.0, 9_000.0))
    assert said == Abstain("inside its bounds")


@pytest.mark.parametrize("response_s", [9.1, None])
def test_what_takes_too_long_or_is_not_known_keeps_the_sum_below_the_limit(response_s: float | None) -> None:
    memory, said = run(function(response_s=response_s), (8_000.0, 9_000.0))
    assert isinstance(said, SiteProposal) and memory.uncontained
    assert (said.p_ceiling_w, said.why, said.rank, said.over) == (5_000.0, Reason.UNCONTAINED, 15, ("pv1",))


def test_those_out_of_our_hands_count_with_the_worst_they_may_do() -> None:
    ders = [inverter(3_000.0, 9_000.0), make.pv("pv2", p_max_w=4_000.0, p_w=1_500.0, controllable=False)]
    _, said = function().step(Memory(), ders, make.site(*ders, poc=make.meter(0.0)), 1.0)
    assert ceiling_w(said) == 3_500.0


def test_an_inverter_that_is_seen_to_follow_in_time_brings_the_credit_back_after_a_minute_on_a_ramp() -> None:
    each = function()
    memory, said = run(each, *QUICK)
    assert memory.answers == (Answer(der="pv1", told_w=5_000.0, p_w=5_100.0, seconds=3.0),)
    assert ceiling_w(said) == 5_000.0, "not at once"
    memory, said = run(each, *[(5_000.0, 5_000.0)] * 56, memory=memory)
    assert memory.uncontained
    memory, said = run(each, *[(5_000.0, 5_000.0)] * 4, memory=memory)
    assert isinstance(said, SiteProposal) and said.why is Reason.RELAXING
    assert 5_000.0 < (said.p_ceiling_w or 0.0) <= 9_000.0
    memory, said = run(each, *[(5_000.0, 9_000.0)] * 10, memory=memory)
    assert isinstance(said, Abstain)


def test_one_that_follows_within_its_tick_took_a_tick() -> None:
    memory, _ = run(function(), (8_000.0, 9_000.0), (5_000.0, 5_000.0))
    assert memory.answers[0].seconds == 1.0


def test_one_that_was_told_nothing_yet_shows_it_with_its_first_limit() -> None:
    memory, _ = run(function(), (8_000.0, None), (8_000.0, 5_000.0), (5_000.0, 5_000.0))
    assert memory.answers[0].seconds == 2.0


@pytest.mark.parametrize("told_w", [None, 1_000.0])
def test_a_battery_shows_it_once_it_was_told_twice(told_w: float | None) -> None:
    each, memory = function(), Memory()
    for p_w, aim_w in ((2_000.0, told_w), (2_000.0, -1_000.0), (-1_000.0, -1_000.0)):
        bat = make.battery(p_w=p_w, accepted=None if aim_w is None else Setpoint(p_target_w=aim_w))
        memory, _ = each.step(memory, [bat], make.site(bat, poc=make.meter(0.0)), 1.0)
    assert memory.answers[0].seconds == (None if told_w is None else 2.0)


def test_one_that_becomes_slow_loses_the_credit_while_it_is_still_on_its_way() -> None:
    each = function()
    memory, _ = run(each, *QUICK, *[(5_000.0, 9_000.0)] * 70)
    assert not memory.uncontained
    memory, said = run(each, (8_000.0, 9_000.0), (8_000.0, 4_000.0), *[(8_000.0, 4_000.0)] * 9, memory=memory)
    assert memory.uncontained and ceiling_w(said) == 5_000.0
    slow = memory.answers[0].seconds
    memory, _ = run(each, (4_000.0, 4_000.0), memory=memory)
    memory, _ = run(each, (8_000.0, 9_000.0), (4_000.0, 4_000.0), memory=memory)
    assert slow == 10.0 and memory.answers[0].seconds == pytest.approx(10.0), "slowly forgotten"


@pytest.mark.parametrize(
    "seen",
    [
        [(8_000.0, 9_000.0), (8_000.0, 8_000.0)],
        [(2_000.0, 9_000.0), (2_000.0, 5_000.0)],
        [(None, 9_000.0), (5_000.0, 5_000.0)],
        [(8_000.0, 5_000.0), (5_000.0, 5_000.0)],
    ],
)
def test_what_is_no_step_tells_nothing(seen: list[tuple[float | None, float | None]]) -> None:
    memory, _ = run(function(), *seen)
    assert memory.answers[0].seconds is None


def test_a_step_that_is_not_seen_to_its_end_tells_nothing() -> None:
    memory, _ = run(function(), (8_000.0, 9_000.0), (8_000.0, 5_000.0), (None, 5_000.0), (5_000.0, 5_000.0))
    assert memory.answers[0].seconds is None and memory.answers[0].for_s is None


def test_one_that_gives_next_to_nothing_adds_to_no_excursion_yet() -> None:
    each = function()
    memory, _ = run(each, *QUICK)
    asleep = make.pv("pv2", p_w=10.0)
    awake = make.pv("pv2", p_w=4_000.0)
    for other, contained in ((asleep, True), (awake, False)):
        ders = [inverter(5_000.0, 5_000.0), other]
        memory, _ = each.step(memory, ders, make.site(*ders, poc=make.meter(0.0)), 1.0)
        assert (memory.well_s > 0.0) is contained


def test_the_third_long_excursion_takes_all_inverters_to_0_w() -> None:
    each = function(response_s=5.0)
    memory = Memory(excursions=Counted(ages_s=(100.0, 50.0)))
    memory, said = run(each, *[(8_000.0, 9_000.0)] * 14, memory=memory, poc_w=6_000.0)
    assert isinstance(said, Abstain)
    memory, said = run(each, (8_000.0, 9_000.0), memory=memory, poc_w=6_000.0)
    assert isinstance(said, SiteProposal)
    assert (said.p_ceiling_w, said.why) == (0.0, Reason.LOCKED_OUT)


def test_a_restart_forgets_no_excursion_and_ends_no_lockout() -> None:
    for counted in (Counted(ages_s=(100.0, 50.0)), Counted(locked_s=7_200.0)):
        plain = json.loads(json.dumps(kept_excursions(Memory(excursions=counted))))
        assert excursions_of(plain).excursions == counted
    assert kept_excursions(Memory(excursions=Counted(count=4, over_s=3.0))) is None
    locked = excursions_of({"ages_s": [], "locked_s": 7_200.0})
    _, said = run(function(response_s=5.0), (8_000.0, 9_000.0), memory=locked)
    assert ceiling_w(said) == 0.0


@pytest.mark.parametrize("plain", [None, [], {"locked_s": 1}, {"ages_s": ["x"], "locked_s": 1}, {"ages_s": []}])
def test_what_is_no_memory_of_excursions_is_refused(plain: Any) -> None:
    with pytest.raises(ValueError, match=r"is no|nothing"):
        excursions_of(plain)


def test_the_meter_s_own_times_stand_in_the_table_once_they_are_measured() -> None:
    stages = (Stage.METER_REFRESH, Stage.METER_DELAY, Stage.LAW)
    summands = tuple(Summand(stage=stage, seconds=5.0, by=KnownBy.ASSUMED) for stage in stages)
    each = Containment(limit_w=5_000.0, budget=Budget(containment_s=15.0, by="g100", summands=summands))
    seen = replace(make.meter(0.0), belief=Evidence(delay_s=0.5, refresh_s=1.0))
    ders = [inverter(3_000.0, 9_000.0)]
    memory, _ = each.step(Memory(), ders, make.site(*ders, poc=seen), 1.0)
    assert [(each.seconds, each.by) for each in memory.summands] == [
        (1.0, KnownBy.MEASURED),
        (0.5, KnownBy.MEASURED),
        (2.0, KnownBy.MEASURED),
    ]


def test_without_a_meter_nothing_is_counted() -> None:
    ders = [inverter(8_000.0, 9_000.0)]
    for poc in (None, make.meter(9_000.0, fresh=False), make.meter(None)):
        memory, _ = function(response_s=5.0).step(Memory(), ders, make.site(*ders, poc=poc), 20.0)
        assert memory.excursions == Counted()
