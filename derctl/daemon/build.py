"""From a Site to buses and channels: shared by the daemon and by `derctl release`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from derctl.daemon.channel.channel import Channel
from derctl.daemon.kinds import KINDS
from derctl.devices import Device, Options
from derctl.links.bus import Bus, Pace
from derctl.site import BusSection, DerSection, Site, place_of, rating_of, slowest

OnEvent = Callable[[str, str, str], None]
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
    return Bus(section.id, place.open(), Pace(**slowest(site, section)), place=place.name)


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
