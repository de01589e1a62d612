"""`derctl check`: a site file without its devices."""

from __future__ import annotations

import argparse
import json
from typing import Any

from derctl.cli.local import add_config, config_of
from derctl.core.types import Fallback
from derctl.site import Site, load


def add(parser: argparse.ArgumentParser) -> None:
    """Arguments."""
    add_config(parser)
    parser.add_argument("--json", action="store_true", help="for programs")


def run(args: argparse.Namespace) -> int:
    """0 if the file can be used; the Pi-absent state as far as the file tells it."""
    path = config_of(args)
    summary = summarise(load(path))
    if args.json:
        print(json.dumps(summary, indent=2))
        return 0
    print(f"{path}: no problems")
    print(f"  site {summary['site']}, {summary['mode']} mode, tick {summary['tick_s']:g} s")
    for function in summary["functions"]:
        print(f"  {function['rank']:>3}  {function['kind']:<24} {', '.join(function['ders'])}")
    for line in summary["absent"]["lines"]:
        print(f"  without derctl: {line}")
    return 0


def summarise(site: Site) -> dict[str, Any]:
    """What the file says, in order of rank."""
    rows: list[dict[str, Any]] = [
        {"rank": f.rank, "kind": f.kind, "ders": list(ids)} for f, ids in site.plan.der_functions
    ]
    rows += [{"rank": f.rank, "kind": f.kind, "ders": list(ids)} for f, ids in site.plan.site_functions]
    return {
        "site": site.file.site.id,
        "mode": site.file.site.mode,
        "tick_s": site.file.site.tick_s,
        "functions": sorted(rows, key=lambda row: row["rank"]),
        "absent": _absent(site),
    }


def _absent(site: Site) -> dict[str, Any]:
    known: dict[str, float] = {}
    lines = []
    for der in site.file.ders:
        fallback = Fallback(p_ceiling_w=der.fallback.p_ceiling_w, by=der.fallback.by, after_s=der.fallback.after_s)
        most = fallback.p_ceiling_w if fallback.p_ceiling_w is not None else der.rating.p_max_w
        if not der.control and fallback.by != "device":
            most = der.rating.p_max_w
        if most is not None:
            known[der.id] = most
        text = "its full rating" if most is None else f"{most:g} W"
        lines.append(f"{der.id} at most {text} ({_how(der.control, fallback)})")
    total, limit = sum(known.values()), site.limit_w
    if limit is not None:
        open_ = [der.id for der in site.file.ders if der.id not in known]
        if total > limit:
            verdict = "the contract is broken: control will be refused"
        elif open_:
            verdict = f"the contract is decided when {', '.join(open_)} {'is' if len(open_) == 1 else 'are'} found"
        elif any(der.control and der.fallback.by == "reversion" for der in site.file.ders):
            verdict = "the contract holds, if each timer has its target"
        else:
            verdict = "the contract holds"
        lines.append(f"{'at least ' if open_ else ''}{total:g} W in all, {limit:g} W allowed: {verdict}")
    return {"by_der": known, "limit_w": limit, "lines": lines}


def _how(control: bool, fallback: Fallback) -> str:
    if not control and fallback.by != "device":
        return "derctl doesn't write it"
    if fallback.p_ceiling_w is None:
        return "no fallback.p_ceiling_w is declared"
    return {
        "reversion": f"by its own timer, {fallback.after_s:g} s, where it has one with a target",
        "stands": "the last limit stands",
        "device": "declared: a limit kept in the device",
    }[fallback.by]
