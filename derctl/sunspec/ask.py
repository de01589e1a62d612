"""One read in as many requests as the device allows: the smallest step of every exchange here."""

from __future__ import annotations

from derctl.core.exchange import Exchange, Read
from derctl.errors import BusFrameError


def ask(address: int, count: int, *, max_regs: int) -> Exchange[tuple[int, ...]]:
    """`count` registers from `address`. Raises BusFrameError for an answer of another length: it would shift all."""
    registers: list[int] = []
    while len(registers) < count:
        size = min(max_regs, count - len(registers))
        answer = yield Read(address=address + len(registers), count=size)
        if len(answer) != size:
            raise BusFrameError(f"{len(answer)} registers came for {size} from {address + len(registers)}")
        registers += answer
    return tuple(registers)
