"""`derctl check`: a site file without its devices."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import Any

from derctl.cli.exits import CONFIG, NO
from derctl.cli.local import add_config, config_of
from derctl.cli.plain import wrapped
from derctl.cli.told import batteries, clock_of, commanders, limits_by
from derctl.core.freshness import Round, stale_s
from derctl.core.words import Contract, Without
from derctl.errors import ConfigError
from derctl.site import Absence, Site, absence_of, load, rounds_of
from derctl.site.absence import DerAbsence


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    add_config(parser)
    parser.add_argument("--json", action="store_true", help="for programs")


def run(args: argparse.Namespace) -> int:
    """0 if the file can be used, 1 if without derctl the site would break its contract whatever is found.

    A file that can't be used is an error for people and a list for programs.
    """
    path = config_of(args)
    try:
        site = load(path)
    except ConfigError as error:
        if not args.json:
            raise
        print(json.dumps({"problems": [asdict(problem) for problem in error.problems]}, indent=2))
        return CONFIG
    absence = absence_of(site.file.ders, {}, site.limit_w)
    if args.json:
        print(json.dumps(summarise(site, absence), indent=2))
    else:
        print("\n".join([f"{path}: {_found(site)}", *page(site, absence)]))
    return NO if absence.verdict is Contract.BROKEN else 0


def summarise(site: Site, absence: Absence) -> dict[str, Any]:
    """The same for programs."""
    return {
        "site": site.file.site.id,
        "mode": site.file.site.mode,
        "tick_s": site.file.site.tick_s,
        "problems": [],
        "questions": [asdict(question) for question in site.questions],
        "functions": functions_of(site),
        "buses": [asdict(each) for each in rounds_of(site)],
        "batteries": {der.id: asdict(limits_by(der)) for der in batteries(site)},
        "commanders": asdict(commanders(site)),
        "clock": asdict(clock_of(site)),
        "absent": {
            "by_der": absence.by_der,
            "unknown": list(absence.unknown),
            "ders": {der.id: asdict(der) for der in absence.ders},
            "least_w": absence.least_w,
            "most_w": absence.most_w,
            "limit_w": absence.limit_w,
            "contract": absence.verdict,
            "undecided": list(absence.undecided),
            "between": None if absence.between is None else asdict(absence.between),
            "text": verdict_text(absence),
        },
    }


def functions_of(site: Site) -> list[dict[str, Any]]:
    """In order of rank."""
    plan = site.plan
    rows: list[dict[str, Any]] = [
        {"rank": f.rank, "kind": f.kind, "ders": list(ids)} for f, ids in plan.der_functions
    ]
    rows += [{"rank": f.rank, "kind": f.kind, "ders": list(ids)} for f, ids in plan.site_functions]
    return sorted(rows, key=lambda row: row["rank"])


def page(site: Site, absence: Absence) -> list[str]:
    """Lines for people."""
    head = site.file.site
    lines = [
        *(f"  {question}" for question in site.questions),
        f"  site {head.id}, {head.mode} mode, tick {head.tick_s:g} s",
        *readings_text(site),
        "  functions, senior first:",
    ]
    for row in functions_of(site):
        lines += wrapped(", ".join(row["ders"]), f"    {row['rank']:>3}  {row['kind']:<22} ")
    lines.append("  without derctl, at most:")
    width = max((len(der.id) for der in absence.ders), default=0)
    for der in absence.ders:
        watts = "?" if der.p_w is None else f"{der.least_w:,.0f} W"
        lines += wrapped(how_text(der), f"    {der.id:<{width}} {watts:>10}  ")
    if absence.undecided and absence.limit_w is not None:
        lines += wrapped(f"decided when found: {', '.join(absence.undecided)}", "  ", "    ")
    lines += wrapped(verdict_text(absence), "  ", "    ")
    for battery in batteries(site):
        lines += wrapped(f"{battery.id}: {limits_by(battery).text}", "  ", "    ")
    lines += wrapped(f"who may command: {commanders(site).text}", "  ", "    ")
    clock = clock_of(site)
    return lines if clock.synced else [*lines, *wrapped(clock.text, "  ", "    ")]


def readings_text(site: Site) -> list[str]:
    """How long a reading counts: three ticks, more on a bus that needs longer for a poll."""
    rounds = rounds_of(site)
    usual_s = stale_s(site.file.site.tick_s, Round())
    lines = [f"  a reading counts for {usual_s:g} s"]
    for each in rounds:
        if each.stale_s > usual_s:
            text = f"bus {each.bus}: {each.stale_s:g} s, at a request each {each.min_interval_s:g} s and about"
            lines += wrapped(f"{text} {each.requests} for a poll", "    ", "      ")
        if each.too_slow:
            text = f"! bus {each.bus}: a poll takes about {each.poll_s:g} s, longer than a reading counts: control"
            text = f"{text} can't hold there. Spread its units over several buses, or lower min_interval_s"
            lines += wrapped(f"{text} where they allow it", "    ", "      ")
    most_s = max((each.stale_most_s for each in rounds), default=usual_s)
    meter = next((each for each in rounds if each.stale_most_s < most_s), None)
    if most_s > usual_s:
        than = "" if meter is None else f" ({meter.stale_most_s:g} s on the meter's bus)"
        lines += wrapped(f"where answers take longer: up to {most_s:g} s{than}", "    ", "      ")
    return lines


def _found(site: Site) -> str:
    if not site.questions:
        return "no problems"
    return (
        "no problems, 1 question:" if len(site.questions) == 1 else f"no problems, {len(site.questions)} questions:"
    )


def how_text(der: DerAbsence) -> str:
    """What makes it so, and what becomes of it where the device doesn't."""
    full = "its full rating" if der.most_w is None else f"{der.most_w:,.0f} W, its full rating"
    return {
        Without.TIMER: f"by its own timer after {der.after_s:g} s, if that has a target; else {full}",
        Without.STANDS: f"the last limit stands, if it takes one; else {full}",
        Without.DEVICE: "declared: a limit kept in the device",
        Without.NO_CEILING: f"{full}: no fallback.p_ceiling_w is declared",
        Without.NOT_WRITTEN: f"{full}: derctl doesn't write it",
    }.get(der.how, full)


def verdict_text(absence: Absence) -> str:
    """The sum against the contract."""
    total = f"{'at least ' if absence.unknown else ''}{absence.least_w:,.0f} W in all"
    if absence.limit_w is None:
        return f"{total}; no contract_export_limit stands against it"
    text = f"{total}, {absence.limit_w:,.0f} W allowed: the contract {_holds(absence)}"
    between = absence.between
    if between is None or absence.verdict is Contract.BROKEN:
        return text
    return f"{text}; but {between.text}"


def _holds(absence: Absence) -> str:
    if absence.verdict is Contract.BROKEN:
        return "is broken: control will be refused"
    if absence.verdict is Contract.HOLDS:
        return "holds"
    if absence.unknown:
        names = absence.unknown
        return f"is decided when {', '.join(names)} {'is' if len(names) == 1 else 'are'} found"
    open_ = [der for der in absence.ders if not der.settled]
    timers = ["each timer has its target"] if any(der.how is Without.TIMER for der in open_) else []
    takers = [der.id for der in open_ if der.how is Without.STANDS]
    limits = [f"{', '.join(takers)} {'takes' if len(takers) == 1 else 'take'} a limit"] if takers else []
    return f"holds, if {' and '.join((*timers, *limits))}"
