"""Before anybody is raised the fallbacks are written and read back; who never shows its own costs only itself."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from derctl.core.words import Certainty, Without
from derctl.daemon.arming import Arm, Arming
from derctl.daemon.promises import PROMISE_S, Promises, Settling, after
from derctl.site.absence import DerAbsence

OPEN, HELD, WATCHING = Arming(state=Arm.CONTROLLING), Arming(state=Arm.HELD), Arming(state=Arm.WATCHING)
BEGUN, DONE = Settling(since_s=100.0), Settling(since_s=100.0, done=True)


@pytest.mark.parametrize(
    ("before", "arming", "unproven", "now_s", "then"),
    [
        (Settling(), HELD, True, 100.0, Settling()),  # no setpoint leaves yet: its time has not begun
        (Settling(), OPEN, True, 100.0, BEGUN),
        (Settling(), OPEN, False, 100.0, DONE),
        (BEGUN, OPEN, True, 100.0 + PROMISE_S, BEGUN),
        (BEGUN, OPEN, True, 100.1 + PROMISE_S, DONE),
        (BEGUN, OPEN, False, 101.0, DONE),
        (DONE, OPEN, True, 500.0, DONE),  # a device that comes back later halts nobody
        (DONE, WATCHING, False, 500.0, Settling()),
    ],
)
def test_each_look_leads_where_the_table_says(
    before: Settling, arming: Arming, unproven: bool, now_s: float, then: Settling
) -> None:
    assert after(before, arming, unproven, now_s) == then


def part(p_w: float | None, ceiling_w: float | None) -> DerAbsence:
    return DerAbsence(
        id="x", how=Without.TIMER, certainty=Certainty.FOUND, p_w=p_w, least_w=0.0, most_w=p_w, ceiling_w=ceiling_w
    )


class House:
    """DERs by name: whether each is written, heard, proven, and what it counts with."""

    def __init__(self, **ders: Any) -> None:
        self.arming, self.told = OPEN, list[tuple[str, str]]()
        kept = {"control": True, "lost": False}
        self.writers: Any = {
            name: SimpleNamespace(**(kept | der), promised=SimpleNamespace(proven=der.get("proven", False)))
            for name, der in ders.items()
        }
        absent: Any = SimpleNamespace(of=lambda name: ders[name].get("part", part(2000.0, 2000.0)))
        self.promises = Promises(
            self.writers, absent, lambda: self.arming, lambda event, der, text: self.told.append((event, der))
        )

    def halted_after(self, now_s: float) -> bool:
        self.promises.look(now_s)
        return self.promises.halted


def test_nobody_is_raised_from_the_word_on_until_all_are_proven() -> None:
    house = House(pv1={"proven": True}, pv2={})
    house.arming = WATCHING
    assert not house.halted_after(99.0), "what observe shows is what control does"
    house.arming = HELD
    assert house.promises.halted, "the tick in which it begins, too"
    house.arming = OPEN
    assert house.halted_after(100.0) and house.halted_after(101.0)
    house.writers["pv2"].promised.proven = True
    assert not house.halted_after(102.0) and house.told == []


def test_one_that_never_shows_its_fallback_is_named_and_the_others_go_on() -> None:
    house = House(pv1={"proven": True}, pv2={}, bat1={})
    assert house.halted_after(100.0)
    assert not house.halted_after(100.1 + PROMISE_S)
    assert house.told == [("fallback_unproven", "pv2"), ("fallback_unproven", "bat1")]
    assert not house.halted_after(200.0) and len(house.told) == 2


@pytest.mark.parametrize(
    "der",
    [
        {"lost": True},  # it can't be told anything, and counts with its worst
        {"control": False},
        {"part": part(5000.0, 2000.0)},  # counts at its rating
        {"part": part(5000.0, None)},
        {"part": part(None, 2000.0)},
    ],
)
def test_who_promises_nothing_or_is_not_there_is_not_waited_for(der: Any) -> None:
    assert not House(pv1=der).halted_after(100.0)
