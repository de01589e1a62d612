"""What `scan` and `read` share: a bus to one endpoint that can't write, and one exchange over it."""

from __future__ import annotations

import argparse
import asyncio
from typing import TypeVar

from derctl.core.exchange import Exchange
from derctl.errors import BusClosed
from derctl.links.bus import Bus, Pace
from derctl.links.pymodbus_wire import PymodbusTcp
from derctl.links.wire import ReadOnly

T = TypeVar("T")


def add_endpoint(parser: argparse.ArgumentParser) -> None:
    """HOST[:PORT], unit, pace."""
    parser.add_argument("endpoint", metavar="HOST[:PORT]", help="Modbus TCP server; port 502 if not given")
    parser.add_argument("-u", "--unit", type=int, default=1, help="unit id (default 1; SMA 126, Kostal 71)")
    parser.add_argument("--timeout", type=float, default=2.0, metavar="S", help="deadline of one request")
    parser.add_argument("--min-interval", type=float, default=0.0, metavar="S", help="pause between requests")
    parser.add_argument("--max-regs", type=int, default=125, help="registers in one read")
    parser.add_argument("--base", type=int, action="append", help="base address; may be given more than once")
    parser.add_argument("--json", action="store_true", help="for programs")


BASES = (40000, 0, 50000, 1, 4096)


def ask(args: argparse.Namespace, exchange: Exchange[T]) -> T:
    """Run one exchange. Raises BusError where nothing answers."""
    return asyncio.run(_ask(args, exchange))


async def _ask(args: argparse.Namespace, exchange: Exchange[T]) -> T:
    host, port = endpoint(args.endpoint)
    wire = ReadOnly(PymodbusTcp(host, port, connect_timeout_s=args.timeout))
    bus = Bus(args.endpoint, wire, Pace(timeout_s=args.timeout, min_interval_s=args.min_interval))
    running = asyncio.create_task(bus.run())
    try:
        async with asyncio.timeout(args.timeout + 0.5):
            await bus.wait_connected()
        return await bus.execute(args.unit, exchange)
    except TimeoutError:
        raise BusClosed(f"{args.endpoint}: no connection within {args.timeout:g} s") from None
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def endpoint(text: str) -> tuple[str, int]:
    """host, host:port, [v6]:port."""
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        return host, int(rest.removeprefix(":") or 502)
    host, _, port = text.partition(":")
    return host, int(port or 502)
