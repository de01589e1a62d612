"""Buses of all paces under polls, slow blocks and writes, in virtual time: what is healthy is never called stale."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from derctl.core.exchange import Exchange, Pause, Read, Registers, Write
from derctl.daemon.absent import Absent
from derctl.daemon.image import Image
from derctl.daemon.poller import Poller
from derctl.daemon.requests import Requests
from derctl.errors import DerctlError
from derctl.links.bus import Bus
from derctl.links.line import Line, Pace
from derctl.links.turns import Priority
from derctl.site import DerSection
from tests.bus import any_write
from tests.polled import Inverter, channel_of
from tests.wire import Up, now_s

HOUR = 300.0


def inverter(blocks: int) -> Inverter:
    """So many control blocks, and one slow one."""
    control = {str(n): Read(address=n, count=1) for n in range(blocks)}
    return Inverter(control=control, slow={"soc": Read(address=99, count=1)})


class Slow(Up):
    """Answers after a time. silent: it doesn't any more."""

    def __init__(self, answer_s: float) -> None:
        self.answer_s = answer_s
        self.silent = False

    async def request(self, unit: int, op: Read | Write) -> Registers:
        await asyncio.sleep(1e6 if self.silent else self.answer_s)
        return (0,) * op.count if isinstance(op, Read) else ()


def written() -> Exchange[None]:
    """A setpoint in two requests, read back."""
    yield Write(address=1, values=(1,))
    yield Pause(seconds=0.1)
    yield Write(address=2, values=(1,))
    yield Read(address=1, count=2)


class Site:
    """Units with so many control blocks each, on one bus. looks: whether each was fresh at each tick."""

    def __init__(self, *, tick_s: float, pace: Pace, answer_s: float, blocks: tuple[int, ...]) -> None:
        self.tick_s, self.wire = tick_s, Slow(answer_s)
        self.bus = Bus(Line("lan", self.wire, pace, clock=now_s))
        self.channels = {f"d{n}": channel_of(f"d{n}", self.bus, n, inverter(count)) for n, count in enumerate(blocks)}
        sections = [DerSection(id=name, bus="lan", unit=1, kind="sunspec_pv") for name in self.channels]
        file: Any = SimpleNamespace(
            site=SimpleNamespace(id="demo", tick_s=tick_s, f_nom_hz=50.0, v_nom_v=230.0), ders=sections, poc=None
        )
        whole: Any = SimpleNamespace(file=file, limit_w=None, phase_limit_w=None)
        self.image = Image(file, Absent(whole, self.channels), self.channels, {}, None, Requests())
        self.looks: list[bool] = []

    async def write(self, every_s: float) -> None:
        while True:
            for channel in self.channels.values():
                try:
                    await self.bus.execute(channel.unit, written(), priority=Priority.WRITE, permit=any_write)
                except DerctlError:
                    pass
            await asyncio.sleep(every_s)

    async def run(self, seconds: float, *, writes_every_s: float) -> None:
        poller = Poller(list(self.channels.values()))
        tasks = [asyncio.create_task(work) for work in (self.bus.line.run(), poller.run_slow(0.5))]
        await self.bus.line.wait_connected()
        tasks.append(asyncio.create_task(self.write(writes_every_s)))
        begun = False
        until_s = now_s() + seconds
        while now_s() < until_s:
            due = now_s() + self.tick_s
            await poller.poll(0.4 * self.tick_s)
            fresh = [der.fresh for der in self.image.snapshot(now_s()).ders]
            begun = begun or all(fresh)
            self.looks += fresh if begun else []
            await asyncio.sleep(max(due - now_s(), 0.0))
        await poller.stop()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@pytest.mark.parametrize("writes_every_s", [3600.0, 30.0, 1.0])
@pytest.mark.parametrize(
    ("tick_s", "min_interval_s", "answer_s", "blocks"),
    [
        (1.0, 0.0, 0.05, (3,)),
        (1.0, 1.0, 0.05, (3,)),
        (1.0, 1.0, 0.05, (2, 2)),
        (0.5, 0.5, 0.02, (3,)),
        (0.2, 0.25, 0.01, (2, 2, 1)),
        (1.0, 0.0, 1.4, (2,)),
        (1.0, 0.0, 0.8, (3, 2)),
        (2.0, 2.0, 0.1, (3,)),
        (5.0, 1.0, 0.05, (3, 3)),
    ],
)
async def test_a_healthy_bus_of_any_pace_has_no_stale_readings(
    tick_s: float, min_interval_s: float, answer_s: float, blocks: tuple[int, ...], writes_every_s: float
) -> None:
    pace = Pace(timeout_s=5.0, min_interval_s=min_interval_s)
    site = Site(tick_s=tick_s, pace=pace, answer_s=answer_s, blocks=blocks)
    await site.run(HOUR, writes_every_s=writes_every_s)
    assert len(site.looks) > 0.8 * len(blocks) * HOUR / tick_s
    assert site.looks.count(False) == 0


@pytest.mark.parametrize(("min_interval_s", "young_s"), [(0.0, 3.0), (1.0, 16.0), (4.0, 30.0)])
async def test_a_bus_that_falls_silent_is_believed_for_its_three_polls_and_no_longer(
    min_interval_s: float, young_s: float
) -> None:
    pace = Pace(timeout_s=60.0, min_interval_s=min_interval_s)
    site = Site(tick_s=1.0, pace=pace, answer_s=0.0, blocks=(3,))
    await site.run(100.0, writes_every_s=3600.0)
    channel = site.channels["d0"]
    read_s = channel.measured.read_s
    for later_s, fresh in ((young_s, True), (young_s + 0.1, False)):
        assert site.image.snapshot(read_s + later_s).ders[0].fresh is fresh
