"""The shape of a register map in a profile file, and the map that is made of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from derctl.core.words import SeenBy, Status
from derctl.devices.fact import Fact
from derctl.devices.maps.map import Line, Mark, RegisterMap, Type
from derctl.devices.maps.number import size
from derctl.devices.maps.quantities import BY_KIND, IDENTITY, NEEDED
from derctl.devices.nominal import System
from derctl.site.hints import similar
from derctl.site.schema import END

Text = Annotated[str, Meta(min_length=1, max_length=400)]
By = Literal["capture", "document", "report", "assumed"]
Address = Annotated[int, Meta(ge=0, le=65535)]
Function = Literal[3, 4]
Order = Literal["high", "low"]
TypeName = Literal["u16", "s16", "u32", "s32", "u64", "f32", "string"]
Raw = Annotated[int, Meta(ge=0)]
StatusName = Literal["on", "throttled", "starting", "standby", "asleep", "off", "fault", "unknown"]
Name = Annotated[str, Meta(pattern=rf"^[a-z][a-z0-9_]{{0,39}}{END}", description="lower case, digits and _")]


class StateSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """states[]: what a raw value says of the device."""

    raw: Raw
    means: StatusName


class BitSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """bits[]: the name of a bit that is set, 0 is the lowest."""

    bit: Annotated[int, Meta(ge=0, le=63)]
    name: Name


class NumberSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What lines and signatures have in common; what is not given is as `map` says."""

    address: Address
    function: Function | None = None
    type: TypeName | None = None
    words: Order | None = None
    registers: Annotated[int, Meta(ge=1, le=32, description="of a text")] | None = None
    part: Literal["high", "low"] | None = None
    scale: Annotated[float, Meta(gt=0, le=1e6)] = 1.0
    offset: Annotated[float, Meta(ge=-1e6, le=1e6)] = 0.0
    by: By | None = None
    source: Text | None = None


