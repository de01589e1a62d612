"""Settings that hunt do so without the guard and stop with it; a calm house with clouds and loads is left alone."""

import pytest

from tests.hunting.cases import HUNTING, Hunts, alarms, guards, lived_in, played

QUIET_S = 120.0


@pytest.mark.parametrize("case", HUNTING, ids=lambda case: case.name)
def test_a_loop_that_is_too_steep_for_its_grid_hunts_without_the_guard_and_not_with_it(case: Hunts) -> None:
    """Default volt-watt at a short-circuit ratio of 3 with writes every 1.5 s swung by 27 % of the power."""
    bare = played(case, 600.0, guarded=False).swing(QUIET_S)
    assert bare[case.shows] > 0.14
    kept = played(case, 590.0, guarded=True)
    assert kept.swing(QUIET_S)[case.shows] < 0.02
    assert kept.swing(QUIET_S)[0] < 0.01, "the voltage stands within 1 %"
    assert all(1 <= memory.stage <= 3 and memory.held is None for memory in guards(kept))


def test_it_is_found_within_a_minute_of_full_swing() -> None:
    weak = played(HUNTING[1], 0.0, guarded=True)
    while not guards(weak) or guards(weak)[0].stage == 0:
        weak.run(1.0)
        assert weak.t_s < 60.0


@pytest.mark.parametrize("seed", range(3))
def test_a_calm_house_with_clouds_and_loads_is_left_alone(seed: int) -> None:
    assert alarms(lived_in(20.0, seed), 0.5) == 0
    assert alarms(lived_in(10.0, seed), 0.5) == 0
