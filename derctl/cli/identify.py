"""`derctl identify`: step each DER, find out how it answers and what it moves, and write that into plant.json."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace as replaced

from derctl.cli.exits import BUSY, CONFIG, INTERRUPTED, NO, OK
from derctl.cli.identified import SERIOUS, der_lines, meter_lines, plan_lines
from derctl.cli.local import add_config, config_of
from derctl.cli.stepping import PERIODS, Stepped, Steps, names_of, stepped
from derctl.cli.talking import Ended, Terminal, ended_by, within
from derctl.core.identified import Identified, MeterFound
from derctl.core.text import error_text
from derctl.errors import LinkError
from derctl.site import Site, load
from derctl.site.plant_file import PLANT, PlantFile, plant_text
from derctl.site.stability import loop_text, loops_of

STOP = "stop it first, as by systemctl stop derctl, and start it again afterwards"


class Held(Exception):
    """Somebody holds the site, and nobody can be asked for it."""


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    add_config(parser)
    parser.add_argument("ders", nargs="*", metavar="DER", help="which of them (default: all that derctl may write)")
    parser.add_argument(
        "--within", type=_watts, metavar="W", help="move nobody by more than this (default: a tenth of its rating)"
    )
    parser.add_argument(
        "--periods", type=int, default=PERIODS, metavar="N", help=f"periods of each square wave (default {PERIODS})"
    )
    parser.add_argument("--yes", action="store_true", help="do not ask before the first step")
    parser.add_argument("--json", action="store_true", help="for programs")


def _watts(word: str) -> float:
    watts = float(word)
    if not 0.0 < watts < 1e9:
        raise argparse.ArgumentTypeError(f"{word}: above 0 W")
    return watts


def run(args: argparse.Namespace) -> int:
    """0: found out, and nothing speaks against control; 1: something does, or nobody said yes."""
    path = config_of(args)
    site = load(path)
    wanted = Steps(ders=tuple(args.ders), within_w=args.within, periods=args.periods)
    names = names_of(site, wanted.ders)
    if args.periods < 2:
        raise argparse.ArgumentError(None, "--periods: 2 at least")
    if not os.access(path.parent, os.W_OK):
        print(f"{path.parent / PLANT} can't be written by you: try it with sudo", file=sys.stderr)
        return CONFIG
    if not args.yes and not _agreed(plan_lines(site, names, args.within, args.periods)):
        print("nothing was written", file=sys.stderr)
        return NO
    from derctl.daemon.stand import NotGivenBack

    try:
        found = asyncio.run(_session(site, path.parent / PLANT, wanted))
    except Held as held:
        print(held, file=sys.stderr)
        return BUSY
    except NotGivenBack as error:
        print(error, file=sys.stderr)
        return NO
    except OSError as error:
        print(f"state_dir: {error_text(error)}", file=sys.stderr)
        return CONFIG
    except Ended:
        print("interrupted: what was stepped has been given back as said above", file=sys.stderr)
        return INTERRUPTED
    return _told(site, found, as_json=args.json)


def _agreed(lines: list[str]) -> bool:
    """Whether somebody says yes to it."""
    print("\n".join(lines), file=sys.stderr)
    if not sys.stdin.isatty():
        raise argparse.ArgumentError(None, "nobody is there to be asked: say --yes")
    print("go on? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


class Session:
    """What was found, by DER id. sizes_va: of all DERs, stepped or not. meter: at the point of connection. plant: the
    file with it."""

    def __init__(self, file: Path, plant: PlantFile) -> None:
        self.file, self.plant = file, plant
        self.ders: dict[str, Identified] = {}
        self.serials: dict[str, str] = {}
        self.sizes_va: Mapping[str, float] = {}
        self.notes: dict[str, tuple[str, ...]] = {}
        self.meter: MeterFound | None = None

    def found(self, made: Stepped) -> None:
        """One is done; the file has it from now on. Raises OSError."""
        from derctl.store.folder import replace_file

        self.notes[made.name] = made.notes
        if made.der is None:
            return
        self.ders[made.name], self.serials[made.name] = made.der, made.serial
        if made.serial:
            self.plant = self.plant.with_der(made.serial, made.der)
        if made.meter is not None:
            self.meter = made.meter
            if made.meter_serial:
                self.plant = self.plant.with_meter(made.meter_serial, made.meter)
        replace_file(self.file, plant_text(self.plant))


async def _session(site: Site, file: Path, wanted: Steps) -> Session:
    """Inside the daemon where one runs, else alone."""
    from derctl.daemon.stand import stand
    from derctl.store.folder import AlreadyRunning

    session, voice, over = Session(file, site.plant), Terminal(sys.stderr), ended_by()

    async def alone() -> Mapping[str, float]:
        async with stand(site, voice.say) as here:
            return await stepped(here, wanted, voice.say, session.found)

    def heard(event: Mapping[str, Any]) -> None:
        session.found(msgspec.convert(event["found"], Stepped))

    try:
        session.sizes_va = await over.of(alone())
    except AlreadyRunning as error:
        args = msgspec.to_builtins(wanted)
        try:
            found = await within(Path(site.file.site.socket), "identify", args, voice, over, heard)
        except LinkError as gone:
            raise Held(f"{error}: {STOP} ({gone})") from None
        session.sizes_va = found["sizes_va"]
        print("`derctl reload` has the daemon count with it", file=sys.stderr)
    return session


def _told(site: Site, session: Session, *, as_json: bool) -> int:
    told_of = [
        replaced(
            der,
            serial=session.serials.get(der.id) or der.serial,
            rating=replaced(der.rating, s_max_va=session.sizes_va.get(der.id) or der.rating.s_max_va),
        )
        for der in site.file.ders
    ]
    loops = loops_of(replaced(site.file, ders=told_of), site.profiles, site.plan, session.plant)
    flaws = [flaw for der in session.ders.values() for flaw in der.flaws]
    flaws += [] if session.meter is None else session.meter.flaws
    serious = any(flaw in SERIOUS for flaw in flaws) or any(loop.refused for loop in loops)
    if as_json:
        told: Mapping[str, Any] = {
            "ders": session.ders,
            "serials": session.serials,
            "meter": session.meter,
            "notes": session.notes,
            "loops": [{"kind": each.kind, "margin": each.margin, "text": loop_text(each)} for each in loops],
        }
        print(json.dumps(msgspec.to_builtins(told)))
        return NO if serious or not session.ders else OK
    for name, notes in session.notes.items():
        found = session.ders.get(name)
        print("\n".join(der_lines(site, name, session.serials.get(name, ""), found, notes)))
    print("\n".join(meter_lines(session.meter)))
    for each in loops:
        print(loop_text(each))
    return NO if serious or not session.ders else OK
