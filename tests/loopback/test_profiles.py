"""hil's personalities, found by who they say they are, through the profiles that ship: read, steered, given back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import pytest

from derctl.core.types import Fallback, Setpoint
from derctl.core.words import FallbackBy, ProfileBy, Timer
from derctl.daemon.actuate.ration import Ration
from derctl.daemon.kinds import KINDS
from derctl.devices import Options
from derctl.errors import WriteBarred
from derctl.links.bus import Bus
from derctl.links.line import Line, Pace
from derctl.links.wires.tcp import PymodbusTcp
from derctl.site import profiles
from hil.rig import Rig
from hil.scenario import parse
from tests.bus import any_write

PATIENCE_S = 20.0
SHELF = tuple(profiles().values())
CASES = [  # profile, its personality's face, derctl's kind, whether its timer is counted upon
    ("fronius_gen24", "pv_1xx", "sunspec_pv", Timer.NO_TARGET),
    ("fronius_gen24", "storage_124", "sunspec_storage", Timer.NONE),
    ("fronius", "pv_1xx", "sunspec_pv", Timer.NO_TARGET),
    ("kaco", "pv_1xx", "sunspec_pv", Timer.NO_TARGET),
    ("apsystems", "pv_1xx", "sunspec_pv", Timer.NONE),
    ("sma_tripower_x", "pv_7xx", "sunspec_pv", Timer.NONE),
    ("kostal", "pv_1xx", "sunspec_pv", Timer.NO_TARGET),
    ("sma", "pv_1xx", "sunspec_pv", Timer.NO_TARGET),
    ("solaredge", "pv_1xx", "sunspec_pv", Timer.NO_TARGET),
    ("outback", "pv_7xx", "sunspec_pv", Timer.NONE),
    ("franklinwh", "storage_7xx", "sunspec_storage", Timer.NONE),
    ("wattsonic", "pv_1xx", "sunspec_pv", Timer.NO_TARGET),
    ("fimer", "pv_1xx", "sunspec_pv", Timer.NO_TARGET),
    ("enphase", "pv_7xx", "sunspec_pv", Timer.NONE),
    ("generic", "pv_1xx", "sunspec_pv", Timer.NO_TARGET),
    ("generic_7xx", "pv_7xx", "sunspec_pv", Timer.TARGET),
    ("generic_7xx", "storage_7xx", "sunspec_storage", Timer.TARGET),
]


QUICK = {"apsystems": {"act_s": 0.0}}  # its minutes are for the scenario


@dataclass(frozen=True)
class Served:
    rig: Rig
    bus: Bus
    device: Any

    async def answers(self) -> dict[str, Any]:
        blocks = {**self.device.control, **self.device.slow}
        return {name: await self.bus.request(1, each) for name, each in blocks.items()}

    @property
    def told_w(self) -> float | None:
        """What its registers make the plant do; 124 speaks in bounds."""
        command = self.rig.units["it"].face.command()
        return command.p_ceiling_w if command.p_target_w is None else command.p_target_w


@asynccontextmanager
async def served(personality: str, face: str, kind: str) -> AsyncIterator[Served]:
    """One device whose plant stands still, found over a socket."""
    device: dict[str, Any] = {"id": "it", "face": face, "personality": personality}
    device["habits"] = QUICK.get(personality, {})
    device["rating"] = {"p_max_w": 5000, "s_max_va": 5000, "p_charge_max_w": 4000}
    if face.startswith("storage"):
        device["battery"] = {"soc_pct": 60}
    plant = {"loads": {"house": {"node": "poc", "p_w": 1000}}, "sun": {"points": [[0, 0.5]]}}
    rig = Rig(parse({"name": "habits", "plant": plant, "devices": [device]}))
    await rig.start()
    bus = Bus(Line("lan", PymodbusTcp("127.0.0.1", rig.ports()["it"]), Pace(timeout_s=10.0)))
    running = asyncio.create_task(bus.line.run())
    try:
        async with asyncio.timeout(PATIENCE_S):
            await bus.line.wait_connected()
            yield Served(rig, bus, await bus.execute(1, KINDS[kind].bind(Options(shelf=SHELF))))
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await rig.stop()


@pytest.mark.parametrize(("name", "face", "kind", "timer"), CASES)
async def test_a_personality_is_found_read_steered_and_given_back_by_its_profile(
    name: str, face: str, kind: str, timer: Timer
) -> None:
    async with served(profiles()[name].about.personality, face, kind) as it:
        profile, by = it.device.habits.profile, it.device.habits.by
        assert (profile.name, by) == (name, ProfileBy.NOBODY if name == "generic" else ProfileBy.IDENTITY)
        answers = await it.answers()
        inverter = it.rig.world.state.ders["it"].inverter
        assert it.device.decode(answers).p_w == pytest.approx(inverter.p_w, abs=25.0)
        assert it.device.reversion.timer is timer
        stores = kind == "sunspec_storage"
        wanted = Setpoint(p_target_w=2000.0) if stores else Setpoint(p_ceiling_w=2000.0)
        stands = Fallback(by=FallbackBy.STANDS, p_ceiling_w=2000.0)
        write = it.device.write(it.device.sendable(wanted), Fallback() if stores else stands, answers)
        accepted = await it.bus.execute(1, write, permit=any_write)
        assert it.told_w == pytest.approx(2000.0, abs=50.0)
        if profile.readback == "values":
            assert (accepted.p_target_w if stores else accepted.p_ceiling_w) == pytest.approx(2000.0, abs=50.0)
        await it.bus.execute(1, it.device.release(Fallback(), lift=True, held=wanted), permit=any_write)
        assert it.told_w is None or it.told_w >= 5000.0


async def test_a_gate_that_the_site_file_does_not_name_stays_closed() -> None:
    async with served("wattsonic", "pv_1xx", "sunspec_pv") as it:
        answers = await it.answers()
        stands = Fallback(by=FallbackBy.STANDS, p_ceiling_w=2000.0)
        for named, raises in ((frozenset[str](), WriteBarred), (frozenset({"gate"}), None)):
            permit = Ration("it", named=named).permit(it.device, it.device.habits.profile, answers, urgent=False)
            write = it.device.write(Setpoint(p_ceiling_w=2000.0), stands, answers)
            with pytest.raises(raises, match="may_write") if raises else nullcontext():
                await it.bus.execute(1, write, permit=permit)
            assert it.told_w == (None if raises else 2000.0)


def test_every_profile_without_a_recording_that_has_a_personality_is_among_them() -> None:
    among = {name for name, *_ in CASES}
    assert {each.name for each in SHELF if each.about.personality} == among
