"""A site of N inverters and a meter as a scenario of `hil`, served by a process of its own."""

from __future__ import annotations

import compileall
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import yaml

P_MAX_W = 10_000.0
START_S = 20.0
STOP_S = 5.0


def scenario(ders: int, *, tick_s: float = 1.0, latency_s: float | None = None) -> dict[str, Any]:
    """Half of the inverters speak 1xx, half 7xx; one endpoint each. latency_s None: as a usual device, 5 to 20 ms.

    The contract allows what all of them could give, so that control is not refused.
    """
    habits = {} if latency_s is None else {"latency_s": [latency_s, latency_s]}
    names = [f"pv{i}" for i in range(ders)]
    devices = [
        {"id": name, "face": ("pv_1xx", "pv_7xx")[i % 2], "rating": {"p_max_w": P_MAX_W}, "habits": habits}
        for i, name in enumerate(names)
    ]
    meter = {"id": "meter", "face": "meter", "rating": {"p_max_w": 4 * ders * P_MAX_W}, "habits": habits}
    return {
        "name": "bench",
        "plant": {"source": {"r_ohm": 0.001, "x_ohm": 0.001}, "sun": {"points": [[0, 0.5], [1e6, 0.5]]}},
        "devices": [*devices, meter],
        "site": _site(names, tick_s),
    }


def _site(names: Sequence[str], tick_s: float) -> dict[str, Any]:
    return {
        "version": 1,
        "site": {
            "id": "bench",
            "v_nom_v": 230,
            "f_nom_hz": 50,
            "grid_code": "ieee1547_b",
            "mode": "control",
            "tick_s": tick_s,
            "state_dir": "{dir}/state",
            "socket": "{dir}/derctl.sock",
        },
        "mqtt": {"host": "127.0.0.1", "port": 1, "measurement_min_s": max(tick_s / 2.0, 0.1)},
        "buses": [{"id": n, "tcp": {"host": "127.0.0.1", "port": f"{{port:{n}}}"}} for n in (*names, "meter")],
        "ders": [{"id": n, "bus": n, "unit": 1, "kind": "sunspec_pv", "own_functions": "off"} for n in names],
        "poc": {"bus": "meter", "unit": 1, "sign": 1},
        "functions": [
            {
                "kind": "contract_export_limit",
                "limit_w": P_MAX_W * len(names),
                "margin_w": 0.0,
                "relax_pu_per_s": 1.0,
            },
            {"kind": "volt_watt"},
            {"kind": "volt_var", "category": "B"},
            {"kind": "freq_droop", **dict.fromkeys(("db_of_hz", "db_uf_hz"), 0.036), "k_of": 0.05, "k_uf": 0.05},
            {"kind": "operator_limit"},
        ],
    }


@dataclass(frozen=True, slots=True)
class Served:
    """The serving process and what it wrote into the ports file."""

    process: subprocess.Popen[str]
    ports: dict[str, Any]
    site_file: Path


@contextmanager
def served(content: dict[str, Any], module: str = "hil", *arguments: str) -> Iterator[Served]:
    """`python -m {module} serve FILE ...` until the end of the block."""
    with tempfile.TemporaryDirectory(prefix="bench-", ignore_cleanup_errors=True) as directory:
        file, ports_file = Path(directory) / "bench.yaml", Path(directory) / "ports.json"
        file.write_text(yaml.safe_dump(content), encoding="utf-8")
        command = [sys.executable, "-m", module, "serve", str(file), "--ports-file", str(ports_file), *arguments]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                found = _wait_for(ports_file, process)
                yield Served(process, found["ports"], Path(found["site_file"]))
            finally:
                end(process)


def _wait_for(ports_file: Path, process: subprocess.Popen[str]) -> dict[str, Any]:
    until = time.monotonic() + START_S
    while not ports_file.exists():
        if process.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"{process.args!r} does not serve")
        time.sleep(0.02)
    found: dict[str, Any] = json.loads(ports_file.read_text(encoding="utf-8"))
    return found


HIDE = "import os, runpy, sys; sys.modules.update(dict.fromkeys(os.environ.pop('BENCH_HIDDEN').split())); "
AS_INSTALLED = HIDE + "runpy.run_module('derctl', run_name='__main__', alter_sys=True)"
RUN_LOCK = Path(__file__).parent.parent / "requirements-run.lock"
FAST = "uvloop"
"""The extra `fast`, which `install.sh` and the package do not bring."""


def hidden(*, fast: bool = False) -> set[str]:
    """Modules of this environment that an installation doesn't bring: structlog takes rich where it finds it."""
    lines = RUN_LOCK.read_text(encoding="utf-8").splitlines()
    ours = {"derctl", *([FAST] if fast else [])} | {line.split("==")[0].lower() for line in lines if "==" in line}
    return {
        module
        for module, names in packages_distributions().items()
        if module.isidentifier() and ours.isdisjoint(name.lower() for name in names)
    }


@cache
def compiled() -> None:
    """As `systemd/settle.py` does with what is installed: a start from sources keeps half a megabyte more."""
    compileall.compile_dir(Path(__file__).parents[1] / "derctl", quiet=1)


@contextmanager
def daemon(
    site_file: Path, environment: dict[str, str] | None = None, *, fast: bool = False
) -> Iterator[subprocess.Popen[bytes]]:
    """`derctl run` on a site file until the end of the block, as an installation has it: compiled before, and what
    only tests and the bench need is not there for it. fast: with that extra."""
    compiled()
    command = [sys.executable, "-c", AS_INSTALLED, "run", "-c", str(site_file), "--log-level", "error"]
    given = {
        **(os.environ if environment is None else environment),
        "BENCH_HIDDEN": " ".join(sorted(hidden(fast=fast))),
    }
    with subprocess.Popen(command, env=given) as process:
        try:
            yield process
        finally:
            end(process)


def end(process: subprocess.Popen[Any]) -> None:
    """SIGTERM, and SIGKILL where that isn't enough."""
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
