"""What the polls of a bus cost, and how old its readings get: whether the configured periods fit. Pure."""

from __future__ import annotations

import math
from bisect import bisect
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial

from derctl.core.freshness import DECIDES, SLOW_EVERY_S
from derctl.core.transaction import Transaction
from derctl.core.value import replace, value
from derctl.links.turns import PASSED_MAX

SETPOINT = (5, 8)
"""Registers of the requests that write one setpoint; each is read back with its group (docs/sources.md)."""
GROUP = 26
"""Registers of a control group that is read back (docs/sources.md)."""
ENDLESS_S = 600.0
"""A poll that takes longer is said to take so long (docs/sources.md)."""
BAUDS = (9600, 19200, 38400, 57600, 115200)
"""What a line may be set to instead (docs/sources.md)."""
TICKS_S = (2.0, 1.0, 0.5, 0.2, 0.1)
"""What tick_s may be instead (docs/sources.md)."""
PAUSES = 20
"""Of so many steps down to none, the first pause that would do (docs/sources.md)."""
ACTED_S = 120.0
"""For how long a bus is acted out to find its load (docs/sources.md)."""
EPSILON = 1e-6

Reads = tuple[int, ...]
"""Registers of each request of a poll."""


@value
class Asked:
    """One unit of a bus. reads: registers of each request of its poll. slow: of each that is read now and then.

    refreshed_s: how often it is written at least; inf: it takes no setpoints. counts_s: how old its reading may be
    and still be acted on.
    """

    id: str
    reads: Reads
    slow: tuple[int, ...] = ()
    refreshed_s: float = math.inf
    counts_s: float = math.inf

    @property
    def written(self) -> bool:
        return self.refreshed_s < math.inf


@value
class Wired:
    """The units of one bus. cost: of a request there; writing: of one that writes a setpoint, or reads it back."""

    bus: str
    cost: Transaction
    writing: Transaction
    units: tuple[Asked, ...]

    @property
    def write_s(self) -> float:
        """One setpoint for each that takes one."""
        return sum(unit.written for unit in self.units) * setpoint_s(self.writing)

    @property
    def round_s(self) -> float:
        """One poll of all, with a slow block before each."""
        return sum(self.cost.read_s(count) for unit in self.units for count in (*unit.reads, *unit.slow[:1]))

    @property
    def slow_share(self) -> float:
        """Of the time, for all that is read now and then."""
        return sum(self.cost.read_s(count) for unit in self.units for count in unit.slow) / SLOW_EVERY_S


@value
class BusPlan:
    """load_pct: of the time in which the wire is taken, its pauses included. poll_s: until all are read, at most.

    write_s: one setpoint for each that takes one. ages_s: the oldest that a unit's reading gets before it is acted
    on, with one setpoint for each meanwhile.
    """

    bus: str
    load_pct: float
    poll_s: float
    write_s: float
    ages_s: Mapping[str, float]


def setpoint_s(cost: Transaction) -> float:
    """One setpoint: what is written, and read back."""
    return sum(cost.write_s(registers) + cost.read_s(GROUP) for registers in SETPOINT)


def plans_of(buses: Sequence[Wired], tick_s: float) -> tuple[BusPlan, ...]:
    """Of each bus: a tick waits for all of them, and decides without those that are not back in time."""
    ends = [ends_s(bus, tick_s, bus.write_s) for bus in buses]
    slowest_s = max((end_s for found in ends for end_s in found.values()), default=0.0)
    decides_s = min(slowest_s, DECIDES * tick_s)
    return tuple(
        BusPlan(
            bus=bus.bus,
            load_pct=100.0 * taken(bus, tick_s),
            poll_s=max(found.values(), default=0.0),
            write_s=bus.write_s,
            ages_s=_ages_s(bus, found, tick_s, decides_s),
        )
        for bus, found in zip(buses, ends, strict=True)
    )


def late(bus: Wired, tick_s: float) -> dict[str, float]:
    """How old the readings get that are too old to be acted on, though no setpoint is written meanwhile."""
    ages_s = _ages_s(bus, ends_s(bus, tick_s, 0.0), tick_s, DECIDES * tick_s)
    return {unit.id: ages_s[unit.id] for unit in bus.units if ages_s[unit.id] > unit.counts_s}


def _ages_s(bus: Wired, ends: Mapping[Reads, float], tick_s: float, decides_s: float) -> dict[str, float]:
    return {unit.id: age_s(_least_s(bus.cost, unit), ends[unit.reads], tick_s, decides_s) for unit in bus.units}


