"""`derctl release`: each DER that derctl wrote to its declared fallback, through the daemon if it runs."""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec

from derctl.cli.amounts import seconds
from derctl.cli.exits import BUSY, CONFIG, NO
from derctl.cli.local import add_config, config_of
from derctl.cli.standing import LIFT, all_released, settled, standing
from derctl.core.text import error_text
from derctl.errors import CommandError, LinkError
from derctl.links.local import ask
from derctl.site import Site, load


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    add_config(parser)
    parser.add_argument("--lift", action="store_true", help="raise limits to the fallback, too, instead of standing")
    parser.add_argument("--within", type=seconds, default=2.0, metavar="TIME", help="time for all of it (default 2s)")
    parser.add_argument("--json", action="store_true", help="for programs")


def run(args: argparse.Namespace) -> int:
    """0 if all were released; 1 if one could not be reached (it is left to its reversion) or refused."""
    site = load(config_of(args))
    from derctl.store.folder import AlreadyRunning

    try:
        found = asyncio.run(_release(site, lift=args.lift, seconds=args.within))
    except AlreadyRunning as error:
        print(f"{error}, which does not answer at {site.file.site.socket}", file=sys.stderr)
        return BUSY
    except OSError as error:
        print(f"state_dir: {error_text(error)}", file=sys.stderr)
        return CONFIG
    except msgspec.DecodeError as error:
        print(f"{site.file.site.state_dir}/written.json: {error}: what was written is not known", file=sys.stderr)
        return NO
    print(json.dumps(found) if args.json else "\n".join(_said(found, site, lift=args.lift)))
    return 0 if all_released(found) else NO


def _said(found: dict[str, Any], site: Site, *, lift: bool) -> list[str]:
    lines = standing(found, _ders(site), {der.id: der.fallback.p_ceiling_w for der in site.file.ders})
    if lift and lines[-1:] == [LIFT]:
        lines.pop()
    if not found:
        lines.insert(0, "nothing to release: derctl has written nothing that it has not given back")
    return lines


def _ders(site: Site) -> dict[str, Any]:
    """The DERs as a running daemon sees them now; none where there is no daemon."""
    try:
        state = settled(lambda: asyncio.run(ask(Path(site.file.site.socket), "status")))
    except (LinkError, CommandError):
        return {}
    return dict(state["ders"])


async def _release(site: Site, *, lift: bool, seconds: float) -> dict[str, Any]:
    try:
        result: dict[str, Any] = await ask(
            Path(site.file.site.socket), "release", {"lift": lift}, seconds=seconds + 3.0
        )
    except LinkError:
        from derctl.daemon.actuate.rescue import rescue

        rescued = await rescue(site, lift=lift, seconds=seconds)
        return {name: asdict(each) for name, each in rescued.items()}
    return dict(result)
