"""A year of decisions for each register map that ships and is written: what is not known to lie in RAM is written no
more often than a day allows."""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Sequence

import pytest

from derctl.core.exchange import Write
from derctl.core.types import Fallback, Setpoint
from derctl.core.value import replace
from derctl.core.words import FallbackBy
from derctl.daemon.actuate.deadband import Written, reason_to_write
from derctl.daemon.actuate.ledger import Ledger
from derctl.daemon.actuate.ration import Ration, tightens
from derctl.daemon.actuate.wear import DAY_S
from derctl.devices.maps.blocks import blocks_of
from derctl.devices.maps.number import size
from derctl.devices.maps.orders import Orders, confirmed
from derctl.devices.maps.points import Points, point_at
from derctl.devices.sunspec.controls.rated import Rated
from tests import make
from tests.fake import Fake
from tests.mapped import MAPS

STEP_S, DAYS = 2_400.0, 365
OVER = 2
"""Beyond the day's: what tightens goes to the fallback, and from there to nothing."""
RATING = make.rating(p_max_w=10_000.0, p_min_w=-10_000.0)


def told(name: str) -> Orders | None:
    """How such a device is told; None: it is only read."""
    made = MAPS[name].map
    assert made is not None
    if made.control is None:
        return None
    named = [point.name for point in made.control.points]
    control, _ = confirmed(made.control, MAPS[name], named)
    blocks = blocks_of(replace(made, gap=0), [point.line for point in control.used], 125)
    points = Points(control=control, rated=Rated(rating=RATING, profile=MAPS[name]), blocks=blocks)
    orders = Orders(points=points, limit=control.limit, target=control.target)
    return orders if orders.powers else None


WRITTEN = [name for name in MAPS if told(name) is not None]


def wish(orders: Orders, now_s: float, dice: random.Random) -> Setpoint:
    """It never stays, by day or by night."""
    sun = max(math.sin((now_s / 3600.0 % 24.0 - 6.0) / 12.0 * math.pi), 0.0)
    watts = 1_000.0 + 6_000.0 * sun * dice.random() + 1_500.0 * dice.random()
    return (
        Setpoint(p_ceiling_w=watts) if orders.limit is not None else Setpoint(p_target_w=watts * dice.choice((-1, 1)))
    )


def year(name: str) -> dict[str, list[float]]:
    """When each point was written."""
    orders, profile, dice = told(name), MAPS[name], random.Random(name)
    assert orders is not None
    lines = [point.line for point in orders.points.control.used]
    fake = Fake(registers={line.address + i: 0 for line in lines for i in range(size(line))})
    clock = {"s": 0.0}
    ledger = Ledger(clock=lambda: clock["s"])
    ration, at = Ration("one", ledger=ledger), defaultdict[str, list[float]](list)
    fallback = Fallback(p_ceiling_w=1_000.0, by=FallbackBy.STANDS if profile.guarded else FallbackBy.REVERSION)
    held: Setpoint = Setpoint()
    last: Written | None = None
    for _ in range(round(DAYS * DAY_S / STEP_S)):
        clock["s"] += STEP_S
        desired = ration.bounded(wish(orders, clock["s"], dice), held, profile, fallback.p_ceiling_w)
        desired = orders.sendable(desired)
        why = reason_to_write(
            desired,
            held,
            last,
            rating=RATING,
            fallback=fallback,
            profile=profile,
            now_s=clock["s"],
            lapses_s=orders.reversion.lapses_s,
        )
        if why is None or ration.keeps_back(desired, held, held, profile):
            continue
        words = fake.run(orders.points.read())
        fake.ops.clear()
        fake.run(orders.write(desired, fallback, words))
        points = touched(orders, fake.writes)
        assert all(
            not profile.wears(point)
            or ration.left(profile) is None
            or ration.left(profile)
            or tightens(desired, held)
            for point in points
        )
        ledger.wrote("one", points, profile)
        for point in points:
            at[point].append(clock["s"])
        held, last = desired, Written(setpoint=desired, at_s=clock["s"], found=desired)
    return at


def touched(orders: Orders, writes: Sequence[Write]) -> list[str]:
    places = [write.address + i for write in writes for i in range(len(write.values))]
    return list(dict.fromkeys(point_at(orders.points.control, place) for place in places))


def most_a_day(at: Sequence[float]) -> int:
    """In any 24 hours."""
    first, most = 0, 0
    for last, when in enumerate(at):
        while when - at[first] >= DAY_S:
            first += 1
        most = max(most, last - first + 1)
    return most


def test_maps_that_are_written_are_among_those_that_ship() -> None:
    """That the year below is one of something: a battery's ESS, a hybrid with a dead-man, one that may wear out."""
    assert {"victron_vebus", "solaredge_storedge", "huawei_sun2000_luna2000"} <= {*WRITTEN}


@pytest.mark.parametrize("name", WRITTEN)
def test_in_a_year_nothing_that_may_wear_out_is_written_more_often_than_a_day_allows(name: str) -> None:
    at, profile = year(name), MAPS[name]
    orders = told(name)
    assert orders is not None
    points = {point.name: point for point in orders.points.control.used}
    assert {*at} == {*points}, "all that its orders need is written, and nothing else"
    for point, times in at.items():
        assert profile.wears(point) is (points[point].volatile is not True)
        if profile.wears(point):
            assert most_a_day(times) <= profile.writes_a_day + OVER
        if points[point].once:
            assert len(times) <= 1, "what is stored and stays is written once in all that time"
    often = [len(times) for point, times in at.items() if not points[point].once]
    assert min(often) >= (DAYS * profile.writes_a_day // 4 if profile.guarded else 365 * 12)
