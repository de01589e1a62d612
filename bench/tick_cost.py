"""(a) CPU time of the whole tick against bare pymodbus clients with the same requests, interleaved in one process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from statistics import median

from pymodbus.client import AsyncModbusTcpClient

from bench.machine import LoopFactory, uvloop_factory
from bench.row import Row
from bench.simulated import P_MAX_W, Served, scenario, served
from derctl.config import load
from derctl.core.exchange import Read, Registers, Write
from derctl.daemon.app import App
from derctl.daemon.log import configure
from derctl.links.wire import Wire

AIM = 1.5
WARM_UP_S = 5.0
Requests = list[tuple[int, Read | Write]]
"""(unit, request) in the order in which one bus sent them."""


class Listened:
    """A Wire that notes what passes."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.passed: Requests = []

    @property
    def connected(self) -> bool:
        return self._wire.connected

    @property
    def debris(self) -> bool:
        return self._wire.debris

    async def connect(self, on_lost: Callable[[], None]) -> None:
        await self._wire.connect(on_lost)

    def close(self) -> None:
        self._wire.close()

    async def request(self, unit: int, op: Read | Write) -> Registers:
        self.passed.append((unit, op))
        return await self._wire.request(unit, op)

    def taken(self) -> Requests:
        passed, self.passed = self.passed, []
        return passed


def rows(quick: bool) -> Iterable[Row]:
    """On the daemon's loop, and once on asyncio's own where those differ."""
    ticks, blocks = (20, 8) if quick else (20, 80)
    fast = uvloop_factory()
    name = "asyncio" if fast is None else "uvloop"
    yield _row("a1", 4, False, ticks, blocks, fast, f"a tick that only reads, 4 DERs and a meter, {name}")
    yield _row("a2", 4, True, ticks, blocks, fast, f"a tick that writes every setpoint anew, 4 DERs, {name}")
    yield _row("a3", 20, False, ticks // 2, blocks, fast, f"a tick that only reads, 20 DERs and a meter, {name}")
    if fast is not None:
        yield _row("a4", 4, False, ticks, blocks, None, "a tick that only reads, 4 DERs and a meter, asyncio")


def _row(row: str, ders: int, writing: bool, ticks: int, blocks: int, loop: LoopFactory | None, means: str) -> Row:
    listener = configure(level="critical")
    try:
        with served(scenario(ders, latency_s=0.0)) as site, asyncio.Runner(loop_factory=loop) as runner:
            samples, requests = runner.run(_interleaved(site, writing, ticks, blocks))
    finally:
        listener.stop()
    scale = 1e6 / (ticks * (ders + 1))
    whole, bare = (scale * median(each) for each in zip(*samples, strict=True))
    return Row(
        row=row,
        ratio=whole / bare,
        aim=AIM,
        measured=whole,
        against=bare,
        unit="us/device",
        means=f"CPU of {means}, against bare pymodbus",
        also={"requests a tick": requests / ticks},
    )


async def _interleaved(site: Served, writing: bool, ticks: int, blocks: int) -> tuple[list[tuple[float, float]], int]:
    """CPU seconds of (derctl, bare) for each block after the first, and how many requests a block had."""
    app = App(load(site.site_file))
    wires = {name: Listened(bus.wire) for name, bus in app.buses.items()}
    for name, bus in app.buses.items():
        bus.wire = wires[name]
    clients = {name: AsyncModbusTcpClient("127.0.0.1", port=port, retries=0) for name, port in site.ports.items()}
    running = [asyncio.create_task(bus.run()) for bus in app.buses.values()]
    try:
        for client in clients.values():
            await client.connect()
        await app.poller.warm_up(WARM_UP_S)
        await app.arm()
        await _block(app, wires, writing, ticks)
        samples = []
        for _ in range(blocks):
            whole, requests = await _block(app, wires, writing, ticks)
            samples.append((whole, await _bare(clients, requests)))
        _check(app, requests, writing)
    finally:
        for client in clients.values():
            client.close()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    return samples, sum(len(passed) for tick in requests for passed in tick.values())


async def _block(
    app: App, wires: Mapping[str, Listened], writing: bool, ticks: int
) -> tuple[float, list[dict[str, Requests]]]:
    """So many ticks without a pause between them. What they asked, by tick and bus."""
    asked = []
    began = time.process_time()
    for number in range(ticks):
        if writing:
            limit_w = (0.1 + 0.2 * (number % 2)) * P_MAX_W * len(app.writers)
            app.requests.put("limit_power", None, limit_w, request_id=str(number), seconds=60.0)
        await app.loop.tick()
        asked.append({name: wire.taken() for name, wire in wires.items()})
    for writer in app.writers.values():
        await writer.wait()
    spent = time.process_time() - began
    asked.append({name: wire.taken() for name, wire in wires.items()})
    return spent, asked


async def _bare(clients: Mapping[str, AsyncModbusTcpClient], asked: Iterable[Mapping[str, Requests]]) -> float:
    """The same requests, the devices side by side as the tick has them."""
    began = time.process_time()
    for tick in asked:
        await asyncio.gather(*(_ask(clients[name], requests) for name, requests in tick.items()))
    return time.process_time() - began


async def _ask(client: AsyncModbusTcpClient, requests: Requests) -> None:
    for unit, op in requests:
        if isinstance(op, Read):
            await client.read_holding_registers(op.address, count=op.count, device_id=unit)
        else:
            await client.write_registers(op.address, list(op.values), device_id=unit)


def _check(app: App, asked: Iterable[Mapping[str, Requests]], writing: bool) -> None:
    """A figure of a site that was not under control would be a lie."""
    dark = [channel.id for channel in app.poller.channels if channel.state != "ok"]
    writes = sum(isinstance(op, Write) for tick in asked for requests in tick.values() for _, op in requests)
    if dark or not app.gate.open or (writing and writes == 0):
        raise RuntimeError(f"the site was not under control: dark {dark}, gate {app.gate.reason}, {writes} writes")
