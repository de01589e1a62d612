"""A voltage that follows a power no more is suspected after some lessons, not after one, and cleared by as many."""

from __future__ import annotations

import pytest

from derctl.core.claims import MOST, SUSPECTED, suspected, weighed


def test_what_fits_speaks_for_it_and_what_is_missing_against() -> None:
    assert weighed(3.0, 0.0, 1.0, 0.2, turns=False) < 3.0
    assert weighed(3.0, -1.0, 1.0, 0.2, turns=False) > 3.0


def test_a_voltage_that_moves_too_much_is_none_that_does_not_move() -> None:
    assert weighed(3.0, 1.0, 1.0, 0.2, turns=False) < 3.0


def test_only_a_meter_may_be_turned_round() -> None:
    """By one lesson of 40 spreads it is told; without the word for it what is left is as far from both."""
    round_ = weighed(0.0, -2.0, 1.0, 0.05, turns=True)
    assert weighed(0.0, -2.0, 1.0, 0.05, turns=False) < 2.2 < SUSPECTED <= round_


def test_it_is_never_below_nothing_nor_above_what_can_be_taken_back() -> None:
    assert weighed(0.0, 0.0, 1.0, 0.1, turns=False) == 0.0
    assert weighed(MOST, -1.0, 1.0, 0.01, turns=False) == MOST


def test_without_a_spread_nothing_is_said() -> None:
    assert weighed(1.0, -1.0, 1.0, 0.0, turns=False) == 1.0


@pytest.mark.parametrize(
    ("against", "before", "after"), [(8.9, False, False), (9.0, False, True), (1.0, True, True), (0.9, True, False)]
)
def test_a_suspicion_stays_until_nearly_all_of_it_is_taken_back(against: float, before: bool, after: bool) -> None:
    assert suspected(against, before) is after
