"""SunSpec point types: size, raw range, "not implemented", and the way between registers and a value.

Source: SunSpec Device Information Model Specification V1.2, section "Data types"; names as in the model JSON.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address
from types import MappingProxyType

from derctl.core.dataclass import dataclass
from derctl.errors import DecodeError

Raw = int | float | bytes
"""What the registers say before anybody asks whether it means anything: 65535, NaN and b'\\0\\0' included."""
Value = int | float | str
"""What a point means. `None` beside it is "not implemented"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PointType:
    """One data type. `size` in registers, 0 where each point states its own (string). `code` is struct's.

    `low` and `high` bound the raw values that mean something; `absent` is the raw value that says "not implemented"
    (None: the type has none, or its own rule). `number` is False for text and addresses.
    """

    name: str
    size: int
    code: str
    low: float = 0
    high: float = 0
    absent: Raw | None = None
    number: bool = True

    @property
    def integer(self) -> bool:
        return self.number and self.code not in "fd"

    def format(self, size: int) -> str:
        """struct code for a point of `size` registers."""
        return f"{2 * size}s" if self.code == "s" else self.code


def _signed(name: str, size: int, code: str) -> PointType:
    top = 2 ** (16 * size - 1)
    return PointType(name=name, size=size, code=code, low=1 - top, high=top - 1, absent=-top)


def _unsigned(name: str, size: int, code: str) -> PointType:
    top = 2 ** (16 * size) - 1
    return PointType(name=name, size=size, code=code, high=top - 1, absent=top)


def _accumulator(name: str, size: int, code: str) -> PointType:
    return PointType(name=name, size=size, code=code, low=1, high=2 ** (16 * size) - 1, absent=0)


def _bitfield(name: str, size: int, code: str) -> PointType:
    """Only the low bits count: a set top bit says "ignore all of this", so `high` is also the test for absence."""
    return PointType(name=name, size=size, code=code, high=2 ** (16 * size - 1) - 1, absent=2 ** (16 * size) - 1)


def _text(name: str, size: int, absent: bytes) -> PointType:
    return PointType(name=name, size=size, code="s", absent=absent, number=False)


_FLOAT32_MAX = 3.4028234663852886e38
_FLOAT64_MAX = 1.7976931348623157e308

_ALL = (
    _signed("int16", 1, "h"),
    _signed("int32", 2, "i"),
    _signed("int64", 4, "q"),
    PointType(name="sunssf", size=1, code="h", low=-10, high=10, absent=-0x8000),
    *(_unsigned(name, 1, "H") for name in ("uint16", "count", "enum16")),
    *(_unsigned(name, 2, "I") for name in ("uint32", "enum32")),
    _unsigned("uint64", 4, "Q"),
    PointType(name="raw16", size=1, code="H", high=0xFFFF),
    PointType(name="pad", size=1, code="H", high=0xFFFF, absent=0x8000),
    _accumulator("acc16", 1, "H"),
    _accumulator("acc32", 2, "I"),
    _accumulator("acc64", 4, "Q"),
    _bitfield("bitfield16", 1, "H"),
    _bitfield("bitfield32", 2, "I"),
    _bitfield("bitfield64", 4, "Q"),
    PointType(name="float32", size=2, code="f", low=-_FLOAT32_MAX, high=_FLOAT32_MAX, absent=math.nan),
    PointType(name="float64", size=4, code="d", low=-_FLOAT64_MAX, high=_FLOAT64_MAX, absent=math.nan),
    _text("ipaddr", 2, bytes(4)),
    _text("ipv6addr", 8, bytes(16)),
    _text("eui48", 4, b"\0\0" + b"\xff" * 6),
    _text("string", 0, b""),
)
POINT_TYPES: Mapping[str, PointType] = MappingProxyType({kind.name: kind for kind in _ALL})


def pack(registers: Sequence[int]) -> bytes:
    """Registers as bytes, high byte first. Raises DecodeError for anything that isn't 0..65535."""
    try:
        return struct.pack(f">{len(registers)}H", *registers)
    except struct.error as error:
        raise DecodeError(f"registers hold something that is no 16-bit number: {registers!r}") from error


def unpack(kind: PointType, registers: Sequence[int]) -> Raw:
    """The raw value of one point from exactly its registers. Raises DecodeError where their number is wrong."""
    if len(registers) != (kind.size or len(registers)):
        raise DecodeError(f"{kind.name} takes {kind.size} registers, got {len(registers)}")
    if kind.size == 1 and type(word := registers[0]) is int and 0 <= word <= 0xFFFF:
        return word - (word >> 15 << 16) if kind.code == "h" else word
    raw: Raw
    (raw,) = struct.unpack(">" + kind.format(len(registers)), pack(registers))
    return raw


def meaning(kind: PointType, raw: Raw) -> Value | None:
    """What a raw value says, None where it says "not implemented". A scale factor is not applied here.

    acc* 0 means "not accumulated" and is None, as pysunspec2 has it; a bitfield with its top bit set, any NaN or
    infinity, an all-zero text and a scale factor outside -10..10 are None; a pad never means anything.
    """
    if isinstance(raw, bytes):
        return TEXT[kind.name](raw)
    if kind.name == "pad" or not kind.low <= raw <= kind.high:
        return None
    return raw


def _string(raw: bytes) -> str | None:
    """NUL ends a string; all NUL is absent; 0x0080 first is the specification's way to say "empty"."""
    if raw[:2] == b"\0\x80":
        return ""
    return raw.split(b"\0", 1)[0].decode("utf-8", "replace") or None


def _eui48(raw: bytes) -> str | None:
    if not any(raw) or raw[2:] == b"\xff" * 6:
        return None
    return raw[2:].hex(":").upper()


def _ipaddr(raw: bytes) -> str | None:
    return str(IPv4Address(raw)) if any(raw) else None


def _ipv6addr(raw: bytes) -> str | None:
    return str(IPv6Address(raw)) if any(raw) else None


TEXT: Mapping[str, Callable[[bytes], str | None]] = {
    "string": _string,
    "eui48": _eui48,
    "ipaddr": _ipaddr,
    "ipv6addr": _ipv6addr,
}
