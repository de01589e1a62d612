"""The main fuse: sum and phases, out and in, with and without a meter."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from derctl.core.evidence import Evidence
from derctl.core.requests import BatteryRequest
from derctl.core.types import DerState, PocState
from derctl.core.words import Belief, Reason
from derctl.errors import SettingError
from derctl.functions import plan_of
from derctl.functions.fuse_limit import FuseLimit
from derctl.functions.operator import SetpointFunction
from tests import make
from tests.timeline import PlanTimeline, SiteTimeline

FUSE = FuseLimit(fuse_a=25.0, phase_count=3, margin_pu=0.0)
PHASE_W = 25.0 * 230.0


DOUBTED = Evidence(belief=Belief.DOUBTED, steps=True)


def meter(p_w: float | None, phases: tuple[float, ...] | None = None, q_var: float = 0.0, **given: Any) -> PocState:
    poc = make.meter(p_w, **given)
    return replace(poc, reading=replace(poc.reading, p_phase_w=phases, q_var=q_var))


class House:
    """DERs that follow at once; `phase` says on which phase all of them sit, None: evenly on three."""

    def __init__(self, function: FuseLimit, *ders: DerState, phase: int | None, load_w: tuple[float, ...]) -> None:
        battery = [(SetpointFunction(), (der.id,)) for der in ders if der.can.store]
        self.time = PlanTimeline(plan_of(battery, [(function, tuple(der.id for der in ders))]))
        self.ders, self.phase, self.load_w, self.n = list(ders), phase, load_w, 0

    def phases(self) -> tuple[float, ...]:
        total = sum(der.reading.p_w or 0.0 for der in self.ders)
        given = [total / 3.0] * 3 if self.phase is None else [total * (n == self.phase) for n in range(3)]
        return tuple(p - load for p, load in zip(given, self.load_w, strict=True))

    def run(self, seconds: int, *, sun_w: float = 0.0, draw_w: float | None = None, told: bool = True) -> Any:
        asked = (
            [] if draw_w is None else [BatteryRequest(id="a", by="x", der="bat1", p_target_w=draw_w, remaining_s=9e9)]
        )
        for _ in range(seconds):
            self.n += 1
            phases = self.phases()
            poc = meter(sum(phases), phases if told else None, sample=self.n)
            setpoints = self.time.told(*self.ders, poc=poc, requests=tuple(asked))
            for i, der in enumerate(self.ders):
                said = setpoints[der.id]
                p_w = said.p_target_w if der.can.store else min(sun_w, said.p_ceiling_w or 0.0)
                self.ders[i] = make.again(der, p_w=p_w)
        return self.phases()


def test_the_sum_stays_below_the_fuses_and_load_lets_nobody_give_more() -> None:
    for load_w in ((0.0, 0.0, 0.0), (2_000.0, 2_000.0, 2_000.0)):
        house = House(FUSE, make.pv(p_max_w=30_000.0, p_w=0.0), phase=None, load_w=load_w)
        house.run(60, sun_w=30_000.0)
        assert house.ders[0].reading.p_w == pytest.approx(3 * PHASE_W, rel=1e-6)


def test_the_worst_phase_counts_where_the_meter_measures_phases() -> None:
    """10 kW on one phase of 5.75 kW."""
    house = House(FUSE, make.pv(p_w=0.0), phase=1, load_w=(3_000.0, 500.0, 3_000.0))
    assert max(house.run(120, sun_w=10_000.0)) == pytest.approx(PHASE_W, rel=0.01)
    assert max(house.run(30, sun_w=10_000.0)) <= PHASE_W * 1.001


def test_of_a_meter_without_phases_each_is_taken_to_carry_its_share() -> None:
    house = House(FUSE, make.pv(p_w=0.0), phase=1, load_w=(0.0, 0.0, 0.0))
    assert max(house.run(60, sun_w=10_000.0, told=False)) == 10_000.0


def test_a_single_phase_connection_is_its_sum() -> None:
    one = FuseLimit(fuse_a=25.0, phase_count=1, margin_pu=0.0)
    said = SiteTimeline(one).proposes(make.pv(p_w=5_000.0), poc=meter(5_000.0))
    assert said.p_ceiling_w == pytest.approx(PHASE_W)


def test_var_takes_its_part_of_the_current() -> None:
    """3 kvar on each phase: sqrt(5.75^2 - 3^2) = 4.905 kW are left."""
    for p_w, cut in ((4_900.0, False), (4_910.0, True)):
        time = SiteTimeline(FUSE)
        first = time.proposes(make.pv(p_max_w=20_000.0, p_w=3 * p_w), poc=meter(3 * p_w, q_var=9_000.0))
        assert (first.p_ceiling_w < 3 * p_w) == cut


def test_a_battery_draws_no_more_than_the_worst_phase_can_carry_with_the_load() -> None:
    house = House(FUSE, make.battery(p_w=0.0), phase=0, load_w=(3_000.0, 0.0, 0.0))
    phases = house.run(120, draw_w=-5_000.0)
    assert -min(phases) == pytest.approx(PHASE_W, rel=0.01)
    house.load_w = (500.0, 0.0, 0.0)
    assert house.run(60, draw_w=-5_000.0)[0] == pytest.approx(-5_500.0), "the bound is let go again"
    assert house.time.memories["fuse_limit"].floor_w is None


def test_load_alone_above_the_fuse_makes_no_battery_discharge() -> None:
    house = House(FUSE, make.battery(p_w=0.0), phase=0, load_w=(9_000.0, 0.0, 0.0))
    house.run(60, draw_w=-5_000.0)
    assert house.ders[0].reading.p_w == 0.0


def test_what_was_cut_comes_back_on_a_ramp_when_there_is_room() -> None:
    house = House(FUSE, make.pv(p_w=0.0), phase=1, load_w=(0.0, 0.0, 0.0))
    house.run(60, sun_w=10_000.0)
    house.load_w = (0.0, 5_000.0, 0.0)
    before = house.ders[0].reading.p_w
    house.run(1, sun_w=10_000.0)
    assert 0.0 < house.ders[0].reading.p_w - before <= 1_000.0
    house.run(60, sun_w=10_000.0)
    assert house.ders[0].reading.p_w == pytest.approx(10_000.0)


@pytest.mark.parametrize("poc", [None, meter(None), meter(-20_000.0, fresh=False), meter(-20_000.0, belief=DOUBTED)])
def test_without_the_meter_nothing_is_raised_and_charging_ends(poc: PocState | None) -> None:
    time, pv = SiteTimeline(FUSE), make.pv(p_w=9_000.0)
    cut = time.proposes(pv, poc=meter(5_000.0, (8_000.0, -1_500.0, -1_500.0)))
    said = [time.proposes(pv, poc=poc) for _ in range(10)]
    assert {each.p_ceiling_w for each in said} == {cut.p_ceiling_w}
    assert {each.why for each in said} == {Reason.METER_LOST}
    time, bat = SiteTimeline(FUSE), make.battery(p_w=-4_000.0)
    said = [time.proposes(bat, poc=poc) for _ in range(10)]
    assert [each.p_floor_w for each in said] == pytest.approx([500.0 * n - 4_000.0 for n in (*range(1, 9), 8, 8)])


def test_between_two_samples_nothing_moves() -> None:
    time = SiteTimeline(FUSE)
    first = time.proposes(make.pv(p_w=9_000.0), poc=meter(9_000.0, (9_000.0, 0.0, 0.0)))
    assert time.proposes(make.pv(p_w=9_000.0), poc=meter(9_000.0, (9_000.0, 0.0, 0.0))) == first


def test_a_der_out_of_our_hands_takes_its_part_of_the_fuses() -> None:
    other = make.pv("pv2", p_w=6_000.0, controllable=False)
    said = SiteTimeline(FUSE).proposes(make.pv(p_w=0.0), other, poc=meter(6_000.0))
    assert said.over == ("pv1",)
    assert said.p_ceiling_w == pytest.approx(3 * PHASE_W - 6_000.0)


def test_phases_are_counted_in_whole_numbers() -> None:
    with pytest.raises(SettingError) as caught:
        FuseLimit(fuse_a=25.0, phase_count=2.5)
    assert caught.value.name == "phase_count"
