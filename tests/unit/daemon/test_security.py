"""The security log: each incident in one shape, counted, and no sender can flood it."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import jsonschema
import pytest

from derctl.core.words import Incident
from derctl.daemon.arming import Arm, Arming
from derctl.daemon.checking import Checking
from derctl.daemon.clock import STEP_S, Clock, Steps
from derctl.daemon.commands.desk import Desk
from derctl.daemon.gate import Gate
from derctl.daemon.kept import Kept
from derctl.daemon.log import PRIORITIES
from derctl.daemon.news import News
from derctl.daemon.often import NOTED, Often
from derctl.daemon.security import EVENTS, INCIDENTS, LOOK_S, Distrust, Security
from derctl.errors import CommandError
from derctl.site.absence import Absence
from derctl.site.schema import SiteFile, SiteSection
from derctl.store.audit import AuditFile, records
from derctl.store.folder import Folder
from derctl.store.outbox import Outbox
from tests.unit.site.conftest import fenced
from tools.security import PAGE, SCHEMA, page, schema


class Lines:
    """A log that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[tuple[int, str, dict[str, Any]]] = []

    def log(self, level: int, name: str, **fields: Any) -> None:
        self.lines.append((level, name, fields))


class Heard:
    """A security log on a clock of its own."""

    def __init__(self) -> None:
        self.now_s, self.log, self.outbox = 0.0, Lines(), Outbox()
        self.security = Security("house-12", Clock("assume"), self.log, self.outbox.put, Often(lambda: self.now_s))

    @property
    def told(self) -> list[dict[str, Any]]:
        """Each as the schema that is shipped has it."""
        found = [json.loads(each.payload) for each in self.outbox.ordered if each.topic == "security"]
        for each in found:
            jsonschema.validate(each, json.loads(SCHEMA.read_text(encoding="utf-8")))
        return found


@pytest.fixture
def heard() -> Heard:
    return Heard()


def news(event: str, text: str = "x", der: str | None = None) -> dict[str, Any]:
    return {"t": "2026-11-21T12:00:00.000Z", "event": event, "der": der, "text": text}


def test_the_document_and_the_schema_are_what_the_table_says() -> None:
    written = PAGE.read_text(encoding="utf-8")
    assert written == page(written), "write it anew: python -m tools.security"
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == schema(), "write it anew: python -m tools.security"
    with pytest.raises(ValueError, match="no place"):
        page("# nothing")


