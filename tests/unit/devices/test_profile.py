"""Which profile fits a device, by the words that real ones say in SunSpec model 1."""

from __future__ import annotations

from typing import Any

import pytest

from derctl.core.words import SeenBy
from derctl.devices.fact import Fact
from derctl.devices.profile import Profile, Row, best, within
from derctl.site import profiles

SEEN = [
    ("Fronius", "Symo 8.2-3-M", {101, 123}, "fronius"),  # evcc-io/evcc#16924
    ("Fronius", "IG+V11.4", {101, 123}, "fronius"),  # SolarNetwork/solarnetwork-node, test-data-101-01
    ("Fronius", "Symo GEN24 10.0", {103, 123}, "fronius_gen24"),  # callifo/fronius_modbus
    ("KACO new energy", "blueplanet 8.6 TL3 INT", {103, 113}, "kaco"),  # pkg kaco-modbus 1.1.0
    ("KOSTAL", "PLENTICORE plus5.5", {103, 113}, "kostal"),  # evcc-io/evcc#12444
    ("SMA", "Solar Inverter", {103, 123}, "sma"),  # SolarNetwork/solarnetwork-node, test-data-103-05
    ("SMA", "SB3.6-1AV-41", {101, 123}, "sma"),  # nielsbasjes/sunspec-device
    ("SMA", "STP 25-50", {1, 123, 701, 702}, "sma_tripower_x"),  # its chain: CJNE/ha-sunspec#203
    ("SolarEdge", "SE10K", {103}, "solaredge"),  # volkszaehler/mbmd#128
    ("SolarEdge ", "SE33.3K", {103}, "solaredge"),  # SolarNetwork/solarnetwork-node, test-data-103-01
    ("FIMER", "-3Q58-", {103, 123}, "fimer"),  # nielsbasjes/sunspec-device
    ("OutBack Power", "OGHI8048A", {701, 704}, "outback"),  # SolarNetwork/solarnetwork-node, test-data-der-01
    ("Somebody", "DER 10", {701, 704}, "generic_7xx"),  # the documents
    ("Veris Industries", "E51C2", {203}, None),  # SolarNetwork/solarnetwork-node, test-data-203-01
    ("Smartfox", "Pro", {103}, None),  # a name that only begins as SMA's
    ("", "", set[int](), None),
]
SOMEBODY = Fact(by=SeenBy.REPORT, source="a thread")


@pytest.mark.parametrize(("maker", "model", "models", "name"), SEEN)
def test_a_device_that_was_seen_is_taken_by_its_makers_profile(
    maker: Any, model: Any, models: set[int], name: str | None
) -> None:
    found = best(profiles().values(), maker, model, models=models)
    assert (None if found is None else found.name) == name


def test_a_row_fits_where_all_that_it_names_does() -> None:
    kostal = profiles()["kostal"]
    assert kostal.fit("kostal", "Plenticore plus 10")
    assert not kostal.fit("KOSTAL", "Smart Energy Meter")
    assert not kostal.fit("Other", "PLENTICORE")


def test_the_longest_words_win_wherever_they_stand_on_the_shelf() -> None:
    maker = Profile(name="maker", match=(Row(fact=SOMEBODY, maker="Acme"),))
    model = Profile(name="model", match=(Row(fact=SOMEBODY, maker="Acme", model="One"),))
    chain = Profile(name="chain", match=(Row(fact=SOMEBODY, maker="Acme", has=701),))
    for shelf in ((maker, model, chain), (chain, model, maker)):
        assert best(shelf, "Acme", "One", models={701}) is model
        assert best(shelf, "Acme", "Two", models={701}) is chain
        assert best(shelf, "Acme", "Two") is maker
        assert best(shelf, "Other", "One") is None


def test_a_row_can_mean_some_firmware_alone() -> None:
    old = Profile(name="old", match=(Row(fact=SOMEBODY, maker="Acme", firmware=("1.0", "1.9")),))
    every = Profile(name="every", match=(Row(fact=SOMEBODY, maker="Acme"),))
    assert best((every, old), "Acme", "One", "1.4") is old
    assert best((every, old), "Acme", "One", "2.0") is every
    assert best((every, old), "Acme", "One", "") is every


@pytest.mark.parametrize(
    ("firmware", "inside"),
    [
        ("3.11.02.R", True),  # SMA: SolarNetwork/solarnetwork-node
        ("4.00.75.R", True),  # SMA: nielsbasjes/sunspec-device
        ("3.12.8.R", True),
        ("4.00.76.R", False),
        ("4.1", False),
        ("3.10.99.R", False),
        ("", False),
        ("beta", False),
    ],
)
def test_a_firmware_lies_between_two_by_its_numbers(firmware: str, inside: bool) -> None:
    assert within(firmware, ("3.11.2", "4.0.75")) is inside


def test_the_newest_firmware_is_meant_with_all_that_begins_so() -> None:
    assert within("1.39.5-1", ("1.0", "1.39"))
    assert not within("1.40.0-1", ("1.0", "1.39"))
    assert within("V5.53", ("5.53", "5.53"))


def test_only_a_capture_and_the_maker_confirm_anything() -> None:
    assert [by for by in SeenBy if Fact(by=by, source="x").confirmed] == [SeenBy.CAPTURE, SeenBy.DOCUMENT]
    assert [by for by in SeenBy if Fact(by=by, source="x").quoted] == [SeenBy.QUOTED]
    fronius = profiles()["fronius"]
    assert fronius.confirmed("timer_rearm")
    assert not fronius.confirmed("write_min_interval_s")  # assumed
    assert not fronius.confirmed("settle_s")  # nobody says anything of it
