"""A few houses of the table that begins in the dark in every run of the tests."""

import pytest

from tests.houses.dark import FAULTS, Case, dark_start


@pytest.mark.parametrize(("refresh_s", "within_s"), [(1.0, 60.0), (2.0, 60.0), (5.0, 300.0), (10.0, 300.0)])
def test_a_zero_export_that_begins_in_the_dark_finds_its_sun(refresh_s: float, within_s: float) -> None:
    """In forty of fifty houses; these are eight in a row."""
    became = [dark_start(Case(seed=seed, refresh_s=refresh_s), within_s) for seed in range(14, 22)]
    assert sum(each.found_s is not None for each in became) >= 6
    assert max(each.over_wh for each in became) <= 2.0


def test_a_meter_that_is_five_seconds_late_finds_it_within_five_minutes() -> None:
    became = [dark_start(Case(seed=seed, late_s=5.0), 300.0) for seed in range(14, 20)]
    assert sum(each.found_s is not None for each in became) >= 5


@pytest.mark.parametrize("lie", FAULTS)
def test_a_meter_that_is_wrong_in_the_dark_is_not_proven(lie: str) -> None:
    became = [dark_start(Case(seed=seed, lie=lie), 600.0) for seed in range(3)]
    assert not any(each.ever for each in became)
    assert max(each.over_wh for each in became) <= 2.0
