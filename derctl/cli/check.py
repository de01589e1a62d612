"""`derctl check`: a site file without its devices; `--live` goes to them (cli/live.py)."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from derctl.cli.amounts import seconds
from derctl.cli.certified import certificates, certificates_text
from derctl.cli.contacted import wired, wired_json
from derctl.cli.containing import containment_text, summands_text
from derctl.cli.exits import CONFIG, NO
from derctl.cli.habits import habits_of
from derctl.cli.headline import against, headline
from derctl.cli.local import add_config, config_of
from derctl.cli.plain import wrapped
from derctl.cli.planned import plan_json, plan_text
from derctl.cli.told import batteries, clock_of, commanders, limits_by
from derctl.core.containment import Budget
from derctl.core.freshness import Round, stale_s
from derctl.core.words import Contract, Without
from derctl.daemon.commands.rights import read
from derctl.errors import ConfigError
from derctl.functions.contract_export_limit import ContractExportLimit
from derctl.functions.fuse_limit import FuseLimit
from derctl.site import Absence, Site, absence_of, rounds_of
from derctl.site.absence import DerAbsence, phases_text, phases_w
from derctl.site.buses import Planned, planned
from derctl.site.grid_code import grid_code
from derctl.site.owners import owners
from derctl.site.phases import feeding
from derctl.site.stability import loop_text


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    add_config(parser)
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--live", action="store_true", help=LIVE)
    parser.add_argument(
        "--for", dest="lasting", type=seconds, default=10.0, metavar="TIME", help="how long devices are read (10s)"
    )


LIVE = "with devices and broker: what is to be mended before control; only reads, while the service is stopped"


def run(args: argparse.Namespace) -> int:
    """0 if the file can be used, 1 if without derctl the site would break its contract whatever is found, or if with
    it an excursion can't end in time, or a bus can't keep a deadline of control.

    A file that can't be used is an error for people and a list for programs.
    """
    path = config_of(args)
    try:
        site = read(path)
    except ConfigError as error:
        if not args.json:
            raise
        print(json.dumps({"problems": [asdict(problem) for problem in error.problems]}, indent=2))
        return CONFIG
    if args.live:
        from derctl.cli import live

        return live.run(args, site)
    absence = absence_of(site.file.ders, {}, site.limit_w, site.phase_limit_w)
    buses = planned(site.file, site.profiles, site.budget)
    if args.json:
        print(json.dumps(summarise(site, absence, buses), indent=2))
    else:
        first = proof_text(site) if demanding(site) else ""
        print("\n".join([*headline(path, site, absence, buses, first), *page(site, absence, buses)]))
    return NO if against(site, absence, buses) else 0


def summarise(site: Site, absence: Absence, buses: Sequence[Planned]) -> dict[str, Any]:
    """The same for programs."""
    return {
        "site": site.file.site.id,
        "mode": site.file.site.mode,
        "tick_s": site.file.site.tick_s,
        "grid_code": site.file.site.grid_code,
        "problems": [],
        "questions": [asdict(question) for question in site.questions],
        "functions": functions_of(site),
        "buses": [asdict(each) | {"plan": plan_json(bus)} for each, bus in zip(rounds_of(site), buses, strict=True)],
        "certificates": certificates(site),
        "profiles": [asdict(each) for each in habits_of(site)],
        "batteries": {der.id: asdict(limits_by(der)) for der in batteries(site)},
        "commanders": asdict(commanders(site)),
        "contacts": wired_json(site),
        "clock": asdict(clock_of(site)),
        "proof": {"required": site.file.site.require_proof, "ders": demanding(site), "text": proof_text(site)},
        "owners": [asdict(owner) for owner in owners(site.file, site.plan)],
        "witness": None if site.file.poc is None or site.file.poc.witness is None else site.file.poc.witness.bus,
        "followers": [] if site.file.poc is None else site.file.poc.followers,
        "containment": None if site.budget is None else contained(site.budget),
        "loops": [asdict(loop) for loop in site.loops],
        "absent": {
            "by_der": absence.by_der,
            "unknown": list(absence.unknown),
            "ders": {der.id: asdict(der) for der in absence.ders},
            "least_w": absence.least_w,
            "most_w": absence.most_w,
            "limit_w": absence.limit_w,
            "phase_limit_w": absence.phase_limit_w,
            "phases_w": None if absence.phase_limit_w is None else list(phases_w(absence)),
            "contract": absence.verdict,
            "undecided": list(absence.undecided),
            "between": None if absence.between is None else asdict(absence.between),
            "text": verdict_text(absence),
        },
    }


def contained(budget: Budget) -> dict[str, Any]:
    """How long an excursion may last, for programs."""
    return {
        "containment_s": budget.containment_s,
        "by": budget.by,
        "lasts_s": budget.lasts_s,
        "credit": budget.contained,
        "refused": budget.hopeless,
        "summands": [asdict(each) for each in budget.summands],
        "text": containment_text(budget),
    }


def functions_of(site: Site) -> list[dict[str, Any]]:
    """In order of rank."""
    plan = site.plan
    rows: list[dict[str, Any]] = [
        {"rank": f.rank, "kind": f.kind, "ders": list(ids)} for f, ids in plan.der_functions
    ]
    rows += [{"rank": f.rank, "kind": f.kind, "ders": list(ids)} for f, ids in plan.site_functions]
    return sorted(rows, key=lambda row: row["rank"])


def code_text(site: Site) -> list[str]:
    """Whose settings the voltage and frequency functions take, where the file says it."""
    name = site.file.site.grid_code
    return [] if name is None else wrapped(grid_code(name).title, f"  grid code {name}: ")


def meter_text(site: Site) -> list[str]:
    """Who else knows the power at the point of connection, who else follows it, and what isn't watched by it."""
    poc = site.file.poc
    if poc is None:
        return []
    found = []
    if poc.witness is not None:
        place = f"{poc.witness.bus} unit {poc.witness.unit}"
        found.append(f"witness: the meter's power is compared with that of {place}; where they differ it is doubted")
    if poc.followers:
        names = ", ".join(poc.followers)
        text = f"followers: {names}. While they answer its steps, the meter is unproven: load is not counted then"
        found.append(text)
    for function, _ in site.plan.site_functions:
        found += by_phase_text(function, site)
        if isinstance(function, FuseLimit) and function.phase_count > 1:
            text = "each phase is judged where the meter shows them (WphA..C or AphA..C), else only their sum: then"
            found.append(f"{function.kind}: {text} one phase may carry more than its fuse, and status says so")
        if isinstance(function, ContractExportLimit) and function.probe != "none":
            text = "while a DER that came back is on trial no steps are made: load counts then, and a meter that goes"
            found.append(f"{function.kind}: {text} wrong is noticed later; status says so")
    return found


