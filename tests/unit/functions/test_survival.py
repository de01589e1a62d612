"""What of the functions' memories outlives a restart, and what a spoilt file does."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from derctl.core.engine import step
from derctl.core.lost import Hold, SiteHold
from derctl.core.plan import Plan
from derctl.core.response import Lag
from derctl.core.sun import Memory as Sun
from derctl.core.types import Fallback, Proposal
from derctl.core.words import Priority, Reason
from derctl.functions.enter_service import Memory as EntryMemory
from derctl.functions.export_memory import Memory as ContractMemory
from derctl.functions.freq_droop import Memory as DroopMemory
from derctl.functions.operator import Memory as LimitMemory
from derctl.functions.rows import ROWS
from derctl.functions.survival import holding_back, kept, revived
from derctl.functions.volt_watt import VoltWatt
from tests import make

ACTING = DroopMemory(p_pre=0.8, side=1, lag=Lag(y=0.6, u=0.5), p_last=0.7)
GOOD = {"p_pre": 0.8, "side": 1, "y": 0.6}
LIMIT = {"ceiling_w": 1.0, "by": "a", "wait_s": 2.0}
HELD = {"said": {"by": "x", "rank": 20, "q_priority": "reactive"}, "silent_s": 0.0, "lost_s": 0.0, "over_s": 0.0}


def test_what_is_spoilt_of_a_limit_or_of_what_is_held_is_named() -> None:
    for key, good in (("operator_limit/pv1", LIMIT), ("held/volt_var/pv1", HELD)):
        assert {*revived({key: good}).memories} == {key}
        for name in good:
            assert {*revived({key: {k: v for k, v in good.items() if k != name}}).refused} <= {key}
        assert {*revived({key: 3}).refused} == {key}
    for spoilt in (3, {"by": 4}, {"by": "x", "rank": 20, "q_priority": "none"}, {"by": "x", "q_priority": "active"}):
        assert {*revived({"held/volt_var/pv1": HELD | {"said": spoilt}}).refused} == {"held/volt_var/pv1"}


def through_a_file(plain: dict[str, Any]) -> Any:
    return msgspec.json.decode(msgspec.json.encode(plain))


@pytest.mark.parametrize("back", [False, True])
def test_a_droop_event_goes_on_from_where_it_was(back: bool) -> None:
    acting = DroopMemory(p_pre=0.8, side=-1, lag=Lag(y=0.6, u=0.5), p_last=0.7, back=back)
    found = revived(through_a_file(kept({"freq_droop/pv1": acting})))
    assert found.memories == {"freq_droop/pv1": DroopMemory(p_pre=0.8, side=-1, lag=Lag(y=0.6, u=0.6), back=back)}
    assert found.refused == {}


def test_who_waits_to_enter_service_is_held_back_and_goes_on_where_nobody_knows_the_time() -> None:
    memories = {
        "enter_service/pv1": EntryMemory(out=True),
        "enter_service/pv2": EntryMemory(idle_s=1.0),
        "freq_droop/pv1": ACTING,
        "gone/pv1": object(),
    }
    assert holding_back(memories) == {"enter_service/pv1"}
    plain = through_a_file(kept(memories))
    assert {*revived(plain, lately=True).memories} == {"enter_service/pv1", "freq_droop/pv1"}
    assert {*revived(plain, lately=None).memories} == {"enter_service/pv1"}
    assert not revived(plain, lately=False).memories


def test_what_is_at_rest_or_measured_anew_is_not_kept() -> None:
    memories = {
        "freq_droop/pv1": ACTING,
        "freq_droop/pv2": DroopMemory(p_last=0.3),
        "contract_export_limit": ContractMemory(),
        "gone/pv1": object(),
    }
    assert {*kept(memories)} == {"freq_droop/pv1"}


@pytest.mark.parametrize(
    "spoilt",
    [
        None,
        3,
        [],
        "x",
        {},
        {"p_pre": "much", "side": 1, "y": 0.5},
        {"p_pre": True, "side": 1, "y": 0.5},
        GOOD | {"side": 0},
        GOOD | {"side": [1]},
        GOOD | {"y": None},
        GOOD | {"p_pre": float("inf")},
        GOOD | {"y": float("nan")},
        GOOD | {"y": 10**400},
    ],
)
def test_one_that_is_spoilt_is_named_and_harms_no_other(spoilt: Any) -> None:
    found = revived({"freq_droop/bad": spoilt, "freq_droop/pv1": GOOD})
    assert {*found.memories} == {"freq_droop/pv1"}
    assert {*found.refused} == {"freq_droop/bad"}


def test_what_no_function_of_this_version_keeps_is_named() -> None:
    found = revived({"tesla_coil/pv1": GOOD, "volt_var/pv1": GOOD, "": GOOD})
    assert found.memories == {}
    assert {*found.refused} == {"tesla_coil/pv1", "volt_var/pv1", ""}


SAID = Proposal(by="volt_watt", rank=20, p_ceiling_w=4_400.0, why=Reason.HELD)
FALLEN = Hold(said=SAID, given=replace(SAID, by="input_lost", rank=0, p_ceiling_w=2_000.0), over_s=3.0, lost_s=8.0)


@pytest.mark.parametrize(
    "hold",
    [
        Hold(said=SAID, given=SAID, silent_s=0.5),
        FALLEN,
        replace(FALLEN, said=None),
        Hold(said=replace(SAID, p_ceiling_w=None, q_var=-900.0, q_priority=Priority.ACTIVE), back=True),
        Hold(said=replace(SAID, p_floor_w=-500.0)),
    ],
)
def test_what_a_function_said_last_stands_through_a_restart_without_its_input(hold: Hold) -> None:
    found = revived(through_a_file(kept({"held/volt_watt/pv1": hold})), lately=False)
    assert found.memories == {"held/volt_watt/pv1": hold} and found.refused == {}


def test_a_restart_without_the_voltage_lets_no_inverter_go() -> None:
    plan = Plan(der_functions=((VoltWatt(olrt_s=0.5), ("pv1",)),))
    pv = make.pv(p_w=4_000.0, v_pu=1.09, fallback=Fallback(p_ceiling_w=2_000.0))
    memories: dict[str, Any] = {}
    for _ in range(9):
        memories, _ = step(plan, memories, make.site(pv), 1.0)
    for blind, expected in ((0, 4_000.0), (20, 2_000.0)):
        for _ in range(blind):
            memories, _ = step(plan, memories, make.site(make.again(pv, v_v=None)), 1.0)
        memories = revived(through_a_file(kept(memories))).memories
        _, (decision,) = step(plan, memories, make.site(make.again(pv, v_v=None)), 0.0)
        assert decision.setpoint.p_ceiling_w == pytest.approx(expected, abs=5.0)
    _, (decision,) = step(plan, memories, make.site(pv), 1.0)
    assert decision.setpoint.p_ceiling_w == pytest.approx(3_000.0), "and comes back on a ramp"


def test_a_function_that_says_nothing_leaves_nothing_to_hold() -> None:
    assert kept({"held/volt_watt/pv1": Hold(silent_s=0.5), "held/self_consumption": SiteHold(), "sun": Sun()}) == {}


@pytest.mark.parametrize("key", ["held/volt_watt", "held/tesla_coil/pv1", "held"])
def test_what_is_held_of_no_known_function_is_named(key: str) -> None:
    assert {*revived({key: {}}).refused} == {key}


def test_a_hold_that_holds_nothing_is_refused_by_name() -> None:
    found = revived({"held/volt_watt/pv1": {"silent_s": 0, "lost_s": 0, "over_s": 0}})
    assert found.memories == {} and found.refused == {"held/volt_watt/pv1": "nothing is held in it"}


def test_a_latch_of_another_event_is_left_behind_and_a_limit_is_not() -> None:
    saved = kept({"freq_droop/pv1": ACTING, "operator_limit/pv1": LimitMemory(ceiling_w=2_000.0, by="a")})
    found = revived(through_a_file(saved), lately=False)
    assert {*found.memories} == {"operator_limit/pv1"} and found.refused == {}
    assert {*revived(saved).memories} == {"operator_limit/pv1", "freq_droop/pv1"}


NAMES = [*GOOD, *LIMIT, *HELD, "back", "x"]
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*GOOD, *LIMIT, *HELD, "back", "x"]), inner)
    ),
    max_leaves=6,
)


@pytest.mark.no_cover
@pytest.mark.parametrize("kind", ["held/volt_var", *(kind for kind, row in ROWS.items() if row.survives is not None)])
@given(plain=PLAIN)
def test_no_plain_value_whatever_raises_anything(kind: str, plain: Any) -> None:
    found = revived({f"{kind}/pv1": plain})
    assert {*found.memories} | {*found.refused} == {f"{kind}/pv1"}
    again = kept(found.memories)
    assert revived(again).memories == found.memories
