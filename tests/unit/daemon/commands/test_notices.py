"""The owner of a limit hears of it: over the topic of his replies, and everybody as an event."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import ClassVar

from derctl.core.types import BatteryRequest, LimitRequest, Request
from derctl.daemon.commands.notices import Notices
from derctl.daemon.requests import Requests
from derctl.store.outbox import Message, Outbox


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
