"""The meter against the DERs: a load is never negative, and the meter goes with the sun."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from derctl.commission.at_poc import at_poc
from derctl.commission.finding import Found, Weight
from derctl.commission.met import Asked, Met
from derctl.core.types import Rating, Reading
from derctl.devices import Device

RATED_W = 10000.0
RATING = Rating(p_max_w=RATED_W, p_min_w=0.0, s_max_va=RATED_W, q_inj_max_var=0.0, q_abs_max_var=0.0, v_nom_v=230.0)


def met(role: str, watts: Sequence[float | None], sign: int = 1) -> Met:
    asked = Asked(id="poc" if role == "meter" else "pv1", role=role, bus="lan", place="here", unit=1, sign=sign)
    samples = tuple(None if each is None else Reading(p_w=each) for each in watts)
    return Met(asked=asked, device=cast(Device, SimpleNamespace(rating=RATING)), samples=samples)


def judged(shown: Sequence[float | None], given: Sequence[float | None]) -> list[tuple[Found, Weight]]:
    return [(each.code, each.weight) for each in at_poc(met("meter", shown), [met("der", given)])]


SUN = [4000.0, 4100.0, 4300.0, 4600.0, 4700.0, 4500.0]


def test_a_meter_that_goes_with_the_sun_is_right_though_the_house_draws_more() -> None:
    assert judged([given - 7000.0 for given in SUN], SUN) == []


def test_a_meter_that_goes_against_the_sun_is_reversed() -> None:
    load_w = 900.0
    assert judged([load_w - given for given in SUN], SUN) == [(Found.METER_REVERSED, Weight.MEND)]


def test_a_meter_that_is_late_is_not_taken_for_a_reversed_one() -> None:
    late = [SUN[0], SUN[0], *SUN[:-2]]
    assert judged([given - 900.0 for given in late], SUN) == []


def test_import_under_a_still_sun_is_a_question() -> None:
    assert judged([-3100.0] * 4, [4000.0] * 4) == [(Found.METER_SIGN_OPEN, Weight.LOOK)]


def test_export_at_night_is_the_import_of_a_reversed_meter() -> None:
    assert judged([800.0] * 4, [0.0] * 4) == [(Found.METER_REVERSED, Weight.MEND)]


def test_more_export_than_there_is_with_a_meter_that_follows_is_something_else_that_feeds_in() -> None:
    assert judged([given + 2000.0 for given in SUN], SUN) == [(Found.EXPORT_UNEXPLAINED, Weight.MEND)]


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_meter_that_shows_what_the_ders_give_measures_them(sign: float) -> None:
    steady = [4000.0, 4010.0, 3990.0, 4000.0]
    assert judged([sign * given - 5.0 for given in steady], steady) == [(Found.METER_OF_PRODUCTION, Weight.LOOK)]


def test_a_house_that_draws_little_is_no_meter_of_production() -> None:
    assert judged([3800.0] * 4, [4000.0] * 4) == []


def test_import_at_night_is_nothing() -> None:
    assert judged([-800.0] * 4, [0.0] * 4) == []


@pytest.mark.parametrize(
    ("shown", "given"),
    [([-3100.0] * 4, [4000.0, None, None, 4000.0]), ([None] * 4, [4000.0] * 4), ([-3100.0] * 2, [4000.0] * 2)],
)
def test_what_was_not_heard_is_not_judged(shown: Any, given: Any) -> None:
    assert judged(shown, given) == []


def test_the_remedy_turns_the_sign_that_stands_in_the_file() -> None:
    [found] = at_poc(met("meter", [800.0] * 4, sign=-1), [met("der", [0.0] * 4)])
    assert "sign: 1 for poc" in found.remedy
