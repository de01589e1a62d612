"""`derctl limit 3000 pv1 10m`: the most that a DER or the site may give, for a time. Any order."""

from __future__ import annotations

import argparse

from derctl.cli.amounts import seconds, wanted
from derctl.cli.local import add_socket, admitted, call, known_der
from derctl.cli.plain import Clockface, page, watts
from derctl.core.text import clean

HOUR_S = 3600.0


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    add_socket(parser)
    parser.add_argument(
        "words",
        nargs="+",
        metavar="WORD",
        help="a power (3000, 3000W, 3kW), a DER (none: the whole site), a time (90s, 10m, 2h, 1h30m; default 1h)",
    )
    parser.add_argument("--der", help="the DER, where its name could be taken for a power or a time")
    parser.add_argument("--for", dest="for_s", type=seconds, metavar="TIME", help="the time")


def run(args: argparse.Namespace) -> int:
    """0 if admitted; what the device does is in `status`."""
    state = call(args, "status")
    wish = wanted(args.words, () if args.der else state["ders"])
    given = [given for given in (wish.der, args.der) if given is not None]
    if len(given) > 1 or (wish.for_s is not None and args.for_s is not None):
        raise argparse.ArgumentError(None, "the DER or the time is given twice")
    der = known_der(given[0], state) if given else None
    for_s = wish.for_s or args.for_s or HOUR_S
    answer = str(call(args, "limit_power", {"p_ceiling_w": wish.power_w, "der": der, "expires_s": for_s}))
    face = Clockface(state["t"])
    text = admitted(f"{der or 'the site'} at most {watts(wish.power_w)} until {face.ahead(for_s)}", state)
    _, besides, tighter = clean(answer).partition("; ")  # before it stands until when, in another zone
    print(page([text + besides + tighter]))
    return 0
