"""Devices without SunSpec, read by struct at the numbers that their makers' documents name, and beside recordings."""

import asyncio
import struct
from collections.abc import Awaitable, Callable
from math import sqrt
from typing import Any

import pytest

from hil.faces.asked import ON
from hil.faces.register_map import names, parsed, register_map
from hil.faces.signals import COUNTED_WH
from hil.recordings import directory
from hil.rig import Rig
from hil.scenario import ScenarioError
from tests.hil.registers import INVERTER, PACK, Client, device, passed, plant, recorded, words

MakeRig = Callable[..., Awaitable[Rig]]
needs_dumps = pytest.mark.skipif(directory() is None, reason="NOT TESTED: no recordings; set DERCTL_DUMPS")


@pytest.mark.parametrize("name", names())
def test_every_line_of_a_map_names_a_source_and_every_act_is_known(name: str) -> None:
    spec = register_map(name)
    sources = [line.source for table in spec.tables for line in table.lines]
    sources += [act.source for act in spec.acts] + [each.source for each in spec.dead_men]
    assert set(sources) == set(spec.sources)
    assert {act.on for act in spec.acts} <= ON


LINE = {"at": 0, "type": "u16", "shows": "poc.p_w", "from": "x"}


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"registers": [{**LINE, "from": "y"}]}, "no source 'y'"),
        ({"registers": [LINE, {**LINE, "at": 1}]}, "told twice: poc.p_w"),
        ({"registers": [{**LINE, "wat": 1}]}, "wat"),
    ],
)
def test_a_map_that_makes_no_sense_is_refused_with_the_place(wrong: dict[str, Any], says: str) -> None:
    given = {"about": "", "part": "meter", "sources": {"x": "z"}, "tables": [{"functions": [3], **wrong}]}
    with pytest.raises(ScenarioError, match=says):
        parsed("it", given)


def test_an_act_that_speaks_of_no_setting_is_refused() -> None:
    given = {"about": "", "part": "meter", "sources": {"x": "z"}, "tables": [{"functions": [3], "registers": [LINE]}]}
    with pytest.raises(ScenarioError, match="no such setting: gone"):
        parsed("it", {**given, "acts": [{"on": "battery_w", "when": {"gone": 1}, "from": "x"}]})


def test_a_name_that_nobody_knows_is_refused_with_those_that_are() -> None:
    with pytest.raises(ScenarioError, match="eastron_sdm630"):
        register_map("nobody")


async def test_sdm630_says_what_the_plant_does_in_floats_and_counts_import_as_positive(make_rig: MakeRig) -> None:
    rig = await make_rig(devices=(device("m", "eastron_sdm630"),), plant=plant())
    client = await Client.to(rig, "m")
    assert await client.number(4, 0x0034, ">f") == pytest.approx(1200.0, abs=0.1)
    assert await client.number(4, 0x003C, ">f") == pytest.approx(300.0, abs=0.1)
    assert await client.number(4, 0x0038, ">f") == pytest.approx(sqrt(1200.0**2 + 300.0**2), abs=0.1)
    assert await client.number(4, 0x0046, ">f") == pytest.approx(50.0, abs=1e-3)
    fast = struct.unpack(">15f", await client.read(4, 0x0000, 30))
    assert fast[:3] == pytest.approx((230.0,) * 3, abs=1.5)
    assert fast[6:9] == pytest.approx((400.0,) * 3, abs=0.1)
    assert fast[3] == pytest.approx(fast[9] / fast[0], rel=1e-3)
    passed(rig, 60.0)
    counted_kwh = await client.number(4, 0x0048, ">f")
    assert counted_kwh == pytest.approx((COUNTED_WH + 1200.0 * 62.0 / 3600.0) / 1000.0, rel=1e-4)
    assert await client.number(4, 0x004A, ">f") == pytest.approx(COUNTED_WH / 1000.0)
    client.close()


async def test_sdm630_refuses_a_long_read_another_function_and_a_foreign_number(make_rig: MakeRig) -> None:
    rig = await make_rig(devices=(device("m", "eastron_sdm630"),), plant=plant())
    client = await Client.to(rig, "m")
    assert await client.refused(4, 0x0000, 81) == 3
    assert await client.refused(3, 0x0034, 2) == 2
    assert await client.refused(4, 0x7000, 2) == 2
    assert await client.number(3, 0x0014, ">f") == 1.0
    assert await client.write(0x0034, 0, 0) == 2
    client.close()


