"""Bounds on what comes from the broker: a message's size, and how many come of whom."""

from __future__ import annotations

import json
from typing import Any

import pytest

from derctl.daemon.commands.answer import NAME_MAX, REPLY_MAX, reply
from derctl.daemon.commands.envelope import ID_MAX
from derctl.daemon.commands.intake import BURST, LOGGED_S, RATE_PER_S, Intake, Rate
from derctl.daemon.commands.row import PAYLOAD_MAX, SCHEDULE_MAX
from derctl.daemon.commands.strangers import Strangers
from derctl.links.allowed import TOPIC_MAX
from derctl.links.received import RECEIVE_MAX
from derctl.store.outbox import Message
from tests.unit.daemon.commands.test_envelope import Work


class Gate:
    """An intake of `ops` and `noisy` with a clock that stands, its replies, its log and its events."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.logged: list[str] = []
        self.told: list[str] = []
        self.now_s = 0.0
        strangers = Strangers(self.told.append)
        self.intake = Intake(("ops", "noisy"), strangers, self.sent.append, lambda: "now", self, lambda: self.now_s)

    def log(self, level: int, event: str, *, text: str) -> None:
        self.logged.append(text)

    def came(self, principal: str, payload: bytes = b"{}", name: str = "ping") -> bool:
        return self.intake.admits(f"cmd/{principal}/{name}", payload)

    @property
    def replies(self) -> list[dict[str, Any]]:
        return [json.loads(message.payload) for message in self.sent]


def test_a_flood_is_limited_for_its_principal_alone_and_ends_by_itself() -> None:
    gate = Gate()
    assert sum(gate.came("noisy") for _ in range(10_000)) == BURST
    assert sum(gate.came("ops") for _ in range(BURST)) == BURST
    gate.now_s = 10.0
    assert sum(gate.came("noisy") for _ in range(10_000)) == 10 * RATE_PER_S


def test_a_flood_costs_one_reply_a_second_and_one_line_a_minute() -> None:
    gate = Gate()
    for second in range(int(LOGGED_S)):
        gate.now_s = float(second)
        for _ in range(1500):
            gate.came("noisy", b'{"id": "a1"}')
    assert len(gate.sent) == LOGGED_S
    assert len(gate.logged) == 1
    assert {(each["code"], each["id"], each["result"]) for each in gate.replies} == {
        ("rate_limited", "a1", "refused")
    }
    assert {message.topic for message in gate.sent} == {"reply/noisy"}


def test_an_emergency_stop_gets_through_its_sender_s_own_flood_once_a_second() -> None:
    gate = Gate()
    gate.intake.buckets["noisy"].rate = Rate(burst=1, per_s=0.01)
    assert sum(gate.came("noisy") for _ in range(1000)) == 1
    assert [sum(gate.came("noisy", name="emergency_stop") for _ in range(100)) for _ in range(2)] == [1, 0]
    gate.now_s = 1.5
    assert [sum(gate.came("noisy", name=name) for _ in range(100)) for name in ("ping", "emergency_stop")] == [0, 1]


@pytest.mark.parametrize("payload", [b"[", b"[1]", b'{"id": 7}', b"\xff", b"[" * 8000, b"x" * (PAYLOAD_MAX + 1)])
def test_whoever_is_limited_is_answered_whatever_it_sent(payload: bytes) -> None:
    gate = Gate()
    for _ in range(BURST + 1):
        gate.came("noisy", payload)
    assert (gate.replies[-1]["code"], gate.replies[-1]["id"]) == ("rate_limited", None)


def test_a_crowd_of_strangers_costs_nothing_and_takes_nobody_s_turn() -> None:
    """64 of them filled the buckets, and the operator shared one with the rest."""
    gate = Gate()
    assert not any(gate.came(f"stranger-{n}") for n in range(10_000))
    assert set(gate.intake.buckets) == {"ops", "noisy"}
    assert (gate.sent, gate.logged, len(gate.told)) == ([], [], 1)
    assert sum(gate.came("ops") for _ in range(BURST)) == BURST


@pytest.mark.parametrize("principal", ["x" * 60_000, "", "a\n", "a\0", "Ops", "ops ", "OPS", "local"])
@pytest.mark.parametrize("payload", [b"{}", b"x" * (PAYLOAD_MAX + 1)])
def test_a_name_that_is_not_listed_to_the_letter_is_a_stranger_s(principal: str, payload: bytes) -> None:
    gate = Gate()
    assert not any(gate.came(principal, payload) for _ in range(1000))
    assert (gate.sent, gate.logged, len(gate.told)) == ([], [], 1)
    assert gate.intake.strangers.count == 1000


def test_a_command_has_a_largest_size_and_the_refusal_says_it() -> None:
    gate = Gate()
    assert gate.came("ops", b"x" * PAYLOAD_MAX)
    assert not gate.came("ops", b"x" * (PAYLOAD_MAX + 1), "n" * 20_000)
    [refused] = gate.replies
    assert refused["code"] == "too_large"
    assert str(PAYLOAD_MAX) in refused["text"]
    assert len(gate.sent[0].payload) < 500


@pytest.mark.parametrize("name", ["battery_plan", "operating_envelope"])
def test_a_schedule_may_be_larger_and_takes_as_many_places_as_its_bytes(name: str) -> None:
    gate = Gate()
    assert gate.came("ops", b"x" * SCHEDULE_MAX, name)
    assert sum(gate.came("ops") for _ in range(BURST)) == BURST - SCHEDULE_MAX // PAYLOAD_MAX
    assert not gate.came("noisy", b"x" * (SCHEDULE_MAX + 1), name)
    assert f"{SCHEDULE_MAX + 1} bytes are more than the {SCHEDULE_MAX} of {name}" in gate.replies[-1]["text"]
    assert sum(gate.came("noisy", b"x" * SCHEDULE_MAX, name) for _ in range(BURST)) == (BURST - 1) // 4


def test_a_schedule_comes_through_where_the_site_file_allows_few_commands() -> None:
    gate = Gate()
    gate.intake.buckets["ops"].rate = Rate(burst=2, per_s=1.0)
    gate.intake.buckets["ops"].tokens = 2.0
    assert gate.came("ops", b"x" * SCHEDULE_MAX, "battery_plan") and not gate.came("ops")
    gate.now_s = 2.0
    assert gate.came("ops", b"x" * SCHEDULE_MAX, "battery_plan")


def test_the_broker_is_told_no_less_than_the_largest_command_has() -> None:
    assert SCHEDULE_MAX + 4096 < RECEIVE_MAX <= TOPIC_MAX


def test_a_name_of_30_000_characters_waits_in_no_queue() -> None:
    gate = Gate()
    assert gate.came("ops", name="n" * NAME_MAX)
    assert not gate.came("ops", name="n" * 30_000)
    [refused] = gate.replies
    assert (refused["code"], refused["command"]) == ("too_large", "n" * NAME_MAX)


@pytest.mark.parametrize("topic", ["online", "cmd/a", "cmd/a/b/c", "event/a/b"])
def test_what_is_no_command_is_not_kept(topic: str) -> None:
    gate = Gate()
    assert not gate.intake.admits(topic, b"{}")
    assert gate.told == []


def test_a_message_that_is_taken_back_is_not_kept() -> None:
    assert not Gate().came("ops", b"")


def test_a_reply_repeats_nothing_at_length() -> None:
    said = reply("i" * (ID_MAX + 1), "n" * 1000, "refused", "missing", "t" * 100_000, "now")
    assert (said["id"], len(said["command"]), len(said["text"])) == (None, NAME_MAX, REPLY_MAX)


async def test_while_the_clock_is_unset_a_short_limit_ends_no_long_one(tmp_path: Any) -> None:
    """1,000 W for a day, then the same and a tighter one for a second, by its own sender and by another."""
    work = Work(tmp_path, synced=False)
    from tests.unit.daemon.commands.test_desk import command

    assert (
        await work.desk.by_mqtt("ops", "limit_power", command(id="day", p_ceiling_w=1000, expires_s=86400), False)
    )["result"] == "admitted"
    for n, (who, ceiling_w) in enumerate((("ops", 1000), ("ops", 500), ("anna", 1000))):
        brief = command(id=f"brief{n}", p_ceiling_w=ceiling_w, expires_s=1)
        assert (await work.desk.by_mqtt(who, "limit_power", brief, False))["result"] == "admitted"
    assert (await work.desk.by_mqtt("ops", "clear", command(id="c"), False))["code"] == "clock_unsynced"
    work.world.later(3600.0)
    [left] = work.house.reach.requests.alive()
    assert left.remaining_s == pytest.approx(82_800.0)
