"""soc_guard, reserve and bms_guard: the battery's own bounds (docs/sources.md)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from derctl.core.pack import Pack
from derctl.core.types import Abstain, Capability, Port, Proposal
from derctl.core.words import Bar
from derctl.functions.bms_guard import BmsGuard
from derctl.functions.reserve import Reserve
from derctl.functions.soc_guard import SocGuard
from tests import make
from tests.timeline import Clock, DerTimeline

REST = (0.0, 0.0)


def edges(said: Any) -> tuple[float | None, float | None]:
    """(ceiling, floor); (None, None) for an abstention; of one without input, what it asks for once nobody knows."""
    asked = said.then if isinstance(said, Abstain) else said
    return (asked.p_ceiling_w, asked.p_floor_w) if isinstance(asked, Proposal) else (None, None)


def through(function: Any, socs: Sequence[float | None], **given: Any) -> list[tuple[float | None, float | None]]:
    batteries = [make.battery(soc_pct=soc, p_w=0.0, **given) for soc in socs]
    return [edges(said) for said in DerTimeline(function).through(batteries)]


def test_an_empty_battery_gives_nothing_until_it_is_above_the_bound_by_the_hysteresis() -> None:
    socs = [10.1, 10.0, 11.9, 12.0, 11.0, 9.0]
    free, empty = (None, None), (0.0, None)
    assert through(SocGuard(min_pct=10.0), socs) == [free, empty, empty, free, free, empty]


def test_a_full_battery_takes_nothing_until_it_is_below_the_bound_by_the_hysteresis() -> None:
    socs = [94.9, 95.0, 93.1, 93.0, 94.0, 100.0]
    free, full = (None, None), (None, 0.0)
    assert through(SocGuard(max_pct=95.0), socs) == [free, full, full, free, free, full]


def test_a_battery_that_does_not_tell_its_charge_freshly_rests() -> None:
    assert through(SocGuard(), [None]) == [REST]
    assert through(SocGuard(), [50.0], fresh=False) == [REST]


def test_soc_guard_still_knows_after_a_silence_which_bound_held() -> None:
    assert through(SocGuard(), [9.0, None, 11.0])[-1] == (0.0, None)


def test_the_reserve_lets_nothing_out_but_everything_in() -> None:
    socs = [20.1, 20.0, 21.9, 22.0, 21.0, 5.0]
    free, held = (None, None), (0.0, None)
    assert through(Reserve(min_pct=20.0), socs) == [free, held, held, free, free, held]


def test_without_a_fresh_charge_the_reserve_is_held() -> None:
    assert through(Reserve(min_pct=20.0), [None]) == [(0.0, None)]
    assert through(Reserve(min_pct=20.0), [90.0], fresh=False) == [(0.0, None)]
    assert through(Reserve(min_pct=20.0), [90.0, None, 90.0])[-1] == (None, None)


LIMITS: dict[str, Any] = {"p_charge_limit_w": 3_000.0, "p_discharge_limit_w": 4_000.0}
"""DC, at the battery. 4000 W out of it are 3800 W at the AC terminals with the default efficiency of 0.95."""


def bms(function: BmsGuard, ages: list[float | None], **given: Any) -> list[Any]:
    """What it says at each age of the BMS, its limits heard at the start."""
    batteries = [make.battery(**{**LIMITS, "bms_age_s": age, **given}) for age in ages]
    return [edges(said) for said in DerTimeline(function).through(batteries)]


def test_the_limits_of_the_bms_are_hard() -> None:
    assert bms(BmsGuard(), [0.1]) == [(3_800.0, -3_000.0)]


@pytest.mark.parametrize(
    ("efficiency", "ceiling_w"), [(0.95, 7_600.0), (0.96, 7_680.0), (1.0, 8_000.0), (0.5, 4_000.0)]
)
def test_no_more_comes_out_of_the_battery_than_it_permits(efficiency: float, ceiling_w: float) -> None:
    """8000 W at the AC terminals with an efficiency of 0.96 take 8333 W out of a battery that permits 8000 W."""
    limits = {"p_charge_limit_w": 8_000.0, "p_discharge_limit_w": 8_000.0}
    said = bms(BmsGuard(efficiency=efficiency), [0.1], **limits)
    assert said == [(pytest.approx(ceiling_w), -8_000.0)], "charging loses on the way in: the limit at AC is safe"
    assert said[0][0] / efficiency <= 8_000.0 + 1e-9


def test_a_silent_bms_is_held_for_10_s_then_ramped_down_to_rest_at_30_s() -> None:
    """Age > 2 periods hold, > 10 s ramp to 0, > 30 s standby."""
    said = bms(BmsGuard(), [0.1, 2.0, 5.0, 10.0, 15.0, 20.0, 29.0, 30.0, 1e9])
    assert [c for c, _ in said] == pytest.approx(
        [3_800.0, 3_800.0, 3_800.0, 3_800.0, 2_850.0, 1_900.0, 190.0, 0.0, 0.0]
    )
    assert [f for _, f in said] == pytest.approx(
        [-3_000.0, -3_000.0, -3_000.0, -3_000.0, -2_250.0, -1_500.0, -150.0, 0.0, 0.0]
    )


def test_ramp_and_stop_times_are_settings() -> None:
    said = bms(BmsGuard(ramp_s=20.0, stop_s=60.0), [0.1, 20.0, 40.0, 60.0])
    assert [c for c, _ in said] == pytest.approx([3_800.0, 3_800.0, 1_900.0, 0.0])


@pytest.mark.parametrize("tick_s", [0.1, 1.0, 4.0])
def test_limits_older_than_two_periods_are_not_taken_over(tick_s: float) -> None:
    first = DerTimeline(BmsGuard(), Clock(tick_s=tick_s))
    first.at(make.battery(bms_age_s=0.0, **LIMITS), dt_s=tick_s)
    wider: dict[str, Any] = {"p_charge_limit_w": 5_000.0, "p_discharge_limit_w": 5_000.0}
    risen = (min(4_750.0, 3_800.0 + 500.0 * tick_s), max(-5_000.0, -3_000.0 - 500.0 * tick_s))
    for age, expected in ((2.0 * tick_s, risen), (2.0 * tick_s + 0.01, (3_800.0, -3_000.0))):
        later = replace(first, clock=replace(first.clock))
        assert edges(later.at(make.battery(bms_age_s=age, **wider), dt_s=tick_s)) == pytest.approx(expected)


def test_a_bms_that_was_never_heard_keeps_the_battery_at_rest() -> None:
    assert bms(BmsGuard(), [1e9]) == [REST]
    assert bms(BmsGuard(), [0.1], p_charge_limit_w=None, p_discharge_limit_w=None) == [REST]


def test_a_battery_without_a_bms_of_its_own_is_bound_by_what_it_says_itself() -> None:
    assert bms(BmsGuard(), [None], age_s=0.1) == [(3_800.0, -3_000.0)]
    assert bms(BmsGuard(), [None], age_s=20.0, fresh=False) == [REST], "never heard young enough"
    assert DerTimeline(BmsGuard()).at(make.battery(p_w=0.0)) == Abstain("the battery states no limits")
    assert edges(DerTimeline(BmsGuard()).at(make.battery(p_w=0.0, fresh=False, age_s=20.0))) == REST


def test_a_bms_that_states_one_limit_bounds_one_side() -> None:
    assert bms(BmsGuard(), [0.1], p_charge_limit_w=None) == [(3_800.0, None)]
    assert bms(BmsGuard(), [0.1], p_discharge_limit_w=None) == [(None, -3_000.0)]


def test_the_bms_s_return_gives_its_limits_back() -> None:
    said = bms(BmsGuard(), [0.1, 40.0, *[0.1] * 8])
    assert said[1:4] == [REST, (500.0, -500.0), (1_000.0, -1_000.0)], "by the full scale of 5 kW in 10 s"
    assert said[-1] == (3_800.0, -3_000.0)


HEARD = {"bms_age_s": 0.1, **LIMITS}


def spoken(function: BmsGuard, said: list[dict[str, Any]], dt_s: float = 1.0) -> list[Any]:
    """What it says to each reading, dt_s apart, from a BMS that is fresh unless told otherwise."""
    batteries = [make.battery(**{"bms_age_s": 0.1, **each}) for each in said]
    return [edges(answer) for answer in DerTimeline(function).through(batteries, dt_s=dt_s)]


@pytest.mark.parametrize("dt_s", [0.1, 1.0, 5.0])
def test_a_fresh_bms_that_states_no_limit_any_more_is_silent_on_that_side(dt_s: float) -> None:
    """> 10 s ramp to 0, > 30 s standby. The age is that of the limit, not of the last answer."""
    steps = round(40.0 / dt_s)
    for gone, kept in ((0, 1), (1, 0)):
        side = ("p_discharge_limit_w", "p_charge_limit_w")
        said = spoken(BmsGuard(), [HEARD] + [{**LIMITS, side[gone]: None}] * steps, dt_s)
        assert len({answer[kept] for answer in said}) == 1, "the other side is heard"
        full = said[0][gone]
        for step, answer in enumerate(said[1:], start=1):
            age_s = 0.1 + step * dt_s
            share = 1.0 if age_s <= 10.0 else max(0.0, (30.0 - age_s) / 20.0)
            assert answer[gone] == pytest.approx(full * share, abs=1e-6)
        assert said[-1][gone] == 0.0


def test_both_limits_gone_from_a_fresh_bms_end_in_rest() -> None:
    """Held at +-5000 W for 600 s once."""
    assert spoken(BmsGuard(), [HEARD] + [{}] * 600)[-1] == REST


def test_a_limit_that_comes_back_rises_and_one_that_falls_counts_at_once() -> None:
    said = spoken(BmsGuard(), [HEARD] + [{}] * 40 + [LIMITS] * 8 + [{**LIMITS, "p_charge_limit_w": 10.0}])
    assert said[41] == (500.0, -500.0) and said[-2] == said[0]
    assert said[-1] == (said[0][0], -10.0)


def test_silence_of_one_side_goes_on_through_the_silence_of_the_whole() -> None:
    """6 s without the limit, then 6 s without an answer, then an answer without the limit: 13 s old."""
    one = {**LIMITS, "p_charge_limit_w": None}
    dark = [{**one, "bms_age_s": 2.1 + n} for n in range(6)]
    said = spoken(BmsGuard(), [HEARD] + [one] * 6 + dark + [one])
    assert said[-1] == (said[0][0], pytest.approx(-3_000.0 * (30.0 - 13.1) / 20.0))


def test_a_side_that_never_had_a_limit_is_not_silent() -> None:
    one = {**LIMITS, "p_charge_limit_w": None}
    assert spoken(BmsGuard(), [one] * 60)[-1][1] is None


def test_a_battery_that_speaks_for_itself_is_silent_in_the_same_way() -> None:
    """No BMS of its own: the age is that of the inverter's reading."""
    fresh = {"bms_age_s": None, "age_s": 0.1}
    said = spoken(BmsGuard(), [{**fresh, **LIMITS}] + [fresh] * 40)
    assert said[1] == said[0] and said[-1] == REST


