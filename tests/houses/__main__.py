"""`python -m tests.houses [--houses 50] [--today]`: the table of what meters are believed to be (`make houses`)."""

import argparse
from concurrent.futures import ProcessPoolExecutor

from tests.houses.kinds import table


def main() -> None:
    """Line by line, as they are found."""
    parser = argparse.ArgumentParser(prog="python -m tests.houses", description=__doc__)
    parser.add_argument("--houses", type=int, default=50, help="of each kind; their seeds are 0, 1, ...")
    parser.add_argument("--today", action="store_true", help="the law as it runs, without core/belief.py")
    args = parser.parse_args()
    with ProcessPoolExecutor() as pool:
        for line in table(args.houses, pool.map, today=args.today):
            print(line, flush=True)


if __name__ == "__main__":
    main()
