"""Hybrids and packs with their makers' registers: read by struct, told what to do, and seen in the plant."""

import struct
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from hil.plant.battery import BatteryInputs
from hil.recordings import directory
from hil.rig import Rig
from hil.scenario import ScenarioError
from tests.hil.registers import INVERTER, PACK, Client, device, passed, plant, recorded, words

MakeRig = Callable[..., Awaitable[Rig]]
needs_dumps = pytest.mark.skipif(directory() is None, reason="NOT TESTED: no recordings; set DERCTL_DUMPS")
TALL = {"cells": 128, "capacity_wh": 10_000, "soc_pct": 60}
SUN = {"sun": {"points": [[0, 0.5]]}}


def hybrid(name: str) -> dict[str, Any]:
    """10 kW, 6 kW of sun behind it at half irradiance, a pack of 418 V that takes and gives 20 A."""
    return device("h", name, rating={"p_max_w": 10_000, "sun_w": 12_000}, battery=TALL)


async def one(make_rig: MakeRig, name: str) -> tuple[Rig, Client]:
    rig = await make_rig(devices=(hybrid(name),), plant=plant(**SUN))
    passed(rig, 8.0)
    return rig, await Client.to(rig, "h")


def battery_w(rig: Rig) -> float:
    """DC, + discharge."""
    battery = rig.world.state.ders["h"].battery
    assert battery is not None
    return battery.dc_p_w


def ac_w(rig: Rig) -> float:
    return rig.world.state.ders["h"].inverter.p_w


# -- Huawei


async def test_huawei_tells_sun_battery_terminals_and_meter(make_rig: MakeRig) -> None:
    rig, client = await one(make_rig, "huawei_sun2000")
    assert (await client.read(3, 30000, 15)).rstrip(b"\0") == b"SUN2000-6KTL-M1"
    assert await client.number(3, 30073, ">I") == 10_000
    assert await client.number(3, 32064, ">i") == pytest.approx(6000, abs=5)
    assert await client.number(3, 32080, ">i") == pytest.approx(ac_w(rig), abs=2)
    assert await client.number(3, 32069, ">H") == pytest.approx(2300, abs=40)
    assert await client.number(3, 32085, ">H") == 5000
    assert await client.number(3, 37760, ">H") == pytest.approx(600, abs=5)
    assert await client.number(3, 37765, ">i") == pytest.approx(-battery_w(rig), abs=3), "+ is charging"
    assert battery_w(rig) < -3000.0, "what the house leaves is charged"
    assert await client.number(3, 37113, ">i") == pytest.approx(rig.world.state.poc.p_w, abs=3), "+ is export"
    assert await client.number(3, 37046, ">I") == pytest.approx(20.0 * 418.0, rel=0.02)
    client.close()


async def test_huawei_charges_by_force_once_47100_is_written_and_until_its_minutes_are_over(
    make_rig: MakeRig,
) -> None:
    rig, client = await one(make_rig, "huawei_sun2000")
    assert await client.write(47249, 0, 2500) == 0
    assert await client.write_one(47083, 1) == 0
    assert await client.write_one(47246, 0) == 0
    passed(rig, 5.0)
    assert battery_w(rig) < 0.0, "parameters alone do nothing"
    assert await client.write_one(47100, 2) == 0
    passed(rig, 10.0)
    assert battery_w(rig) == pytest.approx(2500.0, rel=0.03)
    assert await client.write(47249, 0, 1000) == 0
    passed(rig, 10.0)
    assert battery_w(rig) == pytest.approx(2500.0, rel=0.03), "nor do other ones, until it is written again"
    passed(rig, 45.0)
    assert await client.number(3, 47100, ">H") == 0, "its period is over"
    assert rig.units["h"].face.reverted == 1
    assert battery_w(rig) < 0.0
    client.close()


async def test_huawei_keeps_its_limits_of_terminals_feed_in_and_charge(make_rig: MakeRig) -> None:
    rig, client = await one(make_rig, "huawei_sun2000")
    assert await client.write(47075, 0, 1000) == 0
    passed(rig, 10.0)
    assert battery_w(rig) == pytest.approx(-1000.0, rel=0.03)
    assert rig.world.state.poc.p_w > 3000.0
    assert await client.write(47416, 0, 500) == 0
    assert await client.write_one(47415, 6) == 0
    passed(rig, 15.0)
    assert rig.world.state.poc.p_w == pytest.approx(500.0, abs=40.0)
    assert await client.write_one(47415, 0) == 0
    assert await client.write_one(40125, 300) == 0
    passed(rig, 10.0)
    assert ac_w(rig) == pytest.approx(3000.0, abs=20.0)
    assert await client.write_one(40125, 1010) == 3, "more than 100 %"
    client.close()


