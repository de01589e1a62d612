"""Devices lost at any moment, in any way and any number: the contract is kept, and the others stay in hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from derctl.core.plan import Plan
from derctl.core.types import DerState, Fallback, Setpoint
from derctl.functions.bms_guard import BmsGuard
from derctl.functions.contract_export_limit import ContractExportLimit
from derctl.functions.export_memory import Memory
from derctl.functions.meter_trust import Trust
from derctl.functions.self_consumption import SelfConsumption
from tests import make
from tests.timeline import PlanTimeline

LIMIT_W = 5000.0
CONTAINED_S = 15
"""AS/NZS 4777.2; for each event again."""
RATED_W = {"pv1": 5000.0, "pv2": 10_000.0, "bat1": 5000.0}
FALLBACK_W = {"pv1": 2000.0, "pv2": 3000.0, "bat1": 0.0}
AFTER_S = {"pv1": 15.0, "pv2": 15.0, "bat1": 30.0}
WAYS = ("silent", "swapped", "asleep")
TIGHT_W = 60.0
"""What a law that works with shares leaves over."""


@dataclass
class House:
    """Two inverters and a battery. lost: how and since when. told: what each holds; a swapped one holds nothing."""

    load_w: float
    lost: dict[str, tuple[str, int]] = field(default_factory=dict)
    told: dict[str, Setpoint] = field(default_factory=dict)
    sun: float = 1.0

    def p_w(self, name: str, n: int) -> float:
        """What it gives now."""
        way, since = self.lost.get(name, ("", n))
        told, rated = self.told.get(name), RATED_W[name]
        lapsed = way == "silent" and n - since >= AFTER_S[name]
        if name == "bat1":
            return 0.0 if told is None or told.p_target_w is None or lapsed or way == "swapped" else told.p_target_w
        if way == "asleep":
            return 0.0
        ceiling = FALLBACK_W[name] if lapsed else rated if told is None else told.p_ceiling_w
        return min(rated * self.sun, rated if way == "swapped" or ceiling is None else ceiling)

    def der(self, name: str, n: int, read: dict[str, float]) -> DerState:
        """As the tick sees it: of a lost one the last reading."""
        way, since = self.lost.get(name, ("", n))
        there = not way
        given: dict[str, Any] = {
            "p_w": read[name],
            "sample": n if there else since,
            "age_s": 0.0 if there else float(n - since),
            "fresh": there,
            "controllable": there,
            "accepted": self.told.get(name),
            "fallback": Fallback(p_ceiling_w=FALLBACK_W[name], after_s=AFTER_S[name]),
            "absent_w": RATED_W[name] if way == "swapped" else FALLBACK_W[name],
        }
        if name == "bat1":
            return make.battery(name, p_max_w=RATED_W[name], charge_w=5000.0, **given)
        return make.pv(name, p_max_w=RATED_W[name], **given)


EVENTS = st.lists(
    st.tuples(st.integers(5, 40), st.sampled_from([*RATED_W]), st.sampled_from([*WAYS, "back"])),
    min_size=1,
    max_size=5,
)


@pytest.mark.parametrize(
    ("meter", "believed"), [(True, True), (True, False), (False, False)], ids=["believed", "new", "none"]
)
@example(events=[(5, "bat1", "silent"), (5, "pv1", "asleep"), (33, "pv1", "back")], load_w=0.0, sun=1.0)
@given(events=EVENTS, load_w=st.sampled_from([0.0, 800.0, 4000.0]), sun=st.sampled_from([0.3, 1.0]))
def test_whoever_is_lost_costs_only_itself(
    meter: bool, believed: bool, events: Any, load_w: float, sun: float
) -> None:
    """Above the contract for 15 s after an event at most, but where all who are left give the least they can."""
    names = tuple(RATED_W)
    functions: Any = ((ContractExportLimit(limit_w=LIMIT_W), names), (SelfConsumption(), names))
    plan = Plan(site_functions=functions, der_functions=((BmsGuard(), ("bat1",)),))
    proven = Memory(trust=Trust(proven=True))
    time = PlanTimeline(plan, memories={"contract_export_limit": proven} if believed else {})
    house, read = House(load_w=load_w, sun=sun), dict.fromkeys(names, 0.0)
    moments = {20 + sum(gap for gap, _, _ in events[: i + 1]): event for i, event in enumerate(events)}
    above_s = 0
    for n in range(max(moments) + 60):
        if n in moments:
            _, name, way = moments[n]
            lapse(house, name, way, n)
            above_s = 0
        give = {name: house.p_w(name, n) for name in names}
        read |= {name: give[name] for name in names if name not in house.lost}
        export_w = sum(give.values()) - (load_w if meter else 0.0)
        ders = [house.der(name, n, read) for name in names]
        poc = make.meter(export_w + n % 2 * 1e-3, sample=n) if meter else None
        decided = time.told(*ders, dt_s=1.0 if n else 0.0, poc=poc)
        healthy = [der for der in ders if der.controllable]
        for der in healthy:
            told = decided[der.id]
            assert (told.p_target_w if der.id == "bat1" else told.p_ceiling_w) is not None, "it stays in hand"
            house.told[der.id] = told
        least = all(give[der.id] <= least_w(der, give, healthy, meter=meter) + TIGHT_W for der in healthy)
        above_s = above_s + 1 if export_w > LIMIT_W + TIGHT_W and not least else 0
        assert above_s <= CONTAINED_S, (n, give, house.lost)


def least_w(der: DerState, give: dict[str, float], healthy: list[DerState], *, meter: bool) -> float:
    """What an inverter that nobody measures may give makes no store charge from the grid: without a meter it takes
    what is measured of the others, give or take 100 W."""
    if meter or not der.can.store:
        return der.rating.p_min_w
    measured_w = sum(max(give[other.id], 0.0) for other in healthy if not other.can.store)
    return max(der.rating.p_min_w, -measured_w)


def lapse(house: House, name: str, way: str, n: int) -> None:
    """Lost, or back: then it holds what a timer left, and a device that was changed holds nothing."""
    if way != "back":
        house.lost.setdefault(name, (way, n))
        return
    before, since = house.lost.pop(name, ("", n))
    if before == "swapped" or (before == "silent" and n - since >= AFTER_S[name]):
        rest = Setpoint(p_target_w=0.0) if name == "bat1" else Setpoint(p_ceiling_w=FALLBACK_W[name])
        house.told[name] = rest if before == "silent" else Setpoint(p_ceiling_w=RATED_W[name])
