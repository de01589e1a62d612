"""Values of the right type that are hardly meant: refused where they are surely wrong, else questioned."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

from msgspec import UNSET

from derctl.devices import CATALOGUE, Profile
from derctl.errors import Problem
from derctl.site.contacts import contacts
from derctl.site.grid_code import question_without
from derctl.site.hosts import here, host_problem
from derctl.site.lines import Source
from derctl.site.own import own_places
from derctl.site.pace import unknown_line
from derctl.site.principals import principals
from derctl.site.profiles import planned
from derctl.site.schema import DerSection, SiteFile
from derctl.site.timers import out_of_order
from derctl.site.wires import given
from derctl.site.writes import refused_writes

KILO_W = 100.0
"""Below this a power of a site or an inverter looks like kW. 0 is a word: no export, rest."""
MEGA_W = 1e6
"""A DER above 1 MW is not what derctl is made for."""
BETWEEN_LINES_V = {208, 380, 400, 415, 480, 690}
"""Nominal voltages between the lines (IEC 60038, ANSI C84.1) that are rarely one to neutral."""
THOUSANDS = re.compile(r"[-+]?[0-9]{1,3}\.[0-9]{3}")
POWERS = ("_w", "_va", "_var")
PLANT_HZ = {120.0: 60, 277.0: 60}
"""Voltages to neutral that go with one frequency only (ANSI C84.1)."""


def check_doubts(
    source: Source,
    site: SiteFile,
    problems: list[Problem],
    questions: list[Problem],
    profiles: Mapping[str, Profile] | None = None,
) -> None:
    """`problems` are refused; `questions` are printed by `check` and logged by `run`."""
    for path, message in (*refused(source, site), *refused_writes(site, profiles or {})):
        problems.append(source.problem(path, message))
    known = profiles or {}
    more = (*_no_principals(source, site), *_turned_round(site, known), *out_of_order(site, known), *_lines(site))
    for path, message in (*questioned(site), *more):
        questions.append(source.problem(path, message))


def _lines(site: SiteFile) -> Iterator[tuple[str, str]]:
    """A gateway does not tell how fast the line behind it is."""
    for i, bus in enumerate(site.buses):
        line = unknown_line(bus)
        if line is not None:
            text = f"the plan counts with {line.baud} baud behind this gateway: give `baud`, as the gateway is set"
            yield f"buses[{i}].rtu_over_tcp", text


def _turned_round(site: SiteFile, profiles: Mapping[str, Profile]) -> Iterator[tuple[str, str]]:
    """A meter whose sign is not the one that its maker's have."""
    for path, meter in site.meters:
        usual = planned(profiles, meter.profile)
        if usual.meter_sign not in {None, meter.sign}:
            way = "export" if usual.meter_sign == 1 else "import"
            text = f"{meter.sign}: the meters of profile {usual.name} are positive for {way}, so {usual.meter_sign}"
            said = usual.facts["meter_sign"]
            yield f"{path}.sign", f"{text} ({said.by}: {said.source}), unless its clamps are turned round"


def refused(source: Source, site: SiteFile) -> Iterator[tuple[str, str]]:
    """Path and message of what is surely wrong."""
    for path, host in _hosts(site):
        if (wrong := host_problem(host)) is not None:
            yield path, wrong
    yield from _relative(site)
    yield from own_places(site.site)
    for path, value in _powers(site):
        spelled = source.texts.get(path, "")
        if THOUSANDS.fullmatch(spelled):
            yield (
                path,
                f"{spelled} is {value:.10g} here: write {spelled.replace('.', '')}, without a point, or {value:.10g}",
            )
    for b, second in enumerate(site.ders):
        twin = next(((a, first) for a, first in enumerate(site.ders[:b]) if _twins(first, second)), None)
        if twin is not None:
            a, first = twin
            yield f"ders[{b}].serial", f"{second.serial!r} is ders[{a}] already ({first.id}): each device stands once"
    yield from principals(site)
    yield from contacts(site)
    yield from _home_assistant(site)
    tls = None if site.mqtt is None else site.mqtt.tls
    if tls is not None and tls.key_file is not None and tls.cert_file is None:
        yield "mqtt.tls.key_file", "a key without a certificate is not used: give cert_file too"


