"""What `scan` and `read` share: a bus to one endpoint that can't write, and one exchange over it."""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import Callable
from typing import TypeVar

from derctl.core.exchange import Exchange
from derctl.errors import BusClosed, BusTimeout, NotRecognised
from derctl.links.bus import Bus, Pace
from derctl.links.wires.tcp import PymodbusTcp
from derctl.links.wires.wire import ReadOnly

T = TypeVar("T")


def add_endpoint(parser: argparse.ArgumentParser) -> None:
    """HOST[:PORT], unit, pace."""
    parser.add_argument(
        "endpoint", type=endpoint, metavar="HOST[:PORT]", help="Modbus TCP server; port 502 if not given"
    )
    unit, regs, base = between(int, 0, 255), between(int, 2, 125), between(int, 0, 65533)
    parser.add_argument("-u", "--unit", type=unit, default=1, help="unit id (default 1; SMA 126, Kostal 71)")
    deadline, pause = between(float, 0.05, 60), between(float, 0, 60)
    parser.add_argument("--timeout", type=deadline, default=2.0, metavar="S", help="deadline of one request")
    parser.add_argument("--min-interval", type=pause, default=0.0, metavar="S", help="pause between requests")
    parser.add_argument("--max-regs", type=regs, default=125, help="registers in one read")
    parser.add_argument("--base", type=base, action="append", help="base address; may be given more than once")
    parser.add_argument("--json", action="store_true", help="for programs")


BASES = (40000, 0, 50000, 1, 4096)


def between(kind: Callable[[str], float], low: float, high: float) -> Callable[[str], float]:
    """An argparse type: a number from low to high."""

    def number(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = high + 1
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is no number from {low:g} to {high:g}")
        return value

    return number


def ask(args: argparse.Namespace, exchange: Exchange[T]) -> T:
    """Run one exchange. Raises BusError where nothing answers."""
    return asyncio.run(_ask(args, exchange))


async def _ask(args: argparse.Namespace, exchange: Exchange[T]) -> T:
    host, port = args.endpoint
    where = f"{host}:{port}"
    wire = ReadOnly(PymodbusTcp(host, port, connect_timeout_s=args.timeout))
    bus = Bus(where, wire, Pace(timeout_s=args.timeout, min_interval_s=args.min_interval))
    running = asyncio.create_task(bus.run())
    try:
        try:
            async with asyncio.timeout(args.timeout + 0.5):
                await bus.wait_connected()
        except TimeoutError:
            why = await _why_not(host, port, args.timeout)
            raise BusClosed(f"{where}: no connection within {args.timeout:g} s: {why}") from None
        return await bus.execute(args.unit, exchange)
    except BusTimeout as error:
        silent = f"{error}: connected, but silent" if bus.counters.timeouts else f"{where}: no such unit: {args.unit}"
        raise BusTimeout(f"{silent} ({UNIT_HINT})") from error
    except NotRecognised as error:
        raise NotRecognised(f"{where} unit {args.unit}: {error} ({UNIT_HINT})") from error
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


UNIT_HINT = "is the unit id right? SMA 126, Kostal 71; see -u and --base"


async def _why_not(host: str, port: int, seconds: float) -> str:
    """Ask the system once more, since pymodbus keeps its reason to itself."""
    try:
        async with asyncio.timeout(seconds):
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        return "nothing answers at this address"
    except OSError as error:
        code = error.errno or 0
        return os.strerror(code) if code > 0 else f"{error.strerror or error}"
    writer.close()
    return "now it connects: another client may hold the only connection"


def endpoint(text: str) -> tuple[str, int]:
    """host, host:port, [v6]:port. Raises ArgumentTypeError."""
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        port = rest.removeprefix(":")
    else:
        host, _, port = text.partition(":")
    if not host or not (port or "502").isdecimal() or not 1 <= int(port or 502) <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no HOST, HOST:PORT (1 to 65535) or [IPV6]:PORT")
    return host, int(port or 502)
