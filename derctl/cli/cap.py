"""`derctl cap export 3kW import 8kW 2h`: the most that the site exports, draws or generates, for a time."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from derctl.cli.amounts import duration_s, power_w
from derctl.cli.local import add_socket, admitted, call
from derctl.cli.plain import Clockface, page, watts

HOUR_S = 3600.0
WHAT = ("export", "import", "generation")


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    add_socket(parser)
    parser.add_argument(
        "words",
        nargs="+",
        metavar="WORD",
        help="export, import or generation, each with a power (3000, 3kW), and a time (90s, 10m, 2h; default 1h)",
    )
    parser.add_argument(
        "--grid", action="store_true", help="by the grid operator's word (rank 40), not the owner's (rank 50)"
    )


def run(args: argparse.Namespace) -> int:
    """0 if admitted."""
    limits, for_s = sorted_out(args.words)
    state = call(args, "status")
    given: dict[str, object] = {f"{what}_w": limit_w for what, limit_w in limits.items()}
    call(args, "grid_limit" if args.grid else "owner_limit", given | {"expires_s": for_s})
    caps = ", ".join(f"{what} {watts(limit_w)}" for what, limit_w in limits.items())
    text = f"the site at most {caps} until {Clockface(state['t']).ahead(for_s)}"
    print(page([admitted(text, state)]))
    return 0


def sorted_out(words: Sequence[str]) -> tuple[dict[str, float], float]:
    """What is limited to how much, and for how long. Raises ArgumentError."""
    limits: dict[str, float] = {}
    for_s, what = None, ""
    for word in words:
        limit_w, time_s = power_w(word), duration_s(word)
        if word in WHAT and word not in limits and not what:
            what = word
        elif what and limit_w is not None:
            limits[what], what = limit_w, ""
        elif not what and time_s and for_s is None:
            for_s = time_s
        else:
            raise argparse.ArgumentError(None, f"{word!r} is not understood there, as in: export 3kW import 8kW 2h")
    if what or not limits:
        raise argparse.ArgumentError(None, f"how much {what or 'of what'}? As in: export 3kW import 8kW 2h")
    return limits, HOUR_S if for_s is None else for_s
