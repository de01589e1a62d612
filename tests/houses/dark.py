"""Houses that may export nothing and begin in the dark: how soon the sun is found once the inverter is in service."""

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from derctl.core.plan import Plan
from derctl.core.words import Belief
from derctl.functions.contract_export_limit import ContractExportLimit
from derctl.functions.probe import Probe
from hil.houses import House
from tests.houses.control import Controlled
from tests.houses.kinds import belief

NIGHT_S, WATCHED_S = 300.0, 900.0
LOAD_MIN_W, MARGIN_W = 300.0, 50.0
FOUND, FOUND_S = 0.8, 10
"""So much of what the load draws beyond the margin is given, over so long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One house and its meter."""

    seed: int
    lie: str = "right"
    refresh_s: float = 1.0
    late_s: float = 0.0
    probe: str = "due"


@dataclass(slots=True, kw_only=True)
class Found:
    """proven_s, found_s: since dawn, None: not in WATCHED_S. over_wh: what went out. ever: proven at any time."""

    proven_s: float | None = None
    found_s: float | None = None
    over_wh: float = 0.0
    ever: bool = False
    last: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=FOUND_S))


def dark_start(case: Case, watched_s: float = WATCHED_S) -> Found:
    """A night, then day."""
    dawn_s = NIGHT_S + case.seed * 7 % 60
    house = House(case.seed, refresh_s=case.refresh_s, late_s=case.late_s, lie=case.lie, dawn_s=dawn_s)
    house.loads.base_w = max(house.loads.base_w, LOAD_MIN_W)
    house.before_w = -house.loads.base_w
    functions: tuple[Any, ...] = (
        (ContractExportLimit(limit_w=0.0, probe=case.probe), ("pv1",)),
        (Probe(), ("pv1",)),
    )
    control, found = Controlled(house, Plan(site_functions=functions), name=f"house-{case.seed}"), Found()
    control.run(dawn_s + watched_s, 0.0, lambda control: _looked(found, control, dawn_s))
    found.over_wh = control.over_wh
    return found


def _looked(found: Found, control: Controlled, dawn_s: float) -> None:
    since_s = control.house.t_s - dawn_s
    proven = belief(control) is Belief.PROVEN
    found.ever = found.ever or proven
    if since_s < 0.0 or found.found_s is not None:
        return
    if not proven:
        found.last.clear()
        return
    if found.proven_s is None:
        found.proven_s = since_s
    house = control.house
    found.last.append((house.given_w, sum(house.drawn_w)))
    given_w, drawn_w = (sum(each) / FOUND_S for each in zip(*found.last, strict=True))
    if len(found.last) == FOUND_S and given_w >= FOUND * (drawn_w - MARGIN_W):
        found.found_s = since_s - FOUND_S


Map = Callable[[Callable[[Case], Found], Iterable[Case]], Iterable[Found]]
RIGHT = ((1.0, 0.0, 60.0), (2.0, 0.0, 60.0), (5.0, 0.0, 300.0), (10.0, 0.0, 300.0), (1.0, 5.0, 300.0))
"""Refresh, lateness and within which the sun should be found, s."""
FAULTS = ("reversed", "dead", "near_zero", "stuck", "tenth", "load_side", "lost_phase")


def table(seeds: range, spread: Map) -> Iterable[str]:
    """Line by line."""
    houses = len(seeds)
    for refresh_s, late_s, within_s in RIGHT:
        cases = [Case(seed=i, refresh_s=refresh_s, late_s=late_s) for i in seeds]
        found = list(spread(dark_start, cases))
        times = sorted(each.found_s for each in found if each.found_s is not None)
        yield (
            f"from the dark, refresh {refresh_s:4} s, {late_s:3} s late: sun found in "
            f"{sum(s <= within_s for s in times)} of {houses} within {within_s:.0f} s, in {len(times)} within "
            f"{WATCHED_S:.0f} s; over {max(each.over_wh for each in found):.2f} Wh at most"
        )
    for lie in FAULTS:
        found = list(spread(dark_start, [Case(seed=i, lie=lie, refresh_s=1.0 + i % 2) for i in seeds]))
        yield (
            f"{lie:17} from the dark : proven {sum(each.ever for each in found)} of {houses}; "
            f"over {max(each.over_wh for each in found):.2f} Wh at most"
        )
