"""A serial bus on a pair of pseudo-terminals: one line, several units, bytes at the pace of the baud rate."""

import asyncio
import contextlib
import os
import shutil
import tempfile
import termios
import time
import tty
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

from hil.rtu import RtuEndpoint, char_s, quiet_s, requests
from hil.wire import Connection

CHUNK_S = 0.004
"""Bytes of an answer are written in pieces of this length: one by one would cost a turn of the loop each."""
WAITING_MAX = 2
"""Requests that a device keeps while it is busy with one: its receiver holds little."""
SPEEDS = {9600: termios.B9600, 19200: termios.B19200, 38400: termios.B38400, 115200: termios.B115200}


class Port(Connection):
    """The computer's end of the line."""

    endpoint: "SerialLine"

    def later(self, delay_s: float, act: object) -> None:
        """Nothing is held back for a client that may go: the line is one."""

    def send(self, content: bytes) -> None:
        self.endpoint.spawn(content)

    def end(self, how: str) -> None:
        """A line can't be closed by a device."""


class SerialLine(RtuEndpoint):
    """`path` leads to the port while it is plugged in. `crowded`: requests that began less than 3.5 characters after
    the byte before them; `collisions`: those that began within an answer; `misheard`: at another baud rate. None of
    them is understood. echo: the adapter hears itself."""

    def __init__(self, name: str, *, seed: int = 0, baud: int = 19200, echo: bool = False) -> None:
        super().__init__(name, seed=seed)
        self.baud, self.echo = baud, echo
        self.collisions = self.misheard = 0
        self.path = Path()
        self._folder = ""
        self._ends: tuple[int, int] | None = None
        self._port = Port(self)
        self._free_s = -1e9
        self._sending = self._hit = False
        self._began_s = 0.0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._units: dict[int, asyncio.Lock] = {}
        self._waiting: dict[int, int] = {}
        self._wire = asyncio.Lock()

    @property
    def place(self) -> str:
        return str(self.path)

    @property
    def now_s(self) -> float:
        """Of the same clock as the loop's, which uvloop looks at once a turn."""
        return time.monotonic()

    async def listen(self) -> None:
        """Plug it in, or in again: under the same name, another terminal."""
        if self._ends is not None:
            return
        self._folder = self._folder or tempfile.mkdtemp(prefix="hil-serial-")
        self.path = Path(self._folder) / self.name
        self._ends = master, slave = os.openpty()
        tty.setraw(slave)
        os.set_blocking(master, False)
        self.path.unlink(missing_ok=True)
        self.path.symlink_to(os.ttyname(slave))
        self._port = Port(self)
        self._port.silent = self.silent
        self.open.add(self._port)
        self.connects += 1
        asyncio.get_running_loop().add_reader(master, self._heard)

    def refuse(self) -> None:
        """Unplug it: the path vanishes, and who has it open is hung up."""
        if self._ends is None:
            return
        asyncio.get_running_loop().remove_reader(self._ends[0])
        self.path.unlink(missing_ok=True)
        for end in self._ends:
            os.close(end)
        self._ends = None
        self.open.clear()

    async def stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.refuse()
        shutil.rmtree(self._folder, ignore_errors=True)

    # -- what the computer sends ------------------------------------------------------------------------------------

    def _heard(self) -> None:
        assert self._ends is not None
        try:
            received = os.read(self._ends[0], 4096)
        except OSError:
            return
        port, now_s = self._port, self.now_s
        port.last_s = now_s
        if not port.buffer:
            self._began_s = now_s
            if self._disturbed(now_s):
                return
        if self.echo:
            self._put(received)
        port.buffer += received
        self._free_s = self._began_s + len(port.buffer) * char_s(self.baud)
        try:
            for unit_id, pdu in requests(port.buffer):
                self._take(unit_id, pdu)
        except ValueError:
            port.buffer.clear()

    def _disturbed(self, now_s: float) -> bool:
        """Whether nobody on the line understands what begins now."""
        assert self._ends is not None
        if termios.tcgetattr(self._ends[1])[5] != SPEEDS[self.baud]:
            self.misheard += 1
            return True
        if self._sending:
            self.collisions += 1
            self._hit = True
            return True
        if now_s < self._free_s + quiet_s(self.baud):
            self.crowded += 1
            return True
        return False

    def _take(self, unit_id: int, pdu: bytes) -> None:
        if self._port.silent or self._waiting.get(unit_id, 0) >= WAITING_MAX:
            return
        self._waiting[unit_id] = self._waiting.get(unit_id, 0) + 1
        self._run(self._served(self._port, unit_id, pdu, self._free_s + quiet_s(self.baud)))

    def _run(self, work: Coroutine[Any, Any, object]) -> None:
        task: asyncio.Task[Any] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _served(self, port: Connection, unit_id: int, pdu: bytes, heard_s: float) -> None:
        try:
            await self._until(heard_s)
            async with self._units.setdefault(unit_id, asyncio.Lock()):
                await self.serve(port, 0, unit_id, pdu)
        finally:
            self._waiting[unit_id] -= 1

    async def serve(self, connection: Connection, tid: int, unit_id: int, pdu: bytes) -> None:
        """A device does one thing at a time: what is late keeps its own next answer back, not the others'."""
        exchange = self.asked(connection, tid, unit_id, pdu)
        if exchange.unit is None:
            return
        low_s, high_s = exchange.unit.face.habits.latency_s
        began_s = self.now_s + self.random.uniform(low_s, high_s) + exchange.delay_s
        await self._until(began_s)
        self.answer(exchange)
        for delay_s, content in exchange.sends:
            await self._until(began_s + delay_s)
            if not await self._transmit(content):
                exchange.unit.count.spoiled_s = self.now_s

    async def _until(self, t_s: float) -> None:
        while True:
            wait_s = t_s - self.now_s
            if wait_s <= 0.0:
                return
            await asyncio.sleep(wait_s)

    # -- what the devices send --------------------------------------------------------------------------------------

    def spawn(self, content: bytes) -> None:
        """Send beside everything else."""
        self._run(self._transmit(content))

    async def _transmit(self, content: bytes) -> bool:
        """Piece by piece, each when its last byte is over. What a request began in is broken from there on. False: so
        it was, or it had to wait for another device's."""
        waited = self._wire.locked()
        async with self._wire:
            self._sending, self._hit = True, False
            began_s, step = self.now_s, max(1, int(CHUNK_S / char_s(self.baud)))
            try:
                for at in range(0, len(content), step):
                    piece = content[at : at + step]
                    await self._until(began_s + (at + len(piece)) * char_s(self.baud))
                    self._free_s = self.now_s  # before its reader runs, which may be at once
                    self._sending = at + len(piece) < len(content)
                    self._put(bytes(byte ^ 0x55 for byte in piece) if self._hit else piece)
            finally:
                self._sending = False
            return not (waited or self._hit)

    def _put(self, content: bytes) -> None:
        if self._ends is not None:
            with contextlib.suppress(BlockingIOError):
                os.write(self._ends[0], content)
