"""(d) Resident memory of the daemon, and the time from its start to its first decision, with four DERs."""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from bench.row import Row
from bench.simulated import Served, daemon, scenario, served
from derctl.links.local import ask
from derctl.site import load

DERS = 4
RSS_AIM_MB = 45.0
START_AIM_S = 1.5
RING_FULL_S = 62.0
"""The recorder's ring is long full then, at ten ticks a second."""
GIVE_UP_S = 20.0


def rows(quick: bool) -> Iterable[Row]:
    """Devices that take 5 to 20 ms for an answer."""
    run_s = 1.5 if quick else RING_FULL_S
    now, peak = _resident_mb(run_s, fast=False)
    with_fast, _ = _resident_mb(run_s, fast=True)
    yield Row(
        row="d1",
        ratio=now / RSS_AIM_MB,
        aim=1.0,
        measured=now,
        against=RSS_AIM_MB,
        unit="MB",
        means=f"resident memory with {DERS} DERs and a meter after {run_s * 10:.0f} ticks",
        also={"peak": peak, "with the extra fast": with_fast},
    )
    starts = []
    with served(scenario(DERS)) as site:
        for _ in range(1 if quick else 5):
            with _started(site) as (_, seconds):
                starts.append(seconds)
    took = median(starts)
    yield Row(
        row="d2",
        ratio=took / START_AIM_S,
        aim=1.0,
        measured=took,
        against=START_AIM_S,
        unit="s",
        means=f"from the start of the process to its first decision, all {DERS} DERs found",
        also={"worst": max(starts)},
    )


def _resident_mb(run_s: float, *, fast: bool) -> tuple[float, float]:
    """Now and at most, of a daemon that has run for so long."""
    with served(scenario(DERS, tick_s=0.1)) as site, _started(site, fast=fast) as (pid, _):
        time.sleep(run_s)
        return _status_mb(pid, "VmRSS"), _status_mb(pid, "VmHWM")


@contextmanager
def _started(site: Served, *, fast: bool = False) -> Iterator[tuple[int, float]]:
    """A daemon that has made its first decision with all DERs found: its pid, and how long that took."""
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as directory,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify,
    ):
        path = Path(directory) / "notify"
        notify.bind(str(path))
        notify.settimeout(GIVE_UP_S)
        began = time.monotonic()
        with daemon(site.site_file, {**os.environ, "NOTIFY_SOCKET": str(path)}, fast=fast) as process:
            said = ""
            while "READY=1" not in said:
                said = notify.recv(4096).decode()
            if f"{DERS} of {DERS}" not in said:  # on a busy machine a later tick is the first with all of them
                _wait_for_all(Path(load(site.site_file).file.site.socket), began + GIVE_UP_S)
            yield process.pid, time.monotonic() - began


def _wait_for_all(daemons_socket: Path, until_s: float) -> None:
    while any(der["state"] != "ok" for der in asyncio.run(ask(daemons_socket, "status"))["ders"].values()):
        if time.monotonic() > until_s:
            raise RuntimeError(f"not all {DERS} DERs were found within {GIVE_UP_S:g} s")
        time.sleep(0.01)


def _status_mb(pid: int, key: str) -> float:
    """From /proc/PID/status."""
    for entry in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
        name, _, value = entry.partition(":")
        if name == key:
            return float(value.split()[0]) / 1024.0
    raise RuntimeError(f"no {key}")
