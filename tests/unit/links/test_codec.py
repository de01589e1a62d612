"""Reads of coils and discrete inputs, by the examples of Modbus Application Protocol V1.1b3, 6.1 and 6.2."""

from __future__ import annotations

import pytest
from pymodbus.pdu.bit_message import ReadCoilsResponse, ReadDiscreteInputsResponse

from derctl.core.exchange import Read
from derctl.errors import BusFrameError
from derctl.links.wires.codec import request_of, taken


@pytest.mark.parametrize(
    ("function", "kind", "address", "count", "content", "last"),
    [
        (1, ReadCoilsResponse, 19, 19, "CD6B05", (1, 0, 1)),
        (2, ReadDiscreteInputsResponse, 196, 22, "ACDB35", (1, 0, 1, 0, 1, 1)),
    ],
)
def test_bits_come_in_their_order_and_without_the_padding(
    function: int, kind: type, address: int, count: int, content: str, last: tuple[int, ...]
) -> None:
    """Coils 27 to 20 are CD, that is 1100 1101, with 20 as its lowest bit; the last ones are padded with zeros."""
    op = Read(address=address, count=count, function=function)
    request = request_of(1, op)
    assert bytes((request.function_code,)) + request.encode() == bytes((function, 0, address, 0, count))
    answer = kind(dev_id=1)
    answer.decode(bytes((len(content) // 2,)) + bytes.fromhex(content))
    bits = taken(op, request, answer, "here")
    assert len(bits) == count and set(bits) <= {0, 1}
    first = int(content[:2], 16)
    assert tuple(bits[:8]) == tuple(first >> i & 1 for i in range(8))
    assert tuple(bits[16:])[: len(last)] == (last if function == 1 else (1, 0, 1, 0, 1, 1))


@pytest.mark.parametrize("content", ["CD", "CD6B0500"])
def test_another_number_of_bits_is_no_answer(content: str) -> None:
    op = Read(address=19, count=19, function=1)
    answer = ReadCoilsResponse(dev_id=1)
    answer.decode(bytes((len(content) // 2,)) + bytes.fromhex(content))
    with pytest.raises(BusFrameError, match="bits for 19 at 19"):
        taken(op, request_of(1, op), answer, "here")
