"""The power of each phase, read from registers that pysunspec2 laid out."""

from __future__ import annotations

from typing import Any

import pytest

from derctl.devices.sunspec.der import bind_pv
from derctl.devices.sunspec.meter import bind_meter
from tests.fake import bound, lay_out

NO_WATTS: dict[str, Any] = {"WphA": None, "WphB": None, "WphC": None}
AT_230: dict[str, Any] = {"PhVphA": 230, "PhVphB": 230, "PhVphC": 230}


def metered(sign: int = 1, **points: Any) -> Any:
    fake = lay_out("meter_203")
    fake.put(203, **points)
    return fake.reading(bound(fake, bind_meter, sign=sign))


@pytest.mark.parametrize(
    ("amps", "p_w", "phases"),
    [
        ((10, 5, 2), 3910, (2300, 1150, 460)),
        ((10, 5, 2), -3910, (-2300, -1150, -460)),
        ((10, 5, 2), -690, (-2300, 1150, 460)),  # the sun on two phases, a kettle on the third
        ((10, 0, 2), 2760, (2300, 0, 460)),  # a clamp that is off
        ((10, 5, 2), 2000, None),  # no way makes it up: they are mostly reactive
        ((10, 10, 2), 460, None),  # two ways do, and they say the opposite of two phases
        ((0, 0, 0), 460, None),
        ((10, None, 2), 2760, None),
        ((-10, 5, 2), -690, (-2300, 1150, 460)),  # some have signs
        ((-10, 5, 2), 690, (2300, -1150, -460)),  # towards the other side
        ((-10, 5, 2), 3910, None),
    ],
)
def test_currents_and_volts_tell_the_phases_where_only_one_way_of_signs_makes_up_the_sum(
    amps: tuple[float | None, ...], p_w: float, phases: Any
) -> None:
    """Model 203, AphA to AphC beside PhVphA to PhVphC, no WphA."""
    named: dict[str, Any] = {f"Aph{name}": value for name, value in zip("ABC", amps, strict=True)}
    reading = metered(**NO_WATTS, **AT_230, **named, W=p_w)
    assert reading.p_phase_w == (None if phases is None else pytest.approx(phases))
    assert reading.phase_sum_w is None


def test_the_mean_of_the_volts_serves_for_each_phase() -> None:
    volts: dict[str, Any] = {"PhV": 230, "PhVphA": None, "PhVphB": None, "PhVphC": None}
    assert metered(**NO_WATTS, **volts, AphA=10, AphB=5, AphC=2, W=3910).p_phase_w == pytest.approx((2300, 1150, 460))


@pytest.mark.parametrize("sign", [1, -1])
def test_what_the_phases_add_up_to_is_told_whether_it_is_the_sum_or_not(sign: int) -> None:
    reading = metered(sign, W=10, WphA=2000, WphB=1500, WphC=-700)
    assert (reading.p_w, reading.phase_sum_w, reading.p_phase_w) == (sign * 10, sign * 2800, None)
    reading = metered(sign, W=2800, WphA=2000, WphB=1500, WphC=-700)
    assert (reading.phase_sum_w, reading.p_phase_w) == (sign * 2800, (sign * 2000, sign * 1500, sign * -700))


def test_phases_without_signs_say_nothing() -> None:
    reading = metered(W=-4200, WphA=2000, WphB=1500, WphC=700)
    assert (reading.phase_sum_w, reading.p_phase_w) == (None, None)


def test_a_meter_counts_both_ways() -> None:
    assert (metered().energy_wh, metered().energy_in_wh) == (8000, 3000)


