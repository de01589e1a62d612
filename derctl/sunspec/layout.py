"""Where the repeating groups of one device's model stand: the table, plus the counts and the L that were read.

Counts never run past L. What disagrees is said in words and never raised (a 402 with L = 124 is sold: Solren PVI85).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from derctl.core.dataclass import dataclass
from derctl.core.value import replace
from derctl.errors import DecodeError
from derctl.sunspec.tables import Group, Model, Point

Counts = Mapping[str, int | None]
"""What the count points say, by name; None or missing where they are not implemented or not readable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """Points with the register their offsets count from, and the instances of their groups (absolute starts)."""

    start: int
    points: Mapping[str, Point]
    groups: Mapping[str, tuple[Placed, ...]]


def arrange(model: Model, counts: Counts, *, length: int) -> tuple[Placed, tuple[str, ...]]:
    """Place every group that fits in `length` (the model's L). Also returns what disagrees, as text.

    Raises DecodeError for an L that no model can have.
    """
    if not 0 <= length <= 0xFFFF:
        raise DecodeError(f"model {model.id}: L = {length}")
    start = max(point.end for point in model.points.values())
    problems = _short(model.points, length)
    groups: dict[str, tuple[Placed, ...]] = {}
    for group in model.groups:
        stride = _stride(group, counts)
        number = _number(group, counts, stride, max(0, length + 2 - start), problems)
        groups[group.name] = tuple(_place(group, start + i * (stride or 0), counts) for i in range(number))
        start += number * (stride or 0)
    if model.groups and start < length + 2:
        problems.append(f"L = {length} leaves {length + 2 - start} registers that belong to no group")
    return Placed(start=0, points=model.points, groups=groups), tuple(problems)


def _short(points: Mapping[str, Point], length: int) -> list[str]:
    """Model 1 may lack its pad (L = 65); anything else that L cuts off is worth a word."""
    lost = [point.name for point in points.values() if point.end > length + 2 and point.type.name != "pad"]
    return [f"L = {length} ends before {lost[0]} and {len(lost) - 1} more"] if lost else []


def _stride(group: Group, counts: Counts) -> int | None:
    """Registers of one instance; None while a nested count isn't known, since then nothing behind it has a place."""
    total = group.size
    for child in group.groups:
        number, size = _fixed_count(child, counts), _stride(child, counts)
        if number is None or size is None:
            return None
        total += number * size
    return total


def _fixed_count(group: Group, counts: Counts) -> int | None:
    return counts.get(group.count) if isinstance(group.count, str) else group.count


def _number(group: Group, counts: Counts, stride: int | None, room: int, problems: list[str]) -> int:
    """How many instances of a top-level group to decode: what is asked for, never more than fits."""
    if not stride:
        problems.append(f"{group.name}: the count of what it holds is not known")
        return 0
    fits = room // stride
    source = group.count or group.hint
    wanted = counts.get(source) if isinstance(source, str) else source
    if wanted is None or (group.count == 0 and wanted == 0):
        if group.count != 0 or wanted == 0:
            problems.append(f"{group.name}: {source} says {wanted}, L leaves room for {fits}")
        return fits
    if wanted > fits or (group.count == 0 and wanted < fits):
        problems.append(f"{group.name}: {source} says {wanted}, L leaves room for {fits}")
    return min(wanted, fits)


def _place(group: Group, start: int, counts: Counts) -> Placed:
    groups: dict[str, tuple[Placed, ...]] = {}
    inner = start + group.size
    for child in group.groups:
        number, stride = _fixed_count(child, counts) or 0, _stride(child, counts) or 0
        groups[child.name] = tuple(_place(child, inner + i * stride, counts) for i in range(number))
        inner += number * stride
    return Placed(start=start, points=group.points, groups=groups)


def flatten(placed: Placed, prefix: str = "") -> Iterator[tuple[str, Point]]:
    """Every placed point by its path ("W", "Crv[0].Pt[1].V": indices from 0), offsets from the ID register."""
    for name, point in placed.points.items():
        yield prefix + name, replace(point, offset=placed.start + point.offset)
    for name, instances in placed.groups.items():
        for index, instance in enumerate(instances):
            yield from flatten(instance, f"{prefix}{name}[{index}].")
