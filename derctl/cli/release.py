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

from derctl.cli.exits import BUSY, CONFIG, NO
from derctl.errors import LinkError
from derctl.links.local import ask
from derctl.site import Site, load


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    parser.add_argument("-c", "--config", type=Path, required=True, help="the site file")
    parser.add_argument("--lift", action="store_true", help="raise limits to the fallback, too, instead of standing")
    parser.add_argument("--within", type=float, default=2.0, metavar="S", help="time for all of it (default 2 s)")
    parser.add_argument("--json", action="store_true", help="for programs")


def run(args: argparse.Namespace) -> int:
    """0 if all were released; 1 if one could not be reached (it is left to its reversion) or refused."""
    site = load(args.config)
    from derctl.store.folder import AlreadyRunning

    try:
        result = asyncio.run(_release(site, lift=args.lift, seconds=args.within))
    except AlreadyRunning as error:
        print(f"{error}, which does not answer at {site.file.site.socket}", file=sys.stderr)
        return BUSY
    except OSError as error:
        print(f"state_dir: {error}", file=sys.stderr)
        return CONFIG
    except msgspec.DecodeError as error:
        print(f"{site.file.site.state_dir}/written.json: {error}: what was written is not known", file=sys.stderr)
        return NO
    if args.json:
        print(json.dumps(result))
    else:
        for der_id, each in result.items():
            print(f"{der_id}: {each['text'] or each['result']}")
        if not result:
            print("nothing to release: derctl has written nothing")
    return 0 if all(each["result"] == "released" for each in result.values()) else NO


async def _release(site: Site, *, lift: bool, seconds: float) -> dict[str, Any]:
    try:
        result: dict[str, Any] = await ask(
            Path(site.file.site.socket), "release", {"lift": lift}, seconds=seconds + 3.0
        )
    except LinkError:
        from derctl.daemon.actuate.rescue import rescue

        rescued = await rescue(site, lift=lift, seconds=seconds)
        return {name: asdict(each) for name, each in rescued.items()}
    return result
