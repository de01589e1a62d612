"""One tick: propose, arbitrate, allocate, decide."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from derctl.core import belief
from derctl.core.engine import step
from derctl.core.evidence import NOTHING_KNOWN
from derctl.core.memories import OWN, keys_of, memory_type
from derctl.core.plan import Plan
from derctl.core.poc import evidence_of, with_belief
from derctl.core.requests import LimitRequest
from derctl.core.types import Abstain, Capability, DerState, Fallback, Port, Proposal, Setpoint, SiteProposal
from derctl.core.words import Belief, FallbackBy
from derctl.functions import ROWS
from derctl.functions.contract_export_limit import ContractExportLimit
from derctl.functions.freq_droop import FreqDroop
from derctl.functions.operator import OperatorLimit
from tests import make, strategies

NEAR = 1e-6
ALSO_ON_DEVICE = frozenset({"volt_var", "volt_watt", "freq_droop", "watt_var"})


def decide(plan: Plan, state: Any, memories: Any = None, dt_s: float = 1.0) -> dict[str, Any]:
    _, decisions = step(plan, memories or {}, state, dt_s)
    return {decision.der: decision for decision in decisions}


def any_site(data: st.DataObject) -> tuple[Any, dict[str, list[Proposal]], list[SiteProposal]]:
    ders = data.draw(strategies.ders())
    proposals = {der.id: data.draw(strategies.proposals(4)) for der in ders}
    return ders, proposals, data.draw(strategies.site_proposals([d.id for d in ders]))


# ---- what holds for anybody's wishes


@pytest.mark.no_cover
@given(st.data())
def test_no_decision_leaves_rating_box_or_circle_and_every_number_is_finite(data: st.DataObject) -> None:
    ders, proposals, wishes = any_site(data)
    found = decide(make.plan(proposals, wishes), make.site(*ders))
    for der in ders:
        told, rating = found[der.id].setpoint, der.rating
        numbers = [n for n in (told.p_ceiling_w, told.p_target_w, told.q_var) if n is not None]
        assert all(math.isfinite(n) for n in numbers)
        assert all(math.isfinite(bound.value) for bound in found[der.id].bound_by)
        p = told.p_target_w if der.can.aim else told.p_ceiling_w
        assert rating.p_min_w - NEAR <= p <= rating.p_max_w + NEAR
        assert (told.p_ceiling_w is None) == der.can.aim
        if told.q_var is not None:
            assert der.can.var and der.fresh
            assert -rating.q_abs_max_var <= told.q_var <= rating.q_inj_max_var
            assert p**2 + told.q_var**2 <= rating.s_max_va**2 * (1.0 + 1e-9)


@pytest.mark.no_cover
@given(st.data(), st.randoms(use_true_random=False))
def test_the_order_of_functions_and_of_ders_is_irrelevant(data: st.DataObject, random: Any) -> None:
    ders, proposals, wishes = any_site(data)
    plan = make.plan(proposals, wishes)
    rows, sites, turned = list(plan.der_functions), list(plan.site_functions), list(ders)
    random.shuffle(rows)
    random.shuffle(sites)
    random.shuffle(turned)
    expected = decide(plan, make.site(*ders))
    assert decide(Plan(der_functions=tuple(rows), site_functions=tuple(sites)), make.site(*ders)) == expected
    for name, decision in decide(Plan(der_functions=tuple(rows)), make.site(*turned)).items():
        assert decision == decide(Plan(der_functions=plan.der_functions), make.site(*ders))[name]


@pytest.mark.no_cover
@given(st.data())
def test_a_junior_s_word_moves_no_edge_that_seniors_set(data: st.DataObject) -> None:
    """A ceiling-only DER without var: what juniors add can only lower it, never below a senior's floor."""
    der = make.der("d", make.rating(), Capability(ac=Port(limit=True)))
    seniors = data.draw(strategies.proposals(4, ranks=st.sampled_from([0, 5, 15, 20])))
    juniors = [
        replace(p, by=f"j{p.by}") for p in data.draw(strategies.proposals(4, ranks=st.sampled_from([40, 60, 70])))
    ]
    before = decide(make.plan({"d": seniors}, []), make.site(der))["d"].setpoint.p_ceiling_w
    after = decide(make.plan({"d": [*seniors, *juniors]}, []), make.site(der))["d"].setpoint.p_ceiling_w
    floors = [p.p_floor_w for p in seniors if p.p_floor_w is not None]
    assert after <= before
    assert after >= min([before, *[max(f, 0.0) for f in floors]] if floors else [0.0])


