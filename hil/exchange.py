"""One Modbus exchange as the server sees it, and the frames it is made of."""

import random
import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hil.unit import Unit
    from hil.wire import Connection

HEADER = struct.Struct(">HHHB")
PAIR = struct.Struct(">HH")


@dataclass(slots=True, kw_only=True)
class Exchange:
    """A request and what will go back: `sends` are (delay from now in s, bytes). Faults change it in place.

    `answered` False: nothing goes back. `spoiled`: a fault touched it. `close`: "fin", "rst", "half" or "". `habit`:
    the device always closes, and the answer went out before it.
    """

    connection: "Connection"
    unit: "Unit | None"
    random: random.Random
    tid: int
    unit_id: int
    pdu: bytes
    delay_s: float = 0.0
    answered: bool = True
    exception: int = 0
    answer: bytes = b""
    sends: list[tuple[float, bytes]] = field(default_factory=list)
    spoiled: bool = False
    close: str = ""
    habit: bool = False

    @property
    def function(self) -> int:
        """Function code of the request."""
        return self.pdu[0]

    @property
    def address(self) -> int:
        """First register, -1 for functions that have none."""
        return int(PAIR.unpack_from(self.pdu, 1)[0]) if len(self.pdu) >= 5 else -1

    @property
    def count(self) -> int:
        """Number of registers."""
        if self.function == 6 or len(self.pdu) < 5:
            return 1
        return int(PAIR.unpack_from(self.pdu, 1)[1])


def framed(tid: int, unit_id: int, pdu: bytes) -> bytes:
    """MBAP header and PDU."""
    return HEADER.pack(tid, 0, len(pdu) + 1, unit_id) + pdu


def refusal(function: int, code: int) -> bytes:
    """An exception PDU."""
    return bytes((function | 0x80, code))
