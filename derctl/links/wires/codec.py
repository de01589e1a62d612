"""Requests and answers as pymodbus's PDUs, with the checks that it leaves out; whatever wire carries them.

pymodbus 3.16 lets through: transaction id 0, a foreign function code, fewer registers than asked, a write echo that
differs.
"""

from __future__ import annotations

import struct

from pymodbus.exceptions import ModbusIOException
from pymodbus.pdu import ModbusPDU
from pymodbus.pdu.bit_message import ReadCoilsRequest, ReadDiscreteInputsRequest
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadHoldingRegistersResponse,
    ReadInputRegistersRequest,
    WriteMultipleRegistersRequest,
    WriteSingleRegisterRequest,
)

from derctl.core.exchange import Read, Registers, Write
from derctl.errors import BusFrameError, DeviceRefused
from derctl.links.wires.frames import BITS, content_bytes
from derctl.links.wires.strays import Asked, Frame, foreign


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


ANSWERS: tuple[type[ModbusPDU], ...] = (HoldingRegisters, InputRegisters)
"""What a client decodes reads with, instead of pymodbus's own."""


REQUESTS: dict[int, type[ModbusPDU]] = {
    1: ReadCoilsRequest,
    2: ReadDiscreteInputsRequest,
    3: ReadHoldingRegistersRequest,
    4: ReadInputRegistersRequest,
}
"""By function, what asks for a read."""


def request_of(unit: int, op: Read | Write) -> ModbusPDU:
    """The request that asks for this."""
    if isinstance(op, Read):
        return REQUESTS[op.function](address=op.address, count=op.count, dev_id=unit)
    if op.function == 6:
        return WriteSingleRegisterRequest(address=op.address, registers=[op.values[0]], dev_id=unit)
    return WriteMultipleRegistersRequest(address=op.address, registers=list(op.values), dev_id=unit)


def taken(op: Read | Write, request: ModbusPDU, answer: ModbusPDU, where: str) -> Registers:
    """The registers of the request's own answer, () for a write.

    Raises BusFrameError for an answer that isn't the request's, DeviceRefused for an exception response. A serial
    frame has no transaction id: pymodbus gives 0 to both.
    """
    _check_envelope(request, answer, where)
    return _registers(op, answer, where) if isinstance(op, Read) else _echo(op, answer, where)


def _check_envelope(request: ModbusPDU, answer: ModbusPDU, where: str) -> None:
    if answer.transaction_id != request.transaction_id:
        raise BusFrameError(f"{where} unit {request.dev_id}: {_differs(request, answer)}")
    if answer.dev_id != request.dev_id:
        raise BusFrameError(f"{where}: {_differs(request, answer)}")
    function = answer.function_code & 0x7F
    if function != request.function_code:
        raise BusFrameError(f"{where} unit {request.dev_id}: function {function} for {request.function_code}")
    if answer.isError():
        code = answer.exception_code
        raise DeviceRefused(code, function=function, address=request.address, count=request.count)


def _differs(request: ModbusPDU, answer: ModbusPDU) -> str:
    asked = Asked(request.transaction_id, request.dev_id)
    return foreign(asked, Frame(0, 0, answer.transaction_id, answer.dev_id))


def _registers(op: Read, answer: ModbusPDU, where: str) -> Registers:
    if op.function in BITS:
        if len(answer.bits) != 8 * content_bytes(op.function, op.count):
            raise BusFrameError(f"{where}: {len(answer.bits)} bits for {op.count} at {op.address}")
        return tuple(map(int, answer.bits[: op.count]))
    if len(answer.registers) != op.count:
        raise BusFrameError(f"{where}: {len(answer.registers)} registers for {op.count} at {op.address}")
    return answer.registers


def _echo(op: Write, answer: ModbusPDU, where: str) -> Registers:
    same = answer.address == op.address
    if op.function == 6:
        same = same and tuple(answer.registers) == op.values
    else:
        same = same and answer.count == len(op.values)
    if not same:
        raise BusFrameError(f"{where}: the echo of a write at {op.address} differs")
    return ()
