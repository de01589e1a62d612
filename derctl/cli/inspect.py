"""`derctl inspect`: all that one device says, what derctl can do with it, and what its profile brings. Reads only."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from derctl.cli import maps, profiles
from derctl.cli import read as points
from derctl.cli.look import BASES, Pulse, add_endpoint, ask, heading, sunspec
from derctl.cli.plain import wrapped
from derctl.commission.beneath import Beneath
from derctl.commission.described import UNSTATED, Row
from derctl.commission.looking import Found, Shelf, looked
from derctl.commission.signature import Fit
from derctl.core.exchange import Exchange
from derctl.core.text import clean
from derctl.daemon.kinds import KINDS
from derctl.devices import Identity, Options, Profile
from derctl.devices.lengths import Lengths, limited
from derctl.errors import BusError, DeviceError
from derctl.site import known_profiles

Tables = list[dict[str, Any]]


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    add_endpoint(parser)
    maps.add_folder(parser)
    parser.add_argument("--v-nom", type=float, default=230.0, help="nominal phase-to-neutral voltage, V")
    parser.add_argument("--all", action="store_true", help="show points that are not implemented, too")


def run(args: argparse.Namespace) -> int:
    """Print all of it."""
    known = known_profiles(args.profiles)
    options = Options(
        profile=Profile(max_regs=args.max_regs, bases=tuple(args.base or BASES)),
        v_nom_v=args.v_nom,
        declared=UNSTATED,
    )
    shelf = Shelf(profiles=known, kinds=KINDS, find=sunspec)
    (found, tables, problem), pulse = ask(args, everything(options, shelf))
    if args.json:
        print(json.dumps(said(found, tables, problem, known), indent=2))
        return 0
    for line in page(args, found, pulse, known):
        print(line)
    print("\nwhat it says:")
    for line in shown(tables, every=args.all):
        print(line)
    if problem:
        print(f"  ! {clean(problem)}")
    return 0


Told = tuple[Found | tuple[Fit, ...], Tables, str]
"""What it is, each model or map with its points, and what could not be read."""


def everything(options: Options, shelf: Shelf) -> Exchange[Told]:
    """First who it is, then all of its registers that have a name. Raises NotRecognised."""
    found = yield from looked(options, shelf)
    try:
        if isinstance(found, tuple):
            tables: Tables = []
            for fit in found:
                told = yield from maps.told(fit.profile, options.profile.max_regs)
                tables.append({"map": fit.profile.name, "lines": list(told.rows)})
            return found, tables, ""
        lengths = Lengths(options.profile.max_regs)
        _, tables = yield from lengths.learn(lambda most: points.tables_of(limited(options, most), ()))
        return found, tables, ""
    except (BusError, DeviceError) as error:
        return found, [], f"not all of it could be read: {error}"


def rows_of(found: Found | tuple[Fit, ...]) -> list[tuple[str, Row]]:
    """Each kind that it can be used as."""
    if isinstance(found, tuple):
        return [(fit.kind, fit.row) for fit in found if fit.row["usable"]]
    return [(use.kind, use.row) for use in found.uses]


def profile_of(found: Found | tuple[Fit, ...], known: dict[str, Profile]) -> Profile:
    return found[0].profile if isinstance(found, tuple) else known[found.profile]


def identity_of(found: Found | tuple[Fit, ...]) -> Identity:
    return found[0].identity if isinstance(found, tuple) else found.layout.identity


def said(found: Found | tuple[Fit, ...], tables: Tables, problem: str, known: Any) -> Row:
    """For programs."""
    profile = profile_of(found, known)
    stands = Beneath() if isinstance(found, tuple) else found.beneath
    return {
        "identity": asdict(identity_of(found)),
        "profile": profile.name,
        "quirks": list(profile.about.notes),
        "failsafe": profile.about.failsafe,
        "max_clients": profile.max_clients,
        "unconfirmed": profiles.unconfirmed(profile),
        "kinds": dict(rows_of(found)),
        "beneath": asdict(stands),
        "tables": tables,
        "problem": problem,
    }


def page(args: argparse.Namespace, found: Found | tuple[Fit, ...], pulse: Pulse, known: Any) -> Iterator[str]:
    """Who, as what, and with which habits."""
    identity, profile = identity_of(found), profile_of(found, known)
    if isinstance(found, tuple):
        yield f"{identity.name}  serial {identity.serial or 'not told'}  unit {args.unit}  by its register map"
    else:
        yield heading(identity, args.unit, found.layout.chain.base)
        yield f"models: {', '.join(str(block.model_id) for block in found.layout.chain.blocks)}"
    yield f"{pulse.answers} answers, the slowest after {pulse.slowest_s:.2f} s"
    yield "\nwhat derctl can do with it:"
    for kind, row in rows_of(found):
        yield from wrapped(clean(f"as {kind}: {row['text']}"), "  ", "    ")
        yield from wrapped(failsafe(row), "    ", "      ") if row.get("fallback") else ()
        for text in standing(row):
            yield from wrapped(text, "    ", "      ")
    if not rows_of(found):
        yield "  nothing: no kind of device fits it"
    if not isinstance(found, tuple):
        yield from wrapped(beneath_text(found.beneath), "  ", "    ") if found.beneath.set_w else ()
    yield "\nwhat is known of its kind:"
    fits = [fit.profile for fit in found] if isinstance(found, tuple) else [profile, *_own(found)]
    for each in fits:
        yield from known_of(each)


def _own(found: Found) -> list[Profile]:
    """Its maker's own registers, beside its chain."""
    return [fit.profile for fit in found.own]


def known_of(profile: Profile) -> Iterator[str]:
    """Its habits, each with who says it."""
    about = profile.about
    yield f"  profile {profile.name}: {about.title}"
    for head, text in (("reads", about.reads), ("controls", about.controls), ("fail-safe", about.failsafe)):
        yield from wrapped(text, f"    {head:<10} ")
    for key in profile.facts:
        yield from wrapped(f"{key}: {profiles.value_of(profile, key)}", "    ", "      ")
    for note in about.notes:
        yield from wrapped(note, "    - ")


def failsafe(row: Row) -> str:
    """What holds it when derctl is silent."""
    advice = row["fallback"]
    return f"fail-safe: fallback.by {advice['by']} ({', '.join(advice['works'])} can be declared): {advice['why']}"


def standing(row: Row) -> Iterator[str]:
    """What somebody else does in it already."""
    if row.get("own_on"):
        yield f"it runs by itself: {', '.join(row['own_on'])} (derctl's own of these stay off)"
    rated_w = (row.get("rating") or {}).get("p_max_w", 0.0)
    if row.get("limit_w") is not None and row["limit_w"] < rated_w:
        yield f"a limit of {row['limit_w']:,.0f} W stands in it"


def beneath_text(stands: Beneath) -> str:
    """The setting that derctl never writes."""
    assert stands.set_w is not None
    rated = "" if stands.rated_w is None else f" of {stands.rated_w:,.0f} W rated"
    return f"beneath derctl it is set to {stands.set_w:,.0f} W at most{rated}, which derctl never writes"


def shown(tables: Tables, *, every: bool) -> Iterator[str]:
    """Points and lines with their units."""
    for table in tables:
        if "map" in table:
            yield f"map {table['map']}"
            yield from map(maps.line_of, table["lines"])
        else:
            yield from points.lines_of(table, every=every)
