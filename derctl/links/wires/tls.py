"""Modbus/TCP Security: the TCP wire within TLS, each side with a certificate (MB-TCP-Security-v21)."""

from __future__ import annotations

import asyncio
import errno
import ssl
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from pymodbus.client.base import ModbusBaseClient

from derctl.core.exchange import Read, Registers, Write
from derctl.errors import DeviceRefused, RoleRefused
from derctl.links.certificate import certificate_in
from derctl.links.keys import Keys, Unusable
from derctl.links.wires.distrust import AGAIN, ENDED, LATE, Told, distrust
from derctl.links.wires.farewell import CLOSED
from derctl.links.wires.strays import Header
from derctl.links.wires.tcp import PymodbusTcp

HANDSHAKE_S = 7.0
"""More than for a connection without TLS: a small processor needs seconds for its part of the reckoning."""
ILLEGAL_FUNCTION = 1


class PymodbusTls(PymodbusTcp):
    """A Wire over one TLS connection. server_name: what the device's certificate is for, where that is not the host.

    The certificate is always verified. wall: the clock that it is verified by.
    """

    HINTS: Mapping[int, str] = {
        **PymodbusTcp.HINTS,
        errno.ECONNREFUSED: "is Modbus/TCP Security enabled in the device? Its port is usually 802",
        errno.ECONNRESET: AGAIN,
        CLOSED: AGAIN,
    }

    def __init__(
        self,
        host: str,
        port: int,
        keys: Keys,
        *,
        server_name: str | None = None,
        connect_timeout_s: float = 3.0,
        header: Header = Header.STRICT,
        wall: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(host, port, connect_timeout_s=connect_timeout_s + HANDSHAKE_S, header=header)
        self._keys = keys
        self._server_name = server_name or host
        self._wall = wall

    async def dial(self, client: ModbusBaseClient, address: str) -> asyncio.BaseTransport:
        try:
            transport, _ = await asyncio.get_running_loop().create_connection(
                client.ctx.handle_new_connection,
                address,
                self._port,
                ssl=self._context(),
                server_hostname=self._server_name,
                ssl_handshake_timeout=HANDSHAKE_S,
            )
        except (ConnectionAbortedError, ConnectionResetError) as error:
            late = isinstance(error, ConnectionAbortedError)
            raise Told(*(LATE if late else ENDED)) from error
        return transport

    def _context(self) -> ssl.SSLContext:
        """Without what a default context adds in some versions of Python: a device counts the same in each."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            self._keys.into(context)
        except Unusable as error:
            raise Told(str(error)) from error
        return context

    def close(self) -> None:
        """At once: a transport over TLS waits half a minute for the farewell, and holds the only connection."""
        transport = None if self._client is None else cast(asyncio.Transport | None, self._client.ctx.transport)
        super().close()
        if transport is not None:
            transport.abort()

    def why(self, error: Exception | None) -> Exception | None:
        if isinstance(error, ssl.SSLError):
            return distrust(error, self._server_name, datetime.fromtimestamp(self._wall(), UTC))
        return error

    async def request(self, unit: int, op: Read | Write) -> Registers:
        try:
            return await super().request(unit, op)
        except DeviceRefused as refused:
            if refused.code != ILLEGAL_FUNCTION:
                raise
            raise RoleRefused(refused, self._role()) from refused

    def _role(self) -> str | None:
        try:
            return certificate_in(Path(self._keys.cert_file or "").read_text("ascii")).role
        except (OSError, ValueError):
            return None