async def test_em540_sends_the_low_word_first_and_ends_no_read_on_what_is_not_there(make_rig: MakeRig) -> None:
    rig = await make_rig(devices=(device("m", "carlo_gavazzi_em540"),), plant=plant())
    client = await Client.to(rig, "m")
    for function in (3, 4):
        assert await client.swapped(function, 0x0028, ">i") == pytest.approx(12000, abs=2)
    assert await client.swapped(4, 0x0000, ">i") == pytest.approx(2300, abs=15)
    assert await client.swapped(4, 0x0012, ">i") == pytest.approx(4000, abs=2)
    assert await client.number(4, 0x0033, ">H") == 500
    assert await client.number(4, 0x0031, ">h") == pytest.approx(1000.0 * 1200.0 / sqrt(1200.0**2 + 300.0**2), abs=1)
    assert await client.swapped(4, 0x0034, ">i") == pytest.approx(COUNTED_WH / 100.0, abs=1)
    assert await client.swapped(4, 0x0500, ">q") == pytest.approx(COUNTED_WH, abs=3)
    assert await client.refused(4, 0x0000, 120) == 0
    assert await client.refused(4, 0x0000, 125) == 2
    assert await client.refused(4, 0x0000, 0x4C) == 2, "it ends on a hole"
    assert (await client.read(4, 0x0048, 8))[4:12] == b"\xff" * 8, "within, a hole reads 0xFFFF"
    client.close()


async def test_em540_tells_its_model_to_those_who_ask_for_that_alone(make_rig: MakeRig) -> None:
    rig = await make_rig(devices=(device("m", "carlo_gavazzi_em540"),), plant=plant())
    client = await Client.to(rig, "m")
    assert await client.number(4, 0x000B, ">H") == 1760
    assert await client.swapped(4, 0x000A, ">i") == pytest.approx(3980, abs=40), "with it, the voltage L3-L1"
    assert await client.number(4, 0x0302, ">H") == 0x1403
    assert await client.refused(4, 0x0300, 4) == 2
    client.close()


@needs_dumps
@pytest.mark.parametrize(("function", "name"), [(4, "input"), (3, "holding")])
async def test_em540_serves_what_the_recorded_one_served(make_rig: MakeRig, function: int, name: str) -> None:
    rig = await make_rig(devices=(device("m", "carlo_gavazzi_em540"),), plant=plant())
    client = await Client.to(rig, "m")
    real = recorded(f"carlo_gavazzi_em540_fw143_{name}")
    holes = {at for at in real if real[at] == 0xFFFF and at < 0x100}
    told = {at: await client.refused(function, at, 1) for at in real if at not in holes}
    assert {at: code for at, code in told.items() if code} == {}
    if function == 4:
        for at, low, high in ((0x0, 2070, 2530), (0x6, 3600, 4400), (0x24, 2070, 2530)):
            assert low < words(real, at, ">i", low_first=True) < high
            assert low < await client.swapped(4, at, ">i") < high
        assert words(real, 0x33, ">H") == pytest.approx(await client.number(4, 0x33, ">H"), abs=5)
        sums = [words(real, at, ">i", low_first=True) for at in (0x12, 0x14, 0x16, 0x28)]
        own = [await client.swapped(4, at, ">i") for at in (0x12, 0x14, 0x16, 0x28)]
        for each in (sums, own):
            assert sum(each[:3]) == pytest.approx(each[3], abs=20)
    client.close()


async def test_jk_numbers_registers_by_bytes_and_shows_its_pack(make_rig: MakeRig) -> None:
    rig = await make_rig(devices=(INVERTER, device("jk", "jk_bms", der="bat1")), plant=plant())
    client = await Client.to(rig, "jk")
    pack = rig.world.state.ders["bat1"].battery
    assert pack is not None
    cells = struct.unpack(">16H", await client.read(3, 0x1200, 16))
    assert sum(cells) / 1000.0 == pytest.approx(pack.v_v, abs=0.02)
    assert cells[0] == min(cells)
    assert await client.number(3, 0x1220, ">H") == 0, "a cell that is not there"
    assert await client.number(3, 0x1290, ">i") == pytest.approx(pack.v_v * 1000.0, abs=2)
    assert struct.unpack(">BB", await client.read(3, 0x12A6, 1))[1] == 47
    assert struct.unpack(">BB", await client.read(3, 0x12C0, 1)) == (1, 1)
    assert await client.number(3, 0x12AC, ">I") == pytest.approx(14000.0 / 52.256 * 1000.0, rel=0.01)
    assert await client.refused(3, 0x1201, 1) == 2, "an odd number"
    assert await client.refused(3, 0x1200, 121) == 2
    assert await client.refused(3, 0x1322, 2) == 2, "past the end of its table"
    assert await client.refused(4, 0x1200, 2) == 1
    client.close()


