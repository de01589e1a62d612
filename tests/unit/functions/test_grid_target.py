"""A demand-response event's target: above all juniors, inside what seniors leave, and let go on a ramp."""

from __future__ import annotations

from typing import Any

import pytest

from derctl.core.evidence import Evidence
from derctl.core.requests import EventRequest, FloorRequest, GridLimitRequest, OwnerLimitRequest
from derctl.core.schedule import Event
from derctl.core.types import Abstain, Proposal
from derctl.core.types import SiteProposal as Site
from derctl.core.value import replace
from derctl.core.words import Belief
from derctl.functions import plan_of
from derctl.functions.grid_target import EDGE_W, START, GridTarget, kept_target, target_of
from derctl.functions.operator import START_WITHIN_S, OperatorLimit
from derctl.functions.site_limits import GridLimits, OwnerLimits
from tests import make
from tests.timeline import PlanTimeline, SiteTimeline


def event(name: str = "e", left_s: float = 60.0, by: str = "dso", **asked: float) -> EventRequest:
    schedule = (Event(from_s=left_s, to_s=0.0, **asked),)
    return EventRequest(id=name, der=None, by=by, remaining_s=left_s, schedule=schedule).now()


def told(*requests: Any, ders: Any = None, seniors: Any = (), functions: Any = (), poc: Any = None) -> dict[str, Any]:
    """What each DER is told in one tick."""
    ders = ders or (make.pv(p_w=0.0), make.battery(p_w=0.0))
    ids = tuple(der.id for der in ders)
    plan = plan_of(
        [(OperatorLimit(), ("bat1",)), *(make.says(said, "bat1") for said in seniors)],
        [(each, ids) for each in (GridLimits(margin_w=0.0), OwnerLimits(margin_w=0.0), GridTarget(), *functions)],
    )
    found = PlanTimeline(plan).told(*ders, poc=poc, requests=requests)
    return {name: setpoint.p_target_w for name, setpoint in found.items() if setpoint.p_target_w is not None}


@pytest.mark.parametrize("target_w", [-4_000.0, 0.0, 3_000.0])
def test_the_batteries_are_told_what_the_event_asks_for_without_sun_too(target_w: float) -> None:
    assert told(event(p_target_w=target_w)) == {"bat1": target_w}


def test_it_is_split_by_what_each_can_and_the_silent_one_counts_with_what_it_was_told() -> None:
    one, other = make.battery("a", p_w=0.0, soc_pct=80.0), make.battery("b", p_w=0.0, soc_pct=40.0)
    plan = plan_of([], [(GridTarget(), ("a", "b"))])
    asked = (event(p_target_w=3_000.0),)
    found = PlanTimeline(plan).told(one, other, requests=asked)
    assert [found[name].p_target_w for name in "ab"] == [pytest.approx(2_000.0), pytest.approx(1_000.0)]
    gone = replace(make.battery("b", p_w=1_000.0), fresh=False, controllable=False)
    assert PlanTimeline(plan).told(one, gone, requests=asked)["a"].p_target_w == pytest.approx(2_000.0)


@pytest.mark.parametrize(
    ("senior", "gets_w"),
    [
        (Proposal(by="bms_guard", rank=0, p_floor_w=-500.0), -500.0),
        (Proposal(by="reserve", rank=5, p_floor_w=0.0), 0.0),
        (Proposal(by="schedule", rank=70, p_floor_w=0.0, p_target_w=2_000.0), -4_000.0),
        (Proposal(by="setpoint", rank=60, p_target_w=1_000.0), -4_000.0),
        (Proposal(by="volt_watt", rank=20, p_ceiling_w=-4_500.0), -4_500.0),
    ],
    ids=lambda each: str(getattr(each, "by", each)),
)
def test_seniors_bound_it_and_juniors_do_not(senior: Proposal, gets_w: float) -> None:
    assert told(event(p_target_w=-4_000.0), seniors=[senior])["bat1"] == pytest.approx(gets_w, abs=EDGE_W)


