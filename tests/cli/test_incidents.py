"""Security events as a person reads them in `status` and `doctor`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from derctl.cli.health import page
from derctl.cli.incidents import CALLED, REMEDIES, TEXT_MAX, lines, rows
from derctl.cli.plain import Clockface
from derctl.commission.finding import Weight
from derctl.core.words import Incident
from derctl.daemon.clock import Clock
from derctl.daemon.often import Often
from derctl.daemon.security import INCIDENTS, Security, Severity

T = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


class Log:
    def log(self, level: int, name: str, **fields: Any) -> None:
        """Nobody reads it."""


class House:
    """A security log, and the state that tells of it. now_s: both clocks."""

    def __init__(self) -> None:
        self.now_s = 0.0
        clock = Clock("assume", wall=lambda: T.timestamp() + self.now_s)
        self.security = Security("house-12", clock, Log(), lambda message: None, Often(lambda: self.now_s))

    @property
    def state(self) -> dict[str, Any]:
        t = (T + timedelta(seconds=self.now_s)).isoformat()
        return {"t": t, "security": self.security.counts.view()}

    @property
    def page(self) -> str:
        """As `doctor` has it."""
        return " ".join(" ".join(page(list(rows(self.state, zone=UTC)))).split())

    @property
    def line(self) -> str:
        """As `status` has it."""
        found = lines(self.state, Clockface(self.state["t"], UTC))
        assert all(len(each) <= 80 for each in found)
        return " ".join(" ".join(found).split())


@pytest.fixture
def house() -> House:
    return House()


def test_each_incident_has_words_and_each_grave_one_what_to_do() -> None:
    assert {*CALLED} == {*Incident}
    assert {*REMEDIES} == {*Incident} - {Incident.ARMING}, "a word on control is never grave by itself"
    assert INCIDENTS[Incident.ARMING][0] is Severity.INFO


def test_where_nothing_was_nothing_is_to_be_looked_at(house: House) -> None:
    assert (house.line, house.page) == ("", "security nothing to look at since the start all well")
    house.security.came(Incident.ARMING, "ops", "arm")
    assert house.line == ""
    assert house.page == "security nothing to look at since the start: 1 word on control all well"


def test_what_was_refused_is_counted_with_the_last_one_and_is_only_noted(house: House) -> None:
    for n in range(3):
        house.now_s = 60.0 * n
        house.security.refused("agg", "out_of_envelope", f"agg: limit_power p_ceiling_w={n}: refused")
    house.security.refused("ops", "bad_argument", "ops: limit_power: refused")
    found = house.state["security"]["refused_command"]
    assert (found["n"], found["grave"], found["age_s"]) == (4, 3, 0.0)
    said = "3 commands refused since the start; the last one 12:02:00: agg: limit_power p_ceiling_w=2: refused"
    assert house.line == f"security: {said}"
    assert f"security [note] {said} -> If it goes on" in house.page and house.page.endswith("all well")


def test_a_stranger_is_to_be_looked_at_for_a_day_and_told_after_it(house: House) -> None:
    house.security.came(Incident.UNKNOWN_SENDER, "derctl", "'guest' is not under mqtt.principals")
    house.security.came(Incident.DEVICE_CHANGED, "derctl", "firmware 2")
    [row, rest] = rows(house.state, zone=UTC)
    assert (row.weight, rest.weight, rest.text) == (Weight.LOOK, None, "1 changed device")
    assert (
        row.text
        == "1 word of a stranger since the start; the last one 12:00:00: 'guest' is not under mqtt.principals"
    )
    house.now_s = 86_401.0
    [row, _] = rows(house.state, zone=UTC)
    assert (row.weight, row.remedy) == (None, "") and "the last one 21 Nov 12:00:00" in row.text


def test_who_floods_it_shows_as_the_last_one_though_it_is_told_no_more(house: House) -> None:
    for n in range(10_000):
        house.security.refused("agg", "rate_limited", f"too many ({n})")
    assert "10,000 commands refused" in house.line and "agg: too many (9999)" in house.line
    house.security.refused("agg", "rate_limited", "x" * 10_000)
    assert f"agg: {'x' * TEXT_MAX}..." in "".join(each.text for each in rows(house.state))


def test_a_later_one_that_is_the_course_of_things_hides_no_grave_one(house: House) -> None:
    house.security.came(Incident.CLOCK_SET, "derctl", "an hour back")
    house.security.came(Incident.CLOCK_SET, "derctl", "found", severity=Severity.INFO)
    found = house.state["security"]["clock_was_set"]
    assert (found["n"], found["grave"], found["text"], found["severity"]) == (2, 1, "an hour back", "warning")


def test_an_older_daemon_tells_nothing_and_a_newer_one_s_word_is_shown_as_it_is(house: House) -> None:
    assert lines({"t": T.isoformat()}, Clockface(T.isoformat(), UTC)) == []
    assert list(rows({"t": T.isoformat()})) == []
    state = house.state
    state["security"] = {"burglary": {"grave": 1, "n": 1, "t": T.isoformat(), "age_s": 1.0, "who": "x", "text": "y"}}
    [row] = rows(state, zone=UTC)
    assert (row.text, row.remedy) == ("1 burglary since the start; the last one 12:00:00: x: y", "")
