"""What a record of looking on says of a day: what would have been, against what was, and what is missing. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from derctl.daemon.clock import text_of
from derctl.store.shadow import DerPart, Kept, SitePart, Stretch

DAY_S = 86400.0
GAP_S = 5.0
"""A shorter pause is none."""

SHORT_S = 6 * 3600.0
"""A shorter look has seen neither a morning nor an evening."""

LIMITS = (
    "How the site would have answered is not known: energy is what was measured above the ceiling of each moment,",
    "a battery would have been fuller or emptier later, and writes count as taken at once.",
)
"""What such a record can't say."""


def report_of(kept: Kept, *, now: float, synced: bool, since_s: float, site: str) -> dict[str, Any] | None:
    """Plain values, ready for JSON; None: nothing of that time is recorded. now: wall time, synced: whether that can
    be believed. A stretch of a clock that was not set counts as one of that time."""
    begin = now - since_s
    chosen = [each for each in kept.stretches if not (each.synced and synced) or each.ended > begin]
    if not chosen:
        return None
    gaps, site_sum = list(_gaps(chosen, begin, now, synced=synced)), _site(chosen)
    found: dict[str, Any] = {
        "site": site,
        "t": _text(now),
        "synced": synced and all(each.synced for each in chosen),
        "since": _text(chosen[0].began),
        "until": _text(chosen[-1].ended),
        "asked_s": round(since_s),
        "observed_s": round(sum(each.seconds for each in chosen)),
        "gaps": gaps,
        "torn": kept.torn,
        "poc": site_sum,
        "ders": {name: _der(chosen, name) for name in dict.fromkeys(n for each in chosen for n in each.ders)},
        "margins": _least(chosen),
        "events": dict(sum((Counter(each.events) for each in chosen), Counter[str]())),
        "limits": list(LIMITS),
    }
    return found | {"summary": summary_of(found)}


def _text(wall: float) -> str:
    return text_of(datetime.fromtimestamp(wall, UTC))


def _gaps(chosen: Sequence[Stretch], begin: float, now: float, *, synced: bool) -> Iterator[dict[str, Any]]:
    """What of the time is missing, and why; seconds None: nobody knows how long, since a clock was not set."""
    first, last = chosen[0], chosen[-1]
    if synced and first.synced and first.began - begin > GAP_S:
        yield _gap(begin, first.began, first.began - begin, "before")
    for a, b in pairwise(chosen):
        if a.run == b.run and b.n == a.n + 1:
            if b.away_s > GAP_S:
                yield _gap(a.ended, b.began, b.away_s, b.after)
            continue
        why = "torn" if a.run == b.run else "stopped" if a.last else "killed"
        seconds = b.began - a.ended if a.synced and b.synced else None
        if seconds is None or seconds > GAP_S:
            yield _gap(a.ended, b.began, seconds, why)
    if synced and last.synced and now - last.ended > GAP_S:
        yield _gap(last.ended, now, now - last.ended, "stopped" if last.last else "open")


def _gap(begin: float, end: float, seconds: float | None, why: str) -> dict[str, Any]:
    return {
        "from": _text(begin),
        "until": _text(end),
        "seconds": None if seconds is None else round(seconds),
        "why": why,
    }


def _site(chosen: Sequence[Stretch]) -> dict[str, Any] | None:
    """The point of connection; None: there is no meter."""
    parts = [each.site for each in chosen if each.site is not None]
    if not parts:
        return None
    most = max(parts, key=lambda part: part.most_w)
    return {
        "limit_w": parts[-1].limit_w,
        "heard_s": _sum(parts, "heard_s"),
        "out_wh": _sum(parts, "out_wh"),
        "in_wh": _sum(parts, "in_wh"),
        "over_s": _sum(parts, "over_s"),
        "over_wh": _sum(parts, "over_wh"),
        "overs": sum(part.overs for part in parts),
        "most_w": most.most_w,
        "most_t": _text(most.most_at) if most.most_w else None,
        "kept_wh": _sum(parts, "kept_wh"),
        "lag_s": max(part.lag_s for part in parts),
        "needed_wh": _sum(parts, "needed_wh"),
        "belief": _added([part.belief for part in parts]),
    }