def test_it_goes_before_the_owner_s_and_the_operator_s_limits_and_behind_those_of_its_own_rank() -> None:
    poc, full = make.meter(0.0), event(p_target_w=3_000.0)
    owner = OwnerLimitRequest(id="o", der=None, by="home", remaining_s=60.0, export_w=500.0)
    assert told(full, owner, poc=poc)["bat1"] == pytest.approx(3_000.0, abs=EDGE_W)
    grid = GridLimitRequest(id="g", der=None, by="dso", remaining_s=60.0, export_w=500.0)
    assert told(full, grid, poc=poc)["bat1"] <= 500.0
    draws = GridLimitRequest(id="i", der=None, by="dso", remaining_s=60.0, import_w=500.0)
    assert told(event(p_target_w=-4_000.0), draws, poc=poc)["bat1"] >= -500.0
    floor = FloorRequest(id="f", der="bat1", by="ops", remaining_s=60.0, p_floor_w=1_000.0)
    assert told(event(p_target_w=-4_000.0), floor)["bat1"] == pytest.approx(-4_000.0, abs=EDGE_W)


def test_of_several_the_last_one_that_came_counts() -> None:
    assert told(event("a", p_target_w=500.0), event("b", p_target_w=2_000.0), event("c", export_w=9e6)) == {
        "bat1": 2_000.0
    }
    assert told(event("a", p_target_w=500.0), event("b", p_target_w=2_000.0, left_s=0.0)) == {"bat1": 500.0}


def test_without_a_battery_that_can_be_told_it_says_so_and_without_an_event_nothing() -> None:
    asked = (event(p_target_w=500.0),)
    assert SiteTimeline(GridTarget()).at(make.pv(p_w=5.0), requests=asked) == Abstain("no storage to steer")
    theirs = make.battery(p_w=0.0, controllable=False)
    assert SiteTimeline(GridTarget()).at(theirs, requests=asked) == Abstain("no storage to steer")
    assert SiteTimeline(GridTarget()).at(make.battery(p_w=0.0)) == Abstain("no request")
    before = replace(event(p_target_w=500.0), part=None, p_target_w=None)
    assert SiteTimeline(GridTarget()).at(make.battery(p_w=0.0), requests=(before,)) == Abstain("no request")


# ---- at the point of connection


def exchange(target_w: float, load_w: float, *, ticks: int = 90, sun_w: float = 0.0) -> float:
    """What the meter shows in the end, of a battery that follows."""
    time = PlanTimeline(plan_of([], [(GridTarget(), ("pv1", "bat1"))]))
    p_w = 0.0
    for n in range(ticks):
        ders = (make.pv(p_w=sun_w, sample=n), make.battery(p_w=p_w, sample=n))
        asked = (event(poc_target_w=target_w, left_s=1e4),)
        found = time.told(*ders, poc=make.meter(sun_w + p_w - load_w, sample=n), requests=asked)
        p_w = found["bat1"].p_target_w or 0.0
    return sun_w + p_w - load_w


@pytest.mark.parametrize(("target_w", "load_w"), [(-3_000.0, 1_000.0), (0.0, 2_500.0), (2_000.0, 1_000.0)])
def test_the_batteries_bring_the_point_of_connection_there(target_w: float, load_w: float) -> None:
    """The dead band of the loop is 30 W."""
    assert abs(exchange(target_w, load_w) - target_w) <= 35.0


def test_a_battery_that_can_t_ends_at_its_rating() -> None:
    assert exchange(-9_000.0, 1_000.0) == pytest.approx(-6_000.0, abs=1.0)
    assert exchange(2_000.0, 1_000.0, sun_w=5_000.0) == pytest.approx(2_000.0, abs=35.0)


