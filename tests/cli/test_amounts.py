"""`derctl limit 3000 pv1 10m`: powers, names and durations in any order, and what can be taken two ways."""

from __future__ import annotations

import argparse
import time
from itertools import permutations

import pytest

from derctl.cli.amounts import Wanted, duration_s, moment, power_w, seconds, wanted
from derctl.store.interval import seconds_of

DERS = ("pv1", "pv2", "bat1")


@pytest.mark.parametrize("words", [*permutations(["3000", "pv1", "10m"])])
def test_the_order_of_words_does_not_matter(words: tuple[str, ...]) -> None:
    assert wanted(words, DERS) == Wanted(power_w=3000.0, der="pv1", for_s=600.0)


@pytest.mark.parametrize(
    ("words", "wish"),
    [
        (["3kW"], Wanted(power_w=3000.0)),
        (["3", "kW"], Wanted(power_w=3000.0)),
        (["0"], Wanted(power_w=0.0)),
        (["0W", "bat1"], Wanted(power_w=0.0, der="bat1")),
        (["2.5KW", "1h30m"], Wanted(power_w=2500.0, for_s=5400.0)),
        (["1e3", "nosuch"], Wanted(power_w=1000.0, der="nosuch")),
    ],
)
def test_what_is_left_out_is_the_site_and_the_usual_time(words: list[str], wish: Wanted) -> None:
    assert wanted(words, DERS) == wish


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["3000", "4000"], "2 powers: 3000 and 4000; give one"),
        (["3000", "10m", "2h"], "2 durations: 10m and 2h; give one"),
        (["3000", "pv1", "pv2"], "2 DERs: pv1 and pv2; give one"),
        (["pv1", "10m"], "how much? Give a power, such as 3000 or 3kW"),
        (["3,000"], "'3,000': write a number without commas, such as 3000 or 3.5kW"),
        (["3000", "0m"], "'0m' is no time"),
        (["3000", "pv1", "10x"], f"'10x' is no power, no time and no DER; DERs are {', '.join(sorted(DERS))}"),
    ],
)
def test_what_can_be_taken_two_ways_is_refused_in_one_line(words: list[str], says: str) -> None:
    with pytest.raises(argparse.ArgumentError) as refused:
        wanted(words, DERS)
    assert str(refused.value) == says


@pytest.mark.parametrize(
    ("text", "is_"),
    [
        ("2026", "2026-01-01T00:00:00.000Z"),
        ("2026-11", "2026-11-01T00:00:00.000Z"),
        ("2026-11-21", "2026-11-21T00:00:00.000Z"),
        ("2026-11-21T12:00Z", "2026-11-21T12:00:00.000Z"),
        ("2026-11-21T12:00:30.5", "2026-11-21T12:00:30.500Z"),
        ("2026-11-21T13:00+01:00", "2026-11-21T12:00:00.000Z"),
    ],
)
def test_a_moment_is_what_records_have(text: str, is_: str) -> None:
    assert moment(text) == is_


def test_a_duration_is_a_moment_so_long_ago() -> None:
    assert time.time() - seconds_of(moment("10m")) == pytest.approx(600.0, abs=60.0)


@pytest.mark.parametrize("text", ["yesterday", "", "2026-13", "12:00", "10x", "2026-11-21T25:00Z"])
def test_what_is_no_moment_is_refused_and_not_taken_for_all_or_nothing(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is no time"):
        moment(text)


@pytest.mark.parametrize("name", ["10m", "3000", "3kw"])
def test_a_der_whose_name_is_an_amount_is_asked_for_by_its_option(name: str) -> None:
    with pytest.raises(argparse.ArgumentError, match=f"--der {name}"):
        wanted(["2000", name], (*DERS, name))
    assert wanted(["2000"], ()) == Wanted(power_w=2000.0), "with --der no word is a name"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("90s", 90.0),
        ("10m", 600.0),
        ("10min", 600.0),
        ("2h", 7200.0),
        ("1d", 86400.0),
        ("1d2h3m4s", 93784.0),
        ("0.5h", 1800.0),
    ],
)
def test_a_duration_is_a_row_of_parts(text: str, value: float) -> None:
    assert duration_s(text) == seconds(text) == value


@pytest.mark.parametrize("text", ["", "m", "10", "m10", "10x", "1m1h", "-5m", "10 m"])
def test_what_is_no_duration_is_none(text: str) -> None:
    assert duration_s(text) is None


@pytest.mark.parametrize("text", ["0", "-1", "inf", "nan", "soon", "0s"])
def test_a_time_that_never_comes_is_refused_on_the_command_line(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        seconds(text)


def test_seconds_may_go_without_their_unit_where_only_a_time_can_stand() -> None:
    assert seconds("3600") == 3600.0


@pytest.mark.parametrize("text", ["", "W", "3 kW", "3MW", "0x10", "nan", "inf", "1_000", "３"])
def test_what_is_no_power_is_none(text: str) -> None:
    assert power_w(text) is None
