"""A few houses of `make houses` in every run of the tests."""

import pytest

from derctl.core.words import Belief
from tests.houses.kinds import FAULTS, Case, after_proof, belief, controlled, from_the_start, of


@pytest.mark.parametrize("lie", FAULTS[:-1])
def test_a_meter_that_goes_wrong_after_its_proof_costs_next_to_nothing(lie: str) -> None:
    became = [after_proof(case) for case in of(lie, 3)]
    assert all(each.proven for each in became)
    assert sorted(each.over_wh for each in became)[1] <= 5.0
    assert max(each.over_wh for each in became) <= 50.0


@pytest.mark.parametrize("lie", FAULTS)
def test_a_meter_that_is_wrong_from_the_start_is_not_proven(lie: str) -> None:
    assert not any(from_the_start(case, 600.0).proven for case in of(lie, 2))


@pytest.mark.parametrize(("refresh_s", "late_s"), [(1.0, 0.0), (1.0, 5.0), (5.0, 0.0), (10.0, 0.0)])
def test_a_right_meter_is_proven_and_not_doubted(refresh_s: float, late_s: float) -> None:
    became = from_the_start(Case(seed=3, lie="right", refresh_s=refresh_s, late_s=late_s), 1200.0)
    assert became.proven
    assert became.doubted == 0.0


def test_the_law_as_it_runs_does_not_notice_a_meter_near_zero() -> None:
    """When this is red, the belief is wired in."""
    became = after_proof(Case(seed=0, lie="near_zero", today=True))
    assert became.noticed_s is None


def test_the_same_seed_is_the_same_house() -> None:
    one, other = (controlled(Case(seed=5, lie="right"), "right") for _ in range(2))
    for each in (one, other):
        each.run(200.0)
    assert one.house.p_w == other.house.p_w
    assert belief(one) is belief(other) is Belief(belief(one))
