"""A device that takes writes only while a register of its maker's stands open."""

from __future__ import annotations

from typing import TypeVar

from derctl.core.exchange import Exchange, Op, Read, Registers, Write, through
from derctl.errors import DeviceRefused

T = TypeVar("T")
CLOSED = 4
"""The exception that a closed gate answers with (docs/sources.md)."""


def opened(exchange: Exchange[T], gate: tuple[int, ...]) -> Exchange[T]:
    """The same exchange, in which a write that a closed gate refused opens it and goes out once more. gate: its
    register and what opens it, () where there is none. It is stored, so that one that stands open isn't written, and
    none more than once."""
    tried = False

    def sent(op: Op) -> Exchange[Registers]:
        try:
            return (yield op)
        except DeviceRefused as refused:
            nonlocal tried
            if not isinstance(op, Write) or refused.code != CLOSED or tried:
                raise
            tried = True
            address, word = gate
            asked = Read(address=address, count=1)
            if tuple((yield asked)) == (word,):
                raise
            yield Write(address=address, values=(word,), function=6)
            if tuple((yield asked)) != (word,):
                raise
        return (yield op)

    return through(exchange, sent) if gate else exchange
