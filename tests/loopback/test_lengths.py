"""Devices of short reads behind a real socket: hil's faces, whose registers pysunspec2 lays out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from derctl.core.types import Fallback, Reading, Setpoint
from derctl.devices import Options, kinds
from derctl.links.bus import Bus
from derctl.links.line import Line, Pace
from derctl.links.models import model
from derctl.links.wires.tcp import PymodbusTcp
from hil.rig import Rig
from hil.scenario import parse
from tests.bus import any_write

KINDS = kinds(model)
PATIENCE_S = 60.0
FACES = (
    ("pv_1xx", "sunspec_pv"),
    ("pv_7xx", "sunspec_pv"),
    ("storage_7xx", "sunspec_storage"),
    ("storage_124", "sunspec_storage"),
    ("meter", "sunspec_meter"),
)


@asynccontextmanager
async def served(face: str, **habits: Any) -> AsyncIterator[tuple[Rig, Bus]]:
    """One device whose registers stand still, and a bus to it."""
    device = {"id": "it", "face": face, "rating": {"p_max_w": 5000, "s_max_va": 5000, "p_charge_max_w": 4000}}
    if face.startswith("storage"):
        device["battery"] = {"soc_pct": 60}
    habits |= {"latency_s": [0.0, 0.0]}
    plant = {"loads": {"house": {"node": "poc", "p_w": 1000}}, "sun": {"points": [[0, 0.5]]}}
    rig = Rig(parse({"name": "short", "plant": plant, "devices": [{**device, "habits": habits}]}))
    await rig.start()
    bus = Bus(Line("lan", PymodbusTcp("127.0.0.1", rig.ports()["it"]), Pace(timeout_s=10.0)))
    running = asyncio.create_task(bus.line.run())
    try:
        async with asyncio.timeout(PATIENCE_S):
            await bus.line.wait_connected()
            yield rig, bus
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await rig.stop()


async def read(bus: Bus, kind: str) -> tuple[Any, Reading, dict[str, Any]]:
    """It is found, and polled once."""
    device: Any = await bus.execute(1, KINDS[kind].bind(Options()))
    blocks = {**device.control, **device.slow}
    answers = {name: await bus.request(1, each) for name, each in blocks.items()}
    return device, device.decode(answers), answers


@pytest.mark.parametrize(("face", "kind"), FACES)
async def test_a_device_of_short_reads_is_found_and_read_like_any_other(face: str, kind: str) -> None:
    async with served(face) as (_, bus):
        plain, expected, _ = await read(bus, kind)
    for most, code in ((50, 3), (20, 3), (50, 2)):
        async with served(face, max_regs=most, too_long_code=code) as (_, bus):
            device, seen, _ = await read(bus, kind)
            assert seen == expected
            assert (device.rating, device.can) == (plain.rating, plain.can)
            assert "in one read" in device.problems[-1]


@pytest.mark.parametrize("most", [50, 20])
@pytest.mark.parametrize("face", ["pv_1xx", "pv_7xx"])
async def test_a_device_of_short_reads_takes_a_limit(face: str, most: int) -> None:
    async with served(face, max_regs=most) as (rig, bus):
        device, _, answers = await read(bus, "sunspec_pv")
        accepted = await bus.execute(
            1, device.write(Setpoint(p_ceiling_w=2000.0), Fallback(), answers), permit=any_write
        )
        assert accepted.p_ceiling_w == pytest.approx(2000.0)
        assert rig.units["it"].face.command().p_ceiling_w == pytest.approx(2000.0)
        assert not rig.units["it"].unverified
