"""On what the figures were measured: absolute numbers mean nothing without it."""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

LoopFactory = Callable[[], asyncio.AbstractEventLoop]


def uvloop_factory() -> LoopFactory | None:
    """uvloop where it is installed (extra `fast`), as in `derctl run`; else None, asyncio's own."""
    try:
        import uvloop
    except ImportError:
        return None
    factory: LoopFactory = uvloop.new_event_loop
    return factory


def description() -> dict[str, str | int | float]:
    """Processor, cores, versions, and how busy the machine was when it began."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count() or 0,
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        **{name: _version(name) for name in ("uvloop", "pymodbus", "pysunspec2")},
    }


def line(known: dict[str, str | int | float]) -> str:
    """The description in a line."""
    return ", ".join(f"{name} {value}" for name, value in known.items())


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _cpu() -> str:
    """`model name` on a PC, `Model` on a Raspberry Pi."""
    found = {}
    for entry in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        key, _, value = entry.partition(":")
        found[key.strip()] = value.strip()
    return found.get("model name") or found.get("Model") or platform.processor() or "unknown"
