"""Bus and PymodbusTcp over TCP, against a scripted server that packs its own frames (Modbus on TCP/IP V1.0b)."""

from __future__ import annotations

import asyncio
import errno
import os
import re
import socket
import struct
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from derctl.core.exchange import Read, Write
from derctl.errors import BusClosed, BusError, BusFrameError, BusTimeout, DerctlError, DeviceRefused
from derctl.links.bus import Bus
from derctl.links.line import Line, Pace
from derctl.links.wires.farewell import number_of, reason
from derctl.links.wires.strays import Header
from derctl.links.wires.tcp import PymodbusTcp
from derctl.links.wires.wire import ReadOnly
from tests.bus import any_write

HEADER = struct.Struct(">HHHB")
PATIENCE_S = 60.0
"""For whatever must come at last: no claim about how fast, which a busy machine would break."""


def framed(tid: int, unit: int, pdu: bytes, *, protocol: int = 0, lie: int = 0) -> bytes:
    return HEADER.pack(tid, protocol, len(pdu) + 1 + lie, unit) + pdu


@dataclass
class Asked:
    """One request as it came, and ways to answer it."""

    tid: int
    unit: int
    pdu: bytes
    transport: asyncio.Transport
    n: int

    @property
    def function(self) -> int:
        return self.pdu[0]

    @property
    def address(self) -> int:
        return int(struct.unpack_from(">H", self.pdu, 1)[0])

    @property
    def count(self) -> int:
        return int(struct.unpack_from(">H", self.pdu, 3)[0])

    @property
    def right(self) -> bytes:
        """The PDU of a device whose register at address a holds a mod 65536, and that takes every write."""
        if self.function in (3, 4):
            values = [(self.address + i) & 0xFFFF for i in range(self.count)]
            return struct.pack(f">BB{self.count}H", self.function, 2 * self.count, *values)
        return self.pdu[:5]

    @property
    def frame(self) -> bytes:
        return framed(self.tid, self.unit, self.right)

    def send(self, content: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(content)

    def send_in_parts(self, parts: list[bytes], gap_s: float) -> None:
        """One after the other; each timer starts the next (uvloop does not keep the order of timers within 1 ms)."""
        if parts:
            self.send(parts[0])
            asyncio.get_running_loop().call_later(gap_s, self.send_in_parts, parts[1:], gap_s)

    def reset(self) -> None:
        linger = struct.pack("ii", 1, 0)
        self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.transport.abort()


def obey(asked: Asked) -> None:
    asked.send(asked.frame)


def silence(asked: Asked) -> None:
    return


@dataclass
class Device:
    """A listener on an ephemeral port. act is what the test makes of each request."""

    act: Callable[[Asked], Any] = obey
    on_connect: Callable[[asyncio.Transport], None] = lambda transport: None
    asked: list[Asked] = field(default_factory=list)
    connects: list[float] = field(default_factory=list)
    open: set[asyncio.Transport] = field(default_factory=set)
    port: int = 0
    server: asyncio.Server | None = None

    async def listen(self) -> None:
        loop = asyncio.get_running_loop()
        self.server = await loop.create_server(lambda: Peer(self), "127.0.0.1", self.port)
        self.port = self.server.sockets[0].getsockname()[1]

    def refuse(self) -> None:
        if self.server is not None:
            self.server.close()
            self.server = None

    async def stop(self) -> None:
        self.refuse()
        for transport in list(self.open):
            transport.abort()
        await asyncio.sleep(0)


class Peer(asyncio.Protocol):
    def __init__(self, device: Device) -> None:
        self.device = device
        self.buffer = bytearray()
        self.transport: Any = None

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.device.open.add(transport)
        self.device.connects.append(asyncio.get_running_loop().time())
        self.device.on_connect(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self.device.open.discard(self.transport)

    def data_received(self, content: bytes) -> None:
        self.buffer += content
        while len(self.buffer) >= 8:
            tid, protocol, length, unit = HEADER.unpack_from(self.buffer)
            assert protocol == 0
            if len(self.buffer) < 6 + length:
                return
            asked = Asked(tid, unit, bytes(self.buffer[7 : 6 + length]), self.transport, len(self.device.asked) + 1)
            del self.buffer[: 6 + length]
            self.device.asked.append(asked)
            self.device.act(asked)


@pytest.fixture
async def device() -> AsyncIterator[Device]:
    found = Device()
    await found.listen()
    yield found
    await found.stop()


Dial = Callable[..., Awaitable[Bus]]


@pytest.fixture
async def dial(device: Device, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Dial]:
    """A bus whose `run` is a task. gap_s: between two connects, short except where it is the subject.

    Its deadline is one that right answers keep on a busy machine too.
    """
    running: list[asyncio.Task[None]] = []

    async def make(
        *, connected: bool = True, gap_s: float = 0.03, header: Header = Header.STRICT, **pace: Any
    ) -> Bus:
        monkeypatch.setattr("derctl.links.doubt.CONNECT_GAP_S", gap_s)
        wire = PymodbusTcp("127.0.0.1", device.port, header=header)
        bus = Bus(Line("lan", wire, Pace(**{"timeout_s": 1.0} | pace)))
        running.append(asyncio.create_task(bus.line.run()))
        if connected:
            async with asyncio.timeout(PATIENCE_S):
                await bus.line.wait_connected()
        return bus

    yield make
    for task in running:
        task.cancel()
    results = await asyncio.gather(*running, return_exceptions=True)
    assert {type(result) for result in results} <= {asyncio.CancelledError}, f"the bus's own task broke: {results}"


@pytest.fixture
async def quiet_loop() -> None:
    """The daemon sets such a handler: what a transport's callback raises is logged, the connection is gone."""
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)


def read(address: int = 40000, count: int = 4, function: int = 3) -> Read:
    return Read(address=address, count=count, function=function)


def held(op: Read) -> list[int]:
    return [(op.address + i) & 0xFFFF for i in range(op.count)]


async def comes_back(bus: Bus, device: Device, unit: int = 1) -> None:
    device.act = obey
    bus.line.pace = replace(bus.line.pace, timeout_s=PATIENCE_S)
    op = read(41000, 3)
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                assert list(await bus.request(unit, op, permit=any_write)) == held(op)
                return
            except DerctlError:
                await asyncio.sleep(0.05)


# -- what is right --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("function", [3, 4])
@pytest.mark.parametrize("count", [1, 2, 50, 125])
async def test_registers_come_back_as_the_device_holds_them(
    device: Device, dial: Dial, function: int, count: int
) -> None:
    bus = await dial()
    op = read(65400, count, function)
    assert list(await bus.request(7, op, permit=any_write)) == held(op)
    assert device.asked[0].pdu == struct.pack(">BHH", function, 65400, count)
    assert device.asked[0].unit == 7


async def test_a_block_is_written_with_function_16_and_one_register_with_6(device: Device, dial: Dial) -> None:
    bus = await dial()
    assert await bus.request(1, Write(address=40232, values=(505, 0, 0xFFFF)), permit=any_write) == ()
    assert await bus.request(1, Write(address=40232, values=(505,), function=6), permit=any_write) == ()
    assert [asked.pdu for asked in device.asked] == [
        struct.pack(">BHHB3H", 16, 40232, 3, 6, 505, 0, 0xFFFF),
        struct.pack(">BHH", 6, 40232, 505),
    ]


async def test_the_socket_is_told_to_give_up_on_a_blackhole_and_not_to_wait_for_more(
    device: Device, dial: Dial
) -> None:
    bus = await dial()
    wire = bus.line.wire
    assert isinstance(wire, PymodbusTcp)
    assert wire._client is not None
    sock = wire._client.ctx.transport.get_extra_info("socket")
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 4000
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) != 0