@pytest.mark.no_cover
@given(st.data())
def test_the_site_s_ceiling_holds_against_every_junior(data: st.DataObject) -> None:
    """The contract binds whatever droop, operator or schedule want; only rank 0 to 15 may keep more."""
    ders = [d for d in data.draw(strategies.ders()) if d.fresh]
    limit = data.draw(st.floats(0.0, 20_000.0))
    over = tuple(d.id for d in ders)
    juniors = {d.id: data.draw(strategies.proposals(4, ranks=st.sampled_from([20, 30, 60, 70]))) for d in ders}
    others = data.draw(strategies.site_proposals(list(over), ranks=st.sampled_from([20, 60, 70]))) if over else []
    wishes = [SiteProposal(by="contract", rank=15, over=over, p_ceiling_w=limit), *others]
    found = decide(make.plan(juniors, wishes), make.site(*ders))
    asked = sum(found[d.id].setpoint.p_target_w if d.can.aim else found[d.id].setpoint.p_ceiling_w for d in ders)
    assert asked <= max(limit, 0.0) + NEAR


@given(st.data())
def test_a_site_junior_pushes_no_der_below_a_senior_floor(data: st.DataObject) -> None:
    floor = data.draw(st.floats(-5_000.0, 5_000.0))
    wish = SiteProposal(by="site", rank=60, over=("bat1",), p_ceiling_w=data.draw(strategies.WATTS))
    plan = make.plan({"bat1": [Proposal(by="droop", rank=20, p_floor_w=floor)]}, [wish])
    told = decide(plan, make.site(make.battery()))["bat1"].setpoint.p_target_w
    assert told >= min(floor, max(floor, 0.0)) - NEAR


@given(st.data())
def test_a_site_senior_s_floor_lifts_storage_over_a_junior_ceiling_and_not_over_a_senior_s(
    data: st.DataObject,
) -> None:
    ceiling = data.draw(st.floats(-5_000.0, 4_000.0))
    wish = SiteProposal(by="import", rank=15, over=("bat1",), p_floor_w=5_000.0)
    for rank, expected in ((60, 5_000.0), (20, 5_000.0), (0, ceiling), (5, ceiling)):
        plan = make.plan({"bat1": [Proposal(by="x", rank=rank, p_ceiling_w=ceiling)]}, [wish])
        assert decide(plan, make.site(make.battery()))["bat1"].setpoint.p_target_w == pytest.approx(expected)


@pytest.mark.parametrize(("ceiling_by", "floor_by"), [("a", "b"), ("b", "a")])
def test_within_a_rank_the_site_s_ceilings_beat_its_floors_whatever_they_are_called(
    ceiling_by: str, floor_by: str
) -> None:
    wishes = [
        SiteProposal(by=ceiling_by, rank=15, over=("bat1",), p_ceiling_w=-1_000.0),
        SiteProposal(by=floor_by, rank=15, over=("bat1",), p_floor_w=2_000.0),
    ]
    sunny = make.site(make.battery(), make.pv(p_w=5_000.0))
    assert decide(make.plan({}, wishes), sunny)["bat1"].setpoint.p_target_w == -1_000.0


@pytest.mark.parametrize(("ceiling_rank", "floor_rank", "expected"), [(15, 60, -1_000.0), (60, 15, 2_000.0)])
def test_of_a_site_ceiling_and_a_site_floor_the_senior_has_the_last_word(
    ceiling_rank: int, floor_rank: int, expected: float
) -> None:
    wishes = [
        SiteProposal(by="high", rank=ceiling_rank, over=("bat1",), p_ceiling_w=-1_000.0),
        SiteProposal(by="low", rank=floor_rank, over=("bat1",), p_floor_w=2_000.0),
    ]
    sunny = make.site(make.battery(), make.pv(p_w=5_000.0))
    assert decide(make.plan({}, wishes), sunny)["bat1"].setpoint.p_target_w == expected


