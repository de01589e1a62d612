"""What derctl may be at a connection, by grid code: a controller in front of what is certified, never that itself."""

from __future__ import annotations

from collections.abc import Mapping

from derctl.core.dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """limiter: what certified thing has to hold the export limit there. may: what derctl may be beside it. rule:
    where that stands."""

    limiter: str
    may: str
    rule: str


US = Place(
    limiter="a power control system certified to UL 1741 PCS (UL 3141)",
    may="a controller of setpoints below its limit",
    rule="NEC 705.13; UL 1741 PCS CRD: open-loop response within 30 s",
)
AU = Place(
    limiter="the inverter's or a certified device's export limit as AS/NZS 4777 has it",
    may="a controller of setpoints below it; under a flexible export agreement not its CSIP-AUS client",
    rule="AS/NZS 4777.2, soft limit contained within 15 s; CSIP-AUS client test procedures",
)
PLACES: Mapping[str, Place] = {
    "ieee1547_a": US,
    "ieee1547_b": US,
    "rule21": US,
    "heco_14h": US,
    "as4777_a": AU,
    "as4777_b": AU,
    "as4777_c": AU,
    "g100": Place(
        limiter="an export limitation scheme that was type-tested or witnessed as ENA EREC G100",
        may="a controller of setpoints below its limit; derctl is no type-tested scheme",
        rule="ENA EREC G100 issue 2 amendment 1: back within 15 s, State 3 after the third excursion in 24 h",
    ),
    "vde4105": Place(
        limiter="a certified P_AV,E relay or monitor, which trips generation by itself",
        may="the control of P_AV,E, never its protection",
        rule="VDE-AR-N 4105, P_AV,E at least 60 % of P_inst; the relay has to be independent",
    ),
    "en50549": Place(
        limiter="what the distribution system operator asks for",
        may="a controller of setpoints below it, as far as the operator agrees",
        rule="EN 50549-1; national rules differ, so ask the operator",
    ),
}
"""By the name of the grid code's preset."""
UNKNOWN = Place(
    limiter="what the grid operator asks for",
    may="a controller of setpoints below it, as far as the operator agrees",
    rule="no grid code is named: ask the operator",
)

HOLDERS = {
    "device": "a limit that is set and certified in the inverter",
    "relay": "a certified relay or limiter of its own",
    "none": "nothing but derctl",
    "no_limit": "no export limit is agreed",
}
"""Who holds the agreed limit when everything else fails: answers to one question."""


def place_of(grid_code: str | None) -> Place:
    return UNKNOWN if grid_code is None else PLACES.get(grid_code, UNKNOWN)


def objection(grid_code: str | None, holder: str, *, agreed: bool) -> str:
    """Why derctl can't be there so; "" where it can. agreed: whether an export limit is agreed."""
    place = place_of(grid_code)
    if agreed and holder == "none":
        return (
            f"derctl is no certified limiter and can't be the only one: the limit needs {place.limiter} beneath it "
            f"({place.rule}). Say which holds it: --limiter device or --limiter relay"
        )
    if agreed and holder == "no_limit":
        return "an export limit is given, and --limiter says that none is agreed: leave one of them out"
    return ""


def stands_beneath(limit_w: float | None, holder: str, set_w: Mapping[str, tuple[float | None, float | None]]) -> str:
    """What reads back of the certified limit. set_w: by DER, what it is set to and rated for, W."""
    if limit_w is None or holder == "no_limit":
        return ""
    told = {name: (now, rated) for name, (now, rated) in set_w.items() if now is not None}
    parts = [
        f"{name} is set to {now:,.0f} W" + ("" if rated is None else f" of {rated:,.0f} W")
        for name, (now, rated) in told.items()
    ]
    if holder == "relay":
        return "the relay's limit can't be read from here: read it off the relay, and keep its certificate"
    if not parts:
        return "no inverter tells what it is set to: read the certified limit off each inverter's own display"
    if len(told) < len(set_w):
        parts.append(f"{', '.join(sorted(set_w.keys() - told.keys()))}: not told")
    total_w = sum(now or 0.0 for now, _ in told.values())
    listed = "; ".join(parts)
    if len(told) == len(set_w) and total_w <= limit_w:
        return f"{listed}: {total_w:,.0f} W in all, within the agreed {limit_w:,.0f} W even without load"
    return (
        f"{listed}: {total_w:,.0f} W in all, above the agreed {limit_w:,.0f} W, so what is certified there is a "
        "limit at the meter that these registers do not tell: read it off the inverter's own display"
    )
