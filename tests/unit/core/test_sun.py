"""No store draws from the grid, or from another store, unless somebody asked it to."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from derctl.core.engine import step
from derctl.core.plan import Plan
from derctl.core.requests import BatteryRequest, Request
from derctl.core.sun import START_SHARE, Memory, Seen, measured_w, watched
from derctl.core.types import Capability, Decision, DerState, PocState, Port, Proposal, Setpoint, SiteProposal, Trial
from derctl.core.words import Status
from derctl.functions.contract_export_limit import ContractExportLimit
from derctl.functions.freq_droop import FreqDroop
from derctl.functions.operator import SetpointFunction
from derctl.functions.self_consumption import SelfConsumption
from derctl.functions.volt_watt import VoltWatt
from tests import make, strategies

ROOM = SiteProposal(by="contract", rank=15, over=("pv1", "pv2", "bat1"), p_ceiling_w=-3_000.0)
SHARE = SiteProposal(by="wants", rank=70, over=("bat1",), p_target_w=-3_000.0)


def decide(
    wishes: list[SiteProposal],
    *ders: DerState,
    said: dict[str, list[Proposal]] | None = None,
    poc: PocState | None = None,
    memories: Any = None,
) -> tuple[Any, dict[str, Decision]]:
    present = {der.id for der in ders}
    wishes = [replace(wish, over=tuple(name for name in wish.over if name in present)) for wish in wishes]
    plan = make.plan(said or {}, wishes)
    memories, decisions = step(plan, memories or {}, make.site(*ders, poc=poc), 1.0)
    return memories, {decision.der: decision for decision in decisions}


def charged_w(decisions: dict[str, Decision], name: str = "bat1") -> float:
    told = decisions[name].setpoint.p_target_w
    return max(-(told or 0.0), 0.0)


BAT = make.battery(p_w=0.0)


@pytest.mark.parametrize("wish", [ROOM, SHARE], ids=["a ceiling of the site", "a target of the site"])
@pytest.mark.parametrize(
    ("sun", "most_w"),
    [
        ({"p_w": 0.0, "status": Status.ASLEEP}, 0.0),
        ({"p_w": None, "status": Status.ASLEEP}, 0.0),
        ({"p_w": None}, 0.0),
        ({"p_w": None, "accepted": Setpoint(p_ceiling_w=8_000.0)}, 0.0),
        ({"p_w": None, "fresh": False, "controllable": False}, 0.0),
        ({"p_w": -30.0}, 0.0),
        ({"p_w": 1_200.0}, 1_200.0),
        ({"p_w": 8_000.0}, 3_000.0),
    ],
)
def test_a_store_draws_what_the_sun_is_measured_to_give(
    wish: SiteProposal, sun: dict[str, Any], most_w: float
) -> None:
    """An inverter that sleeps, or is not measured, sent 5 kW out of the grid into the battery, all night."""
    _, found = decide([wish], BAT, make.pv(**sun))
    if wish is SHARE:
        assert charged_w(found) == most_w
    else:
        assert charged_w(found) <= max(most_w, 5_000.0 if sun["p_w"] == 8_000.0 else 0.0)


def test_who_binds_it_is_said_with_its_own_name_and_reason() -> None:
    _, found = decide([SHARE], BAT, make.pv(p_w=1_000.0))
    assert [(b.by, b.what, b.value, b.why) for b in found["bat1"].bound_by] == [
        ("wants", "p_target_w", -3_000.0, None),
        ("sun_only", "p_floor_w", -1_000.0, "no_measured_sun"),
    ]
    _, found = decide([SHARE], BAT, make.pv(p_w=4_000.0))
    assert [b.by for b in found["bat1"].bound_by] == ["wants"], "it is named only where it binds"


def test_the_site_s_ceiling_is_kept_as_well_as_it_can_by_those_that_give() -> None:
    """Limit 2 kW: pv1 gives 1 kW, pv2 says nothing and may give 10 kW. The battery takes what is measured; both are
    curtailed to the rest."""
    wish = replace(ROOM, p_ceiling_w=2_000.0)
    _, found = decide([wish], BAT, make.pv("pv1", p_w=1_000.0), make.pv("pv2"))
    tops = [found[name].setpoint.p_ceiling_w or 0.0 for name in ("pv1", "pv2")]
    assert sum(tops) == pytest.approx(2_000.0) and charged_w(found) == 0.0
    _, found = decide([replace(ROOM, p_ceiling_w=-500.0)], BAT, make.pv("pv1", p_w=1_000.0), make.pv("pv2"))
    assert charged_w(found) == 1_000.0
    assert sum(found[name].setpoint.p_ceiling_w or 0.0 for name in ("pv1", "pv2")) == pytest.approx(500.0)
    assert found["bat1"].bound_by[-1].by == "sun_only"


def test_no_store_charges_what_another_gives() -> None:
    """Without any load: what the first gives is taken back from it, and is not put into the second."""
    said = {"bat1": [Proposal(by="setpoint", rank=60, p_target_w=3_000.0)]}
    wish = SiteProposal(by="contract", rank=15, over=("bat1", "bat2"), p_ceiling_w=1_000.0)
    _, found = decide([wish], BAT, make.battery("bat2", p_w=0.0), said=said)
    told = [found[name].setpoint.p_target_w for name in ("bat1", "bat2")]
    assert told == [1_000.0, 0.0]


def test_all_stores_together_draw_no_more_than_the_sun() -> None:
    wish = SiteProposal(by="wants", rank=70, over=("bat1", "bat2"), p_target_w=-6_000.0)
    _, found = decide([wish], BAT, make.battery("bat2", p_w=0.0), make.pv(p_w=2_000.0))
    assert charged_w(found) + charged_w(found, "bat2") == pytest.approx(2_000.0)


def test_two_ceilings_over_different_stores_share_the_same_sun() -> None:
    wishes = [
        SiteProposal(by="contract", rank=15, over=("bat1",), p_ceiling_w=-3_000.0),
        SiteProposal(by="limit", rank=60, over=("bat2",), p_ceiling_w=-3_000.0),
    ]
    _, found = decide(wishes, BAT, make.battery("bat2", p_w=0.0), make.pv(p_w=2_000.0))
    assert charged_w(found) + charged_w(found, "bat2") == pytest.approx(2_000.0)


# ---- who may ask


def test_an_operator_s_setpoint_charges_from_the_grid() -> None:
    said = {"bat1": [Proposal(by="setpoint", rank=60, p_target_w=-2_000.0)]}
    _, found = decide([ROOM], BAT, said=said)
    assert charged_w(found) == 2_000.0, "and nobody else adds to it"
    plan = Plan(der_functions=((SetpointFunction(), ("bat1",)),))
    asked: tuple[Request, ...] = (BatteryRequest(id="1", by="ops", der="bat1", p_target_w=-2_000.0, remaining_s=9.0),)
    _, (decision,) = step(plan, {}, make.site(BAT, requests=asked), 1.0)
    assert decision.setpoint.p_target_w == -2_000.0 and [b.by for b in decision.bound_by] == ["setpoint"]


@pytest.mark.parametrize(
    ("function", "reads"),
    [(FreqDroop(olrt_s=0.2), {"f_hz": 51.0}), (VoltWatt(p2_pu=-1.0, olrt_s=0.5), {"v_pu": 1.1})],
    ids=["a frequency function", "volt-watt that the site file tells to draw"],
)
def test_a_grid_function_of_its_own_charges_it(function: Any, reads: dict[str, Any]) -> None:
    plan = Plan(der_functions=((function, ("bat1",)),))
    memories: Any = {}
    for _ in range(20):
        memories, (decision,) = step(plan, memories, make.site(make.battery(p_w=0.0, **reads)), 1.0)
    assert decision.setpoint.p_target_w is not None and decision.setpoint.p_target_w < -1_000.0


def test_a_ceiling_below_0_that_a_battery_s_protection_sets_is_kept() -> None:
    said = {"bat1": [Proposal(by="bms", rank=0, p_ceiling_w=-800.0)]}
    _, found = decide([SHARE], BAT, make.pv(p_w=500.0), said=said)
    assert charged_w(found) == 1_300.0, "what it must draw, and the sun besides"


# ---- what is measured


def test_one_sample_without_its_power_changes_nothing_and_5_s_do() -> None:
    told: list[float] = []
    memories: Any = None
    for n in range(12):
        pv = make.pv(p_w=2_500.0 if n < 3 else None, sample=n)
        memories, found = decide([SHARE], BAT, pv, memories=memories)
        told.append(charged_w(found))
    assert told == [2_500.0] * 7 + [0.0] * 5
    assert memories["sun"].seen == (Seen(der="bat1", p_w=0.0, sample=1, silent_s=0.0),)


def test_one_that_says_it_sleeps_gives_nothing_at_once() -> None:
    memories, _ = decide([SHARE], BAT, make.pv(p_w=2_500.0))
    _, found = decide([SHARE], BAT, make.pv(p_w=None, status=Status.ASLEEP, sample=2), memories=memories)
    assert charged_w(found) == 0.0


def test_a_silent_one_counts_for_5_s_as_it_was_heard_last() -> None:
    memory = watched(Memory(), [make.pv(p_w=900.0, age_s=0.5)], 1.0)
    silent = make.pv(p_w=900.0, fresh=False)
    for n in range(1, 8):
        memory = watched(memory, [silent], 1.0)
        assert len(memory.seen) == (1 if n < 5 else 0), n


def test_one_that_answers_and_is_not_believed_counts_no_more_at_once() -> None:
    """Registers stood still at 4 kW since before sunset: for 5 s the battery drew as much out of the grid."""
    memory = watched(Memory(), [make.pv(p_w=4_000.0, sample=20)], 1.0)
    assert len(memory.seen) == 1
    assert watched(memory, [make.pv(p_w=4_000.0, sample=21, fresh=False)], 1.0).seen == ()


@pytest.mark.parametrize(
    ("meter_pu", "p_poc_w", "bat_w", "drawn_w"),
    [
        (1.0, 2_000.0, 0.0, 2_000.0),
        (1.0, 500.0, -1_500.0, 2_000.0),
        (0.0, 2_000.0, 0.0, 0.0),
        (0.1, 2_000.0, 0.0, 500.0),
        (0.1, 300.0, 0.0, 300.0),
        (None, 2_000.0, 0.0, 0.0),
        (1.0, -900.0, 0.0, 0.0),
        (1.0, 2_000.0, 3_000.0, 0.0),
        (1.0, 2_000.0, None, 0.0),
        (1.0, None, 0.0, 0.0),
    ],
)
def test_sun_of_others_counts_as_far_as_a_believed_meter_shows_it(
    meter_pu: float | None, p_poc_w: float | None, bat_w: float | None, drawn_w: float
) -> None:
    """3 kW from this battery itself, or from one that nobody measures, is no sun."""
    wish = replace(SHARE, meter_pu=meter_pu)
    told = Setpoint(p_target_w=bat_w or 0.0)
    _, found = decide([wish], make.battery(p_w=bat_w, accepted=told), poc=make.meter(p_poc_w))
    assert charged_w(found) == drawn_w


def test_of_two_words_on_the_meter_the_senior_s_counts_and_a_stale_meter_tells_nothing() -> None:
    contract = SiteProposal(by="contract", rank=15, over=(), meter_pu=0.0)
    wish = replace(SHARE, meter_pu=1.0)
    assert charged_w(decide([wish, contract], BAT, poc=make.meter(2_000.0))[1]) == 0.0
    assert charged_w(decide([wish], BAT, poc=make.meter(2_000.0, fresh=False))[1]) == 0.0
    assert measured_w([], {}, None, 1.0) == 0.0


@pytest.mark.parametrize(
    ("told_w", "claims_w", "most_w"),
    [
        (-4_000.0, -4_000.0, 5_000.0),
        (-4_000.0, -1_000.0, 2_000.0),  # it draws less than it was told
        (-1_000.0, -4_000.0, 2_000.0),  # and claims more
        (None, -4_000.0, 1_000.0),
        (-4_000.0, None, 1_000.0),
        (-4_000.0, 500.0, 500.0),
    ],
)
def test_what_a_store_on_trial_draws_counts_as_far_as_it_was_told_to(
    told_w: float | None, claims_w: float | None, most_w: float
) -> None:
    """It came and went with each tick: it drew, the meter showed less for that, and it might draw no more."""
    told = None if told_w is None else Setpoint(p_target_w=told_w)
    tried = make.battery(p_w=claims_w, accepted=told, trial=Trial(p_w=claims_w, gave_w=0.0))
    assert measured_w([tried], {}, make.meter(1_000.0), 1.0) == most_w


def test_pv_that_is_held_down_rises_step_by_step_into_a_store() -> None:
    """Zero export, no load, a sunny day: the battery draws first what begins the rise, then twice what there is."""
    pv_w, told = 0.0, []
    for _ in range(12):
        pv = make.pv(p_w=pv_w, accepted=Setpoint(p_ceiling_w=pv_w))
        wish = SiteProposal(by="contract", rank=15, over=("pv1", "bat1"), p_ceiling_w=0.0)
        _, found = decide([wish], BAT, pv)
        assert charged_w(found) <= 2.0 * pv_w + START_SHARE * 5_000.0
        told.append(charged_w(found))
        pv_w = min(found["pv1"].setpoint.p_ceiling_w or 0.0, 4_000.0)
    assert told[0] == START_SHARE * 5_000.0 and told[-1] >= 4_000.0


@pytest.mark.no_cover
@given(st.data())
def test_whatever_the_site_wants_its_stores_draw_no_more_unasked(data: st.DataObject) -> None:
    ders = data.draw(strategies.ders())
    names = [der.id for der in ders]
    wishes = data.draw(strategies.site_proposals(names))
    plan = make.plan({}, wishes)
    _, decisions = step(plan, {}, make.site(*ders), 1.0)
    seen = {der.id: der.reading.p_w for der in ders if der.fresh and der.reading.p_w is not None}
    most_w = measured_w(ders, seen, None, 0.0)
    drawn_w = sum(
        max(-(decision.setpoint.p_target_w or 0.0), 0.0)
        for der, decision in zip(ders, decisions, strict=True)
        if der.can.store
    )
    assert drawn_w <= most_w + 1e-6


# ---- with the functions


@pytest.mark.parametrize("sleeps", [{"p_w": None}, {"p_w": None, "status": Status.ASLEEP}, {"p_w": 0.0}])
@pytest.mark.parametrize("heard", [True, False])
def test_at_night_the_battery_serves_the_house_and_never_charges(sleeps: dict[str, Any], heard: bool) -> None:
    plan = Plan(
        site_functions=(
            (ContractExportLimit(limit_w=3_000.0), ("pv1", "bat1")),
            (SelfConsumption(), ("bat1",)),
        )
    )
    memories: dict[str, Any] = {}
    p_w, told, limit = 0.0, [], None
    for n in range(120):
        here: dict[str, Any] = {} if heard else {"fresh": False, "controllable": False}
        pv = make.pv(**sleeps, **here, accepted=limit, sample=n)
        poc = make.meter(p_w - 900.0 + n % 2 * 1e-3, sample=n)
        memories, decisions = step(plan, memories, make.site(pv, make.battery(p_w=p_w, sample=n), poc=poc), 1.0)
        limit, p_w = decisions[0].setpoint, decisions[1].setpoint.p_target_w or 0.0
        told.append(p_w)
    assert min(told) >= -60.0
    if heard:
        assert told[-1] == pytest.approx(900.0, abs=40.0)


@pytest.mark.parametrize("load_w", [300.0, 900.0, 5_000.0, 9_000.0])
@pytest.mark.parametrize(
    "reads",
    [lambda p, n: -p, lambda p, n: 900.0, lambda p, n: 6_000.0 + n % 3],
    ids=["reversed", "stuck at an export", "stuck, with noise"],
)
@pytest.mark.parametrize("contract", [False, True])
def test_a_wrong_meter_charges_no_battery_for_long(contract: bool, reads: Any, load_w: float) -> None:
    """No sun: a reversed clamp under 5 kW of load had a battery draw 5 kW for good."""
    limits = ((ContractExportLimit(limit_w=7_000.0), ("bat1",)),) if contract else ()
    plan = Plan(site_functions=(*limits, (SelfConsumption(), ("bat1",))))
    memories: Any = {}
    p_w, drawn_w = 0.0, list[float]()
    for n in range(240):
        state = make.site(make.battery(p_w=p_w, sample=n), poc=make.meter(reads(p_w - load_w, n), sample=n))
        memories, (decision,) = step(plan, memories, state, 1.0)
        p_w = decision.setpoint.p_target_w or 0.0
        drawn_w.append(max(-p_w, 0.0))
    assert max(sum(drawn_w[n : n + 60]) / 60.0 for n in range(180)) <= 100.0


@pytest.mark.parametrize("contract", [False, True])
def test_a_right_meter_lets_a_battery_take_the_sun_of_others(contract: bool) -> None:
    """Nothing else could prove it: the export is allowed, and no inverter of ours is there to dip."""
    limits = ((ContractExportLimit(limit_w=7_000.0), ("bat1",)),) if contract else ()
    plan = Plan(site_functions=(*limits, (SelfConsumption(), ("bat1",))))
    memories: Any = {}
    p_w = 0.0
    for n in range(60):
        state = make.site(make.battery(p_w=p_w, sample=n), poc=make.meter(p_w + 3_000.0, sample=n), t_s=float(n))
        memories, (decision,) = step(plan, memories, state, 1.0)
        p_w = decision.setpoint.p_target_w or 0.0
    assert p_w == pytest.approx(-3_000.0, abs=40.0)


@pytest.mark.parametrize("contract", [False, True])
def test_what_a_battery_is_told_to_take_of_it_stands_while_it_takes_nothing(contract: bool) -> None:
    """Full by its own word at 96 %: asked for 5 s a minute, it was never seen not to follow."""
    limits = ((ContractExportLimit(limit_w=7_000.0), ("bat1",)),) if contract else ()
    plan = Plan(site_functions=(*limits, (SelfConsumption(), ("bat1",))))
    memories: Any = {}
    accepted, told = None, list[float]()
    for n in range(120):
        bat = make.battery(p_w=0.0, sample=n, accepted=accepted)
        state = make.site(bat, poc=make.meter(3_000.0 + n % 3, sample=n))
        memories, (decision,) = step(plan, memories, state, 1.0)
        accepted = decision.setpoint
        told.append(accepted.p_target_w or 0.0)
    assert told[1:] == pytest.approx([-0.15 * 5_000.0] * 119)


@pytest.mark.parametrize("late_s", [0, 2, 4, 8])
def test_a_late_battery_draws_no_longer_from_a_wrong_meter_than_it_is_late(late_s: int) -> None:
    plan = Plan(site_functions=((SelfConsumption(), ("bat1",)),))
    memories: Any = {}
    told, accepted, drawn_w = [0.0] * (late_s + 1), None, list[float]()
    for n in range(240):
        p_w = told[-late_s - 1]
        bat = make.battery(p_w=p_w, sample=n, accepted=accepted)
        state = make.site(bat, poc=make.meter(-(p_w - 5_000.0), sample=n))
        memories, (decision,) = step(plan, memories, state, 1.0)
        accepted = decision.setpoint
        told.append(accepted.p_target_w or 0.0)
        drawn_w.append(max(-p_w, 0.0))
    assert max(sum(drawn_w[n : n + 60]) / 60.0 for n in range(180)) <= 750.0 * max(5.0, late_s + 2.0) / 60.0


def test_a_charger_for_cars_is_a_load_and_no_store() -> None:
    car = make.der("ev1", make.rating(p_max_w=0.0, p_min_w=-7_400.0), Capability(ac=Port(limit=True, aim=True)))
    said = {"ev1": [Proposal(by="setpoint", rank=60, p_target_w=-7_000.0)]}
    assert charged_w(decide([], car, said=said)[1], "ev1") == 7_000.0