async def test_a_read_only_wire_refuses_to_write_and_reads(device: Device) -> None:
    wire = ReadOnly(PymodbusTcp("127.0.0.1", device.port))
    await wire.connect(lambda error: None)
    assert (wire.connected, wire.debris) == (True, False)
    with pytest.raises(TypeError):
        await wire.request(1, Write(address=1, values=(1,)))
    assert list(await wire.request(1, read())) == held(read())
    wire.close()
    assert not wire.connected
    assert [asked.function for asked in device.asked] == [3]


# -- what is wrong with an answer -----------------------------------------------------------------------------------


def frame_of(make: Callable[[Asked], bytes]) -> Callable[[Asked], None]:
    return lambda asked: asked.send(make(asked))


def registers(asked: Asked, count: int, function: int = 3) -> bytes:
    return framed(asked.tid, asked.unit, struct.pack(f">BB{count}H", function, 2 * count, *range(count)))


NOT_ITS_ANSWER: dict[str, tuple[Callable[[Asked], bytes], type[DerctlError]]] = {
    "transaction id 0": (lambda a: framed(0, a.unit, a.right), BusFrameError),
    "the next transaction id": (lambda a: framed(a.tid + 1, a.unit, a.right), BusTimeout),
    "the transaction id before": (lambda a: framed(a.tid - 1 or 65535, a.unit, a.right), BusTimeout),
    "a foreign unit": (lambda a: framed(a.tid, a.unit + 1, a.right), BusTimeout),
    "a foreign known function": (lambda a: registers(a, 4, 4), BusFrameError),
    "a foreign write's echo": (lambda a: framed(a.tid, a.unit, struct.pack(">BHH", 16, 40000, 4)), BusFrameError),
    "an exception of a foreign function": (lambda a: framed(a.tid, a.unit, b"\x90\x02"), BusFrameError),
    "one register too few": (lambda a: registers(a, 3), BusFrameError),
    "one register too many": (lambda a: registers(a, 5), BusFrameError),
    "no register": (lambda a: registers(a, 0), BusFrameError),
}


