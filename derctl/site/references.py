"""What a site file says of its own parts: ids, buses, units, and each DER's fallback."""

from __future__ import annotations

from collections.abc import Iterable

from derctl.devices import CATALOGUE as DEVICES
from derctl.errors import Problem
from derctl.site.convert import named
from derctl.site.hints import similar
from derctl.site.lines import Source
from derctl.site.schema import DerSection, SiteFile
from derctl.site.timers import least_after_s
from derctl.site.wires import check_wires


def check_references(source: Source, site: SiteFile, problems: list[Problem]) -> None:
    buses = {bus.id for bus in site.buses}
    _unique(source, "buses", [bus.id for bus in site.buses], problems)
    _unique(source, "ders", [der.id for der in site.ders], problems)
    places: dict[tuple[str, int], str] = {}
    for path, bus, unit in _places(site):
        if bus not in buses and named(buses):
            problems.append(source.problem(f"{path}.bus", f"no bus {bus!r} in buses{similar(bus, buses)}"))
        if (bus, unit) in places:
            problems.append(source.problem(f"{path}.unit", f"{bus} unit {unit} is already {places[bus, unit]}"))
        places.setdefault((bus, unit), path)
    check_wires(source, site, problems)
    for i, der in enumerate(site.ders):
        _check_der(source, f"ders[{i}]", der, site.site.tick_s, problems)
    if site.poc is not None and _role(site.poc.kind) != "meter":
        problems.append(
            source.problem(
                "poc.kind",
                f"{site.poc.kind!r} is no meter{_near(site.poc.kind, 'meter')}; known are {_kinds('meter')}",
            )
        )


def _places(site: SiteFile) -> Iterable[tuple[str, str, int]]:
    for i, der in enumerate(site.ders):
        yield f"ders[{i}]", der.bus, der.unit
        if der.bms is not None:
            yield f"ders[{i}].bms", der.bms.bus, der.bms.unit
    if site.poc is not None:
        yield "poc", site.poc.bus, site.poc.unit


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
