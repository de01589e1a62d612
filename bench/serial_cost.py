"""(f) What a transaction on a serial line takes above its time on the wire, beside a minimal pyserial loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from statistics import median

import serial

from bench.row import Row
from bench.simulated import served
from derctl.core.exchange import Read
from derctl.links.bus import Bus
from derctl.links.line import Line, Pace
from derctl.links.wires.frames import Speed
from derctl.links.wires.rtu import PymodbusRtu
from hil.rtu import crc

BAUDS = (9600, 19200, 115200)
AIM = 1.15
READ = Read(address=40000, count=50)
ANSWER = 5 + 2 * READ.count


def rows(quick: bool) -> Iterable[Row]:
    """A device that answers at once; both clients take turns, so that both meet the same machine."""
    blocks, reads = (2, 5) if quick else (8, 25)
    for number, baud in enumerate(BAUDS, start=1):
        device = {"id": "it", "face": "pv_1xx", "endpoint": "line", "habits": {"latency_s": [0.0, 0.0]}}
        content = {"name": "bench", "devices": [device], "serial": {"line": {"baud": baud}}}
        with served(content) as there:
            port = str(there.ports["line"])
            pairs = [(asyncio.run(_ours(port, baud, reads)), _bare(port, baud, reads)) for _ in range(blocks)]
        wire_s = Speed(baud=baud).span_s(READ)
        ours_s, bare_s = (median(each) for each in zip(*pairs, strict=True))
        yield Row(
            row=f"f{number}",
            ratio=ours_s / wire_s,
            aim=AIM,
            measured=1e3 * ours_s,
            against=1e3 * wire_s,
            unit="ms",
            means=f"a read of {READ.count} registers at {baud} baud against its time on the wire with both silences",
            also={"a bare pyserial loop's ratio": bare_s / wire_s, "the time of both": ours_s / bare_s},
        )


async def _ours(port: str, baud: int, reads: int) -> float:
    """Seconds a read, through the bus that the daemon has."""
    bus = Bus(Line("line", PymodbusRtu(port, baud), Pace(timeout_s=2.0)))
    running = asyncio.create_task(bus.line.run())
    await bus.line.wait_connected()
    await bus.request(1, READ)
    began_s = time.perf_counter()
    for _ in range(reads):
        await bus.request(1, READ)
    took_s = time.perf_counter() - began_s
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return took_s / reads


def _bare(port: str, baud: int, reads: int) -> float:
    """The same bytes, and nothing checked but their number."""
    asks = bytes((1, 3)) + READ.address.to_bytes(2, "big") + READ.count.to_bytes(2, "big")
    asks += crc(asks)
    with serial.Serial(port, baud, timeout=2.0) as line:
        began_s = time.perf_counter()
        for _ in range(reads):
            time.sleep(Speed(baud=baud).quiet_s)
            line.write(asks)
            if len(line.read(ANSWER)) != ANSWER:
                raise RuntimeError("the line does not answer")
        return (time.perf_counter() - began_s) / reads
