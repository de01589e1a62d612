"""A house whose phases differ, as its meters tell it: by the makers' registers and by SunSpec."""

import asyncio
import json
import struct
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from sunspec2.modbus.client import SunSpecModbusClientDeviceTCP

from hil.faces import register_map
from hil.rig import Rig
from hil.scenario import ScenarioError
from hil.showing import GX, on_show
from hil.snapshot import snapshot
from tests.hil.registers import Client, device, passed

MakeRig = Callable[..., Awaitable[Rig]]
UNEVEN: dict[str, Any] = {
    "source": {"each": [[0.2, 0.1], [0.4, 0.1], [0.3, 0.1]]},
    "loads": {
        "house": {"node": "poc", "p_w": 0},
        "hob": {"node": "poc", "p_w": 2000, "phase": "a"},
        "fridge": {"node": "poc", "p_w": 500, "q_var": 200, "phase": "c"},
    },
}
ROOF: dict[str, Any] = {"id": "pv1", "face": "pv_1xx", "phase": "b", "rating": {"p_max_w": 3600}}
METERS = (
    device("sdm", "eastron_sdm630"),
    device("em540", "carlo_gavazzi_em540"),
    {"id": "sunspec", "face": "meter", "rating": {"p_max_w": 20000}},
)


async def test_every_meter_tells_each_phase_its_own(make_rig: MakeRig) -> None:
    rig = await make_rig(devices=(ROOF, *METERS), plant=UNEVEN)
    passed(rig, 5.0)
    poc = rig.world.state.poc
    assert poc.each_p_w == pytest.approx((-2000.0, 3600.0, -500.0), abs=2.0)
    assert poc.each_v_pu[1] > 1.02
    assert poc.each_v_pu[0] < 1.0
    sdm, em540 = [await Client.to(rig, name) for name in ("sdm", "em540")]
    fast = struct.unpack(">15f", await sdm.read(4, 0x0000, 30))
    assert [-w for w in fast[6:9]] == pytest.approx(poc.each_p_w, abs=1.0)
    assert fast[:3] == pytest.approx([230.0 * v for v in poc.each_v_pu], abs=1.0)
    assert fast[3] == pytest.approx(2000.0 / fast[0], rel=0.01)
    assert await sdm.number(4, 0x0034, ">f") == pytest.approx(-poc.p_w, abs=1.0)
    for index, watts in enumerate(poc.each_p_w):
        assert await em540.swapped(4, 0x0012 + 2 * index, ">i") == pytest.approx(-10.0 * watts, abs=20)
    meter = await asyncio.to_thread(_meter, rig.endpoint_of("sunspec").port)
    assert [meter[f"Wph{p}"] for p in "ABC"] == pytest.approx(poc.each_p_w, abs=1.0)
    assert [meter[f"PhVph{p}"] for p in "ABC"] == pytest.approx([230.0 * v for v in poc.each_v_pu], abs=1.0)
    assert sum(meter[f"Wph{p}"] for p in "ABC") == pytest.approx(meter["W"], abs=2.0)
    sdm.close()
    em540.close()


async def test_each_phase_has_counters_of_its_own(make_rig: MakeRig) -> None:
    rig = await make_rig(devices=(ROOF, *METERS), plant=UNEVEN)
    sdm = await Client.to(rig, "sdm")
    before = [await sdm.number(4, at, ">f") for at in (0x015A, 0x0160, 0x0162)]
    passed(rig, 60.0)
    after = [await sdm.number(4, at, ">f") for at in (0x015A, 0x0160, 0x0162)]
    grown_wh = [1000.0 * (b - a) for a, b in zip(before, after, strict=True)]
    assert grown_wh == pytest.approx([2000.0 / 60.0, 0.0, 3600.0 / 60.0], abs=1.0)
    sdm.close()


async def test_an_inverter_on_one_phase_is_a_single_phase_one_with_the_voltage_of_that_phase(
    make_rig: MakeRig,
) -> None:
    rig = await make_rig(devices=(ROOF, *METERS), plant=UNEVEN)
    passed(rig, 5.0)
    der = rig.world.state.ders["pv1"]
    assert der.v_pu == pytest.approx(rig.world.state.poc.each_v_pu[1])
    image = rig.units["pv1"].face.bank.image(101)
    assert image.get("PhVphA") == pytest.approx(230.0 * der.v_pu, abs=0.1)
    assert image.get("AphA") == pytest.approx(3600.0 / (230.0 * der.v_pu), abs=0.02)
    seen = snapshot(rig, None, None, None)["poc"]
    assert seen["b"]["p_w"] == pytest.approx(3600.0, abs=2.0)


async def test_a_plant_of_one_phase_has_no_other(make_rig: MakeRig) -> None:
    with pytest.raises(ScenarioError, match="1 phases"):
        await make_rig(devices=(ROOF,), plant={**UNEVEN, "phases": 1})


def _meter(port: int) -> dict[str, float]:
    client: Any = SunSpecModbusClientDeviceTCP(slave_id=1, ipaddr="127.0.0.1", ipport=port, timeout=60)
    client.scan()
    points = client.models[203][0].points
    client.close()
    return {name: point.cvalue for name, point in points.items()}


@pytest.mark.parametrize("name", [*sorted(set(register_map.names()) - set(GX)), "victron_gx", "kostal"])
async def test_each_personality_can_be_shown(name: str) -> None:
    rig = Rig(on_show(name))
    await rig.start()
    try:
        for unit in rig.units.values():
            spec = getattr(unit.face, "spec", None)
            for table in spec.tables if spec is not None else ():
                line = table.lines[0]
                content = unit.face.read(table.functions[0], line.at, line.words)
                assert len(content) == 2 * line.words
        assert {unit.unit_id for unit in rig.units.values()} >= (
            {227, 100, 225, 30} if name == "victron_gx" else set()
        )
    finally:
        await rig.stop()


def test_what_is_not_there_is_not_shown_nor_on_a_line_that_it_does_not_have() -> None:
    with pytest.raises(ScenarioError, match="no serial line"):
        on_show("sungrow_sh", serial=True)
    with pytest.raises(ScenarioError, match=r"there are .*jk_bms.*kostal.*victron_gx"):
        on_show("nobody")
    assert on_show("jk_bms", serial=True).serial == {"device": {"baud": 115200}}


async def test_serve_shows_a_personality_to_other_software(tmp_path: Path) -> None:
    serving = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "hil", "serve", "--personality", "goodwe_et", stdout=asyncio.subprocess.PIPE
    )
    assert serving.stdout is not None
    try:
        told = json.loads(await serving.stdout.readline())
        assert told["units"] == {"device": 247}
        reader, writer = await asyncio.open_connection("127.0.0.1", told["ports"]["device"])
        client = Client(reader, writer, 247)
        assert await client.number(3, 35123, ">H") == 5000
        client.close()
    finally:
        serving.terminate()
        await serving.wait()
