"""A wire that derctl doesn't have, added as the design says: one file (here this one), one section, one row.

It speaks serial frames (Modbus over Serial Line V1.02, 2.5.1) over a loopback socket, so that no port is needed.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field

import msgspec
import pytest
from msgspec import UNSET, UnsetType
from pymodbus import FramerType
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.client.base import ModbusBaseClient

from derctl.cli.look import endpoint
from derctl.core.exchange import Read, Write
from derctl.core.transaction import Serial
from derctl.daemon.build import build as build_plant
from derctl.errors import BusClosed, BusFrameError, BusTimeout, ConfigError, DeviceRefused
from derctl.links.bus import Bus
from derctl.links.wires.connection import Connection
from derctl.site import WIRES, BusSection, SiteFile, build
from derctl.site.lines import parse
from derctl.site.wires import WireKind
from tests.bus import any_write


class PipeStub(Connection):
    """The file in links/wires."""

    def __init__(self, line: str, connect_timeout_s: float) -> None:
        super().__init__(line, connect_timeout_s)
        self.port = int(line.removeprefix("/dev/pts/"))

    def client(self) -> ModbusBaseClient:
        return AsyncModbusTcpClient("127.0.0.1", port=self.port, framer=FramerType.RTU, retries=0, reconnect_delay=0)

    def tune(self, transport: asyncio.BaseTransport) -> None:
        return


class PipeSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The section in the schema."""

    line: str

    @property
    def serial(self) -> Serial | None:
        return None

    @property
    def endpoint(self) -> tuple[object, ...]:
        return "pipe", self.line

    @property
    def name(self) -> str:
        return self.line

    @classmethod
    def of(cls, word: str) -> PipeSection | None:
        return cls(line=word) if word.startswith("/dev/") else None


