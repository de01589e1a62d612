"""What may let more power through waits for a clock that can be believed, in its order, and over a restart."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest

from derctl.core.requests import BatteryRequest, LimitRequest, StopRequest
from derctl.daemon.commands.desk import Desk
from derctl.daemon.commands.line import Line
from derctl.daemon.commands.rows import COMMANDS
from derctl.daemon.commands.stories import Stories
from derctl.daemon.log import logger
from derctl.daemon.requests import Requests
from derctl.daemon.waiting import WAITING_MAX, Waiting
from derctl.errors import CommandError
from derctl.links.ending import end
from derctl.store.outbox import Message
from tests.unit.daemon.commands.test_desk import NOON, House, World, command


@dataclass
class Dark:
    """A house whose machine booted in 1970."""

    tmp: Path
    sent: list[Message] = field(default_factory=list)
    notes: list[tuple[Any, ...]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.world = World(self.tmp, wall_s=86_400.0)
        self.house = House(Requests(lambda: self.world.monotonic_s))
        self.desk = self.another()

    def another(self) -> Desk:
        """As a daemon has it that starts on the same requests."""
        stories = Stories(self.house.requests, self.world.clock, self.sent.append)
        desk = Desk(self.house.reach, self.world.clock, logger(), stories=stories)
        self.line = Line(desk, self.sent.append)
        desk.note = lambda *given, **more: self.notes.append(given)
        return desk

    async def ask(self, name: str, who: str = "ops", **fields: Any) -> dict[str, Any]:
        return await self.desk.by_mqtt(who, name, command(**fields), False, b"\x01\xff")

    async def set_clock(self, passed_s: float = 60.0) -> None:
        """The time arrives: so long after noon."""
        self.world.set_clock()
        self.world.wall_s = NOON.timestamp() + passed_s
        self.world.monotonic_s += passed_s
        await self.line.catch_up()

    @property
    def told(self) -> list[tuple[Any, ...]]:
        found = [json.loads(each.payload) for each in self.sent]
        return [(each["id"], each["result"], each["code"], each["n"], each["last"]) for each in found]

    @property
    def alive(self) -> list[tuple[str, str]]:
        return [(each.by, each.id) for each in self.house.requests.alive()]


@pytest.fixture
def dark(tmp_path: Path) -> Dark:
    return Dark(tmp_path)


SETPOINT: dict[str, Any] = {"der": "bat1", "p_target_w": -500.0}


async def test_it_waits_and_is_admitted_once_the_clock_is_set(dark: Dark) -> None:
    said = await dark.ask("set_battery_power", id="s", **SETPOINT)
    assert (said["result"], said["code"], said["n"], said["last"]) == ("waiting", "clock_unsynced", 1, False)
    assert (dark.alive, dark.house.changes) == ([], 1), "it is on disk, and nothing is asked for"
    await dark.line.catch_up()
    assert dark.sent == []
    await dark.set_clock(100.0)
    assert dark.told == [("s", "admitted", None, 2, False)]
    assert (dark.sent[0].topic, dark.sent[0].correlation) == ("reply/ops", b"\x01\xff")
    [held] = dark.house.requests.alive()
    assert isinstance(held, BatteryRequest) and held.remaining_s == pytest.approx(500.0), "its own time goes on"
    assert [each[2].rpartition(": ")[2] for each in dark.notes] == ["waiting", "admitted"]
    await dark.line.catch_up()
    assert len(dark.sent) == 1


@pytest.mark.parametrize(
    ("passed_s", "fields", "code"),
    [
        (601.0, {}, "expired"),
        (-60.0, {}, "not_yet_valid"),
        (60.0, {"der": "pv1"}, "no_function"),
        (60.0, {"p_target_w": 9e9}, "out_of_range"),
    ],
)
async def test_what_is_wrong_with_it_is_said_once_that_can_be_known(
    dark: Dark, passed_s: float, fields: dict[str, Any], code: str
) -> None:
    assert (await dark.ask("set_battery_power", **SETPOINT | fields))["result"] == "waiting"
    await dark.set_clock(passed_s)
    assert dark.told == [("a1b2", "refused", code, 2, True)]
    assert dark.alive == []


async def test_a_clock_that_is_never_set_refuses_it_at_its_end(dark: Dark) -> None:
    await dark.ask("set_battery_power", id="long", expires_s=900, **SETPOINT)
    await dark.ask("set_battery_power", id="short", **SETPOINT)
    dark.world.later(599.0)
    await dark.line.catch_up()
    assert dark.told == []
    dark.world.later(1.0)
    await dark.line.catch_up()
    assert dark.told == [("short", "refused", "expired", 2, True)]
    assert [each.id for each in dark.line.waiting.line] == ["long"]


async def test_nonsense_and_a_second_time_are_refused_at_once(dark: Dark) -> None:
    assert (await dark.ask("set_battery_power", id="1", der="bat1"))["code"] == "bad_argument"
    assert (await dark.ask("set_battery_power", id="2", **SETPOINT))["result"] == "waiting"
    assert (await dark.ask("set_battery_power", id="2", **SETPOINT))["code"] == "replayed"
    assert (await dark.ask("set_battery_power", id="3", expires_s=0, **SETPOINT))["code"] == "out_of_range"
    assert len(dark.line.waiting.line) == 1


@pytest.mark.parametrize("name", [name for name, row in COMMANDS.items() if row.relaxing and not row.waits])
async def test_a_word_on_what_somebody_sees_now_does_not_wait(dark: Dark, name: str) -> None:
    """Two words that wait would arm a house that nobody looks at."""
    dark.desk.may_arm = frozenset({"ops"})
    said = await dark.ask(name, **({"der": "pv1"} if name == "replace" else {}))
    assert (said["result"], said["code"], said["last"]) == ("refused", "clock_unsynced", True)
    assert dark.line.waiting.line == [] and not dark.desk.seen, "its id may be used again"


async def test_of_one_principal_so_many_wait_and_another_has_room(dark: Dark) -> None:
    for n in range(WAITING_MAX):
        assert (await dark.ask("clear", id=str(n)))["result"] == "waiting"
    assert (await dark.ask("clear", id="more"))["code"] == "too_many"
    assert (await dark.ask("clear", "home", id="home"))["result"] == "waiting"


async def test_they_go_in_their_order_and_before_what_comes_once_the_clock_is_set(dark: Dark) -> None:
    """A setpoint, a clear behind it, another setpoint: what counts is the last, as if none had waited."""
    await dark.ask("set_battery_power", id="1", **SETPOINT)
    await dark.ask("clear", id="2")
    await dark.ask("set_battery_power", id="3", der="bat1", p_target_w=100.0)
    dark.world.set_clock()
    dark.world.wall_s = NOON.timestamp() + 1.0
    said = await dark.ask("limit_power", id="4", der="pv1", p_ceiling_w=1000.0)
    assert said["result"] == "admitted"
    assert dark.told == [
        ("1", "admitted", None, 2, False),
        ("2", "admitted", None, 2, True),
        ("3", "admitted", None, 2, False),
    ]
    assert dark.alive == [("ops", "3"), ("ops", "4")]


async def test_a_clear_that_waited_takes_back_nothing_that_came_after_it(dark: Dark) -> None:
    await dark.ask("limit_power", id="before", der="pv1", p_ceiling_w=3000.0)
    await dark.ask("clear", id="c")
    await dark.ask("limit_power", "home", id="after", der="pv1", p_ceiling_w=1000.0)
    await dark.set_clock()
    assert dark.alive == [("home", "after")]


async def test_a_stop_that_came_after_a_lift_stands(dark: Dark) -> None:
    dark.desk.may_arm = frozenset({"ops"})
    await dark.ask("emergency_stop", id="stop1")
    await dark.ask("lift_stop", id="lift")
    await dark.ask("emergency_stop", "home", id="stop2")
    await dark.set_clock()
    [left] = dark.house.requests.alive()
    assert isinstance(left, StopRequest) and left.id == "stop2"


async def test_a_setpoint_that_waited_takes_no_later_one_s_place(dark: Dark) -> None:
    await dark.ask("set_battery_power", id="old", **SETPOINT)
    await dark.desk.local("set_battery_power", {"der": "bat1", "p_target_w": 200.0}, "anna")
    await dark.set_clock()
    assert dark.told == [("old", "refused", "overtaken", 2, True)]
    assert [each.by for each in dark.house.requests.alive()] == ["anna"]


async def test_a_looser_change_waits_and_overtakes_no_tighter_limit(dark: Dark) -> None:
    for name, watts in (("a", 2000.0), ("b", 3000.0), ("c", 1000.0)):
        await dark.ask("change_limit", id=name, der="pv1", p_ceiling_w=watts)
    assert dark.alive == [("ops", "c")]
    await dark.set_clock()
    assert dark.told[0] == ("b", "refused", "overtaken", 2, True)
    [left] = dark.house.requests.alive()
    assert isinstance(left, LimitRequest) and left.p_ceiling_w == 1000.0


async def test_a_clear_at_the_machine_drops_what_waits_unless_it_can_t_be_saved(dark: Dark) -> None:
    """The grid operator's envelope stays, as one that is alive would."""
    part = {"start": "2026-11-21T12:00:00Z", "end": "2026-11-21T12:05:00Z", "export_w": 1000.0}
    await dark.ask("operating_envelope", "grid", id="e", intervals=[part])
    await dark.ask("set_battery_power", id="s", **SETPOINT)
    dark.house.full = True
    with pytest.raises(CommandError):
        await dark.desk.local("clear", {}, "anna")
    assert [each.id for each in dark.line.waiting.line] == ["e", "s"]
    dark.house.full = False
    assert await dark.desk.local("clear", {"der": "pv1"}, "anna") == (
        "nothing to drop: no operator asked for anything of pv1"
    )
    assert await dark.desk.local("clear", {}, "anna") == "1 request dropped"
    await dark.line.catch_up()
    assert dark.told == [("s", "refused", "overtaken", 2, True)]
    assert "anna: clear" in json.loads(dark.sent[0].payload)["text"]
    assert [each.id for each in dark.line.waiting.line] == ["e"]


