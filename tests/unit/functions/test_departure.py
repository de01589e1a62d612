"""A store that leaves: charged by then, not before it has to be, and kept."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from derctl.core.requests import DepartureRequest
from derctl.core.types import Abstain, DerState, Proposal
from derctl.functions.departure import ABOVE_PCT, START, Departure, Memory, needed_s, reached_pct
from tests import make

HOUR = 3600.0


def leaving(soc_pct: float, left_s: float, *, name: str = "d", der: str = "bat1") -> DepartureRequest:
    return DepartureRequest(id=name, der=der, by="home", remaining_s=left_s, soc_pct=soc_pct)


def car(soc_pct: float | None, **given: Any) -> DerState:
    """10 kWh, 5 kW."""
    return make.battery(soc_pct=soc_pct, p_w=0.0, **given)


def said(soc_pct: float | None, *asked: DepartureRequest, memory: Memory = START, **given: Any) -> tuple[Memory, Any]:
    der = car(soc_pct, **given)
    return Departure(efficiency_pu=1.0).step(memory, der, make.site(der, requests=asked), 1.0)


def test_it_begins_when_its_full_power_is_just_enough() -> None:
    """By hand: from 40 to 90 % of 10 kWh are 5 kWh, 1 h at 5 kW, 66 minutes with a tenth, 71 with the rest."""
    assert needed_s(car(40.0), 90.0, 1.0) == pytest.approx(HOUR)
    _, early = said(40.0, leaving(90.0, 71.0 * 60.0 + 1.0))
    assert isinstance(early, Abstain) and early.reason == "time enough"
    memory, word = said(40.0, leaving(90.0, 71.0 * 60.0 - 1.0))
    assert word == Proposal(by="departure", rank=70, p_target_w=-5000.0)
    assert memory == Memory(begun="d")
    _, goes_on = said(60.0, leaving(90.0, 71.0 * 60.0), memory=memory)
    assert goes_on.p_target_w == -5000.0, "what has begun is not put off"


def test_a_later_departure_puts_off_what_was_begun_for_another() -> None:
    memory, word = said(40.0, leaving(90.0, 9.0 * HOUR, name="e"), memory=Memory(begun="d"))
    assert isinstance(word, Abstain) and memory == START


def test_what_it_has_is_kept_and_what_is_above_is_free() -> None:
    _, kept = said(90.0, leaving(90.0, HOUR), memory=Memory(begun="d"))
    assert (kept.p_ceiling_w, kept.p_target_w) == (0.0, None)
    _, free = said(90.0 + ABOVE_PCT, leaving(90.0, HOUR))
    assert isinstance(free, Abstain) and not free.lost


@pytest.mark.parametrize(
    ("soc_pct", "given"),
    [(None, {}), (40.0, {"fresh": False}), (40.0, {"charge_w": 0.0}), (40.0, {"e_max_wh": None})],
)
def test_nobody_charges_what_nobody_knows(soc_pct: float | None, given: dict[str, Any]) -> None:
    e_max_wh = given.pop("e_max_wh", 1.0)
    der = car(soc_pct, **given)
    if e_max_wh is None:
        der = replace(der, rating=replace(der.rating, e_max_wh=None))
    site = make.site(der, requests=(leaving(90.0, 60.0),))
    memory, word = Departure().step(Memory(begun="d"), der, site, 1.0)
    assert isinstance(word, Abstain) and word.lost and memory == Memory(begun="d")
    assert reached_pct(der, HOUR, 0.9) is None


def test_nobody_leaves() -> None:
    memory, word = said(40.0, leaving(90.0, 60.0, der="bat2"), memory=Memory(begun="d"))
    assert isinstance(word, Abstain) and memory == START
    assert Departure().start() == START


def test_what_it_can_have_by_then_is_by_its_power_and_its_losses() -> None:
    """5 kW for an hour with 90 % are 4.5 kWh of 10."""
    assert reached_pct(car(40.0), HOUR, 0.9) == pytest.approx(85.0)
    assert reached_pct(car(40.0), 9.0 * HOUR, 0.9) == 100.0
    assert reached_pct(car(100.0), 0.0, 0.9) == 100.0
