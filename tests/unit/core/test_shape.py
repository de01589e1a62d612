"""A function in another shape for a time: the tick says which, what relaxes rises on a ramp, it can be replayed."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from derctl.core.engine import step
from derctl.core.memories import SHAPE, memory_type
from derctl.core.plan import Plan
from derctl.core.requests import FunctionRequest, Request
from derctl.core.shape import SHAPE_PU_PER_S, SHAPE_WITHIN_S, Memory
from derctl.core.types import Decision, DerState, Tick
from derctl.core.value import replace
from derctl.core.words import Idle, Reason, What
from derctl.functions import plan_of
from derctl.functions.const_pf import ConstPf
from derctl.functions.freq_droop import FreqDroop
from derctl.functions.survival import kept, revived
from derctl.functions.tracking import tracked
from derctl.functions.volt_var import VoltVar
from derctl.functions.volt_watt import VoltWatt
from derctl.store.ticks import Recorder, replay
from tests import make
from tests.timeline import Clock, PlanTimeline

OWN_OFF = ("volt_var", "volt_watt", "freq_droop", "watt_var")
FULL_W = 10_000.0
LATE = ((0.9, 0.2), (0.98, 0.0), (1.02, 0.0), (1.1, -0.2))
TIGHT: dict[str, Any] = {"function": "volt_watt", "settings": {"v1_pu": 1.05, "v2_pu": 1.08}}


def request(
    function: str,
    left_s: float = 60.0,
    *,
    der: str | None = None,
    name: str = "a",
    reactive: bool = False,
    on: bool = True,
    settings: dict[str, Any] | None = None,
) -> FunctionRequest:
    return FunctionRequest(
        id=name, by="dso", der=der, remaining_s=left_s, function=function, reactive=reactive, on=on,
        settings=settings or {},
    )  # fmt: skip


def pv(name: str = "pv1", *, v_pu: float = 1.0, off: tuple[str, ...] = OWN_OFF, **given: Any) -> DerState:
    der = make.pv(name, **{"p_w": 3_000.0, "q_var": 0.0, "v_v": 230.0 * v_pu, "f_hz": 50.0, **given})
    return replace(der, reading=replace(der.reading, own_off=off, own_on=given.get("own_on", ())))


def plan(*functions: Any, ders: tuple[str, ...] = ("pv1",)) -> Plan:
    return plan_of([(each, ders) for each in functions], [], modes=(ConstPf(pf=1.0), VoltVar()), off=("volt_watt",))


def timeline(*functions: Any, ders: tuple[str, ...] = ("pv1",)) -> PlanTimeline:
    return PlanTimeline(plan(*functions, ders=ders), Clock(f_nom_hz=50.0))


def var(decision: Decision) -> tuple[str, float]:
    [bound] = [each for each in decision.bound_by if each.what is What.VAR]
    return bound.by, bound.value


def settled(
    time: PlanTimeline, *ders: DerState, requests: tuple[Request, ...] = (), n: int = 60
) -> dict[str, Decision]:
    for _ in range(n):
        found = time.decided(*ders, requests=requests)
    return found


# ---- which shape counts


def test_a_curve_counts_while_it_is_asked_for_and_then_the_site_file_s_again() -> None:
    time = timeline(VoltVar())
    high = pv(v_pu=1.06)
    assert var(settled(time, high)["pv1"])[1] == pytest.approx(-FULL_W * 0.44 * 4 / 6, rel=1e-3)
    asked = request("volt_var", reactive=True, settings={"points": LATE})
    assert var(settled(time, high, requests=(asked,))["pv1"])[1] == pytest.approx(-FULL_W * 0.1, rel=1e-3)
    first = time.decided(high)["pv1"]
    assert -FULL_W * 0.2 < var(first)[1] < -FULL_W * 0.1, "it goes over by its response time, and not at once"
    assert var(settled(time, high)["pv1"])[1] == pytest.approx(-FULL_W * 0.44 * 4 / 6, rel=1e-3)
    assert SHAPE not in time.memories, "nothing is left of it"


def test_one_for_a_der_goes_before_one_for_all_and_touches_no_other() -> None:
    time = timeline(VoltVar(), ders=("pv1", "pv2"))
    ders = (pv(v_pu=1.06), pv("pv2", v_pu=1.06))
    none = tuple((v, 0.0) for v, _ in LATE)
    one = request("volt_var", der="pv2", reactive=True, name="b", settings={"points": none})
    found = settled(time, *ders, requests=(one,))
    assert var(found["pv1"])[1] < -2_900.0 and var(found["pv2"])[1] == pytest.approx(0.0, abs=1.0)
    every = request("volt_var", reactive=True, settings={"points": LATE})
    found = settled(time, *ders, requests=(every, one))
    assert var(found["pv1"])[1] == pytest.approx(-1_000.0, rel=1e-2)
    assert var(found["pv2"])[1] == pytest.approx(0.0, abs=1.0)


def test_another_reactive_mode_is_in_force_alone_and_the_site_file_s_begins_where_it_ends() -> None:
    time = timeline(VoltVar())
    high = pv(v_pu=1.06, p_w=5_000.0, q_var=-2_933.0)
    settled(time, high)
    asked = request("const_pf", reactive=True, settings={"pf": 0.95, "excitation": "injecting"})
    told = time.decided(high, requests=(asked,))["pv1"]
    assert var(told) == ("const_pf", pytest.approx(5_000.0 * 0.3287, rel=1e-3)) and "volt_var" not in told.abstained
    assert [key for key in time.memories if key.startswith("volt_var/")] == []
    there = replace(high, reading=replace(high.reading, q_var=1_643.0))
    assert var(time.decided(there)["pv1"]) == ("volt_var", pytest.approx(1_643.0)), "from where it is"
    assert -2_000.0 < var(time.decided(there)["pv1"])[1] < 1_600.0, "and by its own time"


def test_what_no_longer_fits_is_as_if_nobody_had_asked() -> None:
    """Another site file, and a request from before it."""
    high = pv(v_pu=1.06)
    plain = var(settled(timeline(VoltVar()), high)["pv1"])
    for asked in (
        request("volt_var", reactive=True, settings={"points": ((1.0, 0.3), (1.1, 0.2))}),
        request("volt_var", reactive=True, settings={"k_of": 0.03}),
        request("watt_var", reactive=True),
        request("freq_droop", settings={"k_of": 0.03}),
        request("volt_var", left_s=0.0, reactive=True, settings={"points": LATE}),
    ):
        time = timeline(VoltVar())
        assert var(settled(time, high, requests=(asked,))["pv1"]) == plain and SHAPE not in time.memories


@pytest.mark.parametrize("on", [("volt_var",), ()])
def test_what_the_device_may_run_itself_is_left_to_it_whatever_is_asked_for(on: tuple[str, ...]) -> None:
    """Its own curve on, or not read back: a second mode beside it would have two owners."""
    time = timeline(VoltVar())
    der = pv(v_pu=1.06, off=())
    der = replace(der, reading=replace(der.reading, own_on=on))
    for asked in (
        request("const_pf", reactive=True, settings={"pf": 0.9}),
        request("volt_var", reactive=True, settings={"points": LATE}),
    ):
        said = settled(time, der, requests=(asked,), n=3)["pv1"]
        assert said.setpoint.q_var is None and said.abstained["volt_var"].startswith(Reason.OWN_FUNCTION_ON)
    time = timeline(ConstPf(pf=0.9))
    said = settled(time, der, requests=(request("volt_var", reactive=True),), n=3)["pv1"]
    assert said.setpoint.q_var is None and said.abstained["volt_var"].startswith(Reason.OWN_FUNCTION_ON)


def test_a_droop_is_steeper_while_it_is_asked_for() -> None:
    def given(*asked: Request) -> float | None:
        time = timeline(FreqDroop(olrt_s=1.0))
        settled(time, pv(p_w=9_000.0), n=2)
        over = pv(p_w=9_000.0, f_hz=50.5)
        return settled(time, over, requests=asked, n=20)["pv1"].setpoint.p_ceiling_w

    assert given() == pytest.approx(FULL_W * (0.9 - 0.464 / 2.5), rel=1e-3)
    asked = request("freq_droop", settings={"k_of": 0.02, "db_of_hz": 0.1})
    assert given(asked) == pytest.approx(FULL_W * (0.9 - 0.4 / 1.0), rel=1e-3)


# ---- what relaxes


def tightened(left_s: float = 40.0) -> PlanTimeline:
    """Volt-watt that is tighter than the site file's, settled, with so much of it left."""
    time = timeline(VoltWatt(olrt_s=1.0))
    high = pv(v_pu=1.075, p_w=3_000.0)
    for n in range(40):
        time.decided(high, requests=(request(left_s=left_s + 39 - n, **TIGHT),))
    return time


