"""Who else can tell a device something: each thing has one owner, or the file is refused with both names."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from derctl.cli.check import owners_text
from derctl.core.words import Told
from derctl.errors import Problem
from derctl.functions import ROWS
from derctl.site import Site
from derctl.site.owners import owners, told_by

FUNCTIONS = "functions:\n"
BATTERY = "kind: sunspec_storage}"
NONE_OF_IT = {"bms_guard", "soc_guard", "reserve"}
"""They bound what others tell."""


def with_controllers(*rows: str) -> tuple[tuple[str, str], ...]:
    listed = "".join(f"  - {row}\n" for row in rows)
    return ((FUNCTIONS, f"controllers:\n{listed}{FUNCTIONS}"),)


def test_every_function_of_a_site_file_tells_something_or_bounds_what_others_tell() -> None:
    asked = {kind for kind, row in ROWS.items() if row.in_site_file}
    assert {kind for kind in asked if told_by(kind) is None} == NONE_OF_IT & asked


@pytest.mark.parametrize(
    ("row", "whose"),
    [
        ("{name: evcc, ders: [bat1], owns: [var]}", ("bat1", Told.VAR, "evcc")),
        ("{name: the inverter's own export limit, ders: [pv1], could: [limit]}", ("pv1", Told.LIMIT, "derctl")),
        ("{name: vendor cloud, ders: [bat1], could: [power]}", ("bat1", Told.POWER, "derctl")),
    ],
)
def test_what_one_owns_others_could_tell(
    small: Callable[..., str], site_of: Callable[[str], Site], row: str, whose: tuple[str, Told, str]
) -> None:
    """The contract limits pv1, and bat1 by its target, since it takes no limit."""
    site = site_of(small(*with_controllers(row)))
    assert whose in {(each.der, each.what, each.name) for each in owners(site.file, site.plan)}


@pytest.mark.parametrize(
    ("rows", "path", "says"),
    [
        (["{name: evcc, ders: [pv1], owns: [limit]}"], "controllers[0].owns", "derctl by contract_export_limit"),
        (["{name: evcc, ders: [bat1], owns: [power]}"], "controllers[0].owns", "derctl by contract_export_limit"),
        (
            ["{name: evcc, ders: [pv1], owns: [var]}", "{name: cloud, ders: [pv1], owns: [var]}"],
            "controllers[0].owns",
            "evcc and cloud both own the var of pv1",
        ),
        (["{name: cloud, ders: [pv1], could: [var]}"], "controllers[0].could", "nobody owns the var of pv1"),
        (["{name: cloud, ders: [pv7], could: [var]}"], "controllers[0].ders", "no DER 'pv7'"),
        (["{name: derctl, ders: [pv1], owns: [var]}"], "controllers[0].name", "our own name"),
    ],
)
def test_what_two_own_or_nobody_is_refused(
    small: Callable[..., str],
    problems_of: Callable[[str], tuple[Problem, ...]],
    rows: list[str],
    path: str,
    says: str,
) -> None:
    found = problems_of(small(*with_controllers(*rows)))
    assert found[0].path == path
    assert says in found[0].message


def test_what_derctl_does_not_write_is_not_its_own(small: Callable[..., str], site_of: Callable[[str], Site]) -> None:
    rows = with_controllers("{name: evcc, ders: [bat1], owns: [power]}")
    site = site_of(small((BATTERY, "kind: sunspec_storage, control: false}"), *rows))
    assert [(each.name, each.what) for each in owners(site.file, site.plan) if each.der == "bat1"] == [
        ("evcc", Told.POWER)
    ]


def test_check_says_who_tells_what_where_somebody_else_could(
    small: Callable[..., str], site_of: Callable[[str], Site]
) -> None:
    assert owners_text(site_of(small())) == []
    [text] = owners_text(site_of(small(*with_controllers("{name: evcc, ders: [bat1], owns: [var]}"))))
    assert text.startswith("who tells what: limit of pv1: derctl, power of bat1: derctl, var of bat1: evcc")
    assert text.endswith("reassert")
