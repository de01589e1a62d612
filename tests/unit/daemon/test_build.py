"""What of a device that was found is held against the site file, by the channel that the daemon builds for it."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from derctl.core.types import Reading
from derctl.core.words import Status, Timer
from derctl.daemon.build import build, model_problem, writer_of
from derctl.daemon.known import Known, Once
from derctl.devices import Identity, Profile
from derctl.devices.nominal import Nominal, System
from derctl.site import BusSection, DerSection, Site
from derctl.site.schema import BmsSection, MeterSection, PocSection, RatingSection, SiteFile, SiteSection, TcpSection
from tests import make

RIGHT = Nominal(system=System.THREE, v_v=230.0, f_hz=50.0)
ON = Reading(p_w=1000.0, v_v=230.0, f_hz=50.0, status=Status.ON)


def device(*, model: str = "SB3.6-1AV-41", p_max_w: float = 5000.0, nominal: Nominal = RIGHT) -> Any:
    return SimpleNamespace(
        identity=Identity(maker="SMA", model=model, serial="1"), rating=make.rating(p_max_w=p_max_w), nominal=nominal
    )


def plant(
    *,
    v_nom_v: float = 230.0,
    f_nom_hz: int = 50,
    known: Known | None = None,
    witness: MeterSection | None = None,
    bus: dict[str, Any] | None = None,
    **der: Any,
) -> Any:
    """One DER with a BMS, and a meter; every `model` is the DER's."""
    named = der.get("model")
    bms = BmsSection(bus="lan", unit=2, model=named)
    file = SiteFile(
        version=1,
        site=SiteSection(id="s", v_nom_v=v_nom_v, f_nom_hz=f_nom_hz),  # type: ignore[arg-type]
        buses=[BusSection(id="lan", tcp=TcpSection(host="127.0.0.1"), **(bus or {}))],
        ders=[DerSection(id="pv1", bus="lan", unit=1, kind="sunspec_storage", bms=bms, **der)],
        poc=PocSection(bus="lan", unit=3, sign=1, model=named, witness=witness),
    )
    site = Site(file=file, plan=make.plan({}, []), profiles={})
    return build(site, lambda *_: None, known)


def against(found: Any, **site: Any) -> str | None:
    channel = plant(**site).ders["pv1"]
    said: str | None = channel.expected.check(found)
    return said


def test_a_bus_says_how_long_a_read_may_be_and_where_it_may_go() -> None:
    """All that is on it goes through the same gateway; a profile may ask for shorter reads still."""
    usual, gateway = plant(), plant(bus={"max_regs": 50, "spans": True})
    for found, most, spans in ((usual, 125, False), (gateway, 50, True)):
        for channel in found.channels:
            assert channel.expected.options.profile.max_regs == most
            assert (channel.asking.joining.max_regs, channel.asking.joining.spans) == (most, spans)
    longer = plant(bus={"max_regs": 125})
    assert {channel.expected.options.profile.max_regs for channel in longer.channels} == {125}


def test_a_device_as_the_file_says_is_as_it_should_be() -> None:
    assert against(device(), model="SB3.6-1AV-41", rating=RatingSection(p_max_w=5000)) is None
    assert against(device()) is None


@pytest.mark.parametrize(
    ("p_max_w", "fits"), [(5000, True), (5490, True), (4510, True), (5600, False), (4400, False)]
)
def test_a_rating_may_differ_by_a_tenth_and_no_more(p_max_w: float, fits: bool) -> None:
    said = against(device(p_max_w=p_max_w), rating=RatingSection(p_max_w=5000))
    assert (said is None) == fits
    assert said is None or ("5000" in said and str(p_max_w) in said)


@pytest.mark.parametrize("v_nom_v", [400.0, 120.0, 277.0])
def test_another_nominal_voltage_names_both(v_nom_v: float) -> None:
    said = against(device(), v_nom_v=v_nom_v)
    assert said is not None and "230 V" in said and f"v_nom_v: {v_nom_v:g}" in said


def test_another_nominal_frequency_names_both() -> None:
    said = against(device(), f_nom_hz=60)
    assert said is not None and "50 Hz" in said and "f_nom_hz: 60" in said


def test_what_is_measured_counts_where_nothing_is_stated() -> None:
    channel = plant(v_nom_v=400.0).ders["pv1"]
    assert channel.expected.check(device(nominal=Nominal())) is None
    said = channel.expected.doubts(device(nominal=Nominal()), ON)
    assert said is not None and "230 V" in said and "v_nom_v: 400" in said


def test_a_meter_is_held_to_the_frequency_and_not_to_the_voltage() -> None:
    """A split-phase house: 240 V at the inverter's terminals, 120 V to neutral at the meter."""
    poc = plant(v_nom_v=400.0, f_nom_hz=60).poc
    said = poc.expected.doubts(device(nominal=Nominal()), ON)
    assert said is not None and "50 Hz" in said and "400" not in said
    assert plant(v_nom_v=400.0).poc.expected.doubts(device(nominal=Nominal()), ON) is None


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [(None, True), ("SB3.6-1AV-41", True), (" sb3.6-1av-41 ", True), ("SMA SB3.6-1AV-41", True),
     ("SB3.6-1AV-40", False), ("SMA", False)],
)  # fmt: skip
def test_a_model_is_the_devices_own_word_with_or_without_its_maker(wanted: str | None, fits: bool) -> None:
    found = plant(model=wanted)
    for channel in (found.ders["pv1"], found.bms["pv1"], found.poc):
        said = channel.expected.check(device())
        assert (said is None) == fits
        assert said is None or ("SB3.6-1AV-41" in said and str(wanted) in said)
    assert (model_problem(wanted, device()) is None) == fits


