"""From a Site to buses and channels: shared by the daemon and by `derctl release`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from derctl.daemon.actuate.writer import Writer
from derctl.daemon.channel.channel import Channel
from derctl.daemon.kinds import KINDS
from derctl.daemon.report.telemetry import encode
from derctl.devices import Device, Options
from derctl.links.bus import Bus, Pace
from derctl.links.mqtt import Broker
from derctl.links.wires.strays import Header
from derctl.site import (
    BusSection,
    DerSection,
    MqttSection,
    Site,
    fallback_of,
    place_of,
    rating_of,
    slowest,
)

OnEvent = Callable[[str, str, str], None]
Journalled = Callable[[str], Awaitable[None]]
RATING_TOLERANCE = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Plant:
    """Everything that has a wire."""

    buses: Mapping[str, Bus]
    ders: Mapping[str, Channel]
    bms: Mapping[str, Channel]
    poc: Channel | None

    @property
    def channels(self) -> list[Channel]:
        """All of them, DERs first."""
        return [*self.ders.values(), *self.bms.values(), *([] if self.poc is None else [self.poc])]


def build(site: Site, on_event: OnEvent) -> Plant:
    """Nothing is connected yet."""
    buses = {section.id: _bus(site, section) for section in site.file.buses}
    ders = {der.id: _der(site, der, buses, on_event) for der in site.file.ders}
    bms = {der.id: _bms(site, der, buses, on_event) for der in site.file.ders if der.bms is not None}
    return Plant(buses=buses, ders=ders, bms=bms, poc=_poc(site, buses, on_event))


def _bus(site: Site, section: BusSection) -> Bus:
    place = place_of(section)
    pace = Pace(**slowest(site, section))
    if Header(section.header) is Header.IGNORE_TRANSACTION:
        pace = replace(pace, drain_s=pace.timeout_s)
    return Bus(section.id, place.open(header=section.header), pace, place=place.name)


def _der(site: Site, der: DerSection, buses: Mapping[str, Bus], on_event: OnEvent) -> Channel:
    v_nom_v = site.file.site.v_nom_v
    options = Options(
        profile=site.profiles[der.profile],
        v_nom_v=v_nom_v,
        own_functions=der.own_functions,
        declared=rating_of(der, v_nom_v),
    )
    return Channel(
        id=der.id,
        bus=buses[der.bus],
        unit=der.unit,
        kind=KINDS[der.kind],
        options=options,
        serial=der.serial,
        check=lambda device: rating_problem(der, device),
        on_event=on_event,
    )


def _bms(site: Site, der: DerSection, buses: Mapping[str, Bus], on_event: OnEvent) -> Channel:
    section = der.bms
    assert section is not None
    return Channel(
        id=f"{der.id}.bms",
        bus=buses[section.bus],
        unit=section.unit,
        kind=KINDS["sunspec_bms"],
        options=Options(profile=site.profiles[section.profile], v_nom_v=site.file.site.v_nom_v),
        serial=section.serial,
        on_event=on_event,
    )


def _poc(site: Site, buses: Mapping[str, Bus], on_event: OnEvent) -> Channel | None:
    section = site.file.poc
    if section is None:
        return None
    options = Options(profile=site.profiles[section.profile], v_nom_v=site.file.site.v_nom_v, sign=section.sign)
    return Channel(
        id="poc",
        bus=buses[section.bus],
        unit=section.unit,
        kind=KINDS[section.kind],
        options=options,
        serial=section.serial,
        on_event=on_event,
    )


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
