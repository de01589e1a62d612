"""What is wrong with a register map that no type can tell, each with its place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

from derctl.devices.maps.line import Line
from derctl.devices.maps.number import size
from derctl.devices.maps.quantities import ALARMS, BY_KIND, IDENTITY, NEEDED, PHASE_POWERS
from derctl.site.hints import similar
from derctl.site.map_file import (
    ConnectionSection,
    ControlSection,
    LineSection,
    Made,
    MapSection,
    MarkSection,
    NumberSection,
    OrderSection,
    StepSection,
    number_of,
)

WANTS = {"map_pv": "limit", "map_storage": "target", "map_hybrid": "limit"}
"""What a device of each kind is told at its AC terminals."""
POWERS = {"watts", "size", "percent"}
"""What a step may make of the setpoint's power."""
VARS = {"var", "var_size", "var_percent", "va_percent"}
"""What a step may make of the setpoint's reactive power."""


WORDS = get_args(Made)
Doubts = Iterator[tuple[str, str]]
"""Path and message of each."""


def doubtful(section: MapSection | None) -> Doubts:
    """Path and message of what no type can tell."""
    if section is None:
        return
    yield from _lacks(section)
    for i, line in enumerate(section.lines):
        yield from _name_doubts(section, f"map.lines[{i}]", line, section.lines[:i])
        yield from _line_doubts(section, f"map.lines[{i}]", line)
    for i, line in enumerate(section.shown):
        yield from _line_doubts(section, f"map.shown[{i}]", line)
    if section.control is not None:
        yield from _control_doubts(section, section.control)
    for i, mark in enumerate(section.signature):
        yield from _mark_doubts(section, f"map.signature[{i}]", mark)
    if isinstance(section.system, ConnectionSection):
        yield from _connection_doubts(section, section.system)


def _lacks(section: MapSection) -> Doubts:
    names = [each.name for each in section.lines]
    for name in NEEDED[section.kind]:
        if name not in names and not (name == "p_w" and {*PHASE_POWERS} <= {*names}):
            yield "map.lines", f"a {section.kind} needs a line {name}"
    if not section.signature:
        yield "map.signature", "is empty: say by which registers such a device is recognised"


def _name_doubts(section: MapSection, path: str, line: LineSection, before: list[LineSection]) -> Doubts:
    """Whether such a device has that quantity, in that unit, and only once."""
    known = BY_KIND[section.kind]
    if line.name not in known:
        near = f"of a {section.kind}{similar(line.name, known)}; known are {', '.join(known)}"
        yield f"{path}.name", f"no quantity {line.name!r} {near}; what is for people only belongs into map.shown"
    elif line.unit is not None and line.unit != known[line.name]:
        yield f"{path}.unit", f"{line.name} is in {known[line.name] or 'no unit'}: scale it, and leave unit out"
    if any(_meet(line, other) for other in before if other.name == line.name):
        yield f"{path}.name", f"{line.name} stands twice"


def _meet(one: LineSection, other: LineSection) -> bool:
    """Whether both may count of the same device."""
    if one.when is not None and other.when is not None:
        return one.when == other.when
    apart = [(one.when, other.unless), (other.when, one.unless)]
    return not any(when is not None and when == unless for when, unless in apart)


def _connection_doubts(section: MapSection, each: ConnectionSection) -> Doubts:
    is_text = (each.type or section.type) == "string"
    for i, system in enumerate(each.systems):
        if (system.text is not None) is not is_text or (system.raw is not None) is is_text:
            yield f"map.system.systems[{i}]", "needs raw: ... of a number, or text: ... of a string"
    yield from _number_doubts(section, "map.system", each)


def _control_doubts(section: MapSection, control: ControlSection) -> Doubts:
    names = [point.name for point in control.points]
    for i, point in enumerate(control.points):
        if point.name in names[:i]:
            yield f"map.control.points[{i}].name", f"{point.name} stands twice"
        if (point.function or 3) != 3:
            yield f"map.control.points[{i}].function", "only what function 3 reads can be written"
        yield from _number_doubts(section, f"map.control.points[{i}]", point)
    if section.step != 1:
        yield "map.control", "is not for a map whose step isn't 1"
    if section.kind not in WANTS:
        yield "map.control", f"a {section.kind} is not written"
    for key, order in (("limit", control.limit), ("target", control.target), ("var", control.var)):
        if order is not None:
            yield from _order_doubts(section, control, key, order)


def _order_doubts(section: MapSection, control: ControlSection, key: str, order: OrderSection) -> Doubts:
    path, names = f"map.control.{key}", [point.name for point in control.points]
    if key == "var":
        yield from _var_doubts(order)
    elif key != WANTS.get(section.kind) and not (section.kind == "map_hybrid" and order.at == "battery"):
        yield path, f"a {section.kind} is told its {WANTS.get(section.kind)}"
    falls = any(step.of == "fallback_percent" for step in order.give)
    if falls is not (order.timer == "target"):
        yield f"{path}.timer", "target goes with a step of fallback_percent"
    for way in ("give", "take", "release"):
        yield from _way_doubts(f"{path}.{way}", way, getattr(order, way), names)
    often = {step.point for step in (*order.give, *order.take) if step.of in POWERS | VARS}
    for point in control.points:
        if point.once and point.name in often:
            what = "var" if key == "var" else "power"
            yield path, f"{point.name} takes its {what}, which is written each time: not once"


