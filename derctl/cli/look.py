"""What `scan` and `read` share: a bus to one endpoint that can't write, and one exchange over it."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable
from typing import TypeVar

from derctl.core.exchange import Exchange
from derctl.errors import BusClosed, BusTimeout, NotRecognised
from derctl.links.bus import Bus, Pace
from derctl.links.wires.wire import ReadOnly
from derctl.site import wire_at

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
    where, wire = wire_at(args.endpoint, args.timeout)
    bus = Bus(where, ReadOnly(wire), Pace(timeout_s=args.timeout, min_interval_s=args.min_interval))
    try:
        await bus.connect()
        return await bus.execute(args.unit, exchange)
    except BusClosed as error:
        raise BusClosed(f"{error}: {error.hint}" if error.hint else str(error)) from error
    except BusTimeout as error:
        silent = f"{error}: connected, but silent" if bus.counters.timeouts else f"{where}: no such unit: {args.unit}"
        raise BusTimeout(f"{silent} ({UNIT_HINT})") from error
    except NotRecognised as error:
        raise NotRecognised(f"{where} unit {args.unit}: {error} ({UNIT_HINT})") from error
    finally:
        wire.close()


UNIT_HINT = "is the unit id right? SMA 126, Kostal 71; see -u and --base"


def endpoint(text: str) -> str:
    """An argparse type: a place that some wire leads to."""
    try:
        wire_at(text, 0.0)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
    return text