HYBRID = Capability(ac=Port(limit=True), pv=Port(), battery=Port())


def hybrid(**given: Any) -> Any:
    """3 kW go out of it, 1 kW charges its battery: 4 kW of sun, less the losses."""
    told = {"p_w": 3_000.0, "dc_p_w": -1_000.0, "soc_pct": 50.0, "bms_age_s": 0.1}
    return make.der("hyb1", make.rating(p_max_w=5_000.0), HYBRID, **{**told, **given})


@pytest.mark.parametrize(("function", "soc"), [(Reserve(min_pct=20.0), 15.0), (SocGuard(min_pct=20.0), 15.0)])
def test_of_a_hybrid_whose_battery_is_to_give_nothing_the_sun_goes_out_all_the_same(
    function: Any, soc: float
) -> None:
    """Without it an empty battery would cost all sun. What it gives counts against the ceiling."""

    def ceilings(**given: Any) -> float | None:
        [said] = DerTimeline(function).through([hybrid(soc_pct=soc, **given)])
        return edges(said)[0]

    assert ceilings() == 4_000.0
    assert ceilings(p_w=3_000.0, dc_p_w=1_200.0) == 1_800.0, "its battery gives 1.2 kW of them"
    assert ceilings(p_w=-500.0, dc_p_w=-450.0) == 0.0, "nor is it charged from the grid"
    assert ceilings(dc_p_w=None) is None, "how much of it is sun is not known"
    assert ceilings(p_w=None) is None


