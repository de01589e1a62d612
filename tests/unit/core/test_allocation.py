"""Splitting between DERs: sums kept, storage first, PV by its present power."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from derctl.core.allocation import Slot, cap, hold_up, potential_w, share_target, water_fill
from derctl.core.arbitration import aim_of, fold, whole
from derctl.core.could import IDLE_SHARE
from derctl.core.types import Proposal, Setpoint, SiteProposal
from derctl.core.words import Status
from tests import make, strategies

AMOUNT = st.floats(0.0, 1e6)
PARTS = st.lists(
    st.tuples(st.one_of(st.just(0.0), st.floats(1e-3, 1e5)), st.floats(0.0, 1e5)), min_size=1, max_size=6
)
NEAR = 1e-6


def filled(amount: float, parts: list[tuple[float, float]]) -> list[float]:
    return water_fill(amount, [w for w, _ in parts], [r for _, r in parts])


# ---- water_fill


@given(AMOUNT, PARTS)
def test_water_fills_what_there_is_room_for_and_no_more(amount: float, parts: list[tuple[float, float]]) -> None:
    shares = filled(amount, parts)
    room = sum(r for w, r in parts if w > 0.0)
    assert sum(shares) == pytest.approx(min(amount, room), rel=1e-9, abs=NEAR)
    assert all(0.0 <= s <= r * (1.0 + 1e-12) for s, (_, r) in zip(shares, parts, strict=True))
    assert all(s == 0.0 for s, (w, _) in zip(shares, parts, strict=True) if w == 0.0)


@given(AMOUNT, PARTS)
def test_shares_that_are_not_full_stand_in_proportion_to_their_weights(
    amount: float, parts: list[tuple[float, float]]
) -> None:
    shares = filled(amount, parts)
    levels = [s / w for s, (w, r) in zip(shares, parts, strict=True) if w > 0.0 and s < r * (1.0 - 1e-9)]
    full = [s / w for s, (w, r) in zip(shares, parts, strict=True) if w > 0.0 and s >= r]
    if levels:
        assert max(levels) == pytest.approx(min(levels), rel=1e-6, abs=NEAR)
        assert all(level <= max(levels) * (1.0 + 1e-6) + NEAR for level in full), "a full one stands no higher"


@given(AMOUNT, PARTS, st.randoms(use_true_random=False))
def test_the_order_of_the_parts_does_not_matter(amount: float, parts: list[tuple[float, float]], random: Any) -> None:
    order = list(range(len(parts)))
    random.shuffle(order)
    shares, shuffled = filled(amount, parts), filled(amount, [parts[i] for i in order])
    assert [shares[i] for i in order] == pytest.approx(shuffled, rel=1e-9, abs=NEAR)


@given(AMOUNT, AMOUNT, PARTS)
def test_more_water_lowers_no_level(a: float, b: float, parts: list[tuple[float, float]]) -> None:
    low, high = filled(min(a, b), parts), filled(max(a, b), parts)
    assert all(x <= y + NEAR for x, y in zip(low, high, strict=True))


# ---- cap


def slots(proposals: dict[str, list[Proposal]], ders: Any, rank: int) -> list[Slot]:
    """As the engine makes them: what all left, and what the wish's seniors left."""
    made = []
    for der in ders:
        said = proposals.get(der.id, [])
        hard = fold(whole(der.rating), said, up_to=rank)
        made.append(Slot(der=der, band=fold(whole(der.rating), said), hard_low_w=hard.low_w, hard_high_w=hard.high_w))
    return made


def asked(slot: Slot, band: Any) -> float:
    """What the DER is told: a target, or a ceiling."""
    return aim_of(band) if slot.der.can.aim else band.high_w


