"""What a site file may let derctl write, and which fallback registers that wear out can keep."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec import structs

from derctl.devices import Profile
from derctl.errors import Problem
from derctl.site import DerSection, Site
from derctl.site.schema import FallbackSection
from derctl.site.writes import refused_writes

PV = "kind: sunspec_pv}"


def test_a_point_that_is_never_written_may_be_named(
    small: Callable[..., str], site_of: Callable[[str], Site]
) -> None:
    site = site_of(small((PV, "kind: sunspec_pv, may_write: [703.ESDlyTms, 704.AntiIslEna, 121.WMax, gate]}")))
    assert site.file.ders[0].may_write == ["703.ESDlyTms", "704.AntiIslEna", "121.WMax", "gate"]


@pytest.mark.parametrize(
    ("point", "says"),
    [
        ("703.ESDlyTm", "model 703 has no point 'ESDlyTm'"),
        ("7039.ES", "SunSpec has no model 7039"),
        ("701.W", "701.W can only be read"),
        ("704.WSet", "704.WSet is written for setpoints anyway"),
        ("ESDlyTms", "703.ESDlyTms"),
        ("own.limit", "profile generic names no register of its own"),
        ("1234567.ES", "703.ESDlyTms"),
        ("''", "is empty"),
    ],
)
def test_what_is_no_such_point_is_refused_with_its_place(
    small: Callable[..., str], problems_of: Callable[[str], tuple[Problem, ...]], point: str, says: str
) -> None:
    [problem] = problems_of(small((PV, f"kind: sunspec_pv, may_write: [703.ES, {point}]}}")))
    assert problem.path == "ders[0].may_write[1]"
    assert says in problem.message


HYBRID = "kind: map_hybrid, profile: {}, rating: {{p_max_w: 5000}}, may_write: [{}]}}"


def test_what_of_a_map_is_quoted_only_may_be_named(small: Callable[..., str], site_of: Callable[[str], Site]) -> None:
    site = site_of(small((PV, HYBRID.format("huawei_sun2000_luna2000", "own.limit_pct"))))
    assert site.file.ders[0].may_write == ["own.limit_pct"]


@pytest.mark.parametrize(
    ("profile", "point", "says"),
    [
        ("huawei_sun2000_luna2000", "own.limit", "has no point 'own.limit' (did you mean own.limit_pct?)"),
        (
            "huawei_sun2000_luna2000",
            "own.forced",
            "own.forced is not written even so, since nobody has confirmed discharge_w at 47249",
        ),
        ("kostal_plenticore", "own.battery_w", "nobody has confirmed how the battery's own power is told apart"),
        ("victron_vebus_single", "own.ess_a_w", "own.ess_a_w is written for setpoints anyway"),
        ("sungrow_sh", "own.x", "has no point 'own.x'"),
        ("givenergy", "own.x", "profile givenergy names no register of its own that is written"),
    ],
)
def test_a_point_of_a_map_that_naming_does_not_help_is_refused(
    small: Callable[..., str], problems_of: Callable[[str], tuple[Problem, ...]], profile: str, point: str, says: str
) -> None:
    found = [each for each in problems_of(small((PV, HYBRID.format(profile, point)))) if "may_write" in each.path]
    assert [says in each.message for each in found] == [True], found


@pytest.mark.parametrize(
    ("fallback", "control", "wrong"),
    [
        (FallbackSection(p_ceiling_w=1000.0), True, True),
        (FallbackSection(p_ceiling_w=1000.0), False, False),
        (FallbackSection(p_ceiling_w=1000.0, by="stands"), True, False),
        (FallbackSection(p_ceiling_w=1000.0, by="device"), True, False),
        (FallbackSection(), True, False),  # it promises nothing
    ],
)
def test_no_timer_is_promised_where_it_would_wear_the_memory_out(
    small: Callable[..., str],
    site_of: Callable[[str], Site],
    fallback: FallbackSection,
    control: bool,
    wrong: bool,
) -> None:
    der = DerSection(id="pv1", bus="lan", unit=1, kind="sunspec_pv", fallback=fallback, control=control)
    site = structs.replace(site_of(small()).file, ders=[der])
    found = list(refused_writes(site, {"generic": Profile(volatile=False)}))
    assert [path for path, _ in found] == (["ders[0].fallback.by"] if wrong else [])
    assert list(refused_writes(site, {"generic": Profile()})) == []
