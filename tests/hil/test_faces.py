"""Faces through pysunspec2's own client over the real socket, and what writes do to the plant."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sunspec2.modbus.client import SunSpecModbusClientDeviceTCP
from sunspec2.modbus.modbus import ModbusClientException

from hil.recordings import directory
from hil.rig import Rig
from hil.world import Knob

MakeRig = Callable[..., Awaitable[Rig]]


def scanned(port: int, unit: int = 1) -> Any:
    device = SunSpecModbusClientDeviceTCP(slave_id=unit, ipaddr="127.0.0.1", ipport=port, timeout=60)
    device.scan()
    return device


async def scan(rig: Rig, name: str) -> Any:
    unit = rig.units[name].unit_id
    return await asyncio.to_thread(scanned, rig.endpoint_of(name).port, unit)


def written(device: Any, model_id: int, values: dict[str, float]) -> None:
    model = device.models[model_id][0]
    model.read()
    for name, value in values.items():
        model.points[name].cvalue = value
    for name in values:
        model.points[name].write()


async def write(device: Any, model_id: int, **values: float) -> None:
    await asyncio.to_thread(written, device, model_id, values)


def passed(rig: Rig, seconds: float) -> None:
    """Let plant, timers and registers go on without wall time."""
    for _ in range(round(seconds / 0.1)):
        rig.world.advance(0.1)
        for unit in rig.units.values():
            unit.face.tick(0.1)
    for unit in rig.units.values():
        unit.face.refresh(rig.world.view)


CHAINS = {
    "pv1": [1, 103, 120, 121, 122, 123],
    "pv2": [1, 701, 702, 703, 704, 713, 714, 715, 705, 706, 712, 711],
    "bat1": [1, 701, 702, 704, 713, 714, 715],
    "bms1": [1, 802, 803],
    "hyb1": [1, 103, 120, 121, 122, 123, 124],
    "meter": [1, 203],
}


@pytest.mark.parametrize("name", CHAINS)
async def test_pysunspec2_walks_the_chain_without_an_error(make_rig: MakeRig, name: str) -> None:
    rig = await make_rig()
    device = await scan(rig, name)
    assert [model.model_id for model in device.model_list] == CHAINS[name]
    assert [model.error_info for model in device.model_list if model.error_info] == []
    device.close()


HYBRID = {"id": "hyb2", "face": "hybrid_124", "options": {"own_bms": True}, "battery": {"soc_pct": 50}}
RATED = {"p_max_w": 5000, "p_charge_max_w": 2000, "sun_w": 6000}


async def inputs_w(device: Any) -> list[float]:
    """DCW of the inputs of 160, read now, with 103."""

    def read() -> list[float]:
        for model_id in (103, 160):
            device.models[model_id][0].read()
        return [float(module.points["DCW"].cvalue) for module in device.models[160][0].groups["module"]]

    return await asyncio.to_thread(read)


async def test_a_hybrid_shares_its_sun_under_a_limit_of_its_terminals(make_rig: MakeRig) -> None:
    """6 kW of sun: 1 kW for the house, 2 kW into the battery, and what the limit leaves; then the limit is 500 W."""
    rig = await make_rig(devices=({**HYBRID, "rating": RATED},), plant={"sun": {"points": [[0, 1.0]]}})
    device = await scan(rig, "hyb2")
    assert [m.model_id for m in device.model_list] == [1, 103, 120, 121, 122, 123, 124, 160, 802, 803]
    passed(rig, 60.0)
    await write(device, 123, WMaxLimPct=10.0, WMaxLim_Ena=1)
    passed(rig, 20.0)
    one, two, into, out = await inputs_w(device)
    assert device.models[103][0].points["W"].cvalue == pytest.approx(500.0, abs=15.0)
    assert (into, out) == (pytest.approx(2000.0, rel=0.03), 0.0)
    assert one + two == pytest.approx(2000.0 + 500.0 / 0.96, rel=0.03), "what nobody takes is lost"
    rig.world.forced["hyb2"].irradiance = Knob(0.0)
    passed(rig, 20.0)
    assert await inputs_w(device) == [0.0, 0.0, 0.0, pytest.approx(500.0 / 0.96, rel=0.03)], "by night"
    device.close()


async def test_registers_show_the_plant(make_rig: MakeRig) -> None:
    rig = await make_rig()
    passed(rig, 5.0)
    state = rig.world.state
    pv1, pv2, bms, meter = [await scan(rig, name) for name in ("pv1", "pv2", "bms1", "meter")]
    assert pv1.models[103][0].W.cvalue == pytest.approx(state.ders["pv1"].inverter.p_w, abs=1.0)
    assert pv2.models[701][0].W.cvalue == pytest.approx(state.ders["pv2"].inverter.p_w, abs=1.0)
    assert pv2.models[701][0].LNV.cvalue == pytest.approx(state.ders["pv2"].v_pu * 230.0, abs=0.06)
    assert pv2.models[701][0].Hz.cvalue == pytest.approx(50.0, abs=0.001)
    assert pv2.models[702][0].WMax.cvalue == 10000
    assert meter.models[203][0].W.cvalue == pytest.approx(state.poc.p_w, abs=1.0)
    assert meter.models[203][0].W.cvalue > 10_000
    assert bms.models[802][0].SoC.cvalue == pytest.approx(60.0, abs=0.1)
    assert bms.models[802][0].AChaMax.cvalue == pytest.approx(20.0, abs=0.1)
    for device in (pv1, pv2, bms, meter):
        device.close()


async def test_a_limit_in_123_acts_reads_back_and_reverts_to_no_limit(make_rig: MakeRig) -> None:
    rig = await make_rig()
    device = await scan(rig, "pv1")
    await write(device, 123, WMaxLimPct=40.0, WMaxLimPct_RvrtTms=10, WMaxLim_Ena=1)
    passed(rig, 8.0)
    assert rig.world.state.ders["pv1"].inverter.p_w == pytest.approx(2000.0, rel=1e-3)
    await asyncio.to_thread(device.models[123][0].read)
    assert device.models[123][0].WMaxLimPct.cvalue == 40.0
    passed(rig, 8.0)
    assert rig.units["pv1"].face.reverted == 1
    assert rig.world.state.ders["pv1"].inverter.p_w == pytest.approx(5000.0, rel=1e-3)
    await asyncio.to_thread(device.models[123][0].read)
    assert device.models[123][0].WMaxLim_Ena.value == 0
    device.close()


async def test_a_limit_in_704_reverts_to_its_target(make_rig: MakeRig) -> None:
    rig = await make_rig()
    device = await scan(rig, "pv2")
    await write(device, 704, WMaxLimPct=50.0, WMaxLimPctRvrt=20.0, WMaxLimPctEnaRvrt=1, WMaxLimPctRvrtTms=5)
    await write(device, 704, WMaxLimPctEna=1)
    passed(rig, 4.0)
    assert rig.world.state.ders["pv2"].inverter.p_w == pytest.approx(5000.0, rel=1e-3)
    await asyncio.to_thread(device.models[704][0].read)
    assert device.models[704][0].WMaxLimPctRvrtRem.value == 1
    passed(rig, 6.0)
    assert rig.world.state.ders["pv2"].inverter.p_w == pytest.approx(2000.0, rel=1e-2)
    device.close()


async def test_only_its_own_group_restarts_a_timer(make_rig: MakeRig) -> None:
    rig = await make_rig()
    device = await scan(rig, "pv2")
    await write(device, 704, WMaxLimPct=50.0, WMaxLimPctRvrtTms=5, WMaxLimPctEna=1)
    for _ in range(3):
        passed(rig, 2.0)
        await write(device, 704, VarSet=0)
    assert rig.units["pv2"].face.reverted == 1
    device.close()


async def test_any_message_keeps_a_fronius_alive(make_rig: MakeRig) -> None:
    rig = await make_rig(devices=({"id": "pv1", "face": "pv_1xx", "personality": "fronius"},))
    device = await scan(rig, "pv1")
    await write(device, 123, WMaxLimPct=50.0, WMaxLimPct_RvrtTms=5, WMaxLim_Ena=1)
    for _ in range(5):
        passed(rig, 4.0)
        await asyncio.to_thread(device.models[103][0].read)
    assert rig.units["pv1"].face.reverted == 0
    passed(rig, 5.1)
    assert rig.units["pv1"].face.reverted == 1
    device.close()


async def test_a_device_that_needs_its_enable_ignores_parameters_until_then(make_rig: MakeRig) -> None:
    rig = await make_rig(devices=({"id": "pv1", "face": "pv_1xx", "personality": "fronius"},))
    device = await scan(rig, "pv1")
    await write(device, 123, WMaxLimPct=50.0, WMaxLim_Ena=1)
    await write(device, 123, WMaxLimPct=30.0)
    assert rig.units["pv1"].face.command().p_ceiling_w == 5000.0
    await write(device, 123, WMaxLim_Ena=1)
    assert rig.units["pv1"].face.command().p_ceiling_w == 3000.0
    device.close()


async def test_a_battery_charges_by_a_negative_setpoint(make_rig: MakeRig) -> None:
    rig = await make_rig()
    device = await scan(rig, "bat1")
    await write(device, 704, WSetMod=1, WSet=-3000, WSetEna=1)
    passed(rig, 5.0)
    state = rig.world.state.ders["bat1"]
    assert state.inverter.p_w == pytest.approx(-3000.0, rel=1e-3)
    assert state.battery is not None
    assert state.battery.dc_p_w == pytest.approx(-3000.0 * 0.96, rel=1e-3)
    device.close()


@pytest.mark.parametrize(
    ("mode", "out_pct", "in_pct", "p_w"),
    [(2, -50.0, 100.0, -2000.0), (1, 100.0, -50.0, 2000.0), (3, 25.0, -25.0, 1000.0)],
)
async def test_negative_rates_of_124_force_the_other_direction(
    make_rig: MakeRig, mode: int, out_pct: float, in_pct: float, p_w: float
) -> None:
    rig = await make_rig()
    device = await scan(rig, "hyb1")
    await write(device, 124, OutWRte=out_pct, InWRte=in_pct, StorCtl_Mod=mode)
    passed(rig, 5.0)
    assert rig.world.state.ders["hyb1"].inverter.p_w == pytest.approx(p_w, rel=1e-2)
    device.close()


async def test_var_setpoints_absorb_by_a_negative_number(make_rig: MakeRig) -> None:
    rig = await make_rig()
    pv1, pv2 = await scan(rig, "pv1"), await scan(rig, "pv2")
    await write(pv1, 123, VArPct_Mod=2, VArMaxPct=-50.0, VArPct_Ena=1)
    await write(pv2, 704, VarSetMod=4, VarSet=-2000, VarSetEna=1)
    passed(rig, 5.0)
    assert rig.world.state.ders["pv1"].inverter.q_var == pytest.approx(-1100.0, rel=1e-2)
    assert rig.world.state.ders["pv2"].inverter.q_var == pytest.approx(-2000.0, rel=1e-2)
    pv1.close()
    pv2.close()


@pytest.mark.parametrize(
    ("model_id", "point", "value"), [(704, "WMaxLimPct", 130.0), (704, "WSet", 20000), (704, "WSetEna", 7)]
)
async def test_what_the_nameplate_excludes_is_refused_and_noted(
    make_rig: MakeRig, model_id: int, point: str, value: float
) -> None:
    rig = await make_rig()
    device = await scan(rig, "pv2")
    with pytest.raises(ModbusClientException, match="exception: 3"):
        await write(device, model_id, **{point: value})
    assert len(rig.units["pv2"].face.violations) == 1
    device.close()


async def test_read_only_points_refuse(make_rig: MakeRig) -> None:
    rig = await make_rig()
    device = await scan(rig, "pv2")
    with pytest.raises(ModbusClientException, match="exception: 2"):
        await write(device, 701, W=5)
    device.close()


async def test_a_curve_is_adopted_and_the_device_does_its_own_volt_var(make_rig: MakeRig) -> None:
    rig = await make_rig(plant={"source_v_pu": 1.08})
    device = await scan(rig, "pv2")
    assert rig.world.state.ders["pv2"].inverter.q_var == 0.0
    await write(device, 705, AdptCrvReq=2, Ena=1)
    passed(rig, 30.0)
    assert rig.world.state.ders["pv2"].inverter.q_var == pytest.approx(-4400.0, rel=0.05)
    device.close()


@pytest.mark.parametrize("model", [101, 103, 111, 113])
async def test_every_measuring_model_of_the_1xx_shows_the_same_power(make_rig: MakeRig, model: int) -> None:
    phases = 3 if model in (103, 113) else 1
    rig = await make_rig(
        devices=({"id": "pv1", "face": "pv_1xx", "options": {"model": model}},), plant={"phases": phases}
    )
    device = await scan(rig, "pv1")
    truth_w = rig.world.state.ders["pv1"].inverter.p_w
    assert device.models[model][0].W.cvalue == pytest.approx(truth_w, abs=1.0)
    device.close()


@pytest.mark.parametrize(("model", "sign"), [(203, 1), (203, -1), (213, 1), (201, -1)])
async def test_a_meter_may_turn_its_sign_but_not_its_counters(make_rig: MakeRig, model: int, sign: int) -> None:
    meter = {"id": "meter", "face": "meter", "options": {"model": model, "sign": sign}}
    rig = await make_rig(devices=({"id": "pv1", "face": "pv_1xx"}, meter), plant={"phases": 1 if model == 201 else 3})
    passed(rig, 60.0)
    device = await scan(rig, "meter")
    assert device.models[model][0].W.cvalue == pytest.approx(sign * rig.world.state.poc.p_w, abs=1.0)
    assert device.models[model][0].TotWhExp.cvalue > 1000.0 + 100.0
    assert device.models[model][0].TotWhImp.cvalue == 1000.0
    device.close()


async def test_write_only_points_read_as_ffff(make_rig: MakeRig) -> None:
    rig = await make_rig(devices=({"id": "pv1", "face": "pv_1xx", "personality": "sma"},))
    device = await scan(rig, "pv1")
    await write(device, 123, WMaxLim_Ena=1)
    await asyncio.to_thread(device.models[123][0].read)
    assert device.models[123][0].WMaxLim_Ena.value is None
    assert rig.units["pv1"].face.command().p_ceiling_w == 10000.0
    device.close()


async def test_a_franklin_counts_and_does_nothing(make_rig: MakeRig) -> None:
    rig = await make_rig(devices=({"id": "bat1", "face": "storage_7xx", "personality": "franklinwh"},))
    face = rig.units["bat1"].face
    assert rig.endpoint_of("bat1").units[1].face.bank.base == 1
    image = face.bank.image(704)
    at = face.bank.start[id(image)] + image.slots["WSetMod"].at
    face.write(at, bytes.fromhex("0001 00000bb8 00000000 0000 0000 0000 00000005".replace(" ", "")))
    face.write(at - 1, b"\x00\x01")
    passed(rig, 20.0)
    assert face.reverted == 0
    assert face.command().p_target_w == 3000.0


@pytest.mark.parametrize(("face", "model"), [("pv_1xx", 101), ("pv_7xx", 701)])
async def test_a_single_phase_inverter_may_show_its_voltage_between_the_lines_alone(
    make_rig: MakeRig, face: str, model: int
) -> None:
    given = ({"id": "pv1", "face": face, "habits": {"voltage": "lines"}},)
    device = await scan(await make_rig(devices=given, plant={"phases": 1}), "pv1")
    shown = device.models[model][0].points
    volts = shown["PPVphAB" if model == 101 else "LLV"].cvalue
    phases = ("PhVphA", "PhVphB", "PhVphC") if model == 101 else ("LNV", "VL1", "VL2", "VL3")
    assert volts == pytest.approx(230.0, rel=0.05)
    assert {shown[name].cvalue for name in phases} == {None}
    device.close()


SUNNY_BOY = {
    "id": "pv1", "face": "captured", "unit": 126, "rating": {"p_max_w": 3680, "s_max_va": 3680},
    "options": {"recording": "sma_sunnyboy_3_6_nb"},
}  # fmt: skip
needs_recordings = pytest.mark.skipif(directory() is None, reason="NOT TESTED: no recordings; set DERCTL_DUMPS")


@needs_recordings
async def test_a_recorded_inverter_serves_its_own_map_with_the_plant_behind_its_ac_points(make_rig: MakeRig) -> None:
    rig = await make_rig(devices=(SUNNY_BOY,), plant={"phases": 1})
    device = await scan(rig, "pv1")
    assert device.models[1][0].Md.value == "SB3.6-1AV-41"
    assert {key for key in device.models if isinstance(key, int)} >= {1, 11, 12, 101, 120, 121, 123, 126, 160, 130}
    ac = device.models[101][0]
    assert ac.W.cvalue == pytest.approx(rig.world.state.ders["pv1"].inverter.p_w, abs=10.0)
    assert (ac.PhVphB.cvalue, ac.DCW.cvalue) == (None, None), "its own holes stay"
    assert device.models[121][0].WMax.cvalue == 3680
    device.close()


@needs_recordings
async def test_what_is_written_to_a_recorded_inverter_acts_and_reads_back_as_it_was_recorded(
    make_rig: MakeRig,
) -> None:
    rig = await make_rig(devices=(SUNNY_BOY,), plant={"phases": 1})
    device = await scan(rig, "pv1")
    control = device.models[123][0]
    assert (control.WMaxLimPct.cvalue, control.WMaxLim_Ena.value) == (0.0, 1)
    assert rig.world.state.ders["pv1"].inverter.p_w > 3000.0, "whatever it reads"
    await write(device, 123, WMaxLimPct=40.0, WMaxLim_Ena=1)
    passed(rig, 8.0)
    assert rig.world.state.ders["pv1"].inverter.p_w == pytest.approx(0.4 * 3680, rel=1e-2)
    await asyncio.to_thread(control.read)
    assert control.WMaxLimPct.cvalue == 0.0
    assert rig.units["pv1"].face.timers["ceiling"].remaining_s is None
    device.close()
