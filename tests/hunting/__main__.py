"""`make hunting`: loops that hunt on a weak grid, and calm houses that are left alone."""

import argparse

from tests.hunting import claimed, grids
from tests.hunting.cases import table

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--houses", type=int, default=24)
    parser.add_argument("--hours", type=float, default=4.0)
    parser.add_argument("--seeds", type=int, default=50)
    given = parser.parse_args()
    print("known, within 25 %, ever wrong by more than 2:")
    for line in grids.table(given.seeds, 10.0):
        print(line, flush=True)
    print("liars, suspected by a voltage:")
    for line in claimed.table(given.seeds):
        print(line, flush=True)
    for line in table(given.houses, given.hours):
        print(line, flush=True)
