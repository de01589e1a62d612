"""From a Site to buses and channels: shared by the daemon and by `derctl release`."""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from msgspec import UNSET
from msgspec.structs import replace

from derctl.core.dataclass import dataclass
from derctl.daemon.actuate.writer import Writer
from derctl.daemon.channel.channel import Channel
from derctl.daemon.channel.expected import Expected
from derctl.daemon.kinds import KINDS
from derctl.daemon.known import Known
from derctl.daemon.report.telemetry import encode
from derctl.devices import Device, Options, Profile
from derctl.devices.blocks import Joining
from derctl.devices.nominal import measured_problem, phase_problem, stated_problem
from derctl.devices.types import Taken
from derctl.devices.writable import OWN_POINT
from derctl.links.broker import Broker
from derctl.links.bus import Bus
from derctl.links.latency import MEET_MOST_S
from derctl.links.line import Line, Pace, UnitPace
from derctl.links.wires.strays import Header
from derctl.site import (
    PACE,
    BusSection,
    DerSection,
    MeterSection,
    MqttSection,
    Site,
    fallback_of,
    paces,
    place_of,
    rating_of,
    slowest,
)
from derctl.site.pace import transaction_of, unknown_line

OnEvent = Callable[[str, str, str], None]
Journalled = Callable[[str], Awaitable[None]]
RATING_TOLERANCE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Plant:
    """Everything that has a wire."""

    buses: Mapping[str, Bus]
    ders: Mapping[str, Channel]
    bms: Mapping[str, Channel]
    poc: Channel | None
    witness: Channel | None = None

    @property
    def channels(self) -> list[Channel]:
        """All of them, DERs first."""
        meters = [channel for channel in (self.poc, self.witness) if channel is not None]
        return [*self.ders.values(), *self.bms.values(), *meters]


def build(site: Site, on_event: OnEvent, known: Known | None = None, kept: Mapping[str, Bus] | None = None) -> Plant:
    """Nothing is connected yet, but the buses that are kept. known: which DERs were ever found."""
    kept, known = kept or {}, known or Known()
    buses = {section.id: kept.get(section.id) or _bus(site, section) for section in site.file.buses}
    ders = {der.id: _der(site, der, buses, known, on_event) for der in site.file.ders}
    bms = {der.id: _bms(site, der, buses, on_event) for der in site.file.ders if der.bms_here is False}
    meters = {path: _meter(site, path, section, buses, on_event) for path, section in site.file.meters}
    return Plant(buses=buses, ders=ders, bms=bms, poc=meters.get("poc"), witness=meters.get("poc.witness"))


def rebuild(site: Site, on_event: OnEvent, known: Known, old: Site, plant: Plant) -> Plant:
    """The same for a site file that was read again; what it leaves as it was is kept, with all that is known."""
    was = {section.id: section for section in old.file.buses}
    stay = [each for each in site.file.buses if each.id in was and _wire(was[each.id]) == _wire(each)]
    fresh = build(site, on_event, known, {section.id: plant.buses[section.id] for section in stay})
    for section in stay:
        fresh.buses[section.id].line.pace = _pace(site, section)
    ratings = {der.id: der.rating for der in old.file.ders}
    same = {der.id for der in site.file.ders if ratings.get(der.id) == der.rating}
    made = Plant(
        buses=fresh.buses,
        ders={name: _kept(each, plant.ders.get(name) if name in same else None) for name, each in fresh.ders.items()},
        bms={name: _kept(each, plant.bms.get(name)) for name, each in fresh.bms.items()},
        poc=None if fresh.poc is None else _kept(fresh.poc, plant.poc),
        witness=None if fresh.witness is None else _kept(fresh.witness, plant.witness),
    )
    for new, channel in zip(fresh.channels, made.channels, strict=True):
        new.expected.slower(channel.measured.habits)
    return made


def fresh(old: Plant, new: Plant) -> list[Channel]:
    """Channels that are new."""
    return [channel for channel in new.channels if all(channel is not other for other in old.channels)]


def _wire(section: BusSection) -> BusSection:
    """What can't change under a connection; the pace can."""
    nothing = dict.fromkeys((*PACE, "turnaround_s", "answer_s", "max_regs", "spans"))
    return replace(section, **nothing)


