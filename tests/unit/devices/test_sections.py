"""A unit with several sections: SolarEdge lists its meters behind a model 1 each."""

from __future__ import annotations

from typing import Any

import pytest

from derctl.devices.sunspec.bms import bind_bms
from derctl.devices.sunspec.der import bind_pv, bind_storage
from derctl.devices.sunspec.meter import bind_meter
from derctl.devices.sunspec.section import sections_of
from derctl.errors import DecodeError, SectionUnclear
from derctl.links.models import model
from tests.fake import (
    AC_1XX,
    AC_701,
    BATTERY_802,
    COMMON,
    METER,
    OFF_123,
    OFF_704,
    PLATE_120,
    PLATE_702,
    SET_121,
    chained,
)
from tests.fake import bound as bind

INVERTER = (1, {**COMMON, "Mn": "SolarEdge", "Md": "SE10K", "SN": "INV1"})
EXPORT = (1, {**COMMON, "Mn": "SolarEdge", "Md": "MTR-240", "SN": "MET2", "Opt": "Export+Import"})
SUN = (1, {**COMMON, "Mn": "SolarEdge", "Md": "MTR-240", "SN": "MET3", "Opt": "Production"})
GRID_203 = (203, METER)
SUN_203 = (203, {**METER, "W": 1100, "PhV": 229.0})
SOLAREDGE = (INVERTER, (103, AC_1XX), EXPORT, GRID_203, SUN, SUN_203)


def refused(fake: Any, driver: Any, **options: Any) -> str:
    with pytest.raises(SectionUnclear) as caught:
        bind(fake, driver, **options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("section", "serial", "p_w"),
    [
        (2, "MET2", 4200),
        (3, "MET3", 1100),
        ("Export+Import", "MET2", 4200),
        ("production", "MET3", 1100),
        ("MET3", "MET3", 1100),
        (" MET2 ", "MET2", 4200),
        ("3", "MET3", 1100),
    ],
)
def test_a_section_is_named_by_its_number_its_opt_or_its_serial_and_has_an_identity_of_its_own(
    section: Any, serial: str, p_w: float
) -> None:
    fake = chained(*SOLAREDGE)
    meter = bind(fake, bind_meter, section=section)
    assert (meter.identity.model, meter.identity.serial) == ("MTR-240", serial)
    assert fake.run(meter.identify()).serial == serial
    assert fake.reading(meter).p_w == p_w


def test_several_that_fit_are_listed_with_what_tells_them_apart_and_what_they_measure_now() -> None:
    text = refused(chained(*SOLAREDGE), bind_meter)
    assert "section: in the site file" in text
    for number, opt, serial, now in (
        (2, "Export+Import", "MET2", "4,200 W, 232 V"),
        (3, "Production", "MET3", "1,100 W, 229 V"),
    ):
        assert f"section {number} (SolarEdge MTR-240, Opt '{opt}', serial {serial}, 203: {now})" in text
    assert "INV1" not in text, "the inverter is no meter"


@pytest.mark.parametrize(
    ("section", "says"),
    [
        (1, "section 1 does not hold a meter"),
        (7, "there is no section 7"),
        ("MET9", "there is no section 'MET9'"),
        ("INV1", "section 1 does not hold a meter"),
    ],
)
def test_a_section_that_is_none_or_no_meter_is_refused_with_those_that_are(section: Any, says: str) -> None:
    text = refused(chained(*SOLAREDGE), bind_meter, section=section)
    assert says in text
    assert "MET2" in text and "MET3" in text


def test_a_text_that_is_true_of_two_sections_does_not_choose() -> None:
    twin = (1, {**SUN[1], "Opt": "Export+Import"})
    text = refused(
        chained(INVERTER, (103, AC_1XX), EXPORT, GRID_203, twin, SUN_203), bind_meter, section="Export+Import"
    )
    assert "is true of 2 and 3" in text


def test_the_only_meter_is_found_unasked_with_its_own_identity() -> None:
    """c08: model 1 of the inverter stands first."""
    fake = chained(INVERTER, (103, AC_1XX), EXPORT, GRID_203)
    assert bind(fake, bind_meter).identity.serial == "MET2"
    assert bind(fake, bind_pv, declared=_rated()).identity.serial == "INV1"


def _rated() -> Any:
    from derctl.core.types import Rating

    return Rating(
        p_max_w=10_000.0, p_min_w=0.0, s_max_va=10_000.0, q_inj_max_var=0.0, q_abs_max_var=0.0, v_nom_v=230.0
    )


def test_meters_behind_one_model_1_are_sections_of_their_own() -> None:
    fake = chained((1, COMMON), GRID_203, SUN_203)
    assert "section 1" in refused(fake, bind_meter) and "section 2" in refused(fake, bind_meter)
    assert [fake.reading(bind(fake, bind_meter, section=n)).p_w for n in (1, 2)] == [4200, 1100]


@pytest.mark.parametrize("first", [201, 203, 211])
def test_the_two_meters_need_not_be_of_one_model(first: int) -> None:
    fake = chained((1, COMMON), (first, METER), SUN, (204, {**METER, "W": 1100}))
    refused(fake, bind_meter)
    assert bind(fake, bind_meter, section=1).view.block.model_id == first
    assert bind(fake, bind_meter, section="Production").view.block.model_id == 204


ONE = (INVERTER, (103, AC_1XX), (120, PLATE_120), (121, SET_121), (123, OFF_123))
OTHER = (
    (1, {**COMMON, "SN": "INV2"}),
    (103, {**AC_1XX, "W": 900}),
    (120, {**PLATE_120, "WRtg": 3000}),
    (121, {**SET_121, "WMax": 3000}),
    (123, OFF_123),
)


