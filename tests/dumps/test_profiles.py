"""Recorded devices, found by who they say they are, through the profiles that ship, beside pysunspec2."""

from __future__ import annotations

from typing import Any

import pytest

from derctl.core.types import Fallback, Rating, Setpoint
from derctl.core.words import FallbackBy, ProfileBy, Timer
from derctl.devices import Options
from derctl.devices.fitting import met
from derctl.devices.sunspec.der import bind_pv
from derctl.devices.sunspec.layout import Layout
from derctl.devices.sunspec.measure import INVERTERS, METERS, POINTS_METER
from derctl.devices.sunspec.meter import bind_meter
from derctl.links.models import model
from derctl.site import profiles
from derctl.sunspec import Block, Chain
from tests.dumps.test_devices import theirs
from tests.fake import Fake, bound, from_dump

SHELF = tuple(profiles().values())
MEANT = {name: each.name for each in SHELF for name in each.about.dumps}
"""By recording."""
DECLARED = Rating(p_max_w=85000.0, p_min_w=0.0, s_max_va=85000.0, q_inj_max_var=0.0, q_abs_max_var=0.0, v_nom_v=277.0)
LIMITED = ["fimer", "fronius_ig_plus", "fronius_symo", "kaco_blueplanet_86tl3_blueplanet_86tl3"]


def found(fake: Fake) -> tuple[Layout, Options]:
    made: tuple[Layout, Options] = fake.run(met(model, Options(shelf=SHELF)))
    return made


def test_every_recording_has_its_profile(sunspec_dump: str) -> None:
    _, options = found(from_dump(sunspec_dump))
    assert options.profile.name == MEANT[sunspec_dump]
    by = ProfileBy.NOBODY if MEANT[sunspec_dump] == "generic" else ProfileBy.IDENTITY
    assert options.profile_by is by


def test_a_recording_has_a_firmware_that_its_profile_was_seen_with(sunspec_dump: str) -> None:
    layout, options = found(from_dump(sunspec_dump))
    seen = options.profile.seen
    assert seen is None or (layout.identity.firmware and _inside(layout.identity.firmware, seen))


def _inside(firmware: str, seen: tuple[str, str]) -> bool:
    """By the digits as a person compares them, part by part."""
    parts = [[int("".join(filter(str.isdigit, part)) or 0) for part in each.split(".")] for each in (firmware, *seen)]
    return parts[1] <= parts[0] and parts[0][: len(parts[2])] <= parts[2]


def test_every_recording_gives_its_figures_through_its_profile(sunspec_dump: str) -> None:
    """What pysunspec2 reads in the same registers."""
    fake = from_dump(sunspec_dump)
    layout, _ = found(fake)
    if sunspec_dump.startswith("kostal_plenticore"):  # of its 103 only the header and one run were recorded
        return
    here = (v for v in ("LNV", "PhVphA", "PPVphAB", "PhV") if _has(layout, fake, v))
    ac = layout.find(*INVERTERS)
    bind = bind_meter if ac is None else bind_pv
    volts = next(here, None)
    v_nom_v = 230.0 if volts is None else (_of(layout, fake, volts) or 230.0)
    device = bound(fake, bind, shelf=SHELF, declared=DECLARED, v_nom_v=v_nom_v, **({} if ac else {"sign": 1}))
    reading = fake.reading(device)
    asleep = sunspec_dump.endswith("_asleep")
    assert reading.p_w == _of(layout, fake, "W")
    assert reading.f_hz == (None if asleep else _of(layout, fake, "Hz"))
    q = _of(layout, fake, "Var" if ac is not None and ac.model_id == 701 else "VAr" if ac is not None else "VAR")
    assert reading.q_var == q
    energy = "TotWhExp" if ac is None else "TotWhInj" if ac.model_id == 701 else "WH"
    assert reading.energy_wh == _of(layout, fake, energy)


def _block(layout: Layout) -> Block:
    block = layout.find(*INVERTERS) or layout.find(*METERS)
    assert block is not None
    return block


def _of(layout: Layout, fake: Fake, point: str) -> Any:
    return theirs(fake, _block(layout).model_id, point)