async def test_huawei_refuses_a_read_with_one_foreign_register_as_a_whole(make_rig: MakeRig) -> None:
    _, client = await one(make_rig, "huawei_sun2000")
    assert await client.refused(3, 32080, 2) == 0
    assert await client.refused(3, 32089, 6) == 2
    assert await client.refused(4, 32080, 2) == 1
    client.close()


async def test_huawei_is_deaf_after_the_connect_busy_and_slow_by_its_own_habits(make_rig: MakeRig) -> None:
    own = {"id": "h", "face": "registers", "personality": "huawei_sun2000"}
    delivered = (await make_rig(devices=(own,), plant=plant())).units["h"].face.habits
    assert (delivered.connect_delay_s, delivered.max_clients, delivered.min_interval_s) == (1.0, 1, 0.05)
    assert delivered.busy_p > 0.0
    rig = await make_rig(
        devices=({**own, "habits": {"connect_delay_s": 0.0, "busy_p": 1.0, "latency_s": [0.0, 0.0]}},), plant=plant()
    )
    client = await Client.to(rig, "h")
    assert await client.refused(3, 32080, 2) == 6
    client.close()
    deaf = device("h", "huawei_sun2000", habits={"connect_delay_s": 1e6})
    rig = await make_rig(devices=(deaf,), plant=plant())
    client = await Client.to(rig, "h")
    client.writer.write(struct.pack(">HHHBBHH", 77, 0, 6, 1, 3, 32080, 2))
    endpoint, unit = rig.endpoint_of("h"), rig.units["h"]
    while not any(each.last_s > each.began_s for each in endpoint.open):
        await client.turn()
    unit.face.habits = replace(unit.face.habits, connect_delay_s=0.0)
    assert await client.refused(3, 32080, 2) == 0
    assert unit.count.requests == 1, "what came too soon is lost"
    client.close()


@needs_dumps
@pytest.mark.parametrize("name", ["huawei_luna2000_storage_issue1314", "huawei_sun2000_6ktl_l1_id_issue940"])
async def test_huawei_serves_what_the_recorded_ones_served(make_rig: MakeRig, name: str) -> None:
    _, client = await one(make_rig, "huawei_sun2000")
    real = recorded(name)
    assert await client.refused(3, min(real), len(real)) == 0
    if 37760 in real:
        assert words(real, 37760, ">H") == 790
        assert words(real, 37765, ">i") == 3334
        assert words(real, 37763, ">H") * words(real, 37764, ">h") / 100.0 == pytest.approx(3334, rel=0.05)
        power = await client.number(3, 37765, ">i")
        volts, amps = await client.number(3, 37763, ">H"), await client.number(3, 37764, ">h")
        assert volts * amps / 100.0 == pytest.approx(power, rel=0.05), "with the same signs"
    client.close()


# -- Sungrow


async def test_sungrow_measures_in_input_registers_low_word_first(make_rig: MakeRig) -> None:
    rig, client = await one(make_rig, "sungrow_sh")
    assert await client.number(4, 4999, ">H") == 3602
    assert await client.number(4, 5000, ">H") == 100
    assert await client.swapped(4, 5016, ">I") == pytest.approx(6000, abs=5)
    assert await client.number(4, 5035, ">H") == 500
    assert await client.swapped(4, 13009, ">i") == pytest.approx(rig.world.state.poc.p_w, abs=3)
    assert await client.swapped(4, 13033, ">i") == pytest.approx(ac_w(rig), abs=2)
    assert await client.number(4, 13021, ">H") == pytest.approx(-battery_w(rig), abs=3), "without a sign"
    assert int(await client.number(4, 13000, ">H")) & 0b110 == 0b010, "charging"
    assert await client.number(4, 13022, ">H") == pytest.approx(600, abs=5)
    assert await client.number(4, 5634, ">H") == 20
    client.close()


