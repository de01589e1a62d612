"""`python -m hil`: run, list and serve scenarios."""

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path

from hil.rig import Rig
from hil.scenario import load

SHELF = Path(__file__).parent / "scenarios"


def scenario_path(name: str) -> Path:
    """A file, or the name of one on the shelf."""
    path = Path(name)
    return path if path.exists() else SHELF / f"{name.removesuffix('.yaml')}.yaml"


async def serve(args: argparse.Namespace) -> int:
    """Plant and servers only."""
    scenario = load(scenario_path(args.file))
    rig = Rig(scenario)
    await rig.start()
    with tempfile.TemporaryDirectory(prefix="hil-") as directory:
        site = rig.site_file(Path(directory))
        text = json.dumps({"ports": rig.ports(), "site_file": str(site), "directory": directory})
        print(text, flush=True)
        if args.ports_file:
            Path(args.ports_file).write_text(text + "\n", encoding="utf-8")
        try:
            await rig.run(args.seconds if args.seconds is not None else float("inf"))
        finally:
            await rig.stop()
    return 0


def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m hil", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    serving = verbs.add_parser("serve", help="plant and servers without a controller")
    serving.add_argument("file")
    serving.add_argument("--ports-file")
    serving.add_argument("--for", dest="seconds", type=float)
    args = parser.parse_args(argv)
    try:
        return asyncio.run(serve(args))
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
