"""The owner of a limit hears of it: over the topic of his replies, and everybody as an event."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import pytest

from derctl.core.requests import BatteryRequest, EventRequest, LimitRequest, PlanRequest, Request
from derctl.core.schedule import Aim, Limits
from derctl.core.types import Bound, Decision, Setpoint, Tick
from derctl.core.words import What
from derctl.daemon.commands.notices import Deliveries, Notices, named
from derctl.daemon.requests import Requests
from derctl.store.outbox import Message, Outbox
from tests import make


@dataclass
class Office:
    """What was sent and told."""

    requests: Requests = field(default_factory=lambda: Requests(clock=lambda: 100.0))
    outbox: Outbox = field(default_factory=Outbox)
    told: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def sent(self) -> list[Message]:
        return list(self.outbox.ordered)

    def look(self) -> None:
        tell = self.told.append
        Notices(self.requests, self.outbox.put, lambda *event: tell(event), lambda: "noon").look()


def test_who_sent_a_plan_hears_what_became_of_each_interval_as_documented() -> None:
    """The document's: half an hour at -2,500 W, of which the battery's guard took 6 minutes."""
    document = (Path(__file__).parents[4] / "docs" / "interfaces.md").read_text(encoding="utf-8")
    example = json.loads(document.split("```json reply delivered\n")[1].split("```")[0])
    sent: list[Message] = []
    place = {key: example[key] for key in ("n", "last", "admitted_t")}
    deliveries = Deliveries(sent.append, lambda: "2026-11-21T12:30:00.400Z", lambda *who: (place, b"c8"))
    parts = tuple(
        Aim(from_s=5_400.0 - 1_800.0 * n, to_s=3_600.0 - 1_800.0 * n, p_target_w=-2_500.0) for n in range(3)
    )
    plan = PlanRequest(id="a1b8", der="bat1", by="ops", remaining_s=5_400.0, schedule=parts)
    for left_s, p_w, by in ((5_400.0, -2_510.0, "schedule"), (4_000.0, 0.0, "bms_guard"), (3_600.0, 0.0, "schedule")):
        request = replace(plan, remaining_s=left_s).now()
        told_w = -2_500.0 if by == "schedule" else 0.0
        decision = Decision(
            der="bat1",
            setpoint=Setpoint(p_target_w=told_w),
            bound_by=(Bound(by=by, rank=0, what=What.TARGET, value=told_w),),
        )
        state = make.site(make.battery(p_w=p_w), requests=(request,))
        seconds = 360.0 if by == "bms_guard" else 1_440.0
        deliveries.look(Tick(n=1, dt_s=seconds, state=state, memories={}, decisions=(decision,)))
    [message] = sent
    said = json.loads(message.payload)
    assert (message.topic, message.correlation) == ("reply/ops", b"c8")
    assert said == example


def test_a_plan_over_the_socket_has_no_topic_and_what_nobody_measured_is_said() -> None:
    sent: list[Message] = []
    deliveries = Deliveries(sent.append, lambda: "noon", lambda *who: ({"n": 2, "last": False}, None))
    parts = (Aim(from_s=60.0, to_s=30.0, p_target_w=1.0),)
    for name in ("local-1", "p1"):
        plan = PlanRequest(id=name, der="bat1", by="ops", remaining_s=60.0, schedule=parts).now()
        for requests in ((plan,), ()):
            state = make.site(make.battery(p_w=None), requests=requests)
            deliveries.look(Tick(n=1, dt_s=1.0, state=state, memories={}, decisions=()))
    [message] = sent
    assert json.loads(message.payload)["text"] == "interval 1 of 1: nothing was measured"


@pytest.mark.parametrize(("writes", "held"), [(True, {"bms_guard": 1.0}), (False, {})])
def test_while_nothing_is_written_nobody_else_decided(writes: bool, held: dict[str, float]) -> None:
    sent: list[Message] = []
    deliveries = Deliveries(sent.append, lambda: "noon", lambda *who: ({"n": 2}, None), lambda: writes)
    parts = (Aim(from_s=60.0, to_s=30.0, p_target_w=1000.0),)
    plan = PlanRequest(id="p1", der="bat1", by="ops", remaining_s=60.0, schedule=parts).now()
    bound = Bound(by="bms_guard", rank=0, what=What.CEILING, value=0.0)
    decision = Decision(der="bat1", setpoint=Setpoint(p_target_w=0.0), bound_by=(bound,))
    for requests in ((plan,), ()):
        state = make.site(make.battery(p_w=0.0), requests=requests)
        deliveries.look(Tick(n=1, dt_s=1.0, state=state, memories={}, decisions=(decision,)))
    assert json.loads(sent[0].payload)["delivered"]["held"] == held


LIMIT = LimitRequest(id="a1", der="pv1", by="home", p_ceiling_w=2_000.0, remaining_s=60.0)


def test_who_asked_over_mqtt_hears_when_his_limit_binds_and_when_it_stops() -> None:
    office = Office()
    office.requests.put(LIMIT)
    office.look()
    office.requests.clear(None)
    office.look()
    office.look()
    assert [(m.topic, m.qos, m.retain) for m in office.sent] == [("notice/home", 1, False)] * 2
    assert [json.loads(m.payload) for m in office.sent] == [
        {"id": "a1", "command": "limit_power", "result": "binds", "code": None,
         "text": "home's limit of 2000 W for pv1 binds now", "t": "noon"},
        {"id": "a1", "command": "limit_power", "result": "cleared", "code": None,
         "text": "home's limit of 2000 W for pv1 was cleared", "t": "noon"},
    ]  # fmt: skip
    assert office.told == [
        ("request_changed", "pv1", "home's limit of 2000 W for pv1 binds now"),
        ("request_changed", "pv1", "home's limit of 2000 W for pv1 was cleared"),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeRequest(Request):
    """A kind that this table was not written for."""

    called: ClassVar[str] = "charge"
    min_pct: float


def test_a_request_of_any_kind_is_told_with_what_it_asks_for() -> None:
    office = Office()
    office.requests.put(
        ChargeRequest(id="c1", kind="hold_charge", der="bat1", by="home", min_pct=40.0, remaining_s=60.0)
    )
    office.look()
    assert office.told == [("request_changed", "bat1", "home's charge of 40 % for bat1 binds now")]


def test_who_asked_over_the_socket_and_a_site_without_a_broker_have_the_event_alone() -> None:
    office = Office()
    office.requests.put(LimitRequest(id="local-1", der=None, by="anna", p_ceiling_w=2_000.0, remaining_s=60.0))
    office.look()
    assert office.sent == [] and office.told == [
        ("request_changed", "", "anna's limit of 2000 W for the site binds now")
    ]
    alone = Office(outbox=Outbox(shut=True))
    alone.requests.put(BatteryRequest(id="b", der="bat1", by="ops", p_target_w=-500.0, remaining_s=60.0))
    alone.look()
    assert alone.sent == [] and alone.told == [
        ("request_changed", "bat1", "ops's setpoint of -500 W for bat1 binds now")
    ]


def test_of_a_schedule_the_interval_is_told_that_lasts() -> None:
    schedule = (Limits(from_s=60.0, to_s=30.0, export_w=1000.0),)
    event = EventRequest(id="e", der=None, by="dso", remaining_s=60.0, schedule=schedule)
    assert named(event.now()) == "dso's demand-response event: interval 1 of 1, export 1000 W for the site"
