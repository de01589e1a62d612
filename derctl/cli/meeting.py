"""Every device of a site file, met once and read for a while. Only reads, on one connection for each wire."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import field

from derctl.cli.neighbours import FIRST, neighbours
from derctl.commission.met import Asked, Met, Neighbour, Trouble
from derctl.core.dataclass import dataclass
from derctl.core.types import Reading
from derctl.daemon.build import Plant, build, model_problem, rating_problem
from derctl.daemon.channel.believed import judged
from derctl.daemon.channel.channel import Channel
from derctl.devices import Device
from derctl.devices.blocks import Blocks
from derctl.devices.nominal import phase_problem, stated_problem
from derctl.devices.plausible import plausible
from derctl.devices.types import Answers
from derctl.errors import (
    BusClosed,
    BusError,
    BusTimeout,
    DerctlError,
    DeviceError,
    DeviceRefused,
    SectionUnclear,
    WrongKind,
)
from derctl.links.bus import Bus
from derctl.site import DerSection, MeterSection, Site, fallback_of, place_of
from derctl.site.schema import ModbusTlsSection

Tell = Callable[[str], None]


@dataclass(slots=True)
class Meeting:
    """met: what is known so far. slow, blocks: what its polls need to go on with."""

    channel: Channel
    section: DerSection | MeterSection | None
    met: Met
    slow: dict[str, Sequence[int]] = field(default_factory=dict)
    blocks: Blocks = field(default_factory=Blocks)

    @property
    def bus(self) -> Bus:
        return self.channel.bus


async def meet(site: Site, *, for_s: float, tell: Tell) -> tuple[Met, ...]:
    """All of them, side by side where their wires are. for_s: how long they are read then."""
    plant = build(site, lambda event, who, text: None)
    meetings = list(_meetings(site, plant))
    wires = {
        section.id: [each for each in meetings if each.met.asked.bus == section.id] for section in site.file.buses
    }
    async with _closing(plant):
        tell(f"asking {len(meetings)} devices on {len(wires)} wires")
        await asyncio.gather(*(_wire(site, name, each, tell) for name, each in wires.items() if each))
        if any(each.met.device is not None for each in meetings):
            tell(f"reading them for {for_s:g} s")
            await _read_for(for_s, list(wires.values()))
    return tuple(each.met for each in meetings)


@asynccontextmanager
async def _closing(plant: Plant) -> AsyncIterator[None]:
    try:
        yield
    finally:
        for bus in plant.buses.values():
            bus.line.wire.close()


def _meetings(site: Site, plant: Plant) -> Iterator[Meeting]:
    for der in site.file.ders:
        yield _meeting(site, plant.ders[der.id], "der", der)
        if der.id in plant.bms:
            yield _meeting(site, plant.bms[der.id], "bms", None, of=der)
    for path, section in site.file.meters:
        channel = plant.poc if path == "poc" else plant.witness
        if channel is not None:
            yield _meeting(site, channel, "meter", section)


def _meeting(
    site: Site,
    channel: Channel,
    role: str,
    section: DerSection | MeterSection | None,
    of: DerSection | None = None,
) -> Meeting:
    where = section if section is not None else None if of is None else of.bms
    assert where is not None
    place, expected = place_of(next(each for each in site.file.buses if each.id == where.bus)), channel.expected
    der = section if isinstance(section, DerSection) else None
    asked = Asked(
        id=channel.id,
        role=role,
        bus=where.bus,
        place=place.name,
        unit=channel.unit,
        serial_line=place.key == "rtu",
        wanted=expected.wanted,
        profile=expected.options.profile,
        fallback=fallback_of(der) if der is not None and der.control else None,
        store=expected.kind.can.store,
        bms_elsewhere=der is not None and der.bms_here is False,
        sign=section.sign if isinstance(section, MeterSection) else 1,
        deadline_s=channel.bus.line.pace.timeout_s,
    )
    return Meeting(channel, section, Met(asked=asked))


async def connected(bus: Bus) -> None:
    """Raises BusClosed where the wire can't be brought up."""
    if not bus.line.connected:
        await bus.line.connect()


async def _wire(site: Site, name: str, meetings: Sequence[Meeting], tell: Tell) -> None:
    """One after the other; then who else answers there, if one does not."""
    for each in meetings:
        await _meet(site, each)
    silent = [each for each in meetings if each.met.trouble in {Trouble.SILENT, Trouble.ELSEWHERE}]
    if not silent:
        return
    tell(f"bus {name}: looking who else answers there, and how")
    heard = any(each.met.trouble not in {Trouble.SILENT, Trouble.CLOSED} for each in meetings)
    section = next(each for each in site.file.buses if each.id == name)
    taken = {each.met.asked.unit for each in meetings if each.met.device is not None}
    missing = [(each.met.asked.unit, each.channel.expected) for each in silent]
    found = await neighbours(silent[0].bus, section, missing, taken, heard=heard)
    for each in silent:
        each.met = dataclasses.replace(each.met, neighbours=_for(each, found))


def _for(meeting: Meeting, found: Sequence[Neighbour]) -> tuple[Neighbour, ...]:
    """At other settings its own unit id is the one that counts."""
    at_home = [each for each in found if not each.settings]
    own = [each for each in found if each.settings and each.unit == meeting.met.asked.unit]
    return tuple(own or at_home)


