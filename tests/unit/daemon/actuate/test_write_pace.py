"""A writer on a bus that is slower than the tick: what is decided is written, what got old is not. Virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest

from derctl.core.exchange import Exchange, Read, Registers, Write
from derctl.core.types import Capability, Decision, Fallback, Port, Setpoint
from derctl.core.words import Bind, FallbackBy
from derctl.daemon.actuate.writer import Writer
from derctl.daemon.channel.claim import Claim
from derctl.devices import Profile
from derctl.devices.types import Reversion
from derctl.errors import BusError, BusLate
from derctl.links.bus import Bus
from derctl.links.line import Line, Pace
from derctl.links.turns import Priority
from tests import make
from tests.bus import any_write
from tests.wire import Up, now_s

LIMITED = Capability(ac=Port(limit=True))
PV = make.rating(p_max_w=5000.0, q=0.0)
POLLED = Read(address=1, count=40)
LIMIT = Write(address=105, values=(1, 2, 3, 4, 5))
CHECK = Read(address=100, count=24)


class Wire(Up):
    """Answers after latency_s. sent: what went out, and when."""

    def __init__(self, latency_s: float) -> None:
        self.latency_s = latency_s
        self.sent: list[tuple[float, Read | Write]] = []

    async def request(self, unit: int, op: Read | Write) -> Registers:
        self.sent.append((now_s(), op))
        await asyncio.sleep(self.latency_s)
        return tuple(range(op.count)) if isinstance(op, Read) else ()

    @property
    def writes(self) -> list[float]:
        return [at for at, op in self.sent if isinstance(op, Write)]


class Inverter:
    """Takes a ceiling in `parts` requests and is read back."""

    def __init__(self, parts: int = 1) -> None:
        self.ceiling_w = 5000.0
        self.parts = parts
        self.reversion = Reversion()

    def sendable(self, setpoint: Setpoint) -> Setpoint:
        return setpoint

    def beyond(self, write: Write, answers: Any) -> str:
        return ""

    def points_of(self, write: Write) -> tuple[str, ...]:
        return ("123.WMaxLimPct",)

    def write(
        self,
        setpoint: Setpoint,
        fallback: Fallback,
        answers: Any,
        *,
        give_back_var: bool = False,
        toggle: bool = False,
    ) -> Any:
        return self._write(setpoint)

    def _write(self, setpoint: Setpoint) -> Exchange[Setpoint]:
        for _ in range(self.parts):
            yield LIMIT
        assert setpoint.p_ceiling_w is not None
        self.ceiling_w = setpoint.p_ceiling_w
        yield CHECK
        return Setpoint(p_ceiling_w=self.ceiling_w)


class Site:
    """One inverter that is polled without a pause, since its bus is too slow for the tick."""

    def __init__(self, *, tick_s: float, latency_s: float, parts: int = 1, **pace: Any) -> None:
        self.tick_s = tick_s
        self.wire = Wire(latency_s)
        self.bus = Bus(Line("lan", self.wire, Pace(**pace), clock=now_s))
        self.inverter = Inverter(parts)
        profile = Profile(**pace, write_min_interval_s=pace.get("min_interval_s", 0.0))
        channel: Any = SimpleNamespace(
            device=self.inverter, state=Bind.OK, unit=1, bus=self.bus, back_s=-1e9,
            bond=SimpleNamespace(verified=True, binding=SimpleNamespace(reason=None)),
            answers=SimpleNamespace(words={}, scales={}),
            measured=SimpleNamespace(
                profile=profile, claim=Claim(), sample=0, believed=lambda accepted: accepted
            ),
        )  # fmt: skip
        self.writer = Writer(
            id="pv1", channel=channel, fallback=Fallback(p_ceiling_w=5000.0, by=FallbackBy.STANDS), control=True,
            tick_s=tick_s, journal=self._journal, on_event=lambda *event: None, clock=now_s,
        )  # fmt: skip

    async def _journal(self, der_id: str) -> None:
        return

    async def _polls(self) -> None:
        while True:
            await self.bus.request(1, POLLED)

    @asynccontextmanager
    async def open(self, *, polled: bool = True) -> AsyncIterator[Site]:
        tasks = [asyncio.create_task(self.bus.line.run())]
        await self.bus.line.wait_connected()
        if polled:
            tasks.append(asyncio.create_task(self._polls()))
        try:
            yield self
        finally:
            await self.writer.errand.wait()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def offer(self, watts: float) -> None:
        held = Setpoint(p_ceiling_w=self.inverter.ceiling_w)
        der = make.der("pv1", PV, make.LIMITED, p_w=500.0, accepted=held, age_s=0.1)
        self.writer.errand.raise_bugs()
        self.writer.offer(Decision(der="pv1", setpoint=Setpoint(p_ceiling_w=watts)), der, True, now_s())

    async def ticks(self, count: int, watts: Callable[[int], float]) -> None:
        for n in range(count):
            self.offer(watts(n))
            await asyncio.sleep(self.tick_s)


FRONIUS: dict[str, Any] = {"min_interval_s": 1.0, "timeout_s": 10.0}
"""The values of derctl/devices/profiles/fronius.yaml, with the sources there."""


@pytest.mark.parametrize("latency_s", [0.05, 0.3, 1.5])
@pytest.mark.parametrize("tick_s", [0.2, 1.0, 2.0])
async def test_a_bus_of_a_request_a_second_is_written_at_every_tick_length(tick_s: float, latency_s: float) -> None:
    """The write waits for the poll's pause and answer, and for its own pause."""
    async with Site(tick_s=tick_s, latency_s=latency_s, **FRONIUS).open() as site:
        began = now_s()
        await site.ticks(round(30.0 / tick_s), lambda n: 3000.0)
        assert site.inverter.ceiling_w == 3000.0
        assert len(site.wire.writes) == site.writer.writes == 1
        assert site.wire.writes[0] - began <= 2.0 + latency_s + 0.01
        assert site.writer.account.trouble.code is None