def test_of_two_site_targets_and_a_der_s_own_the_senior_is_taken() -> None:
    def target(rank: int, watts: float) -> SiteProposal:
        return SiteProposal(by=f"s{rank}", rank=rank, over=("bat1",), p_target_w=watts)

    def own(rank: int) -> dict[str, list[Proposal]]:
        return {"bat1": [Proposal(by="own", rank=rank, p_target_w=777.0)]}

    state = make.site(make.battery(soc_pct=50.0))
    for proposals, wishes, expected in (
        ({}, [target(70, 100.0), target(60, 200.0)], 200.0),
        (own(60), [target(70, 100.0)], 777.0),
        (own(70), [target(60, 200.0)], 200.0),
        (own(60), [target(60, 200.0)], 777.0),
    ):
        assert decide(make.plan(proposals, wishes), state)["bat1"].setpoint.p_target_w == expected


def own(memories: Any) -> dict[str, Any]:
    """The functions' own memories, without what the engine keeps of them."""
    return {key: memory for key, memory in memories.items() if key not in OWN and not key.startswith("held/")}


# ---- ranks


def test_the_rank_order_is_the_documented_one_and_table_38_s() -> None:
    """IEEE 1547.1-2020 tables 38 and 39: (1) protection and permit service, (2) the lesser of volt-watt and droop,
    (3) the power limit outside droop, (4) Q inside the capability. Droop may exceed an operator's limit: table 39.
    It never exceeds the contract's: our choice."""
    ranks = {kind: row.rank for kind, row in ROWS.items()}
    assert ranks == {
        "bms_guard": 0,
        "soc_guard": 0,
        "reserve": 5,
        "contract_export_limit": 15,
        "containment": 15,
        "probe": 15,
        "fuse_limit": 15,
        "enter_service": 10,
        "volt_watt": 20,
        "freq_droop": 20,
        "volt_var": 30,
        "watt_var": 30,
        "const_pf": 30,
        "const_var": 30,
        "utility_limit": 40,
        "grid_limits": 40,
        "owner_limits": 50,
        "schedule": 70,
        "departure": 70,
        "owner_export_limit": 50,
        "operator_limit": 60,
        "operator_site_limit": 60,
        "setpoint": 60,
        "self_consumption": 70,
    }


@pytest.mark.no_cover
@given(st.floats(0.0, 9_000.0), st.floats(0.1, 1.5))
def test_droop_lifts_power_above_a_utility_s_or_operator_s_limit_and_never_above_the_contract_s(
    limit_w: float, under_hz: float
) -> None:
    for rank in (40, 50, 60):
        limit = make.says(Proposal(by="limit", rank=rank, p_ceiling_w=limit_w), "pv1")
        contract = ContractExportLimit(limit_w=limit_w, margin_w=0.0)
        droop = FreqDroop()
        for contracted in (False, True):
            plan = Plan(
                der_functions=((droop, ("pv1",)), limit),
                site_functions=((contract, ("pv1",)),) if contracted else (),
            )
            memories: Any = {}
            for f, dt_s in ((50.0, 0.0), (50.0 - under_hz, 1.0), (50.0 - under_hz, 1e6)):
                pv = make.pv(p_w=limit_w, f_hz=f)
                state = make.site(pv, poc=make.meter(limit_w, sample=int(dt_s)))
                memories, (decision,) = step(plan, memories, state, dt_s)
            lifted = min(limit_w + 10_000.0 * (under_hz - 0.036) / 2.5, 10_000.0)
            if contracted:
                assert decision.setpoint.p_ceiling_w <= limit_w + NEAR
            else:
                assert decision.setpoint.p_ceiling_w == pytest.approx(lifted, abs=0.5)


def test_over_frequency_binds_below_an_operator_s_limit() -> None:
    plan = Plan(der_functions=((FreqDroop(), ("pv1",)), (OperatorLimit(), ("pv1",))))
    asked = (LimitRequest(id="1", by="home", der="pv1", p_ceiling_w=6_000.0, remaining_s=9.0),)
    memories: Any = {}
    for f, dt_s in ((60.0, 0.0), (60.336, 1.0), (60.336, 1e6)):
        state = make.site(make.pv(p_w=6_000.0, f_hz=f), f_nom_hz=60.0, requests=asked)
        memories, (decision,) = step(plan, memories, state, dt_s)
    assert decision.setpoint.p_ceiling_w == pytest.approx(5_000.0, abs=0.01)