def _has(layout: Layout, fake: Fake, point: str) -> bool:
    table = model(_block(layout).model_id)
    return table is not None and point in table.fixed and bool(_of(layout, fake, point))


def test_kostals_meter_counts_nothing_where_it_holds_0x80000000() -> None:
    """Its body alone was recorded; the header is put before it. Its reactive counters hold what means nothing."""
    fake, ksem = from_dump("kostal_ksem"), profiles()["kostal_ksem"]
    fake.registers |= {40069: 203, 40070: 105}
    chain = Chain(base=40000, blocks=(Block(model_id=203, address=40069, length=105),))
    layout = Layout(chain=chain, identity=found(from_dump("elkor"))[0].identity, models=model, absent=ksem.absent)
    view = layout.view("ac", chain.blocks[0], POINTS_METER)
    fake.places[203] = 40069
    exported = theirs(fake, 203, "TotWhExp")
    values = view.values({"ac": tuple(fake.registers[view.read.address + i] for i in range(view.read.count))})
    assert values["TotWhExp"] == exported  # what it does count is left as it is, however odd
    table = model(203)
    assert table is not None
    place = 40069 + table.fixed["TotWhExp"].offset
    fake.registers |= {place: 0x8000, place + 1: 0}
    values = view.values({"ac": tuple(fake.registers[view.read.address + i] for i in range(view.read.count))})
    assert values["TotWhExp"] is None


@pytest.mark.parametrize("name", LIMITED)
def test_an_inverter_with_123_takes_its_limit_through_its_profile(name: str) -> None:
    fake = from_dump(name)
    device = bound(fake, bind_pv, shelf=SHELF)
    half = device.sendable(Setpoint(p_ceiling_w=device.rating.p_max_w / 2.0))
    accepted = fake.run(device.write(half, Fallback(), fake.poll(device)))
    assert accepted.p_ceiling_w == pytest.approx(half.p_ceiling_w)
    assert theirs(fake, 123, "WMaxLimPct") == pytest.approx(50.0, abs=1.0)
    assert theirs(fake, 123, "WMaxLim_Ena") == 1


def test_a_fronius_is_never_told_less_than_keeps_it_awake() -> None:
    fake = from_dump("fronius_ig_plus")
    device = bound(fake, bind_pv, shelf=SHELF)
    assert device.sendable(Setpoint(p_ceiling_w=0.05 * device.rating.p_max_w)).p_ceiling_w == 0.0
    assert any("every Modbus message" in problem for problem in device.problems)


@pytest.mark.parametrize("name", ["sma_solar_inverter", "sma_sunnyboy"])
def test_an_sma_is_told_and_not_asked(name: str) -> None:
    fake = from_dump(name)
    device = bound(fake, bind_pv, shelf=SHELF)
    half = device.sendable(Setpoint(p_ceiling_w=device.rating.p_max_w / 2.0))
    fake.run(device.write(half, Fallback(), fake.poll(device)))
    assert theirs(fake, 123, "WMaxLim_Ena") == 1
    assert device.promises(fake.poll(device), Fallback(p_ceiling_w=0.0, by=FallbackBy.STANDS)) is None


@pytest.mark.parametrize("name", ["solaredge_se33_3k_sn_103_01", "solaredge_se33_3k_sn_103_02", "solren"])
def test_one_without_control_models_is_read_at_the_site_files_rating(name: str) -> None:
    device = bound(from_dump(name), bind_pv, shelf=SHELF, declared=DECLARED, v_nom_v=277.0)
    assert not device.can.steer
    assert device.rating.p_max_w == 85000.0


def test_nobody_counts_on_the_timer_of_the_outback() -> None:
    device = bound(from_dump("outback"), bind_pv, shelf=SHELF, v_nom_v=120.0)
    assert device.reversion.timer is Timer.NONE
    assert device.absent_w(Fallback(p_ceiling_w=0.0)) == device.rating.p_max_w


def test_kostals_registers_are_written_one_by_one_and_read_in_parts_of_sixty() -> None:
    layout, options = found(from_dump("kostal_plenticore"))
    assert (layout.max_regs, options.profile.writes) == (60, "registers")
