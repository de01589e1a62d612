"""`make hunting`: loops that hunt on a weak grid, and calm houses that are left alone."""

import argparse
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

from tests.hunting import claimed, grids
from tests.hunting.cases import table


def _lines(of: Callable[..., Iterable[str]], *given: Any) -> list[str]:
    """In a process of its own."""
    return list(of(*given))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--houses", type=int, default=24)
    parser.add_argument("--hours", type=float, default=4.0)
    parser.add_argument("--seeds", type=int, default=50)
    given = parser.parse_args()
    with ProcessPoolExecutor() as pool:
        known = pool.submit(_lines, grids.table, given.seeds, 10.0)
        lied = pool.submit(_lines, claimed.table, given.seeds)
        hunted = pool.submit(_lines, table, given.houses, given.hours)
        print("known, within 25 %, ever wrong by more than 2:", *known.result(), sep="\n", flush=True)
        print("liars, suspected by a voltage:", *lied.result(), sep="\n", flush=True)
        print(*hunted.result(), sep="\n", flush=True)
