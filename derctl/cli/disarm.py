"""`derctl disarm`: from control to observing; what was written is released first."""

from __future__ import annotations

import argparse

from derctl.cli.exits import NO
from derctl.cli.local import add_socket, call
from derctl.cli.plain import page
from derctl.cli.standing import all_released, results, settled, standing

RELEASE_S = 10.0


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    add_socket(parser)


def run(args: argparse.Namespace) -> int:
    """0 if all were released; 1 if one could not be: the daemon tries again. Prints what stands in each DER."""
    said = call(args, "disarm", seconds=RELEASE_S)
    found = results(said)
    print("disarmed: nothing is written any more")
    print(page(standing(found, settled(lambda: call(args, "status"))["ders"])))
    return 0 if all_released(found) else NO
