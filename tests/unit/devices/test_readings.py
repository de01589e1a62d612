"""Registers as pysunspec2 laid them out, read through the drivers: expected is what was laid out."""

from __future__ import annotations

import math
from typing import Any

import pytest

from derctl.core.types import Fallback, Setpoint
from derctl.core.words import Status
from derctl.devices import Identity, Options, Profile
from derctl.devices.sunspec.bms import bind_bms
from derctl.devices.sunspec.der import bind_pv, bind_storage
from derctl.devices.sunspec.meter import bind_meter
from derctl.errors import DecodeError, NotRecognised
from derctl.links.models import model
from tests.fake import bound, lay_out

INVERTERS = ("pv_101", "pv_103", "pv_111", "pv_113", "pv_7xx")
PHASES_103 = ("PhVphA", "PhVphB", "PhVphC", "PPVphAB", "PPVphBC", "PPVphCA")
METERS = ("meter_201", "meter_203", "meter_204", "meter_211", "meter_213")


@pytest.mark.parametrize("name", INVERTERS)
def test_an_inverter_reads_as_it_was_laid_out(name: str) -> None:
    fake = lay_out(name)
    reading = fake.reading(bound(fake, bind_pv))
    assert reading.p_w == pytest.approx(3120)
    assert reading.q_var == pytest.approx(-410)
    assert reading.f_hz == pytest.approx(50.02, abs=0.002)
    assert reading.v_v == pytest.approx(232.4)  # the mean of the three
    assert reading.energy_wh == pytest.approx(123456)
    assert reading.status is Status.ON
    assert reading.soc_pct is None


@pytest.mark.parametrize("name", INVERTERS)
def test_the_identity_is_the_common_models(name: str) -> None:
    identity = bound(lay_out(name), bind_pv).identity
    assert (identity.maker, identity.model) == ("Maker", "Model 5")
    assert (identity.firmware, identity.serial) == ("1.2.3", "SN-0001")


@pytest.mark.parametrize("base", [0, 1, 4096, 40000, 50000])
def test_a_device_is_found_at_every_base_seen_in_the_field(base: int) -> None:
    fake = lay_out("pv_103", base=base)
    assert fake.reading(bound(fake, bind_pv)).p_w == 3120


@pytest.mark.parametrize("name", ["pv_101", "pv_103", "pv_7xx", "meter_203"])
def test_a_scale_factor_that_changes_between_polls_changes_no_value(name: str) -> None:
    """Fronius, SolarEdge: scale factors move at run time (CJNE/ha-sunspec#14, evcc-io/evcc#2162)."""
    fake = lay_out(name)
    meter = name.startswith("meter")
    device = bound(fake, bind_meter if meter else bind_pv)
    ac = int(next(key for key in fake.places if key not in (1,)))
    q = "VAR" if meter else "Var" if ac == 701 else "VAr"
    mean = "LNV" if ac == 701 else "PhV" if meter else None
    volts = dict.fromkeys([mean] if mean else ["PhVphA", "PhVphB", "PhVphC"], 231)
    for w_sf, v_sf, hz_sf in ((0, 0, -1), (1, -1, -2), (2, -2, -2), (0, -1, -2)):
        fake.put(ac, W_SF=w_sf, V_SF=v_sf, Hz_SF=hz_sf, W=3100, Hz=50.1, **{f"{q}_SF": w_sf, q: -400}, **volts)
        reading = fake.reading(device)
        assert (reading.p_w, reading.q_var, reading.f_hz) == (3100, -400, 50.1)
        assert reading.v_v == 231


@pytest.mark.parametrize(
    ("name", "point", "words"),
    [
        ("pv_103", "St", {1: "off", 2: "asleep", 3: "starting", 4: "on", 5: "throttled", 7: "fault", 8: "standby"}),
        (
            "pv_7xx",
            "InvSt",
            {0: "off", 1: "asleep", 2: "starting", 3: "on", 4: "throttled", 6: "fault", 7: "standby"},
        ),
    ],
)
def test_the_operating_state_is_the_models_own_enumeration(name: str, point: str, words: Any) -> None:
    fake = lay_out(name)
    device = bound(fake, bind_pv)
    for raw, word in words.items():
        fake.put(701 if name == "pv_7xx" else 103, **{point: raw})
        assert fake.reading(device).status == word