def _home_assistant(site: SiteFile) -> Iterator[tuple[str, str]]:
    wanted = None if site.mqtt is None else site.mqtt.home_assistant
    if site.mqtt is not None and wanted is not None and wanted.principal is not None:
        names = [each.name for each in site.mqtt.principals]
        if wanted.principal not in names:
            known = ", ".join(names) or "nobody"
            yield "mqtt.home_assistant.principal", f"{wanted.principal!r} is not under mqtt.principals ({known} is)"


def _twins(first: DerSection, second: DerSection) -> bool:
    """Whether one device stands there twice."""
    sections = (first.bus, first.unit) == (second.bus, second.unit) and first.section != second.section
    same = bool(first.serial) and first.serial == second.serial and first.kind == second.kind
    return same and not sections


def questioned(site: SiteFile) -> Iterator[tuple[str, str]]:
    """Path and message of what may be meant otherwise."""
    for path, value in _powers(site):
        if 0.0 < value < KILO_W:
            yield path, f"{value:.10g} is less than {KILO_W:g} W: if kW are meant, write {value * 1000.0:.10g}"
        elif value > MEGA_W and path.startswith("ders"):
            yield path, f"{value:.10g} is more than a megawatt for one DER"
    yield from _voltage(site)
    if (without := question_without(site)) is not None:
        yield "site", without
    yield from _serials(site)
    yield from _broker(site)
    yield from _ports(site)
    used = {*_buses(site)}
    for i, bus in enumerate(site.buses):
        if bus.id not in used:
            yield f"buses[{i}]", f"nothing is on bus {bus.id!r}"


def _hosts(site: SiteFile) -> Iterator[tuple[str, str]]:
    for i, bus in enumerate(site.buses):
        for name, section in given(bus).items():
            host = getattr(section, "host", None)
            if isinstance(host, str):
                yield f"buses[{i}].{name}.host", host
        if bus.tls is not UNSET and bus.tls.server_name is not None:
            yield f"buses[{i}].tls.server_name", bus.tls.server_name
    if site.mqtt is not None:
        yield "mqtt.host", site.mqtt.host


def _relative(site: SiteFile) -> Iterator[tuple[str, str]]:
    """Paths that would mean another file for each folder that derctl is started in."""
    files: list[tuple[str, str | None]] = [("site.state_dir", site.site.state_dir), ("site.socket", site.site.socket)]
    if site.site.clock_sync not in {"auto", "assume"}:
        files.append(("site.clock_sync", site.site.clock_sync))
    if site.mqtt is not None:
        files.append(("mqtt.password_file", site.mqtt.password_file))
        tls = site.mqtt.tls
        keys = () if tls is None else ("ca_file", "cert_file", "key_file")
        files += [(f"mqtt.tls.{key}", getattr(tls, key)) for key in keys]
    for i, bus in enumerate(site.buses):
        if bus.tls is not UNSET:
            own = ("ca_file", "cert_file", "key_file")
            files += [(f"buses[{i}].tls.{key}", getattr(bus.tls, key)) for key in own]
    for path, name in files:
        if name is not None and not Path(name).is_absolute():
            begins = "~ is read by shells only: " if name.startswith("~") else ""
            words = "auto, assume, or " if path.endswith("clock_sync") else ""
            yield path, f"{name!r}: {begins}write {words}the whole path, from / on"