def test_the_owner_s_reserve_stands_against_everyone_but_protection() -> None:
    reserve = Proposal(by="reserve", rank=5, p_ceiling_w=0.0)
    for rank in (15, 20, 40, 60, 70):
        wants = Proposal(by="wants", rank=rank, p_floor_w=5_000.0, p_target_w=5_000.0)
        found = decide(make.plan({"bat1": [reserve, wants]}, []), make.site(make.battery()))
        assert found["bat1"].setpoint.p_target_w == 0.0


def test_the_circle_gives_way_to_no_floor() -> None:
    """A floor at full power and full Q: P is cut to sqrt(S^2 - Q^2) though droop is senior."""
    floor = Proposal(by="freq_droop", rank=20, p_floor_w=5_000.0)
    var = Proposal(by="volt_var", rank=30, q_var=2_200.0)
    for der in (make.pv("d", p_max_w=5_000.0), make.battery("d")):
        told = decide(make.plan({"d": [floor, var]}, []), make.site(der))["d"].setpoint
        p = told.p_target_w if der.can.aim else told.p_ceiling_w
        assert p == pytest.approx(math.sqrt(5_000.0**2 - 2_200.0**2))
    charge = Proposal(by="contract", rank=15, p_ceiling_w=-5_000.0)
    told = decide(make.plan({"d": [charge, var]}, []), make.site(make.battery("d")))["d"].setpoint
    assert told.p_target_w == pytest.approx(-math.sqrt(5_000.0**2 - 2_200.0**2))


# ---- gateway functions and the device's own


@pytest.mark.parametrize("kind", sorted(ALSO_ON_DEVICE))
@pytest.mark.parametrize(
    ("on", "off", "why"),
    [
        ((), (), "own_function_on: the device's own mode can't be read back"),
        (("self",), (), "own_function_on: the device runs its own"),
        ((), ("self",), None),
    ],
)
def test_a_gateway_function_runs_only_where_the_device_s_own_reads_back_off(
    kind: str, on: tuple[str, ...], off: tuple[str, ...], why: str | None
) -> None:
    reads: dict[str, Any] = {"own_on": tuple(kind for _ in on), "own_off": tuple(kind for _ in off)}
    function = make.says(Proposal(by=kind, rank=20, p_ceiling_w=1_000.0), "pv1")
    plan = Plan(der_functions=(function,), also_on_device=ALSO_ON_DEVICE)
    after, (decision,) = step(plan, {f"{kind}/pv1": 41}, make.site(make.pv(**reads)), 1.0)
    after = own(after)
    if why is None:
        assert decision.setpoint.p_ceiling_w == 1_000.0 and decision.abstained == {}
        assert after == {f"{kind}/pv1": 42}
    else:
        assert decision.setpoint.p_ceiling_w == 10_000.0 and decision.abstained == {kind: why}
        assert after == {f"{kind}/pv1": 0 if on else 41}, "anew after the device's own; a lost read loses no latch"


def test_another_function_does_not_ask_what_the_device_runs() -> None:
    function = make.says(Proposal(by="operator_limit", rank=60, p_ceiling_w=1_000.0), "pv1")
    plan = Plan(der_functions=(function,), also_on_device=ALSO_ON_DEVICE)
    assert decide(plan, make.site(make.pv(own_off=())))["pv1"].setpoint.p_ceiling_w == 1_000.0


# ---- comms loss


EVERYTHING = [
    Proposal(by="setpoint", rank=60, p_target_w=3_000.0),
    Proposal(by="volt_var", rank=30, q_var=1_000.0),
]


@pytest.mark.parametrize("build", ["pv", "battery"])
def test_a_stale_der_is_asked_for_its_fallback_and_nothing_else(build: str) -> None:
    der = getattr(make, build)("d", fresh=False, controllable=False, fallback=Fallback(p_ceiling_w=2_000.0))
    decision = decide(make.plan({"d": EVERYTHING}, []), make.site(der))["d"]
    assert decision.setpoint.q_var is None and decision.requested is None
    if build == "pv":
        assert decision.setpoint.p_ceiling_w == 2_000.0
        assert [(b.by, b.rank, b.value) for b in decision.bound_by] == [("comms_loss", 0, 2_000.0)]
    else:
        assert decision.setpoint.p_target_w == 0.0, "storage without a target rests"


