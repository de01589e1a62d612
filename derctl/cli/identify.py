"""`derctl identify`: step each DER, find out how it answers and what it moves, and write that into plant.json."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec.structs import replace as replaced

from derctl.cli.exits import BUSY, CONFIG, INTERRUPTED, NO, OK
from derctl.cli.identified import SERIOUS, der_lines, meter_lines, plan_lines
from derctl.cli.local import add_config, config_of
from derctl.core import belief
from derctl.core.identified import Identified, MeterFound
from derctl.core.text import clean, error_text
from derctl.core.value import replace
from derctl.errors import CommandError
from derctl.site import Site, load
from derctl.site.plant_file import PLANT, PlantFile, plant_text
from derctl.site.stability import loop_text, loops_of

if TYPE_CHECKING:
    from derctl.daemon.stand import Stand

PERIODS = 10
"""Of a square wave (docs/sources.md)."""


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
    names = _chosen(site, args.ders)
    if args.periods < 2:
        raise argparse.ArgumentError(None, "--periods: 2 at least")
    if not os.access(path.parent, os.W_OK):
        print(f"{path.parent / PLANT} can't be written by you: try it with sudo", file=sys.stderr)
        return CONFIG
    if not args.yes and not _agreed(plan_lines(site, names, args.within, args.periods)):
        print("nothing was written", file=sys.stderr)
        return NO
    from derctl.daemon.stand import NotGivenBack
    from derctl.store.folder import AlreadyRunning

    try:
        found = asyncio.run(_session(site, path.parent / PLANT, names, args))
    except AlreadyRunning as error:
        print(f"{error}: stop it first, as by systemctl stop derctl, and start it again afterwards", file=sys.stderr)
        return BUSY
    except NotGivenBack as error:
        print(error, file=sys.stderr)
        return NO
    except OSError as error:
        print(f"state_dir: {error_text(error)}", file=sys.stderr)
        return CONFIG
    except asyncio.CancelledError:
        print("interrupted: what was stepped has been given back as said above", file=sys.stderr)
        return INTERRUPTED
    return _told(site, found, as_json=args.json)


def _chosen(site: Site, given: list[str]) -> list[str]:
    """Raises CommandError."""
    known = [der.id for der in site.file.ders]
    for name in given:
        if name not in known:
            raise CommandError("no_der", f"no DER {name!r}; known are {', '.join(known)}")
    chosen = [der.id for der in site.file.ders if der.control and (not given or der.id in given)]
    if not chosen:
        raise CommandError("not_supported", "control: false in the site file: derctl may step none of them")
    return chosen


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

    def __init__(self, plant: PlantFile) -> None:
        self.plant = plant
        self.ders: dict[str, Identified] = {}
        self.serials: dict[str, str] = {}
        self.sizes_va: dict[str, float] = {}
        self.notes: dict[str, tuple[str, ...]] = {}
        self.meter: MeterFound | None = None


async def _session(site: Site, file: Path, names: list[str], args: argparse.Namespace) -> Session:
    from derctl.daemon.stand import stand

    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None
    asked = list[int]()

    def end(number: int) -> None:
        """The first one counts: giving back goes on."""
        print("giving back ...", file=sys.stderr)
        if not asked:
            asked.append(number)
            task.cancel()

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, end, number)
    session, memory = Session(site.plant), belief.start(site.file.site.id)
    async with stand(site, lambda text: print(clean(text), file=sys.stderr)) as here:
        here.progress = lambda name, text: print(f"{name}: {text}", file=sys.stderr)
        for name, writer in here.writers.items():
            if writer.channel.device is not None:
                session.sizes_va[name] = writer.channel.device.rating.s_max_va
        for name in names:
            memory = await _one(here, name, args, memory, session)
            await asyncio.to_thread(_save, file, session.plant)
    return session


async def _one(
    here: Stand, name: str, args: argparse.Namespace, memory: belief.Memory, session: Session
) -> belief.Memory:
    """One DER, which is given back before the next one is stepped."""
    from derctl.cli.subject import doubts_of, kept_from, subject_of
    from derctl.commission.identify import identify

    why = kept_from(here, name)
    if why:
        session.notes[name] = (why,)
        return memory
    device = here.writers[name].channel.device
    assert device is not None
    subject = subject_of(here, name, args.within, args.periods)
    try:
        found, memory = await here.play(name, identify(subject, memory))
    finally:
        release = await here.give_back(name)
        print(clean(f"{name}: {release or 'nothing was written'}"), file=sys.stderr)
    who, at = device.identity, here.stamp()
    session.ders[name] = der = replace(found.der, name=who.name, firmware=who.firmware, at=at)
    session.serials[name], session.notes[name] = who.serial, (*doubts_of(here, name), *found.notes)
    if who.serial:
        session.plant = session.plant.with_der(who.serial, der)
    if found.meter is not None and here.plant.poc is not None and here.plant.poc.device is not None:
        meter = here.plant.poc.device.identity
        session.meter = replace(found.meter, name=meter.name, firmware=meter.firmware, at=at)
        if meter.serial:
            session.plant = session.plant.with_meter(meter.serial, session.meter)
    return memory


def _save(file: Path, plant: PlantFile) -> None:
    from derctl.store.folder import replace_file

    replace_file(file, plant_text(plant))


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