async def test_sungrow_is_told_by_mode_power_and_command(make_rig: MakeRig) -> None:
    rig, client = await one(make_rig, "sungrow_sh")
    assert await client.write_one(13050, 0xBB) == 0
    assert await client.write_one(13051, 2000) == 0
    passed(rig, 5.0)
    assert battery_w(rig) < 0.0, "not while it is not in forced mode"
    assert await client.write_one(13049, 2) == 0
    passed(rig, 10.0)
    assert battery_w(rig) == pytest.approx(2000.0, rel=0.03)
    assert int(await client.number(4, 13000, ">H")) & 0b110 == 0b100
    assert await client.write_one(13050, 0xAA) == 0
    passed(rig, 10.0)
    assert battery_w(rig) == pytest.approx(-2000.0, rel=0.03)
    assert await client.write_one(33046, 0) == 4, "out of range is its exception 4"
    client.close()


async def test_sungrow_takes_its_export_limit_in_tens_of_what_it_shows(make_rig: MakeRig) -> None:
    rig, client = await one(make_rig, "sungrow_sh")
    assert await client.write_one(33046, 100) == 0
    assert await client.write_one(13073, 70) == 0
    assert await client.number(3, 13073, ">H") == 700
    assert await client.write_one(13086, 0xAA) == 0
    passed(rig, 15.0)
    assert battery_w(rig) == pytest.approx(-1000.0, rel=0.03)
    assert rig.world.state.poc.p_w == pytest.approx(700.0, abs=40.0)
    client.close()


@needs_dumps
@pytest.mark.parametrize(("function", "name"), [(4, "read"), (3, "hold")])
async def test_sungrow_serves_what_the_recorded_one_served(make_rig: MakeRig, function: int, name: str) -> None:
    _, client = await one(make_rig, "sungrow_sh")
    real = {at - 1: word for at, word in recorded(f"sungrow_dump_master_{name}").items()}
    assert [at for at in real if await client.refused(function, at, 1)] == []
    if function == 4:
        assert words(real, 4999, ">H") == await client.number(4, 4999, ">H")
        for at, low, high in ((5018, 2070, 2530), (5035, 490, 510), (13023, 900, 1000)):
            assert low < words(real, at, ">H") <= high
            assert low < await client.number(4, at, ">H") <= high
        assert words(real, 13009, ">i", low_first=True) == -402
        assert words(real, 5600, ">i", low_first=True) == 398, "the meter's own sign is opposite"
    client.close()


# -- GoodWe


async def test_goodwe_tells_the_battery_with_plus_for_discharge(make_rig: MakeRig) -> None:
    rig, client = await one(make_rig, "goodwe_et")
    assert client.unit == 247
    assert await client.number(3, 35182, ">i") == pytest.approx(battery_w(rig), abs=3)
    assert await client.number(3, 35184, ">H") == 3, "charging"
    assert await client.number(3, 35121, ">H") == pytest.approx(2300, abs=40)
    assert await client.number(3, 35123, ">H") == 5000
    assert await client.number(3, 36025, ">i") == pytest.approx(rig.world.state.poc.p_w, abs=3)
    assert await client.number(3, 37007, ">H") == 60
    assert await client.number(3, 37004, ">H") == 20
    block = await client.read(3, 35100, 125)
    assert struct.unpack_from(">h", block, 162)[0] == pytest.approx(10.0 * battery_w(rig) / 418.0, abs=3)
    client.close()


@pytest.mark.parametrize(
    ("mode", "watts", "battery", "terminals", "poc"),
    [
        (11, 1500, -1500.0, None, None),
        (12, 1500, 1500.0, None, None),
        (8, 0, 0.0, None, None),
        (4, 1000, None, -1000.0, None),
        (5, 3000, None, 3000.0, None),
        (9, 800, None, None, -800.0),
        (10, 2000, None, None, 2000.0),
    ],
)
async def test_goodwe_does_what_its_modes_say(
    make_rig: MakeRig, mode: int, watts: int, battery: float | None, terminals: float | None, poc: float | None
) -> None:
    rig, client = await one(make_rig, "goodwe_et")
    assert await client.write(47511, mode, watts) == 0
    passed(rig, 15.0)
    seen = (battery_w(rig), ac_w(rig), rig.world.state.poc.p_w)
    for value, wanted in zip(seen, (battery, terminals, poc), strict=True):
        assert wanted is None or value == pytest.approx(wanted, abs=60.0)
    client.close()


