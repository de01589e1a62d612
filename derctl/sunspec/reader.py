"""The control path's decoder: one struct.unpack over the span of the points asked for, their scale factors included."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from derctl.errors import DecodeError
from derctl.sunspec.decode import scaled
from derctl.sunspec.points import Raw, Value, meaning, unpack
from derctl.sunspec.tables import Model, Point

Row = tuple[str, int, Raw | None]
"""A point's name, its place in the unpacked tuple, and the one raw value that means nothing."""
_DIVISORS = {-exponent: float(10**exponent) for exponent in range(1, 11)}
_FACTORS = {exponent: float(10**exponent) for exponent in range(11)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Decodes chosen points of one model. Values equal those of `decode`.

    first, count: the registers it needs, counted from the model's ID register; whoever reads just these calls it with
    offset=-first. Call: `reader(registers, offset=0)`, where registers[offset] is the model's ID register and None is
    a register that could not be read. Returns every asked point, None where it has no value. Raises DecodeError where
    registers are missing or no 16-bit numbers.
    """

    model: int
    first: int
    count: int
    sf_default: int | None
    points: tuple[Point, ...] = field(repr=False)
    _blank: dict[str, Value | None] = field(repr=False)
    _pack: Callable[..., bytes] = field(repr=False)
    _unpack: Callable[[bytes], tuple[Raw, ...]] = field(repr=False)
    _plain: tuple[tuple[str, int, Point], ...] = field(repr=False)
    _scaled: tuple[tuple[int, tuple[Row, ...]], ...] = field(repr=False)

    def __call__(self, registers: Sequence[int | None], offset: int = 0) -> dict[str, Value | None]:
        ...
