"""Models as immutable tables, compiled from the official JSON definitions (sunspec/models, shipped by pysunspec2).

Offsets count registers from the model's ID register (ID = 0, L = 1); in a group they count from its instance's start.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from types import MappingProxyType
from typing import Any

from derctl.core.dataclass import dataclass
from derctl.core.value import replace
from derctl.errors import DecodeError
from derctl.sunspec.points import POINT_TYPES, PointType

_COUNT_HINTS = ("N", "NCrv", "NSchd", "NCell", "NMod")
"""Fixed points that repeat in words what L says in numbers, for groups that are counted by L (12x-16x, 4xx, 8xx)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One point. `sf` is a scale factor point's name, a constant exponent, or None. `size` and `offset` in registers.

    `symbols`: for an enum its values, for a bitfield the bit positions.
    """

    name: str
    label: str
    type: PointType
    offset: int
    size: int
    sf: str | int | None
    units: str | None
    writable: bool
    mandatory: bool
    static: bool
    symbols: Mapping[str, int]

    @property
    def end(self) -> int:
        return self.offset + self.size

    def names(self, raw: int) -> tuple[str, ...]:
        """The symbols that a decoded enum or bitfield stands for; empty where the definition has no word for it."""
        if self.type.name.startswith("bitfield"):
            return tuple(name for name, bit in self.symbols.items() if raw >> bit & 1)
        return tuple(name for name, value in self.symbols.items() if value == raw)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A group of points. `size`: registers of its own points, without nested groups.

    `count` is a number, the name of a top-level point, or 0: as many as L leaves room for; then `hint` names a
    top-level point that should agree. `sync`: to be written in one request.
    """

    name: str
    sync: bool
    count: int | str
    hint: str | None
    size: int
    points: Mapping[str, Point]
    groups: tuple[Group, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model's table. `length` is L of the fixed part: what stands before the first repeating group, less ID and L.

    `fixed` holds every point whose place doesn't depend on a count: `points`, and those of single groups under a
    dotted name ("PFWInj.PF"), all with offsets from the ID register. `at`: the name of the point at each of them.
    """

    id: int
    name: str
    label: str
    length: int
    points: Mapping[str, Point]
    groups: tuple[Group, ...]
    fixed: Mapping[str, Point] = field(repr=False)
    at: Mapping[int, str] = field(repr=False)


def compile_model(definition: Mapping[str, Any]) -> Model:
    """A parsed model_N.json as a table. Raises DecodeError where the definition isn't one."""
    try:
        return _model(definition)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DecodeError(f"model {_id_of(definition)}: broken definition: {error!r}") from error


def _id_of(definition: object) -> object:
    return definition.get("id", "?") if isinstance(definition, Mapping) else "?"


def _model(definition: Mapping[str, Any]) -> Model:
    top = definition["group"]
    number = int(definition["id"])
    points = _points(top, f"model {number}")
    groups = tuple(_group(child, points, f"model {number}") for child in top.get("groups", ()))
    _check_head(number, points)
    _check_references(number, points, groups, outer=points)
    fixed = dict(_fixed(points, groups))
    return Model(
        id=number,
        name=str(top["name"]),
        label=str(top.get("label", "")),
        length=max(point.end for point in fixed.values()) - 2,
        points=points,
        groups=groups,
        fixed=MappingProxyType(fixed),
        at=MappingProxyType({place: name for name, each in fixed.items() for place in range(each.offset, each.end)}),
    )


def _points(group: Mapping[str, Any], where: str) -> Mapping[str, Point]:
    points: dict[str, Point] = {}
    offset = 0
    for entry in group.get("points", ()):
        point = _point(entry, offset, where)
        if point.name in points:
            raise DecodeError(f"{where}: point {point.name} stands twice in {group['name']}")
        points[point.name] = point
        offset = point.end
    return MappingProxyType(points)


NO_SYMBOLS: Mapping[str, int] = MappingProxyType({})


def _symbols(listed: Sequence[Mapping[str, Any]]) -> Mapping[str, int]:
    """Most points have none, and share that."""
    return MappingProxyType({str(each["name"]): int(each["value"]) for each in listed}) if listed else NO_SYMBOLS


def _point(entry: Mapping[str, Any], offset: int, where: str) -> Point:
    kind = POINT_TYPES.get(entry["type"])
    size = int(entry.get("size", kind.size if kind else 0))
    if kind is None or size < 1 or size != (kind.size or size):
        raise DecodeError(f"{where}: point {entry['name']} has type {entry['type']!r} of size {size}")
    return Point(
        name=entry["name"],
        label=str(entry.get("label", "")),
        type=kind,
        offset=offset,
        size=size,
        sf=entry.get("sf"),
        units=entry.get("units"),
        writable=entry.get("access") == "RW",
        mandatory=entry.get("mandatory") == "M",
        static=entry.get("static") == "S",
        symbols=_symbols(entry.get("symbols", ())),
    )


def _group(entry: Mapping[str, Any], outer: Mapping[str, Point], where: str) -> Group:
    points = _points(entry, where)
    count = entry.get("count", 1)
    hints = [name for name in _COUNT_HINTS if name in outer]
    return Group(
        name=str(entry["name"]),
        sync=entry.get("type") == "sync",
        count=count if isinstance(count, str) else int(count),
        hint=hints[0] if hints and count == 0 else None,
        size=max((point.end for point in points.values()), default=0),
        points=points,
        groups=tuple(_group(child, outer, where) for child in entry.get("groups", ())),
    )


def _check_head(number: int, points: Mapping[str, Point]) -> None:
    if [*points][:2] != ["ID", "L"] or points["L"].end != 2:
        raise DecodeError(f"model {number}: doesn't start with ID and L but with {[*points][:2]}")


def _check_references(
    number: int, points: Mapping[str, Point], groups: tuple[Group, ...], *, outer: Mapping[str, Point]
) -> None:
    """Every scale factor and count point exists where the decoder will look for it."""
    for point in points.values():
        source = points.get(str(point.sf), outer.get(str(point.sf)))
        if isinstance(point.sf, str) and (source is None or source.type.name != "sunssf"):
            raise DecodeError(f"model {number}: point {point.name} is scaled by {point.sf}, which isn't there")
    for group in groups:
        if isinstance(group.count, str) and group.count not in outer:
            raise DecodeError(f"model {number}: group {group.name} is counted by {group.count}, which isn't there")
        _check_references(number, group.points, group.groups, outer=outer)


def _fixed(points: Mapping[str, Point], groups: tuple[Group, ...]) -> Iterator[tuple[str, Point]]:
    yield from points.items()
    start = max(point.end for point in points.values())
    for group in groups:
        if group.count != 1 or group.groups:
            return
        for name, point in group.points.items():
            sf = f"{group.name}.{point.sf}" if point.sf in group.points else point.sf
            yield f"{group.name}.{name}", replace(point, offset=start + point.offset, sf=sf)
        start += group.size
