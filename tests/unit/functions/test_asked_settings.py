"""What of a function may be another for a time: reserve, power factor, reactive power; a plan; the emergency stop."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from derctl.core.requests import (
    BatteryRequest,
    PlanRequest,
    PowerFactorRequest,
    Request,
    ReserveRequest,
    StopRequest,
    VarRequest,
)
from derctl.core.schedule import Aim
from derctl.core.types import Abstain, Proposal
from derctl.functions.const_pf import ConstPf
from derctl.functions.const_var import ConstVar
from derctl.functions.operator import SetpointFunction
from derctl.functions.reserve import Reserve
from derctl.functions.schedule import Schedule
from derctl.functions.soc_guard import SocGuard
from tests import make
from tests.timeline import DerTimeline, PlanTimeline

COMMON: dict[str, Any] = {"id": "a", "by": "home", "remaining_s": 60.0}


def reserve(min_pct: float, der: str | None = "bat1") -> Request:
    return ReserveRequest(**COMMON, der=der, min_pct=min_pct)


def kept(function: Reserve, soc_pct: float, *requests: Request) -> bool:
    said = DerTimeline(function).at(make.battery(soc_pct=soc_pct), requests=requests)
    return isinstance(said, Proposal) and said.p_ceiling_w == 0.0


def test_a_reserve_is_raised_for_a_time_and_for_its_battery_alone() -> None:
    function = Reserve(min_pct=20.0)
    assert not kept(function, 50.0)
    assert kept(function, 50.0, reserve(60.0)) and kept(function, 50.0, reserve(60.0, None))
    assert not kept(function, 50.0, reserve(60.0, "bat2"))
    assert kept(function, 50.0, reserve(30.0), reserve(60.0, None)), "of several the higher"


def test_it_is_lowered_only_where_the_site_file_lets_it_be() -> None:
    assert kept(Reserve(min_pct=20.0), 15.0, reserve(10.0))
    assert not kept(Reserve(min_pct=20.0, may_lower=True), 15.0, reserve(10.0))
    assert kept(Reserve(min_pct=20.0, may_lower=True), 15.0), "and then the site file's counts again"


def test_a_power_factor_is_another_for_a_time() -> None:
    def share(*requests: Request) -> float | None:
        return DerTimeline(ConstPf(pf=1.0)).proposes(make.pv(p_w=5_000.0), requests=requests).q_per_w

    one = PowerFactorRequest(**COMMON, der="pv1", pf=0.8, excitation="injecting")
    all_ = PowerFactorRequest(**COMMON, der=None, pf=0.8, excitation="absorbing")
    assert share() == 0.0 and share(one) == pytest.approx(0.75) and share(all_) == pytest.approx(-0.75)
    assert share(all_, one) == pytest.approx(0.75), "one for the DER goes before one for all"


def test_a_reactive_power_is_another_for_a_time_and_is_reached_as_slowly_as_ever() -> None:
    time = DerTimeline(ConstVar(q_pu=0.0, olrt_s=10.0))
    asked = (VarRequest(**COMMON, der=None, q_pu=-0.4),)
    time.proposes(make.pv(q_var=0.0), dt_s=0.0)
    told = [time.proposes(make.pv(q_var=0.0), requests=asked).q_var or 0.0 for _ in range(10)]
    assert told == sorted(told, reverse=True) and told[-1] == pytest.approx(-0.9 * 4_000.0, rel=0.03)
    back = [time.proposes(make.pv(q_var=0.0)).q_var or 0.0 for _ in range(40)]
    assert back[-1] == pytest.approx(0.0, abs=40.0)


# ---- a plan


def plan(left_s: float, **aims: float) -> Request:
    part = Aim(from_s=100.0, to_s=40.0, **aims)
    return PlanRequest(id="p", by="planner", der="bat1", remaining_s=left_s, schedule=(part,)).now()


def test_a_plan_is_followed_while_its_interval_lasts() -> None:
    time = DerTimeline(Schedule())
    assert time.at(make.battery()) == Abstain("no request")
    assert time.at(make.battery(), requests=(plan(120.0, p_target_w=-500.0),)) == Abstain("between intervals")
    said = Proposal(by="schedule", rank=70, p_target_w=-500.0)
    assert time.at(make.battery(), requests=(plan(90.0, p_target_w=-500.0),)) == said
    said = Proposal(by="schedule", rank=70, p_floor_w=100.0, p_ceiling_w=900.0)
    assert time.at(make.battery(), requests=(plan(90.0, p_floor_w=100.0, p_ceiling_w=900.0),)) == said
    assert time.at(make.battery(), requests=(plan(40.0, p_target_w=-500.0),)) == Abstain("between intervals")
    assert time.at(make.battery("bat2"), requests=(plan(90.0, p_target_w=-500.0),)) == Abstain("no request")


WATTS = st.floats(-5_000.0, 5_000.0)


@given(WATTS, st.none() | WATTS, st.none() | WATTS, st.floats(0.0, 100.0))
def test_a_plan_widens_nothing_that_a_senior_left(
    target_w: float, setpoint_w: float | None, ceiling_w: float | None, soc_pct: float
) -> None:
    """Of the state of charge's bounds, the reserve, and an operator's setpoint."""
    seniors = (SocGuard(min_pct=10.0, max_pct=95.0), Reserve(min_pct=20.0), SetpointFunction())
    asked: list[Request] = [] if setpoint_w is None else [BatteryRequest(**COMMON, der="bat1", p_target_w=setpoint_w)]
    battery = make.battery(soc_pct=soc_pct, p_w=0.0)
    aims = {"p_target_w": target_w} | ({} if ceiling_w is None else {"p_ceiling_w": ceiling_w})
    time = PlanTimeline.of(*seniors, Schedule(), der="bat1")
    told = time.told(battery, requests=(*asked, plan(90.0, **aims)))["bat1"].p_target_w
    assert told is not None
    if soc_pct <= 20.0:
        assert told <= 0.0
    if soc_pct >= 95.0:
        assert told >= 0.0
    if setpoint_w is not None and ceiling_w is None:
        alone = PlanTimeline.of(*seniors, der="bat1").told(battery, requests=tuple(asked))["bat1"].p_target_w
        assert told == alone, "an operator's setpoint goes before it"


# ---- the emergency stop


def stop() -> Request:
    return StopRequest(id="s", by="home", der=None, remaining_s=1e9)


@given(WATTS, st.floats(0.0, 100.0), st.booleans())
def test_a_stopped_site_gives_nothing_and_draws_nothing_whatever_else_is_asked(
    target_w: float, soc_pct: float, fresh: bool
) -> None:
    time = PlanTimeline.of(SetpointFunction(), Schedule(), SocGuard(), ConstVar(q_pu=0.3), der="bat1")
    asked = (stop(), BatteryRequest(**COMMON, der="bat1", p_target_w=target_w), plan(90.0, p_target_w=target_w))
    ders = (
        make.battery(soc_pct=soc_pct, p_w=500.0, fresh=fresh),
        make.pv(p_w=5_000.0),
        make.charger(p_w=-2_000.0),
    )
    decided = time.decided(*ders, requests=asked)
    for decision in decided.values():
        told = decision.setpoint
        assert told.p_ceiling_w in {None, 0.0} and told.p_target_w in {None, 0.0} and told.q_var in {None, 0.0}
        assert 0.0 in {told.p_ceiling_w, told.p_target_w}
        assert "emergency_stop" in {bound.by for bound in decision.bound_by}
    assert decided["bat1"].setpoint.p_target_w == 0.0 and decided["ev1"].setpoint.p_target_w == 0.0


def test_once_it_is_lifted_it_is_as_before() -> None:
    time = PlanTimeline.of(ConstVar(q_pu=0.0), der="pv1")
    assert time.told(make.pv(p_w=5_000.0), requests=(stop(),))["pv1"].p_ceiling_w == 0.0
    assert time.told(make.pv(p_w=0.0))["pv1"].p_ceiling_w == 10_000.0
