"""The broker's side: nothing is kept for a site without one, and another site file may bring or take it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from derctl.core.types import Outcome, Tick
from derctl.core.words import Mode, Record, Refusal, Seen
from derctl.daemon.actuate.standing import Standing
from derctl.daemon.clock import Clock
from derctl.daemon.commands.desk import Desk
from derctl.daemon.known import Known
from derctl.daemon.log import logger
from derctl.daemon.uplink import Uplink, publish_all
from derctl.errors import CommandError
from derctl.site.schema import HomeAssistantSection, MqttSection, SiteFile, SiteSection
from derctl.store.outbox import Message, Outbox
from tests import make

HELD = Standing(p_ceiling_w=2000.0, seen=Seen.READ_BACK, record=Record.LEFT)
BROKER = MqttSection(host="127.0.0.1")


class Tasks:
    """Keeps what was started and dropped, and runs none of it."""

    def __init__(self) -> None:
        self.done: list[tuple[str, str]] = []

    def guard(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        self.done.append(("started", name))

    async def drop(self, name: str) -> None:
        self.done.append(("dropped", name))


def file(mqtt: MqttSection | None, *, secret: str | None = None, name: str = "house-12") -> Any:
    content = SiteFile(version=1, site=SiteSection(id=name, v_nom_v=230.0, f_nom_hz=50), buses=[], ders=[], mqtt=mqtt)
    return SimpleNamespace(file=content, secret=secret, plan=SimpleNamespace(der_functions=()))


def uplink(mqtt: MqttSection | None) -> Uplink:
    reach = cast(Any, SimpleNamespace(known=Known()))
    desk = Desk(reach, Clock("assume"), logger())
    return Uplink(file(mqtt), Outbox(), desk, lambda: b"{}", lambda *event: None, lambda name: HELD)


def told(link: Uplink) -> list[str]:
    return [*(each.topic for each in link.outbox.ordered), *link.outbox.latest]


def tick() -> Tick:
    state = make.site(make.pv())
    return Tick(n=1, dt_s=1.0, state=state, memories={}, decisions=())


def test_a_site_without_a_broker_has_no_session_and_keeps_no_message() -> None:
    alone, tasks = uplink(None), Tasks()
    alone.start(cast(Any, tasks))
    alone.outbox.put(Message(topic="event", payload=b"{}", qos=1))
    alone.report(tick(), {}, Mode.CONTROL)
    alone.last({"pv1": cast(Any, None)})
    assert (tasks.done, told(alone), alone.view()) == ([], [], None)


def test_a_tick_says_what_was_measured_and_what_stands_in_each_device() -> None:
    site, tasks = uplink(BROKER), Tasks()
    site.start(cast(Any, tasks))
    writer = cast(Any, SimpleNamespace(account=SimpleNamespace(outcome=Outcome())))
    site.report(tick(), {"pv1": writer}, Mode.CONTROL)
    assert tasks.done == [("started", "mqtt")]
    assert told(site) == ["der/pv1/measurement", "der/pv1/outcome", "requests", "der/pv1/standing"]


def test_the_last_word_is_what_stays_standing_though_it_was_told_a_moment_ago() -> None:
    site = uplink(BROKER)
    writers = {"pv1": cast(Any, SimpleNamespace(account=SimpleNamespace(outcome=Outcome())))}
    site.report(tick(), writers, Mode.OBSERVE)
    site.outbox.sent(site.outbox.latest["der/pv1/standing"])
    site.last(writers)
    left = site.outbox.latest["der/pv1/standing"]
    assert left.retain and json.loads(left.payload)["p_ceiling_w"] == 2000.0


@pytest.mark.parametrize(
    ("after", "other"),
    [
        (file(BROKER), False),
        (file(MqttSection(host="127.0.0.1", measurement_every_s=7.0)), True),
        (file(BROKER, secret="s"), True),
        (file(BROKER, name="house-13"), True),
        (file(None), True),
    ],
)
def test_another_site_file_wants_another_session_where_that_depends_on_what_changed(after: Any, other: bool) -> None:
    assert uplink(BROKER).takes(after) is other


async def test_a_broker_that_comes_with_a_file_is_told_from_then_on() -> None:
    site, tasks = uplink(None), Tasks()
    assert site.takes(file(BROKER))
    site.outbox.put(Message(topic="event", payload=b"{}", qos=1))
    await site.restart(cast(Any, tasks))
    assert tasks.done == [("dropped", "mqtt"), ("started", "mqtt")]
    assert told(site) == ["event"] and site.link is not None and site.telemetry is not None


async def test_a_broker_that_leaves_with_a_file_is_told_no_more() -> None:
    site, tasks = uplink(BROKER), Tasks()
    assert site.takes(file(None))
    site.outbox.put(Message(topic="event", payload=b"{}", qos=1))
    await site.restart(cast(Any, tasks))
    assert (tasks.done, told(site), site.link) == ([("dropped", "mqtt")], [], None)


def test_each_session_hears_what_is_measured_now_and_all_that_is_retained() -> None:
    """A broker without a memory began anew, and what waited for it may be a minute old."""
    site = uplink(BROKER)
    writers = {"pv1": cast(Any, SimpleNamespace(account=SimpleNamespace(outcome=Outcome())))}

    def said(t_s: float) -> list[str]:
        site.outbox.latest.clear()
        site.report(replace(tick(), state=replace(tick().state, t_s=t_s)), writers, Mode.CONTROL)
        return [*site.outbox.latest]

    all_of_it = ["der/pv1/measurement", "der/pv1/outcome", "requests", "der/pv1/standing"]
    assert (said(0.0), said(5.0)) == (all_of_it, [])
    assert site.link is not None
    site.link.on_change(False, "lost")
    assert said(10.0) == []
    site.link.on_change(True, "connected")
    assert (said(11.0), said(16.0)) == (all_of_it, [])


async def test_nobody_waits_for_a_broker_that_is_not_there() -> None:
    site = uplink(BROKER)
    site.outbox.put(Message(topic="event", payload=b"{}", qos=1))
    await site.emptied(3600.0)
    assert told(site) == ["event"]


def test_home_assistant_hears_of_the_site_at_each_session_and_between_them_only_of_what_changed() -> None:
    home = MqttSection(host="127.0.0.1", home_assistant=HomeAssistantSection())
    site = uplink(home)
    topic = "homeassistant/device/derctl_default_house-12/config"

    def announced(t_s: float) -> bool:
        site.outbox.latest.clear()
        site.report(replace(tick(), state=replace(tick().state, t_s=t_s)), {}, Mode.CONTROL)
        return topic in site.outbox.latest

    assert [announced(t_s) for t_s in (0.0, 10.0)] == [True, False]
    assert site.link is not None
    site.link.on_change(True, "connected")
    assert [announced(t_s) for t_s in (11.0, 20.0)] == [True, False]


def test_all_that_is_retained_goes_out_once_more_when_somebody_asks() -> None:
    link = uplink(BROKER)
    link.report(tick(), {}, Mode.CONTROL)
    first = told(link)
    link.outbox.latest.clear()
    link.report(tick(), {}, Mode.CONTROL)
    assert told(link) == []
    publish_all(link)
    link.report(tick(), {}, Mode.CONTROL)
    assert {*told(link)} == {*first, "online"} and "poc" not in first


def test_without_a_broker_there_is_nowhere_to_publish() -> None:
    with pytest.raises(CommandError) as caught:
        publish_all(uplink(None))
    assert caught.value.code == Refusal.NOT_READY
