"""A model's registers as values: everything in it, slowly and forgivingly. The control path has `reader`.

Scaling equals pysunspec2's `cvalue`: an int stays an int without a scale factor or with 0, else it is
round(raw * 10**sf, -sf). What is not implemented, not readable or has no sound scale factor is None, never 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from derctl.core.dataclass import dataclass
from derctl.errors import DecodeError
from derctl.sunspec.layout import Placed, arrange
from derctl.sunspec.points import Raw, Value, meaning, unpack
from derctl.sunspec.tables import Model, Point

POWERS: Mapping[int, float] = {exponent: float(f"1e{exponent}") for exponent in range(-10, 11)}
Words = Sequence[int | None]
Scales = Mapping[str, int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """One model, or one instance of a group in it.

    values: scaled, None where there is no value. raw: the register values as they are (65535 stays 65535; bytes for
    text), None only where they could not be read. groups: instances by group name, in order; a group that doesn't
    repeat is a tuple of one. unreadable: paths of the points with registers that could not be read ("module[1].DCA").
    problems: what contradicts itself in the model, as text; empty in an instance.
    """

    values: Mapping[str, Value | None]
    raw: Mapping[str, Raw | None]
    groups: Mapping[str, tuple[Decoded, ...]]
    unreadable: tuple[str, ...]
    problems: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Value | None:
        return self.values[name]


def decode(model: Model, registers: Words, *, length: int, sf_default: int | None = None) -> Decoded:
    """Decode a model from `registers`, the first of them its ID register; None is one that could not be read.

    length: the model's L as the chain has it. sf_default: the scale factor to assume where the device's own is not
    implemented or out of -10..10 (None: then its points are None). Raises DecodeError where a register is no 16-bit
    number, the ID register names another model, or L is impossible.
    """
    check_exponent(sf_default)
    words = _clipped(model, registers, length)
    placed, problems = arrange(model, counts_of(model, words), length=length)
    if words[1] not in (None, length):
        problems = (f"L reads {words[1]}, the chain says {length}", *problems)
    return _block(placed, words, {}, sf_default, problems)


def check_exponent(sf_default: int | None) -> None:
    """Raises DecodeError for a default scale factor that SunSpec doesn't know."""
    if sf_default is not None and sf_default not in POWERS:
        raise DecodeError(f"scale factor {sf_default} is outside -10..10")


def scaled(value: Value, exponent: int) -> Value:
    """value * 10**exponent as pysunspec2 rounds it. An int stays an int for exponent 0."""
    if exponent == 0 or isinstance(value, str):
        return value
    return round(value * POWERS[exponent], -exponent)


def _clipped(model: Model, registers: Words, length: int) -> Words:
    """Exactly ID, L and what L covers; what the caller didn't hand over counts as unreadable."""
    for index, word in enumerate(registers):
        if word is not None and not (isinstance(word, int) and 0 <= word <= 0xFFFF):
            raise DecodeError(f"model {model.id}: register {index} holds {word!r}")
    if registers and registers[0] not in (None, model.id):
        raise DecodeError(f"model {model.id}: the ID register says {registers[0]}")
    end = max(2, min(length, 0xFFFF) + 2)
    return [*registers[:end], *[None] * (end - len(registers))]


def raw_at(point: Point, start: int, words: Words) -> Raw | None:
    """The raw value of a point whose group starts at `start`; None where a register of it is missing."""
    if point.size == 1:
        at = start + point.offset
        word = words[at] if at < len(words) else None
        return None if word is None else unpack(point.type, (word,))
    mine = [word for word in words[start + point.offset : start + point.end] if word is not None]
    return unpack(point.type, mine) if len(mine) == point.size else None


def counts_of(model: Model, words: Words) -> dict[str, int | None]:
    """Every one-register number that could count a group."""
    found: dict[str, int | None] = {}
    for name, point in model.points.items():
        if point.type.code == "H":
            raw = raw_at(point, 0, words)
            value = None if raw is None else meaning(point.type, raw)
            found[name] = value if isinstance(value, int) else None
    return found


def _scales(placed: Placed, words: Words, outer: Scales, sf_default: int | None) -> Scales:
    """The scale factors in force in a group: its own before the model's. One that wasn't read is never assumed."""
    scales = dict(outer)
    for name, point in placed.points.items():
        if point.type.name == "sunssf":
            scales[name] = exponent_of(point, raw_at(point, placed.start, words), sf_default)
    return scales


def exponent_of(point: Point, raw: Raw | None, sf_default: int | None) -> int | None:
    """A scale factor point's exponent, `sf_default` where the device gives none. One not read is never assumed."""
    if raw is None:
        return None
    sf = meaning(point.type, raw)
    return sf if isinstance(sf, int) else sf_default


def value_of(point: Point, raw: Raw | None, scales: Scales) -> Value | None:
    """The scaled value of a raw one. `scales`: the scale factors in force, by the name of their point."""
    value = None if raw is None else meaning(point.type, raw)
    if value is None or point.sf is None:
        return value
    exponent = scales[point.sf] if isinstance(point.sf, str) else point.sf
    return None if exponent is None else scaled(value, exponent)


def _block(
    placed: Placed, words: Words, outer: Scales, sf_default: int | None, problems: tuple[str, ...] = ()
) -> Decoded:
    scales = _scales(placed, words, outer, sf_default)
    raw = {name: raw_at(point, placed.start, words) for name, point in placed.points.items()}
    groups = {
        name: tuple(_block(each, words, scales, sf_default) for each in instances)
        for name, instances in placed.groups.items()
    }
    return Decoded(
        values={name: value_of(point, raw[name], scales) for name, point in placed.points.items()},
        raw=raw,
        groups=groups,
        unreadable=tuple(_unreadable(placed, raw, groups, len(words))),
        problems=problems,
    )


def _unreadable(
    placed: Placed, raw: Mapping[str, Raw | None], groups: Mapping[str, tuple[Decoded, ...]], end: int
) -> Iterator[str]:
    """What L covers and nobody could read. What L cuts off isn't unreadable, it isn't there."""
    for name, point in placed.points.items():
        if raw[name] is None and placed.start + point.end <= end:
            yield name
    for group, instances in groups.items():
        for index, instance in enumerate(instances):
            yield from (f"{group}[{index}].{name}" for name in instance.unreadable)
