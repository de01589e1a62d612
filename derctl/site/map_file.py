"""The shape of a register map in a profile file, and the map that is made of it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from derctl.core.words import SeenBy, Status, Timer
from derctl.devices.fact import Fact
from derctl.devices.maps.control import Control, Of, Order, Point, Step
from derctl.devices.maps.line import Connection, Line, Mark, Type
from derctl.devices.maps.map import RegisterMap
from derctl.devices.maps.quantities import BY_KIND
from derctl.devices.nominal import System
from derctl.site.schema import END

Text = Annotated[str, Meta(min_length=1, max_length=400)]
By = Literal["capture", "document", "quoted", "report", "assumed"]
Address = Annotated[int, Meta(ge=0, le=65535)]
Function = Literal[1, 2, 3, 4]
WordOrder = Literal["high", "low"]
TypeName = Literal["u16", "s16", "u32", "s32", "u64", "f32", "string", "bits"]
Made = Literal[
    "watts", "size", "percent", "fallback_percent", "seconds", "var", "var_size", "var_percent", "va_percent"
]
Raw = Annotated[int, Meta(ge=0)]
SystemName = Literal["single", "split", "three"]
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
    words: WordOrder | None = None
    registers: Annotated[int, Meta(ge=1, le=32, description="of a text, or how many bits")] | None = None
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
    exponent: Annotated[int, Meta(ge=1, le=60, description="registers behind its first one")] | None = None
    when: SystemName | None = None
    unless: SystemName | None = None
    count: Annotated[int, Meta(ge=2, le=64, description="numbers, one behind the other")] | None = None
    pick: Literal["highest", "lowest"] | None = None


class MarkSection(NumberSection, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """signature[]: what stands in a register of such a device."""

    values: list[Raw] | None = None
    within: Annotated[list[float], Meta(min_length=2, max_length=2)] | None = None
    text: Annotated[str, Meta(min_length=1, max_length=32)] | None = None


class SystemSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """system.systems[]: what a raw value, or a part of its text, says of how the device is connected."""

    means: SystemName
    raw: Raw | None = None
    text: Annotated[str, Meta(min_length=1, max_length=32)] | None = None


class ConnectionSection(NumberSection, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """system: the register that says how each device is connected, where the map doesn't say it of all."""

    systems: Annotated[list[SystemSection], Meta(min_length=1)]


