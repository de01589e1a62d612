"""`derctl release`: each DER that derctl wrote to its declared fallback, through the daemon if it runs."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from derctl.cli.amounts import seconds
from derctl.cli.exits import BUSY, CONFIG, NO, OK
from derctl.cli.local import add_config, config_of
from derctl.cli.plain import page
from derctl.cli.standing import (
    LIFT,
    NEVER,
    NO_RECORD,
    NOT_RUN,
    NOTHING,
    all_released,
    kept,
    settled,
    standing,
    waits,
    word_of,
)
from derctl.core.text import error_text
from derctl.core.words import Record, Released
from derctl.errors import CommandError, LinkError
from derctl.links.local import ask
from derctl.site import Site, load


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    add_config(parser)
    parser.add_argument("--list", action="store_true", help="only say what is not given back yet; nothing is written")
    parser.add_argument("--lift", action="store_true", help="raise limits to the fallback, too, instead of standing")
    parser.add_argument("--within", type=seconds, default=2.0, metavar="TIME", help="time for all of it (default 2s)")
    parser.add_argument("--json", action="store_true", help="for programs")


def run(args: argparse.Namespace) -> int:
    """0 if all were released; 1 if one could not be reached (it is left to its reversion) or refused.

    With --list: 0 if nothing is left to release, 1 if something is, or derctl is in control.
    """
    site = load(config_of(args))
    from derctl.store.folder import AlreadyRunning

    ran, lacking = Path(site.file.site.state_dir).exists(), _lacking(site)
    try:
        if args.list:
            return _listed(site, lacking, ran=ran, as_json=args.json)
        found = asyncio.run(_release(site, lift=args.lift, seconds=args.within))
    except AlreadyRunning as error:
        print(f"{error}, which does not answer at {site.file.site.socket}", file=sys.stderr)
        return BUSY
    except OSError as error:
        print(f"state_dir: {error_text(error)}", file=sys.stderr)
        return CONFIG
    print(json.dumps(found) if args.json else page(_said(found, site, lacking, lift=args.lift)))
    return OK if all_released(found, ran=ran) else NO


def _listed(site: Site, lacking: str, *, ran: bool, as_json: bool) -> int:
    """Without a daemon the devices are read, and nothing is written."""
    from derctl.store.folder import Folder
    from derctl.store.journal import Book, Journal, Left

    folder = Folder(Path(site.file.site.state_dir), Path(site.file.site.socket).parent)
    journal, left = Journal(folder), Left(folder)
    books: tuple[Book, ...] = (journal, left)
    for each in books:
        try:
            each.load()
        except ValueError as error:
            _unreadable(site, f"{each.file}: {error}")
    limits = {name: entry for name, entry in left.entries.items() if isinstance(entry, dict)}
    state = _state(site) or _looked_at(site)
    ders, fallbacks = state["ders"], _fallbacks(site)
    found = {name: der["standing"] for name, der in ders.items() if der.get("standing")}
    _known(found.values(), lacking)
    entries = journal.entries | {
        name: {"since": None}
        for name, each in found.items()
        if each["record"] == Record.WRITTEN and name not in journal.entries
    }
    if as_json:
        told = {"mode": state.get("mode"), "written": entries, "standing": limits, "stands": found}
        print(json.dumps(told))
    else:
        missing = lacking == NEVER or any(each["record"] == Record.MISSING for each in found.values())
        print(page(kept(entries, limits, state, fallbacks, lacking=lacking if missing else None)))
    open_ = any(waits(each, fallbacks[name], ran=ran) for name, each in found.items())
    return NO if state.get("mode") == "control" or entries or open_ else OK


def _lacking(site: Site) -> str:
    """What there is to say where no record of what was written is there."""
    from derctl.store.folder import Folder
    from derctl.store.state import wrote_never

    path = Path(site.file.site.state_dir)
    if not path.exists():
        return NOT_RUN
    return NEVER if wrote_never(Folder(path, Path(site.file.site.socket).parent)) else NO_RECORD


def _known(found: Iterable[dict[str, Any]], lacking: str) -> None:
    """Where it is known that derctl never wrote, no record is missing."""
    for each in found:
        if lacking == NEVER and each["record"] == Record.MISSING:
            each["record"] = Record.NOTHING


def _unreadable(site: Site, text: str) -> None:
    """text: begins with the file's name."""
    from derctl.store.journal import LEFT

    left = text.startswith(LEFT)
    what = "what releases left is not known" if left else "what was written is not known, so every DER counts"
    print(f"{site.file.site.state_dir}/{text}: {what}", file=sys.stderr)


def _looked_at(site: Site) -> dict[str, Any]:
    """As much of `status` as can be told without a daemon."""
    from derctl.daemon.actuate.rescue import look

    found = asyncio.run(look(site))
    ders = {
        name: {"state": "ok" if heard else "unreachable", "standing": asdict(each)}
        for name, (each, heard) in found.items()
    }
    return {"ders": ders}


def _said(found: dict[str, Any], site: Site, lacking: str, *, lift: bool) -> list[str]:
    state = _state(site, after=True)
    of = [*found.values(), *(state or {"ders": {}})["ders"].values()]
    _known((each["standing"] for each in of if isinstance(each, dict) and each.get("standing")), lacking)
    lines = standing(found, {} if state is None else state["ders"], _fallbacks(site))
    if lift and lines[-1:] == [LIFT]:
        lines.pop()
    if all(word_of(result) == Released.NOT_WRITTEN for result in found.values()):
        records = [(result.get("standing") or {}).get("record") for result in found.values()]
        never = NEVER if lacking == NEVER else NOTHING
        lines.insert(0, lacking if Record.MISSING in records else never)
    return lines


def _fallbacks(site: Site) -> dict[str, float | None]:
    return {der.id: der.fallback.p_ceiling_w for der in site.file.ders}


def _state(site: Site, *, after: bool = False) -> dict[str, Any] | None:
    """`status` of the running daemon; None where there is none. after: once the devices were read after a release."""

    def read() -> dict[str, Any]:
        return dict(asyncio.run(ask(Path(site.file.site.socket), "status")))

    try:
        return settled(read) if after else read()
    except (LinkError, CommandError):
        return None


async def _release(site: Site, *, lift: bool, seconds: float) -> dict[str, Any]:
    try:
        result: dict[str, Any] = await ask(
            Path(site.file.site.socket), "release", {"lift": lift}, seconds=seconds + 3.0
        )
    except LinkError:
        from derctl.daemon.actuate.rescue import rescue

        rescued = await rescue(site, lambda text: _unreadable(site, text), lift=lift, seconds=seconds)
        return {name: asdict(each) for name, each in rescued.items()}
    return dict(result)
