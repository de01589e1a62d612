"""Recorded devices through the drivers, beside pysunspec2."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import Any

import pytest
import sunspec2.device

from derctl.core.types import Capability, Fallback, Port, Rating, Setpoint
from derctl.core.words import Status
from derctl.devices import Options
from derctl.devices.sunspec.bms import bind_bms
from derctl.devices.sunspec.der import bind_pv, bind_storage
from derctl.devices.sunspec.meter import bind_meter
from derctl.errors import DecodeError, NotRecognised
from derctl.links.models import model
from tests.fake import bound, from_dump

BINDS = {"pv": bind_pv, "storage": bind_storage, "meter": bind_meter, "bms": bind_bms}
USABLE = {  # what each recording can be bound as; the others must say why not
    "elkor_w2_m1_sn_203_02": {"meter"},
    "fimer_pvs_3q58_nb": {"pv"},
    "fronius_ig_plus_v114_sn_101_01": {"pv"},
    "fronius_symo_3_0_float_sn_113_01": {"pv"},
    "kaco_blueplanet_86tl3_blueplanet_86tl3": {"pv"},
    "kaco_blueplanet_86tl3_blueplanet_86tl3_asleep": {"pv"},
    "kostal_plenticore_plus_5_5_evcc12444": set(),
    "outback_oghi8048a_1547_sn_der_01": {"pv", "storage", "meter"},
    "sma_solar_inverter_9338_sn_103_05": {"pv"},
    "sma_sunnyboy_3_6_nb_20230810": {"pv"},
    "solaredge_se33_3k_sn_103_01": set(),
    "solaredge_se33_3k_sn_103_02": set(),
    "solren_pvi85_sn_402_01": set(),
    "veris_e51c2_sn_203_01": {"meter"},
}
DECLARED = Rating(p_max_w=85000.0, p_min_w=0.0, s_max_va=85000.0, q_inj_max_var=0.0, q_abs_max_var=0.0, v_nom_v=277.0)


def theirs(fake: Any, model_id: Any, point: Any) -> Any:
    """pysunspec2's cvalue of one recorded point."""
    start = fake.places[model_id]
    length = fake.registers[start + 1]
    data = struct.pack(f">{length + 2}H", *(fake.registers[start + i] for i in range(length + 2)))
    return sunspec2.device.Model(model_id=model_id, model_len=length, data=data).points[point].cvalue


@pytest.mark.parametrize("kind", BINDS)
def test_every_recording_is_a_device_or_says_why_not(sunspec_dump: str, kind: Any) -> None:
    fake = from_dump(sunspec_dump)
    if kind in USABLE[sunspec_dump]:
        device = bound(
            fake, BINDS[kind], v_nom_v=120.0 if "203" in sunspec_dump or "outback" in sunspec_dump else 230
        )
        assert device.identity.serial
        assert fake.reading(device) is not None
    else:
        with pytest.raises(NotRecognised, match=r"\d{3}"):  # the models or the points that it lacks
            bound(fake, BINDS[kind])
    assert fake.writes == []


@pytest.mark.parametrize(
    "name", [n for n, kinds in USABLE.items() if "pv" in kinds and "asleep" not in n and "outback" not in n]
)
def test_an_inverter_reads_as_pysunspec2_reads_it(name: str) -> None:
    fake = from_dump(name)
    ac = bound(fake, bind_pv).ac.block.model_id
    phases = [volts for x in "ABC" if (volts := theirs(fake, ac, f"PhVph{x}"))]
    mean = pytest.approx(sum(phases) / len(phases)) if phases else None
    device = bound(fake, bind_pv, v_nom_v=sum(phases) / len(phases) if phases else 230.0)
    reading = fake.reading(device)
    rated = device.rating
    assert reading.p_w == theirs(fake, ac, "W")
    assert reading.q_var == theirs(fake, ac, "VAr")
    assert reading.f_hz == theirs(fake, ac, "Hz")
    assert reading.v_v == mean
    assert reading.dc_p_w == theirs(fake, ac, "DCW")
    assert reading.energy_wh == theirs(fake, ac, "WH")
    assert rated.p_max_w == theirs(fake, 121, "WMax")
    assert rated.s_max_va == theirs(fake, 121, "VAMax")
    q1 = theirs(fake, 121, "VArMaxQ1")
    assert rated.q_inj_max_var == (theirs(fake, 120, "VArRtgQ1") if q1 is None else q1)
    assert rated.q_abs_max_var >= 0.0  # Q4 is negative at Fronius and FIMER, positive at SMA


