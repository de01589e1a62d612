"""A few houses whose battery follows the meter though nothing is agreed, in every run of the tests."""

import pytest

from tests.houses.stores import Case, followed


@pytest.mark.parametrize("lie", ["reversed", "stuck", "load_side"])
def test_a_meter_that_goes_wrong_while_a_store_follows_it_is_noticed_with_the_next_renewal(lie: str) -> None:
    became = [followed(Case(seed=seed, lie=lie)) for seed in (1, 2)]
    assert all(each.proven for each in became)
    assert max(901.0 if each.noticed_s is None else each.noticed_s for each in became) <= 300.0


@pytest.mark.parametrize(("seed", "night"), [(2, False), (306, False), (1, True)])
def test_the_evidence_for_a_right_one_is_renewed_and_it_is_not_doubted(seed: int, night: bool) -> None:
    """At night where the load flickers more than a dip of what is given, the store comes to rest, and rises. By day
    where the sun is steady, and it draws all it can, it draws less for a moment."""
    became = followed(Case(seed=seed, night=night))
    assert (became.proven, became.old, became.doubted) == (True, 0.0, 0.0)
