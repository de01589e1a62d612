"""`derctl verify`: unplugs derctl from each DER in turn and watches whether it does what the site file declares."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from derctl.cli.exits import BUSY, CONFIG, INTERRUPTED, NO, OK
from derctl.cli.local import add_config, config_of
from derctl.cli.plain import page
from derctl.cli.proof import Wanted
from derctl.cli.talking import Ended, Terminal, ended_by, within
from derctl.cli.verifying import ON_RECORD, chosen_of, verified
from derctl.core.text import clean, error_text
from derctl.daemon.actuate.proving import proving
from derctl.errors import LinkError
from derctl.site import Site, load

STOP = "verify has to be alone with the devices: stop derctl first (systemctl stop derctl), and start it afterwards"
ALL = "no more proof is asked for: derctl run, then derctl arm"


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    add_config(parser)
    parser.add_argument(
        "ders", nargs="*", metavar="DER", help="only these; default: those without a proof that counts"
    )
    parser.add_argument("--yes", action="store_true", help="don't ask before each is written")
    parser.add_argument(
        "--asked", action="store_true", help="ask while it runs out, too, where any message starts the timer again"
    )
    parser.add_argument(
        "--second", action="store_true", help="then see what a second client changes that polls it meanwhile"
    )
    seen = "NAME has seen the limit that is kept in each DER with by: device; derctl can't measure it"
    parser.add_argument("--witnessed", metavar="NAME", type=_name, help=seen)
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--cable", action="store_true", help="you pull its cable, and are told when")
    how.add_argument("--kill", action="store_true", help="kill the running daemon, and see what one DER does then")
    parser.add_argument("--json", action="store_true", help="for programs; needs --yes")


def _name(text: str) -> str:
    if not 0 < len(text.strip()) <= 64:
        raise argparse.ArgumentTypeError("a name of 1 to 64 characters")
    return text.strip()


def run(args: argparse.Namespace) -> int:
    """0 if the fail-safe of each was proven, and by what was measured the contract holds without derctl; else 1."""
    if args.json and not args.yes:
        raise argparse.ArgumentError(None, "--json asks nobody: say --yes, too")
    if args.kill and len(args.ders) != 1:
        raise argparse.ArgumentError(None, "--kill: of one DER, name it")
    site = load(config_of(args))
    chosen_of(site, args.ders)
    wanted = Wanted(
        ders=tuple(args.ders),
        asked=args.asked,
        cable=args.cable,
        second=args.second,
        kill=args.kill,
        yes=args.yes,
        witnessed=args.witnessed,
    )
    try:
        found = asyncio.run(_verified(site, wanted, args))
    except Ended:
        return INTERRUPTED
    except Held as held:
        print(held, file=sys.stderr)
        return BUSY
    except OSError as error:
        print(f"state_dir: {error_text(error)}", file=sys.stderr)
        return CONFIG
    return _told(found, args)


class Held(Exception):
    """Somebody holds the site, and nobody can be asked for it."""


async def _verified(site: Site, wanted: Wanted, args: argparse.Namespace) -> Any:
    """Inside the daemon where one runs, else alone."""
    from derctl.store.folder import AlreadyRunning

    voice, over = Terminal(sys.stderr if args.json else sys.stdout), ended_by()
    if wanted.kill:
        from derctl.cli.killing import killed

        return await killed(site, wanted, voice, over)
    try:
        work = verified(site, lambda: proving(site, voice.say), wanted, voice, lambda known: None)
        return await over.of(work)
    except AlreadyRunning as error:
        try:
            return await within(Path(site.file.site.socket), "verify", _plain(wanted), voice, over)
        except LinkError as gone:
            raise Held(f"{error}: {STOP} ({gone})") from None


def _plain(wanted: Wanted) -> dict[str, Any]:
    import msgspec

    made: dict[str, Any] = msgspec.to_builtins(wanted)
    return made


def _told(found: Any, args: argparse.Namespace) -> int:
    ders, contract, waits_for = found["ders"], found["contract"], found["waits_for"]
    if args.json:
        print(json.dumps({"ders": ders, "contract": contract, "waits_for": waits_for}))
    else:
        print(page([clean(contract["text"])]))
        said = f"control still waits for a proof: derctl verify {' '.join(waits_for)}" if waits_for else ALL
        print(page([clean(said)]))
    proven = len(ders) == found["of"] and all(each["verdict"] in ON_RECORD for each in ders.values())
    return OK if proven and contract["holds"] else NO
