"""What of a device that was found is held against the site file, by the channel that the daemon builds for it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from derctl.core.types import Reading
from derctl.core.words import Status
from derctl.daemon.build import build, model_problem
from derctl.devices import Identity, Profile
from derctl.devices.nominal import Nominal, System
from derctl.site import BusSection, DerSection
from derctl.site.schema import BmsSection, PocSection, RatingSection, SiteFile, SiteSection, TcpSection
from tests import make

RIGHT = Nominal(system=System.THREE, v_v=230.0, f_hz=50.0)
ON = Reading(p_w=1000.0, v_v=230.0, f_hz=50.0, status=Status.ON)


def device(*, model: str = "SB3.6-1AV-41", p_max_w: float = 5000.0, nominal: Nominal = RIGHT) -> Any:
    return SimpleNamespace(
        identity=Identity(maker="SMA", model=model, serial="1"), rating=make.rating(p_max_w=p_max_w), nominal=nominal
    )


def plant(*, v_nom_v: float = 230.0, f_nom_hz: int = 50, **der: Any) -> Any:
    """One DER with a BMS, and a meter; every `model` is the DER's."""
    named = der.get("model")
    bms = BmsSection(bus="lan", unit=2, model=named)
    file = SiteFile(
        version=1,
        site=SiteSection(id="s", v_nom_v=v_nom_v, f_nom_hz=f_nom_hz),  # type: ignore[arg-type]
        buses=[BusSection(id="lan", tcp=TcpSection(host="127.0.0.1"))],
        ders=[DerSection(id="pv1", bus="lan", unit=1, kind="sunspec_storage", bms=bms, **der)],
        poc=PocSection(bus="lan", unit=3, sign=1, model=named),
    )
    site: Any = SimpleNamespace(file=file, profiles={"generic": Profile()})
    return build(site, lambda *_: None)


def against(found: Any, **site: Any) -> str | None:
    channel = plant(**site).ders["pv1"]
    said: str | None = channel.expected.check(found)
    return said


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
