"""The site file is read again and again under load: no tick is missed, and what stands in the devices stands."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from tests.attack import Attack
from tests.soak.conftest import House
from tests.soak.test_kills import awake

LIMIT_W = 1500.0
AGREED_W = (7000.0, 7100.0)


def edit(house: House, limit_w: float) -> None:
    """Another agreement."""
    path = house.run.directory / "site.yaml"
    site = yaml.safe_load(path.read_text())
    for function in site["functions"]:
        if function["kind"] == "contract_export_limit":
            function["limit_w"] = limit_w
    path.write_text(yaml.safe_dump(site, sort_keys=False))


async def asks(house: House) -> None:
    """Commands beside it, as fast as they are answered."""
    for n in itertools.count():
        answer = await house.ask("limit_power", p_ceiling_w=LIMIT_W + n % 40, der="pv2", expires_s=600.0 + n)
        assert answer["ok"] or answer["code"] in {"too_many", "not_ready"}, answer


@pytest.mark.scenario
@pytest.mark.soak(full=100, short=3)
async def test_a_hundred_reloads_under_load_leave_no_gap(house: Callable[..., Any], attack: Attack) -> None:
    async with house() as h:
        await h.until(lambda status: status["mode"] == "control" and awake(status))
        assert (await h.ask("limit_power", p_ceiling_w=LIMIT_W, der="pv1", expires_s=6e5))["ok"]
        plant = h.run.rig.world
        await h.until(lambda status: plant.state.ders["pv1"].inverter.p_w < LIMIT_W + 60.0)
        peak = [0.0]
        h.run.rig.each_step.append(lambda: peak.__setitem__(0, max(peak[0], plant.state.ders["pv1"].inverter.p_w)))
        asking = asyncio.create_task(asks(h))
        for n in range(attack.count):
            edit(h, AGREED_W[1 - n % 2])
            answer = await h.ask("reload")
            assert answer["ok"], answer
            assert not asking.done(), asking.exception()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        status = await h.ticks(2)
        taken = [each for each in status["events"] if each["event"] == "site_file_reloaded"]
        attack.found(reloads=attack.count, peak_w=round(peak[0]), said=len(taken))
        assert taken and peak[0] < LIMIT_W + 60.0 and status["mode"] == "control"
        attack.in_time(status["loop"])
        h.held()