def by_phase_text(function: object, site: Site) -> list[str]:
    """What a limit of each phase means."""
    if isinstance(function, ContractExportLimit) and function.phase_limit_w is not None:
        most = f"{function.phase_limit_w:,.0f} W"
        limit = f"no phase exports more than {most}, beside the sum"
        without = "where the meter shows no phases, or is not believed, no load counts in any: what they may give in"
        without += f" one adds up to {most} at most then, and status says so"
    elif isinstance(function, FuseLimit) and function.per_phase:
        limit = f"no phase carries more than {function.fuse_a:g} A out or in"
        without = "where the meter shows no phases, what they may give in one is no more than its fuse carries"
    else:
        return []
    who = f"{limit}: {feeding(site.file.ders)}"
    cut = (
        "one that feeds in a single phase is cut for that alone, and stores there charge first; one in three is bound"
    )
    cut += " by the worst"
    signs = "from AphA..C alone the phases are known while one way only of giving them signs makes up the meter's W"
    return [f"{function.kind}: {text}" for text in (who, cut, f"{without}; {signs}")]


def owners_text(site: Site) -> list[str]:
    """Who owns what of the DERs, where somebody else could tell them something."""
    if not site.file.controllers:
        return []
    each = (f"{owner.what} of {owner.der}: {owner.name}" for owner in owners(site.file, site.plan))
    return [f"who tells what: {', '.join(each)}; over another's lower setting: {site.file.site.on_override}"]