@pytest.mark.parametrize("name", NOT_ITS_ANSWER)
async def test_an_answer_that_is_not_the_requests_own_is_never_taken(device: Device, dial: Dial, name: str) -> None:
    make, error = NOT_ITS_ANSWER[name]
    bus = await dial()
    device.act = frame_of(make)
    with pytest.raises(error):
        await bus.request(1, read())
    if error is BusFrameError:
        assert not bus.line.connected, "such a connection is not trusted further"
        assert bus.counters.frame_errors == 1
    await comes_back(bus, device)


WRONG_ECHO: dict[str, tuple[Write, bytes]] = {
    "16: another count": (Write(address=100, values=(1, 2)), struct.pack(">BHH", 16, 100, 1)),
    "16: another address": (Write(address=100, values=(1, 2)), struct.pack(">BHH", 16, 101, 2)),
    "6: another value": (Write(address=100, values=(1,), function=6), struct.pack(">BHH", 6, 100, 2)),
    "6: another address": (Write(address=100, values=(1,), function=6), struct.pack(">BHH", 6, 99, 1)),
    "6 for 16": (Write(address=100, values=(1,)), struct.pack(">BHH", 6, 100, 1)),
    "16 for 6": (Write(address=100, values=(1,), function=6), struct.pack(">BHH", 16, 100, 1)),
}


@pytest.mark.parametrize("name", WRONG_ECHO)
async def test_the_echo_of_a_write_that_differs_is_an_error(device: Device, dial: Dial, name: str) -> None:
    op, pdu = WRONG_ECHO[name]
    bus = await dial()
    device.act = frame_of(lambda asked: framed(asked.tid, asked.unit, pdu))
    with pytest.raises(BusFrameError):
        await bus.request(1, op, permit=any_write)
    assert len(device.asked) == 1, "a write is not tried again"
    await comes_back(bus, device)


@pytest.mark.parametrize("code", [1, 2, 3, 4, 6, 0x0A, 0x0B])
@pytest.mark.parametrize(
    "op",
    [read(), read(function=4), Write(address=40000, values=(1, 2)), Write(address=40000, values=(1,), function=6)],
)
async def test_an_exception_is_the_devices_no_and_keeps_the_connection(
    device: Device, dial: Dial, code: int, op: Read | Write
) -> None:
    bus = await dial()
    device.act = frame_of(lambda asked: framed(asked.tid, asked.unit, bytes((asked.function | 0x80, code))))
    with pytest.raises(DeviceRefused) as caught:
        await bus.request(1, op, permit=any_write)
    count = op.count if isinstance(op, Read) else len(op.values)
    refused = caught.value
    assert (refused.code, refused.function, refused.address, refused.count) == (code, op.function, 40000, count)
    device.act = obey
    assert list(await bus.request(1, read())) == held(read())
    assert len(device.connects) == 1


# -- late, split, merged --------------------------------------------------------------------------------------------


async def test_a_late_answer_is_never_taken_for_another_requests(device: Device, dial: Dial) -> None:
    """Every answer carries the number of its request; every third comes too late, in the time of the next."""
    loop = asyncio.get_running_loop()
    kept: list[bytes] = []

    def canary(asked: Asked) -> None:
        content = framed(asked.tid, asked.unit, struct.pack(">BB2H", 3, 4, asked.address, asked.n))
        if asked.n % 3 == 0:
            kept.append(content)
            return
        if kept:
            asked.send(kept.pop())
            loop.call_later(0.004, asked.send, content)
        else:
            asked.send(content)

    bus = await dial(timeout_s=0.1)
    device.act = canary
    good = late = 0
    for n in range(100):
        try:
            address, number = await bus.request(1 + n % 3, read(n, 2))
        except BusTimeout:
            late += 1
            continue
        assert (address, number) == (n, device.asked[-1].n), "an answer of another request"
        good += 1
    assert good >= 20
    assert late >= 33
    assert bus.counters.frame_errors == 0
    assert len(device.connects) == 1


