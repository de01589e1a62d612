"""Values as registers, for writing. Nothing leaves outside its type's range or as "not implemented" by accident."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping
from functools import cache
from ipaddress import IPv4Address, IPv6Address

from derctl.errors import SettingError
from derctl.sunspec.points import POINT_TYPES, PointType, Value, meaning
from derctl.sunspec.tables import Model, Point

Points = Mapping[str, Point]


def encode_point(
    model: Model, point_name: str, value: Value | None, *, sf: int | None, points: Points | None = None
) -> tuple[int, ...]:
    """The registers of one point. raw = round(value / 10**sf).

    sf: the exponent just read from the device, for a point that has a scale factor point; None for one without. A
    constant one comes from the definition. points: where to find the point instead of `model.fixed`, for a point in a
    repeating group (`dict(flatten(...))`). Raises SettingError naming model, point, raw value and allowed range.
    """
    return _encode(model, _find(model, points, point_name), point_name, value, sf)


def span(
    model: Model,
    first: str,
    last: str,
    values: Mapping[str, Value | None],
    sfs: Mapping[str, int | None],
    *,
    points: Points | None = None,
) -> tuple[int, tuple[int, ...]]:
    """One contiguous write from point `first` to `last`: (offset from the ID register, registers).

    values: by point name, one for every point in between; None writes "not implemented" on purpose. Pads need no
    value. sfs: by the name of the scale factor point. Raises SettingError as encode_point, and for a missing value.
    """
    pool = points or model.fixed
    start, end = _find(model, pool, first).offset, _find(model, pool, last).end
    inside = {name: point for name, point in pool.items() if start <= point.offset and point.end <= end}
    registers: list[int] = []
    for name, point in sorted(inside.items(), key=lambda each: each[1].offset):
        value = None if point.type.name == "pad" else _given(model, values, name)
        sf = sfs.get(point.sf) if isinstance(point.sf, str) else None
        registers += absent(point) if value is None else _encode(model, point, name, value, sf)
    if not registers:
        raise SettingError(f"model {model.id} {first}..{last}", last, f"the points from {first} on")
    return start, tuple(registers)


def absent(point: Point) -> tuple[int, ...]:
    """The registers that say "not implemented" for this point."""
    return _absent(point.type.name, point.size)


@cache
def _absent(kind: str, size: int) -> tuple[int, ...]:
    raw = POINT_TYPES[kind].absent
    if isinstance(raw, bytes) or raw is None:
        return _registers((raw or b"").ljust(2 * size, b"\0"))
    return _registers(struct.pack(">" + POINT_TYPES[kind].code, raw))


def _find(model: Model, points: Points | None, name: str) -> Point:
    try:
        return (points or model.fixed)[name]
    except KeyError:
        raise SettingError(f"model {model.id} {name}", name, "the points of the model") from None


def _given(model: Model, values: Mapping[str, Value | None], name: str) -> Value | None:
    if name not in values:
        raise SettingError(f"model {model.id} {name}", "nothing", "a value, or None for not implemented")
    return values[name]


def _encode(model: Model, point: Point, name: str, value: Value | None, sf: int | None) -> tuple[int, ...]:
    where = f"model {model.id} {name}"
    if not point.type.number:
        return _registers(_text(point, value, where))
    if isinstance(value, str | None) or (isinstance(value, float) and not math.isfinite(value)):
        raise SettingError(where, value, "finite numbers")
    exponent = _exponent(point, sf, where)
    raw = _raw(point.type, value, exponent)
    if not point.type.low <= raw <= point.type.high:
        raise SettingError(f"{where} (raw {raw}, scale factor {exponent})", value, _allowed(point.type, exponent))
    return _registers(struct.pack(">" + point.type.code, raw))


def _exponent(point: Point, sf: int | None, where: str) -> int:
    """A scale that nobody read is not assumed to be 0: that is how limits get written a hundred times too high."""
    exponent = sf if isinstance(point.sf, str) else point.sf or 0
    if exponent is None or not -10 <= exponent <= 10:
        raise SettingError(f"{where} scale factor {point.sf}", exponent, "-10..10")
    return int(exponent)


def _raw(kind: PointType, value: int | float, exponent: int) -> int | float:
    try:
        power: int = 10 ** abs(exponent)
        unscaled = value / power if exponent > 0 else value * power
        return round(unscaled) if kind.integer else unscaled
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _allowed(kind: PointType, exponent: int) -> str:
    low, high = (round(bound * 10.0**exponent, 10) for bound in (kind.low, kind.high))
    return f"{low:g}..{high:g} (raw {kind.low:.17g}..{kind.high:.17g})"


def _text(point: Point, value: Value | None, where: str) -> bytes:
    allowed = f"1..{2 * point.size} bytes of {point.type.name}"
    try:
        raw = _TEXT[point.type.name](str(value)).ljust(2 * point.size, b"\0")
    except ValueError as error:
        raise SettingError(where, value, f"{allowed}: {error}") from None
    read_back = meaning(point.type, raw)
    lossy = point.type.name == "string" and read_back != value
    if value is None or read_back is None or lossy or len(raw) != 2 * point.size:
        raise SettingError(where, value, allowed)
    return raw


def _eui48(text: str) -> bytes:
    octets = bytes.fromhex(text.replace(":", ""))
    if len(octets) != 6:
        raise ValueError("six octets")
    return b"\0\0" + octets


_TEXT: Mapping[str, Callable[[str], bytes]] = {
    "string": lambda text: text.encode("utf-8") or b"\0\x80",
    "eui48": _eui48,
    "ipaddr": lambda text: IPv4Address(text).packed,
    "ipv6addr": lambda text: IPv6Address(text).packed,
}


def _registers(raw: bytes) -> tuple[int, ...]:
    return struct.unpack(f">{len(raw) // 2}H", raw)
