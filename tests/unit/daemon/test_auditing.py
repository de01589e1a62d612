"""The audit log of a running daemon: each word is in it before its answer goes out, and nothing floods it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest

from derctl.core.types import Bound, Decision, Setpoint
from derctl.core.words import What
from derctl.daemon.arming import Arm, Arming
from derctl.daemon.auditing import CARD_S, NOTES_MAX, SIGN_S, Auditing
from derctl.daemon.clock import Clock
from derctl.daemon.commands.desk import Desk
from derctl.daemon.gate import Gate
from derctl.daemon.heard import Heard
from derctl.daemon.log import logger
from derctl.daemon.often import NOTED, NOTED_EVERY_S, THINGS_MAX, Often
from derctl.errors import CommandError
from derctl.site.absence import Absence
from derctl.store.audit import AuditFile, records, verified
from derctl.store.folder import Folder
from derctl.store.signer import Signer


class Log:
    """In a folder, on a clock of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.now_s = folder, 0.0
        self.told: list[tuple[str, str]] = []
        self.audit = Auditing(
            Folder(folder, folder),
            Clock("assume"),
            lambda event, der, text: self.told.append((event, text)),
            lambda: self.now_s,
        )
        self.heard = Heard(self.audit.note)

    @property
    def plains(self) -> list[dict[str, Any]]:
        return [each.plain for each in records(self.folder)]


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path)


def bound(value: float, *names: str) -> tuple[Decision, ...]:
    by = tuple(Bound(by=name, rank=15, what=What.CEILING, value=value) for name in names)
    return (Decision(der="pv1", setpoint=Setpoint(p_ceiling_w=value), bound_by=by),)


async def test_what_is_noted_is_in_the_file_with_time_clock_and_who(log: Log) -> None:
    log.audit.note("command", "ops", "limit_power", arguments={"p_ceiling_w": 3000.0})
    await log.audit.kept()
    [record] = log.plains
    assert (record["what"], record["who"], record["arguments"]) == ("command", "ops", {"p_ceiling_w": 3000})
    assert record["t"].endswith("Z") and record["clock"] == {"error_s": None, "synced": True}


async def test_an_end_that_comes_with_the_last_note_is_an_end(log: Log) -> None:
    """On Python 3.11 `wait_for` takes the note for its answer, and forgets that it was cancelled."""
    writing = asyncio.create_task(log.audit.run())
    await asyncio.sleep(0.05)
    log.audit.note("event", "derctl", "the last word")
    await asyncio.sleep(0)
    writing.cancel()
    await asyncio.wait([writing], timeout=5.0)
    assert writing.cancelled()


async def test_a_decision_is_noted_where_another_binds_and_not_with_each_value(log: Log) -> None:
    for decisions in (bound(3000.0, "a"), bound(2990.0, "a"), bound(2990.0, "a", "b"), bound(2990.0, "a", "b")):
        log.heard.decisions(decisions)
    await log.audit.kept()
    assert [(each["what"], each["text"]) for each in log.plains] == [("decision", "a"), ("decision", "a, b")]


async def test_what_comes_with_every_tick_is_counted_and_does_not_flood(log: Log) -> None:
    for n in range(3600):
        log.now_s = float(n)
        log.heard.decisions(bound(0.0, "a" if n % 2 else "b"))
    await log.audit.kept()
    most = NOTED + 3600.0 / NOTED_EVERY_S
    assert most - 2 <= len(log.plains) <= most
    assert sum(each.get("skipped", 0) for each in log.plains) + len(log.plains) == pytest.approx(
        3600, abs=NOTED_EVERY_S
    )


async def test_a_word_on_control_and_what_became_of_it_are_noted_by_the_gate(log: Log) -> None:
    gate = Gate(
        absence=Absence,
        on_change=lambda: None,
        stamp=lambda: "2026-11-21T12:00:00Z",
        arming=Arming(state=Arm.WATCHING),
        heard=log.heard.arming,
    )
    gate.arm("ops")
    gate.evaluate()
    gate.disarm("owner")
    await log.audit.kept()
    found = [(each["what"], each["who"], each["text"]) for each in log.plains]
    assert found[0] == ("arming", "ops", "arm")
    assert ("arming", "owner", "disarm") in found
    assert all(what in {"arming", "mode"} for what, _, _ in found)


async def test_another_site_file_is_a_configuration_and_what_else_is_told_an_event(log: Log) -> None:
    for name in ("site_file_reloaded", "unknown_principal"):
        log.heard.event({"t": "", "event": name, "der": None, "text": "x"})
    await log.audit.kept()
    assert [(each["what"], each["event"]) for each in log.plains] == [
        ("configuration", "site_file_reloaded"),
        ("event", "unknown_principal"),
    ]