@pytest.mark.no_cover
@given(st.data())
def test_the_sum_of_targets_and_ceilings_is_below_the_site_s_where_seniors_allow(data: st.DataObject) -> None:
    ders = data.draw(strategies.ders())
    proposals = {der.id: data.draw(strategies.proposals(3)) for der in ders}
    wish = SiteProposal(by="w", rank=15, over=tuple(d.id for d in ders), p_ceiling_w=data.draw(strategies.WATTS))
    made = slots(proposals, ders, 15)
    bands = cap(made, wish)
    after = sum(asked(s, bands.get(s.der.id, s.band)) for s in made)
    least = sum(min(s.hard_low_w, asked(s, s.band)) if s.der.can.aim else _pv_floor(s) for s in made)
    assert after <= max(wish.p_ceiling_w, least) + NEAR
    for s in made:
        band = bands.get(s.der.id, s.band)
        assert s.der.rating.p_min_w - NEAR <= band.low_w <= band.high_w <= s.der.rating.p_max_w + NEAR
        assert asked(s, band) <= asked(s, s.band) + NEAR, "a ceiling lifts nobody"


def _pv_floor(slot: Slot) -> float:
    return min(max(slot.hard_low_w, 0.0), slot.band.high_w)


@pytest.mark.no_cover
@given(st.data())
def test_pv_is_curtailed_below_its_power_only_when_storage_gives_no_more(data: st.DataObject) -> None:
    """Of PV that is measured; what is not sends no store down."""
    ders = [der for der in data.draw(strategies.ders()) if der.can.aim or der.reading.p_w is not None]
    proposals = {der.id: data.draw(strategies.proposals(3)) for der in ders}
    wish = SiteProposal(by="w", rank=15, over=tuple(d.id for d in ders), p_ceiling_w=data.draw(strategies.WATTS))
    made = slots(proposals, ders, 15)
    bands = cap(made, wish)
    pvs = [s for s in made if not s.der.can.aim]
    wanted = sum(potential_w(s.der, s.band.high_w) for s in pvs)
    given_w = sum(asked(s, bands.get(s.der.id, s.band)) for s in pvs)
    if given_w < wanted - NEAR:
        for s in made:
            if s.der.can.aim:
                assert (
                    asked(s, bands.get(s.der.id, s.band)) <= max(s.hard_low_w, -math.inf) + NEAR
                    or asked(s, s.band) <= s.hard_low_w + NEAR
                )


def test_surplus_goes_into_the_battery_first_and_only_the_rest_is_curtailed() -> None:
    ders = [make.pv("pv1", p_w=8_000.0), make.battery("bat1", p_w=0.0, charge_w=3_000.0)]
    for ceiling, bat, pv in ((9_000.0, 0.0, 9_000.0), (6_000.0, -2_000.0, 8_000.0), (4_000.0, -3_000.0, 7_000.0)):
        wish = SiteProposal(by="w", rank=15, over=("pv1", "bat1"), p_ceiling_w=ceiling)
        made = slots({}, ders, 15)
        bands = cap(made, wish)
        assert asked(made[1], bands.get("bat1", made[1].band)) == bat
        assert asked(made[0], bands.get("pv1", made[0].band)) == pv


def test_a_full_battery_s_senior_floor_leaves_the_surplus_to_curtailment() -> None:
    full = {"bat1": [Proposal(by="soc_guard", rank=0, p_floor_w=0.0)]}
    ders = [make.pv("pv1", p_w=8_000.0), make.battery("bat1", p_w=0.0)]
    wish = SiteProposal(by="w", rank=15, over=("pv1", "bat1"), p_ceiling_w=5_000.0)
    bands = cap(slots(full, ders, 15), wish)
    assert bands["pv1"].high_w == 5_000.0 and "bat1" not in bands


def test_pv_is_curtailed_in_proportion_to_present_power_not_to_nameplate() -> None:
    """So that idle units keep no unusable share."""
    ders = [make.pv("a", p_max_w=10_000.0, p_w=6_000.0), make.pv("b", p_max_w=10_000.0, p_w=2_000.0)]
    wish = SiteProposal(by="w", rank=15, over=("a", "b"), p_ceiling_w=4_000.0)
    bands = cap(slots({}, ders, 15), wish)
    assert (bands["a"].high_w, bands["b"].high_w) == (3_000.0, 1_000.0)