def _kept(fresh: Channel, old: Channel | None) -> Channel:
    """The channel from before, where it is the same device asked in the same way."""
    if old is None or old.bus is not fresh.bus or old.unit != fresh.unit:
        return fresh
    if not old.expected.asks_like(fresh.expected):
        return fresh
    old.asking.joining = fresh.asking.joining
    return old


def _bus(site: Site, section: BusSection) -> Bus:
    place = place_of(section)
    return Bus(Line(section.id, place.open(header=section.header), _pace(site, section), place=place.name))


def _pace(site: Site, section: BusSection) -> Pace:
    pace = Pace(
        **slowest(site, section),
        meet_most_s=MEET_MOST_S if section.timeout_s is None else 0.0,
        units={unit: UnitPace(**each) for unit, each in paces(site, section).items()},
    )
    drains = place_of(section).waits_for_late or Header(section.header) is Header.IGNORE_TRANSACTION
    return dataclasses.replace(pace, drain_s=pace.timeout_s) if drains else pace


def _slower(line: Line, section: BusSection, unit: int, profile: Profile) -> None:
    """A device was found that needs more time than those that the site file names; what that gives itself stands."""
    pace, own = line.pace, [key for key in PACE if getattr(section, key) is None]
    own = [key for key in own if key != "backoff_s" or section.rtu is UNSET]
    before = pace.units.get(unit, UnitPace())
    turnaround_s = max(before.turnaround_s, profile.turnaround_s if section.turnaround_s is None else 0.0)
    needs = UnitPace(turnaround_s=turnaround_s, floor_s=max(before.floor_s, profile.answer_floor_s))
    more = {key: max(getattr(pace, key), getattr(profile, key)) for key in own}
    line.pace = pace = dataclasses.replace(pace, **more, units={**pace.units, unit: needs})
    if pace.drain_s > 0.0:
        line.pace = dataclasses.replace(pace, drain_s=pace.timeout_s)


def _paced(site: Site, buses: Mapping[str, Bus], bus: str, unit: int) -> Callable[[Profile], None]:
    return partial(_slower, buses[bus].line, _section(site, bus), unit)


def _profile(site: Site, name: str | None, bus: str) -> Profile:
    """A gateway may take shorter reads than the device behind it."""
    profile, most = site.profile(name), _section(site, bus).max_regs
    return profile if most is None else dataclasses.replace(profile, max_regs=min(most, profile.max_regs))


def _section(site: Site, bus: str) -> BusSection:
    return next(section for section in site.file.buses if section.id == bus)


def _joining(site: Site, bus: str, profile: Profile) -> Joining:
    """What may be read together: it takes no longer than two requests, and the device takes it."""
    section = _section(site, bus)
    cost = transaction_of(site.file, site.profiles, section, line=unknown_line(section))
    spans = profile.map is None and (profile.spans if section.spans is None else section.spans)
    return Joining(max_regs=profile.max_regs, gap=cost.gap, spans=spans)


def _der(site: Site, der: DerSection, buses: Mapping[str, Bus], known: Known, on_event: OnEvent) -> Channel:
    v_nom_v = site.file.site.v_nom_v
    options = Options(
        profile=_profile(site, der.profile, der.bus),
        shelf=site.shelf(der.profile),
        taken=_taken(der),
        v_nom_v=v_nom_v,
        f_nom_hz=float(site.file.site.f_nom_hz),
        own_functions=der.own_functions,
        declared=rating_of(der, v_nom_v),
        control=der.control,
        section=der.section,
        phase="ABC".index(der.phase) if der.phase in {"A", "B", "C"} else None,
        bms_here=der.bms_here,
        bms_section=None if der.bms is None else der.bms.section,
        bms_serial=None if der.bms is None else der.bms.serial,
    )
    return Channel(
        id=der.id,
        bus=buses[der.bus],
        unit=der.unit,
        expected=Expected(
            slower=_paced(site, buses, der.bus, der.unit),
            kind=KINDS[der.kind],
            options=options,
            serial=der.serial,
            model=der.model,
            recorded=partial(known.rating, der),
            heir=partial(known.heir, der),
            check=lambda device: _first(
                model_problem(der.model, device),
                rating_problem(der, device),
                _stated(options, device),
                phase_problem(der.phase, device.nominal.system),
            ),
            doubts=lambda device, seen: measured_problem(device.nominal, seen, options.v_nom_v, options.f_nom_hz),
        ),
        on_event=on_event,
        joining=_joining(site, der.bus, options.profile),
    )


