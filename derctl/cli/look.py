"""What `scan` and `read` share: a bus that can't write, one exchange over it, and words for what fails."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Callable
from dataclasses import field
from pathlib import Path
from typing import TypeVar

from msgspec import structs

from derctl.core.dataclass import dataclass
from derctl.core.exchange import Exchange, Op, Pause, Read, Registers, Write, patient, remembered, through
from derctl.core.value import replace
from derctl.devices import Identity, Options, Profile
from derctl.devices.sunspec.layout import Layout, find
from derctl.errors import BusClosed, BusTimeout, DeviceRefused, NoMap, NotRecognised
from derctl.links.bus import Bus
from derctl.links.closing import HABIT_AFTER, Closing
from derctl.links.line import Line, Pace
from derctl.links.models import model
from derctl.links.silence import DEMOTE_AFTER
from derctl.links.wires.strays import Header, enough_s
from derctl.links.wires.wire import ReadOnly, Wire
from derctl.site import ModbusTlsSection, Place, place_at

T = TypeVar("T")


def add_endpoint(parser: argparse.ArgumentParser) -> None:
    """Place, unit, pace; the files of a place over TLS."""
    parser.add_argument("endpoint", type=endpoint, metavar="PLACE", help=PLACES)
    add_asking(parser, usual=1)


def add_asking(parser: argparse.ArgumentParser, usual: int | None) -> None:
    """How is asked. usual: the unit that is meant where none is given."""
    files = parser.add_argument_group("for tls://HOST")
    for key, text in TLS_FILES.items():
        files.add_argument(f"--{key}", metavar="FILE", help=text)
    files.add_argument("--server-name", metavar="NAME", help="what its certificate is for, if not HOST")
    unit, regs, base = between(int, 0, 255), between(int, 2, 125), between(int, 0, 65533)
    parser.add_argument("-u", "--unit", type=unit, default=usual, help="unit id (default 1; SMA 126, Kostal 71)")
    deadline, pause = between(float, 0.05, 60), between(float, 0, 60)
    parser.add_argument(
        "--timeout",
        type=deadline,
        metavar="S",
        help=f"deadline of one request (default {DEADLINE_S:g}, or as needed)",
    )
    parser.add_argument("--min-interval", type=pause, default=0.0, metavar="S", help="pause between requests")
    parser.add_argument("--max-regs", type=regs, default=125, help="registers in one read")
    parser.add_argument("--base", type=base, action="append", help="base address; may be given more than once")
    words = [str(word) for word in Header]
    parser.add_argument("--header", choices=words, default="strict", help="as the key of a bus in the site file")
    parser.add_argument("--progress", action="store_true", help="a line on stderr for each answer")
    parser.add_argument("--json", action="store_true", help="for programs")


PLACES = (
    "HOST or HOST:PORT (Modbus TCP, 502 if not given), tls://HOST:PORT (the same over TLS, 802 if not given), "
    "/dev/serial/by-id/...:BAUD (a serial port, 9600 if not given; 8N1 unless :8E1, :8O1 or :8N2 follows), or "
    "rtu+tcp://HOST:PORT (a gateway for serial frames)"
)
TLS_FILES = {"ca": "who signed its certificate, PEM", "cert": "our certificate, PEM", "key": "its key, PEM"}
STRANGER = Profile()
DEADLINE_S = STRANGER.timeout_s
"""The daemon's, too."""
LISTEN_S = 4.0
"""How long a late answer is waited for where no deadline was given."""
PROGRESS_S = 5.0
"""How long nothing is said of the looking where nobody watches a terminal."""
LOOK_S = 0.02
BASES = (40000, 0, 50000, 1, 4096)
CONNECT_S = 2.0
"""The least time that a connection gets to come up."""
UNIT_HINT = "is the unit id right? SMA 126, Kostal 71; see -u and --base"


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


def endpoint(text: str) -> Place:
    """An argparse type: a place that some wire leads to."""
    try:
        return place_at(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def certified(args: argparse.Namespace) -> Place:
    """The place with the files that TLS needs. Raises ArgumentError."""
    place: Place = args.endpoint
    given = {f"{key}_file": getattr(args, key) for key in TLS_FILES} | {"server_name": args.server_name}
    named = [key for key, value in given.items() if value is not None]
    if not isinstance(place.section, ModbusTlsSection):
        if named:
            raise argparse.ArgumentError(None, f"files for TLS go with a place over TLS: tls://{place.name}")
        return place
    missing = [f"--{key}" for key in TLS_FILES if getattr(args, key) is None]
    if missing:
        raise argparse.ArgumentError(None, f"{place.name} needs {', '.join(missing)}")
    here = {key: str(Path(value).absolute()) for key, value in given.items() if key != "server_name"}
    return replace(place, section=structs.replace(place.section, **here, server_name=args.server_name))


@dataclass(slots=True)
class Pulse:
    """How the looking goes. lines: each answer is told on a line of its own, as for a log. told_s: when anything was
    told last."""

    unit: int
    lines: bool
    answers: int = 0
    slowest_s: float = 0.0
    told_s: float = field(default_factory=time.monotonic)

    def asks(self, op: Read) -> None:
        if self.lines:
            return
        text = f"unit {self.unit}: {self.answers} answers; asking for {op.count} registers at {op.address}"
        if sys.stderr.isatty():
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
        elif time.monotonic() - self.told_s >= PROGRESS_S:
            self.told_s = time.monotonic()
            print(text, file=sys.stderr, flush=True)

    def answered(self, op: Read, seconds: float) -> None:
        self.answers += 1
        self.slowest_s = max(self.slowest_s, seconds)
        if self.lines:
            print(f"{self.answers:>4}  {op.address:>5} x {op.count:<3}  {seconds:.2f} s", file=sys.stderr, flush=True)

    def ends(self) -> None:
        if not self.lines and sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr, flush=True)