async def _meet(site: Site, meeting: Meeting) -> None:
    """Who it is, and what of it is not as the site file says."""
    channel, asked = meeting.channel, meeting.met.asked
    try:
        await connected(channel.bus)
    except BusClosed as error:
        said = f"{error}: {error.hint}" if error.hint else str(error)
        section = place_of(next(each for each in site.file.buses if each.id == asked.bus)).section
        tls = isinstance(section, ModbusTlsSection)  # a certificate is refused behind the connection
        trouble = Trouble.CLOSED if error.ended and not tls else Trouble.NO_CONNECTION
        meeting.met = dataclasses.replace(meeting.met, trouble=trouble, said=said)
        return
    try:
        device, who = await channel.bus.execute(asked.unit, channel.expected.meet(None), meets=True)
        channel.expected.slower(device.habits.profile)
        channel.asking.shorten(device.habits.profile.max_regs)
        for name, read in device.slow.items():
            meeting.slow[name] = await channel.bus.request(asked.unit, read)
    except (BusError, DeviceError) as error:
        refused = await _by_gateway(channel) if isinstance(error, DeviceError) else None
        meeting.met = _failed(meeting.met, refused or error)
        return
    deadline = dataclasses.replace(asked, deadline_s=channel.bus.line.pace.timeout_s)
    meeting.met = dataclasses.replace(meeting.met, asked=deadline, device=device)
    await _sample(meeting)
    judged_serial = judged(None, channel.expected.wanted, who).objection
    wrong = [("serial", judged_serial), *_wrong(site, meeting, device)]
    told = tuple((key, text) for key, text in wrong if text is not None)
    meeting.met = dataclasses.replace(meeting.met, wrong=told, samples=(), slowest_s=0.0)


def _wrong(site: Site, meeting: Meeting, device: Device) -> Iterator[tuple[str, str | None]]:
    """By the key of the site file."""
    section, expected = meeting.section, meeting.channel.expected
    yield "model", model_problem(expected.model, device)
    if section is None:
        return
    v_nom_v, f_nom_hz = site.file.site.v_nom_v, float(site.file.site.f_nom_hz)
    if isinstance(section, DerSection):
        yield "rating", rating_problem(section, device)
        yield "phase", phase_problem(section.phase, device.nominal.system)
    stated = stated_problem(device.nominal, v_nom_v, f_nom_hz)
    yield "nominal", stated or _misread(meeting, device)


def _misread(meeting: Meeting, device: Device) -> str | None:
    raw = meeting.met.samples[-1] if meeting.met.samples else None
    return None if raw is None else meeting.channel.expected.doubts(device, raw)


async def _by_gateway(channel: Channel) -> DeviceRefused | None:
    """A walk tells of a gateway's refusals as of one that has no map: whose they are is asked again."""
    try:
        await channel.bus.request(channel.unit, FIRST)
    except DeviceRefused as error:
        return error if error.by_gateway else None
    except BusError:
        pass
    return None


TROUBLES: tuple[tuple[type[Exception], Trouble], ...] = (
    (BusClosed, Trouble.CLOSED),
    (BusTimeout, Trouble.SILENT),
    (BusError, Trouble.FOREIGN),
    (WrongKind, Trouble.OTHER_KIND),
    (SectionUnclear, Trouble.SECTION),
    (DeviceError, Trouble.NOT_UNDERSTOOD),
)
"""The first that fits."""


def _failed(met: Met, error: DerctlError) -> Met:
    trouble = next(word for kind, word in TROUBLES if isinstance(error, kind))
    if isinstance(error, DeviceRefused) and error.by_gateway:
        trouble = Trouble.ELSEWHERE
    if isinstance(error, BusTimeout) and error.stray:
        trouble = Trouble.FOREIGN
    return dataclasses.replace(met, trouble=trouble, said=str(error))


FEW, MOST = 3, 61


async def _read_for(seconds: float, wires: Sequence[Sequence[Meeting]]) -> None:
    """A sample each second, three at least."""
    count = min(max(int(seconds) + 1, FEW), MOST)
    for number in range(count):
        if number:
            await asyncio.sleep(seconds / (count - 1))
        await asyncio.gather(*(_round(meetings) for meetings in wires))


async def _round(meetings: Sequence[Meeting]) -> None:
    for each in meetings:
        if each.met.device is not None:
            await _sample(each, believed=True)


async def _sample(meeting: Meeting, *, believed: bool = False) -> None:
    """One poll. believed: what can't be true is dropped; before that it tells of a wrong nominal voltage."""
    met, bus, device = meeting.met, meeting.bus, meeting.met.device
    assert device is not None
    asked, busy_s = bus.counters.requests, bus.busy_s
    reading: Reading | None = None
    said = met.said
    try:
        await connected(bus)
        fresh, _ = await meeting.channel.asking.ask(device, meeting.blocks)
        answers: Answers = {**meeting.slow, **fresh}
        raw = device.decode(answers)
        reading = plausible(raw, device.rating) if believed else raw
    except (BusError, DeviceError) as error:
        said = str(error)
    took_s = (bus.busy_s - busy_s) / max(bus.counters.requests - asked, 1)
    slowest_s = max(met.slowest_s, took_s) if reading is not None else met.slowest_s
    samples = (*met.samples, reading)
    meeting.met = dataclasses.replace(met, samples=samples, slowest_s=slowest_s, said=said)