@pytest.mark.parametrize("name", ["elkor_w2_m1_sn_203_02", "veris_e51c2_sn_203_01"])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_meter_reads_as_pysunspec2_reads_it(name: str, sign: int) -> None:
    fake = from_dump(name)
    reading = fake.reading(bound(fake, bind_meter, sign=sign, v_nom_v=120.0))
    assert reading.p_w == sign * theirs(fake, 203, "W")
    assert reading.q_var == sign * theirs(fake, 203, "VAR")
    assert reading.f_hz == theirs(fake, 203, "Hz")
    assert reading.v_v == theirs(fake, 203, "PhV")
    assert reading.energy_wh == theirs(fake, 203, "TotWhExp")


def test_a_recorded_meter_with_one_phase_at_zero_volts_measures_power_and_with_all_of_them_none() -> None:
    """An Elkor on two of three phases: C reads 0.0 V."""
    fake = from_dump("elkor_w2_m1_sn_203_02")
    device = bound(fake, bind_meter, v_nom_v=120.0)
    assert theirs(fake, 203, "PhVphC") == 0.0
    assert fake.reading(device).p_w == theirs(fake, 203, "W") > 900.0
    fake.put(203, PhV=0, PhVphA=0, PhVphB=0, PPV=0, PhVphAB=0, PhVphBC=0, PhVphCA=0)
    assert (fake.reading(device).p_w, fake.reading(device).q_var) == (None, None)


def test_kaco_asleep_is_asleep() -> None:
    fake = from_dump("kaco_blueplanet_86tl3_blueplanet_86tl3_asleep")
    reading = fake.reading(bound(fake, bind_pv))
    assert (theirs(fake, 103, "PhVphA"), theirs(fake, 103, "Hz")) == (0, 0)
    assert reading.status is Status.ASLEEP
    assert (reading.v_v, reading.f_hz) == (None, None)


def test_kaco_awake_says_what_it_is_limited_to() -> None:
    fake = from_dump("kaco_blueplanet_86tl3_blueplanet_86tl3")
    device = bound(fake, bind_pv)
    assert theirs(fake, 123, "WMaxLim_Ena") == 0
    assert fake.reading(device).accepted.p_ceiling_w == 8600
    fake.run(device.write(Setpoint(p_ceiling_w=4300.0), Fallback(), fake.poll(device)))
    assert theirs(fake, 123, "WMaxLimPct") == 50.0
    assert theirs(fake, 123, "WMaxLimPct_RvrtTms") == 60


def test_outback_counts_from_its_ratings_since_it_has_no_settings() -> None:
    fake = from_dump("outback")
    assert (theirs(fake, 702, "WMax"), theirs(fake, 702, "WMaxRtg")) == (None, 7680)
    rating = bound(fake, bind_storage, v_nom_v=120.0).rating
    assert (rating.p_max_w, rating.p_min_w, rating.s_max_va) == (7680, -7680, 7680)
    assert (rating.q_inj_max_var, rating.q_abs_max_var) == (4070, 4070)


@pytest.mark.parametrize("bind", [bind_pv, bind_storage])
def test_outback_has_no_reversion_timer_and_that_is_said_and_counted(bind: Any) -> None:
    fake = from_dump("outback")
    assert theirs(fake, 704, "WMaxLimPctRvrtTms") is None
    assert theirs(fake, 704, "WSetRvrtTms") is None
    device = bound(fake, bind, v_nom_v=120.0)
    assert any("reversion" in problem for problem in device.problems)
    assert device.absent_w(Fallback(p_ceiling_w=0.0)) == 7680


