"""Modbus TCP through pymodbus, with the checks that pymodbus 3.16 leaves out.

It lets through: transaction id 0, a foreign function code, fewer registers than asked, a write echo that differs.
Its own retry, timeout and reconnection are switched off or made longer than the bus's.
"""

from __future__ import annotations

import logging
import socket
import struct
from collections.abc import Callable

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ConnectionException, ModbusException, ModbusIOException
from pymodbus.pdu import ModbusPDU
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadHoldingRegistersResponse,
    ReadInputRegistersRequest,
    WriteMultipleRegistersRequest,
    WriteSingleRegisterRequest,
)

from derctl.core.exchange import Read, Registers, Write
from derctl.errors import BusClosed, BusFrameError, DeviceRefused

NEVER_S = 3600.0
"""pymodbus's own timeout: out of the way, the bus's deadline is the only one."""
BUFFER_MAX = 4096
"""Bytes; pymodbus drops everything at 264, also a late answer in one segment with the right one (docs/sources.md)."""

logging.getLogger("pymodbus").setLevel(logging.CRITICAL + 1)


class HoldingRegisters(ReadHoldingRegistersResponse):
    """pymodbus's answer to a read, unpacked in one go and without the text that is made of it for a debug log."""

    def decode(self, data: bytes) -> None:
        if data[0] >= len(data):
            raise ModbusIOException(f"byte count {data[0]} in {len(data)} bytes", function_code=self.function_code)
        self.registers = struct.unpack_from(f">{data[0] // 2}H", data, 1)

    def __str__(self) -> str:
        return f"{type(self).__name__}(dev_id={self.dev_id}, count={len(self.registers)})"


class InputRegisters(HoldingRegisters):
    """The same for function 4."""

    function_code = 4


class PymodbusTcp:
    """A Wire over one TCP connection. user_timeout_s: how long sent bytes may stay unacknowledged."""

    def __init__(self, host: str, port: int, *, connect_timeout_s: float = 3.0, user_timeout_s: float = 4.0) -> None:
        self._where = f"{host}:{port}"
        self._user_timeout_ms = int(user_timeout_s * 1000)
        self._host = host
        self._port = port
        self._connect_timeout_s = connect_timeout_s
        self._client: AsyncModbusTcpClient | None = None

    @property
    def connected(self) -> bool:
        return self._client is not None and self._client.connected

    @property
    def debris(self) -> bool:
        return self._client is not None and bool(self._client.ctx.recv_buffer)

    async def connect(self, on_lost: Callable[[], None]) -> None:
        self.close()

        def trace(up: bool) -> None:
            if not up and self._client is client:
                _give_up(client)
                on_lost()

        client = AsyncModbusTcpClient(
            self._host,
            port=self._port,
            timeout=self._connect_timeout_s,
            retries=0,
            reconnect_delay=0,
            trace_connect=trace,
        )
        self._client = client
        if not await client.connect():
            self.close()
            raise BusClosed(f"{self._where}: no connection")
        client.ctx.comm_params.timeout_connect = NEVER_S
        client.ctx.max_buffer_size = BUFFER_MAX
        client.register(HoldingRegisters)
        client.register(InputRegisters)
        try:
            self._tune(client)
        except OSError as error:
            self.close()
            raise BusClosed(f"{self._where}: {error}") from error

    def _tune(self, client: AsyncModbusTcpClient) -> None:
        """Raises OSError where the peer has reset the connection already."""
        transport = client.ctx.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("reset on connecting")
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, self._user_timeout_ms)

    def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()
            _give_up(client)

    async def request(self, unit: int, op: Read | Write) -> Registers:
        client = self._client
        if client is None or not client.connected:
            raise BusClosed(f"{self._where}: not connected")
        request = _pdu(unit, op)
        try:
            answer = await client.execute(False, request)
        except ConnectionException as error:
            raise BusClosed(f"{self._where}: {error}") from error
        except ModbusException as error:
            raise BusFrameError(f"{self._where} unit {unit}: {error}") from error
        _check_envelope(request, answer, self._where)
        return _registers(op, answer) if isinstance(op, Read) else _echo(op, answer)


def _give_up(client: AsyncModbusTcpClient) -> None:
    """End the request in flight now: pymodbus would let it wait for its timeout."""
    waiting = client.ctx.response_future
    if not waiting.done():
        waiting.set_exception(ConnectionException("connection lost"))
        waiting.exception()


def _pdu(unit: int, op: Read | Write) -> ModbusPDU:
    if isinstance(op, Read):
        kind = ReadInputRegistersRequest if op.function == 4 else ReadHoldingRegistersRequest
        return kind(address=op.address, count=op.count, dev_id=unit)
    if op.function == 6:
        return WriteSingleRegisterRequest(address=op.address, registers=[op.values[0]], dev_id=unit)
    return WriteMultipleRegistersRequest(address=op.address, registers=list(op.values), dev_id=unit)


def _check_envelope(request: ModbusPDU, answer: ModbusPDU, where: str) -> None:
    if answer.transaction_id != request.transaction_id:
        text = f"transaction {answer.transaction_id} for {request.transaction_id}"
        raise BusFrameError(f"{where} unit {request.dev_id}: {text}")
    if answer.dev_id != request.dev_id:
        raise BusFrameError(f"{where}: unit {answer.dev_id} answered for unit {request.dev_id}")
    function = answer.function_code & 0x7F
    if function != request.function_code:
        raise BusFrameError(f"{where} unit {request.dev_id}: function {function} for {request.function_code}")
    if answer.isError():
        code = answer.exception_code
        raise DeviceRefused(code, function=function, address=request.address, count=request.count)


def _registers(op: Read, answer: ModbusPDU) -> Registers:
    if len(answer.registers) != op.count:
        raise BusFrameError(f"{len(answer.registers)} registers for {op.count} at {op.address}")
    return answer.registers


def _echo(op: Write, answer: ModbusPDU) -> Registers:
    same = answer.address == op.address
    if op.function == 6:
        same = same and tuple(answer.registers) == op.values
    else:
        same = same and answer.count == len(op.values)
    if not same:
        raise BusFrameError(f"the echo of a write at {op.address} differs")
    return ()
