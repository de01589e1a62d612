"""A liar is suspected by its voltage, and a meter by the DER's; who is right mostly is not."""

import pytest

from tests.hunting.claimed import claimed, said
from tests.hunting.grids import PLACES

SEEDS = 5


@pytest.mark.parametrize("lie", ["right", "invents", "meter_dead"])
def test_the_one_that_lies_is_suspected_and_nobody_else(lie: str) -> None:
    """All but one of five at least; `make hunting` has fifty of each."""
    found = [said(claimed(PLACES[0], seed, lie), 2_700.0) for seed in range(SEEDS)]
    ders, meters = (
        sum(s is not None and s > 0.0 for s in each)
        for each in zip(*((s.der_s, s.meter_s) for s in found), strict=True)
    )
    right = [ders <= 1, meters <= 1]
    if lie == "invents":
        right[0] = ders >= SEEDS - 1
    if lie.startswith("meter"):
        right[1] = meters >= SEEDS - 1
    assert right == [True, True]
