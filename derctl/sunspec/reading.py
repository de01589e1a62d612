"""Reading one model's registers: in pieces, around holes, never two models in one request, no number torn.

An exception 2 inside a body is a hole, not the end: SMA inverters asleep refuse 110 registers (docs/sources.md).
"""

from __future__ import annotations

from collections.abc import Collection, Container, Iterator, Mapping
from dataclasses import field

from derctl.core.dataclass import dataclass
from derctl.core.exchange import Exchange, Read
from derctl.errors import DeviceRefused
from derctl.sunspec.ask import ask
from derctl.sunspec.chain import Block
from derctl.sunspec.decode import counts_of
from derctl.sunspec.layout import arrange, flatten
from derctl.sunspec.tables import Model

_ILLEGAL_ADDRESS = 2


def plan(address: int, count: int, max_regs: int = 125, *, inner: Container[int] = ()) -> list[Read]:
    """The requests for `count` registers from `address`, none longer than `max_regs`.

    inner: addresses inside a number, where no request should begin (see `inner_offsets`); where a number is longer
    than `max_regs` it is cut all the same.
    """
    reads: list[Read] = []
    end = address + count
    while address < end:
        stop = min(end, address + max_regs)
        if stop < end:
            stop = next((cut for cut in range(stop, address, -1) if cut not in inner), stop)
        reads.append(Read(address=address, count=stop - address))
        address = stop
    return reads


def inner_offsets(model: Model, *, length: int, counts: Mapping[str, int | None] | None = None) -> frozenset[int]:
    """Offsets from the ID register that stand inside a 32- or 64-bit number. Raises DecodeError as `arrange`."""
    placed, _ = arrange(model, counts or {}, length=length)
    numbers = (point for _, point in flatten(placed) if point.type.number)
    return frozenset(offset for point in numbers for offset in range(point.offset + 1, point.end))


def read_block(
    block: Block,
    *,
    max_regs: int = 125,
    model: Model | None = None,
    holes: Collection[int] = (),
    probes: int = 16,
) -> Exchange[tuple[int | None, ...]]:
    """Every register of a model from its ID on, None where the device refuses it with exception 2.

    model: its table, so that no number is split between two requests. holes: offsets known to be refused, which are
    not asked for again. probes: how many requests to spend on readable islands inside each hole; its two ends are
    found anyway. Other exceptions and BusError pass through.
    """
    state = _Reading(block=block, max_regs=max_regs, model=model, probes=probes, words=[None] * (block.length + 2))
    for piece in _pieces(len(state.words), holes):
        start = piece.start
        while start < piece.stop:
            stop = min(piece.stop, start + max_regs)
            yield from _fetch_around_holes(state, start, stop)
            start = _resume(state, start, stop) if stop < piece.stop else stop
    return tuple(state.words)


@dataclass(slots=True, kw_only=True)
class _Reading:
    block: Block
    max_regs: int
    model: Model | None
    probes: int
    words: list[int | None] = field(default_factory=list)

    def fetch(self, start: int, stop: int) -> Exchange[bool]:
        """Fill in one range; False where the device says that it isn't there."""
        try:
            answer = yield from ask(self.block.address + start, stop - start, max_regs=self.max_regs)
        except DeviceRefused as refused:
            if refused.code != _ILLEGAL_ADDRESS:
                raise
            return False
        self.words[start:stop] = answer
        return True

    def inner(self) -> frozenset[int]:
        """What is known so far of where numbers stand: the counts of groups come with the first registers."""
        if self.model is None:
            return frozenset()
        return inner_offsets(self.model, length=self.block.length, counts=counts_of(self.model, self.words))


def _pieces(end: int, holes: Collection[int]) -> Iterator[range]:
    start = 0
    for hole in sorted({*holes, end}):
        if start < hole <= end:
            yield range(start, hole)
        start = max(start, hole + 1)


def _resume(state: _Reading, start: int, stop: int) -> int:
    """Where the next request begins: at the start of the number that this one cut, which is read again whole."""
    inner = state.inner()
    return next((cut for cut in range(stop, start, -1) if cut not in inner), stop)


def _fetch_around_holes(state: _Reading, start: int, stop: int) -> Exchange[None]:
    """Read a range at once; where that is refused both readable ends by bisection, then islands in between."""
    inner = state.inner()
    cuts = [start, *(offset for offset in range(start + 1, stop) if offset not in inner), stop]
    low, high, middle = 0, len(cuts), len(cuts) - 1  # what begins at `low` can be read up to before `high`
    while high - low > 1:
        readable = yield from state.fetch(cuts[low], cuts[middle])
        low, high = (middle, high) if readable else (low, middle)
        middle = (low + high) // 2
    first = low
    low, high = first + 1, len(cuts) - 1  # the readable tail begins between these cuts
    while low < high:
        middle = (low + high) // 2
        readable = yield from state.fetch(cuts[middle], cuts[high])
        low, high = (low, middle) if readable else (middle + 1, high)
    yield from _islands(state, cuts[first + 1 : high])


def _islands(state: _Reading, cuts: list[int]) -> Exchange[None]:
    """Between two refused numbers: halve, largest range first, until the probes are spent."""
    ranges = [cuts] if len(cuts) > 1 else []
    for _ in range(state.probes):
        if not ranges:
            return
        ranges.sort(key=len)
        widest = ranges.pop()
        readable = yield from state.fetch(widest[0], widest[-1])
        ranges += [] if readable else _halves(widest)


def _halves(cuts: list[int]) -> list[list[int]]:
    middle = len(cuts) // 2
    return [cuts[: middle + 1], cuts[middle:]] if len(cuts) > 2 else []
