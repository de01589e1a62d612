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

CONNECT_TIMEOUT_S = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WireKind:
    """open: the section and the time to connect in, s; nothing is connected yet. of: the section that a word of the
    command line means, None where the word means another kind; raises ValueError where it makes no sense."""

    open: Callable[[Any, float], Wire]
    of: Callable[[str], WireSection | None]


def _tcp(section: TcpSection, connect_timeout_s: float) -> Wire:
    """Imported here: `derctl check` needs no pymodbus, and that is a fifth of its time."""
    from derctl.links.wires.tcp import PymodbusTcp

    return PymodbusTcp(section.host, section.port, connect_timeout_s=connect_timeout_s)


WIRES: dict[str, WireKind] = {
    "tcp": WireKind(open=_tcp, of=TcpSection.of),
}
"""By the key of the section in `buses[]`. The last one takes any word."""


def given(bus: BusSection) -> dict[str, WireSection]:
    """The wires that a bus section has; a checked one has one."""
    there = {name: getattr(bus, name, UNSET) for name in WIRES}
    return {name: section for name, section in there.items() if section is not UNSET}


def place_of(bus: BusSection) -> str:
    """Where a checked bus leads, for people and for `derctl scan`."""
    [section] = given(bus).values()
    return section.name


def wire_of(bus: BusSection) -> Wire:
    """The wire of a checked bus."""
    [(name, section)] = given(bus).items()
    return WIRES[name].open(section, CONNECT_TIMEOUT_S)


def wire_at(word: str, connect_timeout_s: float) -> tuple[str, Wire]:
    """The place that a word of the command line names, and a wire to it. Raises ValueError."""
    for kind in WIRES.values():
        section = kind.of(word)
        if section is not None:
            return section.name, kind.open(section, connect_timeout_s)
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
