"""A device is taken by the profile that its own identity chooses, and is not raised where nobody tried that."""

from __future__ import annotations

from typing import Any

import pytest

from derctl.core.exchange import Exchange, Op, Read, Registers
from derctl.core.words import ProfileBy, SeenBy, Timer
from derctl.devices import Options
from derctl.devices.fact import Fact
from derctl.devices.profile import Profile, Row
from derctl.devices.sunspec.der import bind_pv, bind_storage
from derctl.devices.sunspec.meter import bind_meter
from derctl.devices.types import Taken
from derctl.errors import BusTimeout, DeviceRefused
from derctl.links.models import model
from tests.fake import Fake, bound, lay_out

BY = Fact(by=SeenBy.REPORT, source="a thread")
ACME = Profile(name="acme", max_regs=40, min_limit_pct=10.0, match=(Row(fact=BY, maker="Acme"),))


def acme(kind: str = "pv_103", **changes: Any) -> Fake:
    return lay_out(kind, m1={"Mn": "Acme", "Md": "One", "Vr": "1.4"}, **changes)


def test_the_identity_chooses_from_the_shelf() -> None:
    device = bound(acme(), bind_pv, shelf=(ACME,))
    profile, by = device.habits.profile, device.habits.by
    assert (profile.name, by) == ("acme", ProfileBy.IDENTITY)
    assert device.can.least_w == 0.1 * device.rating.p_max_w  # its minimum limit is used
    assert all(part.count <= 40 for read in device.control.values() for part in read.parts)


def test_the_site_file_overrules_the_identity() -> None:
    device = bound(acme(), bind_pv)
    assert (device.habits.profile.name, device.habits.by) == ("generic", ProfileBy.SITE_FILE)


def test_a_device_that_no_profile_is_meant_for_is_taken_by_the_documents_and_that_is_known() -> None:
    device = bound(lay_out("pv_103"), bind_pv, shelf=(ACME,))
    assert (device.habits.profile.name, device.habits.by) == ("generic", ProfileBy.NOBODY)
    assert device.habits.unverified == ""


def test_a_length_that_was_learned_is_not_forgotten_for_the_profiles() -> None:
    device = bound(acme(), bind_pv, shelf=(ACME,), max_regs=20)
    assert device.habits.profile.max_regs == 20


SEEN = Profile(name="acme", seen=("1.0", "1.3"), match=(Row(fact=BY, maker="Acme"),))


def test_a_firmware_that_the_profile_was_not_seen_with_is_not_raised_until_the_site_file_takes_it() -> None:
    strange = bound(acme(), bind_pv, shelf=(SEEN,))
    assert "1.0 to 1.3" in strange.habits.unverified
    assert "firmware: '1.4'" in strange.habits.unverified
    assert strange.habits.unverified in strange.problems
    assert strange.can.limit  # it is lowered all the same
    assert bound(acme(), bind_pv, shelf=(SEEN,), taken=Taken(firmware="1.4")).habits.unverified == ""
    another = Taken(firmware="1.5")
    assert bound(acme(), bind_pv, shelf=(SEEN,), taken=another).habits.unverified != ""


def test_naming_the_profile_does_not_make_its_firmware_a_seen_one() -> None:
    fake = acme()
    device = fake.run(bind_pv(model, Options(profile=SEEN)))
    assert "1.4" in device.habits.unverified


def test_a_device_that_tells_no_firmware_may_have_any() -> None:
    fake = lay_out("pv_103", m1={"Mn": "Acme", "Md": "One", "Vr": ""})
    assert "tells no firmware" in bound(fake, bind_pv, shelf=(SEEN,)).habits.unverified
    assert bound(fake, bind_pv, shelf=(SEEN,), taken=Taken(firmware="")).habits.unverified == ""


def test_a_timer_of_124_that_does_nothing_is_not_counted_upon() -> None:
    fake = lay_out("storage_124")
    assert bound(fake, bind_storage).reversion.timer is Timer.NO_TARGET
    assert bound(fake, bind_storage, storage_reverts=False).reversion.timer is Timer.NONE


def test_a_counter_that_holds_the_makers_own_nothing_is_none() -> None:
    """Kostal's meter: evcc-io/evcc#18358."""
    fake = lay_out("meter_203")
    place = fake.places[203] + model(203).fixed["TotWhExp"].offset
    fake.registers |= {place: 0x8000, place + 1: 0}
    plain = fake.reading(bound(fake, bind_meter))
    assert plain.energy_wh is not None
    fake.registers |= {place: 0x8000, place + 1: 0}
    kept = fake.reading(bound(fake, bind_meter, absent={"203.TotWhExp": (0x80000000,)}))
    assert kept.energy_wh is None
    assert kept.p_w == plain.p_w


def silent_at(exchange: Exchange[Any], fake: Fake, span: range) -> Any:
    """Run it over a fake that gives no answer to reads that begin in `span`."""

    def answered(op: Op) -> Registers:
        assert isinstance(op, Read)
        if op.address in span and op.count > 2:
            raise BusTimeout("lan unit 1: no answer within 1 s")
        return fake.served(op)

    try:
        op = next(exchange)
        while True:
            try:
                words = answered(op)
            except BusTimeout as error:
                op = exchange.throw(error)
            else:
                op = exchange.send(words)
    except StopIteration as stop:
        return stop.value


def test_a_block_that_gets_no_answer_is_missing_only_where_the_profile_says_so() -> None:
    """SolarEdge: WillCodeForCats/solaredge-modbus-multi#811."""
    fake = lay_out("pv_103")
    at = fake.places[123]
    with pytest.raises(BusTimeout):
        silent_at(bind_pv(model, Options()), fake, range(at, at + 26))
    options = Options(profile=Profile(silence_is_missing=True))
    device = silent_at(bind_pv(model, options), fake, range(at, at + 26))
    assert not device.can.limit
    assert any("model 123 (no answer)" in lack for lack in device.lacks)


def test_a_block_that_is_refused_is_missing_unless_the_profile_says_otherwise() -> None:
    fake = lay_out("pv_103")
    at = fake.places[123]
    fake.refuse = lambda op: 4 if isinstance(op, Read) and op.address == at and op.count > 2 else None
    device = bound(fake, bind_pv)
    assert any("model 123 (exception 4)" in lack for lack in device.lacks)
    with pytest.raises(DeviceRefused):
        bound(fake, bind_pv, refused_is_missing=False)


def test_a_chain_that_had_to_be_repaired_is_written_only_where_the_maker_is_known_for_it() -> None:
    """Model 1 tells one register more than it has, so the next header stands before its place (SAX HOME: 4 more)."""
    fake = lay_out("pv_103")
    fake.registers[fake.places[1] + 1] += 1
    device = bound(fake, bind_pv)
    assert not device.can.steer and "the chain had to be repaired: this device is only read" in device.problems
    assert "the end of its map" in device.lacks
    device = bound(fake, bind_pv, repaired="write")
    assert device.can.limit and device.lacks == ()
    assert any("no header" in problem for problem in device.problems), "it is said all the same"
