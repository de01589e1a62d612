"""`python -m witness`: prints who judged what. Exit 1: somebody sees something else than derctl."""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from hil import certificates
from witness import assistant, brokers, clients, control, devices, images, registers
from witness.judge import Judges, versions
from witness.verdict import Row, failed, table

NO_PYTHON = "no Python 3.12 or newer on this machine (tools/find-python.sh)"
NO_312 = "no Python 3.12 on this machine (tools/find-python.sh)"
NO_DUMPS = "no recorded registers: DERCTL_DUMPS names their folder"


async def rows_of(judges: Judges, folder: Path) -> list[Row]:
    """All that can be judged here, and a row for each that can't."""
    rig = images.bench()
    await rig.start()
    try:
        made = images.made(rig)
        rows = await clients.by_mbpoll(rig)
        if judges.python is None:
            cases = (*clients.CASES, *registers.CASES)
            names = ("tmodbus", *dict.fromkeys(case.library for case in cases))
            return [*rows, *(Row(judge=name, wire="", what="", why_not=judges.why_not) for name in names)]
        rows += await clients.judged(judges, rig)
        rows += await registers.judged(judges)
        recorded = images.recorded()
        for what, several in ((f"{len(made)} made devices", made), (f"{len(recorded)} recorded devices", recorded)):
            if several:
                rows += await devices.judged(judges, several, f"{what}", folder, rig.papers)
            else:
                rows.append(Row(judge="tmodbus", wire="", what="recorded devices", why_not=NO_DUMPS))
        return [*rows, *await control.judged(judges, {**made, **recorded}, folder, rig.papers)]
    finally:
        await rig.stop()


def main(argv: list[str] | None = None) -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(prog="python -m witness", description=__doc__)
    parser.add_argument("--judges", metavar="PYTHON", help="of the environment with witness/requirements.lock")
    parser.add_argument("--home-assistant", metavar="PYTHON", help="of the one with witness/home_assistant.lock")
    args = parser.parse_args(argv)
    if certificates.program() is None:
        print("openssl is not installed", file=sys.stderr)
        return 2
    judges = Judges(python=None if args.judges is None else Path(args.judges), why_not=NO_PYTHON)
    with tempfile.TemporaryDirectory(prefix="witness-") as folder:
        rows = asyncio.run(rows_of(judges, Path(folder)))
        home = None if args.home_assistant is None else Path(args.home_assistant)
        rows += asyncio.run(assistant.judged(home, Path(folder), NO_312))
        rows += asyncio.run(brokers.judged(Path(folder)))
    print(table(rows, versions()))
    if any(row.why_not for row in rows):
        print("\nNOT JUDGED by all: see above")
    return 1 if failed(rows) else 0


if __name__ == "__main__":
    sys.exit(main())