async def test_a_disk_that_takes_nothing_lets_nobody_wait(dark: Dark) -> None:
    dark.house.full = True
    assert (await dark.ask("clear", id="c"))["code"] == "not_saved"
    assert dark.line.waiting.line == []


async def test_they_outlive_a_restart_with_what_is_left_of_them(dark: Dark) -> None:
    """As JSON. What came before the restart is still what a clear may take back; one that can't be read is said."""
    await dark.ask("limit_power", id="l", der="pv1", p_ceiling_w=3000.0)
    await dark.ask("clear", id="c")
    await dark.ask("set_battery_power", id="s", **SETPOINT)
    dark.world.later(100.0)
    saved = msgspec.json.decode(msgspec.json.encode(dark.line.waiting.plain(dark.world.monotonic_s)))
    dark.world.monotonic_s = 5.0
    dark.house.requests.waiting = Waiting()
    dark.desk = dark.another()
    bad: list[str] = []
    dark.line.waiting.restore([*saved, {"id": 7}, {"correlation": "%", "left_s": 1}], 5.0, bad.append)
    assert len(bad) == 2
    assert [(each.id, each.ends_s) for each in dark.line.waiting.line] == [("c", 505.0), ("s", 505.0)]
    await dark.set_clock(200.0)
    assert dark.told == [("c", "admitted", None, 2, True), ("s", "admitted", None, 2, False)]
    assert dark.alive == [("ops", "s")]
    assert dark.sent[0].correlation == b"\x01\xff"


async def test_nobody_is_admitted_before_it_was_told_that_it_waits(dark: Dark) -> None:
    """The time arrives while the disk still writes."""
    writing, written = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        writing.set()
        await written.wait()

    dark.house.save = slow
    dark.desk = dark.another()
    asked = asyncio.create_task(dark.ask("clear", id="c"))
    await writing.wait()
    await dark.set_clock()
    assert dark.told == []
    written.set()
    assert (await asked)["result"] == "waiting"
    await dark.line.catch_up()
    assert dark.told == [("c", "admitted", None, 2, True)]


async def test_it_is_looked_by_itself_whether_the_time_has_come(dark: Dark) -> None:
    seen = asyncio.Event()
    await dark.ask("clear", id="c")
    dark.line.send = lambda message: seen.set()
    dark.world.set_clock()
    dark.world.wall_s = NOON.timestamp()
    task = asyncio.create_task(dark.line.run())
    await seen.wait()
    await end([task])


def test_nothing_waits_at_first() -> None:
    assert Waiting().next(0.0, synced=True) is None