def _var_doubts(order: OrderSection) -> Doubts:
    if order.at == "battery":
        yield "map.control.var.at", "a battery has no reactive power: it is that of the AC terminals"
    if order.timer == "target":
        yield "map.control.var.timer", "no fallback has reactive power: write none or no_target"


def _way_doubts(path: str, way: str, steps: list[StepSection], names: list[str]) -> Doubts:
    for i, step in enumerate(steps):
        if step.point not in names:
            yield f"{path}[{i}].point", f"no point {step.point!r} in map.control.points{similar(step.point, names)}"
        if (step.value is None) is (step.of is None):
            yield f"{path}[{i}]", f"needs either value: ... or of: {', '.join(WORDS)}"
    mine, others = (VARS, POWERS) if ".var." in path else (POWERS, VARS)
    told = {step.of for step in steps}
    for i, step in enumerate(steps):
        if step.of in others:
            what = "power" if mine is VARS else "reactive power"
            yield f"{path}[{i}].of", f"{step.of} is of {what}, which has an order of its own"
    if steps and not told & others and len(told & mine) != (way != "release"):
        wanted = [word for word in WORDS if word in mine]
        nothing = "gives no var" if mine is VARS else "gives no power"
        yield path, f"needs one step of {', '.join(wanted)}" if way != "release" else nothing


def _line_doubts(section: MapSection, path: str, line: LineSection) -> Doubts:
    kind = line.type or section.type
    if (line.when or line.unless) and not isinstance(section.system, ConnectionSection):
        yield path, "when and unless need a register in map.system, which says how the device is connected"
    if (line.count is None) is not (line.pick is None):
        yield path, "count goes with pick: highest or lowest"
    elif line.count is not None and (kind in {"string", "bits"} or line.states or line.bits or line.exponent):
        yield f"{path}.count", "only plain numbers can be picked from"
    if line.valid is not None and line.valid[0] >= line.valid[1]:
        yield f"{path}.valid", f"{line.valid[0]:g} is not below {line.valid[1]:g}: write [lowest, highest]"
    if kind == "string" and line.name not in IDENTITY and line in section.lines:
        yield f"{path}.type", f"{line.name} is no text"
    if line.exponent is not None and kind in {"string", "f32", "bits"}:
        yield f"{path}.exponent", f"only a whole number has a power of ten, this is {kind}"
    yield from _meaning_doubts(path, line)
    yield from _number_doubts(section, path, line)


def _meaning_doubts(path: str, line: LineSection) -> Doubts:
    """What a word needs to be told by: bits, or states."""
    if line.name in ALARMS and not line.bits:
        yield path, "alarms need bits: [{bit: 0, name: ...}]"
    if line.name == "flow" and {bit.name for bit in line.bits} != {"charging", "discharging"}:
        yield path, "flow needs bits: [{bit: 1, name: charging}, {bit: 2, name: discharging}]"
    if line.name == "status" and not line.states:
        yield path, "status needs states: [{raw: 0, means: off}]"


def _mark_doubts(section: MapSection, path: str, mark: MarkSection) -> Doubts:
    given = [name for name in ("values", "within", "text") if getattr(mark, name) is not None]
    is_text = (mark.type or section.type) == "string"
    if len(given) != 1 or mark.values == []:
        yield path, "needs one of values: [...], within: [lowest, highest] or text: ..."
    elif is_text != (given == ["text"]):
        yield path, "text goes with type: string, values and within with numbers"
    if mark.within is not None and mark.within[0] > mark.within[1]:
        yield f"{path}.within", f"{mark.within[0]:g} is above {mark.within[1]:g}: write [lowest, highest]"
    yield from _number_doubts(section, path, mark)


def _number_doubts(section: MapSection, path: str, each: NumberSection) -> Doubts:
    kind = each.type or section.type
    if (kind in {"string", "bits"}) is not (each.registers is not None):
        yield path, "a text needs registers, and so do bits: how many it has; a number has as many as its type"
    if (kind == "bits") is not ((each.function or section.function) in {1, 2}):
        yield f"{path}.type", "functions 1 and 2 (coils, discrete inputs) read bits, and nothing else does"
    if each.part is not None and kind != "u16":
        yield f"{path}.part", f"only a u16 has a high and a low half, this is {kind}"
    count = (each.count or 1) if isinstance(each, LineSection) else 1
    end = each.address + section.step * size(Line(**number_of(section, each), name="", count=count))
    if end > 65536:
        yield f"{path}.address", f"{each.address} and what follows ends behind register 65535"
