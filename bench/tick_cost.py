"""(a) CPU time of the whole tick against bare pymodbus clients with the same requests, interleaved in one process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Iterable, Mapping
from dataclasses import dataclass, replace
from statistics import median
from typing import Any, ClassVar

from pymodbus.client import AsyncModbusTcpClient

from bench.machine import uvloop_factory
from bench.row import Row
from bench.simulated import P_MAX_W, Served, scenario, served
from derctl.core.exchange import Read, Registers, Write
from derctl.core.types import Abstain, DerState, Proposal, SiteState
from derctl.daemon.app import App
from derctl.daemon.log import configure
from derctl.links.wires.wire import Wire
from derctl.site import load

AIM = 1.5
WARM_UP_S = 5.0
Requests = list[tuple[int, Read | Write]]
"""(unit, request) in the order in which one bus sent them."""


class Alternates:
    """A function that asks for another ceiling in each tick."""

    kind: ClassVar[str] = "alternates"
    rank: ClassVar[int] = 60

    def start(self) -> bool:
        return False

    def step(self, memory: bool, der: DerState, site: SiteState, dt_s: float) -> tuple[bool, Proposal | Abstain]:
        """Memory: whether the higher one is due."""
        return not memory, Proposal(by=self.kind, rank=self.rank, p_ceiling_w=(0.3 if memory else 0.1) * P_MAX_W)


class Listened:
    """Notes what passes a wire, and stands in the way of nothing else."""

    def __init__(self, wire: Wire) -> None:
        self.passed: Requests = []
        self._send = wire.request
        wire.request = self._request  # type: ignore[method-assign]

    def _request(self, unit: int, op: Read | Write) -> Coroutine[Any, Any, Registers]:
        self.passed.append((unit, op))
        return self._send(unit, op)

    def taken(self) -> Requests:
        passed, self.passed = self.passed, []
        return passed


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """writing: every tick changes every setpoint. pause_s: before each tick, as devices and caches go to sleep."""

    row: str
    ders: int = 4
    writing: bool = False
    pause_s: float = 0.0
    uvloop: bool = True

    @property
    def means(self) -> str:
        work = "writes every setpoint anew" if self.writing else "only reads"
        pace = f"{1e3 * self.pause_s:g} ms apart" if self.pause_s else "back to back"
        loop = "uvloop" if self.uvloop and uvloop_factory() is not None else "asyncio"
        return f"CPU of a tick that {work}, {self.ders} DERs and a meter, {pace}, {loop}, against bare pymodbus"


CASES = (
    Case(row="a1"),
    Case(row="a2", writing=True),
    Case(row="a3", ders=20),
    Case(row="a4", uvloop=False),
    Case(row="a5", pause_s=0.01),
    Case(row="a6", ders=20, pause_s=0.01),
)
TICKS = 20
"""In a block: few, so that what a neighbour does to the machine meets both sides alike."""


def rows(quick: bool) -> Iterable[Row]:
    """On uvloop where it is installed, as the daemon; a4 on asyncio's own loop."""
    for ders in sorted({case.ders for case in CASES}):
        with served(scenario(ders, latency_s=0.0)) as site:
            yield from (_row(case, site, 5 if quick else 60) for case in CASES if case.ders == ders)


def _row(case: Case, site: Served, blocks: int) -> Row:
    listener = configure(level="critical")
    loop = uvloop_factory() if case.uvloop else None
    try:
        with asyncio.Runner(loop_factory=loop) as runner:
            samples, requests = runner.run(_interleaved(site, case, blocks))
    finally:
        listener.stop()
    scale = 1e6 / (TICKS * (case.ders + 1))
    whole, bare = (scale * median(each) for each in zip(*samples, strict=True))
    return Row(
        row=case.row,
        ratio=whole / bare,
        aim=AIM,
        measured=whole,
        against=bare,
        unit="us/device",
        means=case.means,
        also={"requests a tick": requests / TICKS},
    )


async def _interleaved(site: Served, case: Case, blocks: int) -> tuple[list[tuple[float, float]], int]:
    """CPU seconds of (derctl, bare) for each block after the first, and how many requests a block had."""
    app = App(load(site.site_file))
    wires = {name: Listened(bus.line.wire) for name, bus in app.control.plant.buses.items()}
    clients = {name: AsyncModbusTcpClient("127.0.0.1", port=port, retries=0) for name, port in site.ports.items()}
    app.survival.folder.hold()
    running = [asyncio.create_task(bus.line.run()) for bus in app.control.plant.buses.values()]
    try:
        for client in clients.values():
            await client.connect()
        await app.control.loop.poller.warm_up(WARM_UP_S)
        await app.survival.save()  # control does not begin before
        app.gate.arm("tests")
        await _block(app, wires, case)  # the plan is made anew once with the profiles that were found
        if case.writing:
            asked = (Alternates(), tuple(app.control.loop.dispatch.writers))
            app.control.loop.plan = replace(
                app.control.loop.plan, der_functions=(*app.control.loop.plan.der_functions, asked)
            )
        await _block(app, wires, case)
        samples = []
        for _ in range(blocks):
            whole, requests = await _block(app, wires, case)
            samples.append((whole, await _bare(clients, requests, case.pause_s)))
        _check(app, requests, case.writing)
    finally:
        for client in clients.values():
            client.close()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        app.survival.folder.let_go()
    return samples, sum(len(passed) for tick in requests for passed in tick.values())


async def _block(app: App, wires: Mapping[str, Listened], case: Case) -> tuple[float, list[dict[str, Requests]]]:
    """CPU seconds of TICKS ticks, and what they asked, by tick and bus."""
    asked = []
    began = time.process_time()
    for _ in range(TICKS):
        await asyncio.sleep(case.pause_s)
        await app.control.loop.tick()
        asked.append({name: wire.taken() for name, wire in wires.items()})
    for writer in app.control.loop.dispatch.writers.values():
        await writer.errand.wait()
    spent = time.process_time() - began
    asked.append({name: wire.taken() for name, wire in wires.items()})
    return spent, asked


async def _bare(
    clients: Mapping[str, AsyncModbusTcpClient], asked: Iterable[Mapping[str, Requests]], pause_s: float
) -> float:
    """The same requests, the devices side by side as the tick has them."""
    began = time.process_time()
    for tick in asked:
        await asyncio.sleep(pause_s)
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
    dark = [channel.id for channel in app.control.loop.poller.channels if channel.state != "ok"]
    writes = sum(isinstance(op, Write) for tick in asked for requests in tick.values() for _, op in requests)
    if dark or not app.gate.open or (writing and writes == 0):
        reason = app.gate.arming.reason
        raise RuntimeError(f"the site was not under control: dark {dark}, gate {reason}, {writes} writes")