def test_the_document_s_example_is_one() -> None:
    [(_, text)] = [each for each in fenced("json") if each[0] == "security"]
    jsonschema.validate(json.loads(text), schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(json.loads(text) | {"incident": "burglary"}, schema())


def test_each_incident_has_its_row_and_each_event_is_one_that_is_told() -> None:
    assert {*INCIDENTS} == {*Incident}
    assert {*EVENTS} <= {*PRIORITIES}


@pytest.mark.parametrize("event", EVENTS)
def test_an_event_that_is_an_incident_goes_out_and_to_the_log(heard: Heard, event: str) -> None:
    heard.security.event(news(event, "what was seen", "pv1"))
    heard.security.event(news("sun_down"))
    [told] = heard.told
    incident, severity = EVENTS[event]
    assert (told["incident"], told["event"], told["der"], told["who"]) == (incident, event, "pv1", "derctl")
    assert told["severity"] == (severity or INCIDENTS[incident][0])
    [(level, name, fields)] = heard.log.lines
    assert (level, name) == ({"info": 20, "warning": 30, "error": 40}[told["severity"]], "security")
    assert (fields["incident"], fields["text"], fields["n"]) == (str(incident), "what was seen", 1)


@pytest.mark.parametrize(
    ("code", "incident", "severity"),
    [
        ("out_of_range", "refused_command", "info"),
        ("not_permitted", "refused_command", "warning"),
        ("replayed", "refused_command", "warning"),
        ("may_not_arm", "refused_command", "warning"),
        ("bad_signature", "failed_signature", "warning"),
    ],
)
def test_a_refusal_is_grave_where_it_is_about_rights(heard: Heard, code: str, incident: str, severity: str) -> None:
    heard.security.refused("agg", code, "no")
    [told] = heard.told
    assert (told["incident"], told["severity"], told["code"], told["who"]) == (incident, severity, code, "agg")


def test_who_floods_it_is_counted_and_takes_nobody_else_s_place(heard: Heard) -> None:
    for _ in range(100_000):
        heard.security.refused("agg", "not_permitted", "no")
    heard.security.refused("ops", "not_permitted", "no")
    assert [each["who"] for each in heard.told] == ["agg"] * int(NOTED) + ["ops"]
    assert heard.told[-1]["n"] == 100_001
    assert len(heard.log.lines) == NOTED + 1
    heard.now_s += 60.0
    heard.security.refused("agg", "not_permitted", "no")
    assert heard.told[-1]["skipped"] == 100_000 - NOTED
    assert heard.security.counts.kinds[Incident.REFUSED_COMMAND].n == 100_002


def test_what_a_sender_wrote_can_neither_paint_nor_fill(heard: Heard) -> None:
    heard.security.refused("agg\x1b[2J", "missing", "\x1b[31m\n" * 10_000)
    [told] = heard.told
    assert "\x1b" not in told["who"] + told["text"] and "\n" not in told["text"]
    assert len(told["text"]) <= 500


def test_a_word_on_control_says_whose_it_was(heard: Heard) -> None:
    before = Arming(state=Arm.WATCHING)
    heard.security.arming(before, before)
    gate = Gate(Absence, lambda: None, lambda: "now", arming=before, heard=heard.security.arming)
    gate.arm("ops")
    gate.disarm("home")
    assert [(each["who"], each["text"], each["incident"]) for each in heard.told] == [
        ("ops", "arm", "word_on_control"),
        ("home", "disarm", "word_on_control"),
    ]


# -- the clock ------------------------------------------------------------------------------------------------------


class Machine:
    """A machine's clocks. events: what was told."""

    def __init__(self, mode: str) -> None:
        self.wall_s, self.boot_s = 1.8e9, 100.0
        self.events: list[str] = []
        clock = Clock(mode, lambda: self.wall_s)
        self.steps = Steps(clock, lambda event, text: self.events.append(event), lambda: self.boot_s)

    def ticks(self, count: int, *, drift_s: float = 0.0) -> None:
        for _ in range(count):
            self.wall_s, self.boot_s = self.wall_s + 1.0 + drift_s, self.boot_s + 1.0
            self.steps.look()


@pytest.mark.parametrize("step_s", [STEP_S, -3600.0, 1e9])
def test_a_clock_that_jumps_is_told_once(step_s: float) -> None:
    machine = Machine("assume")
    machine.ticks(5)
    machine.wall_s += step_s
    machine.ticks(5)
    assert machine.events == ["clock_stepped"]


def test_a_clock_that_is_slewed_or_a_machine_that_sleeps_is_no_jump() -> None:
    """500 ppm is the most that the kernel slews by (adjtimex(2)); the boot clock counts sleep as well."""
    machine = Machine("assume")
    machine.ticks(10_000, drift_s=0.0005)
    machine.wall_s, machine.boot_s = machine.wall_s + 3600.0, machine.boot_s + 3600.0
    machine.ticks(5)
    assert machine.events == []


def test_the_first_setting_of_a_clock_is_the_course_of_things(tmp_path: Path) -> None:
    machine = Machine(str(tmp_path / "set"))
    machine.ticks(3)
    (tmp_path / "set").touch()
    machine.wall_s += 1e8
    machine.ticks(3)
    machine.wall_s += 60.0
    machine.ticks(3)
    assert machine.events == ["clock_found", "clock_stepped"]


# -- TLS ------------------------------------------------------------------------------------------------------------


def test_tls_that_fails_is_told_once_for_each_reason() -> None:
    told: list[str] = []
    now_s = 0.0
    distrust = Distrust(lambda event, text: told.append(text), lambda: now_s)
    for broker, roof in (("a", ""), ("a", ""), ("b", "c"), ("", "c"), ("b", "c")):
        distrust.look(lambda broker=broker, roof=roof: {"broker": broker, "roof": roof})  # type: ignore[misc]
        distrust.look(lambda: {"broker": "asked too often"})
        now_s += LOOK_S
    assert told == ["a", "b", "c", "b"]


# -- the audit log, read again --------------------------------------------------------------------------------------


class Again:
    """A log of three files in a folder, and who reads it again."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("derctl.store.audit.FILE_BYTES_MAX", 1)
        self.folder, self.told = folder, list[tuple[str, str]]()
        self.file = AuditFile(folder)
        self.checking = Checking(
            Folder(folder, folder),
            Clock("assume"),
            lambda event, der, text: self.told.append((event, text)),
            pause=self._pause,
        )
        self.pauses = 0

    async def _pause(self, seconds: float) -> None:
        self.pauses += 1
        if seconds > 100.0:
            raise InterruptedError

    def started(self, site_file: str) -> None:
        self.file.append([{"what": "configuration", "text": "started", "site_file": site_file}])

    async def day(self) -> list[str]:
        with pytest.raises(InterruptedError):
            await self.checking.run()
        return [event for event, _ in self.told]


@pytest.fixture
def again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Again:
    return Again(tmp_path, monkeypatch)


async def test_a_log_that_is_as_it_was_written_says_nothing(again: Again) -> None:
    for _ in range(3):
        again.started("a" * 64)
    assert await again.day() == []


async def test_a_site_file_that_changed_while_derctl_was_away_is_told(again: Again) -> None:
    again.started("a" * 64)
    again.started("b" * 64)
    assert await again.day() == ["site_file_changed"]


@pytest.mark.parametrize(("was", "becomes"), [(b"started", b"stopped"), (b"\n", b"")])
async def test_a_log_that_was_changed_is_told_with_the_record(again: Again, was: bytes, becomes: bytes) -> None:
    for _ in range(3):
        again.started("a" * 64)
    second = sorted(again.folder.glob("audit-*.log"))[1]
    second.write_bytes(second.read_bytes().replace(was, becomes))
    assert await again.day() == ["audit_broken"]
    assert again.told[0][1].startswith("record 2: ")


async def test_a_file_that_was_taken_out_is_told_and_one_that_was_rotated_out_is_not(again: Again) -> None:
    for _ in range(3):
        again.started("a" * 64)
    first, second, *_ = sorted(again.folder.glob("audit-*.log"))
    first.unlink()
    await again.checking.once()
    assert again.told == []
    third = sorted(again.folder.glob("audit-*.log"))[1]
    again.started("a" * 64)
    third.unlink()
    await again.checking.once()
    assert second.exists() and [event for event, _ in again.told] == ["audit_broken"]


# -- together -------------------------------------------------------------------------------------------------------


def kept_of(folder: Path, log: Any, outbox: Outbox) -> tuple[Kept, Desk]:
    section = SiteSection(id="house-12", v_nom_v=230.0, f_nom_hz=50)
    site = cast(Any, SimpleNamespace(file=SiteFile(version=1, site=section, buses=[], ders=[])))
    news = News(log, Clock("assume").stamp)
    made = Kept(site, Folder(folder, folder), Clock("assume"), outbox, news, lambda: False)
    desk = Desk(cast(Any, None), Clock("assume"), log)
    made.listen(desk, Gate(Absence, lambda: None, lambda: "now"))
    return made, desk


def test_the_first_word_of_two_is_no_incident(heard: Heard) -> None:
    heard.security.refused("root", "unconfirmed", "arm: say it again")
    assert not heard.security.counts.kinds


async def test_each_session_hears_the_heads_once_they_are_known(tmp_path: Path) -> None:
    """A broker that began anew has none, and the next interval may be half an hour away."""
    outbox = Outbox()
    kept, _ = kept_of(tmp_path, Lines(), outbox)
    kept.feeding.anew()
    assert "records" not in outbox.latest, "a head of nothing would take the place of the one that is there"
    await kept.keeping.begin()
    outbox.sent(outbox.latest["records"])
    for n in range(2):
        assert "records" not in outbox.latest
        kept.feeding.anew()
        said = json.loads(outbox.latest["records"].payload)
        assert (said["ledger"]["n"], said["ledger"]["chain"]) == (0, kept.keeping.file.chain), n
        outbox.sent(outbox.latest["records"])


async def test_refusals_are_incidents_and_can_not_roll_the_audit_log_out(tmp_path: Path) -> None:
    """10,000 refusals, as a principal may send in half an hour: some 30 records, and the count of the others."""
    log, outbox = Lines(), Outbox()
    kept, desk = kept_of(tmp_path, log, outbox)
    for n in range(10_000):
        desk.note("refusal", "agg", f"agg: ping {n}: refused", command="ping", code="replayed", arguments={"id": n})
    desk.turned_away("agg", "ping", None, "refused", "rate_limited: more than 5 a second")
    with pytest.raises(CommandError):
        await desk.local("open_sesame", {}, "root")
    await kept.audit.kept()
    noted = [each.plain for each in records(tmp_path)]
    assert len(noted) == NOTED + 2
    told = [json.loads(each.payload) for each in outbox.ordered if each.topic == "security"]
    assert {each["who"] for each in told} == {"agg", "root"}
    assert kept.security.counts.kinds[Incident.REFUSED_COMMAND].n == 10_002
