"""What `scan` says of a device without SunSpec: by which register map's signature it is known."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from derctl.cli.described import used_as
from derctl.cli.look import Pulse
from derctl.cli.proposal import Row, Use, site_rows, timeout_of
from derctl.core.exchange import Exchange
from derctl.core.text import clean
from derctl.core.value import replace
from derctl.daemon.kinds import KINDS
from derctl.devices import Identity, Options, Profile
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
        return Use(kind=self.kind, row=self.row, seen=seen, needed=False)


def fitting(options: Options, known: Mapping[str, Profile]) -> Exchange[tuple[Fit, ...]]:
    """All that fit, the one with the longest signature first. One register is enough to tell most of them apart, and
    none is read twice. Who doesn't answer for some of them is asked for no more."""
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
        row = yield from used_as(KINDS[kind], replace(options, profile=replace(profile, max_regs=most)))
        found = (*found, Fit(profile=profile, kind=kind, identity=identity, row=row))
    return found


def _marks(profile: Profile) -> int:
    return 0 if profile.map is None else len(profile.map.signature)


def shown(args: argparse.Namespace, fits: tuple[Fit, ...], pulse: Pulse) -> int:
    """Print what is there, as what it can be used, and the rows for the site file."""
    first = fits[0]
    rows = site_rows(args.endpoint, args.unit, [first.use], first.profile, pulse, args.header)
    if args.json:
        said: dict[str, Any] = {"identity": asdict(first.identity), "profile": first.profile.name, "site_file": rows}
        said |= {"maps": {fit.profile.name: {fit.kind: fit.row} for fit in fits}, "answers": pulse.answers}
        said |= {"slowest_s": round(pulse.slowest_s, 3), "timeout_s": timeout_of(first.profile, pulse)}
        print(json.dumps(said, indent=2))
        return 0
    for fit in fits:
        who = fit.identity
        serial, firmware = who.serial or "not told", who.firmware or "not told"
        print(f"{clean(who.name)}, by its map's signature: profile {fit.profile.name}")
        print(f"  serial {serial}  firmware {firmware}  unit {args.unit}")
        print(f"as {fit.kind}: {clean(str(fit.row['text']))}")
    print(f"{pulse.answers} answers, the slowest after {pulse.slowest_s:.2f} s; it has no SunSpec map")
    if rows:
        print("\nfor the site file:")
        print("\n".join(rows))
    return 0
