"""`check` asks for other reversion timers where a kill would leave the site above its contract, and says which."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from msgspec import structs

from derctl.devices import Profile
from derctl.errors import Problem
from derctl.site import Site
from derctl.site.timers import out_of_order

PV, BATTERY = "kind: sunspec_pv}", "kind: sunspec_storage}"
RATED = "rating: {p_max_w: 10000}"
STORE = "rating: {p_max_w: 5000, p_charge_max_w: 5000}"


def pair(pv: str, battery: str, pv_more: str = "", battery_more: str = "") -> tuple[tuple[str, str], ...]:
    """The fallbacks of 10 kW of PV (5 kW afterwards) and of a battery (at rest afterwards); 5 kW are agreed."""
    return (
        (PV, f"kind: sunspec_pv, {RATED}, fallback: {{p_ceiling_w: 5000{pv}}}{pv_more}}}"),
        (BATTERY, f"kind: sunspec_storage, {STORE}, fallback: {{p_ceiling_w: 0{battery}}}{battery_more}}}"),
    )


def asked(site: Site) -> list[Problem]:
    return [question for question in site.questions if question.path.endswith("after_s")]


@pytest.mark.parametrize(
    ("pv_s", "battery_s", "path", "says"),
    [
        (60, 60, "ders[0]", "for up to 30 s: bat1 may lapse after 30 s, while pv1 holds until 60 s. Write 15 "),
        (60, 10, "ders[0]", "for up to 55 s"),
        (60, 90, None, ""),  # 15 s are contained
        (15, 60, None, ""),
        (15, 15, None, ""),
    ],
)
def test_who_gives_more_afterwards_and_lapses_first_is_asked_about(
    small: Callable[..., str], site_of: Callable[[str], Site], pv_s: Any, battery_s: Any, path: Any, says: Any
) -> None:
    site = site_of(small(*pair(f", after_s: {pv_s}", f", after_s: {battery_s}")))
    questions = asked(site)
    assert [question.path for question in questions] == ([] if path is None else [f"{path}.fallback.after_s"])
    assert all(
        says in question.message and "up to 10,000 W of the 5,000 W" in question.message for question in questions
    )


def test_the_proposal_names_who_waits_and_only_where_that_is_enough(
    small: Callable[..., str], site_of: Callable[[str], Site]
) -> None:
    [question] = asked(site_of(small(*pair(", after_s: 60", ", after_s: 60"))))
    assert "Write 15 (from 10 to 15) for pv1, where the timer has a target and a restart of derctl takes less" in (
        question.message
    )
    both = (
        (PV, f"kind: sunspec_pv, {RATED}, fallback: {{p_ceiling_w: 2000}}}}"),
        (BATTERY, f"kind: sunspec_pv, {RATED}, fallback: {{p_ceiling_w: 2000}}}}"),
    )
    [question] = asked(site_of(small(*both)))
    assert "for pv1, bat1, where" in question.message, "each may rise while the other one holds on"


@pytest.mark.parametrize(
    ("given", "more"),
    [
        ({}, (("v_nom_v: 230", "v_nom_v: 230, tick_s: 5"),)),  # it could not be refreshed in time
        ({"volatile": False}, ()),  # its memory wears out
        ({"timer_rearm": "none"}, ()),  # nothing follows its timer
    ],
)
def test_where_a_short_timer_does_not_suit_a_longer_one_is_proposed_for_who_rises(
    small: Callable[..., str], site_of: Callable[[str], Site], given: Any, more: Any
) -> None:
    site = site_of(small(*pair(", after_s: 60", ", after_s: 60"), *more))
    [(path, message)] = out_of_order(site.file, {"generic": Profile(**given)})
    assert path == "ders[1].fallback.after_s"
    assert message.endswith("Write 120 or more for bat1")


def test_no_contract_and_one_that_is_no_number_are_not_asked_about(
    small: Callable[..., str], site_of: Callable[[str], Site]
) -> None:
    site = site_of(small(*pair(", after_s: 60", ", after_s: 60")))
    for limit_w in (None, "much", math.inf):
        functions = [{"kind": "contract_export_limit", "limit_w": limit_w}]
        assert list(out_of_order(structs.replace(site.file, functions=functions), {})) == []
    assert list(out_of_order(structs.replace(site.file, functions=[]), {})) == []
