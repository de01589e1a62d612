"""Who else answers on a wire where one does not: at other unit ids, and on a serial line at other settings."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Collection, Iterator, Sequence

from msgspec import UNSET, structs

from derctl.cli.look import sunspec
from derctl.commission.met import Neighbour
from derctl.core.exchange import Read, patient
from derctl.daemon.channel.expected import Expected
from derctl.devices import Identity, Options
from derctl.errors import BusClosed, BusError, DeviceError, DeviceRefused
from derctl.links.bus import Bus
from derctl.links.line import Line, Pace
from derctl.site import WIRES, BusSection
from derctl.site.schema import RtuSection

UNITS = (*range(1, 11), 71, 100, 126, 200, 240, 247)
"""Where devices usually are: 1 to 10, Kostal 71, SMA 126, Fronius 100, its meters 200 and 240, GoodWe 247."""
BAUDS = (9600, 19200, 38400, 115200, 57600, 4800, 2400)
PARITIES = ("none", "even")
ANSWER_S = 0.4
"""Our choice: what a unit that may not be there gets to answer in."""
CONNECT_S = 2.0
FIRST = Read(address=40000, count=2)
UNITS_MOST = 3
"""Of a serial line, for how many units other settings are tried: each costs a deadline for each of them."""

Missing = Sequence[tuple[int, Expected]]
"""Those that are silent, with what is looked for."""


async def neighbours(
    bus: Bus, section: BusSection, missing: Missing, taken: Collection[int], *, heard: bool
) -> tuple[Neighbour, ...]:
    """heard: somebody answered on this wire, so its settings are right. taken: unit ids that are known."""
    if section.rtu is not UNSET and not heard:
        bus.line.wire.close()
        found = await _other_settings(bus, section.rtu, missing)
        if found:
            return found
    before = bus.line.pace
    bus.line.pace = dataclasses.replace(
        before, timeout_s=min(before.timeout_s, ANSWER_S), drain_s=0.0, meet_most_s=0.0
    )
    try:
        units = [unit for unit in UNITS if unit not in taken and unit not in dict(missing)]
        return tuple([each async for each in _answering(bus, units, missing[0][1])])
    finally:
        bus.line.pace = before


async def _answering(bus: Bus, units: Sequence[int], expected: Expected) -> AsyncIterator[Neighbour]:
    """Those that answer, be it with a refusal."""
    for unit in units:
        try:
            if not await _heard(bus, unit):
                continue
        except BusClosed:
            return
        who = await _who(bus, unit, expected)
        name = f"{who.name}, serial {who.serial}" if who.serial else who.name
        yield Neighbour(unit=unit, who=name, serial=who.serial)


async def _heard(bus: Bus, unit: int) -> bool:
    """Raises BusClosed where the other side takes no connection any more."""
    if not bus.line.connected:
        await bus.line.connect()
    try:
        await bus.request(unit, FIRST)
    except DeviceRefused as error:
        return not error.by_gateway
    except BusError:
        return False
    return True


async def _who(bus: Bus, unit: int, expected: Expected) -> Identity:
    """Nobody where it does not say; a device with registers of its own is taken as the kind that is looked for."""
    try:
        if expected.kind.mapped:
            device, identity = await bus.execute(unit, expected.meet(None))
            return identity if identity.name else device.identity
        layout = await bus.execute(unit, patient(sunspec(Options(profile=expected.options.profile))))
        return layout.identity
    except (BusError, DeviceError):
        return Identity()


def _settings(section: RtuSection) -> Iterator[RtuSection]:
    """The parity of the site file first."""
    for parity in sorted(PARITIES, key=lambda word: word != section.parity):
        for baud in BAUDS:
            if (baud, parity) != (section.baud, section.parity):
                yield structs.replace(section, baud=baud, parity=parity)


async def _other_settings(bus: Bus, section: RtuSection, missing: Missing) -> tuple[Neighbour, ...]:
    """The first settings at which one of the missing answers; all that answer there."""
    pace = Pace(timeout_s=ANSWER_S, drain_s=0.0)
    for other in _settings(section):
        trial = Bus(Line(bus.line.name, WIRES["rtu"].open(other, CONNECT_S), pace))
        try:
            words = _words(section, other)
            found = [
                dataclasses.replace(each, settings=words)
                for unit, expected in missing[:UNITS_MOST]
                async for each in _answering(trial, [unit], expected)
            ]
        finally:
            trial.line.wire.close()
        if found:
            return tuple(found)
    return ()


def _words(section: RtuSection, other: RtuSection) -> str:
    """As the site file has it, of what differs."""
    differs = [key for key in ("baud", "parity") if getattr(section, key) != getattr(other, key)]
    return ", ".join(f"{key}: {getattr(other, key)}" for key in differs)
