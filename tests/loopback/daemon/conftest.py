"""A daemon and a simulated site in one process, over real sockets."""

from __future__ import annotations

import asyncio
import copy
import dataclasses
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from derctl.daemon.actuate.writer import Writer
from derctl.daemon.app import App
from derctl.site import load
from hil.rig import Rig
from hil.scenario import load as load_scenario
from hil.snapshot import snapshot
from hil.unit import WriteRecord

DEMO = Path(str(files("hil").joinpath("scenarios", "demo.yaml")))
TICK_S = 0.1
PATIENCE_S = 60.0
"""For whatever must come at last: no claim about how fast, which a busy machine would break."""
Change = Callable[[dict[str, Any]], None]


class Bench:
    """One simulated site and the daemon that controls it."""

    def __init__(self, rig: Rig, app: App, running: asyncio.Task[None]) -> None:
        self.rig = rig
        self.app = app
        self.running = running

    async def until(self, true: Callable[[], Any]) -> None:
        """Wait for something to become true; fail when it doesn't, or when the daemon ends."""
        async with asyncio.timeout(PATIENCE_S):
            while not true():
                if self.running.done():
                    self.running.result()
                    raise AssertionError("the daemon ended")
                await asyncio.sleep(0.01)

    async def ticks(self, count: int) -> None:
        """Let so many ticks pass."""
        goal = self.app.control.loop.ticks + count
        await self.until(lambda: self.app.control.loop.ticks >= goal)

    @property
    def writers(self) -> Mapping[str, Writer]:
        """By DER id."""
        return self.app.control.loop.dispatch.writers

    def p_w(self, der: str) -> float:
        """The plant's truth: what a DER gives."""
        return float(snapshot(self.rig, None, None, None)["der"][der]["p_w"])

    def writes(self, device: str) -> list[WriteRecord]:
        """What arrived at a simulated device's registers."""
        return list(self.rig.units[device].log)


@asynccontextmanager
async def simulated(
    change: Change | None = None, prepare: Callable[[Rig], None] | None = None, **site: Any
) -> AsyncIterator[Rig]:
    """The demo's devices and its plant, which goes on; without its broker. site: what its `site` section has else."""
    scenario = load_scenario(DEMO)
    file = copy.deepcopy(dict(scenario.site))
    file["site"] |= site
    file.pop("mqtt", None)
    if change is not None:
        change(file)
    rig = Rig(dataclasses.replace(scenario, site=file))
    await rig.start()
    if prepare is not None:
        prepare(rig)
    stepping = asyncio.create_task(rig.run(600.0))
    try:
        yield rig
    finally:
        stepping.cancel()
        await asyncio.gather(stepping, return_exceptions=True)
        await rig.stop()


@pytest.fixture
def bench(tmp_path: Path) -> Callable[..., Any]:
    """`async with bench(change) as b`: `change` edits the demo's site file; everything is ended at the end.

    It begins when every device has been found and read, however busy the machine is; with `prepare`, which may keep
    one from being found, with the daemon.
    """

    @asynccontextmanager
    async def start(
        change: Change | None = None,
        *,
        observe: bool = False,
        prepare: Callable[[Rig], None] | None = None,
        sessions: Mapping[str, Any] | None = None,
    ) -> AsyncIterator[Bench]:
        async with simulated(change, prepare, tick_s=TICK_S, clock_sync="assume") as rig:
            path = rig.site_file(tmp_path)
            app = App(load(path), observe=observe, read=lambda: load(path), sessions=sessions)
            running = asyncio.create_task(app.run())
            made = Bench(rig, app, running)
            try:
                if prepare is None:
                    await made.until(
                        lambda: all(channel.measured.sample > 0 for channel in app.control.loop.poller.channels)
                    )
                yield made
            finally:
                app.stop()
                await asyncio.gather(running, return_exceptions=True)

    return start
