"""(b) The real daemon: from the meter's register changing in the device to the setpoint register written."""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from statistics import median, quantiles

from bench.row import Row
from bench.simulated import daemon, scenario, served

LATENCY_S = 0.005
"""How long each simulated device takes for an answer."""
MARGIN_S = 0.010
ASKED = 50
SITES = tuple((ders, tick_s) for tick_s in (1.0, 0.1) for ders in (1, 8, 20))


def rows(quick: bool) -> Iterable[Row]:
    """One site after the other, or (quick) all at once with few samples."""
    flips = {1.0: 2, 0.1: 5} if quick else {1.0: 15, 0.1: 50}
    with ThreadPoolExecutor(len(SITES) if quick else 1) as pool:
        jobs = [pool.submit(_measure, ders, tick_s, flips[tick_s]) for ders, tick_s in SITES]
        for number, ((ders, tick_s), job) in enumerate(zip(SITES, jobs, strict=True), start=1):
            yield _row(f"b{number}", ders, tick_s, *job.result())


def _row(row: str, ders: int, tick_s: float, found: list[float], trip_s: float) -> Row:
    p99 = quantiles(found, n=100, method="inclusive")[98]
    allowed = tick_s + 2.0 * trip_s + MARGIN_S
    return Row(
        row=row,
        ratio=p99 / allowed,
        aim=1.0,
        measured=1e3 * p99,
        against=1e3 * allowed,
        unit="ms",
        means=f"p99 from register to setpoint, {tick_s:g} s ticks, DERs: {ders}, against tick + 2 trips + 10 ms",
        also={"p50": 1e3 * median(found), "samples": len(found), "trip": 1e3 * trip_s},
    )


def _measure(ders: int, tick_s: float, flips: int) -> tuple[list[float], float]:
    """Reaction times, and the round trip of a read to the meter, s."""
    content = scenario(ders, tick_s=tick_s, latency_s=LATENCY_S)
    with served(content, "bench.stage", "--flips", str(flips), "--tick", str(tick_s)) as stage:
        trip_s = _round_trip_s(stage.ports["meter"])
        with daemon(stage.site_file, fast=True):
            assert stage.process.stdout is not None
            found: list[float] = json.loads(stage.process.stdout.readline() or "[]")
    if len(found) != ders * flips:
        raise RuntimeError(f"{len(found)} reactions of {ders * flips}")
    return found, trip_s


def _round_trip_s(port: int) -> float:
    """Median time of a read of 50 registers through a plain socket."""
    request = struct.pack(">HHHBBHH", 1, 0, 6, 1, 3, 40000, 50)
    times = []
    with socket.create_connection(("127.0.0.1", port), timeout=5.0) as line:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(ASKED):
            began = time.monotonic()
            line.sendall(request)
            if not line.recv(512):
                raise RuntimeError("the meter closed the connection")
            times.append(time.monotonic() - began)
    return median(times)