async def test_a_setpoint_that_changes_all_the_time_is_written_as_often_as_the_bus_allows() -> None:
    """A write and its read back take 2.6 s of this bus, and the polls have their turn after each request."""
    async with Site(tick_s=1.0, latency_s=0.3, **FRONIUS).open() as site:
        await site.ticks(120, lambda n: 4500.0 - 30.0 * n)
        assert max(after - before for before, after in pairwise(site.wire.writes)) < 8.0
        await site.writer.errand.wait()
        assert site.writer.writes == len(site.wire.writes) >= 15


async def test_a_pause_longer_than_two_deadlines_does_not_make_each_second_request_late() -> None:
    async with Site(tick_s=1.0, latency_s=0.3, parts=4, min_interval_s=3.0, timeout_s=1.0).open() as site:
        await site.ticks(60, lambda n: 3000.0)
        assert (len(site.wire.writes), site.inverter.ceiling_w) == (4, 3000.0)


async def test_where_the_bus_can_keep_the_tick_a_decision_older_than_one_is_not_sent() -> None:
    """Six others are served first, 0.4 s each."""
    async with Site(tick_s=2.0, latency_s=0.4, timeout_s=0.5).open(polled=False) as site:
        others = [asyncio.create_task(site.bus.request(unit, CHECK, priority=Priority.WRITE)) for unit in range(2, 8)]
        await asyncio.sleep(0)
        site.offer(3000.0)
        await site.writer.errand.wait()
        await asyncio.gather(*others)
        assert (site.wire.writes, site.writer.writes) == ([], 0)
        site.offer(3000.0)
        await site.writer.errand.wait()
        assert (len(site.wire.writes), site.writer.writes) == (1, 1)


async def test_a_later_request_of_an_exchange_is_late_when_the_process_was_stopped_in_between() -> None:
    """Its clock jumps by more than two pauses and an answer."""
    jump = 0.0
    wire = Wire(0.1)
    bus = Bus(Line("lan", wire, Pace(timeout_s=1.0, min_interval_s=0.5), clock=lambda: now_s() + jump))
    run = asyncio.create_task(bus.line.run())
    await bus.line.wait_connected()

    def exchange() -> Exchange[str]:
        nonlocal jump
        yield LIMIT
        jump += 2.1
        try:
            yield LIMIT
        except BusError as error:
            return type(error).__name__
        return "sent"

    assert await bus.execute(1, exchange(), permit=any_write, not_after_s=now_s() + 1.0) == BusLate.__name__
    assert len(wire.writes) == 1
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)
