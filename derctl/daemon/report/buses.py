"""What each bus is loaded with and how old its readings get, as measured, beside the plan of what was found."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from typing import Any

from derctl.core.dataclass import dataclass
from derctl.core.transaction import Transaction
from derctl.core.types import SiteState, Tick
from derctl.core.value import replace, value
from derctl.daemon.build import Plant
from derctl.daemon.channel.channel import Channel
from derctl.links.bus import Bus
from derctl.site import BusSection, Site
from derctl.site.admission import Asked, BusPlan, Wired, plans_of
from derctl.site.pace import NEVER_S, transaction_of, units_on

WINDOW_S = 60.0
"""Load and ages are of the last one to two of these (docs/sources.md)."""
ANSWER_STEP_S = 0.001
"""A plan is made anew when answers take so much longer or shorter (docs/sources.md)."""


@value
class Mark:
    """at_s: when a window began. busy_s, requests: what the bus had counted then. oldest_s: since then, by unit."""

    at_s: float
    busy_s: float = 0.0
    requests: int = 0
    oldest_s: Mapping[str, float] = field(default_factory=dict)


@value
class Measured:
    """before: the window before this one; None in the first."""

    now: Mark
    before: Mark | None = None

    @property
    def since(self) -> Mark:
        return self.before or self.now

    @property
    def oldest_s(self) -> dict[str, float]:
        """By unit, of both windows."""
        found = dict(self.since.oldest_s)
        for name, age_s in self.now.oldest_s.items():
            found[name] = max(age_s, found.get(name, 0.0))
        return found


def seen(measured: Measured, ages_s: Mapping[str, float], now: Mark) -> Measured:
    """After a tick. ages_s: at its decision. now: what the bus has counted."""
    last = measured.now
    older = {name: age_s for name, age_s in ages_s.items() if age_s > last.oldest_s.get(name, -1.0)}
    if older:
        last = replace(last, oldest_s={**last.oldest_s, **older})
    if now.at_s - last.at_s < WINDOW_S:
        return measured if last is measured.now else replace(measured, now=last)
    return Measured(now=now, before=last)


def _is_news(measured: Measured, ages_s: Mapping[str, float], now_s: float) -> bool:
    """Whether a tick adds anything to what is known: a reading that was never as old, or the window's end."""
    last = measured.now
    older = any(age_s > last.oldest_s.get(name, -1.0) for name, age_s in ages_s.items())
    return older or now_s - last.at_s >= WINDOW_S


def load_pct(measured: Measured, now: Mark, pause_s: float) -> float | None:
    """Of the time since the window before; None where none has passed."""
    since = measured.since
    took_s = now.at_s - since.at_s
    if took_s <= 0.0:
        return None
    busy_s = now.busy_s - since.busy_s + (now.requests - since.requests) * pause_s
    return min(100.0 * busy_s / took_s, 100.0)


@dataclass(slots=True)
class Buses:
    """Of the running daemon, by bus."""

    _measured: dict[str, tuple[Bus, Measured]] = field(default_factory=dict)
    _lines: tuple[Plant | None, Sequence[tuple[str, Bus, tuple[str, ...]]]] = (None, ())

    def look(self, tick: Tick, plant: Plant) -> None:
        """After each tick."""
        now_s, ages_s = tick.state.t_s, _ages_s(tick.state)
        for name, bus, ids in self._lines_of(plant):
            here_s = {each: ages_s[each] for each in ids if each in ages_s}
            known = self._measured.get(name)
            if known is None or known[0] is not bus or _is_news(known[1], here_s, now_s):
                before = self._of(name, bus, now_s)
                self._measured[name] = (bus, seen(before, here_s, _mark(bus, now_s)))

    def _lines_of(self, plant: Plant) -> Sequence[tuple[str, Bus, tuple[str, ...]]]:
        """Each bus and the channels on it: worked out once a plant."""
        if self._lines[0] is not plant:
            channels = plant.channels
            lines = [
                (name, bus, tuple([each.id for each in channels if each.bus is bus]))
                for name, bus in plant.buses.items()
            ]
            self._lines = (plant, lines)
        return self._lines[1]

    def shown(self, site: Site, plant: Plant, now_s: float) -> dict[str, dict[str, Any]]:
        """By bus, plain values."""
        sections = {section.id: section for section in site.file.buses}
        there = {name: (bus, self._of(name, bus, now_s)) for name, bus in plant.buses.items()}
        wired = [
            _wired(site, sections[name], plant, _answer_s(bus, measured, now_s))
            for name, (bus, measured) in there.items()
        ]
        plans = {plan.bus: plan for plan in plans_of(wired, site.file.site.tick_s)}
        return {name: _shown(bus, measured, plans[name], now_s) for name, (bus, measured) in there.items()}

    def _of(self, name: str, bus: Bus, now_s: float) -> Measured:
        """What is known of this bus, and not of another one that had its name."""
        known = self._measured.get(name)
        return Measured(now=_mark(bus, now_s)) if known is None or known[0] is not bus else known[1]


