"""Starts and stops faults by name: of frames, of connections, of endpoints and of registers."""

import itertools
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any

from hil.frame_faults import ACCEPT, ANSWER, REQUEST, filtered
from hil.register_faults import REGISTER
from hil.rig import Rig
from hil.rtu import LINE
from hil.serial_line import SerialLine
from hil.wire import Endpoint

Undo = Callable[[], Any]


async def refuse(endpoint: Endpoint, *, drop: bool = True) -> Callable[[], Awaitable[None]]:
    """The listener is closed: connection refused. `drop`: open sockets are reset too."""
    endpoint.refuse()
    if drop:
        _reset_all(endpoint)
    return endpoint.listen


async def unplug(endpoint: Endpoint) -> Callable[[], Awaitable[None]]:
    """The adapter of a serial line is pulled: its path vanishes, and comes back when it is plugged in again."""
    endpoint.refuse()
    return endpoint.listen


async def echo(endpoint: Endpoint) -> Callable[[], None]:
    """The adapter of a serial line hears what it sends."""
    assert isinstance(endpoint, SerialLine)
    line, before = endpoint, endpoint.echo
    line.echo = True

    def undo() -> None:
        line.echo = before

    return undo


async def dead(endpoint: Endpoint) -> Callable[[], Awaitable[None]]:
    """The device has no power, as a client behind a switch sees it: all sockets silent, new ones too, no reset."""
    endpoint.silent = True
    for connection in endpoint.open:
        connection.silent = True

    async def undo() -> None:
        endpoint.silent = False
        _reset_all(endpoint)

    return undo


async def rst_now(endpoint: Endpoint) -> Callable[[], None]:
    """Reset every open socket once."""
    _reset_all(endpoint)
    return lambda: None


async def connection_cap(endpoint: Endpoint, *, clients: int = 1, how: str = "refused") -> Callable[[], None]:
    """At most so many clients; `how` extra ones are treated: refused, silent or kick_oldest."""
    return _changed_habits(endpoint, max_clients=clients, extra_clients=how)


async def idle_kick(endpoint: Endpoint, *, after_s: float = 5.0) -> Callable[[], None]:
    """Clients that say nothing for after_s lose their socket."""
    return _changed_habits(endpoint, idle_timeout_s=after_s)


async def rival(endpoint: Endpoint) -> Callable[[], None]:
    """A second client takes a connection and keeps it (with connection_cap: the only one)."""
    import asyncio

    _, writer = await asyncio.open_connection("127.0.0.1", endpoint.port)
    return writer.close


def _changed_habits(endpoint: Endpoint, **changes: Any) -> Callable[[], None]:
    before = {unit_id: unit.face.habits for unit_id, unit in endpoint.units.items()}
    for unit in endpoint.units.values():
        unit.face.habits = replace(unit.face.habits, **changes)

    def undo() -> None:
        for unit_id, habits in before.items():
            endpoint.units[unit_id].face.habits = habits

    return undo


def _reset_all(endpoint: Endpoint) -> None:
    for connection in list(endpoint.open):
        connection.end("rst")


ENDPOINT: Mapping[str, Callable[..., Awaitable[Undo]]] = {
    f.__name__: f for f in (refuse, unplug, echo, dead, rst_now, connection_cap, idle_kick, rival)
}
NAMES = frozenset((*REQUEST, *ANSWER, *LINE, *ACCEPT, *ENDPOINT, *REGISTER))


class FaultBoard:
    """What is on, by number. `on` is a device's id; an endpoint's id reaches all of its units."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.active: dict[int, tuple[str, str, Undo]] = {}
        self._numbers = itertools.count(1)

    async def start(self, name: str, on: str, **args: Any) -> int:
        """Start a fault; returns its number."""
        if name not in NAMES:
            raise ValueError(f"no fault {name!r}; there are {', '.join(sorted(NAMES))}")
        number = next(self._numbers)
        undo = (
            REGISTER[name](self.rig.units[on], **args)
            if name in REGISTER
            else await self._wire(number, name, on, args)
        )
        self.active[number] = (name, on, undo)
        return number

    async def stop(self, number: int) -> None:
        """End it, if it still is on."""
        if number in self.active:
            result = self.active.pop(number)[2]()
            if isinstance(result, Awaitable):
                await result

    async def clear(self, on: str | None = None, name: str | None = None) -> None:
        """End all faults, those of a device, or those of a name."""
        for number, (active_name, active_on, _) in list(self.active.items()):
            if (on is None or on == active_on) and (name is None or name == active_name):
                await self.stop(number)

    async def _wire(self, number: int, name: str, on: str, args: Mapping[str, Any]) -> Undo:
        endpoint = self._endpoint(on)
        if name in ENDPOINT:
            return await ENDPOINT[name](endpoint, **args)
        if name in ACCEPT:
            endpoint.faults.accept[number] = ACCEPT[name]
            return lambda: endpoint.faults.accept.pop(number, None)
        given = dict(args)
        if on in self.rig.units:
            given.setdefault("unit", self.rig.units[on].unit_id)
        faults = endpoint.faults
        stages = ((faults.request, REQUEST), (faults.answer, ANSWER), (faults.line, LINE))
        stage, fault = next((stage, named[name]) for stage, named in stages if name in named)
        stage[number] = filtered(fault, given)
        return lambda: stage.pop(number, None)

    def _endpoint(self, on: str) -> Endpoint:
        return self.rig.endpoint_of(on) if on in self.rig.units else self.rig.endpoints[on]