def page(site: Site, absence: Absence, buses: Sequence[Planned]) -> list[str]:
    """Lines for people."""
    head = site.file.site
    lines = [
        *(f"  {question}" for question in site.questions),
        f"  site {head.id}, {head.mode} mode, tick {head.tick_s:g} s",
        *code_text(site),
        *readings_text(site),
        *(line for text in certificates_text(site) for line in wrapped(text, "  ", "    ")),
        *plan_text(buses),
        "  functions, senior first:",
    ]
    for row in functions_of(site):
        lines += wrapped(", ".join(row["ders"]), f"    {row['rank']:>3}  {row['kind']:<22} ")
    lines.append("  without derctl, at most:")
    width = max((len(der.id) for der in absence.ders), default=0)
    for der in absence.ders:
        watts = "?" if der.p_w is None else f"{der.least_w:,.0f} W"
        lines += wrapped(how_text(der) + late_text(der, site), f"    {der.id:<{width}} {watts:>10}  ")
    if absence.undecided and absence.limit_w is not None:
        lines += wrapped(f"decided when found: {', '.join(absence.undecided)}", "  ", "    ")
    lines += wrapped(verdict_text(absence), "  ", "    ")
    if site.budget is not None:
        lines += wrapped(containment_text(site.budget), "  ", "    ")
        lines += wrapped(summands_text(site.budget), "    ", "    ")
    lines += [line for text in (*owners_text(site), *meter_text(site)) for line in wrapped(text, "  ", "    ")]
    for loop in site.loops:
        lines += wrapped(loop_text(loop), "  ", "    ")
    for each in habits_of(site):
        lines += wrapped(each.text, "  ", "    ")
    for battery in batteries(site):
        lines += wrapped(f"{battery.id}: {limits_by(battery).text}", "  ", "    ")
    who = commanders(site)
    lines += wrapped(f"who may command: {who.text}", "  ", "    ")
    width = max((len(may.name) for may in who.rights), default=0)
    for may in who.rights:
        lines += wrapped(may.text, f"    {may.name:<{width}}  ", "      ")
    lines += wired(site)
    lines += wrapped(proof_text(site), "  ", "    ")
    clock = clock_of(site)
    return lines if clock.synced else [*lines, *wrapped(clock.text, "  ", "    ")]


def proof_text(site: Site) -> str:
    """Whose fail-safe has to be on record before control."""
    names = demanding(site)
    if not site.file.site.require_proof:
        return "fail-safe: control needs no proof of it (require_proof: false)"
    if not names:
        return "fail-safe: no DER needs a proof of it"
    return f"fail-safe: control waits until `derctl verify` has proven that of {', '.join(names)}"


def demanding(site: Site) -> list[str]:
    """The DERs whose fail-safe has to be on record, where the site file demands it."""
    return [der.id for der in site.file.ders if site.file.site.require_proof and der.control]


def readings_text(site: Site) -> list[str]:
    """How long a reading counts: three ticks, more on a bus that needs longer for a poll."""
    rounds = rounds_of(site)
    usual_s = stale_s(site.file.site.tick_s, Round())
    lines = [f"  a reading counts for {usual_s:g} s"]
    for each in rounds:
        if each.stale_s > usual_s:
            text = f"bus {each.bus}: {each.stale_s:g} s, at a request each {each.min_interval_s:g} s and about"
            lines += wrapped(f"{text} {each.requests} for a poll", "    ", "      ")
    most_s = max((each.stale_most_s for each in rounds), default=usual_s)
    meter = next((each for each in rounds if each.stale_most_s < most_s), None)
    if most_s > usual_s:
        than = "" if meter is None else f" ({meter.stale_most_s:g} s on the meter's bus)"
        lines += wrapped(f"where answers take longer: up to {most_s:g} s{than}", "    ", "      ")
    return lines


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


def late_text(der: DerAbsence, site: Site) -> str:
    """Of one that heeds a new limit only when its enable goes off and on, for which a stop has no time: off it would
    have none at all. "": of another one."""
    section = next(each for each in site.file.ders if each.id == der.id)
    kept = der.how is Without.STANDS and site.profile(section.profile).enable == "toggle"
    return (
        "; a lower one that a stop writes may not act, and the one before goes on until derctl is there again"
        if kept
        else ""
    )


def verdict_text(absence: Absence) -> str:
    """The sum against the contract."""
    total = f"{'at least ' if absence.unknown else ''}{absence.least_w:,.0f} W in all"
    if absence.limit_w is None:
        return f"{total}; no contract_export_limit stands against it"
    in_phases = phases_text(absence)
    allowed = f"{total}, {absence.limit_w:,.0f} W allowed{in_phases and f', {in_phases}'}"
    text = f"{allowed}: the contract {_holds(absence)}"
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
