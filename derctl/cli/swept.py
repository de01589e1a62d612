"""`derctl scan` over several places: what is asked, how long that takes, what was found, and what to try next."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from derctl.cli.exits import UNREACHABLE
from derctl.cli.finding import block, table
from derctl.cli.look import sunspec
from derctl.cli.plain import span, wrapped
from derctl.cli.progress import Progress
from derctl.cli.sought import Sought, Wires, sought, wires_of
from derctl.cli.sweeping import Sweep
from derctl.commission.looking import Shelf
from derctl.commission.sweep import Breadth, breadth, longest_s
from derctl.core.text import clean
from derctl.core.value import replace
from derctl.daemon.kinds import KINDS
from derctl.devices import Options
from derctl.errors import LinkError
from derctl.links.mdns import announced
from derctl.site import known_profiles

SERIAL = ("/dev/serial/by-id", "/dev")
"""Where serial ports are; the names under the first stay the same."""
ADAPTERS = ("ttyUSB*", "ttyACM*", "ttyAMA*", "ttyS[0-9]", "ttyRS485*")
PAUSE_S = 0.02
"""Between two requests of a sweep, where nothing else is given: a gateway has others to serve, too."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Arguments of a sweep."""
    group = parser.add_argument_group("for several places, or where unit, port or baud rate are not known")
    group.add_argument("--units", type=_units, metavar="LIST", help="as 1-10,126; usual: 1 to 10 and makers' own")
    group.add_argument("--ports", type=_ports, metavar="LIST", help="TCP ports (default 502 and makers' own)")
    group.add_argument("--bauds", type=_bauds, metavar="LIST", help="baud rates of serial ports (default 9600,19200)")
    group.add_argument("--parities", type=_parities, metavar="LIST", help="none, even, odd (default none,even)")
    group.add_argument("--mdns", action="store_true", help="also who announces Modbus in this network")
    group.add_argument("--all", action="store_true", help="every unit id, baud rate and parity; says first how long")


def wanted(args: argparse.Namespace) -> bool:
    """Whether something of it was asked for."""
    return args.all or args.mdns or any((args.units, args.ports, args.bauds, args.parities))


def _numbers(text: str, low: int, high: int) -> tuple[int, ...]:
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        if not first.isdecimal() or not (last or first).isdecimal():
            raise argparse.ArgumentTypeError(f"{text!r} is no list of numbers, as 1-10,126")
        found += range(int(first), int(last or first) + 1)
        if not found or min(found) < low or max(found) > high:
            raise argparse.ArgumentTypeError(f"{part!r} is not in {low} to {high}")
    return tuple(dict.fromkeys(found))


def _units(text: str) -> tuple[int, ...] | str:
    return text if text == "usual" else _numbers(text, 0, 255)


def _ports(text: str) -> tuple[int, ...]:
    return _numbers(text, 1, 65535)


def _bauds(text: str) -> tuple[int, ...]:
    return _numbers(text, 1200, 921600)


def _parities(text: str) -> tuple[str, ...]:
    words = tuple(text.split(","))
    if not set(words) <= {"none", "even", "odd"}:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of none, even, odd")
    return words


def asked_of(args: argparse.Namespace, shelf: Shelf) -> Breadth:
    """What is asked: the usual, everything, and what was given instead."""
    asked = breadth(shelf.profiles.values(), everything=args.all)
    if isinstance(args.units, tuple):
        asked = replace(asked, units=args.units)
    elif args.unit is not None:
        asked = replace(asked, units=(args.unit,))
    bauds = args.bauds or tuple(dict.fromkeys(baud for baud, _ in asked.settings))
    parities = args.parities or tuple(dict.fromkeys(parity for _, parity in asked.settings))
    settings = tuple((baud, parity) for parity in parities for baud in bauds)
    return replace(asked, ports=args.ports or asked.ports, settings=settings)


def sweep(args: argparse.Namespace, options: Options, shelf: Shelf) -> int:
    """0 if something was found."""
    asked, words = asked_of(args, shelf), _places(args)
    wires = wires_of(words, asked.ports, asked.settings)
    done = Sweep(shelf=shelf, options=options, asked=asked, progress=_progress(asked, wires))
    done.timeout_s, done.pause_s = args.timeout, args.min_interval or PAUSE_S
    if not args.json or args.all:
        _announce(asked, wires)
    took_s = _carried(done, wires)
    if args.json:
        print(json.dumps(said(done, took_s), indent=2))
    else:
        print("\n".join(page(done, wires, took_s)))
    return 0 if done.found else UNREACHABLE


def look(words: Sequence[Sought], options: Options, profiles: Path) -> Sweep:
    """The usual sweep, for another verb."""
    shelf = Shelf(profiles=known_profiles(profiles), kinds=KINDS, find=sunspec)
    asked = breadth(shelf.profiles.values())
    wires = wires_of(words, asked.ports, asked.settings)
    done = Sweep(shelf=shelf, options=options, asked=asked, progress=_progress(asked, wires), pause_s=PAUSE_S)
    _announce(asked, wires)
    _carried(done, wires)
    return done


def _progress(asked: Breadth, wires: Sequence[Wires]) -> Progress:
    return Progress(total=sum(len(asked.on(each.serial)) * len(each.places) for each in wires))


def _announce(asked: Breadth, wires: Sequence[Wires]) -> None:
    most_s = longest_s(asked, [(len(each.places), each.serial) for each in wires])
    _say(f"{_named(wires, asked)}: at most about {span(most_s)}, reads only")