def ends_s(bus: Wired, tick_s: float, write_s: float) -> dict[Reads, float]:
    """Until a poll is through, at most, by what it reads: before each of its requests each other unit may have one
    turn.

    What is slow goes behind the polls, but one may be under way, and one of so many turns is its. write_s: what is
    written meanwhile.
    """
    shapes = Counter(unit.reads for unit in bus.units)
    slow_s = max((bus.cost.read_s(count) for unit in bus.units for count in unit.slow), default=0.0)

    def after(reads: Reads, within_s: float) -> float:
        turns, taken_s = _turns(bus.cost, shapes, reads, max(math.ceil(within_s / tick_s - EPSILON), 1))
        return taken_s + write_s + (1 + turns // (PASSED_MAX + 1)) * slow_s

    return {reads: _settled(partial(after, reads)) for reads in shapes}


def _turns(cost: Transaction, shapes: Mapping[Reads, int], reads: Reads, polls: int) -> tuple[int, float]:
    """How many requests there are in one poll of these reads, and what they take together. polls: so many of the
    others may begin meanwhile."""
    turns, taken_s = len(reads), sum(map(cost.read_s, reads))
    for other, units in shapes.items():
        units -= other == reads
        each = min(len(reads), len(other) * polls)
        turns += units * each
        taken_s += units * _dearest_s(cost, other, each)
    return turns, taken_s


def _settled(after: Callable[[float], float]) -> float:
    """The time within which no more comes in between than fits."""
    end_s = after(0.0)
    while end_s < ENDLESS_S:
        now_s = after(end_s)
        if now_s <= end_s + EPSILON:
            return end_s
        end_s = now_s
    return ENDLESS_S


def _dearest_s(cost: Transaction, reads: Reads, count: int) -> float:
    """So many of its requests, which come round and round."""
    each = sorted(map(cost.read_s, reads), reverse=True)
    rounds, more = divmod(count, max(len(each), 1))
    return rounds * sum(each) + sum(each[:more])


def _least_s(cost: Transaction, unit: Asked) -> float:
    """Until a poll of this unit is through, at least: alone on the wire, and answered at once."""
    at_once = replace(cost, answer_s=0.0, pause_s=0.0)
    return sum(map(at_once.read_s, unit.reads)) + cost.pause_s * max(len(unit.reads) - 1, 0)


def age_s(least_s: float, most_s: float, tick_s: float, decides_s: float) -> float:
    """The oldest at which a tick acts on it, where a poll takes from least_s to most_s.

    A poll begins with a tick, or after one that was under way then: at worst a quick one is followed by a slow one.
    """
    before_s = max(math.ceil((most_s - decides_s) / tick_s - EPSILON), 0) * tick_s + decides_s
    return max(before_s - least_s, most_s if most_s > tick_s + EPSILON else 0.0, 0.0)


@lru_cache(maxsize=256)
def taken(bus: Wired, tick_s: float) -> float:
    """Share of the time in which the wire is taken, acted out: who was served longest ago has the next turn, a poll
    begins with a tick, setpoints are written again and again, and what is slow has its share of all that."""
    refreshed_s = min((unit.refreshed_s for unit in bus.units), default=math.inf)
    costs = [[bus.cost.read_s(count) * (1.0 + bus.slow_share) for count in unit.reads] for unit in bus.units]
    begins_s, served, done = [0.0] * len(costs), [0] * len(costs), [0] * len(costs)
    now_s, taken_s, turn, writes_s = 0.0, 0.0, 0, refreshed_s
    while costs and now_s < ACTED_S:
        if now_s >= writes_s:
            now_s, taken_s, writes_s = now_s + bus.write_s, taken_s + bus.write_s, writes_s + refreshed_s
        ready = [i for i in range(len(costs)) if begins_s[i] <= now_s + EPSILON]
        if not ready:
            taken_s, now_s = taken_s + (min(begins_s) - now_s) * bus.slow_share, min(begins_s)
            continue
        i, turn = min(ready, key=lambda each: served[each]), turn + 1
        now_s, taken_s, served[i] = now_s + costs[i][done[i]], taken_s + costs[i][done[i]], turn
        done[i] = (done[i] + 1) % len(costs[i])
        if not done[i]:
            after_s = (math.floor(begins_s[i] / tick_s + EPSILON) + 1) * tick_s
            begins_s[i] = max(after_s, now_s - bus.cost.pause_s)
    return min(taken_s / now_s, 1.0) if now_s else 0.0


@value
class Would:
    """What would fit, each alone; None: no such change helps. units: any so many of them."""

    baud: int | None = None
    pause_s: float | None = None
    tick_s: float | None = None
    units: int | None = None


NOTHING = Would()


def would(bus: Wired, tick_s: float, fits: Callable[[Wired, float], bool]) -> Would:
    """What would fit of a bus that does not. fits: whether such a bus does at such a tick."""
    dearest = sorted(bus.units, key=lambda unit: sum(map(bus.cost.read_s, unit.reads)), reverse=True)
    pause_s = bus.cost.pause_s
    fewer = [replace(bus, units=tuple(dearest[:count])) for count in range(1, len(dearest))]
    fit = bisect(fewer, False, key=lambda each: not fits(each, tick_s))
    return Would(
        baud=next((baud for baud, other in _bauds(bus) if fits(other, tick_s)), None),
        pause_s=next((each for each in _shorter(pause_s) if fits(_paced(bus, each), tick_s)), None),
        tick_s=next((each for each in TICKS_S if each < tick_s and fits(bus, each)), None),
        units=fit or None,
    )


def _bauds(bus: Wired) -> list[tuple[int, Wired]]:
    serial = bus.cost.serial
    if serial is None:
        return []
    lines = [replace(serial, baud=baud) for baud in BAUDS if baud > serial.baud]
    return [
        (line.baud, replace(bus, cost=replace(bus.cost, serial=line), writing=replace(bus.writing, serial=line)))
        for line in lines
    ]


def _shorter(pause_s: float) -> list[float]:
    return [round(pause_s * step / PAUSES, 3) for step in range(PAUSES - 1, -1, -1)] if pause_s else []


def _paced(bus: Wired, pause_s: float) -> Wired:
    return replace(bus, cost=replace(bus.cost, pause_s=pause_s), writing=replace(bus.writing, pause_s=pause_s))
