"""What arming would write, by the last tick: nothing is shown before there was one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from derctl.core.types import Bound, Decision, DerState, Fallback, Setpoint, Tick
from derctl.core.words import Refusal, What
from derctl.daemon.report.panel import Panel
from derctl.errors import CommandError
from derctl.store.ticks import Recorder
from tests import make

ABSENT = SimpleNamespace(known=SimpleNamespace(of={"bat1": SimpleNamespace(newer="2.0")}))
KEPT = Fallback(p_ceiling_w=2000.0)


def writer(der: DerState) -> Any:
    """Writes each but pv2."""
    why = "control: false in the site file" if der.id == "pv2" else None
    return SimpleNamespace(promised=SimpleNamespace(told=KEPT), kept_from=lambda now: why)


def panel(recorder: Recorder, *ders: DerState) -> Panel:
    nothing: Any = None
    control = cast(Any, SimpleNamespace(writers={der.id: writer(der) for der in ders}, absent=ABSENT))
    return Panel(clock=nothing, control=control, recorder=recorder, news=nothing, uplink=nothing, survival=nothing)


def test_there_is_no_picture_before_the_first_tick() -> None:
    with pytest.raises(CommandError) as caught:
        panel(Recorder()).picture()
    assert caught.value.code is Refusal.NOT_READY


def test_a_picture_has_each_der_as_the_last_tick_decided_it_and_why_it_would_not_be_written() -> None:
    ders, recorder = (make.pv(), make.pv("pv2"), make.battery()), Recorder()
    bound = Bound(by="export_limit", what=What.CEILING, value=1000.0, rank=15)
    asked = Decision(der=ders[0].id, setpoint=Setpoint(p_ceiling_w=1000.0), bound_by=(bound,))
    for decisions in ((), (asked,)):
        recorder.add(Tick(n=1, dt_s=1.0, state=make.site(*ders), memories={}, decisions=decisions))
    first, second, third = panel(recorder, *ders).picture().ders
    assert (first.setpoint, first.by, first.why, first.fallback) == (asked.setpoint, ("export_limit",), None, KEPT)
    assert (first.newer, third.newer) == ("", "2.0")
    assert second.why == "control: false in the site file" and third.setpoint == Setpoint()
