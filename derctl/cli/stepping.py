"""The step tests of a site, one DER after the other: for `derctl identify`, alone or inside a running daemon."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from derctl.cli.subject import doubts_of, kept_from, subject_of
from derctl.commission.identify import identify
from derctl.core import belief
from derctl.core.identified import Identified, MeterFound
from derctl.core.value import replace
from derctl.daemon.stand import Stand
from derctl.errors import CommandError
from derctl.site import Site

PERIODS = 10
"""Of a square wave (docs/sources.md)."""


class Steps(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked for; over the socket the arguments of its call. ders: (): all that derctl may write. within_w:
    how far each may be moved, None: by its rating."""

    ders: tuple[str, ...] = ()
    within_w: float | None = None
    periods: int = PERIODS


class Stepped(msgspec.Struct, frozen=True, kw_only=True):
    """What was found of one DER, and of the meter by its steps. der None: it was not stepped."""

    name: str
    notes: tuple[str, ...] = ()
    serial: str = ""
    der: Identified | None = None
    meter: MeterFound | None = None
    meter_serial: str = ""


def names_of(site: Site, given: tuple[str, ...]) -> list[str]:
    """Raises CommandError."""
    known = [der.id for der in site.file.ders]
    for name in given:
        if name not in known:
            raise CommandError("no_der", f"no DER {name!r}; known are {', '.join(known)}")
    chosen = [der.id for der in site.file.ders if der.control and (not given or der.id in given)]
    if not chosen:
        raise CommandError("not_supported", "control: false in the site file: derctl may step none of them")
    return chosen


async def stepped(
    here: Stand, wanted: Steps, say: Callable[[str], None], found: Callable[[Stepped], None]
) -> Mapping[str, float]:
    """One after the other; found is told of each as soon as it is given back. Returns the size of each DER, VA.

    Raises BusError, OSError, CommandError.
    """
    here.progress = lambda name, text: say(f"{name}: {text}")
    memory = belief.start(here.site.file.site.id)
    for name in names_of(here.site, wanted.ders):
        why = kept_from(here, name)
        if why:
            found(Stepped(name=name, notes=(why,)))
            continue
        made, memory = await _one(here, name, wanted, memory, say)
        found(made)
    devices = {name: writer.channel.device for name, writer in here.writers.items()}
    return {name: device.rating.s_max_va for name, device in devices.items() if device is not None}


async def _one(
    here: Stand, name: str, wanted: Steps, memory: belief.Memory, say: Callable[[str], None]
) -> tuple[Stepped, belief.Memory]:
    """One DER, which is given back before the next one is stepped."""
    device = here.writers[name].channel.device
    assert device is not None
    subject = subject_of(here, name, wanted.within_w, wanted.periods)
    try:
        found, memory = await here.play(name, identify(subject, memory))
    finally:
        release = await here.give_back(name)
        say(f"{name}: {release or 'nothing was written'}")
    who, at = device.identity, here.stamp()
    made: dict[str, Any] = {}
    if found.meter is not None and here.plant.poc is not None and here.plant.poc.device is not None:
        meter = here.plant.poc.device.identity
        made["meter"] = replace(found.meter, name=meter.name, firmware=meter.firmware, at=at)
        made["meter_serial"] = meter.serial
    der = replace(found.der, name=who.name, firmware=who.firmware, at=at)
    notes = (*doubts_of(here, name), *found.notes)
    return Stepped(name=name, notes=notes, serial=who.serial, der=der, **made), memory