class WithPipe(BusSection, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pipe: PipeSection | UnsetType = UNSET


class SiteWithPipe(SiteFile, frozen=True, kw_only=True, forbid_unknown_fields=True):
    buses: list[WithPipe]


@pytest.fixture(autouse=True)
def pipe_row(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The order is part of the catalogue, so it is put back as it was."""
    others = dict(WIRES)
    pipe = WireKind(open=lambda section, seconds: PipeStub(section.line, seconds), of=PipeSection.of)
    WIRES.clear()
    WIRES.update({"pipe": pipe, **others})
    monkeypatch.setattr("derctl.site.site.SiteFile", SiteWithPipe)
    yield
    WIRES.clear()
    WIRES.update(others)


def crc(frame: bytes) -> bytes:
    """Modbus over Serial Line V1.02, 6.2.2."""
    value = 0xFFFF
    for byte in frame:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0xA001 if value & 1 else 0)
    return struct.pack("<H", value)


@dataclass
class Line:
    """Devices on a serial line: unit 5 holds its address in each register, unit 6 refuses, unit 7 is silent.

    spoil: what becomes of each answer's bytes.
    """

    asked: list[bytes] = field(default_factory=list)
    spoil: Callable[[bytes], bytes] = bytes
    server: asyncio.Server | None = None
    ends: list[asyncio.StreamWriter] = field(default_factory=list)

    @property
    def name(self) -> str:
        assert self.server is not None
        return f"/dev/pts/{self.server.sockets[0].getsockname()[1]}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.ends.append(writer)
        while request := await reader.read(256):
            assert request[-2:] == crc(request[:-2])
            self.asked.append(request[:-2])
            unit, function, address, count = struct.unpack_from(">BBHH", request)
            answer = bytes((unit, function | 0x80, 2))
            if unit == 5 and function == 3:
                answer = struct.pack(f">BBB{count}H", unit, 3, 2 * count, *range(address, address + count))
            elif unit == 5:
                answer = request[:6]
            if unit != 7:
                writer.write(self.spoil(answer + crc(answer)))


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    made = Line()
    made.server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    yield made
    made.server.close()
    for writer in made.ends:
        writer.close()
    await asyncio.gather(*(writer.wait_closed() for writer in made.ends), return_exceptions=True)


def site_text(*buses: str) -> str:
    rows = "\n".join(f"  - {{id: b{i}, timeout_s: 0.3, {bus}}}" for i, bus in enumerate(buses))
    return f"""\
version: 1
site: {{id: house, v_nom_v: 230, f_nom_hz: 50}}
buses:
{rows}
ders:
  - {{id: pv1, bus: b0, unit: 5, kind: sunspec_pv}}
"""


@pytest.fixture
async def bus(line: Line) -> AsyncIterator[Bus]:
    """The bus that the daemon builds for a site file with a serial line."""
    site = build(parse(site_text(f"pipe: {{line: {line.name}}}"), "site.yaml"))
    made = build_plant(site, lambda event, who, text: None).buses["b0"]
    running = asyncio.create_task(made.line.run())
    async with asyncio.timeout(5.0):
        await made.line.wait_connected()
    yield made
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_bus_of_the_site_file_speaks_through_the_added_wire(bus: Bus, line: Line) -> None:
    assert list(await bus.request(5, Read(address=40000, count=3))) == [40000, 40001, 40002]
    assert await bus.request(5, Write(address=40232, values=(505, 0)), permit=any_write) == ()
    assert await bus.request(5, Write(address=40232, values=(505,), function=6), permit=any_write) == ()
    assert line.asked == [
        struct.pack(">BBHH", 5, 3, 40000, 3),
        struct.pack(">BBHHB2H", 5, 16, 40232, 2, 4, 505, 0),
        struct.pack(">BBHH", 5, 6, 40232, 505),
    ]


async def test_what_a_device_says_and_does_not_say_is_told_the_same_way(bus: Bus, line: Line) -> None:
    with pytest.raises(DeviceRefused) as refused:
        await bus.request(6, Read(address=1, count=1))
    assert refused.value.code == 2
    for _ in range(2):
        with pytest.raises(BusTimeout):
            await bus.request(7, Read(address=1, count=1))
    with pytest.raises(BusTimeout) as silent:
        await bus.request(7, Read(address=1, count=1))
    assert silent.value.hint == f"is the unit id right? derctl scan {line.name} -u 7"


async def test_the_checks_that_pymodbus_leaves_out_hold_on_the_added_wire(bus: Bus, line: Line) -> None:
    line.spoil = lambda frame: (short := frame[:2] + b"\x02" + frame[3:5]) + crc(short)
    with pytest.raises(BusFrameError, match="1 registers for 2"):
        await bus.request(5, Read(address=1, count=2))


def problems(*buses: str) -> list[tuple[str, str]]:
    with pytest.raises(ConfigError) as caught:
        build(parse(site_text(*buses), "site.yaml"))
    return [(problem.path, problem.message) for problem in caught.value.problems]


def test_a_bus_has_one_wire() -> None:
    assert problems("pipe: {line: /dev/pts/1}, tcp: {host: a}") == [("buses[0]", "give one of pipe, tcp")]
    assert problems("backoff_s: 5") == [("buses[0]", f"{' or '.join(WIRES)} is missing")]


def test_a_wire_without_numbers_has_no_header() -> None:
    told = [("buses[0].header", "pipe has no such header: take this line out")]
    assert problems("pipe: {line: /dev/pts/1}, header: ignore_unit") == told


def test_two_buses_on_one_line_are_one_bus() -> None:
    assert problems("pipe: {line: /dev/pts/1}", "tcp: {host: a}", "pipe: {line: /dev/pts/1}") == [
        ("buses[2].pipe", "same endpoint as bus 'b0': use one bus")
    ]


async def test_a_word_of_the_command_line_finds_its_wire(line: Line) -> None:
    place = endpoint(line.name)
    assert (place.key, place.name) == ("pipe", line.name)
    wire = place.open()
    await wire.connect(lambda error: None)
    assert list(await wire.request(5, Read(address=7, count=1))) == [7]
    wire.close()
    with pytest.raises(BusClosed):
        await wire.request(5, Read(address=7, count=1))
