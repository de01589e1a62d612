"""`section:` in a site file: which of several things in one unit is meant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from derctl.errors import Problem
from derctl.site import Site

Small = Callable[..., str]
METER = ("unit: 3, sign: 1}", "unit: 3, section: SECTION, sign: 1}")


@pytest.mark.parametrize(
    ("written", "meant"),
    [("2", 2), ("200", 200), ("Export+Import", "Export+Import"), ("'2'", "2"), ("'0123'", "0123")],
)
def test_a_section_is_a_number_or_a_text(
    small: Small, site_of: Callable[[str], Site], written: str, meant: Any
) -> None:
    site = site_of(small((METER[0], METER[1].replace("SECTION", written))))
    assert site.file.poc is not None
    assert site.file.poc.section == meant


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("0", "a whole number from 1 to 200, or a text"),
        ("71000123", "a number that is meant as text is written in quotes, '71000123'"),
        ("2.5", "in quotes"),
        ("true", "in quotes"),
        ("[2]", "in quotes"),
        ("''", "in quotes"),
    ],
)
def test_anything_else_is_said_with_what_to_write(
    small: Small, problems_of: Callable[[str], tuple[Problem, ...]], written: str, says: str
) -> None:
    [problem] = problems_of(small((METER[0], METER[1].replace("SECTION", written))))
    assert problem.path == "poc.section"
    assert says in problem.message


PV = "{id: pv1, bus: lan, unit: 1, kind: sunspec_pv}"


def two(first: str, second: str) -> tuple[str, str]:
    made = [
        f"  - {{id: {name}, bus: lan, unit: 1, kind: sunspec_pv{more}}}"
        for name, more in (("pv1", first), ("pv3", second))
    ]
    return f"  - {PV}", "\n".join(made)


@pytest.mark.parametrize(
    "pair",
    [
        two(", section: 1", ", section: 2"),
        two(", section: 1", ", section: INV2"),
        ("unit: 3, sign: 1}", "unit: 1, section: 2, sign: 1}"),
        ("kind: sunspec_storage", "kind: sunspec_storage, bms: {bus: lan, unit: 2}"),
        ("kind: sunspec_storage", "kind: sunspec_storage, bms: {bus: lan, unit: 2, section: 2}"),
        two(", serial: A, section: 1", ", serial: A, section: 2"),
    ],
)
def test_one_unit_may_hold_several_things(
    small: Small, site_of: Callable[[str], Site], pair: tuple[str, str]
) -> None:
    assert site_of(small(pair)).file.ders


@pytest.mark.parametrize(
    ("pair", "path"),
    [
        (two("", ""), "ders[1].unit"),
        (two(", section: 1", ""), "ders[1].unit"),
        (two(", section: 2", ", section: 2"), "ders[1].unit"),
        (two(", section: 2", ", section: '2'"), "ders[1].unit"),
        (("unit: 3, sign: 1}", "unit: 1, sign: 1}"), "poc.unit"),
    ],
)
def test_what_may_be_one_thing_twice_is_refused(
    small: Small, problems_of: Callable[[str], tuple[Problem, ...]], pair: tuple[str, str], path: str
) -> None:
    problems = {problem.path: problem.message for problem in problems_of(small(pair))}
    assert "is already ders[0]" in problems[path]


@pytest.mark.parametrize(
    ("bms", "here"), [("", None), (", bms: {bus: lan, unit: 2}", True), (", bms: {bus: lan, unit: 9}", False)]
)
def test_a_bms_is_in_the_battery_s_own_chain_where_it_has_its_unit(
    small: Small, site_of: Callable[[str], Site], bms: str, here: bool | None
) -> None:
    site = site_of(small(("kind: sunspec_storage", f"kind: sunspec_storage{bms}")))
    assert site.file.ders[1].bms_here is here


def test_a_battery_that_no_guard_names_gets_one(small: Small, site_of: Callable[[str], Site]) -> None:
    guards = [(f.kind, ids) for f, ids in site_of(small()).plan.der_functions if f.kind == "bms_guard"]
    assert guards == [("bms_guard", ("bat1",))]
    own = ("functions:\n", "functions:\n  - {kind: bms_guard, ramp_s: 5}\n")
    [(guard, ids)] = [(f, ids) for f, ids in site_of(small(own)).plan.der_functions if f.kind == "bms_guard"]
    assert (guard.ramp_s, ids) == (5.0, ("bat1",))  # type: ignore[attr-defined]
