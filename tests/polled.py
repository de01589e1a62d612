"""Devices of so many registers on wires that take their time, polled tick by tick in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

from derctl.core.exchange import Exchange, Read, Registers, Write
from derctl.core.transaction import Transaction
from derctl.core.types import Capability, Port, Reading
from derctl.daemon.channel.channel import Channel
from derctl.daemon.channel.expected import Expected
from derctl.daemon.poller import Poller
from derctl.devices import Identity, Options, Reversion
from derctl.devices.nominal import Nominal
from derctl.devices.profile import Habits
from derctl.links.bus import Bus
from derctl.links.line import Line, Pace
from derctl.links.turns import Priority
from derctl.site.admission import GROUP, SETPOINT, Asked, Wired
from tests import make
from tests.bus import any_write
from tests.wire import Up, now_s

WATCHED_S = 0.05
"""How finely ages are watched."""


class Inverter:
    """It has these blocks, and gives nothing."""

    problems: tuple[str, ...] = ()
    lacks: tuple[str, ...] = ()
    reversion = Reversion()
    habits = Habits()
    nominal = Nominal()
    rating = make.rating(p_max_w=8000.0)
    can = Capability(ac=Port(limit=True))

    def __init__(self, *, control: Mapping[str, Read], slow: Mapping[str, Read]) -> None:
        self.identity = Identity(maker="M", serial="1")
        self.control, self.slow = control, slow

    def identify(self) -> Exchange[Identity]:
        yield Read(address=2, count=66)
        return self.identity

    def decode(self, answers: Any) -> Reading:
        return Reading(p_w=0.0)

    def absent_w(self, fallback: Any) -> float:
        return 0.0

    def promises(self, answers: Any, fallback: Any) -> bool | None:
        return None


class Timed(Up):
    """Takes what each request takes, its pause left to the bus. dark: units that don't answer. busy_s: in all."""

    def __init__(self, cost: Transaction) -> None:
        self.cost = cost
        self.dark: set[int] = set()
        self.busy_s = 0.0

    async def request(self, unit: int, op: Read | Write) -> Registers:
        if unit in self.dark:
            await asyncio.Event().wait()
        takes_s = self.cost.read_s(op.count) if isinstance(op, Read) else self.cost.write_s(len(op.values))
        self.busy_s += takes_s
        await asyncio.sleep(takes_s - self.cost.pause_s)
        return (0,) * op.count if isinstance(op, Read) else ()


def setpoint() -> Exchange[None]:
    """Written, and read back."""
    for count in SETPOINT:
        yield Write(address=1, values=(0,) * count)
        yield Read(address=1, count=GROUP)


class Polled:
    """The buses of a plan, really polled. ages_s: of each unit, at each tick's decision; watched_s: at any time.

    loads_pct: of each bus.
    """

    def __init__(self, buses: tuple[Wired, ...], tick_s: float, timeout_s: float = 1.0) -> None:
        self.tick_s, self.buses = tick_s, buses
        self.wires: dict[str, Timed] = {}
        self.lines: dict[str, Bus] = {}
        self.channels: dict[str, Channel] = {}
        for wired in buses:
            wire = self.wires[wired.bus] = Timed(wired.cost)
            pace = Pace(timeout_s=timeout_s, min_interval_s=wired.cost.pause_s)
            bus = self.lines[wired.bus] = Bus(Line(wired.bus, wire, pace, clock=now_s))
            for unit, asked in enumerate(wired.units, 1):
                self.channels[asked.id] = channel_of(asked.id, bus, unit, _inverter(asked))
        self.ages_s: dict[str, list[float]] = {name: [] for name in self.channels}
        self.watched_s: dict[str, list[float]] = {name: [] for name in self.channels}
        self.loads_pct: dict[str, float] = {}

    async def run(self, seconds: float, *, dark: Mapping[str, int] | None = None) -> None:
        """dark: a unit that falls silent once all were found, by bus."""
        poller = Poller(list(self.channels.values()))
        tasks = [asyncio.create_task(bus.line.run()) for bus in self.lines.values()]
        tasks.append(asyncio.create_task(poller.run_slow(min(self.tick_s, 1.0) / 2.0)))
        tasks += [asyncio.create_task(self._writes(wired)) for wired in self.buses]
        await asyncio.gather(*(bus.line.wait_connected() for bus in self.lines.values()))
        while any(channel.device is None for channel in self.channels.values()):
            await self._tick(poller)
        for _ in range(10):
            await self._tick(poller)
        for bus, unit in (dark or {}).items():
            self.wires[bus].dark.add(unit)
        before, began_s = {name: wire.busy_s for name, wire in self.wires.items()}, now_s()
        self.ages_s = {name: [] for name in self.channels}
        tasks.append(asyncio.create_task(self._watch()))
        while now_s() < began_s + seconds:
            await self._tick(poller)
        took_s = now_s() - began_s
        self.loads_pct = {name: 100.0 * (wire.busy_s - before[name]) / took_s for name, wire in self.wires.items()}
        await poller.stop()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _tick(self, poller: Poller) -> None:
        due = now_s() + self.tick_s
        await poller.poll(0.4 * self.tick_s)
        for name, channel in self.channels.items():
            self.ages_s[name].append(now_s() - channel.measured.read_s)
        await asyncio.sleep(max(due - now_s(), 0.0))

    async def _watch(self) -> None:
        while True:
            for name, channel in self.channels.items():
                self.watched_s[name].append(now_s() - channel.measured.read_s)
            await asyncio.sleep(WATCHED_S)

    async def _writes(self, wired: Wired) -> None:
        """All of a bus together, as often as they are refreshed."""
        written = {unit: asked.refreshed_s for unit, asked in enumerate(wired.units, 1) if asked.written}
        while written:
            await asyncio.sleep(min(written.values()))
            bus = self.lines[wired.bus]
            await asyncio.gather(
                *(bus.execute(unit, setpoint(), priority=Priority.WRITE, permit=any_write) for unit in written)
            )


def _inverter(asked: Asked) -> Inverter:
    """Blocks of so many registers."""
    return Inverter(
        control={f"c{n}": Read(address=1000 * n, count=count) for n, count in enumerate(asked.reads)},
        slow={f"s{n}": Read(address=50_000 + 100 * n, count=count) for n, count in enumerate(asked.slow)},
    )


def channel_of(name: str, bus: Bus, unit: int, inverter: Inverter) -> Channel:
    """It is found by one read."""

    def bind(options: Options) -> Exchange[Any]:
        yield Read(address=0, count=2)
        return inverter

    kind: Any = SimpleNamespace(bind=bind)
    return Channel(id=name, bus=bus, unit=unit, expected=Expected(kind=kind, options=Options()), clock=now_s)


def p99(values: list[float]) -> float:
    """The age that one of a hundred is beyond."""
    return sorted(values)[int(0.99 * (len(values) - 1))]


def named(prefix: str, count: int) -> Iterator[str]:
    """Ids."""
    return (f"{prefix}{n}" for n in range(1, count + 1))
