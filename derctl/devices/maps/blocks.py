"""The requests in which a map's lines are read. No request ends inside a number."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from derctl.core.dataclass import dataclass
from derctl.core.exchange import PASSING, Exchange, Read, Registers
from derctl.devices.lengths import TOO_LONG
from derctl.devices.maps.line import Line
from derctl.devices.maps.map import RegisterMap
from derctl.devices.maps.number import Value, size, value
from derctl.devices.maps.quantities import ONCE
from derctl.devices.nominal import System
from derctl.errors import BusTimeout, DeviceRefused


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One request, and what stands at which of its registers."""

    name: str
    read: Read
    places: tuple[tuple[Line, int], ...]

    def values(self, words: Registers) -> dict[str, Value | None]:
        """By the names of its lines."""
        return {line.name: value(line, words[at : at + size(line)]) for line, at in self.places}


def blocks_of(made: RegisterMap, lines: Iterable[Line], max_regs: int) -> tuple[Block, ...]:
    """Neighbours together, with as many unwanted registers between them as the map allows."""
    groups: list[list[tuple[Line, int]]] = []
    for line in sorted(lines, key=lambda each: (each.function, each.address, each.name)):
        at = None if not groups else _offset(made, groups[-1], line, max_regs)
        if at is None:
            groups.append([(line, 0)])
        else:
            groups[-1].append((line, at))
    return tuple(map(_block, groups))


def polled(made: RegisterMap, max_regs: int, *, slow: bool, system: System | None = None) -> tuple[Block, ...]:
    """Those of the fast poll, or those that are read now and then. system: how the device is connected."""
    lines = [line for line in made.lines if line.name not in ONCE and line.slow is slow and line.counts(system)]
    return blocks_of(made, lines, max_regs)


def _offset(made: RegisterMap, group: Sequence[tuple[Line, int]], line: Line, max_regs: int) -> int | None:
    """At which register of a request it would stand; None where it needs one of its own."""
    first = group[0][0]
    at, rest = divmod(line.address - first.address, made.step)
    fits = at + size(line) <= max_regs and at - _end(group) <= made.gap
    return at if first.function == line.function and not rest and fits else None


def _end(group: Sequence[tuple[Line, int]]) -> int:
    return max(at + size(line) for line, at in group)


def _block(group: Sequence[tuple[Line, int]]) -> Block:
    first = group[0][0]
    read = Read(address=first.address, count=_end(group), function=first.function)
    return Block(name=f"{first.function}.{first.address}", read=read, places=tuple(group))


def readable(
    made: RegisterMap, blocks: Iterable[Block], *, told: bool
) -> Exchange[tuple[tuple[Block, ...], dict[str, Value | None]]]:
    """The blocks as it answers them, and what they say. One that is refused for a register of its is read in halves,
    down to single numbers, so that a hole takes nothing else away. told: no answer is none of a device."""
    found, values, waiting = list[Block](), dict[str, Value | None](), list(blocks)
    while waiting:
        block = waiting.pop(0)
        try:
            words = yield block.read
        except DeviceRefused as error:
            if error.code in PASSING:
                raise
            if error.code in TOO_LONG and len(block.places) > 1:
                waiting = [*_halves(made, block), *waiting]
                continue
        except BusTimeout:
            if told:
                raise
        else:
            values |= block.values(words)
        found.append(block)
    return tuple(found), values


def _halves(made: RegisterMap, block: Block) -> Iterable[Block]:
    lines = [line for line, _ in block.places]
    middle = len(lines) // 2
    return [half for part in (lines[:middle], lines[middle:]) for half in blocks_of(made, part, block.read.count)]


def asked(blocks: Iterable[Block], *, silent: bool = False) -> Exchange[dict[str, Value | None]]:
    """Read them now; of one that is refused for good nothing is told. silent: nor of one that gets no answer."""
    values: dict[str, Value | None] = {}
    for block in blocks:
        try:
            words = yield block.read
        except DeviceRefused as error:
            if error.code in PASSING:
                raise
        except BusTimeout:
            if not silent:
                raise
        else:
            values |= block.values(words)
    return values
