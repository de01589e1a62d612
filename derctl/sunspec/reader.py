"""The control path's decoder: one struct.unpack over the span of the points asked for, their scale factors included.

The function is generated as source, like a dataclass's `__init__`: per point one comparison and one division stay.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import field
from typing import Any

from derctl.core.dataclass import dataclass
from derctl.errors import DecodeError
from derctl.sunspec.decode import Words, check_exponent, exponent_of, raw_at, value_of
from derctl.sunspec.points import TEXT, PointType, Value
from derctl.sunspec.tables import Model, Point

Values = dict[str, Value | None]
_EXACT = 10**15
"""Below this, raw / 10**n is the double nearest to the decimal, which is what decode's rounding arrives at too."""
_DIVISORS = {-exponent: float(10**exponent) for exponent in range(1, 11)}
_FACTORS = {0: 1, **{exponent: float(10**exponent) for exponent in range(1, 11)}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Decodes chosen points of one model, with the values that `decode` gives them.

    first, count: the registers it needs, counted from the model's ID register; who reads just these calls it with
    offset=-first. Call: `reader(registers, offset=0)`, where registers[offset] is the model's ID register and None a
    register that could not be read. Returns every point asked for, None where it has no value. Raises DecodeError
    where registers are missing or are no 16-bit numbers.
    """

    first: int
    count: int
    source: str = field(repr=False)
    _read: Callable[[Words, int], Values] = field(repr=False)

    def __call__(self, registers: Words, offset: int = 0) -> Values:
        return self._read(registers, offset)


def compile_reader(model: Model, points: Sequence[str], *, sf_default: int | None = None) -> Reader:
    """A reader for `points` of the model's fixed part (names as in `model.fixed`), in that order.

    sf_default as in `decode`. Raises DecodeError for a point that isn't there.
    """
    check_exponent(sf_default)
    wanted = {name: _point(model, name) for name in points}
    scales = {point.sf: _point(model, point.sf) for point in wanted.values() if isinstance(point.sf, str)}
    needed = sorted({**wanted, **scales}.items(), key=lambda each: each[1].offset)
    first = min((point.offset for _, point in needed), default=0)
    count = max((point.end for _, point in needed), default=0) - first
    source = "\n".join(_source(first, count, {name: f"u{i}" for i, (name, _) in enumerate(needed)}, wanted))
    space: dict[str, Any] = {
        "pack": struct.Struct(f">{count}H").pack,
        "unpack": struct.Struct(_format(first, needed)).unpack,
        "error": struct.error,
        "divisors": _DIVISORS,
        "factors": _FACTORS,
        "blank": dict.fromkeys(wanted),
        "sf_default": sf_default,
        "slow": _slow(model.id, range(first, first + count), wanted, scales, sf_default),
        "value_of": value_of,
        "point": wanted,
        **TEXT,
    }
    exec(source, space)
    return Reader(first=first, count=count, source=source, _read=space["read"])


def _point(model: Model, name: str) -> Point:
    try:
        return model.fixed[name]
    except KeyError:
        raise DecodeError(f"model {model.id}: no point {name!r} in its fixed part") from None


def _format(first: int, needed: list[tuple[str, Point]]) -> str:
    parts, at = [">"], first
    for _, point in needed:
        parts.append(f"{2 * (point.offset - at)}x" + point.type.format(point.size))
        at = point.end
    return "".join(parts)


def _slow(
    model: int, span: range, wanted: dict[str, Point], scales: dict[str, Point], sf_default: int | None
) -> Callable[[Words, int], Values]:
    """The same with registers that could not be read among them, point by point."""

    def read(registers: Words, offset: int) -> Values:
        if offset + span.start < 0 or len(registers) < offset + span.stop:
            raise DecodeError(f"model {model}: registers {span} at {offset} of only {len(registers)} that were read")
        factors = {
            name: exponent_of(point, raw_at(point, offset, registers), sf_default) for name, point in scales.items()
        }
        return {name: value_of(point, raw_at(point, offset, registers), factors) for name, point in wanted.items()}

    return read


def _source(first: int, count: int, names: dict[str, str], wanted: dict[str, Point]) -> Iterator[str]:
    yield "def read(registers, offset):"
    yield f"    start = offset + {first}"
    yield "    if start < 0:"
    yield "        return slow(registers, offset)"
    yield "    try:"
    yield f"        [{', '.join(names.values())}] = unpack(pack(*registers[start : start + {count}]))"
    yield "    except error:"
    yield "        return slow(registers, offset)"
    yield "    out = blank.copy()"
    for sf in {point.sf: None for point in wanted.values()}:
        alike = {name: point for name, point in wanted.items() if point.sf == sf}
        yield from _plain(names, alike) if sf is None else _scaled(sf, names, alike)
    yield "    return out"


def _plain(names: dict[str, str], points: dict[str, Point]) -> Iterator[str]:
    for name, point in points.items():
        if point.type.name in TEXT:
            yield f"    out[{name!r}] = {point.type.name}({names[name]})"
        elif point.type.name != "pad":
            yield f"    if {_means(point.type, names[name])}:"
            yield f"        out[{name!r}] = {names[name]}"


def _scaled(sf: str | int, names: dict[str, str], points: dict[str, Point]) -> Iterator[str]:
    """Negative exponents divide, so that no value passes through an inexact power."""
    exponent = names[sf] if isinstance(sf, str) else str(sf)
    yield f"    s = {exponent} if -10 <= {exponent} <= 10 else sf_default"
    for condition, constant, operation in (
        ("if s is None", "pass", ""),
        ("elif s < 0", "c = divisors[s]", "/ c"),
        ("else", "c = factors[s]", "* c"),
    ):
        yield f"    {condition}:"
        yield f"        {constant}"
        if operation:
            for name, point in points.items():
                yield from _product(name, point, names[name], operation)


def _product(name: str, point: Point, raw: str, operation: str) -> Iterator[str]:
    """Lines that leave the scaled value in `out`; by decode's own function where one operation isn't exact."""
    careful = f"out[{name!r}] = value_of(point[{name!r}], {raw}, {{{point.sf!r}: s}})"
    if not point.type.integer:
        yield f"        {careful}"
        return
    yield f"        if {_exact(point.type, raw) if point.size > 2 else _means(point.type, raw)}:"
    yield f"            out[{name!r}] = {raw} {operation}"
    if point.size > 2:
        yield f"        elif {raw} != {point.type.absent!r}:"
        yield f"            {careful}"


def _exact(kind: PointType, raw: str) -> str:
    return f"{raw} < {_EXACT}" if kind.low == 0 else f"{max(int(kind.low), -_EXACT)} <= {raw} < {_EXACT}"


def _means(kind: PointType, raw: str) -> str:
    """The cheapest test that a raw value of this type is one."""
    if not kind.integer:
        return f"{raw} - {raw} == 0.0"
    if kind.name == "sunssf":
        return f"-10 <= {raw} <= 10"
    if kind.low == 1:
        return raw
    return f"{raw} <= {kind.high}" if kind.low == 0 else f"{raw} != {kind.absent!r}"
