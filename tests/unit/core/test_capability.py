"""Every mix of ceiling and target: who is told what, who counts as what, and whose sun goes on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from derctl.core.allocation import cap, hold_up, potential_w, share_target
from derctl.core.arbitration import Band, aim_of, aimed, confine, fold, reserved_w, whole
from derctl.core.capability import least_rise_w, told_w
from derctl.core.engine import step
from derctl.core.sun import measured_w
from derctl.core.types import Capability, DerState, Port, Proposal, Setpoint, SiteProposal
from tests import make, strategies
from tests.unit.core.test_allocation import slots

NEAR = 1e-6
HYBRID = Capability(ac=Port(limit=True, aim=True, var=True), pv=Port(), battery=Port())
CHARGER = Capability(ac=Port(aim=True))


def decide(ders: list[DerState], said: dict[str, list[Proposal]], *wishes: SiteProposal) -> dict[str, Any]:
    _, decisions = step(make.plan(said, list(wishes)), {}, make.site(*ders), 1.0)
    return {decision.der: decision.setpoint for decision in decisions}


def most_w(told: Setpoint) -> float | None:
    """What the DER may give by what it is told; None: it is told nothing."""
    return told.p_ceiling_w if told.p_target_w is None else told.p_target_w


def seen(der: DerState) -> bool:
    return der.fresh and der.reading.p_w is not None


# ---- what holds for every mix


@pytest.mark.no_cover
@given(st.data())
def test_a_der_is_told_what_it_takes_and_never_more_than_its_band_leaves(data: st.DataObject) -> None:
    ders = [der for der in data.draw(strategies.mixed_ders()) if seen(der)]
    said = {der.id: data.draw(strategies.proposals(4)) for der in ders}
    found = decide(ders, said)
    for der in ders:
        told, band, most = found[der.id], fold(whole(der.rating), said[der.id]), reserved_w(der, said[der.id])
        band = band if most is None else confine(band, most, by="s_max_va")
        assert (told.p_ceiling_w is not None) == der.can.limit
        assert der.can.aim or told.p_target_w is None
        assert told.p_target_w is not None or not der.can.rest
        for watts in (told.p_ceiling_w, told.p_target_w):
            assert watts is None or der.rating.p_min_w - NEAR <= watts <= band.high_w + NEAR
        if told.p_ceiling_w is not None and told.p_target_w is not None:
            assert told.p_target_w <= told.p_ceiling_w + NEAR


@given(st.data())
def test_the_sun_of_a_der_that_takes_both_is_switched_off_by_nobody_s_silence(data: st.DataObject) -> None:
    ders = [der for der in data.draw(strategies.mixed_ders()) if seen(der) and der.can.limit and der.can.aim]
    ceilings = st.none() | st.floats(0.0, 20_000.0)
    said = {der.id: [Proposal(by="x", rank=60, p_ceiling_w=data.draw(ceilings))] for der in ders}
    room = SiteProposal(by="w", rank=15, over=tuple(said), p_ceiling_w=1e6, p_floor_w=data.draw(strategies.WATTS))
    for found in (decide(ders, said), decide(ders, said, room)):
        for der in ders:
            ceiling, told = said[der.id][0].p_ceiling_w, found[der.id]
            assert told.p_target_w is None
            assert told.p_ceiling_w == min(der.rating.p_max_w, der.rating.p_max_w if ceiling is None else ceiling)


@pytest.mark.no_cover
@given(st.data())
def test_the_site_s_ceiling_holds_as_far_as_the_ders_can_be_told(data: st.DataObject) -> None:
    """What can't be told anything counts with what it may give; a ceiling alone goes to 0 W, a target below."""
    ders = [der for der in data.draw(strategies.mixed_ders()) if seen(der)]
    juniors = {der.id: data.draw(strategies.proposals(4, ranks=st.sampled_from([20, 30, 60, 70]))) for der in ders}
    over = tuple(der.id for der in ders)
    wish = SiteProposal(by="contract", rank=15, over=over, p_ceiling_w=data.draw(strategies.WATTS))
    others = data.draw(strategies.site_proposals(list(over), ranks=st.sampled_from([20, 60, 70]))) if over else []
    found = decide(ders, juniors, wish, *others)
    told = sum(watts for each in found.values() if (watts := most_w(each)) is not None)
    mute = sum(potential_w(d, fold(whole(d.rating), juniors[d.id]).high_w) for d in ders if not d.can.steer)
    sun_w = measured_w(ders, {d.id: d.reading.p_w for d in ders if d.reading.p_w is not None}, None, 0.0)
    drawn_w = sum(-d.rating.p_min_w if d.can.aim else 0.0 for d in ders if d.can.steer)
    asked_w = sum(max(-aim_of(fold(whole(d.rating), juniors[d.id])), 0.0) for d in ders if d.can.aim)
    least = -min(drawn_w, asked_w + sun_w)  # a store draws what it is asked to, and what the sun gives
    assert wish.p_ceiling_w is not None
    if not any(p.q_var is not None for said in juniors.values() for p in said):  # the circle bends P of its own
        assert told + mute <= max(wish.p_ceiling_w, least + mute) + NEAR


