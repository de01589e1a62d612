"""What a bus plan says beforehand, against the same buses really polled, in virtual time."""

from __future__ import annotations

import math

import pytest

from derctl.core.transaction import Serial, Transaction
from derctl.site.admission import Asked, Wired, plans_of
from tests.polled import WATCHED_S, Polled, named, p99

LONG_S = 300.0
TOLERANCE = 1.1
POINTS = 5.0


def line(
    count: int,
    *,
    baud: int = 19200,
    reads: tuple[int, ...] = (39, 26),
    slow: tuple[int, ...] = (),
    answer_s: float = 0.02,
    pause_s: float = 0.0,
    refreshed_s: float = math.inf,
) -> Wired:
    """So many units on an RS-485 line."""
    cost = Transaction(serial=Serial(baud=baud, parity="even"), answer_s=answer_s, pause_s=pause_s)
    units = tuple(Asked(id=name, reads=reads, slow=slow, refreshed_s=refreshed_s) for name in named("unit", count))
    return Wired(bus="rs485", cost=cost, writing=cost, units=units)


def beside(count: int, *, answer_s: float = 0.03, pause_s: float = 0.0) -> tuple[Wired, ...]:
    """So many devices with a TCP bus each."""
    cost = Transaction(answer_s=answer_s, pause_s=pause_s)
    return tuple(
        Wired(bus=name, cost=cost, writing=cost, units=(Asked(id=f"{name}_pv", reads=(39, 26), slow=(23,)),))
        for name in named("lan", count)
    )


@pytest.mark.parametrize(
    ("tick_s", "buses"),
    [
        pytest.param(1.0, (line(8, reads=(39, 26, 26), slow=(23,)), *beside(20)), id="eight beside twenty"),
        pytest.param(1.0, (line(8, reads=(39, 26, 26), slow=(23,), refreshed_s=30.0), *beside(20)), id="written"),
        pytest.param(1.0, (line(8, baud=9600, refreshed_s=30.0),), id="at 9600"),
        pytest.param(1.0, (line(4),), id="within a tick"),
        pytest.param(2.0, (line(8, reads=(39, 26, 26), slow=(23,), refreshed_s=30.0),), id="a longer tick"),
        pytest.param(0.2, (line(8, baud=115200, answer_s=0.01, slow=(9,)),), id="short ticks"),
        pytest.param(1.0, (line(2, baud=115200, pause_s=1.0),), id="a request a second"),
        pytest.param(1.0, beside(1, pause_s=1.0), id="the same over tcp"),
    ],
)
async def test_ages_and_load_are_as_planned(tick_s: float, buses: tuple[Wired, ...]) -> None:
    polled = Polled(buses, tick_s)
    await polled.run(LONG_S)
    for plan in plans_of(buses, tick_s):
        assert polled.loads_pct[plan.bus] == pytest.approx(plan.load_pct, abs=POINTS)
        for name, planned_s in plan.ages_s.items():
            assert max(polled.ages_s[name]) <= planned_s * TOLERANCE


async def test_the_plan_is_no_excuse() -> None:
    """An age that could never come would promise nothing."""
    for buses in ((line(4),), (line(8, refreshed_s=30.0),), beside(1, pause_s=1.0)):
        polled = Polled(buses, 1.0)
        await polled.run(LONG_S)
        [plan] = plans_of(buses, 1.0)
        assert max(max(ages) for ages in polled.ages_s.values()) >= 0.6 * max(plan.ages_s.values())


@pytest.mark.parametrize(
    ("tick_s", "reads", "timeout_s"), [(2.0, (39, 26), 1.0), (2.0, (39, 26, 26), 0.5), (1.0, (39, 26, 26), 1.0)]
)
async def test_one_dark_unit_costs_the_others_its_one_timeout(
    tick_s: float, reads: tuple[int, ...], timeout_s: float
) -> None:
    buses = (line(8, reads=reads, slow=(23,)), *beside(20))
    whole, dark = Polled(buses, tick_s, timeout_s), Polled(buses, tick_s, timeout_s)
    await whole.run(LONG_S)
    await dark.run(LONG_S, dark={"rs485": 8})
    for name in set(whole.watched_s) - {"unit8"}:
        assert p99(dark.watched_s[name]) <= p99(whole.watched_s[name]) + timeout_s + WATCHED_S, name
