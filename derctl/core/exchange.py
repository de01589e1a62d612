"""What a driver may ask of the outside: a generator yields these and is sent the answer, or has the error thrown."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import field
from functools import partial
from typing import TypeVar

from derctl.core.dataclass import dataclass
from derctl.errors import DerctlError, DeviceRefused, WriteBarred


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """Read `count` registers from `address` (0-based wire address). Answered by a `Sequence[int]` of that length; by
    function 1 (coils) or 2 (discrete inputs) each is 0 or 1.

    cuts: the addresses, in order, at which it is sent in parts; none stands inside a number. scales: the places of
    scale factors in its answer (`core/scales`). told: whether something is written by them.
    """

    address: int
    count: int
    function: int = 3
    cuts: tuple[int, ...] = ()
    scales: tuple[int, ...] = field(default=(), compare=False)
    told: bool = field(default=False, compare=False)

    def __hash__(self) -> int:
        """By what is asked; it is a key many times a tick."""
        return hash((self.address, self.count))

    @property
    def parts(self) -> Sequence[Read]:
        """The requests that it is sent in."""
        if not self.cuts:
            return (self,)
        begins, ends = (self.address, *self.cuts), (*self.cuts, self.address + self.count)
        pairs = zip(begins, ends, strict=True)
        return [Read(address=begin, count=end - begin, function=self.function) for begin, end in pairs]


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """Write `values` (raw 16-bit registers) at `address`. function 16 (block) or 6 (one register). Answered by ()."""

    address: int
    values: tuple[int, ...]
    function: int = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Let at least `seconds` pass before the next request of this exchange. Answered by ()."""

    seconds: float


Op = Read | Write | Pause
Registers = Sequence[int]
T = TypeVar("T")
Exchange = Generator[Op, Registers, T]
"""An exchange that ends with a `T`. BusError and DeviceRefused are thrown into it at the yield that failed."""

Permit = Callable[[Write], None]
"""Asked for each write as it is sent. Raises WriteBarred for one that may not go out."""


def only_read(write: Write) -> None:
    """The permit of whoever has none."""
    raise WriteBarred(f"nobody permits a write of {len(write.values)} registers at {write.address}")


PASSING = frozenset({4, 5, 6, 0x0A, 0x0B})
"""Exception codes that may be gone in a moment: device failure, acknowledge, busy, gateway."""


def patient(exchange: Exchange[T], *, tries: int = 4, pause_s: float = 0.1) -> Exchange[T]:
    """The same exchange, in which a request refused with a passing code is asked again, up to `tries` times."""
    return through(exchange, lambda op: _asked(op, tries, pause_s))


def remembered(exchange: Exchange[T]) -> Exchange[T]:
    """The same exchange, in which nothing is read twice: the first answer stands, a refusal too."""
    known: dict[Op, Registers | DeviceRefused] = {}

    def recall(op: Op) -> Exchange[Registers]:
        if not isinstance(op, Read):
            return (yield op)
        if op not in known:
            try:
                known[op] = yield op
            except DeviceRefused as error:
                known[op] = error
        answer = known[op]
        if isinstance(answer, DeviceRefused):
            raise answer
        return answer

    return through(exchange, recall)


def through(exchange: Exchange[T], answered: Callable[[Op], Exchange[Registers]]) -> Exchange[T]:
    """The same exchange, in which each request goes through an exchange of its own."""
    step: Callable[[], Op] = partial(next, exchange)
    while True:
        try:
            op = step()
        except StopIteration as stop:
            result: T = stop.value
            return result
        try:
            answer = yield from answered(op)
        except DerctlError as error:
            step = partial(exchange.throw, error)
        else:
            step = partial(exchange.send, answer)


def _asked(op: Op, tries: int, pause_s: float) -> Exchange[Registers]:
    while True:
        tries -= 1
        try:
            return (yield op)
        except DeviceRefused as error:
            if error.code not in PASSING or tries <= 0:
                raise
        yield Pause(seconds=pause_s)
