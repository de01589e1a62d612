"""Commands that only look: bounded, not too often, for whom they are, and no setpoint moves."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from derctl.core.words import Refusal
from derctl.daemon.commands.answer import REPLY_MAX
from derctl.daemon.commands.desk import Desk
from derctl.daemon.commands.rights import rights_of
from derctl.daemon.commands.views import TEXT_MAX, Views, bounded
from derctl.daemon.log import logger
from derctl.daemon.requests import Requests
from derctl.errors import CommandError
from derctl.site.schema import PrincipalSection
from tests.unit.daemon.commands.test_desk import House, World, command

PRINCIPALS = [
    PrincipalSection(name="ops"),
    PrincipalSection(name="agg", role="aggregator"),
    PrincipalSection(name="home", role="owner"),
    PrincipalSection(name="part", ders=["pv1"]),
]


class Site:
    def __init__(self, folder: Path) -> None:
        self.world = World(folder)
        self.world.set_clock()
        self.now_s, self.told, self.captures = 100.0, 0, 0
        self.page = ["all well"]
        self.house = House(Requests())
        views = Views(
            publish=self.publish,
            why=lambda der: f"{der} gives 3,000 W.",
            doctor=lambda: self.page,
            capture=self.capture,
            clock=lambda: self.now_s,
        )
        reach = replace(self.house.reach, views=views)
        self.desk = Desk(reach, self.world.clock, logger(), rights=rights_of(PRINCIPALS))
        self.count = 0

    def publish(self) -> str:
        self.told += 1
        return "again"

    async def capture(self) -> str:
        self.captures += 1
        return "/var/lib/derctl/capture.json"

    async def ask(self, who: str, name: str, **args: Any) -> dict[str, Any]:
        self.count += 1
        payload = command(id=f"{name}-{self.count}", **args)
        return await self.desk.by_mqtt(who, name, payload, False)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


async def test_each_is_answered_and_nothing_is_asked_for(site: Site) -> None:
    said = {name: await site.ask("ops", name, **args) for name, args in WORDS.items()}
    assert {name: (each["result"], each["text"]) for name, each in said.items()} == {
        "publish_all": ("admitted", "again"),
        "why": ("admitted", "pv1 gives 3,000 W."),
        "doctor": ("admitted", "all well"),
        "capture": ("admitted", "/var/lib/derctl/capture.json"),
    }
    assert site.house.requests.held == {} and site.house.armed == []


WORDS: dict[str, dict[str, Any]] = {"publish_all": {}, "why": {"der": "pv1"}, "doctor": {}, "capture": {}}


@pytest.mark.parametrize(
    ("who", "name", "may"),
    [
        ("agg", "publish_all", True),
        ("agg", "why", True),
        ("agg", "doctor", False),
        ("agg", "capture", False),
        ("home", "doctor", True),
        ("home", "capture", False),
        ("part", "why", True),
        ("part", "doctor", False),
        ("part", "capture", False),
    ],
)
async def test_who_may_what(site: Site, who: str, name: str, may: bool) -> None:
    said = await site.ask(who, name, **WORDS[name])
    assert said["code"] == (None if may else Refusal.NOT_PERMITTED)


async def test_who_has_some_ders_hears_nothing_of_another_one(site: Site) -> None:
    assert (await site.ask("part", "why", der="bat1"))["code"] == Refusal.NOT_PERMITTED
    assert (await site.ask("ops", "why", der="nobody"))["code"] == Refusal.NO_DER


@pytest.mark.parametrize(("name", "every_s"), [("publish_all", 10), ("why", 1), ("doctor", 10), ("capture", 60)])
async def test_each_has_its_pace(site: Site, name: str, every_s: float) -> None:
    assert (await site.ask("ops", name, **WORDS[name]))["result"] == "admitted"
    site.now_s += 0.9 * every_s
    said = await site.ask("ops", name, **WORDS[name])
    assert said["code"] == Refusal.RATE_LIMITED and f"once in {every_s:g} s: again in" in said["text"]
    site.now_s += 0.2 * every_s
    assert (await site.ask("ops", name, **WORDS[name]))["result"] == "admitted"


async def test_what_costs_much_is_paced_for_all_together(site: Site) -> None:
    assert (await site.ask("ops", "publish_all"))["result"] == "admitted"
    assert (await site.ask("agg", "publish_all"))["code"] == Refusal.RATE_LIMITED
    assert (await site.ask("ops", "why", der="pv1"))["result"] == "admitted"
    assert (await site.ask("agg", "why", der="pv1"))["result"] == "admitted"
    assert site.told == 1


async def test_who_is_at_the_device_waits_for_nobody(site: Site) -> None:
    for _ in range(3):
        assert await site.desk.local("doctor", {}) == "all well"


async def test_a_long_page_is_cut_and_says_how_much(site: Site) -> None:
    site.page = [f"device {n}: it does not answer, look at its cable" for n in range(4000)]
    text = (await site.ask("ops", "doctor"))["text"]
    lines = text.splitlines()
    left = 4000 - (len(lines) - 1)
    assert len(text) <= TEXT_MAX < REPLY_MAX and lines[:-1] == site.page[: len(lines) - 1]
    assert lines[-1] == f"… cut: {left} of 4000 lines are left out; derctl doctor on the device shows all"


@pytest.mark.parametrize("length", [1, 100, 101, 5000])
def test_what_is_bounded_has_its_bound(length: int) -> None:
    text = bounded(["x" * length], "look there", 100)
    assert len(text) <= 110 and (("cut:" in text) == (length > 100))
    assert text == "x" * length or text.endswith("characters are left out; look there")


async def test_a_daemon_that_can_not_tell_says_so() -> None:
    views = Views()
    for ask in (views.publish, lambda: views.why("pv1"), views.doctor):
        with pytest.raises(CommandError) as caught:
            ask()
        assert caught.value.code == Refusal.NOT_READY
    with pytest.raises(CommandError):
        await views.capture()
