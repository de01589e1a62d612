"""The point types against the table of the Device Information Model Specification V1.2."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from derctl.errors import DecodeError
from derctl.sunspec import POINT_TYPES
from derctl.sunspec.points import meaning, unpack

# type: registers, lowest and highest value, the registers that say "not implemented"
SPECIFICATION = {
    "int16": (1, -32767, 32767, [0x8000]),
    "uint16": (1, 0, 65534, [0xFFFF]),
    "count": (1, 0, 65534, [0xFFFF]),
    "acc16": (1, 1, 65535, [0]),
    "enum16": (1, 0, 65534, [0xFFFF]),
    "bitfield16": (1, 0, 0x7FFF, [0xFFFF]),
    "int32": (2, -(2**31) + 1, 2**31 - 1, [0x8000, 0]),
    "uint32": (2, 0, 2**32 - 2, [0xFFFF] * 2),
    "acc32": (2, 1, 2**32 - 1, [0, 0]),
    "enum32": (2, 0, 2**32 - 2, [0xFFFF] * 2),
    "bitfield32": (2, 0, 2**31 - 1, [0xFFFF] * 2),
    "int64": (4, -(2**63) + 1, 2**63 - 1, [0x8000, 0, 0, 0]),
    "uint64": (4, 0, 2**64 - 2, [0xFFFF] * 4),
    "acc64": (4, 1, 2**64 - 1, [0] * 4),
    "bitfield64": (4, 0, 2**63 - 1, [0xFFFF] * 4),
    "sunssf": (1, -10, 10, [0x8000]),
}


def big_endian(value: int, registers: int) -> list[int]:
    raw = (value % 2 ** (16 * registers)).to_bytes(2 * registers, "big")
    return list(struct.unpack(f">{registers}H", raw))


def read(kind: str, registers: list[int]) -> object:
    return meaning(POINT_TYPES[kind], unpack(POINT_TYPES[kind], registers))


def test_every_type_of_the_specification_is_known() -> None:
    others = {"float32", "float64", "string", "ipaddr", "ipv6addr", "eui48", "pad", "raw16"}
    assert set(POINT_TYPES) == others | set(SPECIFICATION)


@pytest.mark.parametrize("kind", SPECIFICATION)
def test_the_bounds_of_a_type_have_a_value_and_its_mark_has_none(kind: Any) -> None:
    registers, low, high, absent = SPECIFICATION[kind]
    assert read(kind, big_endian(low, registers)) == low
    assert read(kind, big_endian(high, registers)) == high
    assert read(kind, absent) is None


@pytest.mark.parametrize("kind", ["bitfield16", "bitfield32", "bitfield64"])
def test_a_bitfield_with_its_top_bit_set_is_ignored_whole(kind: str) -> None:
    assert read(kind, [0x8001, *[0] * (POINT_TYPES[kind].size - 1)]) is None


@pytest.mark.parametrize(
    ("kind", "registers", "value"),
    [
        ("raw16", [0xFFFF], 0xFFFF),
        ("pad", [0x5A5A], None),  # Kostal
        ("pad", [0x8000], None),
        ("float32", [0x3FC0, 0], 1.5),
        ("float32", [0x7FC0, 0], None),
        ("float32", [0xFF80, 0], None),
        ("float64", [0x3FF8, 0, 0, 0], 1.5),
        ("float64", [0x7FF8, 0, 0, 0], None),
        ("float64", [0x7FF0, 0, 0, 0], None),
        ("ipaddr", [0xC0A8, 0x0001], "192.168.0.1"),
        ("ipaddr", [0, 0], None),
        ("ipv6addr", [0x2001, 0xDB8, 0, 0, 0, 0, 0, 1], "2001:db8::1"),
        ("ipv6addr", [0] * 8, None),
        ("eui48", [0, 0x0102, 0x0304, 0x05AB], "01:02:03:04:05:AB"),
        ("eui48", [0, 0xFFFF, 0xFFFF, 0xFFFF], None),
        ("eui48", [0xFFFF] * 4, None),
        ("eui48", [0] * 4, None),
        ("string", [0x4142, 0x4300, 0], "ABC"),
        ("string", [0x4142, 0x0043, 0x4445], "AB"),
        ("string", [0, 0], None),
        ("string", [0x0080, 0], ""),
        ("string", [0xC3A9, 0], "é"),
        ("string", [0x41FF, 0], "A\ufffd"),
        ("string", [0xFFFF, 0xFFFF], "\ufffd" * 4),
    ],
)
def test_texts_floats_and_addresses(kind: str, registers: Any, value: Any) -> None:
    assert read(kind, registers) == value


def test_a_point_takes_exactly_its_registers() -> None:
    with pytest.raises(DecodeError):
        unpack(POINT_TYPES["uint32"], [1])


def test_what_does_not_fit_into_a_register_is_refused() -> None:
    with pytest.raises(DecodeError):
        unpack(POINT_TYPES["uint16"], [0x10000])
