"""The pace of a bus, and what is asked on it, as far as the site file and the profiles tell."""

from __future__ import annotations

import math
from collections.abc import Mapping

from msgspec import UNSET

from derctl.core.freshness import METER_STALE_MAX_S, STALE_MAX_S, WRITES, Round
from derctl.core.transaction import Serial, Transaction
from derctl.devices import CATALOGUE, Profile
from derctl.devices.maps.blocks import polled
from derctl.site.admission import GROUP, Asked, Wired
from derctl.site.profiles import planned
from derctl.site.schema import BusSection, DerSection, SiteFile
from derctl.site.wires import given

ANSWER_S = 0.1
"""How long an answer takes until it was measured: what most devices keep (docs/sources.md)."""
BAUD_ASSUMED = 9600
"""Of the line behind a gateway, where nothing says: slow enough for nearly all of them (docs/sources.md)."""
ASSUMED_LINE = Serial(baud=BAUD_ASSUMED)
BATTERY = (64, 24)
EXPECTED = {
    "sunspec_pv": (39, 26),
    "sunspec_storage": (39, 26, 26),
    "sunspec_hybrid": (39, 26, *BATTERY),
    "sunspec_bms": BATTERY,
    "sunspec_meter": (55,),
}
"""Registers of each request of one poll, by what a unit is (docs/sources.md)."""
EXPECTED_SLOW = {"sunspec_pv": (3,), "sunspec_storage": (23,), "sunspec_hybrid": (23,)}
"""Of what is read now and then, and may stand before a poll (docs/sources.md)."""
UNKNOWN = (GROUP,)
"""Of a kind that nothing is known of."""
REFRESHED = 0.5
"""Share of a device's reversion time after which its setpoint is written again (docs/sources.md)."""
NEVER_S = 1e9
"""A setpoint that stands in the device is written again when it changes."""
PORT_BACKOFF_S = 2.0
"""Between two looks whether a serial port is there again: it costs nothing, and keeps no device's only place."""
KEYS = ("timeout_s", "min_interval_s", "connect_delay_s", "backoff_s")


def pace_of(file: SiteFile, profiles: Mapping[str, Profile], bus: BusSection) -> dict[str, float]:
    """What the site file gives, else the most careful value among the profiles on it. A profile that isn't known
    counts as a device that follows the documents."""
    used = [planned(profiles, name) for _, name in _named(file, bus.id)] or [Profile()]
    said = {key: getattr(bus, key) for key in KEYS}
    found = {key: max(getattr(p, key) for p in used) if said[key] is None else said[key] for key in KEYS}
    if bus.rtu is not UNSET and bus.backoff_s is None:
        found["backoff_s"] = min(found["backoff_s"], PORT_BACKOFF_S)
    return found


def units_of(file: SiteFile, profiles: Mapping[str, Profile], bus: BusSection) -> dict[int, dict[str, float]]:
    """What each unit of a bus needs by itself: the bus's word, else the most careful of its profiles."""
    found: dict[int, dict[str, float]] = {}
    for unit, name in _named(file, bus.id):
        profile, before = planned(profiles, name), found.get(unit, {})
        turnaround_s = profile.turnaround_s if bus.turnaround_s is None else bus.turnaround_s
        said = {"turnaround_s": turnaround_s, "floor_s": profile.answer_floor_s}
        found[unit] = {key: max(value, before.get(key, 0.0)) for key, value in said.items()}
    return found


def _named(file: SiteFile, bus: str) -> list[tuple[int, str | None]]:
    """Unit and profile of all that is on a bus."""
    names = [(der.unit, der.profile) for der in file.ders if der.bus == bus]
    names += [(der.bms.unit, der.bms.profile) for der in file.ders if der.bms is not None and der.bms.bus == bus]
    return names + [(meter.unit, meter.profile) for _, meter in file.meters if meter.bus == bus]