STRAY: dict[str, tuple[Callable[[Asked], bytes], str]] = {
    "a transaction of its own": (
        lambda a: framed(60000, a.unit, a.right),
        "under another transaction id \\(60000 for ",
    ),
    "a unit of its own": (lambda a: framed(a.tid, 0, a.right), "as unit 0's, not unit 5's"),
}
"""evcc-io/evcc#21026 and #25307: gateways that answer at once, and are thrown away."""


@pytest.mark.parametrize("name", STRAY)
async def test_an_answer_that_is_thrown_away_is_told_instead_of_silence(
    device: Device, dial: Dial, name: str
) -> None:
    make, says = STRAY[name]
    bus = await dial()
    device.act = frame_of(make)
    with pytest.raises(BusTimeout, match=says):
        await bus.request(5, read())
    device.act = silence
    with pytest.raises(BusTimeout) as caught:
        await bus.request(6, read())
    assert "but" not in str(caught.value), "another unit's answers are its own business"
    device.act = obey
    await bus.request(6, read())
    assert bus.line.wire.stray(5)
    await comes_back(bus, device, unit=5)
    assert not bus.line.wire.stray(5)


async def test_a_gateway_whose_number_is_always_the_same_is_not_called_late(device: Device, dial: Dial) -> None:
    """evcc-io/evcc#21026: always 1, which the first request has too."""
    bus = await dial()
    device.act = frame_of(lambda asked: framed(1, asked.unit, asked.right))
    await bus.request(5, read())
    for number in (2, 3):
        with pytest.raises(BusTimeout, match=f"transaction id .1 for {number}.: what .* header: ignore_transaction"):
            await bus.request(5, read())


async def test_a_device_that_is_always_late_is_told_to_be_late(device: Device, dial: Dial) -> None:
    """wlcrs/tmodbus#88: a late answer and a dead device look the same."""
    loop = asyncio.get_running_loop()
    bus = await dial(timeout_s=0.2)
    await bus.request(1, read())
    device.act = lambda asked: loop.call_later(0.3, asked.send, asked.frame)
    with pytest.raises(BusTimeout, match=r"within 0\.2 s$"):
        await bus.request(5, read())
    with pytest.raises(BusTimeout, match=r"but answers arrive late, after 0\.[34] s: raise timeout_s to 1$"):
        await bus.request(5, read())
    with pytest.raises(BusTimeout, match=r"asked again in .* but answers arrive late"):
        await bus.request(5, read())


NUMBERS: dict[str, Callable[[Asked], int]] = {
    "the next": lambda a: a.tid + 1,
    "the one before": lambda a: a.tid - 1,
    "always 1": lambda a: 1,
    "always 0": lambda a: 0,
    "bytes swapped": lambda a: a.tid >> 8 | (a.tid & 255) << 8,
}


@pytest.mark.parametrize("name", NUMBERS)
async def test_a_gateway_that_does_not_repeat_the_number_is_read_and_written_by_order(
    device: Device, dial: Dial, name: str
) -> None:
    bus = await dial(header=Header.IGNORE_TRANSACTION)
    device.act = frame_of(lambda asked: framed(NUMBERS[name](asked), asked.unit, asked.right))
    for n in range(20):
        assert list(await bus.request(5, read(40000 + n, 1 + n))) == held(read(40000 + n, 1 + n))
    assert await bus.request(5, Write(address=40232, values=(505, 0)), permit=any_write) == ()
    device.act = frame_of(lambda asked: framed(NUMBERS[name](asked), asked.unit, b"\x83\x02"))
    with pytest.raises(DeviceRefused):
        await bus.request(5, read())
    assert (len(device.connects), bus.counters.frame_errors) == (1, 0)


@pytest.mark.parametrize("unit", [0, 255, 6])
async def test_a_gateway_that_answers_as_another_unit_is_read_by_its_number(
    device: Device, dial: Dial, unit: int
) -> None:
    bus = await dial(header=Header.IGNORE_UNIT)
    device.act = frame_of(lambda asked: framed(asked.tid, unit, asked.right))
    assert list(await bus.request(5, read())) == held(read())
    assert await bus.request(5, Write(address=40232, values=(505,), function=6), permit=any_write) == ()


