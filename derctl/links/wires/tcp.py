"""Modbus TCP: one connection to a host and a port."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.client.base import ModbusBaseClient
from pymodbus.pdu import ModbusPDU

from derctl.core.exchange import Read, Write
from derctl.errors import BusClosed, BusFrameError
from derctl.links.names import Name
from derctl.links.wires.connection import Connection
from derctl.links.wires.farewell import CLOSED
from derctl.links.wires.plain import Plain, Question, question
from derctl.links.wires.strays import Header, Strays, Tally

ONLY_CLIENT = "many inverters serve one client: does another one hold the connection?"
ELSEWHERE = "is the address right, and the device switched on and in this network?"


class PymodbusTcp(Connection):
    """A Wire over one TCP connection. user_timeout_s: how long sent bytes may stay unacknowledged.

    header: what of an answer's header has to be its request's. Where the number may differ an answer is known by its
    order alone (and by function, length and echo, as always): after a deadline, or bytes that nobody asked for,
    nothing more is asked on that connection.
    """

    HINTS: Mapping[int, str] = {
        errno.ECONNREFUSED: "is Modbus TCP enabled in the inverter?",
        errno.ECONNRESET: ONLY_CLIENT,
        CLOSED: ONLY_CLIENT,
        errno.ETIMEDOUT: ELSEWHERE,
        errno.EHOSTUNREACH: ELSEWHERE,
        errno.ENETUNREACH: ELSEWHERE,
        socket.EAI_NONAME: "is the name right? An address like 192.168.1.20 needs no name server",
        socket.EAI_AGAIN: "is the network up? An address like 192.168.1.20 needs no name server",
    }

    def __init__(
        self,
        host: str,
        port: int,
        *,
        connect_timeout_s: float = 3.0,
        user_timeout_s: float = 4.0,
        header: Header = Header.STRICT,
    ) -> None:
        super().__init__(f"[{host}]:{port}" if ":" in host else f"{host}:{port}", connect_timeout_s)
        self._host = host
        self._port = port
        self._name = Name(host, port)
        self._strays = Strays(header)
        self._asked: Question | None = None
        self._user_timeout_ms = int(user_timeout_s * 1000)

    def client(self) -> ModbusBaseClient:
        watch = self._strays.watch
        client = AsyncModbusTcpClient(self._host, port=self._port, retries=0, reconnect_delay=0, trace_packet=watch)
        parsed = client.ctx.data_received

        def received(data: bytes) -> None:
            if not self._take(client, data):
                parsed(data)

        client.ctx.data_received = received  # type: ignore[method-assign]
        return client

    async def open(self, client: ModbusBaseClient) -> asyncio.BaseTransport:
        """To the first of the name's addresses that takes it; the first error counts.

        The look-up has half the time, so that a silent name server is told from a silent device.
        """
        first: OSError | None = None
        for address in await self._name.addresses(self._connect_timeout_s / 2.0):
            try:
                return await self.dial(client, address)
            except OSError as error:
                first = first or error
        raise first or socket.gaierror(socket.EAI_NONAME, "no address")

    async def dial(self, client: ModbusBaseClient, address: str) -> asyncio.BaseTransport:
        """One of the addresses. Raises OSError."""
        dial = asyncio.get_running_loop().create_connection
        transport, _ = await dial(client.ctx.handle_new_connection, address, self._port)
        return transport

    @property
    def debris(self) -> bool:
        return super().debris or self._strays.spent

    @property
    def tally(self) -> Tally:
        return self._strays.tally

    async def connect(self, on_lost: Callable[[BusClosed], None]) -> None:
        self._strays.begin()
        self._asked = None
        await super().connect(on_lost)

    def ask(self, client: ModbusBaseClient, unit: int, op: Read | Write) -> Awaitable[ModbusPDU | Plain]:
        """A usual request is sent without pymodbus, which gets its answer where that is not the usual one."""
        if self._strays.spent:
            raise BusFrameError(f"{self.where}: bytes came that answer no request, and without numbers none is known")
        ctx = client.ctx
        number = ctx.getNextTID()
        self._asked = asked = question(number, unit, op)
        if asked is None or ctx.transport is None:
            return super().ask(client, unit, op)
        waiting: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        ctx.recv_buffer, ctx.response_future = b"", waiting
        ctx.request_dev_id, ctx.request_transaction_id = unit, number
        self._strays.ask(number, unit)
        ctx.transport.write(asked.frame)  # type: ignore[attr-defined]
        return waiting

    def _take(self, client: ModbusBaseClient, content: bytes) -> bool:
        """Whether it was the usual answer to the request in flight, and nothing else."""
        ctx, asked = client.ctx, self._asked
        if asked is None or client is not self._client or ctx.recv_buffer or self._strays.header is not Header.STRICT:
            return False
        words = asked.words(content)
        if words is None or ctx.response_future.done():
            return False
        self._asked = None
        self._strays.answered()
        ctx.response_future.set_result(words)
        return True

    def give_up(self) -> None:
        self._asked = None
        self._strays.give_up()

    def stray(self, unit: int) -> str:
        return self._strays.told.get(unit, "")

    def tune(self, transport: asyncio.BaseTransport) -> None:
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, self._user_timeout_ms)
