"""What was answered is on disk, and what the disk does not take is refused. Killed under load: tests/soak."""

from __future__ import annotations

import asyncio
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from derctl.errors import CommandError, LinkError
from derctl.links.local import ask
from derctl.store.sealed import copy_of
from derctl.store.state import FILE

PATIENCE_S = 60.0
"""For whatever must come at last."""
SITE = """\
version: 1
site: {{id: house, v_nom_v: 230, f_nom_hz: 50, state_dir: {path}/state, socket: {path}/derctl.sock, mode: control,
  require_proof: false}}
buses:
  - {{id: lan, tcp: {{host: 127.0.0.1, port: 1}}}}
ders:
  - {{id: pv1, bus: lan, unit: 1, kind: sunspec_pv, fallback: {{p_ceiling_w: 3000, by: stands}}}}
functions:
  - {{kind: operator_limit}}
"""


class House:
    """A site whose devices are away; its daemon runs as a process."""

    def __init__(self, path: Path, run_python: Callable[..., Any]) -> None:
        self.path, self.run_python = path, run_python
        self.file = path / "site.yaml"
        self.file.write_text(SITE.format(path=path))

    def daemon(self) -> Any:
        return self.run_python(["-m", "derctl", "run", "-c", str(self.file)])

    async def ask(self, call: str, **args: Any) -> Any:
        return await ask(self.path / "derctl.sock", call, args)

    async def limit(self, limit_w: float) -> None:
        """A looser one lasts longer, so that none replaces another."""
        await self.ask("limit_power", p_ceiling_w=limit_w, expires_s=10.0 * limit_w)

    async def up(self, process: subprocess.Popen[str]) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                assert process.poll() is None
                try:
                    return dict(await self.ask("status"))
                except LinkError:
                    await asyncio.sleep(0.02)


@pytest.fixture
def house(tmp_path: Path, run_python: Callable[..., Any]) -> House:
    return House(tmp_path, run_python)


async def test_many_limits_at_once_cost_few_writes_and_a_ping_none(house: House) -> None:
    with house.daemon() as process:
        await house.up(process)
        await house.ask("clear")
        before = (await house.ask("status"))["disk"]
        await asyncio.gather(*(house.limit(1000.0 + n) for n in range(25)))
        after = (await house.ask("status"))["disk"]
        assert 0 < after["writes"] - before["writes"] < 2 * 25 and after["unsaved"] is None
        await asyncio.gather(*(house.ask("ping") for _ in range(25)))
        assert (await house.ask("status"))["disk"]["writes"] == after["writes"]
        process.send_signal(signal.SIGTERM)
        process.wait()


async def test_what_the_disk_does_not_take_is_refused_and_taken_back(house: House) -> None:
    """The directory goes away: the same to a daemon of root as a disk that is read-only or full."""
    with house.daemon() as process:
        await house.up(process)
        await house.ask("limit_power", p_ceiling_w=1000.0)
        shutil.rmtree(house.path / "state")
        for call, args in (("limit_power", {"p_ceiling_w": 900.0}), ("clear", {}), ("release", {}), ("disarm", {})):
            with pytest.raises(CommandError) as refused:
                await house.ask(call, **args)
            assert refused.value.code == "not_saved"
        state = await house.ask("status")
        assert [each["p_ceiling_w"] for each in state["requests"]] == [1000.0]
        assert not state["armed"]["armed"], "a disarm is done all the same"
        assert [e["event"] for e in state["events"]].count("state_not_saved") == 1
        assert "No such file" in state["disk"]["unsaved"]
        process.send_signal(signal.SIGTERM)
        process.wait()


async def test_both_copies_broken_it_starts_disarmed_whatever_the_file_says(house: House) -> None:
    with house.daemon() as process:
        assert (await house.up(process))["armed"]["armed"], "as the site file says"
        process.send_signal(signal.SIGTERM)
        process.wait()
    for name in (FILE, copy_of(FILE)):
        (house.path / "state" / name).write_bytes(b"\x00" * 300)
    with house.daemon() as process:
        state = await house.up(process)
        assert (state["armed"]["armed"], state["armed"]["by"]) == (False, "state_unreadable")
        assert "state_unreadable" in [event["event"] for event in state["events"]]
        process.send_signal(signal.SIGKILL)
        process.wait()


async def test_a_deleted_lock_file_lets_no_second_daemon_in(house: House) -> None:
    with house.daemon() as process:
        await house.up(process)
        (house.path / "state" / "derctl.lock").unlink()
        (house.path / "derctl.sock").unlink()
        with house.daemon() as second:
            assert second.wait(PATIENCE_S) == 75
        process.send_signal(signal.SIGTERM)
        process.wait()
