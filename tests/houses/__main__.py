"""`python -m tests.houses [--houses 50] [--starts 1000] [--first 0]`: what meters are believed (`make houses`)."""

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from tests.houses import dark, loops, still, stores
from tests.houses.kinds import starts, table
from tests.houses.phases import table as of_phases

CHUNK = 8
"""Houses that a process takes at a time."""


def main() -> int:
    """Line by line, as they are found. 1 where a kind of wrong meter is proven too often."""
    parser = argparse.ArgumentParser(prog="python -m tests.houses", description=__doc__)
    parser.add_argument("--houses", type=int, default=50, help="of each kind; their seeds are FIRST, FIRST + 1, ...")
    parser.add_argument("--starts", type=int, default=0, help="of each kind of wrong meter, of ten minutes")
    parser.add_argument(
        "--first", type=int, default=0, help="the first seed: others than those that the code was tried on"
    )
    args, enough = parser.parse_args(), True
    seeds, runs = range(args.first, args.first + args.houses), range(args.first, args.first + args.starts)
    with ProcessPoolExecutor() as pool:
        for line in table(seeds, pool.map):
            print(line, flush=True)
        for line in still.table(seeds, pool.map):
            print(line, flush=True)
        for line in of_phases(seeds, pool.map):
            print(line, flush=True)
        for line in dark.table(seeds, pool.map):
            print(line, flush=True)
        for line in stores.table(seeds, pool.map):
            print(line, flush=True)
        for line in loops.table(seeds, pool.map):
            print(line, flush=True)
        for line, well in starts(runs, partial(pool.map, chunksize=CHUNK)) if args.starts else ():
            print(line, flush=True)
            enough = enough and well
    return 0 if enough else 1


if __name__ == "__main__":
    sys.exit(main())
