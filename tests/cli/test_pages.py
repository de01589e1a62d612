"""What the daemon answers in words over MQTT is what the verbs print."""

from __future__ import annotations

import json
import re
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from derctl.cli.pages import PAGES
from derctl.cli.why import why

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def state() -> dict[str, Any]:
    """The example of docs/interfaces.md."""
    text = (ROOT / "docs/interfaces.md").read_text(encoding="utf-8")
    [found] = re.findall(r"^```json status\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    shown: dict[str, Any] = json.loads(found)
    return shown


def test_why_is_the_verb_s_paragraph_in_utc(state: dict[str, Any]) -> None:
    assert PAGES.why("pv1", state) == f"{why('pv1', state, zone=UTC)} (Times in UTC.)"


def test_doctor_says_what_needs_somebody_first(state: dict[str, Any]) -> None:
    well = PAGES.doctor(state)
    assert well[-1] == "all well" and any(line.startswith("records") for line in well)
    state["ders"]["pv1"] |= {"state": "unreachable", "text": "no answer within 1 s"}
    state["records"]["audit"]["chain"] = "broken"
    page = PAGES.doctor(state)
    assert "[mend]" in page[0] and page[-1] == "2 to mend or to look at"
    marks = [line for line in page if "[mend]" in line or "[look]" in line]
    assert len(marks) == 2 and all(len(line) <= 80 for line in page)
