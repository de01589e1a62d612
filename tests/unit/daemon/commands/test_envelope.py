"""What stands around a command: which message is one, when its id may be used again, and what must be saved."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from derctl.daemon.commands.desk import Desk
from derctl.daemon.log import logger
from derctl.daemon.requests import Requests
from derctl.store.answered import JUMP_S
from derctl.store.outbox import Message
from tests.unit.daemon.commands.test_desk import NOON, House, World, code_of, command, value


class Work:
    """A desk with all that it needs."""

    def __init__(self, tmp_path: Path, *, synced: bool = True) -> None:
        self.world = World(tmp_path)
        if synced:
            self.world.set_clock()
        self.house = House(Requests(lambda: self.world.monotonic_s))
        self.desk = Desk(self.house.reach, self.world.clock, logger(), may_arm=frozenset({"ops"}))


async def test_a_command_is_answered_on_its_principals_topic_and_the_answer_must_arrive(tmp_path: Path) -> None:
    sent: list[Message] = []
    take = Work(tmp_path).desk.on_mqtt(sent.append)
    await take("cmd/anna/ping", command(), False)
    (reply,) = sent
    assert (reply.topic, reply.qos, reply.retain) == ("reply/anna", 1, False)
    assert json.loads(reply.payload)["text"] == "pong"


@pytest.mark.parametrize("topic", ["cmd/anna", "cmd/anna/ping/now", "event/anna/ping"])
async def test_another_topic_is_no_command(tmp_path: Path, topic: str) -> None:
    sent: list[Message] = []
    await Work(tmp_path).desk.on_mqtt(sent.append)(topic, command(), False)
    assert sent == []


async def test_a_retained_message_that_is_taken_back_is_answered_by_nothing(tmp_path: Path) -> None:
    sent: list[Message] = []
    await Work(tmp_path).desk.on_mqtt(sent.append)("cmd/anna/ping", b"", False)
    assert sent == []


async def test_an_id_is_forgotten_when_nobody_could_replay_it_any_more(tmp_path: Path) -> None:
    """An hour after its end, which a clock may jump; whoever sends the next one, and however long it was silent."""
    work = Work(tmp_path)
    await work.desk.by_mqtt("anna", "clear", command(id="first"), False)
    work.world.later(600.0 + JUMP_S)
    await code_of(work.desk, "clear", command(id="second", age_s=-600.0 - JUMP_S))
    assert {who: set(each.ids) for who, each in work.desk.seen.items()} == {"ops": {"second"}}


@pytest.mark.parametrize("wall_s", [0.0, NOON.timestamp() + 3e8])
async def test_without_a_clock_no_id_is_forgotten_and_none_once_it_is_set(tmp_path: Path, wall_s: float) -> None:
    """A machine that starts in 1970, or in ten years, and whose clock is set: the command is still alive then."""
    work = Work(tmp_path, synced=False)
    work.world.wall_s = wall_s
    recorded = command(id="first", expires_s=1800)
    assert await code_of(work.desk, "disarm", recorded) is None
    work.world.later(86_400.0)
    assert await code_of(work.desk, "disarm", command(id="other")) is None
    assert await code_of(work.desk, "disarm", recorded) == "replayed"
    work.world.wall_s = NOON.timestamp() + 600.0
    work.world.set_clock()
    assert await code_of(work.desk, "disarm", command(id="third", age_s=-600.0)) is None
    assert await code_of(work.desk, "disarm", recorded) == "replayed"


async def test_a_command_from_a_clock_that_is_ahead_lives_no_longer_than_it_says(tmp_path: Path) -> None:
    work = Work(tmp_path)
    assert await code_of(work.desk, "limit_power", command(p_ceiling_w=4000, age_s=-20.0)) is None
    assert [request.remaining_s for request in work.house.requests.alive()] == [600.0]


async def test_without_a_clock_a_limit_is_admitted_since_it_raises_nothing(tmp_path: Path) -> None:
    """A looser one lifts no tighter one that is alive."""
    work = Work(tmp_path, synced=False)
    for watts in (3000.0, 4000.0, 2000.0):
        sent = command(id=f"to {watts}", p_ceiling_w=watts, der="pv1")
        assert await code_of(work.desk, "limit_power", sent) is None
        assert min(value(request) for request in work.house.requests.alive()) == min(watts, 3000.0)


async def test_a_disarm_is_saved_before_it_releases_and_says_what_became_of_that(tmp_path: Path) -> None:
    work = Work(tmp_path)
    reply = await work.desk.by_mqtt("anna", "disarm", command(), retained=False)
    assert work.house.saved_before_release == [1]
    assert (work.house.armed, reply["text"]) == (["disarm"], "pv1: released, bat1: exception 4")


async def test_nobody_arms_while_a_release_is_under_way(tmp_path: Path) -> None:
    work = Work(tmp_path)
    work.house.releasing = True
    assert await code_of(work.desk, "arm", command()) == "not_ready"
    assert work.house.armed == []


async def test_a_disarm_that_comes_while_an_arm_looks_for_devices_is_the_last_word(tmp_path: Path) -> None:
    work = Work(tmp_path)
    work.house.looking = lambda: work.house.armed.append("disarm")
    reply = await work.desk.by_mqtt("ops", "arm", command(confirm="c0ffee"), retained=False)
    assert (reply["code"], work.house.armed) == ("not_ready", ["looked", "disarm"])
    assert "a disarm came meanwhile" in reply["text"]


async def test_a_question_changes_nothing_that_has_to_be_saved(tmp_path: Path) -> None:
    work = Work(tmp_path)
    await code_of(work.desk, "ping", command())
    assert work.house.changes == 0


async def test_what_is_admitted_while_nothing_leaves_says_so(tmp_path: Path) -> None:
    work = Work(tmp_path)
    work.house.open = False
    reply = await work.desk.by_mqtt("anna", "limit_power", command(p_ceiling_w=1.0), retained=False)
    assert (reply["result"], reply["text"]) == (
        "admitted",
        "until 2026-11-21T12:10:00.000Z, but nothing is written in observe mode",
    )


async def test_a_rating_that_is_not_known_yet_bounds_no_limit(tmp_path: Path) -> None:
    work = Work(tmp_path)
    work.house.pv1_w = 0.0
    assert await code_of(work.desk, "limit_power", command(p_ceiling_w=60_000)) is None
