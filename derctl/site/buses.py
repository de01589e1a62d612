"""The buses of a site file with what is planned of them, and which can't keep the deadlines of control."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from msgspec import UNSET

from derctl.core.containment import Budget
from derctl.core.freshness import DECIDES
from derctl.core.value import value
from derctl.core.words import Stage
from derctl.devices import Profile
from derctl.site.admission import EPSILON, NOTHING, BusPlan, Wired, Would, late, plans_of, setpoint_s, would
from derctl.site.pace import ANSWER_S, NEVER_S, unknown_line, wired_of
from derctl.site.schema import BusSection, SiteFile

Deadline = Callable[[Wired, float], str]
"""How a bus misses it at such a tick, in words; "" where it does not."""


@value
class Planned:
    """wire: how its characters go, for people. plan: with answers as long as they are expected to take. missed: the
    deadlines of control that can't be kept even where all that is not set is as fast as can be, in words; where no
    DER is written there are none. slow: those that only answers as long as expected miss, which refuses nothing.
    would: what would keep them all. aged: readings that are too old to be acted on while all setpoints are written at
    once, in words, "" where none is; that passes, so it refuses nothing either.
    """

    wire: str
    units: int
    plan: BusPlan
    missed: tuple[str, ...] = ()
    slow: tuple[str, ...] = ()
    would: Would = NOTHING
    aged: str = ""


def planned(file: SiteFile, profiles: Mapping[str, Profile], budget: Budget | None) -> tuple[Planned, ...]:
    """Of each bus that something is on. budget: how long an excursion may last, where a limit is agreed."""
    tick_s = file.site.tick_s
    expected = [wired_of(file, profiles, bus, ANSWER_S, unknown_line(bus)) for bus in file.buses]
    wires = {bus.id: _wire(wired, bus) for wired, bus in zip(expected, file.buses, strict=True)}
    used = [wired for wired in expected if wired.units]
    sure = {bus.id: wired_of(file, profiles, bus, 0.0) for bus in file.buses}
    found = []
    for wired, plan in zip(used, plans_of(used, tick_s), strict=True):
        deadlines = _deadlines(file, wired.bus, budget)
        missed = _missed(deadlines, sure[wired.bus], tick_s)
        slow = () if missed else _missed(deadlines, wired, tick_s)
        asked = sure[wired.bus] if missed else wired
        found.append(
            Planned(
                wire=wires[wired.bus],
                units=len(wired.units),
                plan=plan,
                missed=missed,
                slow=slow,
                would=would(asked, tick_s, partial(_fits, deadlines)) if missed or slow else NOTHING,
                aged="" if missed or slow else _aged(wired, plan),
            )
        )
    return tuple(found)


def refused(file: SiteFile, profiles: Mapping[str, Profile], budget: Budget | None) -> str:
    """Which buses can't keep a deadline of control, with the numbers and what would do; "": all can."""
    tick_s, found = file.site.tick_s, []
    for bus in file.buses:
        wired, deadlines = wired_of(file, profiles, bus, 0.0), _deadlines(file, bus.id, budget)
        missed = _missed(deadlines, wired, tick_s) if wired.units else ()
        if missed:
            found.append(f"bus {bus.id}: {missed_text(missed, would(wired, tick_s, partial(_fits, deadlines)))}")
    return "; ".join(found)


def missed_text(missed: Sequence[str], would: Would, says: str = "refused") -> str:
    """The deadlines, and what would keep them; "" where all are kept."""
    if not missed:
        return ""
    ways = _ways(would)
    text = f"{says}: {'; '.join(missed)}"
    return f"{text}. What would do: {', or '.join([*ways, 'its units spread over several buses'])}"


def _ways(would: Would) -> list[str]:
    ways = [] if would.baud is None else [f"{would.baud} baud"]
    if would.pause_s is not None:
        ways.append(f"a min_interval_s of {would.pause_s:g} where its devices allow that")
    if would.tick_s is not None:
        ways.append(f"a tick_s of {would.tick_s:g}")
    if would.units is not None:
        ways.append(f"any {would.units} of its units" if would.units > 1 else "one of its units")
    return ways


def _deadlines(file: SiteFile, bus: str, budget: Budget | None) -> list[Deadline]:
    if not any(der.control for der in file.ders):
        return []
    found: list[Deadline] = [_late, _lapsing]
    if budget is not None and budget.hopeless:
        metered = file.poc is not None and file.poc.bus == bus
        found.append(partial(_uncontained, budget=budget, metered=metered))
    return found


def _missed(deadlines: Sequence[Deadline], bus: Wired, tick_s: float) -> tuple[str, ...]:
    return tuple(text for missed in deadlines if (text := missed(bus, tick_s)))


def _fits(deadlines: Sequence[Deadline], bus: Wired, tick_s: float) -> bool:
    return not _missed(deadlines, bus, tick_s)


def _wire(wired: Wired, bus: BusSection) -> str:
    serial = wired.cost.serial
    if serial is None:
        return "tcp"
    line = f"{serial.baud} 8{serial.parity[0].upper()}{serial.stop_bits}"
    if bus.rtu_over_tcp is UNSET:
        return line
    return f"rtu over tcp, {line}" if unknown_line(bus) is None else f"rtu over tcp, {serial.baud} baud assumed"


def _late(bus: Wired, tick_s: float) -> str:
    """Readings that are too old before the next one comes, though nothing is written."""
    ages_s, counts_s = late(bus, tick_s), {unit.id: unit.counts_s for unit in bus.units}
    if not ages_s:
        return ""
    worst = max(ages_s, key=lambda name: ages_s[name] - counts_s[name])
    return f"the reading of {worst} gets {ages_s[worst]:.3g} s old, and counts for {counts_s[worst]:g} s"


def _aged(bus: Wired, plan: BusPlan) -> str:
    """The worst of those whose plan has them older than they count."""
    over = {unit.id: unit.counts_s for unit in bus.units if plan.ages_s[unit.id] > unit.counts_s}
    if not over or not plan.write_s:
        return ""
    worst = max(over, key=lambda name: plan.ages_s[name] - over[name])
    text = (
        f"while all its setpoints are written at once the reading of {worst} may get {plan.ages_s[worst]:.3g} s old"
    )
    return f"{text}, and counts for {over[worst]:g} s: until the next one what depends on it is held, or falls back"


def _lapsing(bus: Wired, tick_s: float) -> str:
    """Setpoints that lapse before the last of the bus is written again, by what is sure."""
    takes_s = sum(unit.refreshed_s < NEVER_S for unit in bus.units) * setpoint_s(bus.cost)
    least_s = min((unit.refreshed_s for unit in bus.units), default=math.inf)
    if takes_s <= least_s:
        return ""
    return f"all its setpoints take {takes_s:.3g} s, and have to be written again after {least_s:g} s"


def _uncontained(bus: Wired, tick_s: float, *, budget: Budget, metered: bool) -> str:
    """What this bus takes of the time in which an excursion has to end. metered: the meter is on it."""
    stages = {each.stage: each.seconds or 0.0 for each in budget.summands}
    rest_s = budget.sure_s - sum(stages.get(stage, 0.0) for stage in (Stage.POLL, Stage.DECIDE, Stage.WRITE))
    polls = math.ceil(bus.round_s / tick_s - EPSILON) if metered else 0
    takes_s = rest_s + (max(polls, 1) + DECIDES) * tick_s + bus.write_s
    if takes_s <= budget.containment_s:
        return ""
    return f"the inverters' sum comes down within {takes_s:.3g} s, and {budget.containment_s:g} s are allowed"
