"""The site file's nominals against what a device states and what it measures."""

from __future__ import annotations

from typing import Any

import pytest

from derctl.core.types import Reading
from derctl.core.words import Status
from derctl.devices.nominal import (
    Nominal,
    System,
    feeds_pu,
    fits,
    measured_problem,
    nominal_of,
    phase_problem,
    stated_problem,
)
from derctl.devices.sunspec.der import bind_pv, bind_storage
from derctl.devices.sunspec.meter import bind_meter
from tests.fake import bound, from_dump, lay_out

ONE, TWO, THREE = System.SINGLE, System.SPLIT, System.THREE


def on(v_v: float | None = None, f_hz: float | None = None, status: Status = Status.ON) -> Reading:
    return Reading(v_v=v_v, f_hz=f_hz, status=status)


@pytest.mark.parametrize(
    ("system", "stated_v", "v_nom_v"),
    [
        (ONE, 230, 230), (ONE, 240, 230), (ONE, 240, 240), (ONE, 208, 208), (ONE, 230, 240),
        (TWO, 240, 120), (TWO, 120, 120), (TWO, 230, 120),
        (THREE, 230, 230), (THREE, 400, 230), (THREE, 480, 277), (THREE, 208, 120), (THREE, 240, 230),
        (THREE, 800, 462),
        (None, 240, 120), (None, 400, 230), (None, 230, 230),
    ],
)  # fmt: skip
def test_a_nominal_to_neutral_or_between_the_lines_of_the_system_fits(
    system: Any, stated_v: Any, v_nom_v: Any
) -> None:
    assert stated_problem(Nominal(system=system, v_v=stated_v), v_nom_v, 50.0) is None


@pytest.mark.parametrize(
    ("system", "stated_v", "v_nom_v", "write"),
    [
        (ONE, 230, 400, "between the lines: write v_nom_v: 230"),
        (THREE, 230, 400, "between the lines: write v_nom_v: 230"),
        (THREE, 277, 480, "between the lines: write v_nom_v: 277"),
        (TWO, 120, 240, "two legs of a split phase: write v_nom_v: 120"),
        (ONE, 240, 120, "The device stands between the two legs of a split phase: write v_nom_v: 240"),
        (ONE, 208, 120, "The device stands between two lines: write v_nom_v: 208"),
        (ONE, 400, 230, "The device stands between two lines: write v_nom_v: 400"),
        (ONE, 230, 277, "Is it the right device?"),
        (ONE, 230, 207, "Is it the right device?"),
        (THREE, 254, 230, "Is it the right device?"),  # 254 V over the root of three is near 230 V over it
        (THREE, 206, 230, "Is it the right device?"),
        (ONE, 230, 23, None),
    ],
)  # fmt: skip
def test_another_nominal_is_named_with_both_numbers_and_the_likely_mistake(
    system: Any, stated_v: Any, v_nom_v: Any, write: str | None
) -> None:
    if stated_v == 230 and v_nom_v == 23:
        write = "Is it the right device?"
    text = stated_problem(Nominal(system=system, v_v=stated_v), v_nom_v, 50.0)
    assert text is not None and f"{stated_v} V" in text and f"v_nom_v: {v_nom_v}" in text and str(write) in text


@pytest.mark.parametrize(("v_v", "f_hz"), [(0.0, 0.0), (2300.0, 5000.0), (None, None), (float("nan"), float("inf"))])
def test_what_is_not_filled_in_or_not_scaled_states_nothing(v_v: float | None, f_hz: float | None) -> None:
    assert nominal_of(v_v, f_hz) == Nominal()
    assert stated_problem(nominal_of(v_v, f_hz), 230.0, 50.0) is None


@pytest.mark.parametrize(("stated_hz", "f_nom_hz", "wrong"), [(50, 60, True), (60, 50, True), (50, 50, False)])
def test_a_stated_frequency_is_compared_too(stated_hz: float, f_nom_hz: float, wrong: bool) -> None:
    text = stated_problem(Nominal(f_hz=stated_hz), 230.0, f_nom_hz)
    assert (text is not None) == wrong
    assert text is None or (f"{stated_hz} Hz" in text and f"f_nom_hz: {f_nom_hz}" in text)