def test_without_an_inverter_state_701_says_on_or_off_by_its_own_state() -> None:
    fake = lay_out("pv_7xx")
    device = bound(fake, bind_pv)
    fake.put(701, InvSt=None, St=1)
    assert fake.reading(device).status is Status.ON
    fake.put(701, InvSt=None, St=0)
    assert fake.reading(device).status is Status.OFF
    fake.put(701, InvSt=None, St=None)
    assert fake.reading(device).status is Status.UNKNOWN


@pytest.mark.parametrize("zero", ["volts", "hertz"])
@pytest.mark.parametrize("name", ["pv_101", "pv_103", "pv_7xx"])
def test_an_inverter_at_zero_volts_or_hertz_is_asleep_and_no_grid_fault(name: str, zero: str) -> None:
    """KACO fills its registers with zeros at night (PyPI kaco-modbus, BLUEPLANET_86TL3_ASLEEP)."""
    fake = lay_out(name)
    ac = 701 if name == "pv_7xx" else int(name[3:])
    device = bound(fake, bind_pv)
    lines = {"LNV": 0, "LLV": 0, "VL1": 0, "VL2": 0, "VL3": 0}
    phases = {f"PhVph{x}": 0 for x in "ABC"} | {f"PPVph{x}": 0 for x in ("AB", "BC", "CA")}
    fake.put(ac, W=0, **((lines if ac == 701 else phases) if zero == "volts" else {"Hz": 0}))
    reading = fake.reading(device)
    assert reading.status is Status.ASLEEP
    assert (reading.v_v, reading.f_hz) == (None, None)
    assert reading.p_w == 0


@pytest.mark.parametrize(
    ("points", "gone"),
    [
        ({"W": 6601}, {"p_w"}),  # above 1.2 x 5500 VA
        ({"W": -6700}, {"p_w"}),
        ({"VAr": 6700}, {"q_var"}),
        ({"Hz": 75.0}, {"f_hz"}),
        ({"Hz": 35.0}, {"f_hz"}),
        ({"PhVphA": 360, "PhVphB": 360, "PhVphC": 360}, {"v_v"}),  # 1.57 pu
        ({"PhVphA": 100, "PhVphB": 100, "PhVphC": 100}, {"v_v"}),  # 0.43 pu
        ({"W": 5900}, set()),
        ({"W": 0, "VAr": 0}, set()),
    ],
)
def test_what_cannot_be_true_is_dropped_and_the_rest_stays(points: Any, gone: Any) -> None:
    """docs/sources.md: |W| <= 1.2 x rating, a frequency of this planet, 0.5 to 1.5 of nominal."""
    fake = lay_out("pv_103")
    device = bound(fake, bind_pv)
    fake.put(103, **points)
    reading = fake.reading(device)
    assert {name for name in ("p_w", "q_var", "f_hz", "v_v") if getattr(reading, name) is None} == gone


@pytest.mark.parametrize("zero", [{"Hz": 0}, {f"{p}": 0 for p in PHASES_103}])
@pytest.mark.parametrize(
    ("points", "gone"),
    [({"W": 3_000_000}, {"p_w"}), ({"VAr": -3_000_000}, {"q_var"}), ({"W": 40}, set()), ({"W": -5}, set())],
)
def test_an_inverter_that_is_asleep_gives_no_megawatts_either(zero: Any, points: Any, gone: Any) -> None:
    fake = lay_out("pv_103")
    device = bound(fake, bind_pv)
    fake.put(103, W_SF=2, VAr_SF=2, W=0, VAr=0)
    fake.put(103, **({"W_SF": 0} if max(map(abs, points.values())) < 100 else {}), **zero, **points)
    reading = fake.reading(device)
    assert reading.status is Status.ASLEEP
    assert {name for name in ("p_w", "q_var") if getattr(reading, name) is None} == gone
    assert (reading.v_v, reading.f_hz) == (None, None)
    assert gone or reading.p_w == points["W"]


ZERO_METER: dict[str, dict[str, Any]] = {
    "volts": {"PhV": 0, "PhVphA": 0, "PhVphB": 0, "PhVphC": 0, "PPV": 0},
    "volts of the phases alone": {"PhV": None, "PhVphA": 0, "PhVphB": 0, "PhVphC": 0, "PPV": None},
    "hertz": {"Hz": 0},
    "volts and hertz": {"PhV": 0, "PhVphA": 0, "PhVphB": 0, "PhVphC": 0, "PPV": 0, "Hz": 0},
}