def _powers(site: SiteFile) -> Iterator[tuple[str, float]]:
    """Every power that the file gives: ratings, fallbacks, and the functions' settings."""
    for i, der in enumerate(site.ders):
        for name in ("p_max_w", "p_charge_max_w", "s_max_va"):
            yield from _power(f"ders[{i}].rating.{name}", getattr(der.rating, name))
        yield from _power(f"ders[{i}].fallback.p_ceiling_w", der.fallback.p_ceiling_w)
    for i, section in enumerate(site.functions):
        for name, value in section.items():
            if name.endswith(POWERS):
                yield from _power(f"functions[{i}].{name}", value)


def _power(path: str, value: Any) -> Iterator[tuple[str, float]]:
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        yield path, float(value)


def _voltage(site: SiteFile) -> Iterator[tuple[str, str]]:
    volts, hertz = site.site.v_nom_v, site.site.f_nom_hz
    if volts in BETWEEN_LINES_V:
        neutral = volts / math.sqrt(3.0)
        yield (
            "site.v_nom_v",
            f"{volts:g} V is usual between the lines; to neutral, as it counts here, it is {neutral:.0f}",
        )
    if PLANT_HZ.get(volts, hertz) != hertz:
        yield "site.f_nom_hz", f"{volts:g} V goes with {PLANT_HZ[volts]} Hz"


def _serials(site: SiteFile) -> Iterator[tuple[str, str]]:
    """One serial under two kinds may be right: an inverter that also shows its meter or its battery."""
    given = [(f"ders[{i}].serial", der.serial, der.kind, (der.bus, der.unit)) for i, der in enumerate(site.ders)]
    for i, der in enumerate(site.ders):
        if der.bms is not None:
            given.append((f"ders[{i}].bms.serial", der.bms.serial, "bms", (der.bms.bus, der.bms.unit)))
    for path, meter in site.meters:
        given.append((f"{path}.serial", meter.serial, meter.kind, (meter.bus, meter.unit)))
    for (a, first, kind, place), (b, second, other, there) in combinations(given, 2):
        if first and first == second and place != there and (kind != other or kind not in CATALOGUE):
            yield b, f"{second!r} is {a} too: is it one device?"


def _broker(site: SiteFile) -> Iterator[tuple[str, str]]:
    mqtt = site.mqtt
    if mqtt is None:
        return
    if mqtt.port == 8883 and mqtt.tls is None:
        yield "mqtt.port", "8883 is the port for TLS, and there is no mqtt.tls"
    if mqtt.port == 1883 and mqtt.tls is not None:
        yield "mqtt.port", "1883 is the port without TLS; with mqtt.tls it is usually 8883"
    if mqtt.password_file is not None and mqtt.username is None:
        yield "mqtt.password_file", "a password without a username"
    if mqtt.password_file is not None and mqtt.tls is None and not here(mqtt.host):
        yield "mqtt.password_file", f"without mqtt.tls everyone on the way to {mqtt.host} can read the password"


def _ports(site: SiteFile) -> Iterator[tuple[str, str]]:
    """A port that is usual for the other wire."""
    for i, bus in enumerate(site.buses):
        if bus.tls is not UNSET and bus.tls.port == 502:
            yield f"buses[{i}].tls.port", "502 is the port without TLS; Modbus/TCP Security is usually on 802"
        if bus.tcp is not UNSET and bus.tcp.port == 802:
            yield f"buses[{i}].tcp.port", "802 is the port for TLS, and this is tcp: write tls, with its files"


def _no_principals(source: Source, site: SiteFile) -> Iterator[tuple[str, str]]:
    """An empty list is meant."""
    if site.mqtt is not None and "mqtt.principals" not in source.lines:
        yield "mqtt", "nobody may command over MQTT: list who may in mqtt.principals, e.g. [{name: ops}], or say []"


def _buses(site: SiteFile) -> Iterator[str]:
    """The bus of each device."""
    for der in site.ders:
        yield der.bus
        if der.bms is not None:
            yield der.bms.bus
    yield from (meter.bus for _, meter in site.meters)