def test_a_stale_der_keeps_a_ceiling_that_is_tighter_than_its_fallback() -> None:
    der = make.pv(fresh=False, controllable=False, fallback=Fallback(p_ceiling_w=2_000.0))
    tighter = Proposal(by="operator_limit", rank=60, p_ceiling_w=500.0)
    assert decide(make.plan({"pv1": [tighter]}, []), make.site(der))["pv1"].setpoint.p_ceiling_w == 500.0


HELD = Setpoint(p_ceiling_w=900.0)
BLIND: dict[str, tuple[dict[str, Any], float, str | None]] = {
    "silent, held below its fallback": ({"fresh": False, "accepted": HELD, "fallback": 6_000.0}, 900.0, "unmeasured"),
    "silent, held above its fallback": ({"fresh": False, "accepted": HELD, "fallback": 500.0}, 500.0, "comms_loss"),
    "silent, no fallback": ({"fresh": False, "accepted": HELD}, 900.0, "unmeasured"),
    "silent, can't be read back": ({"fresh": False, "written": HELD, "fallback": 6_000.0}, 900.0, "unmeasured"),
    "silent, reads back what was not written": (
        {"fresh": False, "accepted": HELD, "written": Setpoint(p_ceiling_w=100.0)},
        900.0,
        "unmeasured",
    ),
    "heard without its power": ({"p_w": None, "accepted": HELD, "fallback": 500.0}, 900.0, "unmeasured"),
    "heard without its power, nothing known": ({"p_w": None}, 10_000.0, None),
    "heard and measured": ({"p_w": 100.0, "accepted": HELD}, 10_000.0, None),
}


@pytest.mark.parametrize("case", BLIND)
def test_nobody_is_raised_unseen(case: str) -> None:
    given, ceiling_w, by = BLIND[case]
    given = dict(given)
    fallback = Fallback(p_ceiling_w=given.pop("fallback", None))
    der = make.pv(p_max_w=10_000.0, fallback=fallback, controllable=given.get("fresh", True), **{"p_w": 1.0} | given)
    decision = decide(make.plan({"pv1": []}, []), make.site(der))["pv1"]
    assert decision.setpoint.p_ceiling_w == ceiling_w
    assert [bound.by for bound in decision.bound_by][-1:] == ([] if by is None else [by])


@pytest.mark.parametrize(
    ("der", "most_w"),
    [
        (make.pv(p_w=400.0, accepted=HELD, halted=True), 900.0),  # the limit in force
        (make.pv(p_w=400.0, halted=True), 400.0),  # it tells none
        (make.pv(p_w=None, halted=True), 0.0),  # nothing is known of it
        (make.battery(p_w=700.0, accepted=Setpoint(p_target_w=2_000.0), halted=True), 700.0),
        (make.battery(p_w=-700.0, halted=True), 0.0),  # a store may always rest
        (make.pv(p_w=400.0, accepted=HELD, reverify_w=3_000.0), 3_000.0),
        (make.battery(p_w=700.0, reverify_w=700.0), 700.0),
        (make.pv(p_w=400.0, accepted=HELD), 9_000.0),
    ],
)
def test_nobody_is_raised_before_the_fallbacks_are_proven_or_with_firmware_that_nobody_acknowledged(
    der: DerState, most_w: float
) -> None:
    wish = Proposal(by="somebody", rank=60, p_target_w=9_000.0, p_floor_w=9_000.0, p_ceiling_w=9_000.0)
    found = decide(make.plan({der.id: [wish]}, []), make.site(der))[der.id]
    told = found.setpoint.p_target_w if der.can.aim else found.setpoint.p_ceiling_w
    assert told == most_w
    assert ("unproven_fallback" in [bound.by for bound in found.bound_by]) is der.halted
    assert ("firmware_changed" in [bound.why for bound in found.bound_by]) is (der.reverify_w is not None)