@pytest.mark.parametrize("zero", ZERO_METER)
@pytest.mark.parametrize("name", ["meter_203", "meter_213"])
@pytest.mark.parametrize("p_w", [0, 4200])
def test_a_meter_without_its_voltage_taps_measures_no_power(name: str, zero: Any, p_w: int) -> None:
    """0 V x 40 A is 0 W on its display; the site may still export 9 kW."""
    fake = lay_out(name)
    device = bound(fake, bind_meter)
    fake.put(int(name[6:]), **ZERO_METER[zero], W=p_w)
    reading = fake.reading(device)
    assert (reading.p_w, reading.q_var, reading.v_v, reading.f_hz) == (None, None, None, None)
    assert reading.energy_wh == 8000


@pytest.mark.parametrize(
    "points",
    [
        {"PhVphB": 0, "PhVphC": 0},  # one phase is wired
        {"PhV": 0},  # no mean, but phases
        {"PhV": None, "PhVphA": None, "PhVphB": None, "PhVphC": None, "PPV": None},  # no voltages at all
        {"Hz": None},
        {"PhV": None, "PhVphA": None, "PhVphB": None, "PhVphC": None, "PPV": None, "Hz": None},
    ],
)
def test_a_meter_that_measures_some_voltage_or_implements_none_measures_power(points: Any) -> None:
    fake = lay_out("meter_203")
    device = bound(fake, bind_meter)
    fake.put(203, **points)
    reading = fake.reading(device)
    assert (reading.p_w, reading.q_var) == (4200, -310)


@pytest.mark.parametrize(
    ("points", "phases"),
    [
        ({"WphA": 2_000, "WphB": 1_500, "WphC": 700}, (2_000, 1_500, 700)),
        ({"WphA": 6_000, "WphB": -1_000, "WphC": -800}, (6_000, -1_000, -800)),
        ({"WphA": 2_000, "WphB": 1_500, "WphC": 740}, (2_000, 1_500, 740)),
        ({"WphA": 0, "WphB": 0, "WphC": 0}, None),  # a map that leaves them 0
        ({"WphA": 2_000, "WphB": 1_500, "WphC": None}, None),
        ({"WphA": None, "WphB": None, "WphC": None}, None),
        ({"WphA": 2_000, "WphB": 1_500, "WphC": 700, "W": None}, None),
    ],
)
def test_a_meter_s_phases_count_where_all_are_there_and_make_up_its_sum(points: Any, phases: Any) -> None:
    """Model 203, WphA to WphC; W is 4,200."""
    fake = lay_out("meter_203")
    fake.put(203, **points)
    assert fake.reading(bound(fake, bind_meter)).p_phase_w == phases
    turned = None if phases is None else tuple(-watts for watts in phases)
    assert fake.reading(bound(fake, bind_meter, sign=-1)).p_phase_w == turned


def test_a_meter_of_one_phase_has_none_beside_its_sum() -> None:
    fake = lay_out("meter_201")
    assert fake.reading(bound(fake, bind_meter)).p_phase_w is None


@pytest.mark.parametrize("v_nom_v", [120.0, 230.0, 277.0])
def test_plausible_volts_follow_the_nominal_and_no_literal(v_nom_v: float) -> None:
    fake = lay_out("pv_101")
    device = bound(fake, bind_pv, v_nom_v=v_nom_v)
    for share, kept in ((0.4, False), (0.6, True), (1.4, True), (1.6, False)):
        fake.put(101, PhVphA=share * v_nom_v, PhVphB=None, PhVphC=None, PPVphAB=None, PPVphBC=None, PPVphCA=None)
        assert (fake.reading(device).v_v is not None) == kept


def test_line_voltages_serve_where_there_are_no_phase_voltages() -> None:
    fake = lay_out("pv_103")
    device = bound(fake, bind_pv)
    fake.put(103, PhVphA=None, PhVphB=None, PhVphC=None)
    assert fake.reading(device).v_v == pytest.approx(401.5 / math.sqrt(3))


@pytest.mark.parametrize("name", METERS)
@pytest.mark.parametrize("sign", [1, -1])
def test_a_meter_is_turned_so_that_export_is_positive(name: str, sign: int) -> None:
    fake = lay_out(name)
    reading = fake.reading(bound(fake, bind_meter, sign=sign))
    assert reading.p_w == pytest.approx(sign * 4200)
    assert reading.q_var == pytest.approx(sign * -310)
    assert reading.v_v == pytest.approx(232.4)
    assert reading.f_hz == pytest.approx(50.01, abs=0.002)


