"""Finding the models of a device: base address, then from header to header. Never assumes an address.

Sources: Device Information Model Specification V1.2; what real devices do instead: docs/sources.md.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import field

from derctl.core.dataclass import dataclass
from derctl.core.exchange import Exchange
from derctl.errors import DeviceRefused, NoMap, NotRecognised, RoleRefused
from derctl.sunspec.ask import ask

MARKER = (0x5375, 0x6E53)  # "SunS"
_E3DC = 0xE3DC
_END = 0xFFFF
_VENDOR = range(64000, _END)
_MAX_LENGTH = 1024
_LAST = 0xFFFE  # the last address with room for a header
_FIRM = frozenset({1, 2, 3})
"""Exceptions that no waiting turns into a map: illegal function, address and value."""
_UNKNOWN = 8
"""Models without a definition that are passed over in a row, where a header that is known stands behind them."""
_BACK = 8
"""Registers to look back for a header where L overshoots. SAX HOME counts L from the marker: 4 too many."""

Stood = tuple[int, ...] | DeviceRefused
"""What was found at a base instead of the marker: two registers, or an exception."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One model of a device. address: of its ID register. length: its L.

    index: how many of this model id came before it. section: how many model 1 came before the section it belongs to
    (SolarEdge lists its meters behind a model 1 each).
    """

    model_id: int
    address: int
    length: int
    index: int = 0
    section: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """What a walk found. problems: text for people. repaired: a header was found where L didn't point; don't write.

    ended: the end marker stands where it should.
    """

    base: int
    blocks: tuple[Block, ...]
    problems: tuple[str, ...] = ()
    repaired: bool = False
    ended: bool = True

    def find(self, model_id: int, index: int = 0) -> Block | None:
        """The index-th block of this model, or None."""
        return next((block for block in self.blocks if (block.model_id, block.index) == (model_id, index)), None)


@dataclass(slots=True, kw_only=True)
class _Walk:
    """The walk's memory while it lasts."""

    base: int
    known: Container[int]
    max_regs: int
    blocks: list[Block] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    repaired: bool = False
    ended: bool = False

    def sane(self, header: Sequence[int]) -> bool:
        return (header[0] in self.known or header[0] in _VENDOR) and 0 < header[1] <= _MAX_LENGTH

    def named(self, address: int, answer: tuple[int, ...] | DeviceRefused) -> tuple[int, ...] | None:
        """The header; a refusal is a problem."""
        if isinstance(answer, tuple):
            return answer
        self.problems.append(f"{address}: {answer}: no end marker")
        return None

    def unknown(self, header: Sequence[int]) -> bool:
        """Whether it could be a model's that has no definition here."""
        return 0 < header[0] < _END and 0 < header[1] <= _MAX_LENGTH

    def plausible(self, header: Sequence[int]) -> bool:
        """A model's header or the end marker's."""
        return header[0] == _END or self.sane(header)

    def add(self, address: int, header: Sequence[int]) -> None:
        model_id, length = header
        index = sum(block.model_id == model_id for block in self.blocks)
        ones = sum(block.model_id == 1 for block in self.blocks) + (model_id == 1)
        self.blocks.append(
            Block(model_id=model_id, address=address, length=length, index=index, section=max(0, ones - 1))
        )


def walk(
    *,
    bases: Sequence[int] = (40000, 0, 50000, 1, 4096),
    max_regs: int = 125,
    max_models: int = 200,
    known: Container[int],
) -> Exchange[Chain]:
    """Walk the chain from the first base that has the marker and a model behind it.

    known: the model ids that have a definition; others count as models from 64000 on, and where a known header stands
    behind them. Reads headers only. A header that makes no sense or is refused ends the walk, named in `problems`,
    and what was found stays. Raises NoMap or NotRecognised, naming what stood at each base; BusError passes through.
    """
    seen: dict[int, Stood] = {}
    begun: list[str] = []
    for base in bases:
        marker = yield from _try(base, 2, max_regs)
        if marker != MARKER:
            seen[base] = marker
            continue
        state = _Walk(base=base, known=known, max_regs=max_regs)
        yield from _follow(state, max_models)
        if state.blocks:
            return Chain(
                base=base,
                blocks=tuple(state.blocks),
                problems=tuple(state.problems),
                repaired=state.repaired,
                ended=state.ended,
            )
        begun.append(f"{base}: SunS, but {'; '.join(state.problems)}")
    raise NotRecognised(f"no SunSpec chain: {', '.join(begun)}") if begun else _not_there(seen)


def _not_there(seen: Mapping[int, Stood]) -> NotRecognised:
    """What stood at the bases, the same said once. Who is busy may have a map, and who asks for a role, too."""
    bases: dict[str, list[str]] = {}
    for base, stood in seen.items():
        bases.setdefault(_shown(stood), []).append(str(base))
    there = "; ".join(f"{text} at {', '.join(where)}" for text, where in bases.items())
    refused = [stood for stood in seen.values() if isinstance(stood, DeviceRefused)]
    return (
        NoMap(f"answers Modbus, but has no SunSpec map: {there}")
        if all(each.code in _FIRM and not isinstance(each, RoleRefused) for each in refused)
        else NotRecognised(f"no SunSpec chain: {there}")
    )