def test_while_the_meter_is_not_heard_or_not_believed_it_is_let_go_on_a_ramp_and_taken_up_again() -> None:
    time, asked = SiteTimeline(GridTarget()), (event(poc_target_w=-3_000.0, left_s=1e3),)
    for n in range(40):
        said = time.at(make.battery(p_w=-3_000.0), poc=make.meter(-3_000.0, sample=n), requests=asked)
    assert isinstance(said, Site) and said.p_target_w == pytest.approx(-3_000.0, abs=50.0)
    assert said.meter_pu is not None and said.need is not None, "whose meter it is says so"
    widths = []
    for poc in (None, *([make.meter(-3_000.0, belief=Evidence(belief=Belief.DOUBTED, steps=True))] * 19)):
        said = time.at(make.battery(p_w=-3_000.0), poc=poc, requests=asked)
        if isinstance(said, Site):
            assert said.p_target_w is None and said.why == "relaxing"
            assert said.p_ceiling_w is not None and said.p_floor_w is not None
            widths.append((said.p_ceiling_w - said.p_floor_w) / 2.0)
    assert widths == pytest.approx([500.0 * n + EDGE_W for n in range(1, 20)]), (
        "10 % of the rating a second, both ways"
    )
    assert said == Abstain("meter_lost")
    said = time.at(make.battery(p_w=0.0), poc=make.meter(-1_000.0, sample=99), requests=asked)
    assert isinstance(said, Site) and said.p_target_w is not None


# ---- its end


def at_the_end(site: str, *, left_s: float = 1.0) -> tuple[SiteTimeline, list[tuple[float, float] | None]]:
    """The edges of each second behind it."""
    time = SiteTimeline(GridTarget())
    time.clock = Named(site)
    time.at(make.battery(p_w=-2_000.0), requests=(event(p_target_w=-2_000.0, left_s=left_s),))
    found: list[tuple[float, float] | None] = []
    for _ in range(60):
        said = time.at(make.battery(p_w=-2_000.0))
        edges = None if isinstance(said, Abstain) else (said.p_floor_w, said.p_ceiling_w)
        found.append(edges)  # type: ignore[arg-type]
    return time, found


class Named:
    """A clock of a site with this name."""

    tick_s = 1.0

    def __init__(self, name: str) -> None:
        self.name = name

    def site(self, *ders: Any, dt_s: float, poc: Any, requests: Any) -> Any:
        return replace(make.site(*ders, poc=poc, requests=requests), id=self.name)


def test_what_has_run_out_is_let_go_at_a_moment_of_the_site_s_own_and_then_on_a_ramp() -> None:
    waits = []
    for n in range(40):
        time, found = at_the_end(f"house-{n}")
        still = sum(edges == (-2_000.0 - EDGE_W, -2_000.0 + EDGE_W) for edges in found)
        rising = [edges for edges in found[still:] if edges is not None]
        assert [high - low for low, high in rising] == pytest.approx([1_000.0 * n + 1.0 for n in range(1, 20)])
        assert found[-1] is None and time.memory == START
        waits.append(still)
    assert max(waits) <= START_WITHIN_S and len(set(waits)) > 12, "no fleet comes back at once"


def test_what_somebody_ended_is_let_go_at_once_on_the_same_ramp() -> None:
    _, found = at_the_end("house-1", left_s=600.0)
    assert found[0] == (-2_500.0 - EDGE_W, -1_500.0 + EDGE_W) and found[18] is not None and found[19] is None


def test_a_restart_goes_on_where_it_was() -> None:
    time, _ = at_the_end("house-1")
    assert kept_target(time.memory) is None
    time.at(make.battery(p_w=500.0), requests=(event(p_target_w=500.0),))
    again = target_of(kept_target(time.memory))
    assert (again.at_w, again.by, again.left_s) == (500.0, "e", 0.0)
    went = SiteTimeline(GridTarget(), memory=again)
    assert isinstance(went.at(make.battery(p_w=500.0)), Site), "it has run out, and is let go on its ramp"
    for plain in (None, {"by": 1}, {"by": "e", "at_w": "x", "wait_s": 0.0, "wide_w": 0.0}):
        with pytest.raises(ValueError):
            target_of(plain)