@pytest.mark.no_cover
@given(st.data())
def test_a_site_s_ceiling_lifts_nobody_and_its_floor_curtails_nobody(data: st.DataObject) -> None:
    ders = data.draw(strategies.mixed_ders())
    said = {der.id: data.draw(strategies.proposals(3)) for der in ders}
    made, over, watts = slots(said, ders, 15), tuple(said), data.draw(strategies.WATTS)
    for what, narrow, sign in (("p_ceiling_w", cap, 1.0), ("p_floor_w", hold_up, -1.0)):
        wish: dict[str, Any] = {what: watts}
        bands = narrow(made, SiteProposal(by="w", rank=15, over=over, **wish))
        for slot in made:
            band = bands.get(slot.der.id, slot.band)
            assert slot.der.rating.p_min_w - NEAR <= band.low_w <= band.high_w <= slot.der.rating.p_max_w + NEAR
            if slot.der.can.steer:
                before, after = _most(slot.der, slot.band), _most(slot.der, band)
                assert sign * (after - before) <= NEAR


def _most(der: DerState, band: Band) -> float:
    if not aimed(der, band):
        return band.high_w
    return min(max(band.target_w or 0.0, band.low_w), band.high_w)


# ---- a hybrid


def hybrid(name: str = "h1", **given: Any) -> DerState:
    der: DerState = make.der(name, make.rating(p_max_w=10_000.0, p_min_w=-5_000.0), HYBRID, **given)
    return der


def test_who_aims_at_a_hybrid_gives_it_a_target_below_its_ceiling() -> None:
    said = [Proposal(by="setpoint", rank=60, p_target_w=-2_000.0), Proposal(by="limit", rank=40, p_ceiling_w=4_000.0)]
    assert decide([hybrid(p_w=6_000.0)], {"h1": said})["h1"] == Setpoint(p_target_w=-2_000.0, p_ceiling_w=4_000.0)
    assert decide([hybrid(p_w=6_000.0)], {"h1": said[1:]})["h1"] == Setpoint(p_ceiling_w=4_000.0)


def test_a_ceiling_below_zero_aims_at_a_hybrid_since_no_limit_reaches_it() -> None:
    said = [Proposal(by="x", rank=0, p_ceiling_w=-1_000.0)]
    assert decide([hybrid(p_w=0.0)], {"h1": said})["h1"].p_target_w == -1_000.0


def test_a_hybrid_is_curtailed_with_the_pv_after_the_battery_was_sent_down() -> None:
    ders = [hybrid(p_w=6_000.0), make.pv("pv1", p_w=3_000.0), make.battery("bat1", p_w=0.0, charge_w=3_000.0)]
    wish = SiteProposal(by="w", rank=15, over=("h1", "pv1", "bat1"), p_ceiling_w=3_000.0)
    found = decide(ders, {}, wish)
    assert found["bat1"].p_target_w == -3_000.0
    assert found["h1"] == Setpoint(p_ceiling_w=4_000.0) and found["pv1"] == Setpoint(p_ceiling_w=2_000.0)


def test_only_when_all_sun_is_curtailed_is_a_hybrid_sent_below_zero() -> None:
    ders = [hybrid(p_w=6_000.0), make.pv("pv1", p_w=3_000.0)]
    for ceiling, target, pv in ((1_000.0, None, 1_000.0 / 3.0), (0.0, None, 0.0), (-2_000.0, -2_000.0, 0.0)):
        found = decide(ders, {}, SiteProposal(by="w", rank=15, over=("h1", "pv1"), p_ceiling_w=ceiling))
        assert found["h1"].p_target_w == target and found["pv1"].p_ceiling_w == pytest.approx(pv)


def test_who_takes_a_ceiling_only_is_never_sent_below_zero_although_it_may_charge() -> None:
    der = make.der("h1", make.rating(p_min_w=-5_000.0), Capability(ac=Port(limit=True)), p_w=6_000.0)
    found = decide([der], {}, SiteProposal(by="w", rank=15, over=("h1",), p_ceiling_w=-2_000.0))
    assert found["h1"] == Setpoint(p_ceiling_w=0.0)


def test_an_aimed_hybrid_is_sent_down_with_the_batteries() -> None:
    said = {"h1": [Proposal(by="setpoint", rank=60, p_target_w=4_000.0)]}
    ders = [hybrid(p_w=4_000.0), make.pv("pv1", p_w=3_000.0)]
    found = decide(ders, said, SiteProposal(by="w", rank=15, over=("h1", "pv1"), p_ceiling_w=5_000.0))
    assert (found["h1"].p_target_w, found["pv1"].p_ceiling_w) == (2_000.0, 3_000.0)


