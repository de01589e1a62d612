"""DERs stepped without a daemon, over real sockets: each is given back what it had, whatever happens."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from derctl.core.identified import Identified, MeterFound
from derctl.core.memories import BELIEF
from derctl.core.stages import Heard, Play, Stage
from derctl.core.types import Setpoint
from derctl.core.words import Flaw
from derctl.daemon.stand import NotGivenBack, Stand, stand
from derctl.site import Site, load
from derctl.site.plant_file import NOTHING_FOUND, PLANT, plant_text
from derctl.store.folder import AlreadyRunning, Folder
from hil.rig import Rig
from tests.loopback.daemon.conftest import simulated

STEP = Stage(setpoint=Setpoint(p_ceiling_w=2_000.0), seconds=1.5, says="down")


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    """The demo's devices, and their plant."""
    async with simulated() as made:
        yield made


@pytest.fixture
def site(rig: Rig, tmp_path: Path) -> Site:
    return load(rig.site_file(tmp_path))


def stood(rig: Rig, device: str) -> float | None:
    """The limit that the simulated device keeps."""
    ceiling = rig.world.faces[device].command().p_ceiling_w
    return None if ceiling is None else float(ceiling)


def limit(rig: Rig, watts: float) -> None:
    """Somebody else limited pv2."""
    image = rig.world.faces["pv2"].bank.image(704)
    for point, value in (("WMaxLimPct", watts / 100.0), ("WMaxLimPctEna", 1)):
        image.put(point, value)
    rig.world.faces["pv2"].adopt_all()
    rig.world.faces["pv2"].bank.publish()


def once(stage: Stage = STEP) -> Play[Heard]:
    heard = yield stage
    return heard


def broken() -> Play[None]:
    yield STEP
    raise RuntimeError("a bug")


def journalled(site: Site) -> bool:
    """Whether something waits to be given back."""
    path = Path(site.file.site.state_dir) / "written.json"
    return path.exists() and "pv1" in path.read_text(encoding="utf-8")


async def test_a_stage_is_told_heard_and_given_back(rig: Rig, site: Site) -> None:
    told: list[tuple[str, str]] = []
    async with stand(site, pytest.fail) as here:
        here.progress = lambda name, text: told.append((name, text))
        heard = await here.play("pv1", once())
        assert stood(rig, "pv1") == pytest.approx(2_000.0)
        assert journalled(site)
        release = await here.give_back("pv1")
    assert told == [("pv1", "down")]
    assert str(release) == "released"
    assert heard.sent.p_ceiling_w == heard.accepted.p_ceiling_w == pytest.approx(2_000.0)
    assert heard.samples[-1].p_w < 3_000.0 < heard.samples[0].p_w
    assert heard.samples[-1].meter_w is not None
    assert heard.samples[-1].ders_w > heard.samples[-1].p_w
    assert all(0.9 < each.v_pu < 1.1 for each in heard.samples)
    assert [each.t_s for each in heard.samples] == sorted(each.t_s for each in heard.samples)
    assert not journalled(site)
    assert (stood(rig, "pv1") or 5_000.0) == pytest.approx(5_000.0)


async def test_whatever_breaks_each_is_given_back(rig: Rig, site: Site) -> None:
    said: list[str] = []
    with pytest.raises(RuntimeError, match="a bug"):
        async with stand(site, said.append) as here:
            await here.play("pv1", broken())
    assert said == ["pv1: released"]
    assert (stood(rig, "pv1") or 5_000.0) == pytest.approx(5_000.0)
    assert not journalled(site)


async def test_a_limit_that_stood_stands_again(rig: Rig, site: Site) -> None:
    """Its declared fallback is 2 kW; somebody left 1.5 kW in it, which nobody may raise."""
    limit(rig, 1_500.0)
    async with stand(site, pytest.fail) as here:
        assert here.stood["pv2"].p_ceiling_w == pytest.approx(1_500.0)
        await here.play("pv2", once(Stage(setpoint=Setpoint(p_ceiling_w=1_000.0), seconds=0.5)))
        await here.give_back("pv2")
    assert stood(rig, "pv2") == pytest.approx(1_500.0)


async def test_nothing_is_written_that_can_t_be_written_down_first(
    rig: Rig, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    before = len(rig.units["pv1"].log)
    async with stand(site, lambda text: None) as here:
        with monkeypatch.context() as patched, pytest.raises(OSError, match="written down first"):
            patched.setattr("derctl.store.folder.replace_file", full)
            await here.play("pv1", once())
    assert len(rig.units["pv1"].log) == before


async def test_the_next_start_knows_that_nobody_disarmed(site: Site) -> None:
    """Beside a journal a state file that is missing would count as lost."""
    async with stand(site, pytest.fail):
        assert (Path(site.file.site.state_dir) / "state.json").exists()


async def test_who_only_listens_writes_nothing(site: Site) -> None:
    async with stand(site, lambda text: None) as here:
        heard = await here.play("pv1", once(Stage(seconds=0.3)))
    assert heard.sent == Setpoint()
    assert heard.samples
    assert not journalled(site)


async def test_a_running_daemon_keeps_the_site(site: Site) -> None:
    folder = Folder(Path(site.file.site.state_dir), Path(site.file.site.socket).parent)
    folder.hold()
    try:
        with pytest.raises(AlreadyRunning):
            async with stand(site, pytest.fail):
                pytest.fail("it began")
    finally:
        folder.let_go()


async def test_what_was_left_from_before_is_given_back_first(rig: Rig, site: Site) -> None:
    path = Path(site.file.site.state_dir)
    path.mkdir(parents=True)
    (path / "written.json").write_text('{"pv1": {}}', encoding="utf-8")
    with pytest.raises(NotGivenBack, match="derctl release"):
        async with stand(site, pytest.fail):
            pytest.fail("it began")
    assert journalled(site)


async def test_the_daemon_begins_with_what_was_found(bench: Any, tmp_path: Path) -> None:
    """The meter of the demo, by its serial number; pv1's minimum."""

    def named(file: dict[str, Any]) -> None:
        file["poc"]["serial"], file["ders"][0]["serial"] = "1005", "1001"

    least = Identified(least_w=300.0, flaws=(Flaw.MINIMUM_ON,))
    plant = NOTHING_FOUND.with_meter("1005", MeterFound(delay_s=2.0)).with_der("1001", least)
    (tmp_path / PLANT).write_bytes(plant_text(plant))
    async with bench(named) as made:
        await made.until(lambda: BELIEF in made.app.control.loop.memories)
        memories = made.app.control.loop.memories
        assert memories[BELIEF].pace.late_s == 2.0
        assert made.writers["pv1"].account.rest.least_w == 300.0
        assert made.writers["pv2"].account.rest.least_w == 0.0


async def test_a_timer_is_armed_again_before_it_ends(rig: Rig, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("derctl.daemon.stand.REFRESHED", 0.01)
    async with stand(site, pytest.fail) as here:
        made: Stand = here
        await made.play("pv1", once(Stage(setpoint=Setpoint(p_ceiling_w=2_000.0), seconds=3.0)))
        await made.give_back("pv1")
    assert len(rig.units["pv1"].log) >= 4
