"""`derctl release` without a daemon, over real sockets: what it gives back, and what has to wait for a lost one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from derctl.daemon.actuate.release import Release
from derctl.daemon.actuate.rescue import rescue
from derctl.site import load
from derctl.store import worn
from derctl.store.folder import Folder
from hil.faults import refuse
from hil.rig import Rig
from tests.loopback.daemon.conftest import simulated


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    """The demo's devices, and their plant."""
    async with simulated() as made:
        yield made


async def released(rig: Rig, path: Path, *wrote: str) -> dict[str, Release]:
    """As ExecStopPost does it, where the daemon wrote these."""
    site = load(rig.site_file(path))
    folder = Path(site.file.site.state_dir)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "written.json").write_text("{" + ", ".join(f'"{name}": {{}}' for name in wrote) + "}")
    return await rescue(site, pytest.fail, lift=False, seconds=3.0)


def charge(rig: Rig, watts: float) -> None:
    """The battery was told to, and its timer has not run out."""
    image = rig.world.faces["bat1"].bank.image(704)
    for point, value in (("WSetMod", 1), ("WSet", watts), ("WSetEna", 1)):
        image.put(point, value)
    rig.world.faces["bat1"].adopt_all()
    rig.world.faces["bat1"].bank.publish()


@pytest.mark.parametrize(
    ("lost", "watts", "result"), [(True, -3000, "waits"), (False, -3000, "released"), (True, 500, "released")]
)
async def test_a_battery_that_charges_waits_while_an_inverter_that_was_never_written_is_lost(
    rig: Rig, tmp_path: Path, lost: bool, watts: float, result: str
) -> None:
    charge(rig, watts)
    if lost:
        await refuse(rig.endpoint_of("pv2"))
    found = await released(rig, tmp_path, "bat1")
    assert {name: str(each.result) for name, each in found.items()} == {"bat1": result}
    target_w = rig.world.faces["bat1"].command().p_target_w
    assert target_w == (watts if result == "waits" else 0.0)


async def test_what_a_release_writes_is_counted_where_the_daemon_counts(rig: Rig, tmp_path: Path) -> None:
    charge(rig, 500)
    await released(rig, tmp_path, "bat1")
    folder = Folder(Path(load(rig.site_file(tmp_path)).file.site.state_dir), tmp_path)
    first = worn.load(folder)[0].wear["bat1"]["counts"]
    assert first["704.WSetEna"] >= 1
    await released(rig, tmp_path, "bat1")
    assert worn.load(folder)[0].wear["bat1"]["counts"]["704.WSetEna"] == 2 * first["704.WSetEna"]
