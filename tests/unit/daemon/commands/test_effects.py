"""What became of a request of each kind, by what is measured: derctl's own engine and functions on a small plant.

The PV gives what the sun and its ceiling let it, the battery what it is aimed at, a tick later; the meter shows it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from derctl.core.engine import step
from derctl.core.plan import Plan
from derctl.core.requests import (
    REQUESTS,
    BatteryRequest,
    DepartureRequest,
    EnvelopeRequest,
    EventRequest,
    FloorRequest,
    GridLimitRequest,
    OwnerLimitRequest,
    PlanRequest,
    PowerFactorRequest,
    Request,
    ReserveRequest,
    StopRequest,
    VarRequest,
)
from derctl.core.schedule import Aim, Limits
from derctl.core.types import DerState, Outcome, Proposal, Tick
from derctl.core.value import replace
from derctl.core.words import Achieved, Reason, Standing
from derctl.daemon.commands.effect import FUNCTIONS
from derctl.daemon.commands.effects import EFFECTS, STAYS_OVER_S
from derctl.daemon.commands.stories import Stories
from derctl.daemon.requests import Requests
from derctl.functions.const_pf import ConstPf
from derctl.functions.const_var import ConstVar
from derctl.functions.departure import Departure
from derctl.functions.export_memory import Memory as Loop
from derctl.functions.meter_trust import Trust
from derctl.functions.operator import OperatorLimit, SetpointFunction
from derctl.functions.reserve import Reserve
from derctl.functions.schedule import Schedule
from derctl.functions.site_limits import GridLimits, Memory, OwnerLimits
from derctl.store.outbox import Message
from tests import make
from tests.unit.daemon.commands.test_desk import NOON, World

Said = tuple[Any, ...]


@dataclass
class Plant:
    """PV of 10 kW under a sun of 6 kW, a battery of 5 kW and a load of 1 kW. moods: what a device makes of what it is
    told; absent: who is not heard. seniors: who else speaks."""

    tmp: Path
    sun_w: float = 6000.0
    load_w: float = 1000.0
    soc_pct: float = 50.0
    grid: GridLimits = field(default_factory=GridLimits)
    reactive: Any = None
    seniors: list[tuple[str, Proposal]] = field(default_factory=list)
    moods: dict[str, Any] = field(default_factory=dict)
    absent: set[str] = field(default_factory=set)
    only_read: set[str] = field(default_factory=set)
    meter: bool = True
    proven: bool = True
    stuck_w: float | None = None
    var: bool = True
    sent: list[Message] = field(default_factory=list)
    t_s: float = 0.0
    n: int = 0

    def __post_init__(self) -> None:
        self.requests = Requests(lambda: self.t_s)
        loop = Loop(trust=Trust(proven=self.proven))
        self.memories: dict[str, Any] = {
            kind: Memory(loop=loop) for kind in (GridLimits.kind, OwnerLimits.kind)
        }  # fmt: skip
        self.p_w, self.q_var = {"pv1": self.sun_w, "bat1": 0.0}, {"pv1": 0.0, "bat1": 0.0}
        self.stories = self.others()

    def others(self) -> Stories:
        """As a daemon has them that starts on the same requests."""
        world = World(self.tmp, wall_s=NOON.timestamp())
        world.set_clock()
        return Stories(self.requests, world.clock, self.sent.append, plan=self.plan)

    def plan(self) -> Plan:
        both = ("pv1", "bat1")
        return Plan(der_functions=tuple(self.rows), site_functions=((self.grid, both), (OwnerLimits(), both)))

    @property
    def rows(self) -> list[Any]:
        rows: list[Any] = [
            (SetpointFunction(), ("bat1",)),
            (OperatorLimit(), ("bat1",)),
            (Schedule(), ("bat1",)),
            (Departure(efficiency_pu=1.0), ("bat1",)),
            (Reserve(min_pct=10.0), ("bat1",)),
        ]
        if self.reactive is not None:
            rows.append((self.reactive, ("pv1", "bat1")))
        return rows + [make.says(said, der) for der, said in self.seniors]

    def ask(self, request: Request) -> None:
        self.stories.begin(request.by, request.id, request.kind, None)
        self.requests.put(request)
        self.stories.admitted(request.by, request.id, "noon")

    def ders(self) -> tuple[DerState, ...]:
        pv = make.pv(p_w=self.p_w["pv1"], q_var=self.q_var["pv1"], sample=self.n)
        bat = make.battery(p_w=self.p_w["bat1"], q_var=self.q_var["bat1"], soc_pct=self.soc_pct, sample=self.n)
        if not self.var:
            pv = replace(pv, can=replace(pv.can, ac=replace(pv.can.ac, var=False)))
        found = [replace(each, controllable=each.id not in self.only_read) for each in (pv, bat)]
        return tuple(replace(each, fresh=each.id not in self.absent) for each in found)

    def tick(self, count: int = 1) -> None:
        for _ in range(count):
            self.t_s, self.n = self.t_s + 1.0, self.n + 1
            ders = self.ders()
            shown_w = sum(self.p_w.values()) - self.load_w if self.stuck_w is None else self.stuck_w
            poc = make.meter(shown_w, sample=self.n if self.stuck_w is None else 1, answer=self.n, fresh=self.meter)
            state = replace(make.site(*ders, t_s=self.t_s, poc=poc), requests=self.requests.alive(), id="house-12")
            before = self.memories
            self.memories, decisions = step(self.plan(), before, state, 1.0)
            outcomes = {
                each.der: self.outcome(der, each.setpoint)
                for der, each in zip(ders, decisions, strict=True)
                if each.der not in self.only_read
            }
            tick = Tick(n=self.n, dt_s=1.0, state=state, memories=before, decisions=decisions)
            self.stories.look(tick, outcomes)
            for each in decisions:
                self.follow(each.der, each.setpoint)

    def outcome(self, der: DerState, told: Any) -> Outcome:
        """As daemon/actuate/judge says it of what is measured before it follows."""
        if der.id in self.moods:
            achieved, reason = self.moods[der.id]
            return Outcome(desired=told, achieved=achieved, reason=reason)
        if not der.fresh:
            return Outcome(desired=told, achieved=Achieved.UNKNOWN, reason=Reason.STALE)
        p_w, most = der.reading.p_w or 0.0, 0.02 * der.rating.size_w
        far = told.q_var is not None and abs((der.reading.q_var or 0.0) - told.q_var) > most
        if told.p_target_w is not None:
            far = far or abs(p_w - told.p_target_w) > most
            return Outcome(desired=told, achieved=Achieved.PENDING if far else Achieved.YES)
        far = far or p_w > told.p_ceiling_w + most
        near = Achieved.YES if p_w >= told.p_ceiling_w - most else Achieved.NOT_BINDING
        return Outcome(desired=told, achieved=Achieved.PENDING if far else near)

    def follow(self, der: str, told: Any) -> None:
        if der in self.moods or der in self.only_read:
            return
        self.q_var[der] = told.q_var or 0.0
        if told.p_target_w is not None:
            self.p_w[der] = told.p_target_w
        elif told.p_ceiling_w is not None:
            self.p_w[der] = min(self.sun_w, told.p_ceiling_w)

    @property
    def told(self) -> list[dict[str, Any]]:
        return [json.loads(message.payload) for message in self.sent]

    def words(self, name: str = "r") -> list[Said]:
        return [(each["result"], each["by"], each["code"]) for each in self.told if each["id"] == name]


@pytest.fixture
def plant(tmp_path: Path) -> Plant:
    return Plant(tmp_path)


def of(
    kind: Any, *, by: str = "dno", name: str = "r", left_s: float = 600.0, der: str | None = None, **own: Any
) -> Any:
    return kind(id=name, by=by, der=der, remaining_s=left_s, **own)


def test_each_kind_has_its_story_and_its_function() -> None:
    assert EFFECTS.keys() == REQUESTS.keys()
    assert FUNCTIONS.keys() | {"limit_power"} == REQUESTS.keys()


IGNORED = (Achieved.NO, Reason.WRITE_IGNORED)
DROOP = ("pv1", Proposal(by="freq_droop", rank=20, p_floor_w=5000.0))
WATT = ("pv1", Proposal(by="volt_watt", rank=20, p_ceiling_w=2000.0))
EMPTY = ("bat1", Proposal(by="bms_guard", rank=0, p_ceiling_w=0.0))
NOT = ("not_binding", None, None)
CASES: dict[str, tuple[Request, dict[str, Any], list[Said]]] = {
    "export is kept": (of(GridLimitRequest, export_w=3000.0), {}, [("achieved", None, None)]),
    "the owner's too": (of(OwnerLimitRequest, export_w=3000.0), {}, [("achieved", None, None)]),
    "nobody exports as much": (of(GridLimitRequest, export_w=9000.0), {}, [NOT]),
    "volt-watt leaves less": (
        of(GridLimitRequest, export_w=3000.0), {"seniors": [WATT]}, [("not_binding", "volt_watt", None)],
    ),
    "the agreement's default is lower": (
        of(GridLimitRequest, export_w=3000.0),
        {"grid": GridLimits(default_export_w=1000.0)},
        [("not_binding", "grid_limits", None)],
    ),
    "droop wants it otherwise": (
        of(GridLimitRequest, export_w=1000.0),
        {"seniors": [DROOP], "moods": {"bat1": (Achieved.YES, None)}},
        [("overridden_by", "freq_droop", "senior_bound")],
    ),
    "the inverter ignores it": (
        of(GridLimitRequest, export_w=1000.0),
        {"moods": {"pv1": IGNORED, "bat1": (Achieved.NOT_BINDING, None)}},
        [("refused", None, "write_ignored")],
    ),
    "no meter": (of(GridLimitRequest, export_w=3000.0), {"meter": False}, []),
    "a meter that stands still": (of(GridLimitRequest, export_w=3000.0), {"proven": False, "stuck_w": 0.0}, []),
    "generation": (of(GridLimitRequest, generation_w=2000.0), {"meter": False}, [("achieved", None, None)]),
    "generation is little": (of(GridLimitRequest, generation_w=20_000.0), {}, [NOT]),
    "generation that nobody measures": (of(GridLimitRequest, generation_w=2000.0), {"absent": {"pv1"}}, []),
    "import is kept by the battery": (
        of(GridLimitRequest, import_w=2000.0), {"sun_w": 0.0, "load_w": 5000.0}, [("achieved", None, None)],
    ),
    "nobody draws as much": (of(GridLimitRequest, import_w=2000.0), {}, [NOT]),
    "its BMS lets none out": (
        of(GridLimitRequest, import_w=2000.0),
        {"sun_w": 0.0, "load_w": 5000.0, "seniors": [EMPTY]},
        [("overridden_by", "bms_guard", "senior_bound")],
    ),
    "the reserve is kept": (
        of(ReserveRequest, min_pct=60.0, by="home"),
        {"seniors": [("bat1", Proposal(by="other", rank=70, p_target_w=1000.0))]},
        [("achieved", None, None)],
    ),
    "the charge is above it": (of(ReserveRequest, min_pct=40.0, by="home"), {}, [NOT]),
    "power factor": (
        of(PowerFactorRequest, pf=0.95, excitation="absorbing", der="pv1"),
        {"reactive": ConstPf(pf=1.0)},
        [("achieved", None, None)],
    ),
    "power factor at night": (
        of(PowerFactorRequest, pf=0.95, excitation="absorbing", der="pv1"),
        {"reactive": ConstPf(pf=1.0), "sun_w": 0.0},
        [("not_binding", None, "no_sun")],
    ),
    "var": (of(VarRequest, q_pu=-0.2, der="pv1"), {"reactive": ConstVar(q_pu=0.0)}, [("achieved", None, None)]),
    "var of all": (of(VarRequest, q_pu=-0.2), {"reactive": ConstVar(q_pu=0.0)}, [("achieved", None, None)]),
    "more var than it has": (
        of(VarRequest, q_pu=0.6, der="pv1"), {"reactive": ConstVar(q_pu=0.6)},
        [("overridden_by", "rating", "senior_bound")],
    ),
    "it takes no var": (
        of(VarRequest, q_pu=-0.2, der="pv1"),
        {"reactive": ConstVar(q_pu=0.0), "var": False},
        [("refused", None, "not_supported")],
    ),
    "nobody hears its var": (
        of(VarRequest, q_pu=-0.2, der="pv1"), {"reactive": ConstVar(q_pu=0.0), "absent": {"pv1"}}, [],
    ),
    "its var is ignored": (
        of(VarRequest, q_pu=-0.2, der="pv1"),
        {"reactive": ConstVar(q_pu=-0.2), "moods": {"pv1": (Achieved.NO, Reason.NOT_FOLLOWED)}},
        [("refused", None, "not_followed")],
    ),
    "a floor lifts the battery": (of(FloorRequest, p_floor_w=1500.0, der="bat1"), {}, [("achieved", None, None)]),
    "it rests above it anyway": (of(FloorRequest, p_floor_w=-1500.0, der="bat1"), {}, [NOT]),
    "its BMS lets no floor be": (
        of(FloorRequest, p_floor_w=1500.0, der="bat1"),
        {"seniors": [EMPTY]},
        [("overridden_by", "bms_guard", "senior_bound")],
    ),
    "the stop holds": (of(StopRequest), {}, [("achieved", None, None)]),
    "an inverter gives on": (of(StopRequest), {"moods": {"pv1": IGNORED}}, [("refused", None, "write_ignored")]),
    "one that is only read gives on": (
        of(StopRequest), {"only_read": {"pv1"}}, [("refused", None, "not_supported")],
    ),
    "one that is only read rests": (of(StopRequest), {"only_read": {"bat1"}}, [("achieved", None, None)]),
    "one that nobody hears": (of(StopRequest), {"absent": {"bat1"}}, []),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_became_of_it_is_what_is_measured(tmp_path: Path, name: str) -> None:
    request, world, says = CASES[name]
    plant = Plant(tmp_path, **world)
    plant.ask(request)
    late = says and says[0][0] in {"overridden_by", "refused"}
    plant.tick(int(STAYS_OVER_S) + 15 if late else 25)
    assert plant.words() == says


def test_a_limit_is_not_achieved_before_the_meter_shows_it(plant: Plant) -> None:
    """The devices say that they do it, and 4 kW go out all the same."""
    plant.load_w = -4000.0
    plant.ask(of(GridLimitRequest, export_w=3000.0, left_s=40.0))
    plant.seniors = [("bat1", Proposal(by="bms_guard", rank=0, p_floor_w=0.0))]
    plant.tick(30)
    assert "achieved" not in [each[0] for each in plant.words()]
    plant.tick(20)
    assert plant.words()[-1][0] == "lapsed"


def test_of_two_the_looser_one_is_met_by_the_tighter_one_s_sender_whatever_their_kinds(plant: Plant) -> None:
    part = Limits(from_s=600.0, to_s=0.0, export_w=2000.0)
    plant.ask(of(EnvelopeRequest, by="agg", name="e", schedule=(part,)))
    plant.ask(of(GridLimitRequest, export_w=4000.0))
    plant.tick(20)
    assert plant.words() == [("not_binding", "agg", None)]
    assert plant.words("e") == [("achieved", None, None)]


def test_export_and_generation_are_one_ceiling_s_and_the_nearer_one_s_doing(plant: Plant) -> None:
    plant.ask(of(GridLimitRequest, export_w=4900.0))
    plant.ask(of(GridLimitRequest, by="agg", name="g", generation_w=2000.0))
    plant.tick(20)
    assert plant.words() == [("not_binding", "agg", None)]
    assert plant.words("g") == [("achieved", None, None)]


def test_a_looser_one_is_not_there_before_its_ramp_is(plant: Plant) -> None:
    plant.ask(of(GridLimitRequest, name="low", export_w=1000.0, left_s=15.0))
    plant.ask(of(GridLimitRequest, export_w=4000.0))
    plant.tick(14)
    assert plant.words() == [("not_binding", "dno", None)]
    plant.tick(120)
    assert plant.words() == [("not_binding", "dno", None), ("achieved", None, None)]


def plan(*parts: tuple[float, float, dict[str, float]], left_s: float = 90.0) -> Any:
    schedule = tuple(Aim(from_s=from_s, to_s=to_s, **aims) for from_s, to_s, aims in parts)
    return of(PlanRequest, by="emhass", der="bat1", schedule=schedule, left_s=left_s)


def parts(plant: Plant) -> list[Said]:
    found = [each for each in plant.told if each["id"] == "r"]
    return [(each.get("part"), each["result"], each["by"], each["code"], each["last"]) for each in found]


def test_a_plan_is_answered_interval_by_interval(plant: Plant) -> None:
    """Charge, let it between two edges, discharge while an operator aims it elsewhere, a pause before the last."""
    plant.ask(
        plan(
            (90.0, 70.0, {"p_target_w": -2000.0}),
            (70.0, 50.0, {"p_ceiling_w": 3000.0, "p_floor_w": 500.0}),
            (50.0, 30.0, {"p_target_w": 2000.0}),
            (10.0, 0.0, {"p_target_w": 0.0}),
        )
    )
    plant.tick(40)
    plant.ask(of(BatteryRequest, by="ops", name="op", der="bat1", p_target_w=-100.0, left_s=35.0))
    plant.tick(60)
    assert parts(plant) == [
        (1, "achieved", None, None, False),
        (2, "achieved", None, None, False),
        (3, "overridden_by", "setpoint", "senior_bound", False),
        (4, "achieved", None, None, False),
        (None, "lapsed", None, None, True),
    ]
    assert [each["n"] for each in plant.told if each["id"] == "r"] == [2, 3, 4, 5, 6]
    assert {each["parts"] for each in plant.told if each.get("part")} == {4}


def test_an_interval_that_was_never_met_is_told_with_why_when_it_is_over(plant: Plant) -> None:
    plant.moods = {"bat1": (Achieved.NO, Reason.LATE)}
    plant.ask(plan((90.0, 60.0, {"p_target_w": -2000.0}), (60.0, 30.0, {"p_target_w": 500.0})))
    plant.tick(45)
    plant.moods = {}
    plant.tick(60)
    assert parts(plant) == [
        (1, "lapsed", None, "late", False),
        (2, "achieved", None, None, False),
        (None, "lapsed", None, None, True),
    ]


def test_an_envelope_is_answered_interval_by_interval_and_after_a_restart_not_twice(plant: Plant) -> None:
    first, second = (
        Limits(from_s=w, to_s=w - 60.0, export_w=limit) for w, limit in ((120.0, 3000.0), (60.0, 9000.0))
    )
    plant.ask(of(EnvelopeRequest, schedule=(first, second), left_s=120.0))
    plant.tick(30)
    saved = json.loads(msgspec.json.encode(plant.stories.plain()))
    plant.stories = plant.others()
    plant.stories.restore(saved, pytest.fail)
    plant.tick(100)
    assert [each[:2] for each in parts(plant)] == [(1, "achieved"), (2, "not_binding"), (None, "lapsed")]


def test_an_event_says_nothing_before_its_start(plant: Plant) -> None:
    plant.ask(of(EventRequest, schedule=(Limits(from_s=60.0, to_s=0.0, export_w=2000.0),), left_s=90.0))
    plant.tick(25)
    assert plant.told == []
    plant.tick(20)
    assert parts(plant) == [(1, "achieved", None, None, False)]
    plant.requests.drop(lambda each: True, Standing.OPTED_OUT, "home")
    plant.tick()
    assert parts(plant)[-1] == (None, "overridden_by", "home", "opted_out", True)


def test_a_higher_reserve_keeps_the_lower_one_and_one_for_a_der_goes_before_one_for_all(plant: Plant) -> None:
    plant.seniors = [("bat1", Proposal(by="other", rank=70, p_target_w=1000.0))]
    plant.ask(of(ReserveRequest, min_pct=60.0, name="all"))
    plant.ask(of(ReserveRequest, by="home", min_pct=80.0, der="bat1"))
    plant.tick(10)
    assert (plant.words("all"), plant.words()) == ([("not_binding", "home", None)], [("achieved", None, None)])
    plant.reactive = ConstVar(q_pu=0.0)
    plant.ask(of(VarRequest, q_pu=0.1, name="vars"))
    plant.ask(of(VarRequest, by="ops", q_pu=0.2, der="pv1", name="var1"))
    plant.tick(60)
    assert plant.words("vars") == [("overridden_by", "ops", "senior_bound")]
    assert plant.words("var1") == [("achieved", None, None)]


@pytest.mark.parametrize(("soc_pct", "by"), [(80.0, None), (50.0, "bms_guard")])
def test_a_reserve_that_the_charge_is_above_is_met_by_nobody_s_word(tmp_path: Path, soc_pct: float, by: str) -> None:
    plant = Plant(tmp_path, soc_pct=soc_pct, seniors=[EMPTY])
    plant.ask(of(ReserveRequest, min_pct=60.0))
    plant.tick(10)
    assert plant.words() == [("not_binding", by, None)]


def test_a_stop_is_over_when_somebody_lifts_it(plant: Plant) -> None:
    plant.ask(of(StopRequest))
    plant.tick(5)
    plant.requests.drop(lambda each: True, Standing.CLEARED, "ops")
    plant.tick()
    assert plant.words() == [("achieved", None, None), ("overridden_by", "ops", "cleared")]


@pytest.mark.parametrize(
    ("request_", "world", "delivered"),
    [
        (of(GridLimitRequest, import_w=2000.0, left_s=30.0), {"sun_w": 0.0, "load_w": 5000.0}, (3000.0, None)),
        (of(GridLimitRequest, generation_w=2000.0, left_s=30.0), {"meter": False}, (-4000.0, None)),
        (of(VarRequest, q_pu=-0.2, der="pv1", left_s=30.0), {"reactive": ConstVar(q_pu=-0.2)}, (None, -2000.0)),
    ],
)
def test_what_was_delivered_is_what_it_changed(
    tmp_path: Path, request_: Request, world: dict[str, Any], delivered: tuple[float | None, float | None]
) -> None:
    """Within the margin of a limit, and what the first ticks lack."""
    plant = Plant(tmp_path, **world)
    plant.ask(request_)
    plant.tick(40)
    found = plant.told[-1]["record"]["delivered"]
    for name, value in zip(("p_w", "q_var"), delivered, strict=True):
        assert found[name] == (None if value is None else pytest.approx(value, rel=0.08))


def leaving(soc_pct: float, left_s: float = 60.0) -> Any:
    return of(DepartureRequest, by="home", der="bat1", soc_pct=soc_pct, left_s=left_s)


def test_a_departure_is_achieved_by_the_charge_that_is_measured(plant: Plant) -> None:
    """It draws 5 kW though only the grid has them, and what it claims to do is not its charge."""
    plant.sun_w = 0.0
    plant.ask(leaving(80.0))
    plant.tick(20)
    assert (plant.p_w["bat1"], plant.words()) == (-5000.0, [])
    plant.soc_pct = 80.0
    plant.tick(5)
    assert (plant.p_w["bat1"], plant.words()) == (0.0, [("achieved", None, None)])


@pytest.mark.parametrize(
    ("world", "soc_pct", "says"),
    [
        ({}, 90.0, [("lapsed", None, "not_charged")]),
        ({}, 40.0, [("not_binding", None, None), ("lapsed", None, None)]),
        ({"absent": {"bat1"}}, 90.0, [("lapsed", None, "unmeasured")]),
        (
            {"seniors": [("bat1", Proposal(by="bms_guard", rank=0, p_floor_w=-100.0))]},
            90.0,
            [("overridden_by", "bms_guard", "senior_bound"), ("lapsed", None, "senior_bound")],
        ),
    ],
)
def test_a_departure_that_was_not_reached_says_why(
    tmp_path: Path, world: dict[str, Any], soc_pct: float, says: list[Said]
) -> None:
    plant = Plant(tmp_path, **world)
    plant.ask(leaving(soc_pct, 20.0))
    plant.tick(25)
    assert plant.words() == says


def test_of_two_floors_the_higher_one_binds_and_it_ends_at_once(plant: Plant) -> None:
    plant.ask(of(FloorRequest, p_floor_w=500.0, der="bat1"))
    plant.ask(of(FloorRequest, by="ops", name="high", p_floor_w=1500.0, der="bat1", left_s=20.0))
    plant.tick(15)
    assert plant.p_w["bat1"] == 1500.0
    plant.tick(6)
    assert plant.p_w["bat1"] == 500.0
    assert plant.words() == [("not_binding", "ops", None)]
    assert [each[0] for each in plant.words("high")] == ["achieved", "lapsed"]