@pytest.mark.parametrize(
    ("nominal", "measured_v", "v_nom_v"),
    [
        (Nominal(system=THREE), 230.0, 400.0),
        (Nominal(system=THREE), 241.0, 400.0),
        (Nominal(system=ONE), 230.0, 120.0),
        (Nominal(system=ONE), 118.0, 240.0),
        (Nominal(system=THREE, v_v=400.0), 230.0, 400.0),  # 400 as it stands, or between the lines: the meter decides
        (Nominal(system=THREE, v_v=230.0), 132.8, 230.0),  # three wires of 230 V (IEC 60038), or two of a 103
        (Nominal(system=TWO, v_v=240.0), 120.0, 240.0),
        (Nominal(v_v=480.0), 277.0, 480.0),
        (Nominal(), 2300.0, 230.0),
    ],
)  # fmt: skip
def test_a_measured_voltage_tells_of_a_wrong_nominal(nominal: Nominal, measured_v: float, v_nom_v: float) -> None:
    text = measured_problem(nominal, on(measured_v, 50.0), v_nom_v, 50.0)
    assert text is not None and f"{measured_v:.4g} V" in text and f"v_nom_v: {v_nom_v:g}" in text


@pytest.mark.parametrize(
    ("nominal", "measured_v"),
    [
        (Nominal(system=ONE, v_v=230.0), 126.0),  # the device's own word settles it: the grid is disturbed
        (Nominal(system=ONE, v_v=230.0), 133.0),
        (Nominal(system=THREE, v_v=400.0), 133.0),
        (Nominal(system=THREE), 184.0),  # 0.8
        (Nominal(system=THREE), 276.0),  # 1.2
        (Nominal(system=THREE), 92.0),  # 0.4: nothing is mistaken for that
        (Nominal(system=THREE), 0.0),
        (Nominal(system=THREE), None),
    ],
)  # fmt: skip
def test_a_disturbed_grid_is_no_wrong_nominal(nominal: Nominal, measured_v: float | None) -> None:
    assert measured_problem(nominal, on(measured_v, 50.0), 230.0, 50.0) is None


@pytest.mark.parametrize("status", [Status.OFF, Status.ASLEEP, Status.FAULT])
def test_who_is_not_on_the_grid_measures_nothing_of_it(status: Status) -> None:
    assert measured_problem(Nominal(), on(230.0, 50.0, status), 400.0, 60.0) is None


@pytest.mark.parametrize(
    ("f_hz", "f_nom_hz", "wrong"),
    [(50.0, 60.0, True), (49.0, 60.0, True), (51.5, 60.0, True), (60.0, 50.0, True), (47.5, 50.0, False),
     (52.0, 50.0, False), (57.0, 60.0, False), (0.0, 60.0, False), (None, 60.0, False), (75.0, 60.0, False)],
)  # fmt: skip
def test_a_measured_frequency_of_another_grid_is_noticed(f_hz: float | None, f_nom_hz: float, wrong: bool) -> None:
    text = measured_problem(Nominal(system=ONE, v_v=230.0), on(230.0, f_hz), 230.0, f_nom_hz)
    assert (text is not None) == wrong
    assert text is None or f"f_nom_hz: {f_nom_hz:g}" in text


@pytest.mark.parametrize(
    ("v_v", "f_hz", "right"),
    [(230.0, 50.0, True), (190.0, 50.0, True), (133.0, 50.0, False), (230.0, 60.0, False), (None, 50.0, False),
     (230.0, None, False)],
)  # fmt: skip
def test_what_was_once_measured_right_shows_that_the_nominals_are(v_v: Any, f_hz: Any, right: bool) -> None:
    assert fits(on(v_v, f_hz), 230.0, 50.0) == right


@pytest.mark.parametrize(
    ("points", "nominal"),
    [
        (
            {"m121": {"VRef": 230, "VRef_SF": 0, "ECPNomHz": 50, "ECPNomHz_SF": 0}},
            Nominal(system=THREE, v_v=230.0, f_hz=50.0),
        ),
        ({}, Nominal(system=THREE)),
        ({"m121": None}, Nominal(system=THREE)),
    ],
)  # fmt: skip
def test_the_older_models_state_it_in_121(points: Any, nominal: Nominal) -> None:
    assert bound(lay_out("pv_103", **points), bind_pv).nominal == nominal


@pytest.mark.parametrize(
    ("points", "volts"),
    [
        ({"VNom": 240, "VNomRtg": 230}, 240.0),
        ({"VNom": None, "VNomRtg": 230}, 230.0),
        ({"VNom": None, "VNomRtg": 0}, None),
    ],
)
def test_the_newer_models_state_it_in_702_the_setting_before_the_rating(points: Any, volts: float | None) -> None:
    fake = lay_out("pv_7xx")
    fake.put(702, **points)
    assert bound(fake, bind_pv).nominal.v_v == volts


