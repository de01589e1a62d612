"""A recorded tick gives the same decision again, bit for bit, after a journey through JSON."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from derctl.core.engine import step
from derctl.core.memories import memory_type
from derctl.core.requests import BatteryRequest, LimitRequest
from derctl.core.types import Decision, SiteState
from derctl.functions import ROWS
from derctl.store.ticks import state_of
from tests import make
from tests.catalogue import ALL, PLAN


def test_the_plan_holds_every_function_of_the_catalogue() -> None:
    plan = PLAN
    kinds = {f.kind for f, _ in plan.der_functions} | {f.kind for f, _ in plan.site_functions}
    assert kinds == ROWS.keys()


def journey(memories: dict[str, Any], state: SiteState) -> tuple[dict[str, Any], SiteState]:
    """To JSON and back."""
    text = msgspec.json.encode(msgspec.to_builtins({"memories": memories, "state": state}))
    found = msgspec.json.decode(text)
    back = {key: msgspec.convert(value, memory_type(PLAN, key)) for key, value in found["memories"].items()}
    return back, state_of(found["state"])


POWER = st.floats(-11_000.0, 11_000.0)


@st.composite
def ticks(draw: st.DrawFn, v_nom_v: float, f_nom_hz: float) -> list[tuple[SiteState, float]]:
    """A few ticks of a site where much happens."""
    out = []
    for n in range(draw(st.integers(2, 6))):
        ders = []
        for name in ALL:
            build = make.battery if name == "bat1" else make.pv
            fresh = draw(st.integers(0, 5)) > 0
            der = build(
                name,
                p_w=draw(st.none() | POWER),
                q_var=draw(st.none() | POWER),
                v_v=draw(st.none() | st.floats(0.85, 1.15).map(lambda pu: pu * v_nom_v)),
                f_hz=draw(st.none() | st.floats(-1.5, 1.5).map(lambda off: f_nom_hz + off)),
                soc_pct=draw(st.none() | st.floats(0.0, 100.0)),
                p_charge_limit_w=draw(st.none() | st.floats(0.0, 6_000.0)),
                p_discharge_limit_w=draw(st.none() | st.floats(0.0, 6_000.0)),
                bms_age_s=draw(st.none() | st.floats(0.0, 60.0)) if name == "bat1" else None,
                fresh=fresh,
                controllable=fresh,
                sample=n,
            )
            ders.append(replace(der, rating=replace(der.rating, v_nom_v=v_nom_v)))
        left = st.floats(-1.0, 60.0)
        asked = (
            st.builds(
                LimitRequest,
                id=st.just("r0"),
                by=st.just("home"),
                der=st.sampled_from(["pv1", None]),
                p_ceiling_w=POWER,
                remaining_s=left,
            ),
            st.builds(
                BatteryRequest,
                id=st.just("r1"),
                by=st.just("local"),
                der=st.just("bat1"),
                p_target_w=POWER,
                remaining_s=left,
            ),
        )
        requests = tuple(draw(st.lists(st.one_of(asked), max_size=3)))
        poc = draw(st.none() | st.builds(make.meter, POWER, sample=st.just(n), fresh=st.booleans()))
        state = make.site(*ders, f_nom_hz=f_nom_hz, poc=poc, requests=requests)
        out.append((state, draw(st.floats(0.0, 20.0))))
    return out


@pytest.mark.no_cover
@pytest.mark.parametrize(("v_nom_v", "f_nom_hz"), [(120.0, 60.0), (230.0, 50.0), (277.0, 60.0)])
@settings(max_examples=25)
@given(data=st.data())
def test_a_tick_from_json_decides_the_same_bit_for_bit(v_nom_v: float, f_nom_hz: float, data: st.DataObject) -> None:
    memories: dict[str, Any] = {}
    for state, dt_s in data.draw(ticks(v_nom_v, f_nom_hz)):
        back, again = journey(memories, state)
        assert (back, again) == (memories, state)
        expected = step(PLAN, memories, state, dt_s)
        got = step(PLAN, back, again, dt_s)
        assert got == expected
        assert msgspec.json.encode(got) == msgspec.json.encode(expected), "to the last bit, and -0.0 is not 0.0"
        decisions = msgspec.json.decode(msgspec.json.encode(expected[1]), type=tuple[Decision, ...])
        assert decisions == expected[1]
        memories = expected[0]


@pytest.mark.no_cover
@given(data=st.data())
@settings(max_examples=25)
def test_a_step_changes_neither_its_memories_nor_its_state(data: st.DataObject) -> None:
    memories: dict[str, Any] = {}
    for state, dt_s in data.draw(ticks(230.0, 50.0)):
        before = msgspec.json.encode(msgspec.to_builtins((memories, state)))
        after, _ = step(PLAN, memories, state, dt_s)
        assert msgspec.json.encode(msgspec.to_builtins((memories, state))) == before
        memories = after


@pytest.mark.no_cover
@settings(max_examples=25)
@given(data=st.data())
def test_with_every_function_at_once_no_decision_leaves_rating_or_circle(data: st.DataObject) -> None:
    memories: dict[str, Any] = {}
    told_charge = False
    for state, dt_s in data.draw(ticks(230.0, 50.0)):
        memories, decisions = step(PLAN, memories, state, dt_s)
        for der, decision in zip(state.ders, decisions, strict=True):
            told_charge |= der.id == "bat1" and der.fresh and der.reading.soc_pct is not None
            told = decision.setpoint
            p = told.p_target_w if der.can.aim else told.p_ceiling_w
            assert der.rating.p_min_w - 1e-6 <= p <= der.rating.p_max_w + 1e-6
            assert p**2 + (told.q_var or 0.0) ** 2 <= der.rating.s_max_va**2 * (1.0 + 1e-9)
            if der.id == "bat1" and not told_charge:
                assert p == 0.0, "a battery that has never told its charge rests"