def test_storage_makes_room_for_a_senior_floor_of_pv_that_gives_less_now() -> None:
    ders = [make.pv("pv1", p_w=0.0), make.battery("bat1")]
    wish = SiteProposal(by="w", rank=15, over=("pv1", "bat1"), p_ceiling_w=0.0)
    made = slots({"pv1": [Proposal(by="s", rank=0, p_floor_w=700.0)]}, ders, 15)
    bands = cap(made, wish)
    assert bands["pv1"].high_w == 700.0 and aim_of(bands["bat1"]) == -700.0


def test_an_idle_inverter_keeps_a_share_to_start_with() -> None:
    ders = [make.pv("a", p_w=6_000.0), make.pv("idle", p_w=0.0)]
    wish = SiteProposal(by="w", rank=15, over=("a", "idle"), p_ceiling_w=4_000.0)
    bands = cap(slots({}, ders, 15), wish)
    assert bands["idle"].high_w == pytest.approx(4_000.0 * IDLE_SHARE * 10_000.0 / (6_000.0 + IDLE_SHARE * 10_000.0))


def test_enough_room_curtails_nobody() -> None:
    ders = [make.pv("a", p_w=6_000.0), make.pv("b", p_w=0.0)]
    wish = SiteProposal(by="w", rank=15, over=("a", "b"), p_ceiling_w=20_000.0)
    assert cap(slots({}, ders, 15), wish) == {}


@pytest.mark.parametrize(
    ("reading", "expected"),
    [
        ({}, 9_000.0),
        ({"status": Status.ASLEEP}, 0.0),
        ({"p_w": 3_000.0}, 3_000.0),
        ({"p_w": -20.0}, 0.0),
        ({"p_w": 2_900.0, "accepted": Setpoint(p_ceiling_w=3_000.0)}, 5_900.0),  # twice, and 1 % of the rating
        ({"p_w": 4_900.0, "accepted": Setpoint(p_ceiling_w=5_000.0)}, 9_000.0),
        ({"p_w": 0.0, "accepted": Setpoint(p_ceiling_w=0.0)}, 100.0),
        ({"p_w": 0.0, "accepted": Setpoint(p_ceiling_w=0.0), "status": Status.ASLEEP}, 0.0),
        ({"p_w": 2_000.0, "accepted": Setpoint(p_ceiling_w=3_000.0)}, 2_000.0),
        ({"p_w": 2_000.0, "accepted": Setpoint()}, 2_000.0),
    ],
)
def test_what_pv_could_give_is_what_it_gives_unless_it_is_held_down(reading: dict[str, Any], expected: float) -> None:
    assert potential_w(make.pv(**reading), 9_000.0) == expected


# ---- hold_up and targets


@pytest.mark.no_cover
@given(st.data())
def test_storage_lifts_the_sum_to_the_floor_where_seniors_allow(data: st.DataObject) -> None:
    ders = data.draw(strategies.ders())
    proposals = {der.id: data.draw(strategies.proposals(3)) for der in ders}
    wish = SiteProposal(by="w", rank=15, over=tuple(d.id for d in ders), p_floor_w=data.draw(strategies.WATTS))
    made = slots(proposals, ders, 15)
    bands = hold_up(made, wish)
    pv = sum(min(s.band.high_w, s.der.reading.p_w or 0.0) for s in made if not s.der.can.aim)
    stores = [s for s in made if s.der.can.aim]
    before = sum(aim_of(s.band) for s in stores)
    after = sum(aim_of(bands.get(s.der.id, s.band)) for s in stores)
    most = sum(max(s.hard_high_w, aim_of(s.band)) for s in stores)
    assert after >= min(wish.p_floor_w - pv, most) - NEAR and after >= before - NEAR
    assert not [s for s in made if not s.der.can.aim and s.der.id in bands], "never PV"
    for s in stores:
        band = bands.get(s.der.id, s.band)
        assert band.low_w <= band.high_w <= s.der.rating.p_max_w + NEAR


