"""The one word for a device in `status`: nothing that is not so is called ok."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from derctl.core.types import Outcome
from derctl.core.words import Belief, Bind, Phase, ProfileBy, Reason, Shown, Status
from derctl.daemon.actuate.rest import Rest
from derctl.daemon.arming import Arming
from derctl.daemon.report.status import status
from derctl.daemon.report.view import DerView, DeviceView, LoopView, PocView, View
from tests import make

HEARD = DeviceView(state=Bind.OK, reason=None, text="")


def view(der: DerView, poc: PocView | None = None) -> View:
    return View(
        version="0", site="house", pid=1, now=datetime(2026, 11, 21, tzinfo=UTC), now_s=100.0, synced=True,
        uptime_s=1.0, arming=Arming(), poc=poc, ders=[der], buses={}, mqtt=None, requests=(), events=(),
        loop=LoopView(tick_s=1.0, ticks=1, missed=0, overran=0, last_s=0.0, worst_s=0.0),
    )  # fmt: skip


def der_view(*, device: DeviceView = HEARD, control: bool = True, **given: Any) -> DerView:
    der = make.pv("pv1", **given)
    return DerView(
        kind="sunspec_pv", control=control, der=der, device=device, decision=None, outcome=Outcome(), writes=0
    )


def shown(**given: Any) -> str:
    word: str = status(view(der_view(**given)))["ders"]["pv1"]["state"]
    return word


def test_a_device_that_answers_and_may_be_written_is_ok() -> None:
    assert shown() == Shown.OK


def test_an_old_reading_is_stale_whatever_it_said() -> None:
    for read in Status:
        assert shown(fresh=False, status=read) == Shown.STALE


def test_one_that_derctl_may_not_write_is_observed() -> None:
    assert shown(control=False) == Shown.OBSERVED
    assert shown(control=False, fresh=False) == Shown.STALE


@pytest.mark.parametrize("phase", [Phase.STANDBY, Phase.WAKING])
def test_one_that_stands_by_because_of_its_limit_is_called_so_unless_it_sleeps(phase: Phase) -> None:
    rest = Rest(phase=phase, since_s=1.0, least_w=600.0, wake_s=20.0)
    told = status(view(replace(der_view(status=Status.STANDBY), rest=rest)))["ders"]["pv1"]
    assert (told["state"], told["rest"]) == (Shown.STANDBY, {"phase": phase, "least_w": 600.0, "wake_s": 20.0})
    asleep = status(view(replace(der_view(status=Status.ASLEEP), rest=rest)))["ders"]["pv1"]
    assert asleep["state"] == Shown.ASLEEP


@pytest.mark.parametrize("read", Status)
def test_one_that_sleeps_or_has_failed_is_called_so(read: Status) -> None:
    expected = {Status.ASLEEP: Shown.ASLEEP, Status.FAULT: Shown.FAULT}.get(read, Shown.OK)
    assert shown(status=read) == expected


@pytest.mark.parametrize("bind", [bind for bind in Bind if bind is not Bind.OK])
def test_how_it_is_bound_comes_first(bind: Bind) -> None:
    device = DeviceView(state=bind, reason=Reason.UNREACHABLE, text="no answer")
    for fresh in (True, False):
        assert shown(device=device, fresh=fresh) == bind


@pytest.mark.parametrize(
    ("fresh", "bind", "word"),
    [(True, Bind.OK, Shown.OK), (False, Bind.OK, Shown.STALE), (True, Bind.FROZEN, Shown.FROZEN)],
)
def test_the_meter_is_shown_in_the_same_words(fresh: bool, bind: Bind, word: Shown) -> None:
    poc = PocView(poc=make.meter(1000.0, fresh=fresh), device=replace(HEARD, state=bind), belief=Belief.PROVEN)
    told = status(view(der_view(), poc))["poc"]
    assert (told["state"], told["fresh"], told["meter"]) == (word, fresh, Belief.PROVEN)
    assert told["belief"]["belief"] == Belief.UNPROVEN, "as the tick's state has it"


def test_a_reading_s_own_values_stand_beside_the_word() -> None:
    told = status(view(der_view(fresh=False, p_w=1234.0)))["ders"]["pv1"]
    assert (told["fresh"], told["measurement"]["p_w"]) == (False, 1234.0)


def test_status_says_by_which_profile_a_device_is_taken_and_who_says_so() -> None:
    found = replace(HEARD, habits=("kaco", ProfileBy.IDENTITY))
    told = status(view(der_view(device=found)))["ders"]["pv1"]
    assert (told["profile"], told["profile_by"]) == ("kaco", "identity")
    told = status(view(der_view()))["ders"]["pv1"]
    assert (told["profile"], told["profile_by"]) == (None, None)
