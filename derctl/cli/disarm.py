"""`derctl disarm`: from control to observing; what was written is released first."""

from __future__ import annotations

import argparse
import time
from typing import Any

from derctl.cli.exits import NO
from derctl.cli.local import add_socket, call
from derctl.cli.standing import all_released, results, standing

RELEASE_S = 10.0
READ_AGAIN = 2
"""Ticks after which what a device reads back is from after the release."""
READ_AGAIN_S = 5.0


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    add_socket(parser)


def run(args: argparse.Namespace) -> int:
    """0 if all were released; 1 if one could not be: the daemon tries again. Prints what stands in each DER."""
    said = call(args, "disarm", seconds=RELEASE_S)
    found = results(said)
    print("disarmed: nothing is written any more")
    print("\n".join(standing(found, _settled(args)["ders"])))
    return 0 if all_released(found) else NO


def _settled(args: argparse.Namespace) -> dict[str, Any]:
    """The state once the devices were read again, or as it is when that takes too long."""
    state: dict[str, Any] = call(args, "status")
    goal, ends_s = state["loop"]["ticks"] + READ_AGAIN, time.monotonic() + READ_AGAIN_S
    while state["loop"]["ticks"] < goal and time.monotonic() < ends_s:
        time.sleep(0.1)
        state = call(args, "status")
    return state
