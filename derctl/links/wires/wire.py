"""What the bus needs of a Modbus client, and nothing more: a leaner codec or another library fits behind it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from derctl.core.exchange import Read, Registers, Write
from derctl.errors import BusClosed
from derctl.links.wires.strays import Tally


class Wire(Protocol):
    """One connection, one request in flight. The bus owns deadline, pacing, order and reconnection."""

    @property
    def connected(self) -> bool:
        """Whether a request could be sent now."""
        ...

    @property
    def debris(self) -> bool:
        """Whether bytes came that no request accounts for; such a connection is not to be trusted further."""
        ...

    def stray(self, unit: int) -> str:
        """What came lately instead of an answer to this unit's requests, for people; "" where nothing did."""
        ...

    @property
    def lasting(self) -> bool:
        """Whether it is the line itself: what is silent there is a device, and opening it anew mends nothing."""
        ...

    def owed_s(self, unit: int, op: Read | Write, drain_s: float) -> float:
        """For how long this may not be asked yet, since a late answer could be taken for its own; 0 or less: it may.

        drain_s: how long after its deadline an answer is waited for.
        """
        ...

    def span_s(self, op: Read | Write) -> float:
        """How long request and answer are on the line, at its pace; 0 where nobody can tell."""
        ...

    @property
    def tally(self) -> Tally:
        """The answers that could not be taken, counted since the wire was made."""
        ...

    async def connect(self, on_lost: Callable[[BusClosed], None]) -> None:
        """Connect once. Raises BusClosed. `on_lost` is called with the reason when the connection ends later."""
        ...

    def close(self) -> None:
        """Close now; `on_lost` is not called."""
        ...

    async def request(self, unit: int, op: Read | Write) -> Registers:
        """Send one request and return its answer (() for a write).

        Raises BusFrameError for an answer that isn't one, BusClosed, DeviceRefused for an exception response.
        """
        ...


class Numbered:
    """What holds of a connection whose answers carry the number of their request."""

    @property
    def lasting(self) -> bool:
        return False

    def owed_s(self, unit: int, op: Read | Write, drain_s: float) -> float:
        """A late answer is known by its number."""
        return 0.0

    def span_s(self, op: Read | Write) -> float:
        return 0.0

    @property
    def tally(self) -> Tally:
        """Of who counts none."""
        return Tally()

    def stray(self, unit: int) -> str:
        return ""


class Around:
    """A Wire that hands everything on to another one."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    @property
    def connected(self) -> bool:
        return self._wire.connected

    @property
    def debris(self) -> bool:
        return self._wire.debris

    def stray(self, unit: int) -> str:
        return self._wire.stray(unit)

    @property
    def lasting(self) -> bool:
        return self._wire.lasting

    def owed_s(self, unit: int, op: Read | Write, drain_s: float) -> float:
        return self._wire.owed_s(unit, op, drain_s)

    def span_s(self, op: Read | Write) -> float:
        return self._wire.span_s(op)

    @property
    def tally(self) -> Tally:
        return self._wire.tally

    async def connect(self, on_lost: Callable[[BusClosed], None]) -> None:
        await self._wire.connect(on_lost)

    def close(self) -> None:
        self._wire.close()

    async def request(self, unit: int, op: Read | Write) -> Registers:
        return await self._wire.request(unit, op)


class ReadOnly(Around):
    """One that can't write: for verbs that only look."""

    async def request(self, unit: int, op: Read | Write) -> Registers:
        """Raises TypeError for a write: asking for one here is a bug."""
        if not isinstance(op, Read):
            raise TypeError(f"a read-only wire was asked to write {op}")
        return await super().request(unit, op)