@pytest.mark.parametrize("sign", [1, -1])
def test_delivered_energy_is_the_counter_that_the_model_calls_exported(sign: int) -> None:
    """Model 203 TotWhExp: "Total Real Energy Exported". Veris (W + on import) counts in TotWhImp."""
    fake = lay_out("meter_203")
    assert fake.reading(bound(fake, bind_meter, sign=sign)).energy_wh == 8000


def test_a_meter_is_found_behind_an_inverter() -> None:
    """SolarEdge and Fronius show their meter in the inverter's chain."""
    fake = lay_out("pv_103", m203={"W_SF": 0, "W": 777})
    assert fake.reading(bound(fake, bind_meter)).p_w == 777


def test_storage_with_713_reads_charge_and_health() -> None:
    fake = lay_out("storage_7xx")
    reading = fake.reading(bound(fake, bind_storage))
    assert (reading.soc_pct, reading.soh_pct) == (60.5, 99.5)


def test_storage_with_124_reads_its_charge_there() -> None:
    fake = lay_out("storage_124")
    assert fake.reading(bound(fake, bind_storage)).soc_pct == 55.5


def test_charging_is_negative_at_the_ac_terminals() -> None:
    for name, ac in (("storage_7xx", 701), ("storage_124", 103)):
        fake = lay_out(name)
        device = bound(fake, bind_storage)
        fake.put(ac, W=-2500)
        assert fake.reading(device).p_w == -2500


@pytest.mark.parametrize("soc", [100.1, 655.34])
def test_a_state_of_charge_that_no_battery_has_is_dropped(soc: float) -> None:
    fake = lay_out("storage_124")
    device = bound(fake, bind_storage)
    fake.put(124, ChaState=soc)
    assert fake.reading(device).soc_pct is None


def test_the_bms_permits_the_smaller_of_its_current_and_its_power() -> None:
    fake = lay_out("bms")
    reading = fake.reading(bound(fake, bind_bms))
    assert reading.soc_pct == 61.5
    assert reading.soh_pct == 98.5
    assert reading.p_charge_limit_w == pytest.approx(10.0 * 401.2)  # below 5000 W
    assert reading.p_discharge_limit_w == pytest.approx(5000)  # below 25 A x 401.2 V
    assert reading.dc_p_w == -2006


@pytest.mark.parametrize(
    ("points", "charge"),
    [
        ({"AChaMax": None}, 5000),
        ({"WChaRteMax": None}, 4012),
        ({"AChaMax": None, "WChaRteMax": None}, None),
        ({"V": None}, 5000),
        ({"AChaMax": 0}, 0),
    ],
)
def test_a_bms_limit_that_is_not_stated_is_not_invented(points: Any, charge: int | None) -> None:
    fake = lay_out("bms")
    fake.put(802, **points)
    device = bound(fake, bind_bms)
    assert fake.reading(device).p_charge_limit_w == (None if charge is None else pytest.approx(charge))


@pytest.mark.parametrize(
    ("gone", "charge", "discharge"),
    [
        ("AChaMax", None, 5000),
        ("ADisChaMax", 4012, None),
        ("WChaRteMax", None, 5000),
        ("WDisChaRteMax", 4012, None),
        ("V", None, None),
        ("V_SF", None, None),
        ("AMax_SF", None, None),
        ("WChaDisChaMax_SF", None, None),
        ("SoC", 4012, 5000),
    ],
)
def test_a_bms_limit_whose_point_goes_missing_is_unknown_and_never_larger(
    gone: str, charge: int | None, discharge: int | None
) -> None:
    """10 A x 401.2 V below 5000 W: without the volts it isn't 5000 W, it is not known."""
    fake = lay_out("bms")
    device = bound(fake, bind_bms)
    fake.put(802, **{gone: None})
    reading = fake.reading(device)
    assert reading.p_charge_limit_w == (None if charge is None else pytest.approx(charge))
    assert reading.p_discharge_limit_w == (None if discharge is None else pytest.approx(discharge))


@pytest.mark.parametrize(("first", "then"), [("AChaMax", "V"), ("V", "AChaMax"), ("V", "V"), ("AChaMax", "AChaMax")])
def test_what_a_bms_never_stated_is_not_missed(first: str, then: str) -> None:
    """Volts alone bound nothing, nor do amperes."""
    fake = lay_out("bms")
    fake.put(802, **{first: None})
    device = bound(fake, bind_bms)
    assert fake.reading(device).p_charge_limit_w == pytest.approx(5000)
    fake.put(802, **{then: None})
    assert fake.reading(device).p_charge_limit_w == (None if (first, then) == ("V", "AChaMax") else 5000)


