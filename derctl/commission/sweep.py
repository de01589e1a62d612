"""What a scan asks where nobody said which unit, port or baud rate, and how long that takes at most."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product

from derctl.core.dataclass import dataclass
from derctl.devices import Profile

USUAL_UNITS = tuple(range(1, 11))
ALL_UNITS = tuple(range(1, 248))
"""MODBUS over serial line V1.02, 2.2: 1 to 247; 0 is a broadcast there."""
USUAL_PORT = 502
USUAL_BAUDS, USUAL_PARITIES = (9600, 19200), ("none", "even")
"""MODBUS over serial line V1.02, 2.4.1: 9600 and 19200 have to be there; even parity is its default, none what most
meters leave the factory with."""
ALL_BAUDS = (9600, 19200, 38400, 115200, 57600, 4800, 2400)
ALL_PARITIES = ("none", "even", "odd")
TCP_S, RTU_S = 0.5, 0.25
"""How long a unit is waited for that may not be there, on a network and on a serial line."""
FIRST_S = 3.0
"""The same of the first one on a network: some take seconds for the first answer (Huawei: wlcrs/huawei_solar)."""
CONNECT_S = 1.0
ABREAST = 32
"""Hosts that are looked at at the same time; each of them over one connection at a time."""
LOOK_S = 6.0
"""How long looking at one that was found takes, about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Breadth:
    """What is asked on each wire. settings: baud rate and parity of a serial port, in order."""

    units: tuple[int, ...]
    ports: tuple[int, ...]
    settings: tuple[tuple[int, str], ...]

    def on(self, serial: bool) -> tuple[int, ...]:
        """The units of a wire; 0 is nobody's on a serial line."""
        return tuple(unit for unit in self.units if unit or not serial)


def breadth(known: Iterable[Profile], *, everything: bool = False) -> Breadth:
    """Units 1 to 10, then where makers leave their devices; or everything."""
    own = list(known)
    units = dict.fromkeys((*USUAL_UNITS, *sorted({unit for each in own for unit in each.units})))
    ports = dict.fromkeys((USUAL_PORT, *sorted({port for each in own for port in each.ports})))
    if everything:
        units |= dict.fromkeys(ALL_UNITS)
    bauds, parities = (ALL_BAUDS, ALL_PARITIES) if everything else (USUAL_BAUDS, USUAL_PARITIES)
    settings = tuple((baud, parity) for parity, baud in product(parities, bauds))
    return Breadth(units=tuple(units), ports=tuple(ports), settings=settings)


def asked_twice(unit: int, *, heard: bool) -> bool:
    """Whether a silent unit is asked something else, too: of the likely ones, while nobody was heard there."""
    return unit in USUAL_UNITS and not heard


def silent_s(units: Sequence[int], *, serial: bool) -> float:
    """How long a wire takes on which nobody is."""
    each_s = RTU_S if serial else TCP_S
    requests = sum(2 if asked_twice(unit, heard=False) else 1 for unit in units)
    return requests * each_s + (0.0 if serial else FIRST_S - each_s)


def longest_s(asked: Breadth, wires: Sequence[tuple[int, bool]]) -> float:
    """How long all of it takes at most. wires: how many places each has, and whether it is serial. Serial ports are
    looked at side by side, and so are `ABREAST` hosts; of several ports of a host one is reckoned to be there."""
    lines = [count * silent_s(asked.on(True), serial=True) for count, serial in wires if serial]
    hosts = [count for count, serial in wires if not serial]
    rounds = -(-len(hosts) // ABREAST)
    hosts_s = rounds * CONNECT_S * max(hosts, default=0) + (silent_s(asked.units, serial=False) if hosts else 0.0)
    return max([*lines, hosts_s]) + LOOK_S
