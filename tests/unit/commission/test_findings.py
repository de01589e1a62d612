"""What is found of a device that was not met, or that does not fit, and of what is outside."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any, cast

import pytest

from derctl.commission import outside
from derctl.commission.finding import Found, Weight, heaviest_first, look, mend, note
from derctl.commission.fits import fits
from derctl.commission.live import Looked, findings, settled
from derctl.commission.met import Asked, Met, Neighbour, Trouble
from derctl.commission.reached import JUDGED, reached
from derctl.core.types import Fallback, Rating, Reading, Setpoint
from derctl.core.words import FallbackBy, Greeted, Timer
from derctl.devices import Device, Identity, Profile
from derctl.devices.profile import Habits
from derctl.devices.types import Reversion

ASKED = Asked(id="pv1", role="der", bus="roof", place="10.0.0.5:502", unit=1)
RATING = Rating(p_max_w=5000.0, p_min_w=0.0, s_max_va=5000.0, q_inj_max_var=0.0, q_abs_max_var=0.0, v_nom_v=230.0)


def device(**more: Any) -> Device:
    given: dict[str, Any] = {
        "rating": RATING,
        "identity": Identity(maker="Maker", model="Five", serial="7", firmware="1"),
        "habits": Habits(),
        "reversion": Reversion(timer=Timer.TARGET, model=704),
        "problems": (),
    }
    return cast(Device, SimpleNamespace(**given | more))


def met(asked: Asked = ASKED, **more: Any) -> Met:
    samples = more.pop("samples", (Reading(p_w=100.0),) * 3)
    return Met(asked=asked, device=more.pop("device", device()), samples=samples, **more)


def silent(*neighbours: Neighbour, trouble: Trouble = Trouble.SILENT, **more: Any) -> Met:
    return Met(asked=dataclasses.replace(ASKED, **more), trouble=trouble, said="no answer", neighbours=neighbours)


@pytest.mark.parametrize("trouble", Trouble)
def test_each_way_of_not_being_met_has_its_finding_and_remedy(trouble: Trouble) -> None:
    [found] = reached(silent(trouble=trouble))
    assert found.weight is Weight.MEND
    assert found.text and found.remedy
    assert trouble in JUDGED


@pytest.mark.parametrize(
    ("found", "code", "remedy"),
    [
        (silent(Neighbour(unit=3)), Found.UNIT_WRONG, "unit: 3"),
        (
            silent(Neighbour(unit=3, serial="8"), Neighbour(unit=4, serial="7"), wanted="7"),
            Found.UNIT_WRONG,
            "unit: 4",
        ),
        (silent(Neighbour(unit=3, serial="8"), wanted="7"), Found.UNIT_WRONG, "right one"),
        (silent(Neighbour(unit=1, settings="baud: 19200"), serial_line=True), Found.BAUD_WRONG, "baud: 19200"),
        (silent(serial_line=True), Found.LINE_SILENT, "A and B"),
        (silent(profile=Profile(max_clients=1)), Found.ONE_CLIENT, "other client"),
        (silent(), Found.PLACE_SILENT, "other client"),
        (silent(trouble=Trouble.CLOSED), Found.ONE_CLIENT, "other client"),
        (silent(role="bms"), Found.BMS_SILENT, "unit id"),
    ],
)
def test_who_answers_instead_decides_what_is_wrong(found: Met, code: Found, remedy: str) -> None:
    [finding] = reached(found)
    assert finding.code is code
    assert remedy in finding.remedy


def codes(each: Met) -> list[Found]:
    return [found.code for found in fits(each)]


def test_a_device_that_fits_is_nothing_to_tell() -> None:
    assert codes(met()) == []


REVERTS = dataclasses.replace(ASKED, fallback=Fallback(p_ceiling_w=1.0, by=FallbackBy.REVERSION))
STANDS = dataclasses.replace(ASKED, fallback=Fallback(p_ceiling_w=1.0, by=FallbackBy.STANDS))
NEVER = device(habits=Habits(profile=Profile(timer_rearm="none")))
NO_TIMER = device(reversion=Reversion())
FED = device(habits=Habits(profile=Profile(timer_rearm="any_message")))


@pytest.mark.parametrize(
    ("asked", "of", "code"),
    [
        (REVERTS, NEVER, [Found.TIMER_NEVER_REVERTS]),
        (REVERTS, NO_TIMER, [Found.TIMER_NEVER_REVERTS]),
        (REVERTS, FED, [Found.TIMER_FED_BY_READING]),
        (STANDS, NEVER, []),
        (ASKED, NEVER, []),
    ],
)
def test_a_timer_that_never_reverts_counts_where_the_site_file_counts_on_it(
    asked: Asked, of: Device, code: list[Found]
) -> None:
    assert codes(met(asked, device=of)) == code


def limits(*watts: float | None) -> tuple[Reading, ...]:
    return tuple(Reading(p_w=100.0, accepted=Setpoint(p_ceiling_w=each)) for each in watts)


@pytest.mark.parametrize(
    ("watts", "code"),
    [
        ((3000.0, 3000.0, 2500.0), [Found.LIMIT_MOVES]),
        ((None, None, 2500.0), [Found.LIMIT_MOVES]),
        ((2500.0, 2500.0, None), [Found.LIMIT_MOVES]),
        ((3000.0, 3000.0, 3010.0), [Found.LIMIT_STANDS]),
        ((5000.0, 5000.0, 5000.0), []),
        ((None, None, None), []),
    ],
)
def test_a_limit_that_moves_is_a_second_master_and_one_that_stands_is_somebodys(watts: Any, code: Any) -> None:
    assert codes(met(samples=limits(*watts))) == code


BMS = dataclasses.replace(ASKED, role="bms")
STORE = dataclasses.replace(ASKED, store=True)


@pytest.mark.parametrize(
    ("each", "code"),
    [
        (met(BMS, samples=(Reading(),) * 3), Found.BMS_SILENT),
        (met(samples=(Reading(),) * 3), Found.MEASURES_NOTHING),
        (met(samples=(None, None, Reading(p_w=1.0))), Found.ANSWERS_SELDOM),
        (met(STORE), Found.BMS_NOBODY),
        (met(slowest_s=0.7), Found.ANSWERS_SLOWLY),
        (met(device=device(habits=Habits(unverified="seen with another"))), Found.FIRMWARE_UNSEEN),
        (met(device=device(problems=("704 lacks its scale",))), Found.MAP_PROBLEM),
        (met(wrong=(("nominal", "it states 120 V"),)), Found.NOMINAL_WRONG),
    ],
)
def test_what_does_not_fit_is_named(each: Met, code: Found) -> None:
    assert code in codes(each)


def test_two_that_were_swapped_are_told_where_each_of_them_is() -> None:
    wrong = (("serial", "serial '7' answers, '8' is expected"),)
    first = met(dataclasses.replace(ASKED, wanted="8"), wrong=wrong)
    eight = device(identity=Identity(maker="Maker", model="Five", serial="8", firmware="1"))
    second = met(dataclasses.replace(ASKED, id="pv2", unit=2), device=eight)
    [found] = findings(Looked(met=(first, second), synced=True, clock_text=""))
    assert (found.code, found.about) == (Found.SERIAL_WRONG, "pv1")
    assert "unit: 2 for pv1" in found.remedy


def test_one_device_under_two_names_is_found_once() -> None:
    second = met(dataclasses.replace(ASKED, id="pv2", unit=2))
    found = findings(Looked(met=(met(), second), synced=True, clock_text=""))
    assert [(each.code, each.about) for each in found] == [(Found.MET_TWICE, "pv2")]


def test_sections_of_one_unit_are_not_one_device_twice() -> None:
    second = met(dataclasses.replace(ASKED, id="pv2"))
    assert findings(Looked(met=(met(), second), synced=True, clock_text="")) == []


HOUR_S = 3600.0


@pytest.mark.parametrize(
    ("greeted", "ends_in_s", "code"),
    [
        (Greeted.TAKEN, None, []),
        (Greeted.TAKEN, 400 * 24 * HOUR_S, []),
        (Greeted.TAKEN, 20 * 24 * HOUR_S, [Found.CERTIFICATE_ENDS]),
        (Greeted.EXPIRED, -5 * HOUR_S, [Found.BROKER_EXPIRED]),
        (Greeted.EXPIRED, None, [Found.BROKER_EXPIRED]),
        (Greeted.EARLY, None, [Found.BROKER_UNTRUSTED]),
        (Greeted.UNTRUSTED, None, [Found.BROKER_UNTRUSTED]),
        (Greeted.AWAY, None, [Found.BROKER_AWAY]),
        (Greeted.REFUSED, None, [Found.BROKER_REFUSES]),
        (Greeted.FILES, None, [Found.BROKER_UNTRUSTED]),
    ],
)
def test_each_answer_of_a_broker_has_its_finding(greeted: Any, ends_in_s: Any, code: Any) -> None:
    seen = outside.Broker(place="b:8883", greeted=greeted, said="no", ends_in_s=ends_in_s)
    assert [each.code for each in outside.broker(seen, synced=True)] == code


def test_an_expired_certificate_under_a_wrong_clock_points_at_the_clock() -> None:
    seen = outside.Broker(place="b:8883", greeted=Greeted.EXPIRED)
    [found] = outside.broker(seen, synced=False)
    assert "our clock is wrong" in found.text


def test_our_own_certificates_are_told_before_they_end_and_after() -> None:
    ours = [outside.Paper(about="roof", file="a.pem", ends_in_s=seconds) for seconds in (-HOUR_S, HOUR_S, 1e9)]
    assert [each.code for each in outside.papers(iter(ours))] == [Found.CERTIFICATE_EXPIRED, Found.CERTIFICATE_ENDS]


def test_a_clock_that_is_not_set_weighs_more_where_commands_come_over_a_broker() -> None:
    weights = [next(outside.clock(synced=False, text="not set. Do.", broker=each)).weight for each in (True, False)]
    assert weights == [Weight.MEND, Weight.LOOK]


def test_the_heaviest_come_first_and_a_note_keeps_nobody_from_control() -> None:
    some = [made(Found.MAP_PROBLEM, "pv1", "", "") for made in (note, look, mend)]
    assert [each.weight for each in heaviest_first(some)] == [Weight.MEND, Weight.LOOK, Weight.NOTE]
    assert settled(some[:1])
    assert not settled(some[:2])
