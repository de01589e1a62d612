"""Simulated devices that stand still, and derctl beside them as a process or a call."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from derctl.cli import main
from hil.rig import Rig
from hil.scenario import parse

ROOT = Path(__file__).resolve().parents[2]
DEVICES: tuple[dict[str, Any], ...] = (
    {"id": "pv1", "face": "pv_1xx", "serial": "1001", "rating": {"p_max_w": 5000}},
    {"id": "pv2", "face": "pv_7xx", "serial": "1002", "rating": {"p_max_w": 10000}, "habits": {"base": 0}},
    {"id": "bat1", "face": "storage_7xx", "serial": "1003", "endpoint": "bat", "battery": {"soc_pct": 60}},
    {"id": "bms1", "face": "bms", "serial": "1004", "der": "bat1", "endpoint": "bat", "unit": 2},
    {"id": "meter", "face": "meter", "serial": "1005", "rating": {"p_max_w": 20000}},
    {"id": "solo", "face": "pv_1xx", "serial": "1006", "habits": {"max_clients": 1, "extra_clients": "silent"}},
)
Said = tuple[int, str, str]


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    """Servers on ephemeral ports; the plant is not stepped, so every value stays."""
    plant = {"loads": {"house": {"node": "poc", "p_w": 1000}}}
    fast = {"latency_s": [0.0, 0.0]}
    given = [{**device, "habits": {**fast, **device.get("habits", {})}} for device in DEVICES]
    made = Rig(parse({"name": "test", "plant": plant, "devices": given}))
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def here(capsys: pytest.CaptureFixture[str]) -> Callable[..., Awaitable[Said]]:
    """`await here("scan", ...)`: the command line in a thread of this process: code, stdout, stderr."""

    async def call(*words: str) -> Said:
        capsys.readouterr()
        code = await asyncio.to_thread(main, [*words])
        out, err = capsys.readouterr()
        return code, out, err

    return call


def run(*words: str, cwd: Path = ROOT) -> Said:
    done = subprocess.run(
        [sys.executable, "-m", "derctl", *words], cwd=cwd, capture_output=True, text=True, timeout=300, check=False
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def outside() -> Callable[..., Said]:
    """The command line as a process of its own."""
    return run


@pytest.fixture
def site_file(tmp_path: Path) -> Callable[..., Path]:
    """A small site file, its state and socket in the test's directory; pairs of text are replaced in it."""

    def write(*pairs: tuple[str, str], port: int = 1) -> Path:
        text = f"""\
version: 1
site: {{id: house, v_nom_v: 230, f_nom_hz: 50, state_dir: {tmp_path}/state, socket: {tmp_path}/derctl.sock}}
buses:
  - {{id: lan, tcp: {{host: 127.0.0.1, port: {port}}}}}
ders:
  - {{id: pv1, bus: lan, unit: 1, kind: sunspec_pv, fallback: {{p_ceiling_w: 3000, by: stands}}}}
poc: {{bus: lan, unit: 3, sign: 1}}
functions:
  - {{kind: contract_export_limit, limit_w: 5000}}
"""
        for old, new in pairs:
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        path = tmp_path / "site.yaml"
        path.write_text(text)
        return path

    return write
