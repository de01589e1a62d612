"""Who answers: a serial number that isn't told is unknown, and neither an identity nor a difference."""

from __future__ import annotations

import pytest

from derctl.daemon.channel.believed import judged, merged, newer, number, rates_differ
from derctl.devices import Identity
from tests import make

ONE = Identity(maker="Acme", model="One", serial="SN1", firmware="1")


def one(serial: str = "", **other: str) -> Identity:
    return Identity(**{"maker": "Acme", "model": "One", "firmware": "1", "serial": serial, **other})


@pytest.mark.parametrize("serial", ["", "   ", "0000000", "0", "---", "\x00\x05", "SN\ufffd", "\t\n"])
def test_a_serial_number_that_says_nothing_is_unknown(serial: str) -> None:
    assert number(serial) == ""
    assert judged(ONE, None, one(serial)) == (None, False, True)
    assert judged(one(serial), None, ONE) == (None, False, True)


@pytest.mark.parametrize("serial", ["SN1", "SN1  ", " SN1", "SN1\n"])
def test_blanks_around_a_serial_number_are_no_difference(serial: str) -> None:
    for known, expected in ((ONE, None), (None, "SN1"), (None, serial)):
        assert judged(known, expected, one(serial)) == (None, True, True)


@pytest.mark.parametrize(("known", "expected"), [(ONE, None), (None, "SN1"), (one("SN2"), "SN1")])
def test_two_serial_numbers_are_two_devices(known: Identity | None, expected: str | None) -> None:
    assert judged(known, expected, one("SN2")).objection == "serial 'SN2' answers, 'SN1' is expected"


def test_one_that_hides_behind_an_unknown_serial_number_is_known_by_its_make() -> None:
    assert judged(ONE, None, one("", model="Two")).objection == "Acme Two answers, Acme One is expected"
    assert judged(one(), None, one("SN9", maker="Bolt")).objection == "Bolt One answers, Acme One is expected"
    assert judged(ONE, None, Identity()).objection is None, "what it doesn't tell is no difference"
    assert judged(Identity(), None, ONE).objection is None
    assert judged(ONE, None, one("", model="?\u00c2?")).objection is None, "rubbish tells nothing"


def test_after_a_time_without_one_the_serial_number_that_was_known_still_counts() -> None:
    known = merged(ONE, one(""))
    assert known == ONE
    assert judged(known, None, one("SN2")).objection is not None
    assert merged(one(), ONE) == ONE, "one that is told later is learnt"
    assert merged(None, ONE) == ONE
    assert merged(ONE, Identity(maker="??", model="One", firmware="2")) == one("SN1", firmware="2")


def test_the_site_files_serial_number_is_wanted_before_anything_is_written() -> None:
    assert judged(None, "SN1", one("")).objection == "tells no serial number, 'SN1' is expected"
    assert judged(ONE, "SN1", one("")) == (None, False, False), "it was that one: read, and not written"
    assert judged(ONE, "SN1", one("", model="Two")).objection == "Acme Two answers, Acme One is expected"


def test_a_nameless_one_is_called_so() -> None:
    other = judged(Identity(maker="Acme"), None, Identity(maker="Bolt"))
    assert other.objection == "Bolt answers, Acme is expected"


@pytest.mark.parametrize(
    ("p_max_w", "p_min_w", "differs"),
    [
        (5_000.0, -3_000.0, False),
        (5_200.0, -3_000.0, False),
        (6_000.0, -3_000.0, True),
        (5_000.0, 0.0, True),
    ],
)
def test_one_without_a_serial_number_is_known_by_its_rating(p_max_w: float, p_min_w: float, differs: bool) -> None:
    known = make.rating(p_max_w=5_000.0, p_min_w=-3_000.0)
    told = rates_differ(known, make.rating(p_max_w=p_max_w, p_min_w=p_min_w))
    assert (told is not None) is differs
    assert rates_differ(None, known) is None


def test_other_firmware_is_told_only_by_who_tells_it() -> None:
    assert newer(ONE, one("SN1", firmware="2"))
    assert not newer(ONE, one("SN1", firmware="")) and not newer(one("SN1", firmware="?\u00fe"), ONE)
