"""What became of each interval: measured, counted once, and told when it is over."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from derctl.core.delivery import Delivery, step
from derctl.core.requests import BatteryRequest, EnvelopeRequest, PlanRequest
from derctl.core.schedule import Aim, Limits
from derctl.core.types import Bound, Decision, Setpoint
from derctl.core.words import What
from tests import make

PLAN = PlanRequest(
    id="p",
    der="bat1",
    by="home",
    remaining_s=100.0,
    schedule=(Aim(from_s=100.0, to_s=60.0, p_target_w=-900.0), Aim(from_s=60.0, to_s=20.0, p_target_w=500.0)),
)
ENVELOPE = EnvelopeRequest(
    id="e", der=None, by="dso", remaining_s=100.0, schedule=(Limits(from_s=100.0, to_s=50.0, export_w=5_000.0),)
)


def told(p_target_w: float | None, by: str | None) -> Decision:
    bounds = () if by is None else (Bound(by=by, rank=5, what=What.CEILING, value=0.0),)
    return Decision(der="bat1", setpoint=Setpoint(p_target_w=p_target_w), bound_by=bounds)


def run(
    asked: Any, powers: list[float | None], decision: Decision, *, fresh: bool = True
) -> tuple[Any, list[Delivery]]:
    """10 s each."""
    now: Any = {}
    over: list[Delivery] = []
    for n, p_w in enumerate(powers):
        request = replace(asked, remaining_s=asked.remaining_s - 10.0 * n).now()
        battery = make.battery(p_w=p_w, fresh=fresh)
        poc = None if p_w is None else make.meter(p_w, fresh=fresh)
        now, done = step(now, make.site(battery, poc=poc, requests=(request,)), (decision,), 10.0)
        over += done
    return now, over


def test_each_interval_is_measured_and_told_once_when_it_is_over() -> None:
    now, over = run(PLAN, [-900.0, -850.0, -900.0, -950.0, 500.0, 400.0], told(-900.0, "schedule"))
    [first] = over
    assert (first.id, first.by, first.kind, first.part, first.parts) == ("p", "home", "battery_plan", 1, 2)
    assert (first.lasted_s, first.heard_s, first.low_w, first.high_w) == (40.0, 40.0, -950.0, -850.0)
    assert first.energy_wh == pytest.approx(-3_600.0 * 10.0 / 3600.0) and first.mean_w == pytest.approx(-900.0)
    assert [each.part for each in now.values()] == [2]
    gone, over = step(now, make.site(make.battery()), (), 10.0)
    assert gone == {} and [(each.part, each.lasted_s) for each in over] == [(2, 20.0)]


def test_who_else_decided_is_named_with_its_time() -> None:
    [first] = run(PLAN, [0.0, 0.0], told(0.0, "bms_guard"))[0].values()
    assert first.held == (("bms_guard", 20.0),)
    [first] = run(PLAN, [0.0], told(None, "comms_loss"))[0].values()
    assert first.held == (("comms_loss", 10.0),)
    for decision in (told(-900.5, "schedule"), told(0.0, None), replace(told(0.0, "reserve"), der="bat2")):
        [first] = run(PLAN, [0.0], decision)[0].values()
        assert first.held == ()


def test_who_decided_is_whose_power_it_is_and_no_word_on_var() -> None:
    bounds = (
        Bound(by="schedule", rank=70, what=What.TARGET, value=-900.0),
        Bound(by="grid_limits", rank=40, what=What.CEILING, value=-3_600.0),
        Bound(by="owner_limits", rank=50, what=What.CEILING, value=-3_600.4),
        Bound(by="self_consumption", rank=70, what=What.CEILING, value=4_750.0),
        Bound(by="const_pf", rank=30, what=What.VAR, value=0.0),
    )
    for left, by in ((bounds, "owner_limits"), ((bounds[0], bounds[3], bounds[4]), "self_consumption")):
        decision = Decision(der="bat1", setpoint=Setpoint(p_target_w=-3_600.0, q_var=0.0), bound_by=left)
        [first] = run(PLAN, [0.0], decision)[0].values()
        assert first.held == ((by, 10.0),)
    decision = Decision(der="bat1", setpoint=Setpoint(p_target_w=0.0), bound_by=(bounds[0], bounds[4]))
    [first] = run(PLAN, [0.0], decision)[0].values()
    assert first.held == (), "what only goes to its own target is held by nobody"


def test_an_envelope_is_measured_at_the_point_of_connection() -> None:
    now, over = run(ENVELOPE, [4_000.0, 4_900.0, -200.0], told(0.0, "reserve"))
    [first] = now.values()
    assert (first.low_w, first.high_w, first.held, over) == (-200.0, 4_900.0, (), [])


def test_what_nobody_measures_is_not_counted_as_nothing() -> None:
    for asked in (PLAN, ENVELOPE):
        cases: list[tuple[list[float | None], bool]] = [([None, None], True), ([100.0, 100.0], False)]
        for powers, fresh in cases:
            [first] = run(asked, powers, told(0.0, None), fresh=fresh)[0].values()
            assert (first.lasted_s, first.heard_s, first.mean_w, first.low_w) == (20.0, 0.0, None, None)


def test_requests_without_intervals_and_between_two_are_none() -> None:
    setpoint = BatteryRequest(id="b", der="bat1", by="home", remaining_s=9.0, p_target_w=1.0)
    between = replace(PLAN, remaining_s=10.0).now()
    assert step({}, make.site(make.battery(), requests=(setpoint, between)), (), 1.0) == ({}, [])
