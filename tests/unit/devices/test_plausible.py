"""The last gate behind every driver: what can't be true, who is asleep, and who measures nothing."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from derctl.core.pack import Pack
from derctl.core.types import Rating, Reading
from derctl.core.words import Status
from derctl.devices.plausible import NUMBERS, plausible, unmeasured
from derctl.devices.sunspec.bms import bind_bms
from derctl.devices.sunspec.der import bind_pv
from derctl.devices.sunspec.meter import bind_meter
from tests import make
from tests.fake import bound, from_dump, lay_out

PV = make.rating(p_max_w=5000.0)
NONE = Rating(p_max_w=0.0, p_min_w=0.0, s_max_va=0.0, q_inj_max_var=0.0, q_abs_max_var=0.0, v_nom_v=230.0)
WELL = Reading(
    p_w=1000.0, q_var=50.0, v_v=230.0, f_hz=50.0, soc_pct=50.0, soh_pct=99.0, dc_p_w=1050.0, p_charge_limit_w=4000.0,
    p_discharge_limit_w=4000.0, energy_wh=1e6, energy_in_wh=2e6, phase_sum_w=1000.0, status=Status.ON,
)  # fmt: skip


@pytest.mark.parametrize("rating", [PV, NONE])
def test_what_can_be_true_passes_as_it_is(rating: Rating) -> None:
    assert plausible(WELL, rating) is WELL


def test_every_number_of_a_reading_is_looked_at() -> None:
    assert set(NUMBERS) == {name for name, value in vars_of(WELL).items() if isinstance(value, float)}


def with_(**given: Any) -> Reading:
    return replace(WELL, **given)


def vars_of(reading: Reading) -> dict[str, Any]:
    return {name: getattr(reading, name) for name in Reading.__dataclass_fields__}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("rating", [PV, NONE])
def test_what_is_no_number_stops_here_whoever_says_it(rating: Rating, name: str, value: float) -> None:
    assert plausible(with_(**{name: value}), rating) == with_(**{name: None})


@pytest.mark.parametrize(
    ("name", "value"),
    [("p_w", 1e12), ("p_w", -1e12), ("p_w", 3.2767e9), ("q_var", 1e12), ("dc_p_w", 1e12), ("p_charge_limit_w", 1e12),
     ("p_discharge_limit_w", 1e12), ("energy_wh", 1e18), ("energy_wh", -1.0), ("soc_pct", 655.34), ("soc_pct", -0.1),
     ("f_hz", 6e4), ("v_v", 1e6)],
)  # fmt: skip
def test_a_meter_or_a_battery_shows_nothing_beyond_any_plant(name: str, value: float) -> None:
    assert plausible(with_(**{name: value}), NONE) == with_(**{name: None})


@pytest.mark.parametrize("p_w", [40e6, -40e6, 6001.0])
def test_a_meter_of_a_large_plant_is_believed_and_an_inverter_by_its_rating(p_w: float) -> None:
    assert plausible(replace(WELL, p_w=p_w), NONE).p_w == p_w
    assert plausible(replace(WELL, p_w=p_w), PV).p_w is None


@pytest.mark.parametrize("sf", [7, 10])
def test_a_meter_whose_scale_factor_is_torn_measures_nothing(sf: int) -> None:
    fake = lay_out("meter_203")
    device = bound(fake, bind_meter)
    fake.put(203, W_SF=sf, W=32000 * 10**sf)
    reading = fake.reading(device)
    assert reading.p_w is None and unmeasured(reading, device.rating)


@pytest.mark.parametrize("given", [{"v_v": 0.0}, {"f_hz": 0.0}, {"p_w": None}, {"p_w": 1e12}])
def test_a_meter_without_a_power_has_none_of_its_phases_either(given: Any) -> None:
    seen = plausible(replace(WELL, p_phase_w=(400.0, 300.0, 300.0), **given), NONE)
    assert (seen.p_w, seen.p_phase_w) == (None, None)


ALL = ("p_w", "v_v", "f_hz")


@pytest.mark.parametrize("status", [Status.UNKNOWN, Status.OFF, Status.ASLEEP, Status.STANDBY])
@pytest.mark.parametrize("zeros", [(), ("p_w",), ("v_v", "f_hz"), ALL])
def test_an_inverter_that_shows_no_sign_of_life_is_asleep_and_gives_nothing(status: Status, zeros: Any) -> None:
    zero: dict[str, Any] = dict.fromkeys(zeros, 0.0)
    seen = Reading(status=status, **zero)
    assert plausible(seen, PV) == Reading(p_w=0.0, q_var=0.0, status=Status.ASLEEP)


@pytest.mark.parametrize("status", [Status.ON, Status.THROTTLED, Status.STARTING, Status.FAULT])
def test_one_that_says_it_is_at_work_and_shows_nothing_may_give_anything(status: Status) -> None:
    """Its power is not known, and not 0 (WillCodeForCats/solaredge-modbus-multi#1007)."""
    found = plausible(Reading(status=status), PV)
    assert found == Reading(status=status if status is Status.FAULT else Status.ASLEEP)
    assert unmeasured(found, PV)


@pytest.mark.parametrize(
    "sign", [{"p_w": 30.0}, {"v_v": 230.0}, {"f_hz": 50.0}, {"dc_p_w": 500.0}, {"p_w": float("nan")}, {"p_w": 1e12}]
)
def test_any_sign_of_life_keeps_it_awake(sign: Any) -> None:
    found = plausible(Reading(status=Status.UNKNOWN, **sign), PV)
    assert found.status is Status.UNKNOWN and found.p_w != 0.0


def test_an_inverter_that_gives_power_at_zero_volts_has_lost_its_voltage_and_is_awake() -> None:
    found = plausible(replace(WELL, v_v=0.0, p_w=3000.0), PV)
    assert (found.status, found.p_w, found.v_v, found.f_hz) == (Status.ON, 3000.0, None, None)


@pytest.mark.parametrize("volts", [4.4, 69.0, 114.0])
@pytest.mark.parametrize(
    ("status", "seen"), [(Status.ON, Status.ASLEEP), (Status.OFF, Status.ASLEEP), (Status.FAULT, Status.FAULT)]
)
def test_of_a_grid_that_is_not_there_nobody_measures_a_frequency(volts: float, status: Status, seen: Status) -> None:
    """Toledo, 28 April 2025, 12:33:24: 0.019 pu, and the meter went on with 47 Hz, 43 Hz, 40 Hz."""
    found = plausible(replace(WELL, v_v=volts, f_hz=47.4, p_w=0.0, status=status), PV)
    assert (found.status, found.p_w, found.v_v, found.f_hz) == (seen, 0.0, None, None)
    gives = plausible(replace(WELL, v_v=volts, p_w=3000.0), PV)
    assert (gives.status, gives.v_v, gives.f_hz) == (Status.ON, None, 50.0), "a voltage that is read wrong"


def test_megawatts_at_zero_volts_are_no_zero_watts() -> None:
    assert plausible(Reading(p_w=3e6, v_v=0.0, f_hz=0.0), PV).p_w is None


def test_a_gate_that_was_passed_is_passed_again() -> None:
    for seen in (WELL, Reading(), Reading(p_w=0.0, v_v=0.0, f_hz=0.0), replace(WELL, p_w=1e12)):
        assert plausible(plausible(seen, PV), PV) == plausible(seen, PV)


@pytest.mark.parametrize("name", ["sma_solar_inverter", "sma_sunnyboy", "fronius_symo", "kaco_blueplanet_86tl3"])
def test_a_recorded_inverter_whose_ac_points_vanish_is_asleep(name: str) -> None:
    """SMA at night: not implemented; KACO: zeros (test_devices)."""
    fake = from_dump(name)
    device = bound(fake, bind_pv)
    ac = device.ac.block
    model = fake.decoded(ac.model_id)
    fake.put(ac.model_id, **{point: None for point in model.points if point not in {"ID", "L"}})
    reading = fake.reading(device)
    assert (reading.status, reading.p_w, reading.v_v, reading.f_hz) == (Status.ASLEEP, 0.0, None, None)


@pytest.mark.parametrize(
    ("seen", "rating", "nothing"),
    [
        (Reading(p_w=0.0), NONE, False), (Reading(v_v=230.0, f_hz=50.0, energy_wh=5.0), NONE, True),
        (Reading(soc_pct=50.0), NONE, False), (Reading(p_charge_limit_w=0.0), NONE, False),
        (Reading(dc_p_w=5.0), NONE, False),
        (Reading(v_v=230.0), PV, True), (Reading(p_w=0.0), PV, False), (Reading(soc_pct=50.0), PV, True),
    ],
)  # fmt: skip
def test_who_measures_nothing_of_what_it_is_there_for(seen: Reading, rating: Rating, nothing: bool) -> None:
    assert unmeasured(seen, rating) == nothing


def test_a_battery_management_system_with_a_charge_that_no_battery_has_keeps_its_limits() -> None:
    fake = lay_out("bms")
    device = bound(fake, bind_bms)
    fake.put(802, SoC=655.3)
    reading = fake.reading(device)
    assert reading.soc_pct is None and reading.p_charge_limit_w == pytest.approx(4012.0)


@pytest.mark.parametrize(
    ("volts", "live"),
    [
        ((231.0, 229.0, 233.0), (231.0, 229.0, 233.0)),
        ((231.0, 3.0, 233.0), (231.0, None, 233.0)),
        ((231.0, None, 999.0), (231.0, None, None)),
        ((3.0, 0.0, None), None),
    ],
)
def test_a_phase_with_a_voltage_that_no_grid_has_is_none(volts: Any, live: Any) -> None:
    assert plausible(replace(WELL, v_phase_v=volts), NONE).v_phase_v == live


def test_where_there_is_no_grid_there_is_none_in_any_phase() -> None:
    assert plausible(replace(WELL, f_hz=0.0, v_phase_v=(231.0, 229.0, 233.0)), NONE).v_phase_v is None


@pytest.mark.parametrize(
    ("name", "absurd", "true"),
    [
        ("cell_min_v", 0.0, 2.1),
        ("cell_max_v", 65.535, 4.3),
        ("t_max_c", -273.1, -30.0),
        ("t_min_c", math.nan, 85.0),
        ("battery_v", math.inf, 1500.0),
        ("battery_a", -6e4, -300.0),
        ("charge_limit_a", -1.0, 0.0),
        ("discharge_limit_a", 6e4, 300.0),
        ("charge_limit_w", -1.0, 0.0),
        ("discharge_limit_w", 1e12, 5e4),
    ],
)
def test_what_no_battery_has_is_not_told_of_one(name: str, absurd: float, true: float) -> None:
    """A cell of 0 V would bar its battery for good."""
    for seen, kept in ((absurd, None), (true, true)):
        told: dict[str, Any] = {name: seen}
        left: dict[str, Any] = {name: kept}
        assert plausible(Reading(soc_pct=50.0, pack=Pack(**told)), NONE).pack == Pack(**left)
