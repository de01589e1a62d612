"""The main fuse phase by phase: who feeds in one is cut for that one alone, out and in."""

from __future__ import annotations

from typing import Any

import pytest

from derctl.core.requests import BatteryRequest
from derctl.core.types import DerState, PocState
from derctl.core.value import replace
from derctl.functions import plan_of
from derctl.functions.fuse_limit import FuseLimit
from derctl.functions.fuse_phases import KEEP_S
from derctl.functions.operator import SetpointFunction
from tests import make
from tests.timeline import PlanTimeline

FUSE = FuseLimit(fuse_a=25.0, phase_count=3, margin_pu=0.0, per_phase=True)
PHASE_W = 25.0 * 230.0
FEEDS_PU = {"a": (1.0, 0.0, 0.0), "b": (0.0, 1.0, 0.0), "abc": (1 / 3, 1 / 3, 1 / 3)}


class House:
    """DERs that follow at once, each in its phase; what each store is asked to give."""

    def __init__(self, load_w: tuple[float, ...], *ders: tuple[DerState, str], says: str | None = None) -> None:
        stores = tuple((SetpointFunction(), (der.id,)) for der, _ in ders if der.can.store)
        ids = tuple(der.id for der, _ in ders)
        self.time = PlanTimeline(plan_of(stores, [(FUSE, ids)]))
        self.at = {der.id: FEEDS_PU[at] for der, at in ders}
        self.ders = [replace(der, feeds_pu=FEEDS_PU[says or at]) for der, at in ders]
        self.load_w, self.n = load_w, 0

    def phases_w(self) -> tuple[float, ...]:
        given = [(self.at[der.id], der.reading.p_w or 0.0) for der in self.ders]
        return tuple(sum(at[k] * w for at, w in given) - load for k, load in enumerate(self.load_w))

    def run(self, seconds: int, asked: dict[str, float], *, shown: bool = True, heard: bool = True) -> Any:
        """asked: what a store is to give, or what the sun gives."""
        requests = tuple(
            BatteryRequest(id=der.id, by="x", der=der.id, p_target_w=asked[der.id], remaining_s=9e9)
            for der in self.ders
            if der.can.store
        )
        for _ in range(seconds):
            self.n += 1
            told = self.time.told(*self.ders, poc=self.poc(shown=shown, heard=heard), requests=requests)
            for i, der in enumerate(self.ders):
                said = told[der.id]
                p_w = said.p_target_w if der.can.store else min(asked[der.id], said.p_ceiling_w or 0.0)
                self.ders[i] = make.again(der, p_w=p_w)
        return {der.id: der.reading.p_w for der in self.ders}

    def poc(self, *, shown: bool, heard: bool) -> PocState:
        phases_w = self.phases_w()
        poc = make.meter(sum(phases_w), sample=self.n, fresh=heard)
        return replace(poc, reading=replace(poc.reading, p_phase_w=phases_w if shown else None))


@pytest.mark.parametrize("shown", [True, False])
def test_who_feeds_in_one_phase_is_cut_for_that_one_and_load_lets_nobody_give_more(shown: bool) -> None:
    house = House((2000.0, 0.0, 0.0), (make.pv("pva", p_w=0.0), "a"), (make.pv("pvb", p_w=0.0), "b"))
    given = house.run(60, {"pva": 9000.0, "pvb": 5000.0}, shown=shown)
    assert given == {"pva": pytest.approx(PHASE_W), "pvb": 5000.0}


def test_a_store_draws_less_where_its_phase_has_too_much_load_and_one_elsewhere_goes_on() -> None:
    house = House((3000.0, 500.0, 0.0), (make.battery("bata", p_w=0.0), "a"), (make.battery("batb", p_w=0.0), "b"))
    given = house.run(60, {"bata": -5000.0, "batb": -5000.0})
    assert given == {"bata": pytest.approx(3000.0 - PHASE_W, rel=0.01), "batb": pytest.approx(-5000.0)}
    house.load_w = (0.0, 500.0, 0.0)
    assert house.run(60, {"bata": -5000.0, "batb": -5000.0})["bata"] == pytest.approx(-5000.0)