def test_two_inverters_behind_one_unit_are_two_devices_with_their_own_ratings_and_registers() -> None:
    fake = chained(*ONE, *OTHER)
    assert "2 sections of this unit hold an inverter" in refused(fake, bind_pv)
    first, second = (bind(fake, bind_pv, section=section) for section in (1, "INV2"))
    assert (first.identity.serial, first.rating.p_max_w, fake.reading(first).p_w) == ("INV1", 5000, 3120)
    assert (second.identity.serial, second.rating.p_max_w, fake.reading(second).p_w) == ("INV2", 3000, 900)
    assert {view.block.address for view in first.controls.groups.views.values()}.isdisjoint(
        view.block.address for view in second.controls.groups.views.values()
    )


def test_what_stands_behind_another_model_1_still_belongs_to_the_only_inverter() -> None:
    fake = chained(INVERTER, (103, AC_1XX), (120, PLATE_120), (121, SET_121), EXPORT, GRID_203, (123, OFF_123))
    assert bind(fake, bind_pv).can.limit


def test_two_batteries_in_one_unit_are_told_apart() -> None:
    fake = chained(
        (1, COMMON), (802, BATTERY_802), (1, {**COMMON, "SN": "BAT2"}), (802, {**BATTERY_802, "SoC": 12.0})
    )
    assert "62 %" in refused(fake, bind_bms)
    assert fake.reading(bind(fake, bind_bms, section="BAT2")).soc_pct == 12.0


def test_a_section_that_can_not_be_read_now_is_listed_all_the_same() -> None:
    fake = chained(*SOLAREDGE)
    block, common = fake.starts[5], fake.starts[4]
    fake.refuse = lambda op: (
        4 if op.count > 2 and (common <= op.address < common + 68 or op.address == block) else None
    )
    text = refused(fake, bind_meter)
    assert "section 3 (no Opt, no serial, 203: can't be read now)" in text


def test_a_meter_that_measures_nothing_says_so_in_the_list() -> None:
    blank = {"Evt": 0}
    text = refused(chained(INVERTER, (103, AC_1XX), EXPORT, GRID_203, SUN, (203, blank)), bind_meter)
    assert "203: measures nothing now" in text


def test_storage_takes_the_battery_that_stands_beside_it() -> None:
    pair = ((701, AC_701), (702, PLATE_702), (704, OFF_704))
    fake = chained((1, COMMON), *pair, (802, BATTERY_802), *pair, (802, {**BATTERY_802, "SoC": 12.0}))
    assert [fake.reading(bind(fake, bind_storage, section=n)).soc_pct for n in (1, 2)] == [61.5, 12.0]


def test_a_meter_that_moves_up_into_the_place_of_another_is_noticed() -> None:
    """The first one is switched off and vanishes from the chain: the map reads as before, another meter answers."""
    fake, after = chained(*SOLAREDGE), chained(INVERTER, (103, AC_1XX), SUN, SUN_203)
    meter = bind(fake, bind_meter, section=2)
    assert fake.reading(meter).p_w == 4200
    fake.registers |= after.registers
    with pytest.raises(DecodeError, match="'MET3' stands where 'MET2' stood"):
        fake.reading(meter)
    assert meter.decode({"ac": fake.poll(meter)["ac"]}).p_w == 1100, "until its turn to be read comes"


def test_a_meter_without_a_serial_that_moves_up_is_noticed_by_its_opt() -> None:
    first, second = ({**COMMON, "SN": "", "Opt": text} for text in ("Export+Import", "Production"))
    fake = chained(INVERTER, (103, AC_1XX), (1, first), GRID_203, (1, second), SUN_203)
    after = chained(INVERTER, (103, AC_1XX), (1, second), SUN_203)
    meter = bind(fake, bind_meter, section="Export+Import")
    assert fake.reading(meter).p_w == 4200
    fake.registers |= after.registers
    with pytest.raises(DecodeError, match="Opt 'Production' stands where 'Export\\+Import' stood"):
        fake.reading(meter)


def test_an_opt_that_is_rubbish_says_nothing() -> None:
    fake = chained(INVERTER, (103, AC_1XX), EXPORT, GRID_203, SUN, SUN_203)
    meter = bind(fake, bind_meter, section=2)
    for offset in range(34, 42):
        fake.registers[fake.starts[2] + offset] = 0x0107
    assert fake.reading(meter).p_w == 4200


def test_one_that_tells_no_serial_any_more_is_not_another_one() -> None:
    fake = chained(*SOLAREDGE)
    meter = bind(fake, bind_meter, section=2)
    for offset in range(52, 68):
        fake.registers[fake.starts[2] + offset] = 0
    assert fake.reading(meter).p_w == 4200


def test_a_unit_whose_serial_needs_more_than_one_request_is_asked_for_it_in_parts() -> None:
    fake = chained(*SOLAREDGE)
    assert len(bind(fake, bind_meter, section=2, max_regs=60).slow["who"].parts) == 2


def test_every_block_of_a_chain_is_in_a_section() -> None:
    from derctl.devices import Options
    from derctl.devices.sunspec.layout import find

    fake = chained((160, {}), (1, COMMON), (103, AC_1XX), (160, {}), (160, {}), (1, COMMON), (203, METER))
    chain = fake.run(find(model, Options())).chain
    sections = sections_of(chain)
    assert [section.index for section in sections] == [1, 2]
    assert {block for section in sections for block in section.blocks} == set(chain.blocks)