@pytest.mark.parametrize("way", ["on its own connection", "on the next one", "in the time of the next request"])
async def test_without_numbers_a_late_answer_is_never_taken_for_another_requests(
    device: Device, dial: Dial, way: str
) -> None:
    """Every answer carries the number of its request; every fourth comes after the deadline."""
    kept: list[bytes] = []

    def canary(asked: Asked) -> None:
        content = framed(1, asked.unit, struct.pack(">BB2H", 3, 4, 100, asked.n))
        if asked.n % 4 == 0:
            kept.append(content)
            if way == "on its own connection":
                asyncio.get_running_loop().call_later(0.25, asked.send, content)
        elif kept and way == "in the time of the next request":
            asked.send(kept.pop() + content)
        else:
            asked.send(content)

    def greet(transport: asyncio.Transport) -> None:
        if kept and way == "on the next one":
            asyncio.get_running_loop().call_later(0.05, transport.write, kept.pop())

    device.act, device.on_connect = canary, greet
    bus = await dial(header=Header.IGNORE_TRANSACTION, timeout_s=0.2, drain_s=0.2)
    good = 0
    while good < 20:
        try:
            _, number = await bus.request(5, read(100, 2))
        except BusError:
            await asyncio.wait_for(bus.line.wait_connected(), PATIENCE_S)
            continue
        if way != "in the time of the next request":  # a gateway that answers twice on one connection has no cure
            assert number == device.asked[-1].n, "an answer of another request"
        good += 1
    assert bus.counters.timeouts >= 4


@pytest.mark.parametrize("spoil", ["another function", "another count", "another echo"])
async def test_without_numbers_what_does_not_fit_its_request_is_no_answer(
    device: Device, dial: Dial, spoil: str
) -> None:
    bus = await dial(header=Header.IGNORE_TRANSACTION)
    op: Read | Write = Write(address=100, values=(1, 2)) if spoil == "another echo" else read()
    pdu = {
        "another function": b"\x04\x08" + bytes(8),
        "another count": b"\x03\x06" + bytes(6),
        "another echo": struct.pack(">BHH", 16, 101, 2),
    }[spoil]
    device.act = frame_of(lambda asked: framed(1, asked.unit, pdu))
    with pytest.raises(BusFrameError):
        await bus.request(5, op, permit=any_write)
    assert not bus.line.connected
    await comes_back(bus, device)


async def test_an_answer_may_be_split_at_every_byte(device: Device, dial: Dial) -> None:
    bus = await dial(timeout_s=PATIENCE_S)
    op = read(40000, 3)
    size = len(framed(1, 1, b"\x03\x06" + bytes(6)))
    for at in range(1, size):

        def split(asked: Asked, at: int = at) -> None:
            asked.send_in_parts([asked.frame[:at], asked.frame[at:]], 0.004)

        device.act = split
        assert list(await bus.request(1, op, permit=any_write)) == held(op)
    assert (bus.counters.timeouts, len(device.connects)) == (0, 1)


async def test_an_answer_may_come_one_byte_at_a_time(device: Device, dial: Dial) -> None:
    bus = await dial(timeout_s=PATIENCE_S)

    def drip(asked: Asked) -> None:
        asked.send_in_parts([bytes((byte,)) for byte in asked.frame], 0.002)

    device.act = drip
    assert list(await bus.request(1, read())) == held(read())


async def test_a_late_answer_merged_with_the_right_one_does_no_harm(device: Device, dial: Dial) -> None:
    bus = await dial()
    kept: list[bytes] = []

    def merge(asked: Asked) -> None:
        kept.append(asked.frame)
        if len(kept) == 2:
            asked.send(b"".join(kept))

    device.act = merge
    with pytest.raises(BusTimeout):
        await bus.request(1, read(100, 2))
    assert list(await bus.request(1, read(200, 2))) == [200, 201]
    device.act = obey
    assert list(await bus.request(1, read(300, 2))) == [300, 301]
    assert len(device.connects) == 1


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    count=st.integers(1, 125),
    cuts=st.lists(st.integers(1, 400), max_size=8),
    stale=st.lists(st.tuples(st.integers(1, 60000), st.integers(1, 20)), max_size=2),
)
async def test_any_chunking_of_valid_frames_gives_the_same_registers(
    device: Device, dial: Dial, count: int, cuts: list[int], stale: list[tuple[int, int]]
) -> None:
    """stale: answers to requests of long ago, in front."""

    def chunked(asked: Asked) -> None:
        content = b"".join(
            framed(asked.tid + offset & 0xFFFF or 1, asked.unit, struct.pack(f">BB{n}H", 3, 2 * n, *[0xDEAD] * n))
            for offset, n in stale
        )
        content += asked.frame
        points = [0, *sorted({cut for cut in cuts if cut < len(content)}), len(content)]
        asked.send_in_parts([content[start:end] for start, end in pairwise(points)], 0.001)

    bus = await dial(timeout_s=PATIENCE_S) if not device.connects else BUSES[device.port]
    BUSES[device.port] = bus
    device.act = chunked
    op = read(1000, count)
    assert list(await bus.request(1, op, permit=any_write)) == held(op)


