"""The serial bus of the bench as a raw terminal sees it: times by Modbus over serial line V1.02."""

import asyncio
import os
import termios
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from hil.faults import FaultBoard
from hil.rig import Rig
from hil.rtu import crc, on_line, requests
from hil.serial_line import SPEEDS, WAITING_MAX, SerialLine

DEVICES = tuple(
    {"id": f"pv{unit}", "face": "pv_1xx", "endpoint": "line", "unit": unit, "rating": {"p_max_w": 5000}}
    for unit in (1, 2)
)
READ_50 = bytes.fromhex("9c400032")
PATIENCE_S = 20.0

MakeRig = Callable[..., Awaitable[Rig]]


async def until(true: Callable[[], Any]) -> None:
    """Wait for what the line does."""
    until_s = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < until_s
        await asyncio.sleep(0.001)


class Terminal:
    """A client that hides nothing."""

    def __init__(self, path: Path, baud: int = 19200) -> None:
        self.fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        settings = termios.tcgetattr(self.fd)
        settings[4] = settings[5] = SPEEDS[baud]
        termios.tcsetattr(self.fd, termios.TCSANOW, settings)
        self.got = bytearray()
        asyncio.get_running_loop().add_reader(self.fd, self._read)

    def _read(self) -> None:
        try:
            self.got += os.read(self.fd, 4096)
        except OSError:
            asyncio.get_running_loop().remove_reader(self.fd)

    def send(self, unit: int = 1, content: bytes = READ_50, function: int = 3) -> None:
        frame = bytes((unit, function)) + content
        os.write(self.fd, frame + crc(frame))

    async def answer(self, length: int = 105) -> bytes:
        await until(lambda: len(self.got) >= length)
        frame = bytes(self.got[:length])
        del self.got[:length]
        return frame

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self.fd)
        os.close(self.fd)


@pytest.fixture
async def dial(make_rig: MakeRig) -> AsyncIterator[Callable[..., Awaitable[tuple[Rig, SerialLine, Terminal]]]]:
    opened: list[Terminal] = []

    async def make(baud: int = 19200, **more: Any) -> tuple[Rig, SerialLine, Terminal]:
        rig = await make_rig(devices=DEVICES, serial={"line": {"baud": baud, **more}})
        line = rig.endpoints["line"]
        assert isinstance(line, SerialLine)
        opened.append(Terminal(line.path, baud))
        return rig, line, opened[-1]

    yield make
    for terminal in opened:
        terminal.close()


@pytest.mark.parametrize(("baud", "wire_ms"), [(9600, 121.4), (19200, 60.7), (115200, 11.56)])
async def test_a_request_and_its_answer_take_the_time_of_the_line(dial: Any, baud: int, wire_ms: float) -> None:
    """8 and 105 characters of 10 bits, and 3.5 characters (1.75 ms above 19200) between them."""
    _, _, terminal = await dial(baud)
    began_s = time.monotonic()
    terminal.send()
    frame = await terminal.answer()
    assert 1000 * (time.monotonic() - began_s) >= wire_ms
    assert frame[:3] == b"\x01\x03\x64"
    assert crc(frame[:-2]) == frame[-2:]


async def test_a_request_without_its_silence_is_not_understood(dial: Any) -> None:
    _, line, terminal = await dial()
    terminal.send()
    await terminal.answer()
    line._free_s = line.now_s + 1.0  # as if the answer had just ended
    terminal.send(2)
    await until(lambda: line.crowded)
    line._free_s = -1e9
    terminal.send(2)
    assert (await terminal.answer())[0] == 2


async def test_a_request_within_an_answer_breaks_it(dial: Any) -> None:
    _, line, terminal = await dial(9600)
    terminal.send()
    await until(lambda: terminal.got)
    terminal.send(2)
    frame = await terminal.answer()
    assert line.collisions == 1
    assert crc(frame[:-2]) != frame[-2:]