def test_a_limit_that_a_bms_states_only_later_counts_from_then_on() -> None:
    fake = lay_out("bms")
    fake.put(802, AChaMax=None)
    device = bound(fake, bind_bms)
    fake.put(802, AChaMax=10.0)
    assert fake.reading(device).p_charge_limit_w == pytest.approx(4012)


def test_a_battery_in_a_fault_permits_nothing_whatever_is_missing() -> None:
    fake = lay_out("bms")
    device = bound(fake, bind_bms)
    fake.put(802, V=None, WChaRteMax=None, State=99)
    reading = fake.reading(device)
    assert (reading.p_charge_limit_w, reading.p_discharge_limit_w) == (0.0, 0.0)


@pytest.mark.parametrize(("state", "flows"), [(1, False), (3, True), (4, True), (6, False), (99, False)])
def test_a_battery_that_is_disconnected_or_faulty_permits_nothing(state: int, flows: bool) -> None:
    """802.State: 1 disconnected, 3 connected, 4 standby, 6 suspending, 99 fault (SunSpec model 802)."""
    fake = lay_out("bms")
    device = bound(fake, bind_bms)
    fake.put(802, State=state)
    reading = fake.reading(device)
    assert (reading.p_charge_limit_w == 0, reading.p_discharge_limit_w == 0) == (not flows, not flows)
    assert (reading.status is Status.FAULT) == (not flows)


@pytest.mark.parametrize("function", ["volt_var", "volt_watt", "freq_droop", "watt_var"])
def test_own_functions_read_back_on_off_or_not_at_all(function: str) -> None:
    model_id = {"volt_var": 705, "volt_watt": 706, "freq_droop": 711, "watt_var": 712}[function]
    fake = lay_out("pv_7xx")
    device = bound(fake, bind_pv)
    assert function in fake.reading(device).own_off
    for ena, on, off in ((1, True, False), (0, False, True), (None, False, False)):
        fake.put(model_id, Ena=ena)
        reading = fake.reading(device)
        assert (function in reading.own_on, function in reading.own_off) == (on, off)


@pytest.mark.parametrize(("function", "model_id"), [("volt_var", 126), ("volt_watt", 132), ("freq_droop", 134)])
def test_the_older_curves_say_it_in_a_bit(function: str, model_id: int) -> None:
    curve: dict[str, Any] = {f"m{model_id}": {"ModEna": 0, "NCrv": 1}}
    fake = lay_out("pv_103", **curve)
    device = bound(fake, bind_pv)
    for ena, on, off in ((0, False, True), (1, True, False), (None, False, False)):
        fake.put(model_id, ModEna=ena)
        reading = fake.reading(device)
        assert (function in reading.own_on, function in reading.own_off) == (on, off)


def test_every_model_that_could_run_a_function_must_say_off() -> None:
    fake = lay_out("pv_103", m134={"ModEna": 0, "NCrv": 1}, m127={"ModEna": 0})
    device = bound(fake, bind_pv)
    assert "freq_droop" in fake.reading(device).own_off
    fake.put(127, ModEna=1)
    assert fake.reading(device).own_on == ("freq_droop",)
    answers = fake.poll(device)
    del answers["own127"]  # not polled yet
    assert "freq_droop" not in device.decode(answers).own_off


def test_a_device_without_such_a_model_leaves_its_function_unknown() -> None:
    reading = (fake := lay_out("pv_103")).reading(bound(fake, bind_pv))
    assert (reading.own_on, reading.own_off) == ((), ())


def test_the_installers_word_switches_all_of_them_off() -> None:
    fake = lay_out("pv_7xx", m705={"Ena": 1})
    reading = fake.reading(bound(fake, bind_pv, own_functions="off"))
    assert reading.own_on == ()
    assert {"volt_var", "volt_watt", "freq_droop"} <= {*reading.own_off}


@pytest.mark.parametrize(
    ("name", "bind", "model_id"),
    [("pv_103", bind_pv, 103), ("pv_103", bind_pv, 123), ("pv_7xx", bind_pv, 704), ("meter_203", bind_meter, 203),
     ("bms", bind_bms, 802), ("storage_124", bind_storage, 124)],
)  # fmt: skip
def test_a_map_that_has_moved_is_a_decode_error_and_no_reading(name: str, bind: Any, model_id: int) -> None:
    fake = lay_out(name)
    device = bound(fake, bind)
    fake.registers[fake.places[model_id]] = 160
    with pytest.raises(DecodeError, match=f"160 .*{fake.places[model_id]}.*{model_id}"):
        fake.reading(device)
    fake.registers[fake.places[model_id]] = model_id
    fake.registers[fake.places[model_id] + 1] += 20
    with pytest.raises(DecodeError):
        fake.reading(device)