def test_of_a_hybrid_its_bms_bounds_what_the_battery_adds_to_the_sun() -> None:
    def ceiling(**given: Any) -> float | None:
        limits = {"p_charge_limit_w": 2_000.0, "p_discharge_limit_w": 1_000.0, **given}
        [said] = DerTimeline(BmsGuard()).through([hybrid(**limits)])
        return edges(said)[0]

    assert ceiling() == 4_950.0, "4 kW of sun, and 1 kW DC at 95 %"
    assert ceiling(p_discharge_limit_w=0.0) == 4_000.0
    assert ceiling(pack=Pack(bars=(Bar.UNDER_VOLT,))) == 4_000.0, "too low: the sun charges it, and goes out"
    assert ceiling(dc_p_w=None) is None


def test_where_a_hybrids_battery_takes_nothing_either_no_ceiling_holds_its_sun_back() -> None:
    """Sun that is held back would be lost, and never be seen: its own inverter has to keep to what its BMS says."""
    barred = hybrid(p_charge_limit_w=0.0, p_discharge_limit_w=0.0)
    [said] = DerTimeline(BmsGuard()).through([barred])
    assert edges(said)[0] is None
    [said] = DerTimeline(BmsGuard()).through([make.battery(p_w=0.0, p_charge_limit_w=0.0, p_discharge_limit_w=0.0)])
    assert edges(said)[0] == 0.0, "a battery alone rests"


def test_of_a_hybrid_whose_bms_was_never_heard_the_sun_still_goes_out() -> None:
    [said] = DerTimeline(BmsGuard()).through([hybrid()])
    assert edges(said) == (4_000.0, 0.0)
