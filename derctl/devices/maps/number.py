"""Registers to the number that a map's line says they are, and back. None: it means nothing."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence

from derctl.core.text import device_text
from derctl.core.words import Status
from derctl.devices.maps.line import SIZES, Line, Type
from derctl.devices.steps import ON_STEP
from derctl.errors import SettingError

Value = float | str | Status | tuple[str, ...]

SIGNED = {Type.S16: 16, Type.S32: 32}
TENS = 10
"""The highest power of ten that SunSpec's sunssf has."""


def raw_of(line: Line, words: Sequence[int]) -> int:
    """As one unsigned number."""
    value, own = 0, words[: width(line)]
    if line.type is Type.BITS:
        return sum(word << bit for bit, word in enumerate(own))
    for word in reversed(own) if line.low_first else own:
        value = value << 16 | word
    if line.part == "high":
        return value >> 8
    return value & 0xFF if line.part == "low" else value


def number(line: Line, words: Sequence[int]) -> float | None:
    """In the line's unit."""
    raw = raw_of(line, words)
    if raw in line.absent:
        return None
    if line.type is Type.F32:
        (value,) = struct.unpack(">f", raw.to_bytes(4, "big"))
        if not math.isfinite(value):
            return None
    else:
        bits = SIGNED.get(line.type)
        value = raw - (1 << bits) if bits is not None and raw >> (bits - 1) else raw
    tens = power_of_ten(line, words)
    if tens is None:
        return None
    scaled = float(line.sign * (value * tens * line.scale + line.offset))
    if line.valid is not None and not line.valid[0] <= scaled <= line.valid[1]:
        return None
    return scaled


def power_of_ten(line: Line, words: Sequence[int]) -> float | None:
    """What it is multiplied with; None where the device tells none."""
    if not line.exponent:
        return 1.0
    raw = words[line.exponent]
    exponent = raw - (raw >> 15 << 16)
    return float(f"1e{exponent}") if abs(exponent) <= TENS else None


def text(line: Line, words: Sequence[int]) -> str:
    """Made harmless; of a number its digits."""
    if line.type is Type.STRING:
        raw = b"".join(word.to_bytes(2, "big") for word in words)
        return device_text(raw.split(b"\0", 1)[0].decode("utf-8", "replace"))
    value = number(line, words)
    return "" if value is None else f"{value:.10g}"


def value(line: Line, words: Sequence[int]) -> Value | None:
    """A number, a text, a state or the names of bits, as the line has it."""
    if line.type is Type.STRING:
        return text(line, words)
    if line.states:
        return dict(line.states).get(raw_of(line, words), Status.UNKNOWN)
    if line.bits:
        raw = raw_of(line, words)
        return None if raw in line.absent else tuple(name for bit, name in line.bits if raw >> bit & 1)
    return picked(line, words) if line.pick else number(line, words)


def picked(line: Line, words: Sequence[int]) -> float | None:
    """The highest or the lowest of several; None where none means anything."""
    wide = width(line)
    each = [number(line, words[wide * i : wide * (i + 1)]) for i in range(line.count)]
    told = [number for number in each if number is not None]
    return (max if line.pick == "highest" else min)(told, default=None)


def words_of(line: Line, number: float) -> tuple[int, ...]:
    """The registers of a number in the line's unit: between two steps the one nearer to 0. Raises SettingError for
    one that they can't hold."""
    bare = (line.sign * number - line.offset) / line.scale
    if line.type is Type.F32:
        return ordered(line, int.from_bytes(struct.pack(">f", bare), "big"))
    return encoded(line, int(math.copysign(math.floor(abs(bare) + ON_STEP), bare)))


def encoded(line: Line, raw: int) -> tuple[int, ...]:
    """The registers of a raw number. Raises SettingError for one that they can't hold."""
    bits, signed = 16 * size(line), line.type in SIGNED
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    if not low <= raw <= high:
        raise SettingError(line.name, raw, f"{low} to {high}")
    return ordered(line, raw & (1 << bits) - 1)


def ordered(line: Line, raw: int) -> tuple[int, ...]:
    """An unsigned number as words in the line's order."""
    words = tuple(raw >> 16 * place & 0xFFFF for place in reversed(range(size(line))))
    return words[::-1] if line.low_first else words


def width(line: Line) -> int:
    """Registers of one number."""
    return SIZES.get(line.type, line.registers)


def size(line: Line) -> int:
    """Registers of all its numbers, to the one of its power of ten."""
    return max(width(line) * line.count, line.exponent + 1)