class Felt(ReadOnly):
    """A read-only wire that tells the pulse. Who is not heard although a gateway was asked twice isn't there."""

    def __init__(self, wire: Wire, pulse: Pulse) -> None:
        super().__init__(wire)
        self._pulse = pulse
        self._absent = 0

    async def request(self, unit: int, op: Read | Write) -> Registers:
        if isinstance(op, Read):
            self._pulse.asks(op)
        began = time.monotonic()
        try:
            answer = await super().request(unit, op)
        except DeviceRefused as refused:
            if isinstance(op, Read):
                self._pulse.answered(op, time.monotonic() - began)
            self._absent = self._absent + 1 if refused.by_gateway else 0
            if self._absent >= DEMOTE_AFTER:
                raise BusTimeout("a gateway answered for it") from refused
            raise
        self._absent = 0
        if isinstance(op, Read):
            self._pulse.answered(op, time.monotonic() - began)
        return answer


def ask(args: argparse.Namespace, exchange: Exchange[T], profile: Profile = STRANGER) -> tuple[T, Pulse]:
    """Run one exchange, which asks nothing twice, as gently as a device of that profile needs it. Raises BusError or
    NotRecognised with words for a person, and ArgumentError."""
    args.endpoint = certified(args)
    return asyncio.run(_ask(args, exchange, profile))


async def _ask(args: argparse.Namespace, exchange: Exchange[T], profile: Profile) -> tuple[T, Pulse]:
    place: Place = args.endpoint
    pulse = Pulse(unit=args.unit, lines=args.progress)
    deadline_s = args.timeout or profile.timeout_s
    wire = Felt(place.open(max(deadline_s, CONNECT_S), args.header), pulse)
    drain_s = deadline_s if place.waits_for_late else 0.0
    pause_s = max(args.min_interval, profile.min_interval_s)
    pace = Pace(
        timeout_s=deadline_s, min_interval_s=pause_s, drain_s=drain_s, connect_delay_s=profile.connect_delay_s
    )
    bus = Bus(Line(place.name, wire, pace, closing=Closing(brief=HABIT_AFTER - 1)))
    looking = remembered(exchange)
    if args.timeout is None:
        looking = through(looking, lambda op: unhurried(op, bus, pulse))
    try:
        await bus.line.connect()
        return await bus.execute(args.unit, patient(looking)), pulse
    except BusClosed as error:
        raise BusClosed(f"{error}: {error.hint}" if error.hint else str(error)) from error
    except BusTimeout as error:
        if not bus.counters.timeouts:
            raise BusTimeout(f"{place.name}: no such unit: {args.unit} ({UNIT_HINT})") from error
        heard = await _stray(wire, args.unit, 0.0 if args.timeout is None else deadline_s)
        raise BusTimeout(_silent(error, heard, pulse)) from error
    except NotRecognised as error:
        raise NotRecognised(f"{place.name} unit {args.unit}: {error}") from error
    finally:
        pulse.ends()
        wire.close()


def unhurried(op: Op, bus: Bus, pulse: Pulse) -> Exchange[Registers]:
    """The same request with a longer deadline, where its answer came after the one that it had. Who has not answered
    at all is asked once more: some hear nothing in the first seconds of a connection (Huawei: grid-x/modbus#44)."""
    again = False
    while True:
        before = bus.line.wire.tally.late
        try:
            return (yield op)
        except BusTimeout:
            if again:
                raise
            asked_s = time.monotonic() - bus.line.pace.timeout_s
            while (
                bus.line.wire.tally.late == before and time.monotonic() - asked_s < bus.line.pace.timeout_s + LISTEN_S
            ):
                if bus.line.wire.tally.foreign or not bus.line.wire.connected:
                    raise
                yield Pause(seconds=LOOK_S)
            if bus.line.wire.tally.late == before and bus.line.connected and not (pulse.answers or again):
                again = True
                continue
            if bus.line.wire.tally.late == before or not bus.line.connected:
                raise
            bus.line.pace = replace(bus.line.pace, timeout_s=enough_s(time.monotonic() - asked_s))


async def _stray(wire: Wire, unit: int, seconds: float) -> str:
    """Wait as long again: whoever is only late is known by its answer."""
    for _ in range(int(seconds / LOOK_S)):
        if found := wire.stray(unit):
            return found
        await asyncio.sleep(LOOK_S)
    return wire.stray(unit)


def _silent(error: BusTimeout, stray: str, pulse: Pulse) -> str:
    """Something else came, nothing ever came, or nothing comes any more."""
    if stray:
        here = " (here: --header)" if "header:" in stray else " (here: --timeout)"
        return f"{error}{here}" if stray in str(error) else f"{error}, but {stray}{here}"
    if not pulse.answers:
        return f"{error}: connected, but silent ({UNIT_HINT})"
    late = (
        f"the slowest of {pulse.answers} answers before took {pulse.slowest_s:.1f} s; see --timeout, --min-interval"
    )
    return f"{error} ({late})"


def sunspec(options: Options) -> Exchange[Layout]:
    """Find the map. Raises NotRecognised with what stands at the bases instead."""
    try:
        return (yield from find(model, options))
    except NoMap as error:
        raise NotRecognised(f"{error} ({UNIT_HINT})") from None


def heading(identity: Identity, unit: int, base: int) -> str:
    """Who answers, and where its map begins."""
    serial, firmware = identity.serial or "not told", identity.firmware or "not told"
    return f"{identity.name}  serial {serial}  firmware {firmware}  unit {unit}  base {base}"