class PointSection(NumberSection, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """control.points[]: a register that is written. volatile: its memory doesn't wear out; volatile_by and
    volatile_source: who says that, where it isn't who says the rest. once: written only where it reads something
    else. valid: of a time, s."""

    name: Name
    volatile: bool | None = None
    volatile_by: By | None = None
    volatile_source: Text | None = None
    once: bool = False
    sign: Literal[1, -1] = 1
    valid: Annotated[list[float], Meta(min_length=2, max_length=2)] | None = None


class StepSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """give[], take[], release[]: one write."""

    point: Name
    value: Raw | None = None
    of: Made | None = None


class OrderSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """control.limit, control.target, control.var: how that is told. timer: whether it lapses by itself into the
    device's mode, or to its fallback_percent. lapses_s: after how long, where that can't be told."""

    give: Annotated[list[StepSection], Meta(min_length=1)]
    take: list[StepSection] = []
    release: list[StepSection]
    timer: Literal["none", "no_target", "target"] = "none"
    lapses_s: Annotated[float, Meta(ge=5, le=3600)] | None = None
    at: Literal["ac", "battery"] = "ac"
    by: By | None = None
    source: Text | None = None


class ControlSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """control: what may be written; what of it nobody confirmed is not."""

    points: list[PointSection]
    limit: OrderSection | None = None
    target: OrderSection | None = None
    var: OrderSection | None = None


class MapSection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """map: the registers of a device without SunSpec. function, type, words, by, source: where a line says none."""

    kind: Literal["map_meter", "map_bms", "map_pv", "map_storage", "map_hybrid"]
    maker: Annotated[str, Meta(min_length=1, max_length=32)]
    model: Annotated[str, Meta(min_length=1, max_length=32)]
    system: SystemName | ConnectionSection | None = None
    function: Function = 3
    type: TypeName = "u16"
    words: WordOrder = "high"
    step: Annotated[int, Meta(ge=1, le=2)] = 1
    gap: Annotated[int, Meta(ge=0, le=100)] = 0
    by: By
    source: Text
    signature: list[MarkSection]
    lines: list[LineSection]
    shown: list[LineSection] = []
    control: ControlSection | None = None


def map_of(section: MapSection) -> RegisterMap:
    """In the words of the engine."""
    return RegisterMap(
        kind=section.kind,
        maker=section.maker,
        model=section.model,
        fact=Fact(by=SeenBy(section.by), source=section.source),
        system=_system(section.system) if isinstance(section.system, str) else None,
        connection=_connection(section, section.system),
        step=section.step,
        gap=section.gap,
        signature=tuple(_mark(section, each) for each in section.signature),
        lines=tuple(_line(section, each, BY_KIND[section.kind].get(each.name, "")) for each in section.lines),
        shown=tuple(_line(section, each, each.unit or "") for each in section.shown),
        control=None if section.control is None else _control(section, section.control),
    )


def _system(name: str | None) -> System | None:
    return None if name is None else System[name.upper()]


def _connection(section: MapSection, each: SystemName | ConnectionSection | None) -> Connection | None:
    if not isinstance(each, ConnectionSection):
        return None
    said = [(system, System[system.means.upper()]) for system in each.systems]
    return Connection(
        line=Line(**number_of(section, each), name="connection"),
        raws=tuple((system.raw, means) for system, means in said if system.raw is not None),
        texts=tuple((system.text, means) for system, means in said if system.text is not None),
    )


def _control(section: MapSection, control: ControlSection) -> Control:
    def order(each: OrderSection | None) -> Order | None:
        if each is None:
            return None
        give, take, release = (tuple(map(_step, steps)) for steps in (each.give, each.take, each.release))
        fact = _fact(section, each)
        return Order(
            fact=fact,
            give=give,
            take=take,
            release=release,
            timer=Timer(each.timer),
            lapses_s=each.lapses_s,
            battery=each.at == "battery",
        )

    points = tuple(
        Point(line=_point(section, each), volatile=each.volatile, wears=_wears(section, each), once=each.once)
        for each in control.points
    )
    return Control(points=points, limit=order(control.limit), target=order(control.target), var=order(control.var))


def _step(each: StepSection) -> Step:
    return Step(point=each.point, value=each.value or 0, of=None if each.of is None else Of(each.of))


def _point(section: MapSection, each: PointSection) -> Line:
    valid = None if each.valid is None else (each.valid[0], each.valid[1])
    return Line(**number_of(section, each) | {"function": 3}, name=each.name, sign=each.sign, valid=valid)


def _fact(section: MapSection, each: NumberSection | OrderSection) -> Fact:
    return Fact(by=SeenBy(each.by or section.by), source=each.source or section.source)


def _wears(section: MapSection, each: PointSection) -> Fact:
    fact = _fact(section, each)
    return Fact(by=SeenBy(each.volatile_by or fact.by), source=each.volatile_source or fact.source)


def number_of(section: MapSection, each: NumberSection) -> dict[str, Any]:
    return {
        "address": each.address,
        "type": Type(each.type or section.type),
        "fact": _fact(section, each),
        "function": each.function or section.function,
        "registers": each.registers or 1,
        "low_first": (each.words or section.words) == "low",
        "part": each.part or "",
        "scale": each.scale,
        "offset": each.offset,
    }


def _line(section: MapSection, each: LineSection, unit: str) -> Line:
    return Line(
        **number_of(section, each),
        name=each.name,
        unit=unit,
        sign=each.sign,
        absent=tuple(each.absent),
        valid=None if each.valid is None else (each.valid[0], each.valid[1]),
        states=tuple((state.raw, Status(state.means)) for state in each.states),
        bits=tuple((bit.bit, bit.name) for bit in each.bits),
        slow=each.slow,
        exponent=each.exponent or 0,
        when=_system(each.when),
        unless=_system(each.unless),
        count=each.count or 1,
        pick=each.pick or "",
    )


def _mark(section: MapSection, each: MarkSection) -> Mark:
    within = None if each.within is None else (each.within[0], each.within[1])
    line = Line(**number_of(section, each), name="signature")
    return Mark(line=line, values=tuple(each.values or ()), within=within, text=each.text or "")
