"""What `scan` says of a device without SunSpec."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import Any

from derctl.cli.look import Pulse
from derctl.cli.proposal import site_rows, timeout_of
from derctl.commission.signature import Fit
from derctl.core.text import clean


def shown(args: argparse.Namespace, fits: tuple[Fit, ...], pulse: Pulse) -> int:
    """Print what is there, as what it can be used, and the rows for the site file."""
    first = fits[0]
    chosen = {fit.use.role: fit for fit in reversed(fits)}
    uses = [fit.use for fit in fits if chosen[fit.use.role] is fit and fit.row["usable"]]
    rows = site_rows(args.endpoint, args.unit, uses, first.profile, pulse, args.header)
    if args.json:
        said: dict[str, Any] = {"identity": asdict(first.identity), "profile": first.profile.name, "site_file": rows}
        said |= {"maps": {fit.profile.name: {fit.kind: fit.row} for fit in fits}, "answers": pulse.answers}
        said |= {"slowest_s": round(pulse.slowest_s, 3), "timeout_s": timeout_of(first.profile, pulse)}
        print(json.dumps(said, indent=2))
        return 0
    for fit in fits:
        who = fit.identity
        serial, firmware = who.serial or "not told", who.firmware or "not told"
        print(f"{clean(who.name)}, by its map's signature: profile {fit.profile.name}")
        print(f"  serial {serial}  firmware {firmware}  unit {args.unit}")
        print(f"as {fit.kind}: {clean(str(fit.row['text']))}")
        if fit.row.get("fallback"):
            print(f"  fallback.by {fit.row['fallback']['by']}: {fit.row['fallback']['why']}")
    print(f"{pulse.answers} answers, the slowest after {pulse.slowest_s:.2f} s; it has no SunSpec map")
    if rows:
        print("\nfor the site file:")
        print("\n".join(rows))
    return 0