@pytest.mark.parametrize(("ac_type", "system"), [(0, ONE), (1, TWO), (2, THREE), (None, None)])
def test_a_701_says_itself_how_it_is_connected(ac_type: int | None, system: System | None) -> None:
    fake = lay_out("pv_7xx")
    fake.put(701, ACType=ac_type)
    assert bound(fake, bind_pv).nominal.system is system


def test_a_701_that_refuses_to_be_read_is_found_all_the_same() -> None:
    fake = lay_out("pv_7xx")
    start = fake.places[701]
    fake.refuse = lambda op: 4 if op.address == start and getattr(op, "count", 0) > 2 else None
    assert bound(fake, bind_pv).nominal.system is None


def test_a_meter_states_no_nominal() -> None:
    assert bound(lay_out("meter_203"), bind_meter).nominal == Nominal()


RIGHT = {
    "fimer_pvs_3q58_nb": (462.0, 50), "fronius_ig_plus_v114_sn_101_01": (240.0, 60),
    "fronius_symo_3_0_float_sn_113_01": (230.0, 50), "kaco_blueplanet_86tl3_blueplanet_86tl3": (230.0, 50),
    "kaco_blueplanet_86tl3_blueplanet_86tl3_asleep": (230.0, 50), "outback_oghi8048a_1547_sn_der_01": (120.0, 60),
    "sma_solar_inverter_9338_sn_103_05": (230.0, 50), "sma_sunnyboy_3_6_nb_20230810": (230.0, 50),
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
def test_no_recorded_inverter_is_refused_under_the_right_site_file(name: str) -> None:
    v_nom_v, f_nom_hz = RIGHT[name]
    fake = from_dump(name)
    device = bound(fake, bind_storage if name.startswith("outback") else bind_pv, v_nom_v=v_nom_v)
    seen = device.decode(fake.poll(device))
    assert stated_problem(device.nominal, v_nom_v, f_nom_hz) is None
    assert measured_problem(device.nominal, seen, v_nom_v, f_nom_hz) is None


@pytest.mark.parametrize("name", [name for name in RIGHT if "asleep" not in name])
def test_every_recorded_inverter_is_refused_with_the_voltage_between_its_lines(name: str) -> None:
    v_nom_v, f_nom_hz = RIGHT[name]
    wrong_v = v_nom_v * (2.0 if name.startswith("outback") else 3.0**0.5)
    fake = from_dump(name)
    device = bound(fake, bind_storage if name.startswith("outback") else bind_pv, v_nom_v=wrong_v)
    seen = device.decode(fake.poll(device))
    stated = stated_problem(device.nominal, wrong_v, f_nom_hz)
    assert stated or measured_problem(device.nominal, seen, wrong_v, f_nom_hz)
    other = 110.0 - f_nom_hz
    assert stated_problem(device.nominal, v_nom_v, other) or measured_problem(device.nominal, seen, v_nom_v, other)


@pytest.mark.parametrize(
    ("declared", "system", "feeds"),
    [
        ("A", ONE, (1.0, 0.0, 0.0)),
        ("C", None, (0.0, 0.0, 1.0)),
        (None, ONE, None),
        (None, None, None),
        (None, TWO, (0.5, 0.5, 0.0)),
        (None, THREE, (1 / 3, 1 / 3, 1 / 3)),
        ("ABC", None, (1 / 3, 1 / 3, 1 / 3)),
    ],
)
def test_where_a_device_feeds_is_the_site_file_s_word_or_its_own_number_of_phases(
    declared: str | None, system: System | None, feeds: Any
) -> None:
    assert feeds_pu(declared, system) == feeds


@pytest.mark.parametrize(
    ("declared", "system", "says"),
    [
        ("A", THREE, "the device has three phases, the site file says phase: A. Write AB or ABC"),
        ("ABC", ONE, "the device has one phase, the site file says phase: ABC. Write A or B or C or AB"),
        ("ABC", TWO, "the device has a split phase, the site file says phase: ABC. Write A or B or C or AB"),
    ],
)
def test_another_number_of_phases_than_the_device_has_is_a_mismatch(declared: str, system: System, says: str) -> None:
    assert phase_problem(declared, system) == says


@pytest.mark.parametrize(("declared", "system"), [("A", ONE), ("AB", ONE), ("AB", TWO), ("A", None), (None, THREE)])
def test_what_may_be_is_no_mismatch(declared: str | None, system: System | None) -> None:
    assert phase_problem(declared, system) is None