def _der(chosen: Sequence[Stretch], name: str) -> dict[str, Any]:
    parts = [each.ders[name] for each in chosen if name in each.ders]
    seconds = sum(each.seconds for each in chosen if name in each.ders)
    stood = [part.stood_w for part in parts if part.stood_w is not None]
    writes = sum(part.writes for part in parts)
    return {
        "heard_s": _sum(parts, "heard_s"),
        "gave_wh": _sum(parts, "gave_wh"),
        "drew_wh": _sum(parts, "drew_wh"),
        "stored": parts[-1].stored,
        "held": [
            _by(key) | {"seconds": s, "wh": wh}
            for key, (s, wh) in _most_first(_tuples([part.held for part in parts]))
        ],
        "aimed": [
            _by(key) | {"seconds": s, "more_wh": more, "less_wh": less}
            for key, (s, more, less) in _most_first(_tuples([part.aimed for part in parts]))
        ],
        "var": [
            _by(key) | {"seconds": s, "varh": varh}
            for key, (s, varh) in _most_first(_tuples([part.var for part in parts]))
        ],
        "writes": writes,
        "writes_a_day": round(writes * DAY_S / seconds) if seconds > 0.0 else None,
        "bears_a_day": next((part.a_day for part in reversed(parts) if part.a_day is not None), None),
        "own": _added([part.own for part in parts]),
        "untold": _added([part.untold for part in parts]),
        "foreign": sum(part.foreign for part in parts),
        "stood_s": _sum(parts, "stood_s"),
        "stood_w": stood[-1] if stood else None,
    }


def _by(key: str) -> dict[str, Any]:
    by, _, why = key.partition(":")
    return {"by": by, "why": why or None}


def _sum(parts: Sequence[SitePart] | Sequence[DerPart], name: str) -> float:
    return round(sum([float(getattr(part, name)) for part in parts]), 1)


def _added(parts: Iterable[dict[str, float]]) -> dict[str, float]:
    found: Counter[str] = Counter()
    for part in parts:
        found.update(part)
    return {key: round(value, 1) for key, value in found.items()}


def _tuples(parts: Iterable[dict[str, Any]]) -> dict[str, tuple[float, ...]]:
    found: dict[str, tuple[float, ...]] = {}
    for part in parts:
        for key, values in part.items():
            before = found.get(key, (0.0,) * len(values))
            found[key] = tuple(round(a + b, 1) for a, b in zip(before, values, strict=True))
    return found


def _most_first(found: dict[str, tuple[float, ...]]) -> list[tuple[str, Any]]:
    return sorted(found.items(), key=lambda each: -sum(each[1][1:]))


def _least(chosen: Sequence[Stretch]) -> dict[str, float]:
    found: dict[str, float] = {}
    for each in chosen:
        for key, margin in each.margins.items():
            found[key] = min(margin, found.get(key, margin))
    return found


UNPROVEN = "meter_unproven"


def held_wh(report: Mapping[str, Any], *, unproven: bool) -> float:
    """What all DERs would have been held back by: while the meter was not proven, or else."""
    parts = [each for der in report["ders"].values() for each in der["held"]]
    return sum([float(each["wh"]) for each in parts if (each["why"] == UNPROVEN) == unproven], 0.0)


def summary_of(report: dict[str, Any]) -> str:
    """In a line."""
    poc, seconds = report["poc"], report["observed_s"]
    text = f"it observed {seconds / 3600.0:.1f} h of the last {report['asked_s'] / 3600.0:.0f} h"
    if seconds < SHORT_S:
        text = f"it observed for {seconds / 60.0:.0f} min alone (a day shows more)"
    text += f", and would have held back {held_wh(report, unproven=False) / 1000.0:,.1f} kWh"
    unproven_wh = held_wh(report, unproven=True)
    if unproven_wh >= 50.0:
        text += f" (and {unproven_wh / 1000.0:,.1f} kWh more while the meter was not proven)"
    if poc is not None and poc["limit_w"] is not None:
        text += f"; {poc['over_wh'] / 1000.0:,.1f} kWh went out above the contract"
        if poc["over_wh"]:
            text += f", {poc['kept_wh'] / 1000.0:,.1f} of it would not have"
    return f"{text}: derctl shadow report"
