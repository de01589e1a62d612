"""Bands in rank order: what no order, no junior and no number may change."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from derctl.core.arbitration import Band, aim_of, confine, fold, lift, lower, reactive, reserved_w, whole
from derctl.core.types import Capability, Port, Proposal
from tests import make, strategies

DRAW = st.data()


def p(by: str, rank: int, **fields: Any) -> Proposal:
    return Proposal(by=by, rank=rank, **fields)


@given(DRAW)
def test_a_band_never_leaves_the_rating_nor_turns_over(data: st.DataObject) -> None:
    rating = make.rating(p_min_w=-4_000.0)
    band = fold(whole(rating), data.draw(strategies.proposals(8)))
    assert rating.p_min_w <= band.low_w <= band.high_w <= rating.p_max_w
    assert band.low_w <= aim_of(band) <= band.high_w


@given(DRAW)
def test_the_order_of_arrival_is_irrelevant(data: st.DataObject) -> None:
    proposals = data.draw(strategies.proposals(6, ranks=st.sampled_from([15, 20])))
    shuffled = data.draw(st.permutations(proposals))
    start = whole(make.rating(p_min_w=-4_000.0))
    assert fold(start, proposals) == fold(start, shuffled)


@given(DRAW)
def test_a_junior_never_widens(data: st.DataObject) -> None:
    proposals = data.draw(strategies.proposals(6))
    start = whole(make.rating(p_min_w=-4_000.0))
    bands = [fold(start, proposals, up_to=rank) for rank in (-1, 0, 5, 15, 20, 30, 40, 50, 60, 70)]
    for senior, junior in itertools.pairwise(bands):
        assert senior.low_w <= junior.low_w <= junior.high_w <= senior.high_w
        assert senior.target_by is None or junior.target_by == senior.target_by
    assert bands[0] == start and bands[-1] == fold(start, proposals)


@given(DRAW, st.floats(-20_000.0, 20_000.0), st.floats(-20_000.0, 20_000.0))
def test_within_a_rank_ceilings_beat_floors(data: st.DataObject, ceiling: float, floor: float) -> None:
    names = data.draw(st.permutations(["a", "b"]))
    group = [p(names[0], 20, p_ceiling_w=ceiling), p(names[1], 20, p_floor_w=floor)]
    start = whole(make.rating(p_min_w=-4_000.0))
    band = fold(start, group)
    assert band.high_w == min(max(ceiling, start.low_w), start.high_w)
    assert band.low_w == min(max(floor, start.low_w), band.high_w)


@given(st.floats(-20_000.0, 20_000.0), st.floats(-20_000.0, 20_000.0))
def test_a_junior_that_asks_for_what_a_senior_excludes_gets_the_nearest_edge(senior: float, junior: float) -> None:
    start = whole(make.rating(p_min_w=-4_000.0))
    floor_first = fold(start, [p("s", 15, p_floor_w=senior), p("j", 60, p_ceiling_w=junior)])
    assert floor_first.high_w == min(max(junior, floor_first.low_w), 10_000.0)
    ceiling_first = fold(start, [p("s", 15, p_ceiling_w=senior), p("j", 60, p_floor_w=junior)])
    assert ceiling_first.low_w == min(max(junior, -4_000.0), ceiling_first.high_w)


@given(DRAW)
def test_the_names_of_a_band_tell_its_edges(data: st.DataObject) -> None:
    start = whole(make.rating(p_min_w=-4_000.0))
    band = fold(start, data.draw(strategies.proposals(6)))
    ceilings = [bound.value for bound in band.bounds if bound.what == "p_ceiling_w"]
    floors = [bound.value for bound in band.bounds if bound.what == "p_floor_w"]
    assert band.high_w == (ceilings[-1] if ceilings else start.high_w)
    assert band.low_w == (floors[-1] if floors else start.low_w)
    assert ceilings == sorted(ceilings, reverse=True) and floors == sorted(floors)


def test_a_narrowing_that_took_no_effect_is_not_named() -> None:
    band = whole(make.rating())
    assert lower(band, 10_000.0, by="x", rank=1) is band and lift(band, 0.0, by="x", rank=1) is band
    assert lower(band, 99_000.0, by="x", rank=1).bounds == lift(band, -1.0, by="x", rank=1).bounds == ()
    assert [b.by for b in lower(band, 9_999.0, by="x", rank=1).bounds] == ["x"]


def test_the_most_senior_target_is_taken_and_of_equals_the_first_by_name() -> None:
    start = whole(make.rating(p_min_w=-4_000.0))
    proposals = [p("c", 70, p_target_w=1.0), p("b", 60, p_target_w=2.0), p("a", 60, p_target_w=3.0)]
    band = fold(start, proposals)
    assert (band.target_w, band.target_by.by if band.target_by else None) == (3.0, "a")
    assert aim_of(start) == 0.0, "without a target a battery rests"
    assert aim_of(Band(low_w=500.0, high_w=800.0)) == 500.0


@given(st.floats(-10_000.0, 10_000.0), st.floats(0.0, 10_000.0), st.floats(0.0, 10_000.0))
def test_what_is_confined_is_inside_whoever_set_it(low: float, width: float, most: float) -> None:
    band = Band(low_w=low, high_w=low + width)
    after = confine(band, most, by="s_max_va")
    assert -most <= after.low_w <= after.high_w <= most
    if -most <= low and low + width <= most:
        assert after is band


# ---- the reactive mode


@given(DRAW, st.floats(-20_000.0, 20_000.0), st.sampled_from(["reactive", "active"]), st.booleans())
def test_reactive_power_stays_in_box_and_circle(data: st.DataObject, q: float, priority: str, storage: bool) -> None:
    rating = make.rating(p_min_w=-4_000.0 if storage else 0.0, q_abs_max_var=2_500.0)
    der = make.der("d", rating, Capability(ac=Port(limit=not storage, aim=storage, var=True)))
    band = fold(whole(rating), data.draw(strategies.proposals(4)))
    wish = [p("volt_var", 30, q_var=q, q_priority=priority)]
    most = reserved_w(der, wish)
    band = band if most is None else confine(band, most, by="s_max_va")
    got = reactive(der, band, wish)
    assert -2_500.0 <= got.q_var <= 4_400.0
    largest = abs(aim_of(band)) if storage else band.high_w
    assert largest**2 + got.q_var**2 <= rating.s_max_va**2 * (1.0 + 1e-12)
    if priority == "active":
        assert most is None
    else:
        assert got.q_var == min(max(q, -2_500.0), 4_400.0), "reactive priority gives up no var inside the box"


def test_without_a_reactive_mode_nothing_is_reserved() -> None:
    asks = [p("volt_var", 30, q_var=4_400.0)]
    assert reserved_w(make.pv(), []) is None
    assert reserved_w(make.der("d", make.rating(), Capability(ac=Port(limit=True))), asks) is None
    assert reserved_w(make.pv(), asks) == pytest.approx((10_000.0**2 - 4_400.0**2) ** 0.5)


def test_of_two_reactive_modes_the_senior_is_heard_and_of_equals_the_first_by_name() -> None:
    der = make.pv()
    band = whole(der.rating)
    two = [p("b", 30, q_var=100.0), p("a", 30, q_var=200.0), p("z", 20, q_var=300.0)]
    assert reactive(der, band, two).q_var == 300.0
    assert reactive(der, band, two[:2]).q_var == 200.0
    assert reactive(der, band, [p("x", 20, p_ceiling_w=1.0)]).q_var is None


def test_bounds_name_the_mode_and_then_what_cut_it() -> None:
    der = make.pv()
    got = reactive(der, whole(der.rating), [p("volt_var", 30, q_var=9_000.0)])
    assert [(b.by, b.what) for b in got.bounds] == [
        ("volt_var", "q_var"),
        ("rating", "q_var"),
    ]
    got = reactive(der, whole(der.rating), [p("volt_var", 30, q_var=-100.0, q_priority="active")])
    assert [(b.by, b.what, b.value) for b in got.bounds] == [("volt_var", "q_var", -0.0), ("s_max_va", "q_var", -0.0)]
    small = Band(low_w=0.0, high_w=100.0)
    got = reactive(der, small, [p("volt_var", 30, q_var=-100.0, q_priority="active")])
    assert [b.by for b in got.bounds] == ["volt_var"] and got.q_var == -100.0


@pytest.mark.parametrize("low_w", [-3_000.0, 1_000.0])
def test_charging_counts_in_the_circle_of_a_der_that_takes_ceilings_only(low_w: float) -> None:
    der = make.der("d", make.rating(p_max_w=5_000.0, p_min_w=-3_000.0), Capability(ac=Port(limit=True, var=True)))
    got = reactive(der, Band(low_w=low_w, high_w=2_000.0), [p("v", 30, q_var=5_000.0, q_priority="active")])
    assert got.q_var == 2_200.0


@pytest.mark.parametrize(
    ("target_w", "q_var"), [(3_000.0, 2_200.0), (-4_900.0, 995.0), (0.0, 2_200.0), (None, 2_200.0)]
)
def test_active_priority_leaves_storage_the_var_beside_its_target_charging_or_not(
    target_w: float | None, q_var: float
) -> None:
    der = make.battery()
    band = fold(whole(der.rating), [p("setpoint", 60, p_target_w=target_w)])
    got = reactive(der, band, [p("volt_var", 30, q_var=2_200.0, q_priority="active")])
    assert got.q_var == pytest.approx(q_var, abs=0.1)