BUSES: dict[int, Bus] = {}
"""Hypothesis runs its examples inside one test: they share one connection."""


# -- what is no answer at all ---------------------------------------------------------------------------------------


NOISE = bytes((i * 37 + 11) & 0xFF for i in range(200))
GARBAGE: dict[str, Callable[[Asked], bytes]] = {
    "noise": lambda a: NOISE[:40],
    "text": lambda a: b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "oversize": lambda a: NOISE * 50,
    "a non-zero protocol id": lambda a: framed(a.tid, a.unit, a.right, protocol=1),
    "a length that is too long": lambda a: framed(a.tid, a.unit, a.right, lie=40),
    "a length that is too short": lambda a: framed(a.tid, a.unit, a.right, lie=-3),
    "a length of nothing": lambda a: HEADER.pack(a.tid, 0, 0, a.unit) + a.right,
    "a length of 65535": lambda a: HEADER.pack(a.tid, 0, 0xFFFF, a.unit) + a.right,
    "a byte count that lies": lambda a: framed(a.tid, a.unit, bytes((3, 200)) + bytes(8)),
    "an odd byte count": lambda a: framed(a.tid, a.unit, bytes((3, 7)) + bytes(7)),
    "an unknown function": lambda a: framed(a.tid, a.unit, b"\x2b\x0e\x01\x01"),
    "an exception without a code": lambda a: framed(a.tid, a.unit, b"\x83"),
    "a frame without a function": lambda a: framed(a.tid, a.unit, b""),
    "an answer and noise": lambda a: framed(a.tid, a.unit, b"\x2b") + NOISE[:30],
    "half of an answer": lambda a: a.frame[:9],
}


@pytest.mark.usefixtures("quiet_loop")
@pytest.mark.parametrize("name", GARBAGE)
async def test_garbage_is_no_answer_and_the_connection_comes_back(device: Device, dial: Dial, name: str) -> None:
    bus = await dial(timeout_s=0.15)
    device.act = frame_of(GARBAGE[name])
    for _ in range(3):
        with pytest.raises((BusTimeout, BusClosed, BusFrameError)):
            await bus.request(1, read())
        if not bus.line.connected:
            break
        await asyncio.sleep(0.16)
    assert not bus.line.connected, "the connection was kept"
    await comes_back(bus, device)
    assert len(device.connects) == 2


@pytest.mark.usefixtures("quiet_loop")
async def test_a_device_that_never_stops_talking_does_not_fill_the_memory(device: Device, dial: Dial) -> None:
    bus = await dial(timeout_s=0.3)
    wire = bus.line.wire
    assert isinstance(wire, PymodbusTcp)
    sent = 0
    longest = 0

    def flood(asked: Asked) -> None:
        nonlocal sent
        for _ in range(200):
            asked.send(HEADER.pack(asked.tid, 1, 250, asked.unit) + NOISE)
            sent += 207

    device.act = flood
    for _ in range(6):
        try:
            await bus.request(1, read())
        except DerctlError:
            pass
        if wire._client is not None:
            longest = max(longest, len(wire._client.ctx.recv_buffer))
    assert sent >= 40_000
    assert longest <= 2048


# -- how connections end --------------------------------------------------------------------------------------------


def half_close(asked: Asked) -> None:
    asked.send(asked.frame[:9])
    asked.transport.write_eof()


def close(asked: Asked) -> None:
    asked.transport.close()


@pytest.mark.parametrize("how", [Asked.reset, close, half_close])
async def test_a_connection_that_ends_is_told_at_once_and_not_at_the_deadline(
    device: Device, dial: Dial, how: Callable[[Asked], None]
) -> None:
    bus = await dial(timeout_s=PATIENCE_S)
    device.act = how
    results = await asyncio.gather(*(bus.request(unit, read()) for unit in (1, 2, 3)), return_exceptions=True)
    assert [type(result) for result in results] == [BusClosed] * 3, "BusTimeout at the deadline"
    assert len(device.asked) == 1
    await comes_back(bus, device)


