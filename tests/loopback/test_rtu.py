"""RTU over a serial line that is a pair of pseudo-terminals, and over TCP: hil's, whose bytes take their time."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import termios
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from derctl.core.exchange import Read, Registers, Write
from derctl.errors import BusBroken, BusClosed, BusError, BusTimeout, DeviceRefused
from derctl.links.bus import Bus
from derctl.links.line import Line, Pace, UnitPace
from derctl.links.wires.rtu import PymodbusRtu
from derctl.links.wires.rtu_over_tcp import PymodbusRtuOverTcp
from derctl.links.wires.wire import Wire
from hil.faults import FaultBoard
from hil.rig import Rig
from hil.scenario import parse
from hil.serial_line import SerialLine
from tests.bus import any_write
from tests.loopback.conftest import PATIENCE_S, until

READ = Read(address=40000, count=50)
MARK = 40010
"""A register in which each answer carries its own number (hil's fault `canary`)."""
DARK_S = 0.5
UNHURRIED = {unit: UnitPace(floor_s=PATIENCE_S) for unit in (1, 2)}
"""Right answers keep their deadline on a busy machine, too."""


def device(name: str, unit: int, **more: Any) -> dict[str, Any]:
    habits = {"latency_s": [0.002, 0.002]} | more.pop("habits", {})
    return {"id": name, "face": "pv_1xx", "endpoint": "line", "unit": unit, "habits": habits} | more


@dataclass
class House:
    """Two inverters on one line, and the bus that asks them."""

    rig: Rig
    faults: FaultBoard
    bus: Bus
    wire: Wire

    @property
    def line(self) -> SerialLine:
        line = self.rig.endpoints["line"]
        assert isinstance(line, SerialLine)
        return line

    def limit(self, function: int = 6) -> Write:
        """A write of the first inverter's WMaxLimPct."""
        bank = self.rig.units["pv1"].face.bank
        image = bank.image(123)
        return Write(address=bank.start[id(image)] + image.slots["WMaxLimPct"].at, values=(50,), function=function)

    async def read(self, unit: int = 1, op: Read = READ) -> Registers:
        return await self.bus.request(unit, op)

    async def marked(self, unit: int = 1) -> tuple[int, int] | None:
        """The number that an answer carries, and the least that it may; None: no answer."""
        asked = len(self.rig.units[f"pv{unit}"].canaries)
        with contextlib.suppress(BusError):
            return (await self.read(unit))[MARK - READ.address], asked + 1
        return None


MakeHouse = Callable[..., Awaitable[House]]


@pytest.fixture
async def make_house() -> AsyncIterator[MakeHouse]:
    made: list[tuple[Rig, asyncio.Task[None]]] = []

    async def make(baud: int = 19200, *, over_tcp: bool = False, **pace: Any) -> House:
        kind = {"rtu_over_tcp": ["line"]} if over_tcp else {"serial": {"line": {"baud": baud}}}
        plant = {"loads": {"house": {"node": "poc", "p_w": 1000}}}
        rig = Rig(parse({"name": "t", "plant": plant, "devices": [device("pv1", 1), device("pv2", 2)], **kind}))
        await rig.start()
        place = rig.ports()["line"]
        wire: Wire = PymodbusRtuOverTcp("127.0.0.1", place) if over_tcp else PymodbusRtu(place, baud)
        given: dict[str, Any] = {"timeout_s": 5.0, "drain_s": 1.0, "units": UNHURRIED} | pace
        bus = Bus(Line("rs485", wire, Pace(**given)))
        made.append((rig, asyncio.create_task(bus.line.run())))
        async with asyncio.timeout(PATIENCE_S):
            await bus.line.wait_connected()
        return House(rig=rig, faults=FaultBoard(rig), bus=bus, wire=wire)

    yield make
    for rig, running in made:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await rig.stop()


@pytest.mark.parametrize("baud", [9600, 19200, 115200])
async def test_units_of_one_line_are_read_and_written_with_the_silence_between_frames(
    make_house: MakeHouse, baud: int
) -> None:
    house = await make_house(baud)
    for unit in (1, 2, 1):
        assert list((await house.read(unit))[:2]) == [0x5375, 0x6E53]
    assert await house.bus.request(1, house.limit(), permit=any_write) == ()
    assert await house.bus.request(1, house.limit(function=16), permit=any_write) == ()
    assert house.line.crowded == house.line.collisions == house.line.misheard == 0


@pytest.mark.parametrize("over_tcp", [False, True])
async def test_a_refusal_is_the_devices_own(make_house: MakeHouse, over_tcp: bool) -> None:
    house = await make_house(over_tcp=over_tcp)
    with pytest.raises(DeviceRefused) as refused:
        await house.read(op=Read(address=1, count=1))
    assert refused.value.code == 2
    assert len(await house.read()) == READ.count


@pytest.mark.parametrize("over_tcp", [False, True])
async def test_a_late_answer_is_never_taken_for_the_next_ones(make_house: MakeHouse, over_tcp: bool) -> None:
    """Each answer carries its own number: one that was asked for before has a smaller one."""
    house = await make_house(over_tcp=over_tcp, timeout_s=DARK_S, drain_s=DARK_S)
    await house.faults.start("canary", "pv1", address=MARK)
    await house.read()
    await house.faults.start("late_answer", "pv1", every=2, delay_s=1.5 * DARK_S)
    taken = []
    for _ in range(40):
        await asyncio.sleep(0.05)
        if (found := await house.marked()) is not None:
            taken.append(found)
    assert all(number >= least for number, least in taken), taken
    assert taken and house.wire.tally.late > 0


async def test_an_answer_that_a_gateway_hands_on_long_after_later_ones_is_not_taken_either(
    make_house: MakeHouse,
) -> None:
    """It comes while its like is in flight: then two answers come, and none of them is taken."""
    house = await make_house(over_tcp=True, timeout_s=DARK_S, drain_s=0.1)
    await house.faults.start("canary", "pv1", address=MARK)
    await house.faults.start("late_answer", "pv1", first=1, delay_s=2.5 * DARK_S)
    assert await house.marked() is None
    await house.faults.start("latency", "pv1", seconds=0.25 * DARK_S)
    taken = []
    until_s = asyncio.get_running_loop().time() + 3.0 * DARK_S
    while asyncio.get_running_loop().time() < until_s:
        if (found := await house.marked()) is not None:
            taken.append(found)
        await asyncio.sleep(0.001)
    assert house.wire.tally.late > 0
    assert all(number >= least for number, least in taken), taken
    assert taken


async def test_who_is_late_for_ever_is_told_so_and_holds_up_nobody(make_house: MakeHouse) -> None:
    house = await make_house(timeout_s=DARK_S, drain_s=DARK_S)
    await house.faults.start("late_answer", "pv1", delay_s=2.5 * DARK_S)
    with pytest.raises(BusTimeout):
        await house.read(1)
    for _ in range(3):
        assert len(await house.read(2)) == READ.count
    await until(lambda: house.wire.tally.late)
    assert house.wire.stray(1).startswith("answers arrive late, after ")
    assert house.bus.line.connects == 1


async def test_a_dark_unit_does_not_open_the_line_anew(make_house: MakeHouse) -> None:
    house = await make_house(timeout_s=DARK_S, drain_s=0.0)
    for _ in range(5):
        with pytest.raises(BusTimeout):
            await house.bus.request(7, READ)
    assert len(await house.read()) == READ.count
    assert house.bus.line.connects == 1


async def test_a_read_whose_answer_is_broken_is_asked_once_more_and_a_write_is_not(make_house: MakeHouse) -> None:
    house = await make_house(timeout_s=PATIENCE_S, drain_s=PATIENCE_S)
    await house.faults.start("crc_noise", "pv1", first=1)
    assert len(await house.read()) == READ.count
    await house.faults.start("crc_noise", "pv1", first=1)
    with pytest.raises(BusBroken, match="a broken answer, 8 bytes"):
        await house.bus.request(1, house.limit(), permit=any_write)
    assert len(await house.read()) == READ.count
    assert (house.bus.counted()["frame_errors"], house.bus.line.connects) == (2, 1)


async def test_a_read_that_stays_broken_is_an_error_before_its_deadline(make_house: MakeHouse) -> None:
    house = await make_house(timeout_s=PATIENCE_S, drain_s=PATIENCE_S)
    await house.faults.start("crc_noise", "pv1", first=2)
    with pytest.raises(BusBroken, match="a broken answer, 105 bytes"):
        await house.read()
    assert len(await house.read()) == READ.count


@pytest.mark.parametrize(("fault", "more"), [("frame_gap", {"gap_s": 0.03}), ("line_noise", {"size": 4})])
async def test_a_pause_within_an_answer_and_noise_before_it_are_borne(
    make_house: MakeHouse, fault: str, more: dict[str, Any]
) -> None:
    house = await make_house()
    await house.faults.start(fault, "pv1", **more)
    for _ in range(3):
        assert len(await house.read()) == READ.count


async def test_an_adapter_that_hears_itself_is_borne_and_its_echo_is_no_answer(make_house: MakeHouse) -> None:
    """A single write is answered by a copy of itself (Modbus V1.1b3, 6.6), which is what the echo is, too."""
    house = await make_house(timeout_s=DARK_S)
    await house.faults.start("echo", "line")
    assert len(await house.read()) == READ.count
    assert await house.bus.request(1, house.limit(), permit=any_write) == ()
    await house.faults.start("blackhole", "pv1")
    with pytest.raises(BusTimeout):
        await house.bus.request(1, house.limit(), permit=any_write)


async def test_an_adapter_that_is_plugged_in_again_is_found_under_its_name(make_house: MakeHouse) -> None:
    house = await make_house()
    number = await house.faults.start("unplug", "line")
    await until(lambda: not house.bus.line.connected)
    with pytest.raises(BusClosed) as closed:
        await house.read()
    assert "no such" in str(closed.value)
    assert "/dev/serial/by-id" in closed.value.hint
    await house.faults.stop(number)
    began_s = asyncio.get_running_loop().time()
    async with asyncio.timeout(PATIENCE_S):
        await house.bus.line.wait_connected()
    assert len(await house.read()) == READ.count
    assert asyncio.get_running_loop().time() - began_s < 10.0


async def test_a_port_that_another_program_holds_is_refused_politely(make_house: MakeHouse) -> None:
    house = await make_house()
    second = PymodbusRtu(house.rig.ports()["line"], 19200)
    with pytest.raises(BusClosed) as held:
        await second.connect(lambda error: None)
    assert str(held.value) == f"{house.line.path}: device or resource busy"
    assert "derctl status" in held.value.hint
    assert len(await house.read()) == READ.count


async def test_a_port_is_locked_for_all_programs_but_a_pseudo_terminal_not_beyond_its_last_one(
    make_house: MakeHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    tiocgexcl = 0x80045440  # Linux, asm-generic/ioctls.h
    house = await make_house()

    def exclusive() -> bool:
        end = os.open(house.line.path, os.O_RDWR | os.O_NOCTTY)
        try:
            return fcntl.ioctl(end, tiocgexcl, bytes(4)) != bytes(4)
        finally:
            fcntl.ioctl(end, termios.TIOCNXCL)
            os.close(end)

    assert not exclusive()
    monkeypatch.setattr("derctl.links.wires.rtu.PSEUDO", range(0))
    house.wire.close()
    await house.wire.connect(lambda error: None)
    assert exclusive()


async def test_another_baud_rate_is_not_understood(make_house: MakeHouse) -> None:
    house = await make_house(timeout_s=DARK_S)
    house.line.baud = 9600
    with pytest.raises(BusTimeout):
        await house.read()
    assert house.line.misheard == 1


@pytest.mark.parametrize(
    ("port", "words", "hint"),
    [
        ("{dir}/none", "no such file or directory", "is the adapter plugged in?"),
        ("{dir}/file", "inappropriate ioctl for device", "this is no serial port"),
    ],
)
async def test_what_is_no_serial_port_says_what_to_look_at(tmp_path: Path, port: str, words: str, hint: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BusClosed) as closed:
        await PymodbusRtu(port.format(dir=tmp_path), 9600).connect(lambda error: None)
    assert str(closed.value).endswith(f": {words}")
    assert closed.value.hint.startswith(hint)


async def test_a_unit_that_is_slow_to_let_the_line_go_has_silence_behind_it(make_house: MakeHouse) -> None:
    house = await make_house(115200, units={1: UnitPace(turnaround_s=0.2)})
    loop = asyncio.get_running_loop()
    await house.read(1)
    began_s = loop.time()
    await house.read(2)
    assert loop.time() - began_s >= 0.2
