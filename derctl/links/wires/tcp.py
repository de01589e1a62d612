"""Modbus TCP: one connection to a host and a port."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Mapping

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.client.base import ModbusBaseClient

from derctl.links.wires.connection import Connection

ONLY_CLIENT = "many inverters serve one client: does another one hold the connection?"
ELSEWHERE = "is the address right, and the device switched on and in this network?"


class PymodbusTcp(Connection):
    """A Wire over one TCP connection. user_timeout_s: how long sent bytes may stay unacknowledged."""

    HINTS: Mapping[int, str] = {
        errno.ECONNREFUSED: "is Modbus TCP enabled in the inverter?",
        errno.ECONNRESET: ONLY_CLIENT,
        errno.ETIMEDOUT: ELSEWHERE,
        errno.EHOSTUNREACH: ELSEWHERE,
        errno.ENETUNREACH: ELSEWHERE,
        socket.EAI_NONAME: "is the name right? An address like 192.168.1.20 needs no name server",
    }

    def __init__(self, host: str, port: int, *, connect_timeout_s: float = 3.0, user_timeout_s: float = 4.0) -> None:
        super().__init__(f"[{host}]:{port}" if ":" in host else f"{host}:{port}", connect_timeout_s)
        self._host = host
        self._port = port
        self._user_timeout_ms = int(user_timeout_s * 1000)

    def client(self) -> ModbusBaseClient:
        return AsyncModbusTcpClient(self._host, port=self._port, retries=0, reconnect_delay=0)

    def tune(self, transport: asyncio.BaseTransport) -> None:
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, self._user_timeout_ms)