async def test_a_connection_that_ends_while_nobody_asks_is_noticed_and_made_anew(
    device: Device, dial: Dial, until: Any
) -> None:
    bus = await dial()
    await bus.request(1, read())
    next(iter(device.open)).abort()
    await until(lambda: not bus.line.connected)
    async with asyncio.timeout(PATIENCE_S):
        await bus.line.wait_connected()
    assert list(await bus.request(1, read())) == held(read())
    assert bus.line.generation == 2


@pytest.mark.parametrize("end", [asyncio.Transport.close, None])
@pytest.mark.parametrize("delay_s", [0.0, 0.01])
async def test_a_device_that_closes_after_each_answer_is_read_and_written(
    device: Device, dial: Dial, end: Callable[[asyncio.Transport], None] | None, delay_s: float
) -> None:
    """By FIN and by RST, at once and a little later: in the time of the next request."""
    loop = asyncio.get_running_loop()

    def answer_and_close(asked: Asked) -> None:
        asked.send(asked.frame)
        loop.call_later(delay_s, ending, asked)

    def ending(asked: Asked) -> None:
        if asked.transport.is_closing():  # by an answer before
            return
        if end is None:
            asked.reset()
        else:
            asked.transport.close()

    device.act = answer_and_close
    bus = await dial()
    while not bus.line.closing.habit:
        try:
            await bus.request(1, read())
        except BusClosed:
            await asyncio.wait_for(bus.line.wait_connected(), PATIENCE_S)
    before = bus.line.generation
    for n in range(40):
        assert list(await bus.request(1, read(40000 + n))) == held(read(40000 + n))
        if n % 8 == 0:
            assert await bus.request(1, Write(address=40232, values=(n,)), permit=any_write) == ()
    assert bus.line.generation == before
    assert bus.line.connected


async def test_a_device_that_accepts_and_stays_silent_is_given_up(device: Device, dial: Dial) -> None:
    device.act = silence
    bus = await dial(timeout_s=0.1)
    while bus.line.generation == 1:
        with pytest.raises(BusTimeout):
            await bus.request(1, read())
        await asyncio.sleep(0.02)
    assert len(device.asked) == 3, "GIVE_UP_AFTER"
    await comes_back(bus, device)


async def test_a_refused_connection_is_tried_again_at_most_once_a_second(
    device: Device, dial: Dial, until: Any
) -> None:
    device.refuse()
    began = asyncio.get_running_loop().time()
    bus = await dial(connected=False, gap_s=1.0)
    with pytest.raises(BusClosed):
        await bus.request(1, read())
    await until(lambda: bus.line.connects == 3)
    assert asyncio.get_running_loop().time() - began >= 2.0
    await device.listen()
    await comes_back(bus, device)


async def test_an_address_that_swallows_packets_is_given_up_in_time() -> None:
    """A listener whose backlog is full drops further SYNs: the nearest thing to a blackhole on loopback."""
    full = socket.socket()
    full.bind(("127.0.0.1", 0))
    full.listen(0)
    fillers = []
    for _ in range(4):
        filler = socket.socket()
        filler.setblocking(False)
        filler.connect_ex(full.getsockname())
        fillers.append(filler)
    await asyncio.sleep(0.1)
    wire = PymodbusTcp("127.0.0.1", full.getsockname()[1], connect_timeout_s=0.4)
    began = asyncio.get_running_loop().time()
    try:
        with pytest.raises(BusClosed, match=r"no answer within 0\.4 s$") as caught:
            async with asyncio.timeout(PATIENCE_S):  # the kernel itself gives up after two minutes
                await wire.connect(lambda error: None)
        assert "in this network?" in caught.value.hint
        assert asyncio.get_running_loop().time() - began > 0.3
        assert not wire.connected
    finally:
        wire.close()
        for each in (*fillers, full):
            each.close()


async def test_a_closed_wire_says_so_and_can_be_closed_again(device: Device, until: Any) -> None:
    wire = PymodbusTcp("127.0.0.1", device.port)
    lost: list[BusClosed] = []
    with pytest.raises(BusClosed):
        await wire.request(1, read())
    await wire.connect(lost.append)
    waiting = asyncio.create_task(wire.request(1, read()))
    device.act = silence
    await until(lambda: device.asked)
    wire.close()
    wire.close()
    with pytest.raises(BusClosed):
        async with asyncio.timeout(PATIENCE_S):
            await waiting
    assert not lost, "on_lost is for what the peer does"


