"""The site of the attack: hil's, with the daemon as a process of its own, judged by hil's common invariants."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from hil.expect import Check
from hil.eyes import ask
from hil.invariants import verdicts
from hil.runner import Run
from hil.scenario import Scenario, load

ONLY_WHOLE = {"test_messages", "test_cabinet", "test_reloads", "test_day"}
"""Whose short versions are scenarios of the shelf, or tests of the command line."""
SHELF = Path(str(files("hil").joinpath("scenarios")))
PATIENCE_S = 60.0


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    return True if collection_path.stem in ONLY_WHOLE and config.getoption("--soak") is None else None


def scenario(name: str) -> Scenario:
    return load(SHELF / f"{name}.yaml")


def of(found: Scenario, do: str, **args: Any) -> Scenario:
    """The scenario with other arguments of its action `do`."""
    timeline = tuple(replace(each, args={**each.args, **args}) if each.do == do else each for each in found.timeline)
    return replace(found, timeline=timeline)


def held(checks: tuple[Check, ...] | list[Check], log: str = "") -> None:
    broken = [f"{each.says}: saw {each.seen}, wanted {each.wanted}" for each in checks if not each.passed]
    assert not broken, "\n".join([*broken, log[-3000:]])


class House:
    """A running site."""

    def __init__(self, run: Run) -> None:
        self.run = run

    async def status(self) -> dict[str, Any]:
        return dict((await ask(self.run.socket_path, "status"))["result"])

    async def ask(self, call: str, **args: Any) -> dict[str, Any]:
        """The whole answer, be it good or a refusal."""
        return await ask(self.run.socket_path, call, args)

    async def until(self, true: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
        """A status that is so."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    status = await self.status()
                except (OSError, TimeoutError, ValueError):
                    status = {}
                if status and true(status):
                    return status
                assert self.run.child is None or self.run.child.running, self.log
                await asyncio.sleep(0.05)

    async def ticks(self, count: int) -> dict[str, Any]:
        """So many more."""
        goal = (await self.status())["loop"]["ticks"] + count
        return await self.until(lambda status: status["loop"]["ticks"] >= goal)

    @property
    def log(self) -> str:
        return "" if self.run.child is None else self.run.child.stderr()

    def held(self, **waived: str) -> None:
        """hil's common invariants."""
        run = self.run
        held(verdicts(run.rig, run.watch, run.child, run.mqtt_wrong, waived), self.log)


@pytest.fixture
def house(tmp_path: Path) -> Callable[..., Any]:
    """`async with house(change) as h`: `change` edits the site file; controller: another command line for it; broker:
    there is one, at `mqtt_port` of the site file that `change` gets."""

    @asynccontextmanager
    async def start(
        change: Callable[[dict[str, Any]], None] = lambda site: None,
        *,
        controller: str | None = None,
        broker: bool = False,
    ) -> AsyncIterator[House]:
        run = Run(replace(scenario("base/house"), name="soak", mqtt=broker), tmp_path, controller, None)
        stepping = None
        try:
            await run.rig.start()
            if broker:
                await run.start_broker()
            run.site = run.rendered() | ({"mqtt_port": run.mqtt_port} if broker else {})
            change(run.site)
            await run.start_daemon()
            run.rig.begin()
            run.rig.each_step.append(run.observe)
            run.rig.each_step.append(run.snapshots.clear)
            stepping = asyncio.create_task(run.rig.run(float("inf")))
            yield House(run)
        finally:
            if stepping is not None:
                stepping.cancel()
                await asyncio.gather(stepping, return_exceptions=True)
            await run.stop()

    return start
