"""Scale factors that count: one that is another than before counts once two answers in a row had it. Pure.

They stand in registers of their own: a lying answer makes ten times as much of all that is read and written by them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from operator import itemgetter
from typing import TypeVar

from derctl.core.exchange import Exchange, Op, Read, Registers, through
from derctl.core.value import value
from derctl.errors import DecodeError

T = TypeVar("T")


@value
class Scale:
    """Of one block, register by register. known: what counts; last: as it was read last, whatever that was.

    counts: whether the answer that was read last does.
    """

    known: tuple[frozenset[int], ...] = ()
    last: tuple[int, ...] = ()
    counts: bool = True


NONE = Scale()


def seen(before: Scale, read: Read, answer: Registers) -> Scale:
    """After one more answer. The first one counts, since some devices take seconds for each request; from then on
    what came twice in a row does.

    By what goes by one of them, only that one is written: a change back is a change too. Measured values are read by
    all that were confirmed: inverters change theirs with the power (docs/sources.md).
    """
    words = _at(read.scales)(answer)
    if words == before.last and before.counts:
        return before
    if not before.last:
        return Scale(known=tuple(frozenset({word}) for word in words), last=words)
    twice = [a == b for a, b in zip(words, before.last, strict=True)]
    known = tuple(map(_known, before.known, words, twice, [read.told] * len(words)))
    counts = all(word in each for word, each in zip(words, known, strict=True))
    return Scale(known=known, last=words, counts=counts)


@cache
def _at(places: tuple[int, ...]) -> Callable[[Registers], tuple[int, ...]]:
    """What picks the words at these places, each time for all blocks of a device."""
    if len(places) > 1:
        return itemgetter(*places)
    return lambda answer: tuple([answer[place] for place in places])


def _known(known: frozenset[int], word: int, twice: bool, told: bool) -> frozenset[int]:
    if not twice or word in known:
        return known
    return frozenset({word}) if told else known | {word}


def doubt(scale: Scale, read: Read) -> str:
    """What does not count, in words; "" where all does."""
    found = [
        f"the scale factor in register {read.address + place} reads {_signed(word)}{_after(known)}"
        for place, word, known in zip(read.scales, scale.last, scale.known, strict=True)
        if word not in known
    ]
    return f"{'; '.join(found)}: it counts once it is read twice" if found else ""


def _signed(word: int) -> int:
    return word - (word >> 15 << 16)


def _after(known: frozenset[int]) -> str:
    return f" after {' or '.join(str(_signed(word)) for word in sorted(known))}" if known else ""


def confirmed(exchange: Exchange[T], known: Mapping[Read, Scale]) -> Exchange[T]:
    """The same exchange, in which a block with other scale factors than the known ones is read once more. Raises
    DecodeError where that answer has still others."""

    def asked(op: Op) -> Exchange[Registers]:
        answer = yield op
        if not isinstance(op, Read) or not op.scales:
            return answer
        once = seen(known.get(op, NONE), op, answer)
        if once.counts:
            return answer
        again = yield op
        if text := doubt(seen(once, op, again), op):
            raise DecodeError(text)
        return again

    return through(exchange, asked)
