"""What a request takes on a serial line, against figures that were worked out by hand elsewhere."""

from __future__ import annotations

import pytest

from derctl.core.transaction import Serial, Transaction


@pytest.mark.parametrize(
    ("baud", "read_50_ms", "read_125_ms", "write_2_ms"),
    [(9600, 138, 309, 32), (19200, 69, 155, 16), (115200, 14, 29, 5.5)],
)
def test_a_serial_line_takes_the_time_of_its_characters_and_silences(
    baud: int, read_50_ms: float, read_125_ms: float, write_2_ms: float
) -> None:
    """Characters of 11 bits, t3.5 twice, and no time of the device itself."""
    line = Transaction(serial=Serial(baud=baud, parity="even"))
    assert line.read_s(50) * 1000 == pytest.approx(read_50_ms, abs=0.6)
    assert line.read_s(125) * 1000 == pytest.approx(read_125_ms, abs=0.6)
    assert line.write_s(2) * 1000 == pytest.approx(write_2_ms, abs=0.1)


@pytest.mark.parametrize(
    ("parity", "stop_bits", "bits"), [("none", 1, 10), ("none", 2, 11), ("even", 1, 11), ("odd", 1, 11)]
)
def test_a_character_is_a_start_bit_eight_of_it_and_what_follows(parity: str, stop_bits: int, bits: int) -> None:
    assert Serial(baud=9600, parity=parity, stop_bits=stop_bits).byte_s == bits / 9600


@pytest.mark.parametrize(("baud", "ms"), [(9600, 4.01), (19200, 2.005), (38400, 1.75), (115200, 1.75)])
def test_the_silence_is_three_and_a_half_characters_and_never_shorter_than_the_document_has_it(
    baud: int, ms: float
) -> None:
    """Modbus over Serial Line V1.02, 2.5.1.1."""
    assert Serial(baud=baud).silence_s * 1000 == pytest.approx(ms, abs=0.01)


def test_the_device_and_the_pause_take_their_time_too() -> None:
    line = Transaction(serial=Serial(baud=19200, parity="even"), answer_s=0.03)
    assert line.read_s(50) == pytest.approx(0.0688 + 0.03, abs=0.0005)
    paced = Transaction(serial=Serial(baud=19200, parity="even"), pause_s=0.1)
    assert paced.read_s(50) == pytest.approx(0.0688 + 0.1 - 0.002, abs=0.0005), "the pause has the silence in it"
    assert Transaction(answer_s=0.05, pause_s=1.0).read_s(125) == 1.05
    assert Transaction(answer_s=0.05, pause_s=1.0).write_s(5) == 1.05


def test_a_gap_is_read_through_while_that_costs_less_than_a_request() -> None:
    line = Transaction(serial=Serial(baud=9600, parity="even"))
    assert line.read_s(10 + line.gap) < line.read_s(10) + line.read_s(0) <= line.read_s(10 + line.gap + 1)
    assert line.gap == 9, "20 characters at most: 13 of a request and its answer, and twice 3.5 of silence"
    assert Transaction(serial=Serial(baud=9600), answer_s=1.0).gap == 125
    assert Transaction(answer_s=0.01).gap == 125, "registers cost nothing where characters take no time"