def ceilings(time: PlanTimeline, n: int, *, v_pu: float = 1.075, **given: Any) -> list[float]:
    der = pv(v_pu=v_pu, p_w=3_000.0, **given)
    return [time.decided(der)["pv1"].setpoint.p_ceiling_w or 0.0 for _ in range(n)]


def test_a_ceiling_falls_by_its_response_time_and_returns_on_a_ramp_within_half_a_minute() -> None:
    time = tightened(left_s=1.0)
    told = ceilings(time, 60)
    begun = next(n for n, w in enumerate(told) if w > told[0] + 1.0)
    assert told[0] == pytest.approx(FULL_W / 3.0, rel=1e-2)
    assert 1 < begun <= SHAPE_WITHIN_S + 1, "a fleet does not come back at one moment"
    rises = [after - before for before, after in pairwise(told)]
    assert max(rises) == pytest.approx(SHAPE_PU_PER_S * FULL_W) and told[-1] == pytest.approx(7_000.0, rel=1e-2)
    assert SHAPE not in time.memories


def test_one_that_is_taken_back_waits_for_nothing_and_says_that_it_relaxes() -> None:
    time = tightened()
    said = time.decided(pv(v_pu=1.075))["pv1"]
    [bound] = [each for each in said.bound_by if each.by == "volt_watt"]
    assert bound.why is Reason.RELAXING
    assert said.setpoint.p_ceiling_w == pytest.approx(FULL_W / 3.0 + SHAPE_PU_PER_S * FULL_W, rel=1e-2)