def test_a_store_in_three_phases_is_bound_by_the_worst() -> None:
    house = House((4750.0, 0.0, 0.0), (make.battery("bat3", p_w=0.0), "abc"))
    assert house.run(60, {"bat3": -5000.0})["bat3"] == pytest.approx(-3000.0, rel=0.02)


def test_without_the_meter_charging_ends_and_nobody_gives_more_than_a_fuse_carries() -> None:
    house = House((0.0, 0.0, 0.0), (make.battery("bata", p_w=0.0), "a"), (make.pv("pvb", p_w=0.0), "b"))
    house.run(20, {"bata": -5000.0, "pvb": 9000.0})
    given = house.run(30, {"bata": -5000.0, "pvb": 9000.0}, heard=False)
    assert given == {"bata": pytest.approx(0.0), "pvb": pytest.approx(PHASE_W)}


def test_a_store_that_is_said_to_be_elsewhere_is_taken_back_once_the_excess_lasts() -> None:
    """Said to be in B, it draws in A, where there is load."""
    house = House((3000.0, 0.0, 0.0), (make.battery("bat", p_w=0.0), "a"), says="b")
    house.run(8, {"bat": -5000.0})
    assert house.phases_w()[0] < -PHASE_W - 1000.0, "or this test says nothing"
    house.run(30, {"bat": -5000.0})
    assert -house.phases_w()[0] <= PHASE_W * 1.01
    assert house.time.memories["fuse_limit"].drawn_by_phase.astray_s > 0.0
    house.load_w = (0.0, 0.0, 0.0)
    house.run(int(KEEP_S) + 5, {"bat": -5000.0})
    assert house.time.memories["fuse_limit"].drawn_by_phase.astray_s == 0.0


def test_load_alone_makes_no_store_give_and_is_nobody_s_fault() -> None:
    house = House((9000.0, 0.0, 0.0), (make.battery("bata", p_w=0.0), "a"))
    assert house.run(40, {"bata": 0.0}) == {"bata": 0.0}
    assert house.time.memories["fuse_limit"].drawn_by_phase.astray_s == 0.0


def test_a_der_that_comes_back_begins_where_it_is() -> None:
    house = House((0.0, 0.0, 0.0), (make.battery("bata", p_w=0.0), "a"), (make.battery("batb", p_w=0.0), "b"))
    house.run(20, {"bata": -5000.0, "batb": -5000.0})
    house.ders[1] = replace(house.ders[1], controllable=False)
    house.run(5, {"bata": -5000.0, "batb": 0.0})
    house.ders[1] = replace(house.ders[1], controllable=True)
    given = house.run(30, {"bata": -5000.0, "batb": -5000.0})
    assert given == {"bata": pytest.approx(-5000.0), "batb": pytest.approx(-5000.0)}


def test_a_meter_that_shows_no_phases_leaves_what_is_drawn_to_the_sum() -> None:
    house = House((0.0, 0.0, 0.0), (make.battery("bata", p_w=0.0), "a"))
    house.run(3, {"bata": -3000.0}, shown=False)
    assert house.time.memories["fuse_limit"].drawn_by_phase.floors_w == ()


def test_a_sample_is_judged_once() -> None:
    house = House((3000.0, 0.0, 0.0), (make.battery("bata", p_w=-5000.0), "a"))
    told = []
    for _ in range(3):
        poc = replace(house.poc(shown=True, heard=True), sample=7)
        house.time.told(*house.ders, poc=poc)
        told.append(house.time.memories["fuse_limit"].drawn_by_phase.floors_w[0])
    assert told == [pytest.approx(3000.0 - PHASE_W)] * 3
