"""`derctl scan`: who answers, as what derctl can use it, and what to write into the site file.

Reads only. One unit is looked at closely, and its chain walked once; of several places each unit is asked.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import Any

from derctl.cli import maps, signature, swept
from derctl.cli.certified import certificate_at, role_text
from derctl.cli.look import BASES, PLACES, UNIT_HINT, Pulse, add_asking, ask, heading, sunspec
from derctl.cli.proposal import site_rows, timeout_of
from derctl.cli.sought import Sought, sought
from derctl.commission.described import UNSTATED
from derctl.commission.looking import Found, Shelf, looked
from derctl.core.text import clean
from derctl.daemon.kinds import KINDS
from derctl.devices import Options, Profile
from derctl.errors import BusTimeout
from derctl.links.models import model
from derctl.site import known_profiles


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    more = (
        "; also several of them, 192.168.1.0/24 or 192.168.1.10-20, where each unit id, port and baud rate is tried"
    )
    parser.add_argument("places", type=sought, nargs="*", metavar="PLACE", help=PLACES + more)
    add_asking(parser, usual=None)
    swept.add_options(parser)
    maps.add_folder(parser)
    parser.add_argument("--v-nom", type=float, default=230.0, help="nominal phase-to-neutral voltage, V")


def run(args: argparse.Namespace) -> int:
    """One unit of one place closely, or all of a sweep."""
    known = known_profiles(args.profiles)
    profile = Profile(max_regs=args.max_regs, bases=tuple(args.base or BASES))
    options = Options(profile=profile, v_nom_v=args.v_nom, declared=UNSTATED)
    shelf = Shelf(profiles=known, kinds=KINDS, find=sunspec)
    if not alone(args):
        return swept.sweep(args, options, shelf)
    [only] = args.places
    args.endpoint, given = only.place, args.unit
    args.unit = 1 if given is None else given
    try:
        found, pulse = ask(args, looked(options, shelf))
    except BusTimeout as error:
        if given is not None or UNIT_HINT not in str(error):
            raise
        raise BusTimeout(f"{error}; derctl scan {only.word} --units usual asks the others") from error
    if isinstance(found, tuple):
        return signature.shown(args, found, pulse)
    rows = site_rows(args.endpoint, args.unit, found.uses, known[found.profile], pulse, args.header)
    deadline_s = timeout_of(known[found.profile], pulse)
    role = certificate_at(args.cert) if args.cert is not None else None
    if args.json:
        said = _summary(found) | {"sections": found.sections, "kinds": found.kinds, "profile": found.profile}
        said |= {"site_file": rows, "answers": pulse.answers, "slowest_s": round(pulse.slowest_s, 3)}
        said |= {"timeout_s": deadline_s} | ({} if role is None else {"role": role.role})
        print(json.dumps(said, indent=2))
        return 0
    over = [] if role is None else [f"over TLS, {role_text(role)}"]
    ends = _ending(found.profile, pulse, deadline_s, rows)
    print(
        "\n".join([heading(found.layout.identity, args.unit, found.layout.chain.base), *over, *_lines(found), *ends])
    )
    return 0


def _ending(profile: str, pulse: Pulse, deadline_s: float | None, rows: list[str]) -> list[str]:
    """How it answers, and what goes into the site file."""
    lines = [f"profile {profile}; {pulse.answers} answers, the slowest after {pulse.slowest_s:.2f} s"]
    if deadline_s is not None:
        lines.append(f"  ! answers take up to {pulse.slowest_s:.1f} s: the site file needs timeout_s: {deadline_s:g}")
    return [*lines, "\nfor the site file:", *rows] if rows else lines


def alone(args: argparse.Namespace) -> bool:
    """Whether one unit of one place is meant: a host without a port, and a serial port without a baud rate, is one
    with a unit id."""
    words: list[Sought] = args.places
    if len(words) != 1 or words[0].place is None or swept.wanted(args):
        return False
    return words[0].exact or args.unit is not None


def _lines(found: Found) -> list[str]:
    chain = found.layout.chain
    lines = [f"  {b.address:>6}  {b.model_id:>5}  L={b.length:<5} {_label(b.model_id)}" for b in chain.blocks]
    lines += [f"  ! {clean(problem)}" for problem in chain.problems]
    if not chain.ended:
        lines.append("  ! the chain was not followed to its end: what is behind it was not seen; scan again")
    if len(found.seen) > 1:
        lines += [clean(str(seen)) for seen in found.seen]
    for kind, row in found.kinds.items():
        several = [use for use in found.uses if use.kind == kind and use.needed]
        lines += [f"as {kind}, section {use.seen.section.index}: {use.row['text']}" for use in several]
        lines += [] if several else [f"{'as' if row['usable'] else 'not as'} {kind}: {row['text']}"]
        if row.get("fallback"):
            lines.append(f"  fallback.by {row['fallback']['by']}: {row['fallback']['why']}")
    return [*lines, *_own(found)]


def _own(found: Found) -> list[str]:
    """By its maker's own registers, beside its chain."""
    lines = []
    for fit in found.own:
        lines.append("its chain does not tell of its battery, its maker's own registers do:")
        lines.append(f"as {fit.kind}, profile {fit.profile.name}: {clean(str(fit.row['text']))}")
        if fit.row.get("fallback"):
            lines.append(f"  fallback.by {fit.row['fallback']['by']}: {fit.row['fallback']['why']}")
    return lines


def _summary(found: Found) -> dict[str, Any]:
    layout = found.layout
    chain = layout.chain
    models = [
        {
            "model": block.model_id,
            "address": block.address,
            "length": block.length,
            "label": _label(block.model_id),
        }
        for block in chain.blocks
    ]
    return {
        "identity": asdict(layout.identity),
        "base": chain.base,
        "repaired": chain.repaired,
        "ended": chain.ended,
        "problems": list(chain.problems),
        "models": models,
        **({"maps": {fit.profile.name: {fit.kind: fit.row} for fit in found.own}} if found.own else {}),
    }


def _label(model_id: int) -> str:
    known = model(model_id)
    return "vendor model without a public definition" if known is None else known.label or known.name