def test_firmware_that_nobody_acknowledged_keeps_nobody_from_being_lowered() -> None:
    der = make.pv(p_w=400.0, accepted=HELD, reverify_w=900.0)
    wish = Proposal(by="somebody", rank=60, p_ceiling_w=100.0)
    assert decide(make.plan({"pv1": [wish]}, []), make.site(der))["pv1"].setpoint.p_ceiling_w == 100.0


@pytest.mark.parametrize(
    ("der", "most_w"),
    [
        (make.pv(p_w=400.0, accepted=HELD, unverified=True), 900.0),  # the limit in force
        (make.pv(p_w=400.0, unverified=True), 400.0),  # it tells none
        (make.battery(p_w=700.0, accepted=Setpoint(p_target_w=2_000.0), unverified=True), 700.0),
        (make.pv(p_w=400.0, accepted=HELD), 9_000.0),
    ],
)
def test_a_device_that_nobody_tried_is_not_raised(der: DerState, most_w: float) -> None:
    wish = Proposal(by="somebody", rank=60, p_target_w=9_000.0, p_floor_w=9_000.0, p_ceiling_w=9_000.0)
    found = decide(make.plan({der.id: [wish]}, []), make.site(der))[der.id]
    told = found.setpoint.p_target_w if der.can.aim else found.setpoint.p_ceiling_w
    assert told == most_w
    assert ("unverified" in [bound.by for bound in found.bound_by]) is der.unverified


def test_a_device_that_nobody_tried_is_lowered_all_the_same() -> None:
    der = make.pv(p_w=800.0, accepted=HELD, unverified=True)
    less = Proposal(by="somebody", rank=60, p_ceiling_w=300.0)
    assert decide(make.plan({der.id: [less]}, []), make.site(der))[der.id].setpoint.p_ceiling_w == 300.0


def test_a_battery_that_is_not_measured_still_takes_a_target() -> None:
    der = make.battery(p_w=None, accepted=Setpoint(p_target_w=-1_000.0))
    said = Proposal(by="a", rank=60, p_target_w=2_000.0)
    decision = decide(make.plan({"bat1": [said]}, []), make.site(der))["bat1"]
    assert decision.setpoint.p_target_w == 2_000.0


def test_a_fallback_without_a_ceiling_asks_for_the_full_rating() -> None:
    der = make.pv(fresh=False, controllable=False)
    assert decide(make.plan({"pv1": []}, []), make.site(der))["pv1"].setpoint.p_ceiling_w == 10_000.0


@pytest.mark.parametrize(("by", "bound"), [("stands", 2_000.0), ("reversion", 10_000.0), ("device", 10_000.0)])
def test_only_a_limit_that_stands_without_derctl_is_never_exceeded_while_it_is_there(by: str, bound: float) -> None:
    fallback = Fallback(p_ceiling_w=2_000.0, by=FallbackBy(by))
    decision = decide(make.plan({"pv1": []}, []), make.site(make.pv(fallback=fallback)))["pv1"]
    assert decision.setpoint.p_ceiling_w == bound
    assert [b.by for b in decision.bound_by] == (["fallback_stands"] if by == "stands" else [])
    floor = Proposal(by="freq_droop", rank=20, p_floor_w=9_000.0)
    decision = decide(make.plan({"pv1": [floor]}, []), make.site(make.pv(fallback=fallback)))["pv1"]
    assert decision.setpoint.p_ceiling_w == bound


# ---- what is decided and said


def test_a_der_is_told_only_what_it_takes() -> None:
    said = [Proposal(by="x", rank=60, p_ceiling_w=1_000.0, p_target_w=500.0, q_var=300.0)]
    for can, told in (
        (Capability(), (None, None, None)),
        (Capability(ac=Port(limit=True)), (1_000.0, None, None)),
        (Capability(ac=Port(aim=True)), (None, 500.0, None)),
        (Capability(ac=Port(limit=True, aim=True)), (1_000.0, 500.0, None)),
        (Capability(ac=Port(var=True)), (None, None, 300.0)),
        (Capability(ac=Port(aim=True, var=True)), (None, 500.0, 300.0)),
    ):
        der = make.der("d", make.rating(p_min_w=-5_000.0), can)
        found = decide(make.plan({"d": said}, []), make.site(der))["d"].setpoint
        assert (found.p_ceiling_w, found.p_target_w, found.q_var) == told


