"""What is told of batteries when it changes."""

from __future__ import annotations

import pytest

from derctl.core.pack import Left
from derctl.core.words import Bar, Reason
from derctl.daemon.report.batteries import RECOVERS, SILENT, battery_changes
from derctl.functions.bms_guard import Memory, Side

CALM = Memory()
BARRED = Memory(charge=Side(left=Left(share=0.0, bars=(Bar.OVER_VOLT, Bar.FULL))), why=Reason.BATTERY_BARRED)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (None, CALM, []),
        (CALM, BARRED, [("battery_barred", "bat1", "charging is barred: over volt, full")]),
        (None, Memory(why=Reason.BATTERY_SILENT), [("battery_silent", "bat1", SILENT)]),
        (BARRED, Memory(why=Reason.BATTERY_RECOVERS), [("battery_recovers", "bat1", RECOVERS)]),
        (BARRED, BARRED, []),
        (BARRED, CALM, [("battery_free", "bat1", "its own limits are all that bounds it")]),
        (CALM, None, []),
    ],
)
def test_what_changes_is_told_once(before: object, after: object, told: list[tuple[str, str, str]]) -> None:
    key = "bms_guard/bat1"
    assert list(battery_changes({key: before, "sun": 1}, {key: after, "sun": 2})) == told