@pytest.mark.no_cover
@given(st.data(), st.floats(-20_000.0, 20_000.0))
def test_a_target_is_split_over_storage_within_its_bands(data: st.DataObject, goal: float) -> None:
    ders = data.draw(strategies.ders())
    assume(any(d.can.aim for d in ders))
    proposals = {der.id: data.draw(strategies.proposals(2)) for der in ders}
    wish = SiteProposal(by="w", rank=70, over=tuple(d.id for d in ders), p_target_w=goal)
    made = slots(proposals, ders, 70)
    bands = share_target(made, wish)
    goal -= sum(aim_of(s.band) for s in made if s.der.can.aim and s.der.id not in bands)
    for s in made:
        senior = s.band.target_by is not None and s.band.target_by.rank <= 70
        assert (s.der.id in bands) == (s.der.can.aim and not senior)
    shares = [bands[s.der.id].target_w or 0.0 for s in made if s.der.id in bands]
    rooms = [max(s.band.high_w if goal >= 0.0 else -s.band.low_w, 0.0) for s in made if s.der.id in bands]
    weighty = [
        r for s, r in zip([s for s in made if s.der.id in bands], rooms, strict=True) if _weight(s, goal) > 0.0
    ]
    assert abs(sum(shares)) == pytest.approx(min(abs(goal), sum(weighty)), rel=1e-9, abs=NEAR)
    assert all(share * goal >= 0.0 for share in shares)


def _weight(slot: Slot, goal: float) -> float:
    return slot.der.rating.p_max_w if goal >= 0.0 else -slot.der.rating.p_min_w


def test_what_a_senior_aims_one_battery_at_is_part_of_the_sum_that_the_others_are_to_give() -> None:
    """Told to give 3 kW by an operator, one made the other give 3.9 kW more, at 0.9 kW of load."""
    ders = [make.battery("told", p_w=3_000.0), make.battery("free", p_w=0.0)]
    said = {"told": [Proposal(by="setpoint", rank=60, p_target_w=3_000.0)]}
    for goal, expected in ((3_900.0, 900.0), (1_000.0, -2_000.0)):
        wish = SiteProposal(by="w", rank=70, over=("told", "free"), p_target_w=goal)
        bands = share_target(slots(said, ders, 70), wish)
        assert {name: band.target_w for name, band in bands.items()} == {"free": expected}


def test_the_fuller_battery_discharges_more_and_the_emptier_charges_more() -> None:
    """In proportion to capacity times distance to the bound, as the Frequenz SDK does it."""
    ders = [
        make.battery("full", soc_pct=80.0),
        make.battery("empty", soc_pct=20.0),
        make.battery("mute", p_max_w=5_000.0),
    ]
    for goal, expected in ((3_000.0, (1_600.0, 400.0, 1_000.0)), (-3_000.0, (-400.0, -1_600.0, -1_000.0))):
        wish = SiteProposal(by="w", rank=70, over=("full", "empty", "mute"), p_target_w=goal)
        bands = share_target(slots({}, ders, 70), wish)
        assert tuple(bands[d.id].target_w for d in ders) == pytest.approx(expected)


@pytest.mark.parametrize("blind", [False, True])
def test_where_nothing_shows_it_who_was_never_seen_sends_no_store_down_and_frees_nothing(blind: bool) -> None:
    """6 kW of PV and a battery that draws 1 kW, under a limit of 4 kW: it goes on, and the PV makes up for itself."""
    pv, battery = make.pv(p_w=6_000.0), make.battery(p_w=-1_000.0)
    told = {"bat1": [Proposal(by="setpoint", rank=60, p_target_w=-1_000.0)]}
    wish = SiteProposal(by="w", rank=15, over=("pv1", "bat1"), p_ceiling_w=4_000.0, blind=blind)
    seen = cap(slots(told, [pv, battery], 15), wish, 6_000.0)
    assert seen["bat1"].high_w < -1_000.0 and seen["pv1"].high_w > 5_000.0
    unseen = cap(slots(told, [replace(pv, unseen=True), replace(battery, unseen=True)], 15), wish, 6_000.0)
    if blind:
        assert "bat1" not in unseen and unseen["pv1"].high_w == pytest.approx(4_000.0)
    else:
        assert unseen == seen
