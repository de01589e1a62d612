"""Limits of the site that are asked for: of the grid operator, an envelope, and the owner. None widens a senior's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from derctl.core.requests import EnvelopeRequest, GridLimitRequest, OwnerLimitRequest, Request
from derctl.core.schedule import Limits
from derctl.core.types import Abstain, SiteProposal
from derctl.functions import plan_of
from derctl.functions.contract_export_limit import ContractExportLimit
from derctl.functions.export_memory import Memory as Loop
from derctl.functions.meter_trust import Trust
from derctl.functions.site_limits import START, GridLimits, Memory, OwnerLimits, loop_of
from derctl.functions.survival import kept, revived
from derctl.functions.tracking import tracked
from tests import make
from tests.timeline import PlanTimeline, SiteTimeline

PROVEN = Memory(loop=Loop(trust=Trust(proven=True)))


def grid(name: str = "g", left_s: float = 60.0, **limits: Any) -> Request:
    return GridLimitRequest(id=name, der=None, by="dso", remaining_s=left_s, **limits)


def owner(name: str = "o", left_s: float = 60.0, **limits: Any) -> Request:
    return OwnerLimitRequest(id=name, der=None, by="home", remaining_s=left_s, **limits)


def envelope(left_s: float, *parts: tuple[float, float, dict[str, float]]) -> Request:
    schedule = tuple(Limits(from_s=from_s, to_s=to_s, **limits) for from_s, to_s, limits in parts)
    return EnvelopeRequest(id="e", der=None, by="dso", remaining_s=left_s, schedule=schedule).now()


def settled(plan: Any, *requests: Request, load_w: float = 1_000.0, memories: Any = None) -> tuple[float, Any]:
    """An inverter of 10 kW with all the sun that follows at once: what goes out in the end, and the last decision."""
    time = PlanTimeline(plan, memories=memories or {})
    p_w = 9_500.0
    for n in range(120):
        poc = make.meter(p_w - load_w, sample=n)
        decision = time.decided(make.pv(p_w=p_w, sample=n), poc=poc, requests=requests)["pv1"]
        p_w = min(9_500.0, decision.setpoint.p_ceiling_w)
    return p_w - load_w, decision


@pytest.mark.parametrize(
    ("function", "request_", "rank"),
    [
        (GridLimits(margin_w=100.0), grid(export_w=3_000.0), 40),
        (OwnerLimits(margin_w=100.0), owner(export_w=3_000.0), 50),
    ],
)
def test_the_export_is_kept_below_what_is_asked_and_who_bound_it_is_said(
    function: Any, request_: Request, rank: int
) -> None:
    proven = {function.kind: replace(PROVEN)}
    export_w, decision = settled(plan_of([], [(function, ("pv1",))]), request_, memories=proven)
    assert export_w <= 2_900.0 + 1.0
    assert [(bound.by, bound.rank) for bound in decision.bound_by] == [(function.kind, rank)]


def test_nobody_asks_and_it_has_nothing_to_say() -> None:
    for function in (GridLimits(), OwnerLimits()):
        assert SiteTimeline(function).at(make.pv(p_w=9_000.0)) == Abstain("no request")
    assert isinstance(SiteTimeline(GridLimits()).at(make.pv(), requests=(owner(export_w=0.0),)), Abstain)
    assert isinstance(SiteTimeline(OwnerLimits()).at(make.pv(), requests=(grid(export_w=0.0),)), Abstain)
    assert isinstance(SiteTimeline(GridLimits()).at(make.pv(), requests=(grid(export_w=0.0, left_s=0.0),)), Abstain)


def test_without_a_meter_the_sum_stays_below_the_limit() -> None:
    said = SiteTimeline(GridLimits()).at(make.pv(p_w=9_000.0), requests=(grid(export_w=3_000.0),))
    assert isinstance(said, SiteProposal)
    assert (said.by, said.rank, said.p_ceiling_w, said.why) == ("grid_limits", 40, 3_000.0, "meter_lost")


def test_an_import_limit_lifts_a_battery_as_far_as_the_meter_shows_too_much() -> None:
    time = SiteTimeline(GridLimits(margin_w=0.0))
    said = time.at(make.battery(p_w=-4_000.0), poc=make.meter(-7_000.0), requests=(grid(import_w=5_000.0),))
    assert isinstance(said, SiteProposal) and said.p_floor_w == pytest.approx(-2_000.0)
    assert said.p_ceiling_w is None, "export is not limited by that"


def test_generation_is_limited_as_a_sum_whatever_the_meter_shows() -> None:
    asked = grid(generation_w=6_000.0)
    ders = (make.pv(p_w=9_000.0), make.pv("theirs", p_w=1_000.0, controllable=False))
    said = SiteTimeline(GridLimits()).at(*ders, requests=(asked,))
    assert said == SiteProposal(by="grid_limits", rank=40, over=("pv1",), p_ceiling_w=5_000.0)
    both = SiteTimeline(GridLimits()).at(*ders, requests=(grid(generation_w=6_000.0, export_w=2_000.0),))
    assert isinstance(both, SiteProposal) and both.p_ceiling_w == 1_000.0, "the tighter of both"
    other = SiteTimeline(GridLimits()).at(*ders, requests=(grid(generation_w=1_500.0, export_w=8_000.0),))
    assert isinstance(other, SiteProposal) and other.p_ceiling_w == 500.0


def test_of_several_the_lowest_of_each_binds() -> None:
    asked = (grid("a", export_w=3_000.0, generation_w=9_000.0), grid("b", export_w=5_000.0, generation_w=4_000.0))
    time = SiteTimeline(GridLimits())
    time.at(make.pv(p_w=9_000.0), requests=asked)
    assert (time.memory.export.limit_w, time.memory.generation.limit_w) == (3_000.0, 4_000.0)


# ---- envelopes and the agreement's default


def limit_in_force(time: SiteTimeline, *requests: Request) -> float | None:
    time.at(make.pv(p_w=5_000.0), poc=make.meter(4_000.0), requests=requests)
    limit_w: float | None = time.memory.export.limit_w
    return limit_w


def test_while_no_envelope_says_anything_the_default_counts() -> None:
    time = SiteTimeline(GridLimits(default_export_w=1_500.0))
    assert limit_in_force(time) == 1_500.0
    opened = envelope(50.0, (60.0, 40.0, {"export_w": 2_700.0}))
    assert limit_in_force(time, opened) == 2_500.0, "it is left on the ramp"
    assert limit_in_force(time, opened) == 2_700.0
    assert limit_in_force(time, envelope(30.0, (60.0, 40.0, {"export_w": 9_000.0}))) == 1_500.0, "between two"
    assert limit_in_force(time, envelope(50.0, (60.0, 40.0, {"import_w": 9_000.0}))) == 1_500.0, "of another limit"
    assert limit_in_force(time) == 1_500.0


def test_a_limit_that_is_asked_for_narrows_the_default_and_never_widens_it() -> None:
    time = SiteTimeline(GridLimits(default_export_w=1_500.0))
    assert limit_in_force(time, grid(export_w=9_000.0)) == 1_500.0
    assert limit_in_force(time, grid(export_w=500.0)) == 500.0
    opened = envelope(50.0, (60.0, 40.0, {"export_w": 9_000.0}))
    assert limit_in_force(SiteTimeline(GridLimits(default_export_w=1_500.0)), opened, grid(export_w=800.0)) == 800.0


def test_what_has_ended_is_let_go_on_a_ramp_and_then_there_is_nothing() -> None:
    time = SiteTimeline(GridLimits())
    assert limit_in_force(time, grid(export_w=1_000.0, left_s=600.0)) == 1_000.0
    said = time.at(make.pv(p_w=1_000.0), poc=make.meter(900.0, sample=2))
    assert isinstance(said, SiteProposal) and time.memory.export.limit_w == 2_000.0
    rising = [limit_in_force(time) for _ in range(20)]
    assert rising[-1] is None and time.memory == START
    only = SiteTimeline(GridLimits())
    only.at(make.pv(p_w=1_000.0), requests=(grid(generation_w=1_000.0, left_s=600.0),))
    said = only.at(make.pv(p_w=1_000.0))
    assert isinstance(said, SiteProposal) and (said.p_ceiling_w, said.why) == (2_000.0, "relaxing")


def test_a_limit_that_ends_with_its_ramp_says_nothing_any_more() -> None:
    time = SiteTimeline(OwnerLimits())
    time.at(make.pv(), requests=(owner(generation_w=9_900.0, left_s=600.0),))
    for _ in range(12):
        said = time.at(make.pv())
    assert isinstance(said, Abstain)


# ---- seniors and juniors


LIMIT = st.none() | st.floats(0.0, 12_000.0)


@settings(max_examples=60)
@given(contract_w=st.floats(0.0, 12_000.0), grid_w=LIMIT, owner_w=LIMIT, p_w=st.floats(0.0, 10_000.0))
def test_a_junior_never_widens_what_a_senior_left(
    contract_w: float, grid_w: float | None, owner_w: float | None, p_w: float
) -> None:
    """Whatever is asked for: what is told is no more than the contract alone would leave, and than grid's alone."""

    def told(*functions: Any) -> float:
        asked = [] if grid_w is None else [grid(export_w=grid_w, generation_w=grid_w)]
        asked += [] if owner_w is None else [owner(export_w=owner_w)]
        time = PlanTimeline(plan_of([], [(each, ("pv1",)) for each in functions]))
        return max(
            time.told(make.pv(p_w=p_w, sample=n), poc=make.meter(p_w, sample=n), requests=tuple(asked))[
                "pv1"
            ].p_ceiling_w
            or 0.0
            for n in range(3)
        )

    contract = ContractExportLimit(limit_w=contract_w)
    alone, two = told(contract), told(contract, GridLimits())
    three = told(contract, GridLimits(), OwnerLimits())
    assert three <= two + 1e-6 and two <= alone + 1e-6
    if grid_w is not None:
        assert two <= grid_w + 1e-6