class LineSection(NumberSection, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """lines[], shown[]: one number."""

    name: Name
    unit: Annotated[str, Meta(min_length=1, max_length=16)] | None = None
    sign: Literal[1, -1] = 1
    absent: list[Raw] = []
    valid: Annotated[list[float], Meta(min_length=2, max_length=2)] | None = None
    states: list[StateSection] = []
    bits: list[BitSection] = []
    slow: bool = False


class MarkSection(NumberSection, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """signature[]: what stands in a register of such a device."""

    values: list[Raw] | None = None
    within: Annotated[list[float], Meta(min_length=2, max_length=2)] | None = None
    text: Annotated[str, Meta(min_length=1, max_length=32)] | None = None


class MapSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """map: the registers of a device without SunSpec. function, type, words, by, source: where a line says none."""

    kind: Literal["map_meter", "map_bms", "map_pv", "map_storage"]
    maker: Annotated[str, Meta(min_length=1, max_length=32)]
    model: Annotated[str, Meta(min_length=1, max_length=32)]
    system: Literal["single", "split", "three"] | None = None
    function: Function = 3
    type: TypeName = "u16"
    words: Order = "high"
    step: Annotated[int, Meta(ge=1, le=2)] = 1
    gap: Annotated[int, Meta(ge=0, le=100)] = 0
    by: By
    source: Text
    signature: list[MarkSection]
    lines: list[LineSection]
    shown: list[LineSection] = []


def map_of(section: MapSection) -> RegisterMap:
    """In the words of the engine."""
    return RegisterMap(
        kind=section.kind,
        maker=section.maker,
        model=section.model,
        fact=Fact(by=SeenBy(section.by), source=section.source),
        system=None if section.system is None else System[section.system.upper()],
        step=section.step,
        gap=section.gap,
        signature=tuple(_mark(section, each) for each in section.signature),
        lines=tuple(_line(section, each, _units(section).get(each.name, "")) for each in section.lines),
        shown=tuple(_line(section, each, each.unit or "") for each in section.shown),
    )


def _units(section: MapSection) -> dict[str, str]:
    return BY_KIND[section.kind]


def _number(section: MapSection, each: NumberSection) -> dict[str, Any]:
    fact = Fact(by=SeenBy(each.by or section.by), source=each.source or section.source)
    return {
        "address": each.address,
        "type": Type(each.type or section.type),
        "fact": fact,
        "function": each.function or section.function,
        "registers": each.registers or 1,
        "low_first": (each.words or section.words) == "low",
        "part": each.part or "",
        "scale": each.scale,
        "offset": each.offset,
    }


def _line(section: MapSection, each: LineSection, unit: str) -> Line:
    return Line(
        **_number(section, each),
        name=each.name,
        unit=unit,
        sign=each.sign,
        absent=tuple(each.absent),
        valid=None if each.valid is None else (each.valid[0], each.valid[1]),
        states=tuple((state.raw, Status(state.means)) for state in each.states),
        bits=tuple((bit.bit, bit.name) for bit in each.bits),
        slow=each.slow,
    )


def _mark(section: MapSection, each: MarkSection) -> Mark:
    within = None if each.within is None else (each.within[0], each.within[1])
    line = Line(**_number(section, each), name="signature")
    return Mark(line=line, values=tuple(each.values or ()), within=within, text=each.text or "")


def doubtful(section: MapSection | None) -> Iterator[tuple[str, str]]:
    """Path and message of what no type can tell."""
    if section is None:
        return
    known = _units(section)
    names = [each.name for each in section.lines]
    for name in NEEDED[section.kind]:
        if name not in names:
            yield "map.lines", f"a {section.kind} needs a line {name}"
    if not section.signature:
        yield "map.signature", "is empty: say by which registers such a device is recognised"
    for i, line in enumerate(section.lines):
        path = f"map.lines[{i}]"
        if line.name not in known:
            near = f"of a {section.kind}{similar(line.name, known)}; known are {', '.join(known)}"
            yield f"{path}.name", f"no quantity {line.name!r} {near}; what is for people only belongs into map.shown"
        elif line.unit is not None and line.unit != known[line.name]:
            yield f"{path}.unit", f"{line.name} is in {known[line.name] or 'no unit'}: scale it, and leave unit out"
        if line.name in names[:i]:
            yield f"{path}.name", f"{line.name} stands twice"
        yield from _line_doubts(section, path, line)
    for i, line in enumerate(section.shown):
        yield from _line_doubts(section, f"map.shown[{i}]", line)
    for i, mark in enumerate(section.signature):
        yield from _mark_doubts(section, f"map.signature[{i}]", mark)


def _line_doubts(section: MapSection, path: str, line: LineSection) -> Iterator[tuple[str, str]]:
    kind = line.type or section.type
    if line.valid is not None and line.valid[0] >= line.valid[1]:
        yield f"{path}.valid", f"{line.valid[0]:g} is not below {line.valid[1]:g}: write [lowest, highest]"
    if kind == "string" and line.name not in IDENTITY and line in section.lines:
        yield f"{path}.type", f"{line.name} is no text"
    if line.name == "alarms" and not line.bits:
        yield path, "alarms need bits: [{bit: 0, name: ...}]"
    if line.name == "status" and not line.states:
        yield path, "status needs states: [{raw: 0, means: off}]"
    yield from _number_doubts(section, path, line)


def _mark_doubts(section: MapSection, path: str, mark: MarkSection) -> Iterator[tuple[str, str]]:
    given = [name for name in ("values", "within", "text") if getattr(mark, name) is not None]
    is_text = (mark.type or section.type) == "string"
    if len(given) != 1 or mark.values == []:
        yield path, "needs one of values: [...], within: [lowest, highest] or text: ..."
    elif is_text != (given == ["text"]):
        yield path, "text goes with type: string, values and within with numbers"
    if mark.within is not None and mark.within[0] > mark.within[1]:
        yield f"{path}.within", f"{mark.within[0]:g} is above {mark.within[1]:g}: write [lowest, highest]"
    yield from _number_doubts(section, path, mark)


def _number_doubts(section: MapSection, path: str, each: NumberSection) -> Iterator[tuple[str, str]]:
    kind = each.type or section.type
    if (kind == "string") is not (each.registers is not None):
        yield path, "a text needs registers: how many it has; a number has as many as its type"
    if each.part is not None and kind != "u16":
        yield f"{path}.part", f"only a u16 has a high and a low half, this is {kind}"
    end = each.address + section.step * size(_mark_line(section, each))
    if end > 65536:
        yield f"{path}.address", f"{each.address} and what follows ends behind register 65535"


def _mark_line(section: MapSection, each: NumberSection) -> Line:
    return Line(**_number(section, each), name="")
