"""What a site file says of its own parts: ids, buses, units, and each DER's fallback."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import UNSET

from derctl.core.dataclass import dataclass
from derctl.devices import CATALOGUE as DEVICES
from derctl.errors import Problem
from derctl.site.convert import named
from derctl.site.hints import similar
from derctl.site.lines import Source
from derctl.site.schema import DerSection, SiteFile
from derctl.site.timers import least_after_s
from derctl.site.wires import check_headers, check_wires


def check_references(source: Source, site: SiteFile, problems: list[Problem]) -> None:
    buses = {bus.id for bus in site.buses}
    _unique(source, "buses", [bus.id for bus in site.buses], problems)
    _unique(source, "ders", [der.id for der in site.ders], problems)
    for path, bus in _buses(site):
        if bus not in buses and named(buses):
            problems.append(source.problem(f"{path}.bus", f"no bus {bus!r} in buses{similar(bus, buses)}"))
    _check_units(source, site, problems)
    check_wires(source, site, problems)
    check_headers(source, site, problems)
    for i, der in enumerate(site.ders):
        _check_der(source, f"ders[{i}]", der, site.site.tick_s, problems)
    for path, meter in site.meters:
        if _role(meter.kind) != "meter":
            text = f"{meter.kind!r} is no meter{_near(meter.kind, 'meter')}; known are {_kinds('meter')}"
            problems.append(source.problem(f"{path}.kind", text))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a device is, and as what: one unit may hold an inverter, its battery and a meter, and several of each."""

    path: str
    bus: str
    unit: int
    role: str
    section: int | str | None

    def same(self, other: _Place) -> bool:
        """Whether both may mean one device, as far as sections tell them apart."""
        if (self.bus, self.unit) != (other.bus, other.unit):
            return False
        if self.role != other.role:
            return self.section is None and other.section is None
        return self.section is None or other.section is None or str(self.section) == str(other.section)


UNITS = range(1, 248)
"""Of a serial line (Modbus over Serial Line V1.02, 2.2): 0 is heard by all of them at once."""


def _check_units(source: Source, site: SiteFile, problems: list[Problem]) -> None:
    seen: list[_Place] = []
    lines = {bus.id for bus in site.buses if bus.rtu is not UNSET or bus.rtu_over_tcp is not UNSET}
    for place in _places(site):
        if place.bus in lines and place.unit not in UNITS:
            text = f"{place.unit} is no unit of a serial line: {UNITS.start} to {UNITS[-1]} are"
            problems.append(source.problem(f"{place.path}.unit", text))
        before = next((other for other in seen if place.same(other)), None)
        if before is not None:
            text = f"{place.bus} unit {place.unit} is already {before.path}"
            if place.role != before.role or place.section != before.section:
                text += "; what stands in one unit with another is named by its section: derctl scan shows them"
            problems.append(source.problem(f"{place.path}.unit", text))
        seen.append(place)


def _places(site: SiteFile) -> Iterator[_Place]:
    """A BMS in the DER's own chain is that DER's, and no place of its own."""
    for i, der in enumerate(site.ders):
        yield _Place(path=f"ders[{i}]", bus=der.bus, unit=der.unit, role="der", section=der.section)
        if der.bms is not None and not der.bms_here:
            bms = der.bms
            yield _Place(path=f"ders[{i}].bms", bus=bms.bus, unit=bms.unit, role="bms", section=bms.section)
    for path, meter in site.meters:
        yield _Place(path=path, bus=meter.bus, unit=meter.unit, role="meter", section=meter.section)


def _buses(site: SiteFile) -> Iterator[tuple[str, str]]:
    for i, der in enumerate(site.ders):
        yield f"ders[{i}]", der.bus
        if der.bms is not None:
            yield f"ders[{i}].bms", der.bms.bus
    yield from ((path, meter.bus) for path, meter in site.meters)


def _check_der(source: Source, path: str, der: DerSection, tick_s: float, problems: list[Problem]) -> None:
    if _role(der.kind) != "der":
        problems.append(
            source.problem(
                f"{path}.kind", f"{der.kind!r} is no DER{_near(der.kind, 'der')}; known are {_kinds('der')}"
            )
        )
        return
    if der.bms is not None and not DEVICES[der.kind].can.store:
        problems.append(source.problem(f"{path}.bms", f"{der.kind} has no battery behind it"))
    fallback, rated = der.fallback, der.rating.p_max_w
    if fallback.by == "stands" and DEVICES[der.kind].can.aim:
        text = "a setpoint that stands would charge or discharge on without its guards; use reversion or device"
        problems.append(source.problem(f"{path}.fallback.by", text))
    if fallback.after_s < least_after_s(tick_s):
        text = (
            f"{fallback.after_s:g} s can't be refreshed in time: at least 4 ticks + 2 s = {least_after_s(tick_s):g} s"
        )
        problems.append(source.problem(f"{path}.fallback.after_s", text))
    if fallback.by != "reversion" and fallback.p_ceiling_w is None:
        problems.append(source.problem(f"{path}.fallback", f"by: {fallback.by} needs p_ceiling_w"))
    if rated is not None and fallback.p_ceiling_w is not None and fallback.p_ceiling_w > rated:
        text = f"{fallback.p_ceiling_w:g} W is above rating.p_max_w {rated:g} W"
        problems.append(source.problem(f"{path}.fallback.p_ceiling_w", text))


def _role(kind: str) -> str | None:
    return DEVICES[kind].role if kind in DEVICES else None


def _near(kind: str, role: str) -> str:
    return similar(kind, _kinds(role).split(", "))


def _kinds(role: str) -> str:
    return ", ".join(name for name, kind in DEVICES.items() if kind.role == role)


def _unique(source: Source, section: str, names: list[str], problems: list[Problem]) -> None:
    for i, name in enumerate(names):
        if name in names[:i]:
            problems.append(source.problem(f"{section}[{i}].id", f"{name!r} stands twice"))