async def why(host: str, port: int, **given: Any) -> BusClosed:
    """What connecting there raises."""
    wire = PymodbusTcp(host, port, **given)
    with pytest.raises(BusClosed) as caught:
        await wire.connect(lambda error: None)
    with pytest.raises(BusClosed):
        await wire.request(1, read())
    return caught.value


async def test_a_connection_that_fails_says_where_and_the_systems_reason(device: Device) -> None:
    device.refuse()
    refused = await why("127.0.0.1", device.port)
    assert str(refused) == f"127.0.0.1:{device.port}: connection refused"
    assert refused.hint == "is Modbus TCP enabled in the inverter?"
    unknown = await why("no-such-host.invalid", 502)
    assert re.match(r"no-such-host.invalid:502: (no such host|host not found: .+)$", str(unknown))
    for typed in ("inverter..local", "i" * 64, ".lan"):  # no name server can be asked for them
        assert str(await why(typed, 502)) == f"{typed}:502: no such host"
    assert (
        str(await why("::1", device.port))
        == f"[::1]:{device.port}: {os.strerror(await errno_of('::1', device.port)).lower()}"
    )
    assert str(await why("255.255.255.255", 502)).startswith("255.255.255.255:502: ")


async def errno_of(host: str, port: int) -> int:
    """The system's number, by a plain socket."""
    with socket.socket(socket.AF_INET6) as plain:
        return plain.connect_ex((host, port))


async def test_of_several_addresses_that_fail_the_first_reason_is_told() -> None:
    """asyncio joins them into one text without a number (base_events.create_connection)."""
    both = OSError("Multiple exceptions: [Errno 113] Connect call failed ('::1', 5), [Errno 111] Connect call failed")
    assert (number_of(both), reason(both, number_of(both))) == (errno.EHOSTUNREACH, "no route to host")


@pytest.mark.parametrize(
    ("how", "says"), [(Asked.reset, "connection reset by peer"), (close, "closed by the device")]
)
async def test_a_connection_that_ends_says_how(
    device: Device, dial: Dial, how: Callable[[Asked], None], says: str
) -> None:
    bus = await dial(gap_s=5.0)
    device.act = how
    for _ in range(2):  # the request that it ended, and one that finds it ended
        with pytest.raises(BusClosed) as caught:
            await bus.request(1, read())
        assert str(caught.value) == f"127.0.0.1:{device.port}: {says}"
        assert "one client" in caught.value.hint
    assert str(bus.line.closed()) == f"127.0.0.1:{device.port}: {says}"


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def test_a_reset_right_after_connecting_is_told_in_one_of_two_ways() -> None:
    """The peer's thread resets each connection at once: connect raises BusClosed, or on_lost is called."""
    listener = socket.create_server(("127.0.0.1", 0))

    def reset_all() -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            peer.close()

    thread = threading.Thread(target=reset_all)
    thread.start()
    try:
        for _ in range(200):
            wire = PymodbusTcp("127.0.0.1", listener.getsockname()[1])
            lost = asyncio.Event()

            def on_lost(error: BusError, lost: asyncio.Event = lost) -> None:
                lost.set()

            try:
                await wire.connect(on_lost)
            except BusClosed:
                continue
            async with asyncio.timeout(PATIENCE_S):
                await lost.wait()
            assert not wire.connected
            wire.close()
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


@pytest.mark.usefixtures("quiet_loop")
async def test_three_hundred_reconnects_leave_no_file_open(device: Device, dial: Dial) -> None:
    """Resets on accept, in the middle of an answer, after it; the gap between connects is taken out."""

    def reset_at_once(transport: asyncio.Transport) -> None:
        if len(device.connects) % 3 == 0:
            linger = struct.pack("ii", 1, 0)
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            transport.abort()

    def answer_and_reset(asked: Asked) -> None:
        asked.send(asked.frame[: 9 if asked.n % 2 else None])
        asyncio.get_running_loop().call_soon(asked.reset)

    device.on_connect, device.act = reset_at_once, answer_and_reset
    bus = await dial(gap_s=0.0, timeout_s=0.5, connected=False)
    counts: list[int] = []
    async with asyncio.timeout(3 * PATIENCE_S):
        while len(device.connects) < 330:
            try:
                await bus.request(1, read())
            except DerctlError:
                await asyncio.sleep(0.001)
            if len(device.connects) >= 30:
                counts.append(open_files())
    assert max(counts) - min(counts) <= 4
    device.on_connect = lambda transport: None
    await comes_back(bus, device)
    assert len(device.open) == 1