@pytest.mark.parametrize(
    ("name", "model", "points", "phases"),
    [
        ("pv_103", 103, {"AphA": 4, "AphB": 4, "AphC": 4, **AT_230}, (1000, 1000, 1000)),
        ("pv_103", 103, {"AphA": 6, "AphB": 4, "AphC": 2, **AT_230}, (1500, 1000, 500)),
        ("pv_103", 103, {"AphA": 0, "AphB": 0, "AphC": 0}, (1000, 1000, 1000)),
        ("pv_103", 103, {"AphA": 4}, (1000, 1000, 1000)),
        ("pv_7xx", 701, {"ACType": 2, "WL1": 1500, "WL2": 1000, "WL3": 500}, (1500, 1000, 500)),
        ("pv_7xx", 701, {"ACType": 2, "WL1": 1500, "WL2": 1000}, (1000, 1000, 1000)),
        ("pv_7xx", 701, {"ACType": 2, "WL1": 0, "WL2": 0, "WL3": 0}, (1000, 1000, 1000)),
        ("pv_7xx", 701, {"ACType": 1, "WL1": 1400, "WL2": 1600}, (1400, 1600)),
        ("pv_7xx", 701, {"ACType": 0}, None),
        ("pv_7xx", 701, {"ACType": None}, None),
        ("pv_101", 101, {}, None),
    ],
)
def test_an_inverter_gives_to_its_phases_what_it_tells_or_alike(
    name: str, model: int, points: Any, phases: Any
) -> None:
    fake = lay_out(name)
    fake.put(model, **{"W": 3000, **points})
    assert fake.reading(bound(fake, bind_pv)).p_phase_w == (None if phases is None else pytest.approx(phases))


@pytest.mark.parametrize("phase", [0, 1, 2])
def test_an_inverter_of_one_phase_gives_to_the_one_that_the_site_file_names(phase: int) -> None:
    fake = lay_out("pv_101")
    fake.put(101, W=3000)
    phases = fake.reading(bound(fake, bind_pv, phase=phase)).p_phase_w
    assert phases == tuple(3000 if each == phase else 0 for each in range(3))


def test_an_inverter_that_does_not_tell_its_power_tells_no_phase() -> None:
    fake = lay_out("pv_103")
    fake.put(103, W=None)
    assert fake.reading(bound(fake, bind_pv)).p_phase_w is None


VOLTS_1XX: dict[str, Any] = {"PhVphA": 231, "PhVphB": 229, "PhVphC": 240}
VOLTS_701 = {"VL1": 231, "VL2": 229, "VL3": 240}


@pytest.mark.parametrize(
    ("name", "model", "points", "phase", "volts"),
    [
        ("pv_103", 103, VOLTS_1XX, None, (231, 229, 240)),
        ("pv_103", 103, {**VOLTS_1XX, "PhVphB": None}, None, (231, None, 240)),
        ("pv_103", 103, dict.fromkeys(VOLTS_1XX), None, None),
        ("pv_7xx", 701, {"ACType": 2, **VOLTS_701}, None, (231, 229, 240)),
        ("pv_7xx", 701, {"ACType": 1, **VOLTS_701}, None, (231, 229)),
        ("pv_101", 101, VOLTS_1XX, 1, (None, pytest.approx(700 / 3), None)),
        ("pv_101", 101, {"PhVphA": 231, "PhVphB": None, "PhVphC": None}, 2, (None, None, 231)),
        ("pv_101", 101, VOLTS_1XX, None, None),
        ("pv_7xx", 701, {"ACType": None, "LNV": 231, **dict.fromkeys(VOLTS_701)}, 0, (231, None, None)),
    ],
)
def test_an_inverter_tells_the_voltages_of_its_phases(
    name: str, model: int, points: Any, phase: int | None, volts: Any
) -> None:
    fake = lay_out(name)
    fake.put(model, W=3000, **points)
    assert fake.reading(bound(fake, bind_pv, phase=phase)).v_phase_v == volts


def test_one_that_does_not_tell_how_it_is_connected_gives_to_the_phase_that_the_site_file_names() -> None:
    fake = lay_out("pv_7xx")
    fake.put(701, W=3000, ACType=None)
    assert fake.reading(bound(fake, bind_pv, phase=2)).p_phase_w == (0.0, 0.0, 3000)


def test_a_meter_tells_the_voltages_of_its_phases() -> None:
    assert metered(**VOLTS_1XX).v_phase_v == (231, 229, 240)
    assert metered(PhVphA=None, PhVphB=None, PhVphC=None).v_phase_v is None
