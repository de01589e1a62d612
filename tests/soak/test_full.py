"""A disk that is full: the daemon stays out of control, or keeps what it holds; it says so and admits nothing."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.attack import Attack
from tests.soak.conftest import House
from tests.soak.mounts import DISK_KB, controller, small_disk
from tests.soak.test_kills import awake

END_S = 3.0
LIMIT_W = 1500.0


def seen_by(house: House, path: Path) -> Path:
    """A file in the daemon's own mounts."""
    return Path(f"/proc/{house.run.child.process.pid}/root{path}")


def fill(path: Path) -> None:
    """To the last byte."""
    with path.open("wb", buffering=0) as file:
        for size in (4096, 1):
            try:
                while file.write(b"\0" * size):
                    pass
            except OSError:
                continue


def limits(status: dict[str, Any]) -> list[float]:
    return [each["p_ceiling_w"] for each in status["requests"]]


async def refused(house: House, call: str, **args: Any) -> None:
    answer = await house.ask(call, **args)
    assert (answer["ok"], answer.get("code")) == (False, "not_saved"), answer


@pytest.mark.soak(full=25, short=1, pieces=2)
async def test_a_disk_that_fills_up_under_control_loses_no_limit_and_admits_none(
    house: Callable[..., Any], tmp_path: Path, attack: Attack
) -> None:
    state, full = tmp_path / "state", 0
    async with house(controller=controller(small_disk(state))) as h:
        await h.until(lambda status: status["mode"] == "control" and awake(status))
        assert (await h.ask("limit_power", p_ceiling_w=LIMIT_W, der="pv1", expires_s=6e5))["ok"]
        await h.until(lambda status: h.run.rig.world.state.ders["pv1"].inverter.p_w < LIMIT_W + 60.0)
        for _ in range(attack.count):
            fill(seen_by(h, state / "fill"))
            await refused(h, "limit_power", p_ceiling_w=900.0, der="pv1", expires_s=60)
            await refused(h, "clear")
            status = await h.ticks(3)
            assert limits(status) == [LIMIT_W] and status["mode"] == "control"
            assert "No space left" in status["disk"]["unsaved"]
            assert h.run.rig.world.state.ders["pv1"].inverter.p_w < LIMIT_W + 60.0
            full += 1
            seen_by(h, state / "fill").unlink()
            assert (await h.ask("limit_power", p_ceiling_w=LIMIT_W, der="pv1", expires_s=6e5))["ok"]
        fill(seen_by(h, state / "fill"))
        await refused(h, "disarm")
        status = await h.status()
        assert not status["armed"]["armed"], "a disarm is done all the same"
        assert "state_not_saved" in {each["event"] for each in status["events"]}
        attack.found(disk=f"tmpfs of {DISK_KB} kB", times_full=full + 1)
        began = time.monotonic()
        assert await h.run.child.end()
        attack.found(end_s=f"{time.monotonic() - began:.2f}")
        assert time.monotonic() - began < END_S
        attack.in_time(status["loop"])
        h.held()


@pytest.mark.soak(full=5, short=1)
async def test_a_disk_that_is_full_at_the_start_keeps_the_daemon_out_of_control(
    house: Callable[..., Any], tmp_path: Path, attack: Attack
) -> None:
    filled = f"{{ cat /dev/zero > {shlex.quote(str(tmp_path / 'state' / 'fill'))} 2>&- || true; }}"
    command = controller(small_disk(tmp_path / "state"), filled)
    async with house(controller=command) as h:
        for _ in range(attack.count):
            await h.until(lambda status: status["loop"]["ticks"] >= 6 and awake(status))
            status = await h.status()
            assert status["mode"] == "observe" and status["disk"]["unsaved"], status["mode_reason"]
            await refused(h, "limit_power", p_ceiling_w=LIMIT_W, der="pv1", expires_s=60)
            assert [h.run.rig.units[name].log for name in ("pv1", "pv2", "bat1")] == [[], [], []]
            assert await h.run.child.end()
            attack.in_time(status["loop"])
            await h.run.child.start()
        h.held()
