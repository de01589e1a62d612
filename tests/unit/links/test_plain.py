"""The usual request and answer as bytes, against pymodbus's own framer and PDUs."""

from __future__ import annotations

import struct

import pytest
from pymodbus.framer import FramerSocket
from pymodbus.pdu import DecodePDU

from derctl.core.exchange import Read, Write
from derctl.links.wires.codec import request_of
from derctl.links.wires.plain import Question, question

OPS: list[Read | Write] = [
    Read(address=40000, count=1),
    Read(address=40070, count=125),
    Read(address=0xFFFF, count=2, function=4),
    Write(address=40200, values=(1, 2, 0xFFFF)),
    Write(address=40200, values=(0xABCD,), function=6),
]
NUMBER, UNIT = 0x1234, 17


def asked(op: Read | Write) -> Question:
    found = question(NUMBER, UNIT, op)
    assert found is not None
    return found


def answer_to(op: Read | Write) -> bytes:
    """By the words of the standard (Modbus Application Protocol V1.1b3, 6.3, 6.4, 6.6 and 6.12)."""
    if isinstance(op, Read):
        pdu = struct.pack(f">BB{op.count}H", op.function, 2 * op.count, *range(op.count))
    elif op.function == 6:
        pdu = struct.pack(">BHH", 6, op.address, op.values[0])
    else:
        pdu = struct.pack(">BHH", 16, op.address, len(op.values))
    return struct.pack(">HHHB", NUMBER, 0, 1 + len(pdu), UNIT) + pdu


@pytest.mark.parametrize("op", OPS)
def test_a_usual_request_is_sent_as_pymodbus_sends_it(op: Read | Write) -> None:
    pdu = request_of(UNIT, op)
    pdu.transaction_id = NUMBER
    assert asked(op).frame == FramerSocket(DecodePDU(is_server=False)).buildFrame(pdu)


@pytest.mark.parametrize("op", OPS)
def test_its_answer_is_taken_whole_and_alone(op: Read | Write) -> None:
    content = answer_to(op)
    words = asked(op).words(content)
    assert words is not None
    assert list(words) == (list(range(op.count)) if isinstance(op, Read) else [])
    assert asked(op).words(content[:-1]) is None
    assert asked(op).words(content + b"\x00") is None
    assert asked(op).words(content + content) is None


@pytest.mark.parametrize("op", OPS)
def test_what_differs_in_any_byte_that_must_be_its_own_is_not_taken(op: Read | Write) -> None:
    content, own = answer_to(op), 9 if isinstance(op, Read) else 12
    for place in range(own):
        other = bytearray(content)
        other[place] ^= 1
        assert asked(op).words(bytes(other)) is None, place


def test_an_exception_response_is_no_usual_answer() -> None:
    refused = struct.pack(">HHHBBB", NUMBER, 0, 3, UNIT, 0x83, 2)
    assert asked(OPS[0]).words(refused) is None


@pytest.mark.parametrize(
    ("unit", "op"),
    [
        (0, Read(address=0, count=1)),
        (256, Read(address=0, count=1)),
        (1, Read(address=0x10000, count=1)),
        (1, Read(address=0, count=0)),
        (1, Read(address=0, count=126)),
        (1, Read(address=0, count=1, function=1)),
        (1, Write(address=0, values=())),
        (1, Write(address=0, values=(0,) * 124)),
        (1, Write(address=0, values=(0,), function=5)),
    ],
)
def test_what_is_not_usual_is_left_to_pymodbus(unit: int, op: Read | Write) -> None:
    assert question(NUMBER, unit, op) is None