def _shown(stood: Stood) -> str:
    if isinstance(stood, RoleRefused):
        return f"exception {stood.code} (or {stood.who} may not)"
    if isinstance(stood, DeviceRefused):
        return f"exception {stood.code}"
    if stood[0] == _E3DC:
        return "the marker of E3/DC's simple mode, 0xE3DC,"
    return f"0x{stood[0]:04X} 0x{stood[1]:04X}"


def _try(address: int, count: int, max_regs: int) -> Exchange[tuple[int, ...] | DeviceRefused]:
    try:
        return (yield from ask(address, count, max_regs=max_regs))
    except DeviceRefused as refused:
        return refused


def _follow(state: _Walk, max_models: int) -> Exchange[None]:
    address = state.base + 2
    while len(state.blocks) < max_models:
        header = yield from _header(state, address)
        if header is None:
            return
        if not state.plausible(header) and not (yield from _passable(state, address, header)):
            found = yield from _repair(state, address)
            if found is None:
                state.problems.append(f"{address}: id {header[0]}, L {header[1]} is no model: no end marker")
                return
            address, header = found
        if header[0] == _END:
            _end(state, address, header)
            return
        if not state.blocks and header[0] != 1:
            state.problems.append(f"{address}: the first model is {header[0]}, not 1")
        state.add(address, header)
        address += 2 + header[1]
    state.problems.append(f"{address}: more than {max_models} models: stopped")


def _header(state: _Walk, address: int) -> Exchange[tuple[int, ...] | None]:
    """Two registers, or None with a problem named."""
    if address > _LAST:
        state.problems.append(f"{address}: the chain runs out of the register space: no end marker")
        return None
    return state.named(address, (yield from _asked(state, address)))


def _asked(state: _Walk, address: int) -> Exchange[tuple[int, ...] | DeviceRefused]:
    """An end marker that has no L register is asked for alone; a header whose first register can be read was refused
    in passing, and is asked for again."""
    header = yield from _try(address, 2, state.max_regs)
    lone = (yield from _try(address, 1, state.max_regs)) if isinstance(header, DeviceRefused) else header[:1]
    again = isinstance(header, DeviceRefused) and isinstance(lone, tuple) and lone != (_END,)
    header = (yield from _try(address, 2, state.max_regs)) if again else header
    return (_END, 0) if isinstance(header, DeviceRefused) and lone == (_END,) else header


def _passable(state: _Walk, address: int, header: Sequence[int]) -> Exchange[bool]:
    """Whether a model without a definition stands here: its length leads to a header that is known, or to the end.

    Such words may fill a register space, so the end counts with the right L only, where it has one.
    """
    for _ in range(_UNKNOWN):
        address += 2 + header[1]
        if not state.unknown(header) or address > _LAST:
            return False
        behind = yield from _asked(state, address)
        header = behind if isinstance(behind, tuple) else (0, 0)
        if state.sane(header) or header == (_END, 0):
            return True
    return False


def _end(state: _Walk, address: int, header: tuple[int, ...]) -> None:
    state.ended = True
    if not state.blocks:
        state.problems.append(f"{address}: the end marker comes before any model")
    elif header[1] != 0:
        state.problems.append(f"{address}: the end marker's L is {header[1]}")


def _repair(state: _Walk, address: int) -> Exchange[tuple[int, tuple[int, ...]] | None]:
    """Look for a header where the last L should have pointed. Two registers of data can look like one.

    After a lone model 1, base + L is believed as it is (SAX HOME). A few registers back it takes a second header
    behind the first, and never further back than the last model's own.
    """
    if not state.blocks:
        return None
    last = state.blocks[-1]
    if len(state.blocks) == 1:
        found = yield from _candidate(state, last, state.base + last.length)
        if found is not None:
            return _repaired(state, address, state.base + last.length, found)
    for place in range(address - 1, address - 1 - _BACK, -1):
        found = yield from _candidate(state, last, place)
        if found is not None and (yield from _followed(state, place + 2 + found[1])):
            return _repaired(state, address, place, found)
    return None


def _candidate(state: _Walk, last: Block, place: int) -> Exchange[tuple[int, ...] | None]:
    if place < last.address + 2:
        return None
    header = yield from _try(place, 2, state.max_regs)
    if isinstance(header, DeviceRefused) or header[0] not in state.known or not state.sane(header):
        return None
    return header


def _followed(state: _Walk, address: int) -> Exchange[bool]:
    if address > _LAST:
        return False
    header = yield from _try(address, 2, state.max_regs)
    return not isinstance(header, DeviceRefused) and state.plausible(header)


def _repaired(state: _Walk, address: int, place: int, header: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
    state.repaired = True
    state.problems.append(f"{address}: no header; the one of {header[0]} stands at {place}")
    return place, header