@needs_dumps
async def test_goodwe_serves_what_the_recorded_one_served(make_rig: MakeRig) -> None:
    _, client = await one(make_rig, "goodwe_et")
    real = recorded("goodwe_gw10k_et")
    for first, count in ((35000, 33), (35100, 125), (36000, 45), (37000, 24)):
        assert {first, first + count - 1} <= set(real)
        assert await client.refused(3, first, count) == 0
    own: Any = {at: int(await client.number(3, at, ">H")) for at in (35180, 35181, 35182, 35183, 35184, 37007, 37008)}
    for image in (real, own):
        volts, amps, watts = (words(image, at, form) for at, form in ((35180, ">H"), (35181, ">h"), (35182, ">i")))
        assert volts * amps / 100.0 == pytest.approx(watts, rel=0.05)
        assert watts < 0.0
        assert image[35184] == 3, "charging is negative"
        assert 0 < image[37007] <= 100
        assert 90 < image[37008] <= 100
    client.close()


# -- Seplos


async def test_a_seplos_pack_tells_what_the_plant_has_and_limits_that_move(make_rig: MakeRig) -> None:
    pack, system = (device(n, n, der="bat1") for n in ("seplos_v3", "seplos_v3_system"))
    rig = await make_rig(devices=(INVERTER, pack, system), plant=plant())
    client, whole = [await Client.to(rig, n) for n in ("seplos_v3", "seplos_v3_system")]
    assert (client.unit, whole.unit) == (1, 0)
    battery = rig.world.state.ders["bat1"].battery
    assert battery is not None
    assert await client.number(4, 0x1000, ">H") == pytest.approx(battery.v_v * 100.0, abs=1)
    assert await client.number(4, 0x1005, ">H") == 470
    assert await client.number(4, 0x1009, ">H") == 2981, "tenths of a kelvin"
    assert await client.number(4, 0x100F, ">H") == 120
    assert await client.number(4, 0x1010, ">H") == 100
    assert await whole.swapped(4, 0x2000, ">I") == pytest.approx(battery.v_v * 100.0, abs=1)
    assert await whole.swapped(4, 0x2012, ">I") == 1000
    rig.world.forced["bat1"].battery = BatteryInputs(charge_limit_a=7.0)
    passed(rig, 1.0)
    assert await client.number(4, 0x1010, ">H") == 7
    assert await client.refused(3, 0x1000, 1) == 1
    assert await client.write(0x1010, 50) == 1
    client.close()
    whole.close()


@needs_dumps
async def test_seplos_serves_what_the_recorded_one_served(make_rig: MakeRig) -> None:
    pack, system = (device(n, n, der="bat1") for n in ("seplos_v3", "seplos_v3_system"))
    rig = await make_rig(devices=(INVERTER, pack, system), plant=plant())
    for name, file in (
        ("seplos_v3", "seplos_v3_pack1_aiobmsble"),
        ("seplos_v3_system", "seplos_v3_system_aiobmsble"),
    ):
        client, real = await Client.to(rig, name), recorded(file)
        assert [at for at in real if await client.refused(4, at, 1)] == []
        client.close()
    real = recorded("seplos_v3_pack1_aiobmsble")
    client = await Client.to(rig, "seplos_v3")
    own: Any = {at: int(await client.number(4, at, ">H")) for at in real}
    for image in (real, own):
        cells = [image[0x1100 + i] for i in range(16)]
        assert sum(cells) / 10.0 == pytest.approx(image[0x1000], abs=3)
        assert max(cells) == image[0x100A]
        assert image[0x1002] / image[0x1003] == pytest.approx(image[0x1005] / 1000.0, abs=0.002)
        assert 2731 < image[0x1009] < 3231
        assert 0 < image[0x1010] < 400
    client.close()


# -- Victron


def gx() -> tuple[dict[str, Any], ...]:
    """A MultiPlus of 4 kW in a GX with its four units."""
    vebus = device("vebus", "victron_vebus", endpoint="gx", rating={"p_max_w": 4000}, battery=PACK)
    others = (device(n, f"victron_{n}", endpoint="gx", der="vebus") for n in ("system", "battery"))
    return (vebus, *others, device("grid", "victron_grid", endpoint="gx"))


