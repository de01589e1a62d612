"""What is kept for others, as a person reads it in `status` and `doctor`."""

from __future__ import annotations

import copy
import json
import re
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from derctl.cli.plain import Clockface
from derctl.cli.recorded import lines, rows
from derctl.commission.finding import Weight

ROOT = Path(__file__).resolve().parents[2]
Json = dict[str, Any]


@pytest.fixture
def state() -> Json:
    """The example of docs/interfaces.md, which is a site that is well."""
    text = (ROOT / "docs/interfaces.md").read_text(encoding="utf-8")
    [found] = re.findall(r"^```json status\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    shown: Json = json.loads(found)
    return shown


def said(state: Json) -> str:
    return " ".join(" ".join(lines(state, Clockface(state["t"], UTC))).split())


def test_a_page_has_a_line_for_each(state: Json) -> None:
    text = said(state)
    assert text.startswith("ledger: 97 intervals, 0.2 MB; since 20 Nov 11:45")
    assert "the last one 11:45 to 12:00: 12 Wh imported, 410 Wh exported, 780 Wh generated" in text
    assert "the broker has all; 1 gap in which nobody watched" in text
    assert "audit log: 480 records, 0.2 MB; its chain holds (read 11:00)" in text
    assert all(len(line) <= 80 for line in lines(state, Clockface(state["t"], UTC)))


def test_an_older_daemon_tells_nothing(state: Json) -> None:
    del state["records"]
    assert lines(state, Clockface(state["t"], UTC)) == [] and list(rows(state)) == []


def test_what_is_well_needs_nobody(state: Json) -> None:
    assert [row.weight for row in rows(state)] == [None, None]


@pytest.mark.parametrize(
    ("part", "change", "weight", "text"),
    [
        ("ledger", {"problem": "no space left", "unsaved": 3}, Weight.MEND, "3 not saved: no space left"),
        ("ledger", {"waiting": 4000}, Weight.NOTE, "4,000 wait for the broker"),
        ("ledger", {"dropped": 12}, Weight.NOTE, "12 dropped since the start"),
        ("ledger", {"last": None, "oldest": None, "waiting": None}, None, "none is over yet"),
        ("audit", {"chain": "broken", "text": "record 7: changed"}, Weight.MEND, "BROKEN: record 7: changed"),
        ("audit", {"lost": 5}, Weight.MEND, "5 lost"),
        ("audit", {"problem": "read-only"}, Weight.MEND, "not saved: read-only"),
        ("audit", {"checked": None, "chain": "unchecked"}, None, "is being read"),
        ("audit", {"chain": "unchecked", "text": "no such file"}, None, "can't be read: no such file"),
    ],
)
def test_what_is_not_well_is_told_with_what_to_do(
    state: Json, part: str, change: Json, weight: Weight | None, text: str
) -> None:
    broken = copy.deepcopy(state)
    broken["records"][part] |= change
    [row] = [row for row in rows(broken) if row.about == ("ledger" if part == "ledger" else "audit log")]
    assert row.weight is weight and text in row.text and bool(row.remedy) == (weight is not None)


def test_what_waits_while_the_broker_is_down_is_no_fault_of_the_records(state: Json) -> None:
    state["records"]["ledger"]["waiting"] = 4000
    state["mqtt"]["connected"] = False
    assert next(rows(state)).weight is None


def test_an_interval_of_which_nothing_is_known_says_so(state: Json) -> None:
    state["records"]["ledger"]["last"] = {
        "from": state["t"],
        "to": state["t"],
        "why": "not_running",
        "import_wh": None,
    }
    assert "nothing was counted" in said(state)
