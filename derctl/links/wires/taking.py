"""A connection on which pymodbus gets nothing but whole RTU answers to what it asked."""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Awaitable
from functools import partial
from typing import Any

from pymodbus.client.base import ModbusBaseClient
from pymodbus.exceptions import ModbusIOException
from pymodbus.pdu import ModbusPDU

from derctl.core.exchange import Read, Write
from derctl.links.wires.connection import Connection
from derctl.links.wires.hearing import BROKEN_AFTER_S, Hearing
from derctl.links.wires.plain import Plain
from derctl.links.wires.strays import Tally


class Taking(Connection):
    """Its bytes are taken apart before pymodbus sees them: it takes any answer of the unit for the next one."""

    def __init__(self, *args: Any, **given: Any) -> None:
        super().__init__(*args, **given)
        self._hearing = Hearing()

    @abstractmethod
    def bare(self) -> ModbusBaseClient:
        """A new client of pymodbus, not connected, with retries=0, reconnect_delay=0, trace_packet=hearing.watch."""

    def client(self) -> ModbusBaseClient:
        client = self.bare()
        answered = client.ctx.callback_data

        def heard(content: bytes, addr: tuple[Any, ...] | None = None) -> int:
            frame = self._hearing.take(content)
            if frame is not None:
                answered(frame, addr)
            elif count := self._hearing.broken:
                asyncio.get_running_loop().call_later(BROKEN_AFTER_S, partial(self._look, client, count))
            return len(content)

        client.ctx.callback_data = heard  # type: ignore[assignment, method-assign]
        return client

    def ask(self, client: ModbusBaseClient, unit: int, op: Read | Write) -> Awaitable[ModbusPDU | Plain]:
        """Its frames carry no number, whatever carries them: pymodbus makes them."""
        return Connection.ask(self, client, unit, op)

    def _look(self, client: ModbusBaseClient, count: int) -> None:
        """As many bytes as an answer has, none of them one, and nothing more came: it will not get better."""
        waiting = client.ctx.response_future
        if self._hearing.broken == count and self._client is client and not waiting.done():
            self._hearing.spoil()
            waiting.set_exception(ModbusIOException("broken"))

    @property
    def debris(self) -> bool:
        """What nobody asked for is sorted out."""
        return False

    @property
    def tally(self) -> Tally:
        return self._hearing.tally

    def stray(self, unit: int) -> str:
        return self._hearing.told.get(unit, "")
