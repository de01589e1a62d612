"""A Wire over whatever pymodbus can open. Its own retry, timeout and reconnection are switched off or made longer
than the bus's, and why a connection fails or ends is kept, which pymodbus throws away."""

from __future__ import annotations

import asyncio
import errno
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping

from pymodbus.client.base import ModbusBaseClient
from pymodbus.exceptions import ConnectionException, ModbusException
from pymodbus.pdu import ModbusPDU

from derctl.core.exchange import Read, Registers, Write
from derctl.errors import BusClosed, BusFrameError
from derctl.links.wires.codec import ANSWERS, request_of, taken
from derctl.links.wires.farewell import Farewell
from derctl.links.wires.plain import Plain
from derctl.links.wires.wire import Numbered

BUFFER_MAX = 4096
"""Bytes; pymodbus drops everything at 264, also a late answer in one segment with the right one."""

logging.getLogger("pymodbus").setLevel(logging.CRITICAL + 1)


class Connection(Numbered, ABC):
    """One client of pymodbus at a time. where: the place, for people. HINTS: what to look at, by the system's number
    of the error; it is for who stands at the cabinet."""

    HINTS: Mapping[int, str] = {}

    def __init__(self, where: str, connect_timeout_s: float) -> None:
        self.where = where
        self._connect_timeout_s = connect_timeout_s
        self._client: ModbusBaseClient | None = None
        self._farewell = Farewell(where, self.HINTS, connect_timeout_s)

    @abstractmethod
    def client(self) -> ModbusBaseClient:
        """A new client of pymodbus, not connected, with retries=0 and reconnect_delay=0."""

    @abstractmethod
    def tune(self, transport: asyncio.BaseTransport) -> None:
        """Set what the connection needs, once it is there. Raises OSError where it is gone already."""

    async def open(self, client: ModbusBaseClient) -> asyncio.BaseTransport:
        """Make its transport. Raises OSError, or ValueError (a name that no name server can be asked for)."""
        transport: asyncio.BaseTransport
        transport, _ = await client.ctx.call_create()
        return transport

    def why(self, error: Exception | None) -> Exception | None:
        """The error in whose words a connection's failure or end is told; None: the peer ended it."""
        return error

    @property
    def connected(self) -> bool:
        return self._client is not None and self._client.ctx.is_active()

    @property
    def debris(self) -> bool:
        return self._client is not None and bool(self._client.ctx.recv_buffer)

    async def connect(self, on_lost: Callable[[BusClosed], None]) -> None:
        self.close()
        client = self._client = self.client()

        def lost(error: Exception | None) -> None:
            if self._client is client:
                _give_up(client)
                on_lost(self._farewell.by(self.why(error)))

        client.ctx.callback_disconnected = lost  # type: ignore[assignment, method-assign]
        client.ctx.comm_params.timeout_connect = None  # type: ignore[assignment]  # the bus's deadline is the only one
        client.ctx.max_buffer_size = BUFFER_MAX
        for answer in ANSWERS:
            client.register(answer)
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                client.ctx.transport = await self.open(client)
            if client.ctx.transport is None or client.ctx.transport.is_closing():
                raise ConnectionResetError(errno.ECONNRESET, "reset on connecting")
            self.tune(client.ctx.transport)
        except (OSError, ValueError) as error:  # ValueError: a name that no name server can be asked for
            self.close()
            self._farewell.by(self.why(error))
            raise self._farewell.again() from error

    def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            if client.connected:  # else why it ended is known already
                self._farewell.regular()
            client.close()
            _give_up(client)

    async def request(self, unit: int, op: Read | Write) -> Registers:
        client = self._client
        if client is None or not client.connected:
            raise self._farewell.again()
        try:
            answer = await self.ask(client, unit, op)
        except ConnectionException as error:
            raise self._farewell.again() from error
        except ModbusException as error:
            raise BusFrameError(f"{self.where} unit {unit}: {error}") from error
        except asyncio.CancelledError:
            self.give_up()
            raise
        if isinstance(answer, tuple):
            return answer
        request = request_of(unit, op)
        request.transaction_id = client.ctx.request_transaction_id
        return taken(op, request, answer, self.where)

    def ask(self, client: ModbusBaseClient, unit: int, op: Read | Write) -> Awaitable[ModbusPDU | Plain]:
        """Send it; its answer, as registers where it has been checked already. Raises BusFrameError where nothing may
        be asked on this connection any more."""
        answer: Awaitable[ModbusPDU] = client.execute(False, request_of(unit, op))
        return answer

    def give_up(self) -> None:
        """The answer to the request in flight is too late from now on."""


def _give_up(client: ModbusBaseClient) -> None:
    """End the request in flight now: pymodbus would let it wait for its timeout."""
    waiting = client.ctx.response_future
    if not waiting.done():
        waiting.set_exception(ConnectionException("connection lost"))
        waiting.exception()
