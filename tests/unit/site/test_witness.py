"""`poc.witness` and `poc.followers` in a site file."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from derctl.errors import Problem
from derctl.site import Site, rounds_of

Small = Callable[..., str]


def with_(more: str) -> tuple[str, str]:
    return "unit: 3, sign: 1}", f"unit: 3, sign: 1, {more}}}"


def test_another_meter_and_who_follows_are_read(small: Small, site_of: Callable[[str], Site]) -> None:
    file = site_of(small(with_("witness: {bus: lan, unit: 7, sign: -1}, followers: [wallbox, cellar battery]"))).file
    assert file.poc is not None and file.poc.witness is not None
    assert (file.poc.witness.unit, file.poc.witness.sign, file.poc.witness.kind) == (7, -1, "sunspec_meter")
    assert file.poc.followers == ["wallbox", "cellar battery"]
    assert [path for path, _ in file.meters] == ["poc", "poc.witness"]


def test_without_them_there_are_none(small: Small, site_of: Callable[[str], Site]) -> None:
    file = site_of(small()).file
    assert file.poc is not None
    assert (file.poc.witness, file.poc.followers) == (None, [])


def test_the_inverter_s_own_meter_is_named_by_its_section(small: Small, site_of: Callable[[str], Site]) -> None:
    assert site_of(small(with_("witness: {bus: lan, unit: 1, section: 3, sign: 1}"))).file.poc is not None


@pytest.mark.parametrize(
    ("more", "path", "says"),
    [
        ("witness: {bus: lan, unit: 3, sign: 1}", "poc.witness.unit", "lan unit 3 is already poc"),
        ("witness: {bus: lan, unit: 1, sign: 1}", "poc.witness.unit", "lan unit 1 is already ders[0]"),
        ("witness: {bus: lab, unit: 7, sign: 1}", "poc.witness.bus", "no bus 'lab' in buses"),
        ("witness: {bus: lan, unit: 7, sign: 1, kind: sunspec_pv}", "poc.witness.kind", "'sunspec_pv' is no meter"),
        ("witness: {bus: lan, unit: 7, sign: 1, profile: smma}", "poc.witness.profile", "smma"),
        ("witness: {bus: lan, unit: 7}", "poc.witness", "sign"),
        ("followers: ['']", "poc.followers", ""),
    ],
)
def test_what_is_wrong_of_it_is_said_at_its_place(
    small: Small, problems_of: Callable[[str], tuple[Problem, ...]], more: str, path: str, says: str
) -> None:
    problems = {problem.path: problem.message for problem in problems_of(small(with_(more)))}
    assert says in problems[path]


def test_another_meter_takes_its_time_on_its_bus(small: Small, site_of: Callable[[str], Site]) -> None:
    alone = rounds_of(site_of(small()))[0].requests
    both = rounds_of(site_of(small(with_("witness: {bus: lan, unit: 7, sign: 1}"))))[0].requests
    assert both > alone
