"""How long an excursion may last is the sum of a table; what is not known makes the sum unknown."""

from __future__ import annotations

import pytest

from derctl.core.containment import Budget, Summand, measured, taken_s, total_s
from derctl.core.words import KnownBy, Stage

TABLE = (
    Summand(stage=Stage.METER_REFRESH, seconds=1.0, by=KnownBy.PROFILE),
    Summand(stage=Stage.METER_DELAY, seconds=5.0, by=KnownBy.ASSUMED),
    Summand(stage=Stage.POLL, seconds=2.0, by=KnownBy.SET),
    Summand(stage=Stage.WRITE, seconds=0.5, by=KnownBy.SET),
    Summand(stage=Stage.RESPONSE, seconds=10.0, by=KnownBy.ASSUMED),
)


def budget(*summands: Summand, containment_s: float = 15.0) -> Budget:
    return Budget(containment_s=containment_s, by="as4777_a", summands=summands)


@pytest.mark.parametrize(
    ("containment_s", "contained", "hopeless"),
    [(30.0, True, False), (18.5, True, False), (18.4, False, False), (2.5, False, False), (2.4, False, True)],
)
def test_load_counts_where_all_ends_in_time_and_nothing_helps_where_not_even_the_settings_alone_do(
    containment_s: float, contained: bool, hopeless: bool
) -> None:
    found = budget(*TABLE, containment_s=containment_s)
    assert found.lasts_s == 18.5
    assert (found.contained, found.hopeless) == (contained, hopeless)


def test_what_is_not_known_is_not_in_time() -> None:
    unknown = (*TABLE, Summand(stage=Stage.LAW, seconds=None, by=KnownBy.SET))
    assert total_s(unknown) is None
    assert not budget(*unknown, containment_s=600.0).contained
    assert not budget(*unknown, Summand(stage=Stage.PACING, seconds=None, by=KnownBy.PROFILE)).hopeless


def test_what_was_measured_stands_for_what_was_assumed() -> None:
    table = measured(TABLE, [(Stage.RESPONSE, 1.5), (Stage.METER_DELAY, None)])
    assert [(each.stage, each.seconds, each.by) for each in table if each.by is KnownBy.MEASURED] == [
        (Stage.RESPONSE, 1.5, KnownBy.MEASURED)
    ]
    assert total_s(table) == 10.0
    assert budget(*table).contained


@pytest.mark.parametrize(("share", "seconds"), [(1.0, 0.0), (0.33, 9.77), (0.5, 5.64), (0.05, 76.27)])
def test_a_loop_takes_so_long_until_a_fiftieth_is_left(share: float, seconds: float) -> None:
    assert taken_s(share) == pytest.approx(seconds, abs=0.01)
    assert share == 1.0 or (1.0 - share) ** seconds == pytest.approx(0.02, rel=0.01)
