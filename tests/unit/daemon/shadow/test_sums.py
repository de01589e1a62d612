"""What a stretch of looking on adds up to, against sums made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from derctl.core.types import Bound, Decision, DerState, Fallback, PocState, Setpoint, Tick
from derctl.core.value import replace
from derctl.core.words import Belief, Reason, What
from derctl.daemon.shadow.sums import Case, Habits, Sums
from derctl.devices import Profile
from tests import make

HABITS = Habits(profile=Profile(), fallback=Fallback())


def bound(by: str, value: float, what: What = What.CEILING, why: Reason | None = None) -> Bound:
    return Bound(by=by, rank=15, what=what, value=value, why=why)


def decided(der: str, *bounds: Bound, **setpoint: Any) -> Decision:
    return Decision(der=der, setpoint=Setpoint(**setpoint), bound_by=bounds)


def tick(ders: Sequence[DerState], *decisions: Decision, poc: PocState | None = None, t_s: float = 0.0) -> Tick:
    return Tick(n=1, dt_s=1.0, state=make.site(*ders, poc=poc, t_s=t_s), memories={}, decisions=decisions)


def added(sums: Sums, one: Tick, seconds: int, *, habits: Habits = HABITS, belief: Belief | None = None) -> None:
    for n in range(seconds):
        state = replace(one.state, t_s=one.state.t_s + n)
        sums.add(replace(one, state=state), 1.0, {der.id: habits for der in state.ders}, belief)


def test_what_is_above_the_ceiling_is_held_back_by_the_last_to_narrow_it() -> None:
    sums, pv = Sums(), make.pv(p_w=4000.0)
    told = decided("pv1", bound("volt_watt", 3000.0), bound("contract_export_limit", 1000.0), p_ceiling_w=1000.0)
    added(sums, tick([pv], told), 360)
    part = sums.cases["pv1"].part
    assert part.held == {"contract_export_limit": pytest.approx((360.0, 300.0))}
    assert (part.heard_s, part.gave_wh, part.drew_wh) == (360.0, pytest.approx(400.0), 0.0)


def test_what_was_said_of_the_reason_is_kept_apart() -> None:
    sums = Sums()
    why = bound("contract_export_limit", 1000.0, why=Reason.METER_UNPROVEN)
    added(sums, tick([make.pv(p_w=4000.0)], decided("pv1", why, p_ceiling_w=1000.0)), 2)
    assert list(sums.cases["pv1"].part.held) == ["contract_export_limit:meter_unproven"]


@pytest.mark.parametrize(
    "changes",
    [
        {"p_w": 1000.0},
        {"p_w": 1040.0},
        {"p_w": None},
        {"p_w": 4000.0, "fresh": False},
        {"p_w": 4000.0, "controllable": False},
    ],
    ids=["below", "inside the noise", "not known", "silent", "never written"],
)
def test_who_would_not_be_held_is_not(changes: dict[str, Any]) -> None:
    sums, told = Sums(), decided("pv1", bound("volt_watt", 1000.0), p_ceiling_w=1000.0)
    added(sums, tick([make.pv(**changes)], told), 5)
    assert sums.cases["pv1"].part.held == {}


def test_a_ceiling_of_nobody_is_the_rating() -> None:
    sums = Sums()
    added(sums, tick([make.pv(p_w=10_500.0)], decided("pv1", p_ceiling_w=10_000.0)), 1)
    assert list(sums.cases["pv1"].part.held) == ["rating"]


@pytest.mark.parametrize(
    ("bounds", "by"),
    [
        ((bound("self_consumption", -2000.0, What.TARGET),), "self_consumption"),
        ((bound("setpoint", -5000.0, What.TARGET), bound("bms_guard", -2000.0, What.FLOOR)), "bms_guard"),
        ((), "rest"),
    ],
)
def test_a_battery_is_sent_elsewhere_by_who_aims_or_by_the_edge(bounds: tuple[Bound, ...], by: str) -> None:
    sums = Sums()
    added(sums, tick([make.battery(p_w=1000.0)], decided("bat1", *bounds, p_target_w=-2000.0)), 1200)
    part = sums.cases["bat1"].part
    assert part.aimed == {by: pytest.approx((1200.0, 0.0, 1000.0))} and part.stored


def test_a_battery_that_draws_is_counted_as_drawing_and_sent_up() -> None:
    sums = Sums()
    up = decided("bat1", bound("setpoint", 500.0, What.TARGET), p_target_w=500.0)
    added(sums, tick([make.battery(p_w=-1300.0)], up), 20)
    part = sums.cases["bat1"].part
    assert (part.drew_wh, part.gave_wh) == (pytest.approx(1300.0 * 20 / 3600), 0.0)
    assert part.aimed["setpoint"] == pytest.approx((20.0, 10.0, 0.0))
    near = decided("bat1", bound("setpoint", -1290.0, What.TARGET), p_target_w=-1290.0)
    added(sums, tick([make.battery(p_w=-1300.0)], near), 20)
    assert part.aimed["setpoint"][0] == 20.0, "it is there already"


def test_var_is_set_against_what_is_measured() -> None:
    sums = Sums()
    told = decided("pv1", bound("volt_var", -800.0, What.VAR), q_var=-800.0)
    added(sums, tick([make.pv(p_w=100.0, q_var=-200.0)], told), 36)
    assert sums.cases["pv1"].part.var == {"volt_var": pytest.approx((36.0, 6.0))}


def test_an_excursion_is_counted_once_and_what_would_have_been_held_is_prevented() -> None:
    sums = Sums(limit_w=3000.0, margin_w=60.0, lag=lambda: 2.0)
    told = decided("pv1", bound("contract_export_limit", 3500.0), p_ceiling_w=3500.0)
    over = tick([make.pv(p_w=4000.0)], told, poc=make.meter(3600.0), t_s=10.0)
    added(sums, over, 10, belief=Belief.PROVEN)
    site = sums.site
    assert (site.overs, site.over_s, site.over_wh) == (1, 10.0, pytest.approx(6000.0 / 3600))
    assert site.kept_wh == pytest.approx(8 * 500.0 / 3600), "500 W of the 600 W, from the third second on"
    assert site.needed_wh == pytest.approx(10 * 660.0 / 3600)
    assert (site.most_w, sums.most_s, site.lag_s) == (600.0, 10.0, 2.0)
    added(sums, replace(over, state=replace(over.state, poc=make.meter(2900.0))), 5, belief=Belief.DOUBTED)
    added(sums, over, 1, belief=Belief.PROVEN)
    assert site.overs == 2 and site.belief == {"proven": 11.0, "doubted": 5.0}


def test_a_battery_that_would_have_drawn_more_prevents_an_excursion_too() -> None:
    sums = Sums(limit_w=0.0)
    told = decided("bat1", bound("self_consumption", -1000.0, What.TARGET), p_target_w=-1000.0)
    added(sums, tick([make.battery(p_w=0.0)], told, poc=make.meter(400.0)), 9)
    assert sums.site.kept_wh == pytest.approx(1.0)


def test_a_meter_that_is_silent_tells_nothing_and_its_own_belief_counts_where_no_loop_has_one() -> None:
    sums = Sums(limit_w=0.0)
    added(sums, tick([], poc=make.meter(500.0, fresh=False)), 3)
    assert (sums.site.heard_s, sums.site.overs, sums.site.belief) == (0.0, 0, {"unproven": 3.0})
    free = Sums()
    added(free, tick([], poc=make.meter(-720.0)), 5)
    assert (free.site.in_wh, free.site.over_s, free.site.heard_s) == (pytest.approx(1.0), 0.0, 5.0)


def test_writes_are_counted_by_the_rules_of_a_write() -> None:
    """First, then nothing while it stands, again when its timer is half spent, and when it changes."""
    sums, habits = Sums(), Habits(profile=Profile(), fallback=Fallback(p_ceiling_w=2000.0, after_s=60.0))
    told = tick([make.pv(p_w=100.0)], decided("pv1", p_ceiling_w=5000.0))
    added(sums, told, 30, habits=habits)
    assert sums.cases["pv1"].part.writes == 1
    added(sums, replace(told, state=replace(told.state, t_s=30.0)), 1, habits=habits)
    assert sums.cases["pv1"].part.writes == 2
    lower = tick([make.pv(p_w=100.0)], decided("pv1", p_ceiling_w=4000.0), t_s=32.0)
    added(sums, lower, 5, habits=habits)
    assert sums.cases["pv1"].part.writes == 3 and sums.cases["pv1"].part.a_day is None


def test_of_a_memory_that_wears_out_it_is_said_what_it_bears() -> None:
    sums, worn = Sums(), Habits(profile=Profile(volatile=False, writes_a_day=24), fallback=Fallback())
    added(sums, tick([make.pv(p_w=100.0)], decided("pv1", p_ceiling_w=5000.0)), 2, habits=worn)
    assert sums.cases["pv1"].part.a_day == 24


def test_its_own_modes_are_told_from_those_that_cant_be_read_back() -> None:
    sums = Sums()
    habits = Habits(profile=Profile(), fallback=Fallback(), kinds=("volt_var", "volt_watt", "freq_droop"))
    pv = make.pv(p_w=100.0, own_on=("volt_var",), own_off=("freq_droop",))
    added(sums, tick([pv], decided("pv1")), 7, habits=habits)
    part = sums.cases["pv1"].part
    assert (part.own, part.untold) == ({"volt_var": 7.0}, {"volt_watt": 7.0})


def test_who_else_changes_what_stands_in_it_is_noticed() -> None:
    sums = Sums()
    for limit_w in (10_000.0, 4000.0, 4000.0, 4005.0, 6000.0):
        pv = make.pv(p_w=100.0, accepted=Setpoint(p_ceiling_w=limit_w))
        added(sums, tick([pv], decided("pv1")), 2)
    part = sums.cases["pv1"].part
    assert (part.foreign, part.stood_s, part.stood_w) == (2, 8.0, 6000.0)


def test_what_may_be_ours_is_nobody_elses() -> None:
    sums = Sums()
    for limit_w in (10_000.0, 4000.0):
        pv = make.pv(p_w=100.0, accepted=Setpoint(p_ceiling_w=limit_w))
        added(sums, tick([pv], decided("pv1")), 2, habits=replace_foreign(HABITS))
    assert sums.cases["pv1"] == Case(part=sums.cases["pv1"].part, written=sums.cases["pv1"].written)
    assert (sums.cases["pv1"].part.foreign, sums.cases["pv1"].part.stood_s) == (0, 0.0)


def replace_foreign(habits: Habits) -> Habits:
    return Habits(profile=habits.profile, fallback=habits.fallback, foreign=False)


def test_one_that_can_only_be_read_would_not_be_written() -> None:
    sums, pv = Sums(), make.pv(p_w=4000.0)
    read_only = replace(pv, can=replace(pv.can, ac=replace(pv.can.ac, limit=False, aim=False, var=False)))
    added(sums, tick([read_only], decided("pv1", p_ceiling_w=0.0)), 3)
    assert (sums.cases["pv1"].part.writes, sums.cases["pv1"].part.held) == (0, {})