def test_the_margin_is_of_the_larger_limit_where_none_is_given() -> None:
    assert loop_of(1_000.0, 10_000.0, None).margin_w == 200.0
    assert loop_of(None, None, None).margin_w == 50.0 and loop_of(5.0, None, 7.0).margin_w == 7.0


# ---- restarts, and observe mode


def test_a_restart_keeps_the_limits_in_force() -> None:
    time = SiteTimeline(GridLimits())
    time.at(make.pv(p_w=9_000.0), requests=(grid(export_w=3_000.0, generation_w=4_000.0),))
    plain = msgspec.json.decode(msgspec.json.encode(kept({"grid_limits": time.memory})))
    back = revived(plain, lately=False).memories["grid_limits"]
    assert (back.export.limit_w, back.generation.limit_w, back.draw.limit_w) == (3_000.0, 4_000.0, None)
    assert kept({"grid_limits": START}) == {}
    spoilt: Any
    for spoilt in ([], {"exports": {}}, {"export": {}}):
        assert "grid_limits" in revived({"grid_limits": spoilt}).refused


def test_what_was_seen_of_the_meter_stays_while_nothing_is_written() -> None:
    assert tracked({"owner_limits": PROVEN})["owner_limits"].loop.trust.proven
    assert tracked({"grid_limits": START})["grid_limits"] == START