def _taken(der: DerSection) -> Taken:
    """What else it names is asked for with each write, so that the device stays found when that is changed."""
    return Taken(firmware=der.firmware, points=tuple(point for point in der.may_write if point.startswith(OWN_POINT)))


def _bms(site: Site, der: DerSection, buses: Mapping[str, Bus], on_event: OnEvent) -> Channel:
    section = der.bms
    assert section is not None
    profile, shelf = _profile(site, section.profile, section.bus), site.shelf(section.profile)
    options = Options(profile=profile, shelf=shelf, v_nom_v=site.file.site.v_nom_v, section=section.section)
    return Channel(
        id=f"{der.id}.bms",
        bus=buses[section.bus],
        unit=section.unit,
        expected=Expected(
            slower=_paced(site, buses, section.bus, section.unit),
            kind=KINDS["sunspec_bms" if profile.map is None else "map_bms"],
            options=options,
            serial=section.serial,
            model=section.model,
            check=lambda device: model_problem(section.model, device),
        ),
        on_event=on_event,
        joining=_joining(site, section.bus, profile),
    )


def _meter(site: Site, path: str, section: MeterSection, buses: Mapping[str, Bus], on_event: OnEvent) -> Channel:
    v_nom_v, f_nom_hz = site.file.site.v_nom_v, float(site.file.site.f_nom_hz)
    options = Options(
        profile=_profile(site, section.profile, section.bus),
        shelf=site.shelf(section.profile),
        v_nom_v=v_nom_v,
        f_nom_hz=f_nom_hz,
        sign=section.sign,
        section=section.section,
    )
    return Channel(
        id=path,
        bus=buses[section.bus],
        unit=section.unit,
        expected=Expected(
            slower=_paced(site, buses, section.bus, section.unit),
            kind=KINDS[section.kind],
            options=options,
            serial=section.serial,
            model=section.model,
            check=lambda device: model_problem(section.model, device),
            doubts=lambda device, seen: measured_problem(
                device.nominal, dataclasses.replace(seen, v_v=None), options.v_nom_v, options.f_nom_hz
            ),
        ),
        on_event=on_event,
        joining=_joining(site, section.bus, options.profile),
    )


def _first(*problems: str | None) -> str | None:
    return next((problem for problem in problems if problem is not None), None)


def _stated(options: Options, device: Device) -> str | None:
    return stated_problem(device.nominal, options.v_nom_v, options.f_nom_hz)


def model_problem(wanted: str | None, device: Device) -> str | None:
    """The device's model against the site file's: its name alone, or the maker's before it."""
    who = device.identity
    names = (who.model, f"{who.maker} {who.model}")
    if wanted is None or _plain(wanted) in map(_plain, names):
        return None
    return f"model {who.model!r} answers, {wanted!r} is expected"


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()


def rating_problem(der: DerSection, device: Device) -> str | None:
    """The device's rating against the nameplate in the site file."""
    declared, rating = der.rating, device.rating
    pairs = (
        ("p_max_w", declared.p_max_w, rating.p_max_w),
        ("p_charge_max_w", declared.p_charge_max_w, -rating.p_min_w),
        ("s_max_va", declared.s_max_va, rating.s_max_va),
    )
    for name, wanted, found in pairs:
        if wanted is not None and abs(found - wanted) > RATING_TOLERANCE * wanted:
            return f"rating.{name} is {wanted:g} in the site file, the device says {found:g}"
    return None


def writer_of(site: Site, der: DerSection, channel: Channel, journal: Journalled, on_event: OnEvent) -> Writer:
    """One DER's way to its device. journal: awaited before each write."""
    return Writer(
        id=der.id,
        channel=channel,
        fallback=fallback_of(der),
        control=der.control,
        tick_s=site.file.site.tick_s,
        journal=journal,
        on_event=on_event,
    )


def broker_of(site: Site, section: MqttSection) -> Broker:
    """Where the site's messages go, and as whom."""
    tls = section.tls
    return Broker(
        host=section.host,
        port=section.port,
        base=f"{section.prefix}/{site.file.site.fleet}/{site.file.site.id}",
        will=encode({"online": False}),
        username=section.username,
        password=site.secret,
        ca_file=None if tls is None else tls.ca_file,
        cert_file=None if tls is None else tls.cert_file,
        key_file=None if tls is None else tls.key_file,
        keepalive_s=section.keepalive_s,
    )
