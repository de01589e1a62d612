"""Rigs for the tests of the bench."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from hil.rig import Rig
from hil.scenario import parse

DEVICES: tuple[dict[str, Any], ...] = (
    {"id": "pv1", "face": "pv_1xx", "rating": {"p_max_w": 5000}},
    {"id": "pv2", "face": "pv_7xx", "rating": {"p_max_w": 10000}},
    {"id": "bat1", "face": "storage_7xx", "endpoint": "bat", "rating": {"p_max_w": 5000}, "battery": {"soc_pct": 60}},
    {"id": "bms1", "face": "bms", "der": "bat1", "endpoint": "bat", "unit": 2},
    {"id": "hyb1", "face": "storage_124", "rating": {"p_max_w": 4000, "p_charge_max_w": 3000}},
    {"id": "meter", "face": "meter", "rating": {"p_max_w": 20000}},
)

MakeRig = Callable[..., Awaitable[Rig]]


@pytest.fixture
async def make_rig() -> AsyncIterator[MakeRig]:
    """A started rig; `devices` replaces the whole list, other keywords go into the scenario."""
    rigs: list[Rig] = []

    async def make(*, devices: tuple[dict[str, Any], ...] = DEVICES, **scenario: Any) -> Rig:
        fast = {"latency_s": [0.0, 0.0]}
        given = [{**device, "habits": {**fast, **device.get("habits", {})}} for device in devices]
        plant = {"loads": {"house": {"node": "poc", "p_w": 1000}}, **scenario.pop("plant", {})}
        rig = Rig(parse({"name": "test", "plant": plant, "devices": given, **scenario}))
        rigs.append(rig)
        await rig.start()
        return rig

    yield make
    for rig in rigs:
        await rig.stop()
