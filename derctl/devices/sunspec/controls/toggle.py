"""An enable that is switched off and on again, for a device that heeds a new setpoint only then."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TypeVar

from derctl.core.exchange import Exchange, Op, Registers, Write, through
from derctl.devices.sunspec.layout import View
from derctl.errors import BusError, DeviceError

T = TypeVar("T")
ON_TRIES = 3
"""How often an enable that is off is written on until somebody has to know (docs/sources.md)."""
ENABLES = ("WMaxLim_Ena", "VArPct_Ena", "StorCtl_Mod", "WMaxLimPctEna", "WSetEna", "VarSetEna")


def enables_of(views: Iterable[View]) -> frozenset[int]:
    """Where these models have the enables of setpoints."""
    return frozenset(view.offset(name) for view in views for name in ENABLES if name in view.model.fixed)


def toggled(exchange: Exchange[T], enables: Collection[int]) -> Exchange[T]:
    """The same exchange, in which whatever switches something on goes out with its enable off, and that on behind it:
    for the time of a request the device has no limit, so nobody does this before it was seen to be needed, nor where
    it may be cut short (a release)."""

    def sent(op: Op) -> Exchange[Registers]:
        if not isinstance(op, Write):
            return (yield op)
        places = [address - op.address for address in enables]
        on = [place for place in places if 0 <= place < len(op.values) and op.values[place]]
        words = tuple(0 if place in on else word for place, word in enumerate(op.values))
        answer = yield Write(address=op.address, values=words, function=op.function)
        for place in on:
            yield from _on(Write(address=op.address + place, values=(op.values[place],), function=op.function))
        return answer

    return through(exchange, sent)


def _on(op: Write) -> Exchange[None]:
    """All that it needs is there already, so a device that is without a limit now is asked again at once."""
    for left in reversed(range(ON_TRIES)):
        try:
            yield op
            return
        except (BusError, DeviceError):
            if not left:
                raise