def test_identify_asks_again_and_sees_another_device() -> None:
    """Two inverters exchange addresses; one restarts with another base."""
    fake = lay_out("pv_103")
    device = bound(fake, bind_pv)
    assert fake.run(device.identify()) == device.identity
    fake.put(1, SN="SN-0002")
    assert fake.run(device.identify()).serial == "SN-0002"
    fake.put(1, SN="SN-0001", Vr="1.2.4")
    assert fake.run(device.identify()).firmware == "1.2.4"
    fake.registers[fake.places[1]] = 7
    with pytest.raises(NotRecognised):
        fake.run(device.identify())


def test_no_driver_writes_while_it_binds_or_reads() -> None:
    for name, bind in (("pv_103", bind_pv), ("pv_7xx", bind_pv), ("storage_124", bind_storage), ("bms", bind_bms)):
        fake = lay_out(name)
        fake.reading(bound(fake, bind))
        fake.run(bound(fake, bind).identify())
        assert fake.writes == []


@pytest.mark.parametrize("wanted", [bind_pv, bind_storage, bind_meter, bind_bms])
def test_a_device_of_no_kind_is_not_recognised_and_the_error_says_what_was_sought(wanted: Any) -> None:
    sought = {bind_pv: "103", bind_storage: "103", bind_meter: "201-204", bind_bms: "802"}[wanted]
    with pytest.raises(NotRecognised, match=sought):
        bound(lay_out("pv_103", m103=None), wanted)


def test_a_read_never_runs_into_the_next_model() -> None:
    """A model may be sold shorter than its definition; its scale factors are then not there."""
    fake = lay_out("pv_7xx")
    start = fake.places[704]
    following = dict(enumerate((715, 7, *[0] * 7, 0xFFFF, 0), start + 52))
    fake.registers = {address: word for address, word in fake.registers.items() if address < start + 52} | following
    fake.registers[start + 1] = 50
    device = bound(fake, bind_pv)
    for read in {**device.control, **device.slow}.values():
        inside = max(place for place in fake.places.values() if place <= read.address)
        assert read.address + read.count <= inside + 2 + fake.registers[inside + 1]
    assert fake.reading(device).accepted is None
    with pytest.raises(DecodeError, match="scale factor"):
        fake.run(device.write(Setpoint(p_ceiling_w=1000.0), Fallback(), fake.poll(device)))
    assert fake.writes == []


@pytest.mark.parametrize("max_regs", [60, 100])
def test_no_request_is_longer_than_the_profile_allows(max_regs: int) -> None:
    fake = lay_out("pv_103")
    device = fake.run(bind_pv(model, Options(profile=Profile(max_regs=max_regs))))
    polled = [part for read in (*device.control.values(), *device.slow.values()) for part in read.parts]
    asked = [part for op in fake.ops for part in op.parts] + polled
    assert max(op.count for op in asked) <= max_regs


@pytest.mark.parametrize(("connected", "charge_w"), [(0, 0.0), (1, 4012.0), (None, 4012.0)])
def test_a_battery_with_no_string_connected_permits_nothing(connected: int | None, charge_w: float) -> None:
    """803.NStrCon: strings connected; not implemented says nothing. 10 A x 401.2 V by model 802."""
    fake = lay_out("bms")
    fake.put(803, NStrCon=connected)
    assert fake.reading(bound(fake, bind_bms)).p_charge_limit_w == pytest.approx(charge_w)


def test_what_a_device_calls_itself_can_be_shown_and_rubbish_is_no_serial_number() -> None:
    fake = lay_out("pv_103", m1={"Mn": "Ma\x1b[2Jker ", "Md": "a\nb", "Vr": "1.0\u202e", "SN": "SN-1\r\n", "DA": 1})
    device = bound(fake, bind_pv)
    assert device.identity == Identity(maker="Ma?[2Jker", model="a b", firmware="1.0?", serial="SN-1")
    assert fake.run(device.identify()) == device.identity
    fake.registers[fake.places[1] + 52] = 0xFFFE  # the first register of SN: no UTF-8
    assert fake.run(device.identify()).serial == ""