def test_outback_reads_as_pysunspec2_reads_it() -> None:
    fake = from_dump("outback")
    reading = fake.reading(bound(fake, bind_storage, v_nom_v=120.0))
    assert (reading.p_w, reading.q_var) == (theirs(fake, 701, "W"), theirs(fake, 701, "Var"))
    assert (reading.f_hz, reading.v_v) == (theirs(fake, 701, "Hz"), theirs(fake, 701, "LNV"))
    assert reading.soc_pct == theirs(fake, 713, "SoC") == 100
    assert reading.soh_pct is None is theirs(fake, 713, "SoH")


def test_outback_is_told_in_percent_since_it_has_no_watts() -> None:
    """Only WSetPct is implemented, although WSet_SF says -3."""
    fake = from_dump("outback")
    assert (theirs(fake, 704, "WSet"), theirs(fake, 704, "WSet_SF")) == (None, -3)
    device = bound(fake, bind_storage, v_nom_v=120.0)
    answers = fake.poll(device)
    accepted = fake.run(device.write(Setpoint(p_target_w=-1920.0), Fallback(), answers))
    assert (theirs(fake, 704, "WSetMod"), theirs(fake, 704, "WSetPct")) == (0, -25.0)
    assert accepted.p_target_w == -1920.0


def test_fronius_takes_var_in_percent_of_varmax() -> None:
    fake = from_dump("fronius_ig_plus")
    device = bound(fake, bind_pv)
    accepted = fake.run(device.write(Setpoint(q_var=-3000.0), Fallback(), fake.poll(device)))
    assert (theirs(fake, 123, "VArPct_Mod"), theirs(fake, 123, "VArMaxPct")) == (2, -50)  # of 6000 var
    assert accepted.q_var == -3000.0


def test_sma_reads_back_nothing_of_its_limit_and_claims_nothing() -> None:
    """Its control points are write-only: 0xFFFF (victronenergy/dbus-fronius README)."""
    fake = from_dump("sma_solar_inverter_9338")
    assert theirs(fake, 123, "WMaxLimPct") is None
    assert fake.reading(bound(fake, bind_pv)).accepted is None


SILENT = ["solaredge_se33_3k_sn_103_01", "solaredge_se33_3k_sn_103_02", "solren_pvi85_sn_402_01"]


@pytest.mark.parametrize("name", SILENT)
def test_an_inverter_that_states_no_rating_needs_the_site_files(name: str) -> None:
    with pytest.raises(NotRecognised, match=r"rating\.p_max_w"):
        bound(from_dump(name), bind_pv)
    with pytest.raises(NotRecognised, match=r"rating\.p_max_w"):
        bound(from_dump(name), bind_pv, declared=replace(DECLARED, p_max_w=0.0))


@pytest.mark.parametrize("name", SILENT)
def test_with_the_site_files_rating_it_is_read_and_not_controlled(name: str) -> None:
    fake = from_dump(name)
    device = bound(fake, bind_pv, declared=DECLARED)
    reading = fake.reading(device)
    assert (reading.p_w, reading.f_hz) == (theirs(fake, 103, "W"), theirs(fake, 103, "Hz"))
    assert device.rating == DECLARED
    assert device.can == Capability(pv=Port())
    assert any("only read" in problem for problem in device.problems)
    assert device.absent_w(Fallback(p_ceiling_w=0.0)) == DECLARED.p_max_w


def test_what_is_no_sunspec_device_says_what_stood_at_each_base() -> None:
    fake = from_dump("goodwe")
    with pytest.raises(NotRecognised, match=r"40000.*50000"):
        fake.run(bind_pv(model, Options()))


def test_a_recorded_map_that_moves_is_noticed(sunspec_dump: str) -> None:
    kinds = USABLE[sunspec_dump]
    if not kinds:
        assert sunspec_dump in USABLE
        return
    fake = from_dump(sunspec_dump)
    device = bound(fake, BINDS[min(kinds)])
    block = next(iter(device.control.values()))
    fake.registers[block.address] ^= 1
    with pytest.raises(DecodeError):
        fake.reading(device)
