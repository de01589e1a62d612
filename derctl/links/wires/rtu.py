"""Modbus RTU on a serial port, which is locked while it is open."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import stat
import termios
from pathlib import Path

from pymodbus.client import AsyncModbusSerialClient
from pymodbus.client.base import ModbusBaseClient
from pymodbus.transport.serialtransport import SerialTransport
from serial import SerialException

from derctl.links.wires.framed import Framed
from derctl.links.wires.frames import Speed

BY_ID = Path("/dev/serial/by-id")
"""Names that an adapter keeps wherever it is plugged in."""
PSEUDO = range(136, 144)
"""Major numbers of pseudo-terminals (Linux, admin-guide/devices.txt)."""
PARITY = {"none": "N", "even": "E", "odd": "O"}
HELD = "another program holds it, maybe derctl itself: `derctl status` tells whether the service runs"


class PymodbusRtu(Framed):
    """A Wire over one serial port, for one program alone. A silent unit is no reason to open it anew."""

    def __init__(
        self, port: str, baud: int, *, parity: str = "none", stop_bits: int = 1, connect_timeout_s: float = 3.0
    ) -> None:
        super().__init__(port, connect_timeout_s)
        self._port = port
        self._parity, self._stop_bits = PARITY[parity], stop_bits
        self.speed = Speed(baud=baud, bits=9 + (parity != "none") + stop_bits)

    def bare(self) -> ModbusBaseClient:
        assert self.speed is not None
        return AsyncModbusSerialClient(
            self._port,
            baudrate=self.speed.baud,
            parity=self._parity,
            stopbits=self._stop_bits,
            retries=0,
            reconnect_delay=0,
            trace_packet=self._hearing.watch,
        )

    async def open(self, client: ModbusBaseClient) -> asyncio.BaseTransport:
        """The settings' errors come in several kinds from below: as OSError from here."""
        self._farewell.hints = hints(self._port)
        loop, ctx = asyncio.get_running_loop(), client.ctx
        given = ctx.comm_params
        try:
            transport = _Port(
                loop, ctx.handle_new_connection(), self._port, given.baudrate, 8, given.parity, given.stopbits, 0
            )
        except (termios.error, SerialException, ValueError) as error:
            raise plain(error) from error
        transport.setup()
        return transport

    def tune(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, _Port)
        transport.lock()

    @property
    def lasting(self) -> bool:
        return True

    @property
    def debris(self) -> bool:
        """Whether the port leads elsewhere by now: an adapter that was plugged in again may be another terminal."""
        transport = None if self._client is None else self._client.ctx.transport
        return isinstance(transport, _Port) and transport.moved(self._port)


class _Port(SerialTransport):
    """pymodbus's transport, locked. Why it ends is told as the system's error."""

    def lock(self) -> None:
        """For who doesn't ask for the lock: the system refuses to open it again. A pseudo-terminal would stay so when
        its last program was killed."""
        fd = self.sync_serial.fileno()
        if os.major(os.fstat(fd).st_rdev) not in PSEUDO:
            fcntl.ioctl(fd, termios.TIOCEXCL)

    def moved(self, port: str) -> bool:
        try:
            there, here = Path(port).stat(), os.fstat(self.sync_serial.fileno())
        except (OSError, AttributeError):
            return True
        return there.st_rdev != here.st_rdev or not stat.S_ISCHR(there.st_mode)

    def close(self, exc: Exception | None = None) -> None:
        super().close(None if exc is None else OSError(errno.ENODEV, os.strerror(errno.ENODEV)))


def plain(error: Exception) -> OSError:
    """With the system's number: pyserial keeps it in several places. A lock that is another's is a busy port."""
    said = error.__context__ if isinstance(error, SerialException) and error.errno is None else error
    number = said.args[0] if said is not None and said.args and isinstance(said.args[0], int) else errno.EINVAL
    number = errno.EBUSY if number == errno.EAGAIN else number
    return OSError(number, os.strerror(number))


def hints(port: str) -> dict[int, str]:
    """What to look at, by the system's number. The names that stay are those under /dev/serial/by-id."""
    gone = f"is the adapter plugged in? {named(port)}"
    return {
        errno.ENOENT: gone,
        errno.ENODEV: gone,
        errno.ENXIO: gone,
        errno.EIO: gone,
        errno.EBUSY: HELD,
        errno.EACCES: "may this user open it? `sudo usermod -aG dialout USER`, then log in anew",
        errno.ENOTTY: f"this is no serial port. {named(port)}",
        errno.EINVAL: "does this adapter have that baud rate, parity and stop bits?",
    }


def named(port: str) -> str:
    """Which names there are."""
    there = sorted(str(each) for each in BY_ID.glob("*")) if BY_ID.is_dir() else []
    if not there:
        return f"No adapter is there: {BY_ID} is empty"
    if port in there:
        return "It is there"
    return f"There is {', '.join(there)}: such a name stays the same when it is plugged in again"
