"""What a device may hold of what it was told, happening by happening."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from derctl.core.types import NOTHING, DerState, Fallback, Setpoint
from derctl.core.words import FallbackBy
from derctl.daemon.actuate import hold as holds
from derctl.daemon.actuate.deadband import Written
from derctl.daemon.actuate.hold import Hold
from derctl.devices import Profile
from tests import make

PV = make.rating(p_max_w=5000.0)
VALUES, BLIND = Profile(), Profile(readback="effect_only")
STANDS = Fallback(p_ceiling_w=5000.0, by=FallbackBy.STANDS)
TIMER = Fallback(p_ceiling_w=5000.0, by=FallbackBy.REVERSION)
HERE: tuple[int, object] = (1, "device")


def ceiling(watts: float, q_var: float | None = None) -> Setpoint:
    return Setpoint(p_ceiling_w=watts, q_var=q_var)


def der(p_w: float | None = 1000.0, accepted: Setpoint | None = None, *, age_s: float = 0.1) -> DerState:
    return make.der("pv1", PV, make.LIMITED, p_w=p_w, accepted=accepted, age_s=age_s)


def told(setpoint: Setpoint, *, refusals: int = 0, at_s: float = 100.0) -> Hold:
    """As after a write that was taken, or not."""
    written = Written(setpoint=setpoint, at_s=at_s, refusals=refusals)
    return Hold(written=written, holds=setpoint, on=HERE, sent_s=at_s)


@pytest.mark.parametrize(
    ("held", "sent", "may_hold"),
    [
        (NOTHING, ceiling(3000.0), 3000.0),
        (ceiling(2000.0), ceiling(3000.0), 2000.0),
        (ceiling(3000.0), ceiling(2000.0), 2000.0),
        (ceiling(3000.0), Setpoint(q_var=5.0), 3000.0),
    ],
)
def test_until_a_device_answers_it_may_hold_the_lower_limit_of_both(
    held: Setpoint, sent: Setpoint, may_hold: float
) -> None:
    sending = holds.sending(Hold(holds=held), sent, HERE, 5.0)
    assert (sending.holds.p_ceiling_w, sending.on, sending.sent_s) == (may_hold, HERE, 5.0)


def test_what_arrived_replaces_what_was_sent_and_leaves_the_rest_as_it_was() -> None:
    before = told(ceiling(2000.0, 300.0))
    sending = holds.sending(before, ceiling(4000.0), HERE, 5.0)
    for gave_back, q_var in ((False, 300.0), (True, None)):
        written = Written(setpoint=ceiling(4000.0), at_s=6.0)
        after = holds.arrived(sending, before, written, 10.0, gave_back=gave_back)
        assert (after.holds, after.written) == (ceiling(4000.0, q_var), written)


def test_a_refusal_counts_up_and_the_setpoint_is_not_taken_for_told() -> None:
    before = told(ceiling(2000.0, 300.0), refusals=1)
    after = holds.refused(before, before, ceiling(1000.0), 7.0, var_kept=False)
    assert (after.refusals, after.told, after.holds.q_var) == (2, None, 300.0)
    assert holds.refused(before, before, ceiling(1000.0), 7.0, var_kept=True).holds.q_var is None


@pytest.mark.parametrize(
    ("lift", "left"), [(False, ceiling(2000.0)), (True, NOTHING)], ids=["a limit stands", "unless it is lifted"]
)
def test_after_a_release(lift: bool, left: Setpoint) -> None:
    after = holds.released(told(ceiling(2000.0, 300.0)), None, lift=lift)
    assert (after.written, after.holds) == (None, left)


def test_what_a_release_left_in_a_device_that_does_not_tell_is_what_it_holds() -> None:
    for lift in (False, True):
        assert holds.released(told(ceiling(2000.0, 300.0)), ceiling(1500.0), lift=lift).holds == ceiling(1500.0)


def test_a_write_that_is_under_way_or_broke_off_is_unfinished() -> None:
    before = told(ceiling(2000.0))
    assert not before.unfinished and not Hold().unfinished
    sending = holds.sending(before, ceiling(1000.0), HERE, 105.0)
    assert sending.unfinished
    assert not holds.arrived(
        sending, before, Written(setpoint=ceiling(1000.0), at_s=105.5), 10.0, gave_back=False
    ).unfinished
    assert not holds.refused(sending, before, ceiling(1000.0), 105.5, var_kept=False).unfinished


@pytest.mark.parametrize("on", [(2, "device"), (1, "another")], ids=["a new connection", "found anew"])
@pytest.mark.parametrize(
    ("profile", "fallback", "forgets"),
    [(VALUES, STANDS, False), (VALUES, TIMER, True), (BLIND, STANDS, True), (BLIND, TIMER, True)],
)
def test_what_a_device_may_have_forgotten_is_not_taken_for_granted(
    on: tuple[int, object], profile: Profile, fallback: Fallback, forgets: bool
) -> None:
    after = holds.doubted(told(ceiling(2000.0)), on, der(), profile, fallback, 101.0)
    assert (after.written is None) == forgets
    assert after.holds == ceiling(2000.0), "what it may still hold is another question"


def test_where_no_device_is_known_nothing_is_forgotten_yet() -> None:
    before = told(ceiling(2000.0))
    assert holds.doubted(before, (2, None), der(), BLIND, TIMER, 101.0) == before


@pytest.mark.parametrize(
    ("p_w", "age_s", "believed"),
    [(1900.0, 0.1, True), (4000.0, 0.1, False), (None, 0.1, False), (1900.0, 15.0, False)],
    ids=["kept", "not kept", "not measured", "measured before it could show"],
)
def test_one_that_is_seen_to_keep_its_limit_has_taken_it_over(
    p_w: float | None, age_s: float, believed: bool
) -> None:
    before = told(ceiling(2000.0), refusals=3)
    after = holds.doubted(before, HERE, der(p_w, age_s=age_s), BLIND, STANDS, 100.0 + BLIND.settle_s + 1.0)
    assert after.refusals == (0 if believed else 3)


def wished(hold: Hold, desired: Setpoint, **given: Any) -> Hold:
    seen: dict[str, Any] = {"der": der(accepted=ceiling(2000.0)), "profile": VALUES, "now_s": 120.0, "busy": False}
    return holds.wished(hold, desired, **(seen | given))


def test_var_counts_from_when_somebody_asked_for_it_last_if_derctl_wrote_some() -> None:
    assert told(ceiling(2000.0, 300.0)).var_unasked_s(120.0, 130.0) == 10.0
    assert Hold().var_unasked_s(120.0, 130.0) is None, "none was written"


def test_var_that_the_device_gave_up_by_itself_need_not_be_given_back() -> None:
    hold = told(ceiling(2000.0, 300.0))
    assert wished(hold, ceiling(2000.0)).holds.q_var is None
    still_there = der(accepted=ceiling(2000.0, 300.0))
    for kept in (
        {"busy": True},
        {"profile": BLIND},
        {"der": replace(der(accepted=ceiling(2000.0)), fresh=False)},
        {"der": der(accepted=ceiling(2000.0), age_s=25.0)},
        {"der": still_there},
        {"der": der(accepted=None)},
    ):
        assert wished(hold, ceiling(2000.0), **kept).holds.q_var == 300.0


def test_each_part_that_is_not_sent_stays_as_it_was() -> None:
    all_parts = Setpoint(p_ceiling_w=2000.0, p_target_w=1000.0, q_var=300.0)
    before = told(all_parts)
    for sent in (ceiling(1500.0), Setpoint(p_target_w=500.0), Setpoint(q_var=5.0)):
        parts = {name: getattr(sent, name) for name in ("p_ceiling_w", "p_target_w", "q_var")}
        given = {name: value for name, value in parts.items() if value is not None}
        sending = holds.sending(before, sent, HERE, 5.0)
        written = Written(setpoint=sent, at_s=6.0)
        after = holds.arrived(sending, before, written, 10.0, gave_back=False)
        assert sending.holds == after.holds == replace(all_parts, **given)


def test_one_that_was_away_rises_on_a_ramp_once_its_limit_has_had_its_time_to_show() -> None:
    hold = holds.returned(told(ceiling(2000.0)), 200.0)
    settle_s = VALUES.settle_s
    for later_s, most_w in ((0.0, 2000.0), (settle_s, 2000.0), (settle_s + 2.0, 3000.0), (settle_s + 9.0, 5000.0)):
        assert holds.bounded(hold, ceiling(5000.0), VALUES, 5000.0, 200.0 + later_s) == ceiling(most_w)
    assert holds.bounded(hold, ceiling(1000.0), VALUES, 5000.0, 200.0) == ceiling(1000.0), "down at once"


@pytest.mark.parametrize(
    ("hold", "read", "doubtful", "known"),
    [
        (told(ceiling(4000.0)), ceiling(4000.0), False, (ceiling(4000.0), True)),
        (told(ceiling(4000.0)), ceiling(4000.0), True, (ceiling(4000.0), False)),
        (Hold(holds=ceiling(4000.0)), None, False, (ceiling(4000.0), True)),
        (told(ceiling(4000.0), refusals=1), ceiling(7000.0), False, (ceiling(4000.0), True)),
        (told(ceiling(4000.0, 300.0), refusals=1), ceiling(2500.0), False, (Setpoint(q_var=300.0), False)),
    ],
)
def test_a_device_that_reads_back_less_than_it_refused_to_take_over_is_not_taken_at_its_word(
    hold: Hold, read: Setpoint | None, doubtful: bool, known: tuple[Setpoint, bool]
) -> None:
    assert hold.known(read, doubtful=doubtful) == known
