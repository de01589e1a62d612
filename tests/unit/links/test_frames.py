"""RTU frames: times by Modbus over serial line V1.02, bytes by its examples and those of Modbus V1.1b3."""

from __future__ import annotations

import pytest

from derctl.core.exchange import Read, Write
from derctl.links.wires.frames import Speed, answer_shape, frame_at, length_of, request_shape, shape_of

READ = Read(address=40000, count=50)


@pytest.mark.parametrize(
    ("baud", "quiet_ms"), [(9600, 3.646), (19200, 1.823), (38400, 1.75), (115200, 1.75)]
)  # V1.02, 2.5.1.1; characters of 10 bits
def test_silence_is_three_and_a_half_characters_and_above_19200_baud_1_75_ms(baud: int, quiet_ms: float) -> None:
    assert 1000 * Speed(baud=baud).quiet_s == pytest.approx(quiet_ms, abs=0.001)


@pytest.mark.parametrize(
    ("speed", "op", "ms"),
    [
        (Speed(baud=9600, bits=11), READ, 137.5),  # 8 + 105 characters of 11 bits, and two silences
        (Speed(baud=19200), READ, 62.5),
        (Speed(baud=115200), READ, 13.31),
        (Speed(baud=19200), Write(address=1, values=(1, 2)), 14.58),
        (Speed(baud=19200), Write(address=1, values=(1,), function=6), 11.98),
    ],
)
def test_how_long_a_request_and_its_answer_are_on_the_line(speed: Speed, op: Read | Write, ms: float) -> None:
    assert 1000 * speed.span_s(op) == pytest.approx(ms, rel=0.002)


REQUEST_3 = bytes.fromhex("1103006B00037687")
ANSWER_3 = bytes.fromhex("110306AE415652434049AD")
"""Frames that are printed in many descriptions of Modbus RTU, such as simplymodbus.ca's."""
ANSWER_16 = bytes.fromhex("11100001000212 98".replace(" ", ""))
BOTH_6 = bytes.fromhex("1106000100039A9B")


def test_an_answer_is_whole_when_its_length_and_crc_say_so() -> None:
    assert frame_at(ANSWER_3, 0) == ANSWER_3
    assert frame_at(b"\x07\x07" + ANSWER_3 + b"\x01", 2) == ANSWER_3
    assert frame_at(ANSWER_16, 0) == ANSWER_16
    assert frame_at(BOTH_6, 0) == BOTH_6
    for cut in range(len(ANSWER_3)):
        assert frame_at(ANSWER_3[:cut], 0) is None
    assert frame_at(ANSWER_3[:-1] + b"\x00", 0) is None
    assert frame_at(b"\x11\x2b" + ANSWER_3[2:], 0) is None


def test_a_request_says_how_its_answer_looks() -> None:
    op = Read(address=0x6B, count=3)
    assert shape_of(op) == request_shape(REQUEST_3) == answer_shape(ANSWER_3)
    assert length_of(shape_of(op)) == len(ANSWER_3)
    write = Write(address=1, values=(10, 258))
    assert shape_of(write) == answer_shape(ANSWER_16) == request_shape(bytes.fromhex("11100001000204000A0102C6F0"))
    assert length_of(shape_of(write)) == len(ANSWER_16)
    one = Write(address=1, values=(3,), function=6)
    assert shape_of(one) == answer_shape(BOTH_6) == request_shape(BOTH_6)


def test_a_refusal_has_the_shape_of_its_function() -> None:
    assert answer_shape(bytes.fromhex("0A8102B053")) == (0x81,)


COILS = bytes.fromhex("0A01040A000D"), bytes.fromhex("0A01020AF1")
"""13 coils from 1035 on, and their answer in two bytes (Modbus V1.1b3, 6.1: (N + 7) / 8 bytes)."""


def test_coils_stand_eight_to_a_byte() -> None:
    op = Read(address=0x040A, count=13, function=1)
    asked, answered = COILS
    assert shape_of(op) == request_shape(asked) == answer_shape(answered) == (1, 2)
    assert length_of(shape_of(op)) == len(answered) + 2, "with its check"
    assert shape_of(Read(address=0, count=16, function=2)) == (2, 2)
    assert shape_of(Read(address=0, count=17, function=2)) == (2, 3)
