"""Which wire a bus speaks through: WIRES is the only list of them."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import UNSET

from derctl.core.dataclass import dataclass
from derctl.errors import Problem
from derctl.links.keys import Keys
from derctl.links.wires.strays import Header
from derctl.links.wires.wire import Wire
from derctl.site.lines import Source
from derctl.site.schema import (
    BusSection,
    ModbusTlsSection,
    RtuOverTcpSection,
    RtuSection,
    SiteFile,
    TcpSection,
    WireSection,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WireKind:
    """open: the section and the time to connect in, s; nothing is connected yet. headed: its frames have a header of
    numbers, and `open` takes what of it may differ, too; where they have none a late answer is waited for. of: the
    section that a word of the command line means, None where the word means another kind; raises ValueError where it
    makes no sense."""

    open: Callable[..., Wire]
    of: Callable[[str], WireSection | None]
    headed: bool = False


def _tcp(section: TcpSection, connect_timeout_s: float, header: str = "strict") -> Wire:
    """Imported here: a verb that only checks a site file needs no pymodbus."""
    from derctl.links.wires.tcp import PymodbusTcp

    how = Header(header)
    return PymodbusTcp(section.host, section.port, connect_timeout_s=connect_timeout_s, header=how)


def _tls(section: ModbusTlsSection, connect_timeout_s: float, header: str = "strict") -> Wire:
    from derctl.links.wires.tls import PymodbusTls

    how, name = Header(header), section.server_name
    keys = keys_of(section, "tls")
    return PymodbusTls(
        section.host, section.port, keys, server_name=name, connect_timeout_s=connect_timeout_s, header=how
    )


def keys_of(section: ModbusTlsSection, path: str) -> Keys:
    """path: what the section is called where a file of it can't be used."""
    return Keys(section=path, ca_file=section.ca_file, cert_file=section.cert_file, key_file=section.key_file)


def _rtu(section: RtuSection, connect_timeout_s: float) -> Wire:
    from derctl.links.wires.rtu import PymodbusRtu

    return PymodbusRtu(
        section.port,
        section.baud,
        parity=section.parity,
        stop_bits=section.stop_bits,
        connect_timeout_s=connect_timeout_s,
    )


def _rtu_over_tcp(section: RtuOverTcpSection, connect_timeout_s: float) -> Wire:
    from derctl.links.wires.rtu_over_tcp import PymodbusRtuOverTcp

    return PymodbusRtuOverTcp(section.host, section.port, connect_timeout_s=connect_timeout_s)


WIRES: dict[str, WireKind] = {
    "tls": WireKind(open=_tls, of=ModbusTlsSection.of, headed=True),
    "rtu": WireKind(open=_rtu, of=RtuSection.of),
    "rtu_over_tcp": WireKind(open=_rtu_over_tcp, of=RtuOverTcpSection.of),
    "tcp": WireKind(open=_tcp, of=TcpSection.of, headed=True),
}
"""By the key of the section in `buses[]`. The last one takes any word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A wire's section and its key in `buses[]`."""

    key: str
    section: WireSection

    @property
    def name(self) -> str:
        return self.section.name

    @property
    def waits_for_late(self) -> bool:
        """Its answers carry no number, so that a late one is waited for before its like is asked for."""
        return not WIRES[self.key].headed

    def open(self, connect_timeout_s: float = 3.0, header: str = "strict") -> Wire:
        """Nothing is connected yet."""
        kind = WIRES[self.key]
        how = (header,) if kind.headed else ()
        return kind.open(self.section, connect_timeout_s, *how)


def given(bus: BusSection) -> dict[str, WireSection]:
    """The wires that a bus section has; a checked one has one."""
    there = {name: getattr(bus, name, UNSET) for name in WIRES}
    return {name: section for name, section in there.items() if section is not UNSET}


def place_of(bus: BusSection) -> Place:
    """Where a checked bus leads."""
    [(key, section)] = given(bus).items()
    return Place(key=key, section=section)


def place_at(word: str) -> Place:
    """What a word of the command line names. Raises ValueError."""
    for key, kind in WIRES.items():
        section = kind.of(word)
        if section is not None:
            return Place(key=key, section=section)
    raise ValueError(f"{word!r} names no wire")


def units_of(site: SiteFile) -> dict[str, set[int]]:
    """The unit ids that are asked on each bus, by its id."""
    found: dict[str, set[int]] = {}
    for der in site.ders:
        found.setdefault(der.bus, set()).add(der.unit)
        if der.bms is not None:
            found.setdefault(der.bms.bus, set()).add(der.bms.unit)
    for _, meter in site.meters:
        found.setdefault(meter.bus, set()).add(meter.unit)
    return found


def check_headers(source: Source, site: SiteFile, problems: list[Problem]) -> None:
    """Where a number of an answer may differ nothing says whose it is: one unit has to have the wire for itself."""
    units = units_of(site)
    for i, bus in enumerate(site.buses):
        if bus.header == "strict":
            continue
        path, asked = f"buses[{i}].header", sorted(units.get(bus.id, ()))
        if len(asked) > 1:
            listed = ", ".join(map(str, asked))
            text = (
                f"{bus.header} on a bus with the units {listed}: an answer could be taken for another's; only strict"
            )
            problems.append(source.problem(path, text))
        bare = [name for name in given(bus) if not WIRES[name].headed]
        problems += [source.problem(path, f"{name} has no such header: take this line out") for name in bare]


def check_wires(source: Source, site: SiteFile, problems: list[Problem]) -> None:
    """Each bus has one wire, and no two the same."""
    used: dict[tuple[object, ...], str] = {}
    for i, bus in enumerate(site.buses):
        sections = given(bus)
        if len(sections) != 1:
            text = f"{' or '.join(WIRES)} is missing" if not sections else f"give one of {', '.join(sections)}"
            problems.append(source.problem(f"buses[{i}]", text))
        for name, section in sections.items():
            if section.endpoint in used:
                text = f"same endpoint as bus {used[section.endpoint]!r}: use one bus"
                problems.append(source.problem(f"buses[{i}].{name}", text))
            used.setdefault(section.endpoint, bus.id)