def test_who_bound_a_setpoint_is_told_in_order() -> None:
    said = [
        Proposal(by="operator_limit", rank=60, p_ceiling_w=4_000.0),
        Proposal(by="volt_watt", rank=20, p_ceiling_w=9_500.0),
        Proposal(by="volt_var", rank=30, q_var=-9_000.0),
        Proposal(by="idle", rank=70, p_ceiling_w=9_000.0),
    ]
    decision = decide(make.plan({"pv1": said}, []), make.site(make.pv()))["pv1"]
    assert [(b.by, b.what, b.value) for b in decision.bound_by] == [
        ("volt_watt", "p_ceiling_w", 9_500.0),
        ("operator_limit", "p_ceiling_w", 4_000.0),
        ("volt_var", "q_var", -4_400.0),
        ("rating", "q_var", -4_400.0),
    ]


def test_the_target_s_author_is_named_first() -> None:
    said = [
        Proposal(by="setpoint", rank=60, p_target_w=4_000.0),
        Proposal(by="bms_guard", rank=0, p_ceiling_w=1_000.0),
    ]
    decision = decide(make.plan({"bat1": said}, []), make.site(make.battery()))["bat1"]
    assert [b.by for b in decision.bound_by] == ["setpoint", "bms_guard"]
    assert decision.setpoint.p_target_w == 1_000.0
    assert decision.requested is not None and decision.requested.p_target_w == 4_000.0
    assert decision.requested_by == "setpoint"


def test_a_site_function_s_silence_is_told_to_all_its_ders() -> None:
    silent: Any = make.SiteSays("self_consumption", 70, Abstain("meter_lost"))
    plan = Plan(site_functions=((silent, ("a", "b")),))
    after, decisions = step(plan, {}, make.site(make.pv("a"), make.pv("b"), make.pv("c")), 1.0)
    assert [d.abstained for d in decisions] == [{"self_consumption": "meter_lost"}] * 2 + [{}]
    assert own(after) == {"self_consumption": 1}


def test_memories_are_kept_by_kind_and_der() -> None:
    row = make.says(Abstain("x"), "a", "b")
    memories, _ = step(Plan(der_functions=(row,)), {"silent/a": 5}, make.site(make.pv("a"), make.pv("b")), 1.0)
    assert own(memories) == {"silent/a": 6, "silent/b": 1}


# ---- what stood in a device before


@pytest.mark.parametrize(
    ("given", "most_w", "by"),
    [
        ({"found_w": 3_000.0}, 3_000.0, ["found_limit"]),
        ({"rise_w": 2_000.0}, 2_000.0, ["slow_rise"]),
        ({"found_w": 3_000.0, "rise_w": 3_000.0}, 3_000.0, ["found_limit"]),
        ({"found_w": 3_000.0, "rise_w": 2_000.0}, 2_000.0, ["slow_rise"]),
        ({"found_w": 12_000.0}, 10_000.0, []),
    ],
)
def test_what_stood_in_a_device_binds_before_everybody(given: dict[str, Any], most_w: float, by: list[str]) -> None:
    lifts = make.says(Proposal(by="droop", rank=20, p_floor_w=9_000.0), "pv1")
    decision = decide(Plan(der_functions=(lifts,)), make.site(make.pv(p_w=1_000.0, **given)))["pv1"]
    assert decision.setpoint.p_ceiling_w == most_w
    assert [b.by for b in decision.bound_by if b.what == "p_ceiling_w"] == by


@pytest.mark.parametrize(
    ("said", "target_w", "by"),
    [
        (None, -1_500.0, "slow_rest"),
        (Proposal(by="setpoint", rank=60, p_target_w=700.0), 700.0, "setpoint"),
        (Proposal(by="bms_guard", rank=0, p_floor_w=-400.0), -400.0, "slow_rest"),
    ],
)
def test_a_battery_that_nobody_aims_at_is_on_its_way_to_rest_inside_its_band(
    said: Proposal | None, target_w: float, by: str
) -> None:
    rows = () if said is None else (make.says(said, "bat1"),)
    decision = decide(Plan(der_functions=rows), make.site(make.battery(p_w=-1_500.0, rest_w=-1_500.0)))["bat1"]
    assert decision.setpoint.p_target_w == target_w
    assert decision.bound_by[0].by == by
    assert decision.requested_by == ("setpoint" if by == "setpoint" else None), "nobody asked for rest"


