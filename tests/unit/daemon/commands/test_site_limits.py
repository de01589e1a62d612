"""Limits of the site and envelopes as they come in: what is admitted, and what is refused with which range."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from derctl.core.requests import EnvelopeRequest
from derctl.core.types import SiteState
from derctl.core.words import Standing
from derctl.daemon.clock import Clock
from derctl.daemon.commands.desk import Desk
from derctl.daemon.commands.parts import PARTS_MAX
from derctl.daemon.log import logger
from derctl.daemon.requests import Requests, from_plain, to_plain
from derctl.errors import CommandError
from tests import make

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@dataclass
class House:
    """A house of which the site file has these functions, and a clock that the test moves."""

    kinds: tuple[str, ...] = ("grid_limits", "owner_limits")
    passed_s: float = 0.0
    ids: Iterator[int] = field(default_factory=lambda: iter(range(10_000)))
    synced: str = "assume"

    def __post_init__(self) -> None:
        self.requests = Requests(lambda: 50.0 + self.passed_s)
        self.gate = SimpleNamespace(open=True)
        self.plan = SimpleNamespace(site_functions=[(SimpleNamespace(kind=kind), ()) for kind in self.kinds])
        clock = Clock(self.synced, lambda: NOON.timestamp() + self.passed_s)
        self.desk = Desk(cast(Any, self), clock, logger())

    def state(self) -> SiteState:
        return make.site(make.pv(), make.battery())

    async def save(self) -> None:
        return

    async def send(self, name: str, *, by: str = "dso", expires_s: float = 3600.0, **args: Any) -> dict[str, Any]:
        issued = NOON + timedelta(seconds=self.passed_s)
        sent = {"id": f"c{next(self.ids)}", "issued_at": issued, "expires_s": expires_s} | args
        return await self.desk.by_mqtt(by, name, msgspec.json.encode(sent), False)

    @property
    def alive(self) -> list[Any]:
        return [*self.requests.alive()]


def at(minutes: float, **limits: Any) -> dict[str, Any]:
    return {"start": (NOON + timedelta(minutes=minutes)).isoformat()} | limits


def until(minutes: float) -> str:
    return (NOON + timedelta(minutes=minutes)).isoformat()


TWO = [at(-10, export_w=5_000), at(10, end=until(30), export_w=1_500, import_w=6_000)]


@pytest.mark.parametrize("name", ["grid_limit", "owner_limit"])
async def test_a_limit_is_held_until_its_end(name: str) -> None:
    house = House()
    reply = await house.send(name, export_w=3_000.0, generation_w=0.0)
    assert (reply["result"], reply["text"]) == ("admitted", "until 2026-11-21T13:00:00.000Z")
    [held] = house.alive
    assert (held.kind, held.by, held.export_w, held.import_w, held.generation_w) == (name, "dso", 3e3, None, 0.0)
    house.passed_s = 3600.0
    assert house.alive == []


@pytest.mark.parametrize("name", ["grid_limit", "owner_limit", "operating_envelope"])
async def test_a_site_without_the_function_takes_none(name: str) -> None:
    args: dict[str, Any] = {"intervals": TWO} if name == "operating_envelope" else {"export_w": 1.0}
    reply = await House(kinds=()).send(name, **args)
    assert reply["code"] == "no_function"
    assert ("owner_limits" if name == "owner_limit" else "grid_limits") in reply["text"]


@pytest.mark.parametrize(
    ("args", "code", "text"),
    [
        ({}, "bad_argument", "give one of export_w, import_w, generation_w"),
        ({"export_w": -1.0}, "out_of_range", "export_w = -1 is outside 0 to 1e+08 W"),
        ({"import_w": 1e9}, "out_of_range", "import_w = 1e+09 is outside 0 to 1e+08 W"),
        ({"generation_w": "much"}, "bad_argument", "generation_w: 'much'"),
        ({"export_w": 1.0, "load_w": 1.0}, "bad_argument", "load_w"),
    ],
)
async def test_a_limit_that_is_none_is_refused_with_its_range(args: dict[str, Any], code: str, text: str) -> None:
    house = House()
    reply = await house.send("grid_limit", **args)
    assert reply["code"] == code and text in reply["text"] and house.alive == []


async def test_an_envelope_counts_interval_by_interval() -> None:
    house = House()
    reply = await house.send("operating_envelope", intervals=TWO)
    assert reply["text"] == "until 2026-11-21T13:00:00.000Z; interval 1 of 2 counts now"
    shown = []
    for minutes in (0, 9, 11, 29, 31):
        house.passed_s = 60.0 * minutes
        [held] = house.alive
        shown.append((held.part, held.export_w, held.import_w))
    first, second = (1, 5_000.0, None), (2, 1_500.0, 6_000.0)
    assert shown == [first, first, second, second, (None, None, None)]


async def test_between_its_intervals_an_envelope_waits_for_nobody() -> None:
    """`waits: a tighter one binds` was said of one that just says nothing."""
    house = House()
    await house.send(
        "operating_envelope", intervals=[at(10, end=until(20), export_w=1), at(30, end=until(40), export_w=1)]
    )
    moved = []
    for minutes in (0, 11, 21, 31, 41):
        house.passed_s = 60.0 * minutes
        [held] = house.alive
        moved.append(([standing for _, standing in house.requests.news()], house.requests.binds(held)))
    assert moved == [([], False), ([Standing.BINDS], True), ([], False), ([], True), ([], False)]
    await house.send("operating_envelope", by="agg", intervals=[at(41, end=until(50), export_w=9)])
    house.passed_s = 42 * 60.0
    assert [(each.by, house.requests.binds(each)) for each in house.alive] == [("dso", False), ("agg", True)]


async def test_a_later_envelope_of_the_same_sender_takes_its_place_and_another_s_stands_beside_it() -> None:
    house = House()
    await house.send("operating_envelope", intervals=TWO)
    await house.send("operating_envelope", intervals=[at(0, end=until(5), export_w=9_000)])
    assert [each.export_w for each in house.alive] == [9_000.0]
    await house.send("operating_envelope", by="other", intervals=TWO)
    assert {each.by: each.export_w for each in house.alive} == {"dso": 9_000.0, "other": 5_000.0}
    assert [house.requests.binds(each) for each in house.alive] == [False, True]
    house.passed_s = 660.0  # the first has said its last
    assert [house.requests.binds(each) for each in house.alive] == [False, True]


@pytest.mark.parametrize(
    ("intervals", "code", "text"),
    [
        ([], "out_of_range", "0 intervals are outside 1 to 288"),
        ([at(n, export_w=1) for n in range(PARTS_MAX + 1)], "too_large|out_of_range", ""),
        ([at(0, export_w=1)], "bad_argument", "intervals[0].end is missing"),
        ([at(0, end=until(0), export_w=1)], "bad_argument", "intervals[0] does not end after its start"),
        (
            [at(0, end=until(9), export_w=1), at(5, end=until(20), export_w=1)],
            "bad_argument",
            "intervals[1] starts 240",
        ),
        ([at(-9, end=until(-1), export_w=1)], "expired", "all intervals are over"),
        ([at(90, end=until(99), export_w=1)], "out_of_range", "no interval begins before the command ends"),
        ([at(0, end=until(9))], "bad_argument", "intervals[0] says nothing"),
        ([at(0, end=until(9), export_w=-5)], "out_of_range", "intervals[0].export_w = -5 is outside 0"),
        (5, "bad_argument", "intervals: 5 is no list"),
        ([{"start": "noon", "export_w": 1}], "bad_argument", "$[0].start"),
        ([{"start": "2026-11-21T12:00:00", "export_w": 1}], "bad_argument", "intervals[0].start needs a time zone"),
        ([at(0, end="2026-11-21T13:00:00", export_w=1)], "bad_argument", "intervals[0].end needs a time zone"),
    ],
)
async def test_an_envelope_that_is_none_is_refused_with_what_is_wrong(intervals: Any, code: str, text: str) -> None:
    house = House()
    reply = await house.send("operating_envelope", intervals=intervals)
    assert reply["code"] in code.split("|") and text in reply["text"] and house.alive == []


async def test_without_a_clock_an_envelope_waits_and_a_limit_does_not(tmp_path: Any) -> None:
    house = House(synced=str(tmp_path / "not yet"))
    assert (await house.send("operating_envelope", intervals=TWO))["code"] == "clock_unsynced"
    assert (await house.send("grid_limit", export_w=1.0))["result"] == "admitted"


async def test_a_restart_finds_the_interval_that_is_now_and_without_a_clock_none() -> None:
    house = House()
    await house.send("operating_envelope", intervals=TWO)
    [held] = house.requests.held.values()
    plain = msgspec.json.decode(msgspec.json.encode(to_plain(held, wall=1_000.0, now_s=50.0)))
    later = from_plain(plain, wall=1_000.0 + 900.0)  # derctl was away for a quarter of an hour
    assert isinstance(later, EnvelopeRequest) and later.now().part == 2
    assert from_plain(plain, wall=None).remaining_s == 0.0
    assert from_plain(plain | {"ends": None}, wall=5.0).remaining_s == 0.0


async def test_over_the_socket_it_is_the_same() -> None:
    house = House()
    await house.desk.local("operating_envelope", {"intervals": TWO, "expires_s": 60.0}, "anna")
    assert [(each.by, each.part) for each in house.alive] == [("anna", 1)]
    with pytest.raises(CommandError, match="says nothing"):
        await house.desk.local("owner_limit", {}, "anna")
