"""A few houses of the phases' and followers' table in every run of the tests."""

import pytest

from derctl.core.words import Doubt
from tests.houses.phases import KINDS, Case, noticed, phase_doubted_s, with_follower


@pytest.mark.parametrize("lie", ["lost_phase", "phase_reversed"])
@pytest.mark.parametrize("kind", ["even", "uneven, told", "no phases"])
def test_a_phase_that_is_lost_or_turned_is_noticed_within_twenty_minutes_of_exposure(lie: str, kind: str) -> None:
    for seed in (1, 4):
        seconds, _ = noticed(Case(seed=seed, lie=lie, **KINDS[kind]))
        assert seconds is not None
        assert seconds <= 1200.0


def test_the_phase_is_named_where_the_meter_tells_them() -> None:
    named = [noticed(Case(seed=seed, lie="lost_phase"))[1] for seed in range(3)]
    assert Doubt.PHASE_LOST in named


@pytest.mark.parametrize("kind", ["even", "uneven, told", "uneven, not told"])
def test_no_phase_of_a_right_meter_is_called_wrong_though_loads_are_on_one_phase(kind: str) -> None:
    """House 19 has a hob that cycled with four steps in a row."""
    assert phase_doubted_s(Case(seed=19, **KINDS[kind]), 900.0) == 0.0


@pytest.mark.parametrize("lie", ["right", "near_zero", "dead"])
@pytest.mark.parametrize("follower", ["surplus_charger", "foreign_battery"])
def test_with_a_declared_follower_no_meter_is_doubted(follower: str, lie: str) -> None:
    for seed in (1, 2):
        shares = with_follower(Case(seed=seed, lie=lie, follower=follower, declared=("it",), by_phase=False), 900.0)
        assert shares.doubted == 0.0
        assert not shares.suspected
        assert lie == "right" or shares.proven == 0.0


def test_a_foreign_battery_that_is_not_declared_is_suspected_aloud_and_a_dead_meter_is_not() -> None:
    cases = [Case(seed=seed, follower="foreign_battery", by_phase=False) for seed in range(4)]
    assert any(with_follower(case, 1800.0).suspected for case in cases)
    assert not any(
        with_follower(Case(seed=seed, lie="near_zero", by_phase=False), 900.0).suspected for seed in (1, 2)
    )