def transaction_of(
    file: SiteFile,
    profiles: Mapping[str, Profile],
    bus: BusSection,
    *,
    assumed_s: float = 0.0,
    line: Serial | None = None,
) -> Transaction:
    """What a request takes on a bus. assumed_s: until the answer, where neither the site file nor a profile says.
    line: how characters go behind a gateway of whose line the site file does not tell."""
    used = [planned(profiles, name) for _, name in _named(file, bus.id)]
    said = [profile.answer_s for profile in used if profile.answer_s is not None]
    answer_s = max(said, default=assumed_s) if bus.answer_s is None else bus.answer_s
    quiet_s = [unit["turnaround_s"] for unit in units_of(file, profiles, bus).values()]
    pause_s = max(pace_of(file, profiles, bus)["min_interval_s"], *quiet_s, 0.0)
    return Transaction(serial=serial_of(bus) or line, answer_s=answer_s, pause_s=pause_s)


def serial_of(bus: BusSection) -> Serial | None:
    """How the characters of its wire go; None where they take no time that counts."""
    return next((section.serial for section in given(bus).values()), None)


def unknown_line(bus: BusSection) -> Serial | None:
    """What is assumed of the line behind a gateway of which the site file does not tell; None: nothing is."""
    return ASSUMED_LINE if bus.rtu_over_tcp is not UNSET and serial_of(bus) is None else None


def wired_of(
    file: SiteFile, profiles: Mapping[str, Profile], bus: BusSection, assumed_s: float, line: Serial | None = None
) -> Wired:
    """A bus and its units. assumed_s: until an answer, line: of the characters, where nothing says."""
    return Wired(
        bus=bus.id,
        cost=transaction_of(file, profiles, bus, assumed_s=assumed_s, line=line),
        writing=transaction_of(file, profiles, bus, assumed_s=ANSWER_S, line=line),
        units=units_on(file, profiles, bus.id),
    )


def units_on(file: SiteFile, profiles: Mapping[str, Profile], bus: str) -> tuple[Asked, ...]:
    """The units of a bus, with what is expected of them. A battery in its inverter's own chain is read with that."""
    ders = [_der(der, profiles) for der in file.ders if der.bus == bus and der.kind in CATALOGUE]
    apart = [der for der in file.ders if der.bms is not None and der.bms.bus == bus and not der.bms_here]
    batteries = [Asked(id=f"{der.id}.bms", reads=_battery(der, profiles), counts_s=STALE_MAX_S) for der in apart]
    meters = [
        Asked(
            id=path,
            reads=reads_of(meter.kind, planned(profiles, meter.profile)),
            counts_s=METER_STALE_MAX_S if path == "poc" else STALE_MAX_S,
        )
        for path, meter in file.meters
        if meter.bus == bus
    ]
    return (*ders, *batteries, *meters)


def reads_of(kind: str, profile: Profile) -> tuple[int, ...]:
    """Registers of each request of one poll: what a register map needs, else what such devices mostly have."""
    made = profile.map
    if made is None or made.kind != kind:
        return EXPECTED.get(kind, UNKNOWN)
    return tuple(block.read.count for block in polled(made, profile.max_regs, slow=False))


def _battery(der: DerSection, profiles: Mapping[str, Profile]) -> tuple[int, ...]:
    profile = planned(profiles, None if der.bms is None else der.bms.profile)
    return BATTERY if profile.map is None else reads_of("map_bms", profile)


def _der(der: DerSection, profiles: Mapping[str, Profile]) -> Asked:
    profile = planned(profiles, der.profile)
    reads = reads_of(der.kind, profile) + (BATTERY if der.bms_here and profile.map is None else ())
    slow = EXPECTED_SLOW.get(der.kind, ())
    return Asked(id=der.id, reads=reads, slow=slow, refreshed_s=refreshed_s(der), counts_s=STALE_MAX_S)


def refreshed_s(der: DerSection) -> float:
    """How often its setpoint is written at least; inf where it gets none."""
    if not der.control:
        return math.inf
    return REFRESHED * der.fallback.after_s if der.fallback.by == "reversion" else NEVER_S


def round_of(file: SiteFile, profiles: Mapping[str, Profile], bus: BusSection) -> Round:
    """One poll of a bus, by what is sure of it."""
    wired = wired_of(file, profiles, bus, 0.0)
    requests = sum(len(unit.reads) + bool(unit.slow) for unit in wired.units)
    mean_s = wired.round_s / max(requests, 1)
    ders = sum(der.bus == bus.id and der.kind in CATALOGUE for der in file.ders)
    return Round(
        requests=requests,
        writes=WRITES * ders,
        min_interval_s=wired.cost.pause_s,
        answer_s=max(mean_s - wired.cost.pause_s, 0.0),
    )