def test_another_model_in_the_file_is_demanded_of_the_next_device_that_is_found() -> None:
    """After a SIGHUP the check of the file before went on: a device of another model stayed in control."""
    before, after = plant(model="SB3.6-1AV-41"), plant(model="SB5.0-1AV-41")
    for old, new in zip(before.channels, after.channels, strict=True):
        assert not old.expected.asks_like(new.expected)
        assert old.expected.asks_like(replace(new.expected, model=old.expected.model))


def test_the_rating_of_before_counts_for_the_same_serial_number_alone() -> None:
    known = Known()
    recorded = plant(known=known).ders["pv1"].expected.recorded
    assert recorded(Identity(serial="SN1")) is None, "never found"
    known.of["pv1"] = Once(
        serial="SN1", rating=make.rating(p_max_w=5_000.0), writable=True, timer=Timer.TARGET, model=None, keeps=()
    )
    assert recorded(Identity(serial="SN1")) == make.rating(p_max_w=5_000.0)
    assert recorded(Identity(serial="SN2")) is None


def test_another_meter_is_a_device_of_its_own_also_in_the_inverter_s_unit() -> None:
    other = MeterSection(bus="lan", unit=1, section=3, sign=-1)
    made = plant(witness=other)
    assert made.witness.id == "poc.witness"
    assert (made.witness.unit, made.witness.expected.options.section, made.witness.expected.options.sign) == (
        1,
        3,
        -1,
    )
    assert made.channels == [made.ders["pv1"], made.bms["pv1"], made.poc, made.witness]
    assert plant().witness is None


@pytest.mark.parametrize("control", [True, False])
def test_a_der_is_written_where_the_site_file_lets_it_be_controlled(control: bool) -> None:
    der = DerSection(id="pv1", bus="lan", unit=1, kind="sunspec_storage", control=control)
    site: Any = SimpleNamespace(file=SimpleNamespace(site=SimpleNamespace(tick_s=1.0)))
    nobody: Any = SimpleNamespace
    assert writer_of(site, der, plant().ders["pv1"], nobody, lambda *_: None).control is control


def test_a_device_that_is_found_slow_slows_its_bus_down_but_for_what_the_file_says_itself() -> None:
    slow = Profile(min_interval_s=1.0, timeout_s=10.0, backoff_s=15.0)
    given: list[tuple[dict[str, Any], float]] = [({}, 10.0), ({"timeout_s": 2.0}, 2.0)]
    for own, expected in given:
        channel = plant(bus=own).ders["pv1"]
        assert channel.bus.line.pace.min_interval_s == 0.0
        channel.expected.slower(slow)
        pace = channel.bus.line.pace
        assert (pace.min_interval_s, pace.backoff_s, pace.timeout_s) == (1.0, 15.0, expected)
        channel.expected.slower(Profile())
        assert channel.bus.line.pace == pace, "a quicker one beside it changes nothing"


def test_a_row_without_a_profile_is_taken_by_who_the_device_says_it_is() -> None:
    options = plant().ders["pv1"].expected.options
    assert {"generic", "fronius", "kaco"} <= {each.name for each in options.shelf}
    assert plant(profile="generic").ders["pv1"].expected.options.shelf == ()
    assert plant(firmware="1.2").ders["pv1"].expected.options.taken.firmware == "1.2"


def test_a_point_of_a_register_map_that_the_file_names_makes_it_another_device_to_find_and_a_model_s_does_not() -> (
    None
):
    assert plant(may_write=["703.ES", "gate"]).ders["pv1"].expected.options == plant().ders["pv1"].expected.options
    own = plant(may_write=["own.limit_pct", "gate"]).ders["pv1"].expected
    assert own.options.taken.points == ("own.limit_pct",)
    assert not own.asks_like(plant().ders["pv1"].expected)


def test_a_device_that_takes_short_reads_only_is_asked_for_no_more_together() -> None:
    channel = plant().ders["pv1"]
    assert channel.asking.joining.max_regs == 125
    channel.asking.shorten(60)
    assert channel.asking.joining.max_regs == 60
    channel.asking.shorten(100)
    assert channel.asking.joining.max_regs == 60


@pytest.mark.parametrize(("phase", "asked"), [("A", 0), ("C", 2), ("ABC", None), ("AB", None), (None, None)])
def test_a_device_is_told_the_one_phase_in_which_it_feeds(phase: str | None, asked: int | None) -> None:
    assert plant(phase=phase).ders["pv1"].expected.options.phase == asked


def test_a_device_with_another_number_of_phases_than_the_site_file_says_is_not_taken() -> None:
    text = against(device(), phase="A")
    assert text is not None and "the device has three phases" in text
    assert against(device(), phase="ABC") is None
