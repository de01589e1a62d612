"""Eight units on one serial line of 19200 baud beside twenty TCP devices: as old and as busy as the plan has it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from derctl.daemon.app import App
from derctl.site import load
from derctl.site.buses import planned
from hil.faults import FaultBoard
from hil.rig import Rig
from hil.scenario import parse
from tests.loopback.conftest import until
from tests.polled import p99

UNITS, BESIDE = 8, 20
TICK_S = 2.0
ANSWER_S = 0.02
WATCHED_S = 0.02
LONG_S = 24.0
TOLERANCE = 1.1
POINTS = 5.0
TIMEOUT_S = 0.5

LINE = [f"line{n}" for n in range(1, UNITS + 1)]
LAN = [f"lan{n}" for n in range(1, BESIDE + 1)]


HABITS = {"latency_s": [ANSWER_S, ANSWER_S]}
DEVICE = {"face": "pv_1xx", "rating": {"p_max_w": 5000, "s_max_va": 5000}, "habits": HABITS}
DER = {"kind": "sunspec_pv", "control": False}
RTU = {"port": "{port:line}", "baud": 19200}


def scenario() -> dict[str, Any]:
    here, away = list(enumerate(LINE, 1)), [(name, {"host": "127.0.0.1", "port": f"{{port:{name}}}"}) for name in LAN]
    head = {"id": "mixed", "v_nom_v": 230, "f_nom_hz": 50, "tick_s": TICK_S, "clock_sync": "assume"}
    devices = [{"id": name, "endpoint": "line", "unit": n, "serial": f"L{n}", **DEVICE} for n, name in here]
    buses = [{"id": "rs485", "rtu": RTU, "answer_s": ANSWER_S, "timeout_s": TIMEOUT_S}]
    ders = [{"id": name, "bus": "rs485", "unit": n, **DER} for n, name in here]
    plant = {"v_nom_v": 230, "f_nom_hz": 50, "phases": 3, "source": {"r_ohm": 0.02, "x_ohm": 0.02}}
    return {
        "name": "mixed",
        "plant": {**plant, "sun": {"points": [[0, 0.5], [600, 0.9]]}},
        "serial": {"line": {"baud": 19200}},
        "devices": [*devices, *({"id": name, "serial": f"T-{name}", **DEVICE} for name in LAN)],
        "site": {
            "version": 1,
            "site": {**head, "state_dir": "{dir}/state", "socket": "{dir}/derctl.sock"},
            "buses": [*buses, *({"id": f"bus_{name}", "tcp": tcp, "answer_s": ANSWER_S} for name, tcp in away)],
            "ders": [*ders, *({"id": name, "bus": f"bus_{name}", "unit": 1, **DER} for name in LAN)],
        },
    }


class House:
    """ages_s: at each tick's decision; watched_s: at any time."""

    def __init__(self, rig: Rig, app: App) -> None:
        self.app, self.faults = app, FaultBoard(rig)

    async def watch(self, seconds: float) -> tuple[dict[str, list[float]], dict[str, list[float]], float]:
        """Ages at decisions, ages at any time, and the load of the line."""
        loop, bus = self.app.control.loop, self.app.control.plant.buses["rs485"]
        decided: dict[str, list[float]] = {name: [] for name in (*LINE, *LAN)}
        watched: dict[str, list[float]] = {name: [] for name in (*LINE, *LAN)}
        began_s, busy_s, ticks = loop.clock(), bus.busy_s, loop.ticks
        while loop.clock() < began_s + seconds:
            await asyncio.sleep(WATCHED_S)
            for name, channel in self.app.control.plant.ders.items():
                watched[name].append(loop.clock() - channel.measured.read_s)
            tick = self.app.recorder.latest
            if tick is not None and tick.n > ticks:
                ticks = tick.n
                for der in tick.state.ders:
                    decided[der.id].append(der.age_s)
        return decided, watched, 100.0 * (bus.busy_s - busy_s) / (loop.clock() - began_s)

    def plan(self) -> Mapping[str, Any]:
        """As `status` shows it: of the devices that were found."""
        return {name: each["plan"] for name, each in self.app.panel.loads().items()}


@asynccontextmanager
async def mixed(folder: Path) -> AsyncIterator[House]:
    rig = Rig(parse(scenario()))
    await rig.start()
    stepping = asyncio.create_task(rig.run(600.0))
    app = App(load(rig.site_file(folder)), observe=True)
    running = asyncio.create_task(app.run())
    try:
        await until(lambda: all(channel.measured.sample > 5 for channel in app.control.plant.ders.values()))
        yield House(rig, app)
    finally:
        app.stop()
        stepping.cancel()
        await asyncio.gather(running, stepping, return_exceptions=True)
        await rig.stop()


@pytest.mark.quiet
async def test_ages_and_load_are_as_planned_and_a_dark_unit_costs_its_one_timeout(tmp_path: Path) -> None:
    async with mixed(tmp_path) as house:
        decided, whole, load_pct = await house.watch(LONG_S)
        plan = house.plan()
        site = house.app.control.site
        beforehand = {each.plan.bus: each.plan for each in planned(site.file, site.profiles, site.budget)}
        await house.faults.start("blackhole", LINE[-1])
        _, dark, _ = await house.watch(LONG_S)
    loads_pct = beforehand["rs485"].load_pct, plan["rs485"]["load_pct"]
    assert load_pct == pytest.approx(plan["rs485"]["load_pct"], abs=POINTS)
    assert min(loads_pct) - POINTS <= load_pct <= max(loads_pct) + POINTS, "more where answers take longer than said"
    for name in (*LINE, *LAN):
        bus = "rs485" if name in LINE else f"bus_{name}"
        planned_s = plan[bus]["oldest_s"][name], beforehand[bus].ages_s[name]
        assert max(decided[name]) <= max(planned_s) * TOLERANCE, name
        if name != LINE[-1]:
            assert p99(dark[name]) <= p99(whole[name]) + TIMEOUT_S + WATCHED_S, name
