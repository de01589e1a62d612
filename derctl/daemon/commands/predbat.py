"""A battery's plan of Predbat, out of what three of its entities have as `results`: a time and a value each, which
counts until the next (docs/sources.md).

Outside of its windows Predbat leaves the battery to follow the house: what it expects there is no plan, and others
decide here, too. Inside the power is what it expects: kW, + discharges, as here.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from datetime import datetime
from itertools import pairwise
from typing import Any

from derctl.core.dataclass import dataclass
from derctl.daemon.commands.written import bad, moment, number, shown

ENTITIES = {
    "power": "predbat.battery_power_best",
    "charge_limit": "predbat.best_charge_limit",
    "export_limit": "predbat.best_export_limit",
}
"""Where its `results` stand."""
NO_CHARGE, FREEZE, NO_EXPORT = 0.0, 99.0, 100.0
"""%: no charge window; an export window in which the battery does not charge, and covers the house; none."""
W_PER_KW = 1000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """In the order of time; each value counts until the next."""

    name: str
    at: list[datetime]
    values: list[float]

    def held(self, at: datetime) -> float:
        """What counts then. Raises CommandError: it has not begun."""
        i = bisect_right(self.at, at) - 1
        if i < 0:
            bad(f"plan.{self.name} begins at {self.at[0].isoformat()}, and says nothing of {at.isoformat()}")
        return self.values[i]


def intervals(plan: Any) -> list[dict[str, Any]]:
    """Up to the last time of the power, which says no more when it ends; none without a window. Raises
    CommandError."""
    power, charge, export = (_series(plan, name) for name in ENTITIES)
    first, last = power.at[0], power.at[-1]
    edges = sorted({at for each in (power, charge, export) for at in each.at if first <= at <= last})
    found: list[dict[str, Any]] = []
    for start, end in pairwise(edges):
        aim = _aim(power.held(start), charge.held(start), export.held(start), start)
        if not aim:
            continue
        before = found[-1] if found else {}
        if before == aim | {"start": before.get("start"), "end": start}:
            before["end"] = end
        else:
            found.append({"start": start, "end": end} | aim)
    return found


def _aim(kw: float, charge_pct: float, export_pct: float, at: datetime) -> dict[str, float]:
    charges, exports = charge_pct > NO_CHARGE, export_pct < NO_EXPORT
    if charges and exports:
        text = f"at {at.isoformat()} charge_limit is {charge_pct:g} and export_limit {export_pct:g}"
        bad(f"plan: {text}: nobody can do both")
    if exports and export_pct >= FREEZE:
        return {"p_floor_w": 0.0}
    return {"p_target_w": W_PER_KW * kw} if charges or exports else {}


def _series(plan: Any, name: str) -> Series:
    if not isinstance(plan, Mapping):
        bad(f"plan: {shown(plan)} is no object with {', '.join(ENTITIES)}")
    given = plan.get(name)
    if not isinstance(given, Mapping) or not given:
        bad(f"plan.{name}: {shown(given)} is not the `results` of {ENTITIES[name]}")
    read = [
        (moment(text, f"plan.{name}"), number(value, f"plan.{name}.{str(text)[:40]}"))
        for text, value in given.items()
    ]
    read.sort()
    for (before, _), (after, _) in pairwise(read):
        if before == after:
            bad(f"plan.{name}: {after.isoformat()} stands there twice")
    return Series(name=name, at=[at for at, _ in read], values=[value for _, value in read])