def _ages_s(state: SiteState) -> dict[str, float]:
    """Of all that were ever read, by channel."""
    found = {der.id: der.age_s for der in state.ders if der.sample and der.age_s < NEVER_S}
    for der in state.ders:
        if der.bms_age_s is not None and der.bms_age_s < NEVER_S:
            found[f"{der.id}.bms"] = der.bms_age_s
    if state.poc is not None and state.poc.answer and state.poc.age_s < NEVER_S:
        found["poc"] = state.poc.age_s
    return found


def _shown(bus: Bus, measured: Measured, plan: BusPlan, now_s: float) -> dict[str, Any]:
    load = load_pct(measured, _mark(bus, now_s), bus.line.pace.min_interval_s)
    return {
        "load_pct": None if load is None else round(load, 1),
        "oldest_s": {name: round(age_s, 2) for name, age_s in measured.oldest_s.items()},
        "plan": {
            "load_pct": round(plan.load_pct, 1),
            "poll_s": round(plan.poll_s, 3),
            "write_s": round(plan.write_s, 3),
            "oldest_s": {name: round(age_s, 2) for name, age_s in plan.ages_s.items()},
        },
    }


def _mark(bus: Bus, now_s: float) -> Mark:
    return Mark(at_s=now_s, busy_s=bus.busy_s, requests=bus.counters.requests)


def _answer_s(bus: Bus, measured: Measured, now_s: float) -> float | None:
    """What a request took on average, without its pause; None: nothing was asked."""
    now, since = _mark(bus, now_s), measured.since
    asked = now.requests - since.requests
    return (now.busy_s - since.busy_s) / asked if asked else None


def _wired(site: Site, section: BusSection, plant: Plant, took_s: float | None) -> Wired:
    """A bus with what was found on it; what was not found counts as expected. took_s: what a request takes there."""
    expected = {unit.id: unit for unit in units_on(site.file, site.profiles, section.id)}
    channels = [each for each in plant.channels if each.bus is plant.buses[section.id]]
    units = tuple(_asked(channel, expected[channel.id]) for channel in channels if channel.id in expected)
    cost = transaction_of(site.file, site.profiles, section)
    if took_s is not None and units:
        cost = replace(cost, answer_s=_own_s(cost, units, took_s))
    return Wired(bus=section.id, cost=cost, writing=cost, units=units)


def _own_s(cost: Transaction, units: Iterable[Asked], took_s: float) -> float:
    """The devices' own time of that, in steps."""
    reads = [count for unit in units for count in unit.reads]
    line = replace(cost, answer_s=0.0)
    line_s = sum(map(line.read_s, reads)) / max(len(reads), 1) - cost.pause_s
    return round(max(took_s - line_s, 0.0) / ANSWER_STEP_S) * ANSWER_STEP_S


def _asked(channel: Channel, expected: Asked) -> Asked:
    device = channel.device
    if device is None:
        return expected
    reads = tuple(read.count for read in channel.answers.blocks.requests(device.control, channel.asking.joining))
    slow = tuple(part.count for read in device.slow.values() for part in read.parts)
    return replace(expected, reads=reads, slow=slow)