def test_a_looser_one_rises_as_slowly_when_it_begins_and_a_tighter_one_waits_for_nobody() -> None:
    time = tightened()
    loose = request("volt_watt", name="b", settings={"v1_pu": 1.09, "olrt_s": 0.5})
    high = pv(v_pu=1.075)
    told = [time.decided(high, requests=(loose,))["pv1"].setpoint.p_ceiling_w or 0.0 for _ in range(10)]
    assert told[0] == pytest.approx(FULL_W / 3.0 + 1_000.0, rel=1e-2) and told[-1] == FULL_W
    again = request("volt_watt", name="c", settings={"v1_pu": 1.05, "v2_pu": 1.06, "olrt_s": 0.5})
    assert (time.decided(high, requests=(again,))["pv1"].setpoint.p_ceiling_w or 0.0) < 4_000.0


def test_while_its_input_is_lost_it_is_held_as_ever_and_rises_from_there() -> None:
    time = tightened()
    blind = pv(v_pu=1.075)
    blind = replace(blind, reading=replace(blind.reading, v_v=None))
    for _ in range(3):
        held_w = time.decided(blind)["pv1"].setpoint.p_ceiling_w
        assert held_w == pytest.approx(FULL_W / 3.0, rel=1e-2), "it answers, and tells no voltage"
    assert ceilings(time, 1)[0] == pytest.approx(FULL_W / 3.0 + SHAPE_PU_PER_S * FULL_W, rel=1e-2)


def test_who_is_silent_does_not_rise() -> None:
    """What is off needs no input: all the same nobody sees where the DER is."""
    time = timeline(VoltWatt())
    high = pv(v_pu=1.09, p_w=3_000.0)
    settled(time, high)
    off = request("volt_watt", on=False)
    first_w = time.decided(high, requests=(off,))["pv1"].setpoint.p_ceiling_w
    silent = settled(time, replace(high, fresh=False), requests=(off,), n=5)["pv1"]
    assert silent.setpoint.p_ceiling_w == first_w
    assert time.decided(high, requests=(off,))["pv1"].setpoint.p_ceiling_w == pytest.approx((first_w or 0.0) + 1e3)