async def test_a_disk_that_takes_nothing_is_said_once_and_loses_the_oldest(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: AuditFile, plains: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(AuditFile, "append", full)
        for n in range(NOTES_MAX + 10):
            log.audit.note("command", "ops", f"{n}")
            if n % 500 == 0:
                await log.audit.kept()
    assert [event for event, _ in log.told] == ["records_not_saved"]
    await log.audit.kept()
    await log.audit.kept()
    assert log.audit.unsaved is None
    assert log.plains[0]["text"] == "10"
    assert "10 records were lost" in log.plains[-1]["text"]
    assert verified(log.folder).count == NOTES_MAX + 1


async def test_the_task_writes_at_once_what_nobody_waits_for(log: Log) -> None:
    running = asyncio.create_task(log.audit.run())
    log.audit.note("event", "derctl", "x")
    while not log.audit.head.n:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    assert log.audit.file._unsynced
    log.now_s += CARD_S
    log.audit.note("event", "derctl", "y")
    while log.audit.head.n < 2 or log.audit.file._unsynced:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    running.cancel()
    assert [each["text"] for each in log.plains] == ["x", "y"]


async def test_a_torn_end_is_a_record_of_its_own(log: Log) -> None:
    log.audit.note("event", "derctl", "x")
    await log.audit.kept()
    [path] = log.folder.glob("audit-*.log")
    path.write_bytes(path.read_bytes() + b"half of a li")
    again = Log(log.folder)
    again.audit.note("event", "derctl", "y")
    await again.audit.kept()
    await again.audit.kept()
    assert [each["what"] for each in again.plains] == ["event", "event", "log"]
    assert [event for event, _ in again.told] == ["records_set_aside"]


async def test_the_log_is_signed_once_an_hour_and_not_where_nothing_came(log: Log) -> None:
    log.audit.signer = Signer(log.folder, "demo", lambda: "2026-11-21T12:00:00.000Z")
    running = asyncio.create_task(log.audit.run())
    log.audit.note("event", "derctl", "x")
    await log.audit.kept()
    log.now_s += SIGN_S
    log.audit.note("event", "derctl", "y")
    while log.audit.head.n < 3:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    running.cancel()
    await log.audit.sign()
    await log.audit.sign()
    assert [each["what"] for each in log.plains] == ["event", "event", "signature"]
    found = verified(log.folder, log.audit.signer.keys[0].x)
    assert found.signed is not None and found.signed.head.n == 2


async def test_where_nothing_can_be_signed_the_log_goes_on(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    log.audit.signer = Signer(log.folder, "demo", lambda: "now")
    monkeypatch.setattr("derctl.store.signer.leave_room", lambda folder: (_ for _ in ()).throw(OSError(28, "full")))
    log.audit.note("event", "derctl", "x")
    await log.audit.sign()
    assert [each["what"] for each in log.plains] == ["event"] and log.audit.signed is None


def test_things_that_are_made_up_do_not_fill_the_memory() -> None:
    often = Often(lambda: 0.0)
    assert all(often.came(f"{n}") == 0 for n in range(2 * THINGS_MAX))
    assert len(often.seen) == THINGS_MAX


async def test_a_command_is_in_the_log_before_its_answer_goes_out(log: Log) -> None:
    desk = Desk(cast(Any, None), Clock("assume"), logger(), note=log.audit.note, kept=log.audit.kept)
    answer = await desk.by_mqtt("ops", "open_sesame", b'{"id":"a1","p_w":1e400}', False)
    assert answer["result"] == "refused"
    answer = await desk.by_mqtt("ops", "open_sesame", b'{"id":"a1","p_w":[[3.5]]}', False)
    found = log.plains[-1]
    assert (found["what"], found["who"], found["code"]) == ("refusal", "ops", "unknown_command")
    assert (found["command"], found["arguments"]) == ("open_sesame", {"id": "a1", "p_w": [[3.5]]})
    with pytest.raises(CommandError):
        await desk.local("open_sesame", {"der": "pv1"}, "root")
    assert log.plains[-1]["arguments"] == {"der": "pv1"}
    assert not log.audit.file._unsynced


async def test_what_became_of_a_command_and_who_was_turned_away_are_noted(log: Log) -> None:
    log.heard.became("ops", "limit_power", "a1", "lapsed", "has ended")
    for _ in range(int(NOTED) + 5):
        log.heard.turned_away("ops", "limit_power", None, "refused", "rate_limited: more than 5 a second")
    await log.audit.kept()
    first, *others = log.plains
    assert (first["what"], first["who"], first["id"], first["result"]) == ("became", "ops", "a1", "lapsed")
    assert {(each["what"], each["code"]) for each in others} == {("refusal", "rate_limited")}
    assert len(others) == NOTED, "who floods the desk does not flood the log"