async def test_victron_has_a_unit_for_each_service_and_exception_10_for_none(make_rig: MakeRig) -> None:
    rig = await make_rig(devices=gx(), plant=plant())
    passed(rig, 10.0)
    client = await Client.to(rig, "vebus")
    assert {name: unit.unit_id for name, unit in rig.units.items()} == {
        "vebus": 227,
        "system": 100,
        "battery": 225,
        "grid": 30,
    }
    client.unit = 100
    poc_w = rig.world.state.poc.p_w
    phases = struct.unpack(">3h", await client.read(3, 820, 3))
    assert sum(phases) == pytest.approx(-poc_w, abs=3), "+ is import"
    assert poc_w == pytest.approx(-50.0, abs=10.0), "it keeps the 50 W that it is delivered with"
    watts = await client.number(3, 842, ">h")
    assert watts == pytest.approx(-1150.0 / 0.96, rel=0.03), "+ is charge"
    assert await client.number(3, 844, ">H") == 2
    client.unit = 225
    assert await client.number(3, 256, ">i") == pytest.approx(watts, abs=3)
    assert [await client.number(3, at, ">H") for at in (307, 308)] == [1000, 1200]
    assert await client.number(3, 305, ">H") == 584
    assert await client.number(4, 266, ">H") == pytest.approx(470, abs=2)
    client.unit = 30
    assert await client.number(3, 2616, ">H") == pytest.approx(2300, abs=20)
    client.unit = 31
    assert await client.refused(3, 2616, 1) == 10
    client.unit = 30
    assert await client.refused(3, 2610, 1) == 2
    client.close()


async def test_victron_lets_go_of_a_set_point_in_ram_that_nobody_repeats(make_rig: MakeRig) -> None:
    rig = await make_rig(devices=gx(), plant=plant())
    client = await Client.to(rig, "system")
    assert await client.write(2716, 0, 600) == 0
    passed(rig, 15.0)
    assert rig.world.state.poc.p_w == pytest.approx(-600.0, abs=20.0)
    passed(rig, 60.0)
    assert rig.world.state.poc.p_w == pytest.approx(-50.0, abs=20.0)
    client.close()


async def test_victron_in_mode_3_does_what_each_phase_is_told_for_a_minute(make_rig: MakeRig) -> None:
    rig = await make_rig(devices=gx(), plant=plant())
    client = await Client.to(rig, "vebus")
    assert await client.write_one(37, -1500) == 0
    passed(rig, 5.0)
    assert rig.world.state.ders["vebus"].inverter.p_w == pytest.approx(1150.0, abs=40.0), "not in mode 2"
    client.unit = 100
    assert await client.write_one(2902, 3) == 0
    passed(rig, 5.0)
    assert rig.world.state.ders["vebus"].inverter.p_w == pytest.approx(1500.0, abs=20.0)
    client.unit = 227
    assert await client.write_one(37, 900) == 0
    passed(rig, 5.0)
    assert rig.world.state.ders["vebus"].inverter.p_w == pytest.approx(-900.0, abs=20.0)
    assert await client.write_one(38, 1) == 0
    passed(rig, 3.0)
    assert rig.world.state.ders["vebus"].inverter.p_w == pytest.approx(0.0, abs=20.0), "no charge"
    passed(rig, 60.0)
    assert await client.number(3, 37, ">h") == 0
    client.close()


async def test_victron_charges_with_no_more_than_dvcc_allows(make_rig: MakeRig) -> None:
    rig = await make_rig(devices=gx(), plant=plant())
    client = await Client.to(rig, "system")
    assert await client.write_one(2705, 20) == 0
    passed(rig, 1.0)
    client.unit = 225
    assert await client.number(3, 307, ">H") == 200
    client.close()


async def test_a_gx_whose_inverter_is_not_there_is_refused(make_rig: MakeRig) -> None:
    with pytest.raises(ScenarioError, match="stand before it"):
        await make_rig(devices=(device("system", "victron_system"),), plant=plant())


# -- SolarEdge


async def test_solaredge_limits_its_terminals_until_nobody_repeats_it_and_then_by_its_own_limit(
    make_rig: MakeRig,
) -> None:
    """32-bit numbers with their low word first; enable, timeout, what it falls to, and the limit."""
    rig, client = await one(make_rig, "solaredge_storedge")
    assert struct.unpack(">HH", await client.read(3, 62212, 2)) == (0x4000, 0x461C), "10000.0"
    assert await client.write(62242, 0, 0x40A0) == 0
    passed(rig, 8.0)
    assert ac_w(rig) > 1100.0, "it feeds its house: a limit of 5 % that is not enabled does nothing"
    for address, told in ((62208, (1,)), (62224, (20, 0)), (62226, (0, 0x40A0)), (62242, (0, 0x4120))):
        assert await client.write(address, *told) == 0
    passed(rig, 8.0)
    assert 900.0 < ac_w(rig) <= 1010.0, "10 % of 10 kW"
    passed(rig, 20.0)
    assert ac_w(rig) <= 510.0, "its timeout is over: 5 %"
    assert await client.write(62242, 0, 0x4120) == 0
    passed(rig, 8.0)
    assert 900.0 < ac_w(rig) <= 1010.0
    client.close()
