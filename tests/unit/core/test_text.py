"""Nothing that a device says in words reaches a terminal, a topic or the log as a command."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from derctl.core.text import (
    amount,
    clean,
    device_text,
    edge_text,
    error_text,
    gives_text,
    power_text,
    serial_text,
    wish,
)


@given(st.text() | st.binary().map(lambda raw: raw.decode("utf-8", "replace")))
def test_whatever_a_device_says_is_one_printable_line_of_bounded_length(said: str) -> None:
    text = device_text(said)
    assert text.isprintable() and len(text) <= 64 and text == text.strip() and "\ufffd" not in text
    assert device_text(text) == text, "cleaned twice is cleaned once"
    assert serial_text(said) in {text, ""}
    assert clean(said).isprintable() and len(clean(said)) == len(said)


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("SUN2000-8KTL-M1", "SUN2000-8KTL-M1"),
        ("Fröñius  Symo", "Fröñius  Symo"),
        ("SN1   ", "SN1"),
        ("SN1\r\n", "SN1"),
        ("a\x1b[2J\x1b]0;owned\x07b", "a?[2J?]0;owned?b"),
        ("a\nforged line", "a forged line"),
        ("right\u202eleft", "right?left"),
        ("\x85\x9b31m", "?31m"),
        ("x" * 200, "x" * 64),
    ],
)
def test_escapes_newlines_and_blanks_go_and_letters_stay(said: str, text: str) -> None:
    assert device_text(said) == text


@pytest.mark.parametrize("said", ["", "   ", "\ufffd\x05k3", "A1\x1b[m", "\x07"])
def test_what_can_not_be_printed_is_no_serial_number(said: str) -> None:
    assert serial_text(said) == ""


@pytest.mark.parametrize(("said", "serial"), [("SN1 ", "SN1"), ("0000", "0000"), ("7E 01-x", "7E 01-x")])
def test_a_serial_number_stays_as_it_is(said: str, serial: str) -> None:
    assert serial_text(said) == serial


def test_an_errors_text_has_the_systems_words_and_the_file_but_not_its_number() -> None:
    assert error_text(OSError(28, "No space left on device", "/var/lib/derctl/x")) == (
        "/var/lib/derctl/x: No space left on device"
    )
    assert error_text(OSError(28, "No space left on device")) == "No space left on device"
    assert error_text(OSError("one of ours")) == "one of ours" == error_text(ValueError("one of ours"))


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("p_ceiling_w", 2_000.0, "2000 W"),
        ("min_pct", 12.5, "12.5 %"),
        ("remaining_s", 60, "60 s"),
        ("gain", 0.5, "0.5"),
        ("found", True, "True"),
        ("der", "pv1", "pv1"),
    ],
)
def test_a_value_is_said_with_the_unit_that_its_name_ends_in(name: str, value: object, text: str) -> None:
    assert amount(name, value) == text


def test_the_shape_of_a_function_is_said_by_its_settings() -> None:
    curve = {"function": "volt_var", "on": True, "reactive": True, "settings": {"points": [[0.9, 0.3], (1.1, -0.3)]}}
    assert wish(curve) == "volt_var (points 0.9/0.3 1.1/-0.3)"
    droop = {"function": "freq_droop", "settings": {"k_of": 0.03, "db_of_hz": 0.1}}
    assert wish(droop) == "freq_droop (k_of 0.03, db_of_hz 0.1 Hz)"
    assert wish({"function": "const_pf", "settings": {"pf": 0.9, "excitation": "injecting"}}) == (
        "const_pf (pf 0.9, excitation injecting)"
    )
    assert wish({"function": "volt_watt", "on": False, "settings": {}}) == "volt_watt (off)"
    assert wish({"function": "watt_var", "on": True, "settings": {}}) == "watt_var"


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"p_target_w": -1500.4}, "charging 1,500 W"),
        ({"p_target_w": 0.4, "soc_pct": 50.0}, "0 W, soc 50 %"),
        ({"poc_target_w": -500.0, "import_w": 900.0}, "importing 500 W, import 900 W"),
        ({"poc_target_w": 500.0}, "exporting 500 W"),
        ({"p_ceiling_w": -500.0, "p_floor_w": -900.0}, "charging at least 500 W, charging at most 900 W"),
        ({"p_ceiling_w": 500.0}, "500 W"),
    ],
)
def test_what_is_asked_for_says_which_way_it_goes(values: dict[str, object], text: str) -> None:
    assert wish(values) == text


def test_a_power_is_said_without_a_sign() -> None:
    assert [power_text(w) for w in (-1999.6, 0.0, -0.4, 20.0)] == [
        "charging 2,000 W",
        "0 W",
        "0 W",
        "discharging 20 W",
    ]
    assert [gives_text(w) for w in (-1999.6, -0.4, 20.0)] == ["draws 2,000 W", "gives 0 W", "gives 20 W"]
    assert [edge_text(w, ceiling=True) for w in (20.0, -20.0)] == ["at most 20 W", "charging at least 20 W"]
    assert [edge_text(w, ceiling=False) for w in (20.0, -20.0)] == ["at least 20 W", "charging at most 20 W"]
