"""A battery's plan of EMHASS: the list it publishes to Home Assistant (`battery_scheduled_power`), or the answer of
its `GET /api/v1/plan`. W, + discharges, as here; a row counts for one time step (docs/sources.md)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from derctl.daemon.commands.written import bad, later, moment, number, shown

SCHEMA = "1"
"""The major version of its output that we know: another may turn a sign."""
POWER, PART = "P_batt", re.compile(r"P_batt_\d+")
"""Of the answer: the power of all batteries, and of one of several."""

SAME = timedelta(seconds=1)
"""A clock that was read for each row anew makes no gap of it."""


def intervals(plan: Any) -> list[dict[str, Any]]:
    """Raises CommandError: it is neither, or a row can be read in two ways."""
    if isinstance(plan, Mapping):
        rows, at, power, place = _answered(plan), "timestamp", POWER, "plan.plan"
    elif isinstance(plan, list):
        rows, at, power, place = plan, "date", _name_of(plan), "plan"
    else:
        bad(f"plan: {shown(plan)} is neither EMHASS's list nor the answer of its /api/v1/plan")
    starts, aims = [], []
    for i, row in enumerate(rows):
        if not isinstance(row, Mapping) or power not in row:
            bad(f"{place}[{i}]: {shown(row)} has no {power}")
        starts.append(moment(row.get(at), f"{place}[{i}].{at}"))
        aims.append(number(row[power], f"{place}[{i}].{power}"))
        _usable(row, f"{place}[{i}]")
    ends = [*starts[1:], later(starts[-1], _step(starts, f"{place}[%d].{at}"), place)]
    return [{"start": start, "end": end, "p_target_w": w} for start, end, w in zip(starts, ends, aims, strict=True)]


def _answered(answer: Mapping[str, Any]) -> list[Any]:
    if answer.get("status", "ok") != "ok":
        bad(f"plan.status: {shown(answer['status'])}: EMHASS has no plan")
    version = answer.get("emhass_schema_version")
    if not isinstance(version, str) or version.split(".")[0] != SCHEMA:
        bad(f"plan.emhass_schema_version: {shown(version)}, and only {SCHEMA}.x is known")
    rows = answer.get("plan")
    if not isinstance(rows, list) or not rows:
        bad(f"plan.plan: {shown(rows)} is no list of rows")
    parts = [key for key in rows[0] if PART.fullmatch(str(key))] if isinstance(rows[0], Mapping) else []
    if parts:
        bad(f"plan.plan[0].{POWER} is the sum of {', '.join(parts)}: send one battery's as {POWER}, without them")
    return rows


def _name_of(rows: list[Any]) -> str:
    """What the power is called: as its sensor is, whose name can be chosen."""
    first = rows[0] if rows else None
    names = [key for key in first if key != "date"] if isinstance(first, Mapping) else []
    if len(names) != 1:
        bad(f"plan[0]: {shown(first)} is no row of EMHASS: a date, and one power")
    [name] = names
    if "batt" not in name or "soc" in name:
        bad(f"plan[0].{name[:40]} is no battery's power: only a name with batt is, such as p_batt_forecast")
    return str(name)


def _usable(row: Mapping[str, Any], place: str) -> None:
    status = row.get("optim_status", "Optimal")
    if not isinstance(status, str) or not status.lower().startswith("optimal"):
        bad(f"{place}.optim_status: {shown(status)} is no plan")


def _step(starts: list[datetime], place: str) -> timedelta:
    """Between any two rows the same, to a second: else nobody knows how long one of them counts."""
    if len(starts) < 2:
        bad(f"{place % 0}: one row alone does not say how long it counts: send intervals")
    gaps = [after - before for before, after in pairwise(starts)]
    [(step, _)] = Counter(gaps).most_common(1)
    for i, gap in enumerate(gaps, start=1):
        if abs(gap - step) > SAME or gap <= timedelta(0):
            text = f"{place % i} comes {gap.total_seconds():g} s after the row ahead of it"
            bad(f"{text}, the others {step.total_seconds():g} s: nobody knows what counts between")
    return step
