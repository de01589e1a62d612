"""What a DER is to do, behind its tick and on a slow bus."""

from __future__ import annotations

import pytest

from derctl.core.types import Decision, Reading, Setpoint
from derctl.daemon.actuate.deadband import Written
from derctl.daemon.actuate.wish import Wish, behind, keep_s, still, wish_of
from derctl.links.line import Pace
from tests import make

PV = make.rating(p_max_w=5000.0)
ASKED, READ, FOUND = Setpoint(p_ceiling_w=4000.0), Setpoint(p_ceiling_w=3000.0), Setpoint(p_ceiling_w=3900.0)


def wish(setpoint: Setpoint = ASKED, *, fresh: bool = True, age_s: float = 0.5, at_s: float = 100.0) -> Wish:
    der = make.der("pv1", PV, make.LIMITED, p_w=1000.0, accepted=READ, age_s=age_s, fresh=fresh)
    return wish_of(Decision(der="pv1", setpoint=setpoint), der, None, at_s)


def test_when_somebody_asked_for_var_last_is_remembered() -> None:
    asked = wish(Setpoint(q_var=300.0))
    later = wish_of(Decision(der="pv1", setpoint=ASKED), asked.der, asked, 101.0)
    assert (asked.var_asked_s, later.var_asked_s, wish().var_asked_s) == (100.0, 100.0, -1e9)


@pytest.mark.parametrize(("written_s", "counts"), [(99.6, FOUND), (99.4, READ)])
def test_what_a_write_read_back_counts_until_a_poll_has_ended_since(written_s: float, counts: Setpoint) -> None:
    """This poll ended half a second before the decision."""
    assert wish().accepted(Written(setpoint=ASKED, at_s=written_s, refusals=0, found=FOUND)) == counts


def test_without_a_write_that_read_anything_back_the_poll_counts() -> None:
    assert wish().accepted(None) == READ
    assert wish().accepted(Written(setpoint=ASKED, at_s=99.9, refusals=0)) == READ


@pytest.mark.parametrize(
    ("setpoint", "spared_w", "over"),
    [(ASKED, None, False), (ASKED, 4000.0, True), (ASKED, 4001.0, False), (Setpoint(p_target_w=0.0), 0.0, False)],
)
def test_only_a_lower_limit_is_written_over_what_may_be_somebodys(
    setpoint: Setpoint, spared_w: float | None, over: bool
) -> None:
    assert wish(setpoint).over(spared_w) is over


@pytest.mark.parametrize(
    ("held", "asserted"),
    [
        (Setpoint(p_ceiling_w=2500.0, q_var=100.0), Setpoint(p_ceiling_w=2500.0)),
        (Setpoint(), None),
        (Setpoint(p_ceiling_w=2500.0, p_target_w=-1000.0), None),
    ],
)
def test_a_decision_made_in_silence_gives_way_to_the_limit_that_stood_before(
    held: Setpoint, asserted: Setpoint | None
) -> None:
    found = still(wish(fresh=False), held)
    assert (None if found is None else found.decision.setpoint) == asserted
    assert still(wish(), held) == wish() and still(None, held) is None


def test_a_poll_that_ended_behind_its_tick_is_younger_than_the_state() -> None:
    seen = behind(wish(), Reading(p_w=4800.0, accepted=FOUND, f_hz=51.0), 100.3)
    assert (seen.der.reading.p_w, seen.der.reading.accepted, seen.der.age_s) == (4800.0, FOUND, pytest.approx(-0.3))
    assert seen.der.reading.f_hz == wish().der.reading.f_hz, "the rest is the state's"


@pytest.mark.parametrize(
    ("pace", "tick_s", "seconds"),
    [
        (Pace(), 1.0, 1.0),
        (Pace(min_interval_s=0.25), 1.0, 1.0),
        (Pace(min_interval_s=1.0, timeout_s=3.0), 1.0, 5.0),  # Fronius: a request a second
        (Pace(min_interval_s=1.0), 10.0, 10.0),
    ],
)
def test_a_decision_is_kept_as_long_as_the_bus_needs_to_send_it(pace: Pace, tick_s: float, seconds: float) -> None:
    assert keep_s(pace, tick_s) == seconds
