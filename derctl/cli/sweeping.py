"""Looking at many places at once: paced, one connection to a host at a time, reads only."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import field

from msgspec import structs

from derctl.cli.finding import Finding, Looked, finding
from derctl.cli.look import Felt, Pulse, unhurried
from derctl.cli.progress import Progress
from derctl.cli.sought import Wires, over_gateway
from derctl.commission.looking import Shelf, looked
from derctl.commission.presence import present
from derctl.commission.sweep import ABREAST, CONNECT_S, FIRST_S, RTU_S, TCP_S, Breadth, asked_twice
from derctl.core.dataclass import dataclass
from derctl.core.exchange import Read, patient, remembered, through
from derctl.core.value import replace
from derctl.devices import Options
from derctl.errors import BusClosed, BusError, BusTimeout, DeviceError
from derctl.links.bus import Bus
from derctl.links.closing import HABIT_AFTER, Closing
from derctl.links.doubt import Doubt
from derctl.links.line import Line, Pace
from derctl.site import Place

LOOK_MOST_S = 30.0
"""One that takes longer is named and left: the others are waiting."""
SLOWER = 2.0
"""How much more time than the slowest answer of late a unit gets that may not be there."""
EVERYWHERE = 2
"""Units under which the same device answers, until no others are asked on that wire."""


class Quiet(Pulse):
    """Counts, and says nothing: many are looked at."""

    def asks(self, op: Read) -> None:
        pass

    def ends(self) -> None:
        pass


@dataclass(slots=True)
class Sweep:
    """asked: what is asked where. timeout_s, pause_s: given by the person. silent: places that connect and never
    answer. closed: places that are not there, and why. odd: what answers and is not understood. buses, numbers: what
    they, and how many DERs, are called in the rows."""

    shelf: Shelf
    options: Options
    asked: Breadth
    progress: Progress
    timeout_s: float | None = None
    pause_s: float = 0.0
    found: list[Finding] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)
    closed: dict[str, str] = field(default_factory=dict)
    odd: list[str] = field(default_factory=list)
    requests: int = 0
    buses: dict[str, str] = field(default_factory=dict)
    numbers: dict[bool, int] = field(default_factory=dict)

    async def run(self, wires: Sequence[Wires]) -> None:
        """All of them side by side, as many hosts at once as `ABREAST`."""
        room = asyncio.Semaphore(ABREAST)

        async def one(each: Wires) -> None:
            async with room:
                await _Wire(sweep=self, wires=each).run()

        tasks = [asyncio.create_task(one(each)) for each in wires]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self.progress.ends()
        self.found.sort(key=lambda each: ([w.name for w in wires].index(_wire_of(each, wires)), each.unit))


def _wire_of(found: Finding, wires: Sequence[Wires]) -> str:
    return next(each.name for each in wires if any(place.name == found.place for place in each.places))


@dataclass(slots=True)
class _Wire:
    """One host, or one serial port: its places one after another."""

    sweep: Sweep
    wires: Wires
    here: list[Finding] = field(default_factory=list)

    async def run(self) -> None:
        for i, place in enumerate(self.wires.places):
            heard = await self._place(place)
            done = (heard and self.wires.serial) or any(each.max_clients == 1 for each in self.here)
            if done:  # a line has one setting; a host that serves one connection is left in peace
                left = len(self.wires.places) - i - 1
                self.sweep.progress.step(self.wires.name, left * len(self.units))
                return

    @property
    def units(self) -> tuple[int, ...]:
        return self.sweep.asked.on(self.wires.serial or over_gateway(self.wires.places[0]))

    async def _place(self, place: Place) -> bool:
        """Whether anybody was heard there."""
        sweep, pulse = self.sweep, Quiet(unit=0, lines=False)
        wire = Felt(place.open(CONNECT_S), pulse)
        usual_s = sweep.timeout_s or (RTU_S if self.wires.serial else TCP_S)
        pace = Pace(timeout_s=usual_s, min_interval_s=sweep.pause_s, drain_s=usual_s if place.waits_for_late else 0.0)
        bus = Bus(Line(place.name, wire, pace, closing=Closing(brief=HABIT_AFTER - 1)))
        try:
            await bus.line.connect()
            await self._units(place, bus, pulse, usual_s)
        except BusClosed as error:
            sweep.closed[place.name] = f"{error}: {error.hint}" if error.hint else str(error)
            sweep.progress.step(place.name, len(self.units))
        finally:
            wire.close()
            sweep.requests += bus.counters.requests
        if not pulse.answers and place.name not in sweep.closed:
            sweep.silent.append(place.name)
        return pulse.answers > 0

    async def _units(self, place: Place, bus: Bus, pulse: Quiet, usual_s: float) -> None:
        for i, unit in enumerate(self.units):
            first = i == 0 and not self.wires.serial
            deadline_s = FIRST_S if first and self.sweep.timeout_s is None else usual_s
            deadline_s = max(deadline_s, min(SLOWER * bus.answer_s, FIRST_S))
            bus.line.pace, bus.line.doubt = replace(bus.line.pace, timeout_s=deadline_s), Doubt()
            if await self._there(bus, unit, heard=pulse.answers > 0):
                await self._look(place, bus, unit, pulse)
            self.sweep.progress.found = len(self.sweep.found)
            self.sweep.progress.step(f"{place.name} unit {unit}")
            if any(len(each.also) >= EVERYWHERE for each in self.here):
                self.sweep.progress.step(place.name, len(self.units) - i - 1)
                return

    async def _there(self, bus: Bus, unit: int, *, heard: bool) -> bool:
        """Raises BusClosed where it can't be connected again."""
        if not bus.line.connected:
            bus.line.wire.close()
            await bus.line.connect()
        try:
            return await bus.execute(unit, present(twice=asked_twice(unit, heard=heard)))
        except BusClosed:
            if not heard:
                raise
            return False  # it closes the connection where somebody else is meant
        except BusError:
            return False

    async def _look(self, place: Place, bus: Bus, unit: int, pulse: Quiet) -> None:
        sweep, name = self.sweep, f"{place.name} unit {unit}"
        deadline_s = max(bus.line.pace.timeout_s, sweep.timeout_s or sweep.options.profile.timeout_s)
        bus.line.pace = replace(bus.line.pace, timeout_s=deadline_s)
        exchange = remembered(looked(sweep.options, sweep.shelf))
        if sweep.timeout_s is None:
            exchange = through(exchange, lambda op: unhurried(op, bus, pulse))
        try:
            found = await asyncio.wait_for(bus.execute(unit, patient(exchange)), LOOK_MOST_S)
        except TimeoutError:
            sweep.odd.append(f"{name}: it answers so slowly that it is to be looked at alone: derctl scan {name}")
            return
        except (DeviceError, BusTimeout, BusError) as error:
            sweep.odd.append(f"{name}: {error}")
            return
        bus_id = sweep.buses.setdefault(place.name, f"{'rtu' if self.wires.serial else 'lan'}{len(sweep.buses) + 1}")
        at = Looked(place=place, unit=unit, pulse=pulse, bus=bus_id, numbers=sweep.numbers)
        self._add(finding(found, at, dict(sweep.shelf.profiles)))

    def _add(self, found: Finding) -> None:
        """A device that answers under any unit is one."""
        for i, each in enumerate(self.here):
            if found.who and each.who == found.who:
                also = structs.replace(each, also=[*each.also, found.unit])
                self.sweep.found[self.sweep.found.index(each)] = self.here[i] = also
                return
        self.here.append(found)
        self.sweep.found.append(found)
