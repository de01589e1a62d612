"""Which of several things in the way of a setpoint is the one that is said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from derctl.core.types import Bound, Decision, Outcome, Setpoint
from derctl.core.words import Reason, Status, What
from derctl.daemon.actuate.deadband import Written
from derctl.daemon.actuate.judge import Case, judged, kept_back, overridden
from derctl.daemon.course import Course
from derctl.devices import Profile
from tests import make

WISH = Setpoint(p_target_w=3000.0)


def case(**given: Any) -> Case:
    """A battery that was told 3000 W, whose BMS permits 1000 W, and that reads back what somebody else told it."""
    battery = make.battery(p_w=500.0, p_discharge_limit_w=1000.0, accepted=Setpoint(p_target_w=500.0))
    bound = Bound(by="contract_export_limit", rank=15, what=What.TARGET, value=3000.0)
    basis = Case(
        decision=Decision(der="bat1", setpoint=WISH, bound_by=(bound,), requested=Setpoint(p_target_w=4000.0)),
        der=battery, written=Written(setpoint=WISH, at_s=50.0), profile=Profile(), written_at_all=True, lost=None,
        trouble=None, course=Course(setpoint=WISH, since_s=50.0, astray_s=50.0),
    )  # fmt: skip
    return basis._replace(**given)


def became(outcome: Outcome, given: Case, now_s: float) -> Outcome:
    return judged(outcome, given, overridden(given, now_s), now_s)


def reason(given: Case) -> Reason | None:
    return became(Outcome(desired=WISH), given, 100.0).reason


def test_what_stands_between_comes_first_then_a_second_master_then_the_device_and_then_a_senior() -> None:
    kept = make.battery(p_w=500.0, p_discharge_limit_w=1000.0, accepted=WISH)
    free = make.battery(p_w=500.0, p_discharge_limit_w=5000.0, accepted=WISH)
    there = make.battery(p_w=3000.0, accepted=WISH)
    assert reason(case(trouble=Reason.LATE)) is Reason.LATE
    assert reason(case()) is Reason.OVERRIDE
    assert reason(case(der=kept)) is Reason.BMS_LIMIT
    assert reason(case(der=free)) is Reason.NOT_FOLLOWED
    assert reason(case(der=there)) is Reason.SENIOR_BOUND


@pytest.mark.parametrize(
    ("may_w", "told_w", "status", "code"),
    [
        (120.0, 0.0, Status.ON, Reason.BELOW_MINIMUM),
        (0.0, 0.0, Status.ON, None),
        (240.0, 133.0, Status.ON, None),
        (120.0, 0.0, Status.ASLEEP, None),
    ],
)
def test_who_may_give_less_than_it_can_be_told_is_said_to(
    may_w: float, told_w: float, status: Status, code: Reason | None
) -> None:
    told, may = Setpoint(p_ceiling_w=told_w), Setpoint(p_ceiling_w=may_w)
    given = case(
        decision=Decision(der="pv1", setpoint=may),
        der=make.pv(p_w=0.0, status=status, accepted=told),
        written=Written(setpoint=told, at_s=50.0),
    )
    assert became(Outcome(desired=may), given, 100.0).reason is code
    assert became(Outcome(desired=may), given._replace(written=None), 100.0).reason is None


@pytest.mark.parametrize(("status", "code"), [(Status.ON, Reason.BELOW_MINIMUM), (Status.ASLEEP, None)])
def test_who_is_let_nothing_since_it_takes_no_less_is_said_to(status: Status, code: Reason | None) -> None:
    """Zero export, and the import is less than keeps it awake."""
    none = Setpoint(p_ceiling_w=0.0)
    bound = Bound(by="contract_export_limit", rank=15, what=What.CEILING, value=0.0, why=Reason.BELOW_MINIMUM)
    given = case(
        decision=Decision(der="pv1", setpoint=none, bound_by=(bound,)),
        der=make.pv(p_w=0.0, status=status, accepted=none),
        written=Written(setpoint=none, at_s=50.0),
    )
    assert became(Outcome(desired=none), given, 100.0).reason is code


@pytest.mark.parametrize(("by", "code"), [("setpoint", Reason.SENIOR_BOUND), ("a senior", Reason.METER_LOST)])
def test_a_bound_of_the_one_who_asked_is_no_senior_s(by: str, code: Reason) -> None:
    bound = Bound(by=by, rank=60, what=What.TARGET, value=3000.0, why=Reason.METER_LOST)
    asked = Setpoint(p_target_w=4000.0)
    decision = Decision(der="bat1", setpoint=WISH, bound_by=(bound,), requested=asked, requested_by="setpoint")
    assert kept_back(asked, decision, make.AIMED) is code


def test_what_an_old_reading_says_is_held_is_not_taken_for_what_is_held_now() -> None:
    told = Outcome(desired=WISH, accepted=WISH)
    old = make.battery(p_w=500.0, accepted=Setpoint(p_target_w=500.0), fresh=False)
    assert became(told, case(der=old), 100.0).accepted == WISH
    assert became(told, case(der=replace(old, fresh=True)), 100.0).accepted == Setpoint(p_target_w=500.0)
    later = replace(told, accepted_s=99.5)
    before = case(der=replace(old, fresh=True, age_s=1.0))
    assert became(later, before, 100.0).accepted == WISH, "a poll from before the write was read back"
    assert became(later, before, 101.0).accepted == Setpoint(p_target_w=500.0)
