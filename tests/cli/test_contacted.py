"""Contact inputs as a person reads them in `check`, `status` and `doctor`."""

from __future__ import annotations

import json
import re
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from derctl.cli import contacted
from derctl.cli.contacted import lines, rows, wired, wired_json
from derctl.cli.page import render
from derctl.cli.plain import Clockface
from derctl.commission.finding import Weight
from tests.unit.daemon.test_contacts import site_of
from tests.unit.site.test_contacts import FRE, STOP

ROOT = Path(__file__).resolve().parents[2]
Json = dict[str, Any]
SINCE = "2026-11-21T11:58:00.000Z"


@pytest.fixture
def state() -> Json:
    """The example of docs/interfaces.md, which is a site that is well."""
    text = (ROOT / "docs/interfaces.md").read_text(encoding="utf-8")
    [found] = re.findall(r"^```json status\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    shown: Json = json.loads(found)
    return shown


def contact(kind: str, state: str, text: str, holds: list[str], **limits: float) -> Json:
    return {"kind": kind, "state": state, "asked": [], "text": text, "since": SINCE, "holds": holds, "limits": limits}


CASES: dict[str, tuple[Json, Weight | None, str, str]] = {
    "rest": (contact("dred", "at_rest", "at rest", []), None, "at rest", ""),
    "limit": (
        contact("ripple_control", "asks", "60 %", ["grid_limit"], generation_w=6000.0),
        Weight.NOTE, "60 %: generation at most 6,000 W", "network operator",
    ),
    "export": (
        contact("dred", "asks", "DRM 5", ["grid_limit"], export_w=0.0), Weight.NOTE, "export at most 0 W", "None, if",
    ),
    "pressed": (
        contact("emergency_stop", "asks", "stop", ["emergency_stop"]),
        Weight.LOOK, "stop: the site is stopped", "unlock it, then derctl stop --lift",
    ),
    "let out": (
        contact("emergency_stop", "at_rest", "at rest", ["emergency_stop"]),
        Weight.LOOK, "at rest: the site is stopped, and stays so until it is lifted", "safe: derctl stop --lift",
    ),
    "broken": (
        contact("emergency_stop", "broken", "BROKEN, counts as stop: can't be read", ["emergency_stop"]),
        Weight.MEND, "BROKEN, counts as stop: can't be read: the site is stopped", "cable and the chip",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_each_state_is_told_with_what_to_do(state: Json, name: str) -> None:
    each, weight, text, remedy = CASES[name]
    state["contacts"] = {"c1": each}
    [row] = rows(state)
    assert (row.about, row.weight, row.text) == ("c1", weight, row.text) and text in row.text
    assert remedy in row.remedy and bool(row.remedy) == (weight is not None)
    shown = lines(state, Clockface(state["t"], UTC))
    said = " ".join(" ".join(shown).split())
    assert text in said and "since 11:58:00" in said and all(len(line) <= 80 for line in shown)
    assert said.startswith("! contact c1" if weight is Weight.MEND else "contact c1")


def test_a_request_without_an_end_is_there_until_further_notice(state: Json) -> None:
    limit = {"id": "local-contact", "kind": "grid_limit", "der": None, "by": "fre", "remaining_s": 9.9e8}
    state["requests"] = [limit | {"export_w": None, "import_w": None, "generation_w": 6000.0, "binds": True}]
    said = " ".join(render(state, zone=UTC).split())
    assert "grid limit generation 6,000 W on the site by fre until further notice" in said and " left" not in said


def test_an_older_daemon_has_none(state: Json) -> None:
    del state["contacts"]
    assert lines(state, Clockface(state["t"], UTC)) == [] and list(rows(state)) == []


@pytest.mark.parametrize("missing", [True, False])
def test_check_explains_them_and_says_what_is_not_installed(monkeypatch: pytest.MonkeyPatch, missing: bool) -> None:
    monkeypatch.setattr(contacted, "missing", lambda: missing)
    site = site_of(STOP, FRE)
    said = " ".join(" ".join(wired(site)).split())
    assert "stop: emergency_stop, lines stop 17 of /dev/gpiochip0, closed at rest" in said
    assert ("pip install 'derctl[gpio]'; until then they count as broken" in said) is missing
    assert all(len(line) <= 80 for line in wired(site))
    assert [each["name"] for each in wired_json(site)] == ["stop", "fre"]


def test_a_site_without_contacts_is_told_nothing_of_them() -> None:
    assert wired(site_of()) == [] == wired_json(site_of())