def test_what_is_switched_off_lets_go_on_the_ramp_and_then_says_so() -> None:
    time = timeline(VoltWatt())
    high = pv(v_pu=1.09, p_w=3_000.0)
    low_w = settled(time, high)["pv1"].setpoint.p_ceiling_w
    off = request("volt_watt", on=False)
    first = time.decided(high, requests=(off,))["pv1"]
    assert low_w is not None and first.setpoint.p_ceiling_w == pytest.approx(low_w + 1_000.0)
    last = settled(time, high, requests=(off,), n=10)["pv1"]
    assert last.setpoint.p_ceiling_w == FULL_W and last.abstained["volt_watt"] == Idle.SWITCHED_OFF
    assert settled(time, high)["pv1"].setpoint.p_ceiling_w == pytest.approx(low_w, rel=1e-2), "and speaks again"


# ---- restarts, ticks that are kept


def test_a_ramp_goes_on_over_a_restart_and_what_ran_out_meanwhile_counts_as_expired() -> None:
    time = tightened()
    plain = json.loads(json.dumps(kept(time.memories)))
    back = revived(plain)
    assert not back.refused
    time.memories = back.memories
    told = ceilings(time, 60)
    assert told[0] == told[1] == pytest.approx(FULL_W / 3.0, rel=1e-2), "it waits for a moment of its own"
    assert max(b - a for a, b in pairwise(told)) == pytest.approx(SHAPE_PU_PER_S * FULL_W)


def test_a_restart_forgets_no_ramp_while_its_device_is_looked_for() -> None:
    """Before it was found nobody knows which functions it runs itself."""
    time = tightened()
    time.memories = revived(json.loads(json.dumps(kept(time.memories)))).memories
    unknown = pv(v_pu=1.075, off=())
    settled(time, unknown, n=3)
    told = ceilings(time, 60)
    assert max(b - a for a, b in pairwise(told)) == pytest.approx(SHAPE_PU_PER_S * FULL_W)
    assert told[0] == told[1] < 3_400.0
    time = tightened()
    settled(time, unknown, n=2)
    assert SHAPE in time.memories
    settled(time, replace(unknown, reading=replace(unknown.reading, own_on=("volt_watt",))), n=1)
    assert SHAPE not in time.memories, "one that runs its own has nothing to let go"


@pytest.mark.parametrize("spoilt", [3, [3], [{"of": 3, "by": "a"}], [{"of": "volt_watt/pv1", "by": "a"}]])
def test_a_spoilt_memory_of_shapes_is_named_and_left_out(spoilt: Any) -> None:
    back = revived({SHAPE: spoilt})
    assert not back.memories and {*back.refused} == {SHAPE}


def test_while_nothing_is_written_it_is_remembered_who_is_asked_for() -> None:
    assert SHAPE in tracked(tightened().memories)


def test_each_tick_with_its_requests_gives_the_same_decision_again() -> None:
    plan_, recorder = plan(VoltWatt(), VoltVar()), Recorder()
    memories: dict[str, Any] = {}
    asked: list[tuple[Request, ...]] = [
        (),
        (request("volt_var", reactive=True, settings={"points": LATE}), request(left_s=2.0, name="w", **TIGHT)),
        (request("const_pf", reactive=True, settings={"pf": 0.9}), request(left_s=1.0, name="w", **TIGHT)),
        (request("volt_watt", on=False),),
        (),
    ]
    for n, requests in enumerate(asked * 3):
        state = make.site(pv(v_pu=1.07, q_var=-500.0), t_s=float(n), requests=requests)
        before = memories
        memories, decisions = step(plan_, before, state, 1.0)
        recorder.add(Tick(n=n, dt_s=1.0, state=state, memories=before, decisions=decisions))
    for tick, plain in zip(recorder.ticks, recorder.last(100), strict=True):
        assert replay(plan_, json.loads(msgspec.json.encode(plain))) == tick.decisions
    assert memory_type(plan_, SHAPE) is Memory and memory_type(plan_, "const_pf/pv1") is type(ConstPf(pf=1.0).start())


def test_a_plan_whose_functions_have_no_shapes_is_as_filed() -> None:
    time = PlanTimeline.of(VoltWatt(), der="pv1")
    time.decided(pv(v_pu=1.075), requests=(request(**TIGHT),))
    assert SHAPE not in time.memories