async def test_a_jk_that_is_told_to_charge_no_more_opens_its_switch_and_its_battery_takes_nothing(
    make_rig: MakeRig,
) -> None:
    rig = await make_rig(devices=(INVERTER, device("jk", "jk_bms", der="bat1")), plant=plant())
    client = await Client.to(rig, "jk")
    assert await client.write(0x102C, 0, 30_000) == 0
    passed(rig, 1.0)
    pack = rig.world.state.ders["bat1"].battery
    assert pack is not None
    assert pack.charge_limit_a == pytest.approx(30.0)
    assert pack.discharge_limit_a > 90.0
    assert await client.write(0x1070, 0, 0) == 0
    passed(rig, 1.0)
    pack = rig.world.state.ders["bat1"].battery
    assert pack is not None
    assert pack.charge_limit_a == 0.0
    assert struct.unpack(">BB", await client.read(3, 0x12C0, 1)) == (0, 1)
    assert await client.write(0x102C, 0, 900) == 3, "below its least"
    assert await client.write(0x1200, 0) == 2, "what is measured can't be set"
    face: Any = rig.units["jk"].face
    assert face.wear == {"charge_limit": 1, "charge_enable": 1}
    rig.units["jk"].restart(0.0)
    assert await client.number(3, 0x102C, ">I") == 30_000, "it outlives a restart"
    client.close()


async def test_jk_counts_a_charge_as_positive(make_rig: MakeRig) -> None:
    rig = await make_rig(devices=(INVERTER, device("jk", "jk_bms", der="bat1")), plant=plant())
    inverter = rig.units["bat1"].face.bank.image(124)
    inverter.put_all({"StorCtl_Mod": 3, "InWRte": 50.0, "OutWRte": -50.0})
    rig.units["bat1"].face.adopt_all()
    passed(rig, 5.0)
    client = await Client.to(rig, "jk")
    pack = rig.world.state.ders["bat1"].battery
    assert pack is not None
    assert pack.current_a == pytest.approx(-2000.0 * 0.96 / pack.v_v, rel=0.02)
    assert await client.number(3, 0x1298, ">i") == pytest.approx(-1000.0 * pack.current_a, rel=1e-3)
    assert await client.number(3, 0x1294, ">I") == pytest.approx(1000.0 * 1920.0, rel=0.01)
    client.close()


@needs_dumps
async def test_jk_has_the_layout_of_the_recorded_frame(make_rig: MakeRig) -> None:
    rig = await make_rig(devices=(INVERTER, device("jk", "jk_bms", der="bat1")), plant=plant())
    client = await Client.to(rig, "jk")
    real = recorded("jk_pb_broadcast_mppsolar460")
    assert [at for at in real if await client.refused(3, at, 1)] == []
    assert words(real, 0x1290, ">i", step=2, low_first=True) == 53_529
    v = [words(real, 0x1200 + 2 * i, ">H") for i in range(16)]
    assert sum(v) == pytest.approx(53_529, abs=20)
    own = struct.unpack(">16H", await client.read(3, 0x1200, 16))
    assert sum(own) == pytest.approx(await client.number(3, 0x1290, ">i"), abs=20)
    assert PACK["cells"] == 16
    client.close()


async def test_a_jk_on_its_two_wires_answers_at_115200_baud(make_rig: MakeRig) -> None:
    from hil.serial_line import SerialLine
    from tests.hil.test_serial_line import Terminal

    line = {"endpoint": "line", "unit": 2}
    meter = {**device("m", "eastron_sdm630"), "endpoint": "line", "unit": 7}
    rig = await make_rig(
        devices=(INVERTER, {**device("jk", "jk_bms", der="bat1"), **line}, meter),
        plant=plant(),
        serial={"line": {"baud": 115200}},
    )
    endpoint = rig.endpoints["line"]
    assert isinstance(endpoint, SerialLine)
    terminal = Terminal(endpoint.path, 115200)
    terminal.send(2, struct.pack(">HH", 0x1290, 2))
    volts = struct.unpack(">i", (await terminal.answer(9))[3:7])[0]
    assert volts == pytest.approx(52_200, abs=400)
    await asyncio.sleep(0.05)  # the silence of 3.5 characters
    terminal.send(7, struct.pack(">HH", 0x0034, 2), 4)
    assert struct.unpack(">f", (await terminal.answer(9))[3:7])[0] == pytest.approx(1200.0, abs=0.1)
    terminal.close()