def _carried(done: Sweep, wires: Sequence[Wires]) -> float:
    """How long it took, s."""
    began_s = time.monotonic()
    asyncio.run(done.run(wires))
    return time.monotonic() - began_s


def _say(text: str) -> None:
    for line in wrapped(text, "", "  "):
        print(line, file=sys.stderr, flush=True)


def _places(args: argparse.Namespace) -> list[Sought]:
    """What was given, and who announces himself. Raises ArgumentError where that is nothing."""
    words: list[Sought] = list(args.places)
    for each in words:
        if each.place is not None and each.place.key == "tls":
            text = f"a place over TLS is looked at alone, one unit at a time: derctl scan {each.word} -u UNIT"
            raise argparse.ArgumentError(None, text)
    if args.mdns:
        try:
            heard = announced()
        except OSError as error:
            raise LinkError(f"mDNS: {error}; give places instead") from error
        words += [sought(f"{each.host}:{each.port}") for each in heard]
        if not words:
            raise LinkError("mDNS: nobody announces Modbus here (few devices do): derctl scan 192.168.1.0/24")
    if not words:
        raise argparse.ArgumentError(None, f"say where: {'; '.join(_suggested())}")
    return words


def _suggested() -> Iterator[str]:
    ports = serial_ports()
    yield f"a serial port, {' or '.join(ports)}" if ports else "a serial port (this machine shows none)"
    yield "a network or a range, derctl scan 192.168.1.0/24"
    yield "or --mdns for who announces himself"


def serial_ports() -> list[str]:
    """By the names that stay, else by the others."""
    named = sorted(str(path) for path in Path(SERIAL[0]).glob("*"))
    plain = sorted(str(path) for pattern in ADAPTERS[:2] for path in Path(SERIAL[1]).glob(pattern))
    return named or plain


def _named(wires: Sequence[Wires], asked: Breadth) -> str:
    lines = [each for each in wires if each.serial]
    hosts = [each for each in wires if not each.serial]
    parts = []
    if hosts:
        ports = ", ".join(dict.fromkeys(_port(place.name) for each in hosts for place in each.places))
        named = hosts[0].name if len(hosts) == 1 else f"{len(hosts)} addresses"
        parts.append(f"{named} at port {ports}")
    if lines:
        settings = max(len(each.places) for each in lines)
        named = lines[0].name if len(lines) == 1 else f"{len(lines)} serial ports"
        parts.append(f"{named} in {settings} setting{'' if settings == 1 else 's'}")
    return f"{' and '.join(parts)}, {len(asked.units)} unit ids each"


def _port(name: str) -> str:
    return name.rpartition(":")[2]


def said(sweep: Sweep, took_s: float) -> dict[str, Any]:
    """For programs, and for `init`."""
    return {
        "found": [msgspec.to_builtins(each) for each in sweep.found],
        "silent": sweep.silent,
        "closed": {name: clean(why) for name, why in sweep.closed.items()},
        "odd": [clean(text) for text in sweep.odd],
        "requests": sweep.requests,
        "took_s": round(took_s, 1),
    }


def page(sweep: Sweep, wires: Sequence[Wires], took_s: float) -> Iterator[str]:
    """For people."""
    if sweep.found:
        yield from table(sweep.found)
        for each in sweep.found:
            yield ""
            yield from block(each)
        yield ""
    for text in sweep.odd:
        yield from wrapped(f"! {clean(text)}", "", "    ")
    count = len(sweep.found)
    yield f"{count} device{'' if count == 1 else 's'} in {span(took_s)}, {sweep.requests} requests, nothing written"
    for text in next_steps(sweep, wires):
        yield from wrapped(text, "next: ", "      ")


def next_steps(sweep: Sweep, wires: Sequence[Wires]) -> Iterator[str]:
    """What to try now."""
    if sweep.found:
        yield "keep it and write a site file from it: derctl scan ... --json > found.json; derctl init found.json"
    silent_lines = [name for name in sweep.silent if name.startswith("/")]
    silent_hosts = [name for name in sweep.silent if not name.startswith("/")]
    heard = {each.place for each in sweep.found}
    for each in wires:
        names = [place.name for place in each.places]
        shut = [name for name in names if name in sweep.closed]
        if each.serial and len(shut) == len(names):
            yield f"it can't be used: {sweep.closed[names[0]]}"
        elif each.serial and all(name in (*silent_lines, *shut) for name in names):
            yield (
                f"nobody answers on {each.name}: other settings (--bauds 4800,38400,57600,115200 --parities "
                "none,even,odd, or --all), A and B swapped, the far end's termination, another master on the line"
            )
    if silent_hosts:
        listed = ", ".join(silent_hosts[:4])
        yield (
            f"{listed} takes the connection and says nothing: another unit id (--all), serial frames (derctl scan "
            "rtu+tcp://HOST:PORT), or another program that holds its only connection (SolarEdge, KACO, Huawei)"
        )
    gone = [each for each in wires if not each.serial and all(place.name in sweep.closed for place in each.places)]
    if gone and not heard and not silent_hosts:
        alone = len(gone) == 1
        which = "nobody there" if alone else f"none of {len(gone)} addresses"
        first = sweep.closed[gone[0].places[0].name] if alone else "nobody listens there"
        yield (
            f"{which}: {first}. Is Modbus TCP on in the device (SMA, Kostal: off by default), the address right, and "
            "this machine in the same network? Other ports: --ports LIST"
        )
