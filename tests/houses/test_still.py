"""A few houses whose meter stands still in every run of the tests."""

import pytest

from tests.houses.still import WHERE, WITHIN_S, Case, stood_still


@pytest.mark.parametrize("where", WHERE)
def test_a_meter_that_stands_still_is_noticed_within_twenty_seconds(where: str) -> None:
    became = [stood_still(Case(seed=seed, where=where)) for seed in range(3)]
    assert all(each.began for each in became)
    assert max(WITHIN_S + 1.0 if each.noticed_s is None else each.noticed_s for each in became) <= WITHIN_S