async def test_a_late_device_keeps_back_its_own_answers_and_not_the_others(dial: Any) -> None:
    rig, _, terminal = await dial(115200)
    await FaultBoard(rig).start("late_answer", "pv1", first=1, delay_s=0.3)
    terminal.send(1)
    await asyncio.sleep(0.05)
    terminal.send(1, bytes.fromhex("9c400002"))
    await asyncio.sleep(0.05)
    terminal.send(2)
    frames = [await terminal.answer(), await terminal.answer(), await terminal.answer(9)]
    assert [(frame[0], frame[2]) for frame in frames] == [(2, 100), (1, 100), (1, 4)]


async def test_a_busy_device_keeps_no_more_than_two_requests(dial: Any) -> None:
    rig, _, terminal = await dial(115200)
    await FaultBoard(rig).start("late_answer", "pv1", first=1, delay_s=0.3)
    for _ in range(WAITING_MAX + 2):
        terminal.send(1, bytes.fromhex("9c400002"))
        await asyncio.sleep(0.02)
    await terminal.answer(9 * WAITING_MAX)
    assert rig.units["pv1"].count.requests == WAITING_MAX


async def test_another_baud_rate_is_misheard(dial: Any) -> None:
    _, line, terminal = await dial(9600)
    line.baud = 115200
    terminal.send()
    await until(lambda: line.misheard)
    assert not terminal.got


async def test_noise_breaks_the_crc_and_a_gap_does_not(dial: Any) -> None:
    rig, _, terminal = await dial(115200)
    board = FaultBoard(rig)
    number = await board.start("crc_noise", "pv1")
    terminal.send()
    frame = await terminal.answer()
    assert crc(frame[:-2]) != frame[-2:]
    await board.stop(number)
    await board.start("frame_gap", "pv1", gap_s=0.1)
    await asyncio.sleep(0.01)  # the silence of 3.5 characters
    began_s = time.monotonic()
    terminal.send()
    frame = await terminal.answer()
    assert crc(frame[:-2]) == frame[-2:]
    assert time.monotonic() - began_s > 0.1


async def test_an_adapter_with_echo_hears_itself_first(dial: Any) -> None:
    rig, line, terminal = await dial(115200)
    board = FaultBoard(rig)
    number = await board.start("echo", "line")
    terminal.send()
    heard = await terminal.answer(8 + 105)
    assert heard[:6] == b"\x01\x03" + READ_50
    assert crc(heard[8:-2]) == heard[-2:]
    await board.stop(number)
    assert not line.echo


async def test_noise_before_an_answer_leaves_it_whole(dial: Any) -> None:
    rig, _, terminal = await dial(115200)
    await FaultBoard(rig).start("line_noise", "pv1", size=3)
    terminal.send()
    heard = await terminal.answer(3 + 105)
    assert crc(heard[3:-2]) == heard[-2:]


async def test_an_adapter_that_is_pulled_out_takes_its_path_with_it_and_comes_back_as_another(dial: Any) -> None:
    rig, line, _ = await dial()
    board, before = FaultBoard(rig), line.path.resolve()
    held = os.open("/dev/null", os.O_RDONLY)
    number = await board.start("unplug", "line")
    assert not line.path.exists()
    await board.stop(number)
    os.close(held)
    terminal = Terminal(line.path)
    terminal.send()
    assert (await terminal.answer())[0] == 1
    terminal.close()
    assert line.path.is_symlink()
    assert before.name.isdigit()


def test_frames_and_their_crc_are_those_of_the_documents() -> None:
    """The request and answer that descriptions of Modbus RTU print: unit 17, three registers from 107."""
    assert crc(bytes.fromhex("1103006B0003")).hex() == "7687"
    assert on_line(bytes.fromhex("000100000009 11 0306AE4156524340")).hex().upper() == "110306AE415652434049AD"
    buffer = bytearray.fromhex("1103006B00037687 1110")
    assert list(requests(buffer)) == [(17, bytes.fromhex("03006B0003"))]
    assert buffer.hex() == "1110"
