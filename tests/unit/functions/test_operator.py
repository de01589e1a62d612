"""What the operator asks for, and how it ends."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from derctl.core.requests import BatteryRequest, FloorRequest, LimitRequest, Request
from derctl.core.types import Abstain, Proposal, Setpoint, SiteProposal
from derctl.functions.operator import OperatorLimit, OperatorSiteLimit, SetpointFunction
from derctl.functions.survival import kept, revived
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
    assert SiteTimeline(OperatorSiteLimit()).at(*ders) == Abstain("no request")


def test_the_decision_says_what_was_asked_for_and_by_whom() -> None:
    time = PlanTimeline.of(OperatorLimit(), der="pv1")
    decision = time.decided(make.pv(), requests=(request("limit_power", 20_000.0),))["pv1"]
    assert decision.requested.p_ceiling_w == 20_000.0 and decision.requested_by == "operator_limit"
    assert decision.setpoint.p_ceiling_w == 10_000.0
    decision = time.decided(make.pv())["pv1"]
    assert decision.requested is None and decision.requested_by is None
    time = PlanTimeline.of(OperatorLimit(), der="pv1")
    time.decided(make.pv(), requests=(request("limit_power", 2_000.0),))
    decision = time.decided(make.pv())["pv1"]
    assert decision.requested is None, "what rises after its end is nobody's request"
    assert [(b.by, b.why) for b in decision.bound_by] == [("operator_limit", "relaxing")]


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


# ---- side by side, and what comes after


def limits(*values: tuple[str, float, float], der: str | None = "pv1") -> tuple[Request, ...]:
    """(id, W, seconds left)."""
    return tuple(request("limit_power", w, left=left, name=name, der=der) for name, w, left in values)


@dataclass
class House:
    """One inverter of 10 kW; requests count down by themselves and end."""

    function: Any
    site: str = "demo"
    asked: tuple[Request, ...] = ()
    memory: Any = None
    told: list[float | None] = field(default_factory=list)
    ders: tuple[Any, ...] = field(default_factory=lambda: (make.pv(),))

    def run(self, seconds: int) -> list[float | None]:
        for _ in range(seconds):
            state = replace(make.site(*self.ders, requests=self.asked), id=self.site)
            memory = self.function.start() if self.memory is None else self.memory
            over = self.ders if isinstance(self.function, OperatorSiteLimit) else self.ders[0]
            self.memory, said = self.function.step(memory, over, state, 1.0)
            self.told.append(None if isinstance(said, Abstain) else said.p_ceiling_w)
            self.asked = tuple(replace(r, remaining_s=r.remaining_s - 1.0) for r in self.asked if r.remaining_s > 1.0)
        return self.told[-seconds:]


@pytest.mark.parametrize(("function", "der"), [(OperatorLimit(), "pv1"), (OperatorSiteLimit(), None)])
def test_a_limit_that_expires_is_held_for_its_random_time_and_then_rises_by_a_tenth_a_second(
    function: Any, der: str | None
) -> None:
    """2 to 10 kW in one tick, it was."""
    house = House(function, asked=limits(("a", 2_000.0, 5.0), der=der))
    assert house.run(5) == [2_000.0] * 5
    told = house.run(60)
    waits = told.count(2_000.0)
    assert 1 <= waits <= 30
    rises = told[waits : told.index(None)]
    assert rises == pytest.approx([2_000.0 + 1_000.0 * n for n in range(1, 8)])
    assert told[told.index(None) :] == [None] * (60 - waits - 7)


def test_where_a_fleet_s_limits_expire_at_once_its_sites_do_not_come_back_at_once() -> None:
    starts = []
    for n in range(40):
        house = House(OperatorLimit(), site=f"house-{n}", asked=limits(("fleet-1", 2_000.0, 1.0)))
        starts.append(house.run(40).count(2_000.0))
    assert max(starts) - min(starts) > 20 and len(set(starts)) > 15
    again = House(OperatorLimit(), site="house-7", asked=limits(("fleet-1", 2_000.0, 1.0)))
    assert again.run(40).count(2_000.0) == starts[7], "the same each time, so that it can be replayed"


def test_a_looser_limit_binds_on_a_ramp_when_the_tighter_one_has_ended() -> None:
    house = House(OperatorLimit(), asked=limits(("tight", 2_000.0, 3.0), ("loose", 4_500.0, 80.0)))
    told = house.run(80)
    assert set(told[:3]) == {2_000.0}
    rises = [b - a for a, b in pairwise(w for w in told if w is not None)]
    assert max(rises) <= 1_000.0 + 1e-6 and told[60] == 4_500.0


def test_what_is_cleared_rises_at_once_and_on_the_ramp() -> None:
    house = House(OperatorLimit(), asked=limits(("a", 2_000.0, 500.0)))
    house.run(5)
    house.asked = ()
    assert house.run(2) == [3_000.0, 4_000.0]


def test_a_new_limit_binds_at_once_while_the_last_one_rises() -> None:
    house = House(OperatorLimit(), asked=limits(("a", 2_000.0, 500.0)))
    house.run(5)
    house.asked = ()
    house.run(3)
    house.asked = limits(("b", 1_000.0, 50.0))
    assert house.run(1) == [1_000.0]
    house.asked = limits(("c", 9_000.0, 50.0))
    assert house.run(1) == [2_000.0], "and one above it binds when the ramp has come there"


def test_a_restart_amid_the_ramp_goes_on_from_there() -> None:
    house = House(OperatorLimit(), asked=limits(("a", 2_000.0, 500.0)))
    house.run(5)
    house.asked = ()
    house.run(2)
    plain = msgspec.json.decode(msgspec.json.encode(kept({"operator_limit/pv1": house.memory})))
    house.memory = revived(plain, lately=False).memories["operator_limit/pv1"]
    assert house.run(1) == [5_000.0]


def test_a_limit_that_ended_while_derctl_was_away_expires_as_any_other() -> None:
    house = House(OperatorLimit(), asked=limits(("a", 2_000.0, 500.0)))
    house.run(5)
    before = kept({"operator_limit/pv1": house.memory})
    gone = House(OperatorLimit(), memory=revived(before).memories["operator_limit/pv1"])
    told = gone.run(60)
    assert told[0] == 2_000.0 and told[-1] is None
    assert max(b - a for a, b in pairwise(w for w in told if w is not None)) <= 1_000.0 + 1e-6


def test_a_ramp_waits_until_the_rating_is_known_that_it_leads_to() -> None:
    unknown = make.pv(p_max_w=0.0)
    house = House(OperatorLimit(), asked=limits(("a", 2_000.0, 500.0)))
    house.run(5)
    house.asked, known, house.ders = (), house.ders, (unknown,)
    assert house.run(20) == [2_000.0] * 20
    house.ders = known
    assert house.run(1) == [3_000.0]


def test_a_site_s_limit_ends_for_the_others_although_one_was_never_found() -> None:
    never = make.pv("never", p_max_w=0.0, controllable=False, fresh=False)
    house = House(OperatorSiteLimit(), asked=limits(("a", 2_000.0, 500.0), der=None), ders=(make.pv(), never))
    house.run(5)
    house.asked = ()
    assert house.run(8) == [2_000.0 + 1_000.0 * n for n in range(1, 9)], "no more than the others' part of the ramp"
    house.ders = (make.pv(), make.pv("never"))
    assert house.run(1) == [12_000.0], "once it is found the ramp leads to the sum"


def test_a_limit_that_ends_while_its_device_is_silent_rises_once_that_answers() -> None:
    house = House(OperatorLimit(), asked=limits(("a", 2_000.0, 500.0)))
    house.run(5)
    house.asked, house.ders = (), (make.pv(fresh=False, controllable=False),)
    assert house.run(20) == [2_000.0] * 20
    house.ders = (make.pv(),)
    assert house.run(3) == [3_000.0, 4_000.0, 5_000.0]


def test_a_floor_is_the_highest_that_is_alive_and_stands_beside_a_limit() -> None:
    floors = [
        FloorRequest(id=str(w), der="bat1", by="home", remaining_s=60.0, p_floor_w=w) for w in (500.0, 1_500.0, -9.0)
    ]
    bat = make.battery()
    assert say(OperatorLimit(), *floors, der=bat) == Proposal(by="operator_limit", rank=60, p_floor_w=1_500.0)
    limit = request("limit_power", 2_000.0, der="bat1")
    both = Proposal(by="operator_limit", rank=60, p_ceiling_w=2_000.0, p_floor_w=1_500.0)
    assert say(OperatorLimit(), limit, *floors, der=bat) == both
    assert say(OperatorLimit(), *floors, der=make.battery("bat2")) == Abstain("no request")


def test_a_limit_below_a_floor_of_the_same_rank_counts() -> None:
    floor = FloorRequest(id="f", der="bat1", by="home", remaining_s=60.0, p_floor_w=1_500.0)
    time = PlanTimeline.of(OperatorLimit(), der="bat1")
    decided = time.decided(make.battery(soc_pct=50.0), requests=(floor, request("limit_power", 1_000.0, der="bat1")))
    assert decided["bat1"].setpoint.p_target_w == 1_000.0
