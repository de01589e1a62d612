"""Which wire a bus speaks through: WIRES is the only list of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from msgspec import UNSET

from derctl.errors import Problem
from derctl.links.wires.wire import Wire
from derctl.site.lines import Source
from derctl.site.schema import BusSection, SiteFile, TcpSection, WireSection


@dataclass(frozen=True, slots=True, kw_only=True)
class WireKind:
    """open: the section and the time to connect in, s; nothing is connected yet. of: the section that a word of the
    command line means, None where the word means another kind; raises ValueError where it makes no sense."""

    open: Callable[[Any, float], Wire]
    of: Callable[[str], WireSection | None]


def _tcp(section: TcpSection, connect_timeout_s: float) -> Wire:
    """Imported here: a verb that only checks a site file needs no pymodbus."""
    from derctl.links.wires.tcp import PymodbusTcp

    return PymodbusTcp(section.host, section.port, connect_timeout_s=connect_timeout_s)


WIRES: dict[str, WireKind] = {
    "tcp": WireKind(open=_tcp, of=TcpSection.of),
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

    def open(self, connect_timeout_s: float = 3.0) -> Wire:
        """Nothing is connected yet."""
        return WIRES[self.key].open(self.section, connect_timeout_s)


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
