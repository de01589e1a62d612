"""A bus on a wire that does what the test says, in virtual time; the fixture `make_bus` connects it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from derctl.core.exchange import Read, Registers, Write
from derctl.errors import BusClosed, BusError
from derctl.links.bus import Bus
from derctl.links.turns import Priority
from derctl.links.wires.strays import Tally
from tests.wire import now_s

READ = Read(address=40000, count=2)
WRITE = Write(address=40100, values=(7,))


def any_write(write: Write) -> None:
    """A permit for every write."""


Behaviour = Callable[[Read | Write], Awaitable[Registers]]


def answers(latency_s: float) -> Behaviour:
    async def behave(op: Read | Write) -> Registers:
        await asyncio.sleep(latency_s)
        return tuple(range(op.count)) if isinstance(op, Read) else ()

    return behave


async def silent(op: Read | Write) -> Registers:
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


def fails(error: Exception) -> Behaviour:
    async def behave(op: Read | Write) -> Registers:
        raise error

    return behave


@dataclass
class FakeWire:
    """up, debris and what each unit does are the test's; log has (time, unit, op) of every request that was sent."""

    units: dict[int, Behaviour] = field(default_factory=dict)
    strays: dict[int, str] = field(default_factory=dict)
    tally: Tally = field(default_factory=Tally)
    refuses: bool = False
    debris: bool = False
    up: bool = False
    log: list[tuple[float, int, Read | Write]] = field(default_factory=list)
    ended: list[float] = field(default_factory=list)
    connects: list[float] = field(default_factory=list)
    closes: int = 0
    in_flight: int = 0
    most: int = 0
    lasting: bool = False
    owed: dict[int, float] = field(default_factory=dict)
    span: float = 0.0
    on_lost: Callable[[BusClosed], None] = lambda error: None

    @property
    def connected(self) -> bool:
        return self.up

    def owed_s(self, unit: int, op: Read | Write, drain_s: float) -> float:
        return self.owed.get(unit, 0.0)

    def span_s(self, op: Read | Write) -> float:
        return self.span

    def stray(self, unit: int) -> str:
        return self.strays.get(unit, "")

    async def connect(self, on_lost: Callable[[BusClosed], None]) -> None:
        self.connects.append(now_s())
        if self.refuses:
            raise BusClosed("refused")
        self.up, self.on_lost, self.debris = True, on_lost, False

    def close(self) -> None:
        self.up = False
        self.closes += 1

    def lose(self) -> None:
        self.up = False
        self.on_lost(BusClosed("lost"))

    async def request(self, unit: int, op: Read | Write) -> Registers:
        if not self.up:
            raise BusClosed("not connected")
        self.log.append((now_s(), unit, op))
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        try:
            return await self.units.get(unit, answers(0.01))(op)
        finally:
            self.in_flight -= 1
            self.ended.append(now_s())

    @property
    def served(self) -> list[int]:
        return [unit for _, unit, _ in self.log]

    def times(self, unit: int) -> list[float]:
        return [at for at, which, _ in self.log if which == unit]


MakeBus = Callable[..., Awaitable[tuple[Bus, FakeWire]]]


async def outcome(bus: Bus, unit: int, priority: Priority = Priority.POLL) -> Registers | Exception:
    try:
        return await bus.request(unit, READ, priority=priority)
    except Exception as error:
        return error


async def usable(bus: Bus, unit: int = 99) -> bool:
    async with asyncio.timeout(10.0):
        return await bus.request(unit, READ) == (0, 1)


async def poll_each_second(bus: Bus, unit: int, good: dict[int, int]) -> None:
    while True:
        due = now_s() + 1.0
        try:
            await bus.request(unit, READ)
            good[unit] = good.get(unit, 0) + 1
        except BusError:
            pass
        await asyncio.sleep(due - now_s())
