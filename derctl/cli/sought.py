"""Words of the command line that mean several places: a range of addresses, a host, a serial port."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network

from derctl.core.dataclass import dataclass
from derctl.site import Place, place_at
from derctl.site.schema import RtuOverTcpSection, RtuSection, TcpSection

MOST_HOSTS = 1024
"""More at once is somebody else's network."""
RANGE = re.compile(r"(?P<low>\d+(?:\.\d+){3})-(?P<high>\d+(?:\.\d+){0,3})(?::(?P<port>\d+))?")
NETWORK = re.compile(r"(?P<net>\d+(?:\.\d+){3}/\d+)(?::(?P<port>\d+))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """word: as it was given. place: of one place. exact: that says all that there is to say of it; else each port or
    setting of it is tried. hosts: of a range of addresses; port: the only one of them."""

    word: str
    place: Place | None = None
    exact: bool = False
    hosts: tuple[str, ...] = ()
    port: int | None = None

    @property
    def serial(self) -> bool:
        return self.place is not None and isinstance(self.place.section, RtuSection)


def sought(word: str) -> Sought:
    """An argparse type."""
    try:
        return _sought(word)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _sought(word: str) -> Sought:
    for pattern in (NETWORK, RANGE):
        match = pattern.fullmatch(word)
        if match is not None:
            port = None if match["port"] is None else int(match["port"])
            if port is not None and not 1 <= port <= 65535:
                raise ValueError(f"{word!r}: a port is 1 to 65535")
            hosts = _network(match["net"]) if pattern is NETWORK else _range(word, match["low"], match["high"])
            return Sought(word=word, hosts=hosts, port=port)
    place = place_at(word)
    section = place.section
    if isinstance(section, RtuSection):
        return Sought(word=word, place=place, exact=section.port != word)
    plain = type(section) is TcpSection and word.strip("[]") == section.host
    hosts = (section.host,) if plain and isinstance(section, TcpSection) else ()
    return Sought(word=word, place=place, exact=not plain, hosts=hosts)


def _network(text: str) -> tuple[str, ...]:
    network = IPv4Network(text, strict=False)
    if network.num_addresses > MOST_HOSTS:
        raise ValueError(f"{text} is {network.num_addresses:,} addresses; at most {MOST_HOSTS:,} at once, as /22 has")
    return tuple(map(str, network.hosts()))


def _range(word: str, low: str, high: str) -> tuple[str, ...]:
    """`192.168.1.10-20`, `192.168.1.250-192.168.2.10`: the end may leave out what it has in common."""
    first = IPv4Address(low)
    last = IPv4Address(".".join([*low.split(".")[: 4 - len(high.split("."))], *high.split(".")]))
    count = int(last) - int(first) + 1
    if not 1 <= count <= MOST_HOSTS:
        raise ValueError(f"{word!r} is no range of 1 to {MOST_HOSTS:,} addresses")
    return tuple(str(first + i) for i in range(count))


@dataclass(frozen=True, slots=True, kw_only=True)
class Wires:
    """Places that are tried one after another, since only one of them can be used at a time: the ports of a host, the
    settings of a serial port. The first setting that somebody answers with is the line's."""

    name: str
    places: tuple[Place, ...]
    serial: bool = False


def wires_of(words: Sequence[Sought], ports: Sequence[int], settings: Sequence[tuple[int, str]]) -> list[Wires]:
    """Each host and each serial port once. A port that is named is somebody of its own: what stands behind several
    ports of one address is a gateway, which serves them side by side."""
    hosts: dict[str, dict[str, Place]] = {}
    found: list[Wires] = []
    for each in words:
        section = None if each.place is None else each.place.section
        if isinstance(section, RtuSection):
            found.append(Wires(name=section.port, places=_settings(each, section, settings), serial=True))
        elif each.hosts:
            for host in each.hosts:
                given = (each.port,) if each.port is not None else ports
                places = [Place(key="tcp", section=TcpSection(host=host, port=port)) for port in given]
                hosts.setdefault(host, {}).update({place.name: place for place in places})
        elif each.place is not None and isinstance(section, TcpSection):
            found.append(Wires(name=each.place.name, places=(each.place,)))
    found += [Wires(name=host, places=tuple(places.values())) for host, places in hosts.items()]
    return found


def _settings(word: Sought, section: RtuSection, settings: Sequence[tuple[int, str]]) -> tuple[Place, ...]:
    if word.exact:
        assert word.place is not None
        return (word.place,)
    words = [f"{section.port}:{baud}:8{parity[0].upper()}1" for baud, parity in settings]
    return tuple(map(place_at, words))


def over_gateway(place: Place) -> bool:
    """Whether serial frames go over it."""
    return isinstance(place.section, RtuOverTcpSection)
