"""By which register map's signature a device without SunSpec is known."""

from __future__ import annotations

from collections.abc import Mapping

from derctl.commission.described import Row, Use, used_as
from derctl.core.dataclass import dataclass
from derctl.core.exchange import Exchange
from derctl.core.value import replace
from derctl.devices import Identity, Kind, Options, Profile
from derctl.devices.maps.map import RegisterMap
from derctl.devices.maps.recognise import identified
from derctl.devices.sunspec.section import Section, Seen
from derctl.errors import BusError, DeviceError

SILENT_MOST = 2
"""Maps whose registers get no answer, or a wrong one, until no other is tried: each costs a deadline."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A map whose signature fits, and the device as the map's kind."""

    profile: Profile
    kind: str
    identity: Identity
    row: Row

    @property
    def use(self) -> Use:
        """As a device with a chain has it, of one section."""
        section = Section(index=1, common=None, blocks=())
        seen = Seen(section=section, identity=self.identity)
        return Use(kind=self.kind, row=self.row, seen=seen, needed=False, profile=self.profile.name)


def fitting(options: Options, known: Mapping[str, Profile], kinds: Mapping[str, Kind]) -> Exchange[tuple[Fit, ...]]:
    """All that fit, the one with the most precise signature first: a model's own number tells more than ranges do.

    One register is enough to tell most of them apart, and none is read twice. Who doesn't answer for some of them is
    asked for no more.
    """
    found: tuple[Fit, ...] = ()
    silent = 0
    for profile in sorted(known.values(), key=_marks, reverse=True):
        if profile.map is None or silent >= SILENT_MOST:
            continue
        most = min(profile.max_regs, options.profile.max_regs)
        try:
            identity = yield from identified(profile.map, most)
        except DeviceError:
            continue
        except BusError:
            silent += 1
            continue
        kind = profile.map.kind
        row = yield from used_as(kinds[kind], replace(options, profile=replace(profile, max_regs=most)))
        found = (*found, Fit(profile=profile, kind=kind, identity=identity, row=row))
    return found


def behind(
    options: Options, known: Mapping[str, Profile], kinds: Mapping[str, Kind], maker: str
) -> Exchange[tuple[Fit, ...]]:
    """Batteries that a maker's own registers tell of, beside a SunSpec chain that doesn't: by the signature of that
    maker's maps. Nothing where they get no answer."""
    stores = {
        name: each
        for name, each in known.items()
        if each.map is not None and kinds[each.map.kind].can.store and maker_of(each.map, maker)
    }
    return (yield from fitting(options, stores, kinds)) if stores else ()


def maker_of(made: RegisterMap, maker: str) -> bool:
    """Whether that is who the map is of, as it says in model 1."""
    return maker.strip().casefold().startswith(made.maker.casefold())


def _marks(profile: Profile) -> tuple[int, int]:
    """How many of its registers have to read one of a few values, and how many it names in all."""
    signature = () if profile.map is None else profile.map.signature
    return sum(mark.within is None for mark in signature), len(signature)