@pytest.mark.parametrize(("accepted", "told"), [(3_000.0, 3_000.0), (None, 10_000.0)])
def test_an_unseen_hybrid_is_not_raised_and_a_battery_rests(accepted: float | None, told: float) -> None:
    held = None if accepted is None else Setpoint(p_ceiling_w=accepted)
    ders = [hybrid(fresh=False, accepted=held), make.battery("bat1", fresh=False, p_w=-1_000.0)]
    found = decide(ders, {"bat1": [Proposal(by="setpoint", rank=60, p_target_w=-1_000.0)]})
    assert found["h1"] == Setpoint(p_ceiling_w=told) and found["bat1"].p_target_w == 0.0


def test_an_unseen_hybrid_that_was_charging_is_let_go_to_rest_and_no_further() -> None:
    der = hybrid(fresh=False, accepted=Setpoint(p_ceiling_w=9_000.0, p_target_w=-2_000.0))
    assert decide([der], {})["h1"] == Setpoint(p_ceiling_w=0.0)


# ---- what only draws


def charger(**given: Any) -> DerState:
    der: DerState = make.der("ev1", make.rating(p_max_w=0.0, p_min_w=-11_000.0), CHARGER, **given)
    return der


def test_a_charger_rests_takes_the_surplus_and_is_never_told_to_give() -> None:
    ders = [charger(p_w=0.0), make.pv("pv1", p_w=8_000.0)]
    assert decide(ders, {})["ev1"] == Setpoint(p_target_w=0.0)
    wish = SiteProposal(by="w", rank=15, over=("ev1", "pv1"), p_ceiling_w=5_000.0)
    found = decide(ders, {}, wish)
    assert (found["ev1"].p_target_w, found["pv1"].p_ceiling_w) == (-3_000.0, 8_000.0)
    wants = Proposal(by="setpoint", rank=60, p_target_w=4_000.0, q_var=500.0)
    assert decide(ders, {"ev1": [wants]})["ev1"] == Setpoint(p_target_w=0.0)


def test_of_a_target_above_zero_a_charger_gets_no_share_and_of_one_below_its_own() -> None:
    ders = [charger(p_w=0.0), make.battery("bat1", p_w=0.0)]
    for goal, ev, bat in ((3_000.0, 0.0, 3_000.0), (-3_200.0, -2_200.0, -1_000.0)):
        wish = SiteProposal(by="w", rank=70, over=("ev1", "bat1"), p_target_w=goal)
        bands = share_target(slots({}, ders, 70), wish)
        assert (bands["ev1"].target_w, bands["bat1"].target_w) == pytest.approx((ev, bat))


@pytest.mark.parametrize(
    ("can", "words"),
    [
        (Capability(), ()),
        (Capability(ac=Port(limit=True, var=True), pv=Port()), ("limit", "var", "steer")),
        (Capability(ac=Port(aim=True), battery=Port()), ("aim", "steer", "rest", "store", "balance")),
        (Capability(ac=Port(limit=True, aim=True), pv=Port()), ("limit", "aim", "steer")),
        (HYBRID, ("limit", "aim", "var", "steer", "store", "balance")),
        (CHARGER, ("aim", "steer", "rest", "balance")),
    ],
)
def test_what_a_capability_says_of_itself(can: Capability, words: tuple[str, ...]) -> None:
    asked = ("limit", "aim", "var", "steer", "rest", "store", "balance")
    assert tuple(word for word in asked if getattr(can, word)) == words


@pytest.mark.parametrize(
    ("accepted", "written", "told"),
    [
        (Setpoint(p_ceiling_w=2000.0), Setpoint(p_ceiling_w=3000.0), 2000.0),
        (Setpoint(p_target_w=-500.0), Setpoint(p_target_w=-900.0), -500.0),
        (None, Setpoint(p_ceiling_w=3000.0), 3000.0),
        (None, Setpoint(p_target_w=-900.0), -900.0),
        (Setpoint(), Setpoint(p_ceiling_w=3000.0), 3000.0),
        (Setpoint(), Setpoint(p_target_w=-900.0), None),
        (Setpoint(), None, None),
        (None, None, None),
    ],
)
def test_what_is_in_force_is_what_reads_back_and_where_that_is_no_claim_what_was_written(
    accepted: Setpoint | None, written: Setpoint | None, told: float | None
) -> None:
    assert told_w(make.pv(accepted=accepted, written=written)) == told


def test_so_that_each_takes_its_share_the_sum_has_to_be_let_enough_for_the_coarsest() -> None:
    """5 kW of which 10 % is the least, and 10 kW in steps of 1 %: 500 W are a third of 1500 W."""
    coarse, fine, free = make.pv("pv1", p_max_w=5_000.0), make.pv("pv2"), make.pv("pv3", p_max_w=0.0)
    coarse = replace(coarse, can=replace(coarse.can, least_w=500.0))
    fine = replace(fine, can=replace(fine.can, least_w=100.0))
    assert least_rise_w([coarse, fine, free]) == 1_500.0
    assert least_rise_w([fine]) == 100.0
    assert least_rise_w([free]) == least_rise_w([]) == 0.0
