"""A Wire over whatever pymodbus can open. Its own retry, timeout and reconnection are switched off or made longer
than the bus's, and why a connection fails or ends is kept, which pymodbus throws away."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import re
import socket
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping

from pymodbus.client.base import ModbusBaseClient
from pymodbus.exceptions import ConnectionException, ModbusException

from derctl.core.exchange import Read, Registers, Write
from derctl.errors import BusClosed, BusFrameError
from derctl.links.wires.codec import ANSWERS, request_of, taken
from derctl.links.wires.strays import Tally

CLOSED = 0
"""Stands for a number where the peer ended the connection in the regular way."""
BUFFER_MAX = 4096
"""Bytes; pymodbus drops everything at 264, also a late answer in one segment with the right one."""

logging.getLogger("pymodbus").setLevel(logging.CRITICAL + 1)


class Connection(ABC):
    """One client of pymodbus at a time. where: the place, for people. HINTS: what to look at, by the system's number
    of the error; it is for who stands at the cabinet."""

    HINTS: Mapping[int, str] = {}

    def __init__(self, where: str, connect_timeout_s: float) -> None:
        self.where = where
        self._connect_timeout_s = connect_timeout_s
        self._client: ModbusBaseClient | None = None
        self._ended = BusClosed(f"{where}: not connected")
        self._none = Tally()

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

    @property
    def connected(self) -> bool:
        return self._client is not None and self._client.connected

    @property
    def debris(self) -> bool:
        return self._client is not None and bool(self._client.ctx.recv_buffer)

    def stray(self, unit: int) -> str:
        """Nothing is known where frames carry no number."""
        return ""

    @property
    def tally(self) -> Tally:
        return self._none

    async def connect(self, on_lost: Callable[[BusClosed], None]) -> None:
        self.close()
        client = self._client = self.client()

        def lost(error: Exception | None) -> None:
            if self._client is client:
                self._ended = self._closed(error)
                _give_up(client)
                on_lost(self._ended)

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
            self._ended = self._closed(error)
            raise self._again() from error

    def _closed(self, error: Exception | None) -> BusClosed:
        """The system's reason. A TimeoutError without a number is our own deadline for connecting."""
        number = number_of(error)
        if isinstance(error, TimeoutError) and error.errno is None:
            return BusClosed(f"{self.where}: no answer within {self._connect_timeout_s:g} s", hint=self._hint(number))
        return BusClosed(f"{self.where}: {reason(error, number)}", hint=self._hint(number))

    def _hint(self, number: int | None) -> str:
        return "" if number is None else self.HINTS.get(number, "")

    def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            if client.connected:  # else why it ended is known already
                self._ended = BusClosed(f"{self.where}: not connected")
            client.close()
            _give_up(client)

    async def request(self, unit: int, op: Read | Write) -> Registers:
        client = self._client
        if client is None or not client.connected:
            raise self._again()
        request = request_of(unit, op)
        try:
            answer = await client.execute(False, request)
        except ConnectionException as error:
            raise self._again() from error
        except ModbusException as error:
            raise BusFrameError(f"{self.where} unit {unit}: {error}") from error
        return taken(op, request, answer, self.where)

    def _again(self) -> BusClosed:
        return BusClosed(str(self._ended), hint=self._ended.hint)


def _give_up(client: ModbusBaseClient) -> None:
    """End the request in flight now: pymodbus would let it wait for its timeout."""
    waiting = client.ctx.response_future
    if not waiting.done():
        waiting.set_exception(ConnectionException("connection lost"))
        waiting.exception()


def number_of(error: Exception | None) -> int | None:
    """The system's number; CLOSED where the peer closed without one.

    Several addresses that fail in several ways come as one text: the first of them counts.
    """
    if error is None:
        return CLOSED
    if isinstance(error, TimeoutError):
        return errno.ETIMEDOUT
    if isinstance(error, ValueError):
        return socket.EAI_NONAME
    number = getattr(error, "errno", None)
    found = None if number is not None else re.search(r"Errno (-?\d+)", str(error))
    return int(found.group(1)) if found is not None else number


def reason(error: Exception | None, number: int | None) -> str:
    """The system's words, in the same words for every event loop."""
    if error is None:
        return "closed by the device"
    if isinstance(error, ValueError):
        return "no such host"
    if isinstance(error, socket.gaierror):
        known = error.errno == socket.EAI_NONAME
        return "no such host" if known else f"host not found: {(error.strerror or str(error)).lower()}"
    if number is not None and number > 0:
        return os.strerror(number).lower()
    return str(error) or type(error).__name__
