"""How many registers a device answers in one read: learned while it is found, from what it refuses.

A read that is refused whole (exception 3, of some 2) and answered in parts is too long.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, Self, TypeVar

from derctl.core.dataclass import dataclass
from derctl.core.exchange import Exchange, Op, Read, Registers, through
from derctl.core.value import replace
from derctl.devices.types import Device, Options
from derctl.errors import BusError, DeviceError, DeviceRefused
from derctl.sunspec import plan

T = TypeVar("T")

LENGTHS = (100, 64, 50, 32, 16, 8)
"""What is tried where a longer read is refused (docs/sources.md)."""
TOO_LONG = frozenset({2, 3})
"""Exceptions that a device may answer to a read that is too long for it (docs/sources.md)."""


class Told(Device, Protocol):
    """A device that can be given one more problem."""

    def saying(self, problem: str) -> Self: ...


@dataclass(slots=True)
class Lengths:
    """Of one device while it is found. most: registers in one read, as far as is known. longest: of the reads that it
    answered. refused: the shortest that was too long for it, 0 where none was; code: what it answered to that."""

    most: int
    longest: int = 0
    refused: int = 0
    code: int = 0

    @property
    def text(self) -> str:
        """For people; empty where nothing was learned."""
        if not self.refused:
            return ""
        return f"it refuses {self.refused} registers in one read: what is longer than {self.most} is read in parts"

    def learn(self, make: Callable[[int], Exchange[T]]) -> Exchange[T]:
        """What `make` makes with so many registers in one read; it is made again where that was too many."""
        while True:
            most = self.most
            try:
                made = yield from through(make(most), self._answered)
            except DeviceError:
                if self.most == most:
                    raise
            else:
                if self.most == most:
                    return made

    def _answered(self, op: Op) -> Exchange[Registers]:
        if not isinstance(op, Read):
            return (yield op)
        words: list[int] = []
        for part in op.parts:
            words += yield from self._read(part)
        return words

    def _read(self, read: Read) -> Exchange[Registers]:
        if self.refused and read.count > self.most:
            raise DeviceRefused(self.code, function=read.function, address=read.address, count=read.count)
        try:
            return (yield from self._asked(read))
        except DeviceRefused as refused:
            shorter = yield from self._shorter(read, refused.code)
            if shorter is None:
                raise
        try:  # it may have been refused in passing
            return (yield from self._asked(read))
        except DeviceRefused as refused:
            self.most, self.refused, self.code = shorter, read.count, refused.code
            raise

    def _asked(self, read: Read) -> Exchange[Registers]:
        answer = yield read
        self.longest = max(self.longest, read.count)
        return answer

    def _shorter(self, read: Read, code: int) -> Exchange[int | None]:
        """The longest parts of which none is refused as the whole was; None where that is not for its length."""
        if code not in TOO_LONG or read.count <= self.longest:
            return None
        for most in LENGTHS:
            if most < read.count and (yield from self._taken(read, most, code)):
                return most
        return None

    def _taken(self, read: Read, most: int, code: int) -> Exchange[bool]:
        for part in plan(read.address, read.count, most):
            try:
                yield from self._asked(part)
            except DeviceRefused as refused:
                if refused.code == code:
                    return False
        return True


def bound(bind: Callable[[Options], Exchange[Told]], options: Options) -> Exchange[Device]:
    """The device, with reads no longer than it answers; the profile's `max_regs` is the most.

    Blocks that will be polled with longer reads than any that it answered are read once.
    """
    lengths = Lengths(options.profile.max_regs)

    def polled(most: int) -> Exchange[Told]:
        device = yield from bind(limited(options, most))
        for read in {**device.control, **device.slow}.values():
            for part in read.parts:
                if part.count > lengths.longest:
                    yield from _tried(part)
        return device

    device = yield from lengths.learn(polled)
    return device.saying(lengths.text) if lengths.text else device


def _tried(read: Read) -> Exchange[None]:
    """For what is learned of it: the poll says what is wrong with it."""
    try:
        yield read
    except (BusError, DeviceError):
        return


def limited(options: Options, most: int) -> Options:
    """The same, with no more registers in one read."""
    return replace(options, profile=replace(options.profile, max_regs=most))
