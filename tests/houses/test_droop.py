"""What was lifted goes back with the response of droop and not at once, whatever the demand is."""

import pytest

from tests.houses.droop import DEMAND_W, crossed


@pytest.mark.parametrize("seed", range(4))
def test_a_lifted_battery_goes_back_to_its_demand_with_the_response_time(seed: int) -> None:
    """5 s to 90 %; it fell by all of it within the second that its own answer takes."""
    given = crossed(seed, 30.0)
    lifted_w = given[0] - DEMAND_W
    assert lifted_w == pytest.approx(5000.0 * 0.464 / 2.5, abs=40.0)
    assert given[2] - DEMAND_W > 0.5 * lifted_w
    assert given[8] - DEMAND_W < 0.2 * lifted_w
    assert max(abs(w - DEMAND_W) for w in given[20:]) < 20.0
