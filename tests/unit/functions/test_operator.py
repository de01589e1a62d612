"""What the operator asks for, and how it ends."""

from __future__ import annotations

from typing import Any

import pytest

from derctl.core.types import Abstain, BatteryRequest, LimitRequest, Proposal, Request, Setpoint, SiteProposal
from derctl.functions.operator import OperatorLimit, OperatorSiteLimit, SetpointFunction
from tests import make
from tests.timeline import DerTimeline, PlanTimeline, SiteTimeline


def request(kind: str, value_w: float, *, der: str | None = "pv1", left: float = 60.0, name: str = "a") -> Request:
    common: Any = {"id": name, "der": der, "by": "home", "remaining_s": left}
    if kind == "limit_power":
        return LimitRequest(**common, p_ceiling_w=value_w)
    return BatteryRequest(**common, p_target_w=value_w)


def say(function: Any, *requests: Request, der: Any = None) -> Any:
    return DerTimeline(function).at(der or make.pv(), requests=requests)


def test_a_limit_is_a_ceiling_on_its_own_der_only() -> None:
    asked = request("limit_power", 4_000.0)
    assert say(OperatorLimit(), asked) == Proposal(by="operator_limit", rank=60, p_ceiling_w=4_000.0)
    assert say(OperatorLimit(), asked, der=make.pv("pv2")) == Abstain("no request")
    assert say(OperatorLimit(), request("limit_power", 1.0, der=None)) == Abstain("no request")
    assert say(OperatorLimit(), request("set_battery_power", 1.0)) == Abstain("no request")


def test_a_request_ends_when_its_time_is_over() -> None:
    for left, asked in ((0.001, True), (0.0, False), (-1.0, False)):
        for function, kind in ((OperatorLimit(), "limit_power"), (SetpointFunction(), "set_battery_power")):
            assert isinstance(say(function, request(kind, 1_000.0, left=left)), Proposal) == asked


def test_of_several_limits_the_lowest_binds_in_whatever_order_they_came() -> None:
    requests = [request("limit_power", w, name=str(w)) for w in (5_000.0, 2_000.0, 9_000.0)]
    for order in (requests, requests[::-1]):
        assert say(OperatorLimit(), *order).p_ceiling_w == 2_000.0


def test_a_setpoint_is_a_target_and_may_be_below_zero() -> None:
    asked = request("set_battery_power", -1_500.0, der="bat1")
    said = say(SetpointFunction(), asked, der=make.battery())
    assert said == Proposal(by="setpoint", rank=60, p_target_w=-1_500.0)
    assert say(SetpointFunction(), der=make.battery()) == Abstain("no request")


def test_a_site_limit_counts_what_cannot_be_steered() -> None:
    """With what it gives; what isn't measured with what it was told, or all that it can."""
    ders = [
        make.pv("ours", p_w=4_000.0),
        make.pv("unmeasured"),
        make.pv("theirs", p_w=3_000.0, controllable=False),
        make.battery("charging", p_w=-2_000.0, controllable=False),
        make.pv("silent", p_max_w=700.0, controllable=False),
        make.pv("told", controllable=False, written=Setpoint(p_ceiling_w=300.0)),
    ]
    time = SiteTimeline(OperatorSiteLimit())
    said = time.at(*ders, requests=(request("limit_power", 5_000.0, der=None),))
    assert said == SiteProposal(by="operator_site_limit", rank=60, over=("ours", "unmeasured"), p_ceiling_w=1_000.0)
    assert time.at(*ders) == Abstain("no request")


def test_the_decision_says_what_was_asked_for_and_by_whom() -> None:
    time = PlanTimeline.of(OperatorLimit(), der="pv1")
    decision = time.decided(make.pv(), requests=(request("limit_power", 20_000.0),))["pv1"]
    assert decision.requested.p_ceiling_w == 20_000.0 and decision.requested_by == "operator_limit"
    assert decision.setpoint.p_ceiling_w == 10_000.0
    decision = time.decided(make.pv())["pv1"]
    assert decision.requested is None and decision.requested_by is None


@pytest.mark.parametrize(
    ("limit_w", "seen_w", "ceiling_w"),
    [(5_000.0, 0.0, 0.0), (12_000.0, 1_000.0, 1_000.0), (5_000.0, 6_000.0, -1_000.0)],
)
def test_an_inverter_that_nobody_hears_sends_no_battery_to_charge(
    limit_w: float, seen_w: float, ceiling_w: float
) -> None:
    """One of 10 kW was never heard: it may sleep. What is measured of others counts as it is."""
    ders = (
        make.battery(p_w=0.0),
        make.pv("never heard", controllable=False, fresh=False),
        make.pv("seen", p_w=seen_w, controllable=False),
    )
    request = LimitRequest(id="1", by="home", der=None, p_ceiling_w=limit_w, remaining_s=60.0)
    said = SiteTimeline(OperatorSiteLimit()).at(*ders, requests=(request,))
    assert said.p_ceiling_w == ceiling_w