def test_who_aims_at_the_site_takes_a_battery_that_is_on_its_way_to_rest() -> None:
    wish = SiteProposal(by="self", rank=70, over=("bat1",), p_target_w=900.0)
    plan = Plan(site_functions=make.wishes(wish))
    assert decide(plan, make.site(make.battery(p_w=0.0, rest_w=-2_000.0)))["bat1"].setpoint.p_target_w == 900.0


def test_one_that_is_not_heard_or_takes_limits_too_is_not_sent_to_rest() -> None:
    state = make.site(make.battery(p_w=500.0, rest_w=500.0, fresh=False), make.pv(p_w=500.0, rest_w=500.0))
    found = decide(Plan(), state)
    assert (found["bat1"].setpoint.p_target_w, found["pv1"].setpoint.p_target_w) == (0.0, None)


# ---- what the meter is believed to be


def cloudy(n: int) -> Any:
    """PV that nothing holds moves in steps, and the meter with it."""
    p_w = (4000.0, 8000.0)[n // 40 % 2]
    pv = make.pv("pv1", p_max_w=10_000.0, p_w=p_w, accepted=Setpoint(), sample=n)
    return make.site(pv, poc=make.meter(p_w - 500.0 - n % 7, sample=n), t_s=float(n))


def test_the_belief_is_kept_in_the_tick_and_is_read_back_from_it() -> None:
    memories: dict[str, Any] = {}
    for n in range(400):
        memories, _ = step(Plan(), memories, cloudy(n), 1.0)
    plain = msgspec.json.decode(msgspec.json.encode(memories["belief"]))
    back = memories | {"belief": msgspec.convert(plain, memory_type(Plan(), "belief"))}
    once, again = (step(Plan(), each, cloudy(400), 1.0)[0]["belief"] for each in (memories, back))
    assert once == again
    poc = with_belief(cloudy(400), memories).poc
    assert poc is not None and poc.belief == belief.told(memories["belief"]) and poc.belief.belief is Belief.PROVEN


def test_nothing_is_believed_where_there_is_no_meter() -> None:
    state = make.site(make.pv())
    memories, _ = step(Plan(), {}, state, 1.0)
    assert "belief" not in memories
    assert with_belief(state, memories) is state


def test_a_function_of_the_site_reads_what_is_believed() -> None:
    class Listener(ContractExportLimit):
        def step(self, memory: Any, ders: Any, site: Any, dt_s: float) -> Any:
            heard.append(site.poc.belief)
            return memory, Abstain("it only listens")

    heard: list[Any] = []
    plan = Plan(site_functions=((Listener(limit_w=0.0), ("pv1",)),))
    memories: dict[str, Any] = {}
    for n in range(3):
        memories, _ = step(plan, memories, cloudy(n), 1.0)
        assert heard[-1] == belief.told(memories["belief"])


def test_of_memories_of_nobody_the_meter_is_believed_to_be_what_the_state_says() -> None:
    poc = make.meter(0.0, belief=replace(NOTHING_KNOWN, belief=Belief.LOST))
    assert evidence_of(poc, {}) is poc.belief


def test_a_plan_knows_whose_a_function_is() -> None:
    plan = Plan(
        der_functions=(make.says(Proposal(by="a", rank=1), "pv1"), make.says(Proposal(by="a", rank=1), "pv2"))
    )
    assert plan.runs("a") == {"pv1", "pv2"}
    assert plan.runs("b") is None


def test_the_keys_of_one_kind_are_those_of_its_ders_and_not_what_is_held_of_it() -> None:
    keys = ("sun", "volt_var/pv1", "held/volt_var/pv1", "hunting/volt_var/pv1", "volt_var/pv2", "volt_var_2/pv1")
    assert keys_of("volt_var", keys) == ("volt_var/pv1", "volt_var/pv2")
    assert keys_of("hunting", keys) == ("hunting/volt_var/pv1",)
