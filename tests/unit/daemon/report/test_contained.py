"""What is told of containment, once each; and what `status` shows of it."""

from __future__ import annotations

from typing import Any

import pytest

from derctl.core.containment import Summand
from derctl.core.excursions import Memory as Counted
from derctl.core.words import KnownBy, Stage
from derctl.daemon.report.contained import changes, containment
from derctl.functions import plan_of
from derctl.functions.containment import Memory
from tests.catalogue import PLAN

GOOD, BAD = Memory(), Memory(uncontained=True)
ONE = Memory(excursions=Counted(long=True, over_s=15.0, ages_s=(0.0,)))
LOCKED = Memory(excursions=Counted(long=True, over_s=15.0, locked_s=14_400.0))


@pytest.mark.parametrize(
    ("before", "after", "events"),
    [
        (None, GOOD, []),
        (None, BAD, ["load_not_credited"]),
        (BAD, BAD, []),
        (BAD, GOOD, ["load_credited"]),
        (GOOD, ONE, ["excursion"]),
        (ONE, ONE, []),
        (GOOD, LOCKED, ["excursion", "locked_out"]),
        (LOCKED, LOCKED, []),
        (LOCKED, GOOD, ["lockout_over"]),
        (GOOD, None, []),
    ],
)
def test_each_change_is_told_once(before: Any, after: Any, events: list[str]) -> None:
    assert [event for event, _ in changes(before, after)] == events


def test_status_shows_the_table_with_what_is_measured() -> None:
    quick = (Summand(stage=Stage.RESPONSE, seconds=2.5, by=KnownBy.MEASURED),)
    before = containment(PLAN, {})
    found = containment(PLAN, {"containment": Memory(summands=quick, excursions=Counted(count=4))})
    assert before is not None and found is not None
    assert (before["lasts_s"], before["summands"][0]["by"], before["by"]) == (10.0, "assumed", "g100")
    assert (found["lasts_s"], found["summands"][0]["by"], found["credit"]) == (2.5, "measured", True)
    assert found["excursions"] == {"count": 4, "long": 0, "longest_s": 0.0, "locked_s": 0.0}


@pytest.mark.parametrize(
    ("seconds", "well_s", "uncontained", "waits_s"),
    [(2.5, 12.0, True, 48.0), (2.5, 60.0, False, None), (90.0, 0.0, True, None), (None, 0.0, True, None)],
)
def test_load_that_only_waits_is_told_from_load_that_cannot_count(
    seconds: float | None, well_s: float, uncontained: bool, waits_s: float | None
) -> None:
    table = (Summand(stage=Stage.RESPONSE, seconds=seconds, by=KnownBy.MEASURED),)
    found = containment(PLAN, {"containment": Memory(summands=table, well_s=well_s, uncontained=uncontained)})
    assert found is not None
    assert (found["credit"], found["credited_in_s"]) == (not uncontained, waits_s)


def test_where_no_limit_is_agreed_there_is_nothing_to_show() -> None:
    assert containment(plan_of((), ()), {}) is None
