"""How much load is credited: tables of what is used, wanted and shown. 10 kW of DERs: a step is 400 W."""

from __future__ import annotations

from itertools import pairwise

from derctl.core.evidence import Evidence
from derctl.core.words import Belief
from derctl.functions.credit import AGE_MAX_S, Credit, Use, credited, need_of

SCALE_W, STEP_W, FREE_W, LOAD_W = 10_000.0, 400.0, 3_000.0, 6_000.0


class House:
    """DERs that give what they may; `shows` makes the meter of what goes out."""

    def __init__(self, shows: float = 1.0, *, lag: int = 0, credit: Credit | None = None) -> None:
        self.shows, self.lag, self.credit = shows, lag, credit or Credit(sure_w=0.0)
        self.wanted_w, self.age_s, self.load_w = 5_000.0, 10.0, LOAD_W
        self.sun_w = SCALE_W
        self.given = [FREE_W] * (lag + 1)

    def tick(self, n: int = 1, *, most_w: float | None = None) -> Credit:
        for _ in range(n):
            may_w = min(self.sun_w, FREE_W + min(self.credit.load_w, max(self.wanted_w, 0.0)))
            self.given.append(may_w if most_w is None else min(may_w, most_w))
            poc_w = self.shows * (self.given[-1 - self.lag] - self.load_w)
            use = Use(
                sum_w=self.given[-1],
                used_w=max(self.given[-1] - FREE_W, 0.0),
                wanted_w=self.wanted_w,
                poc_w=poc_w,
                scale_w=SCALE_W,
            )
            evidence = Evidence(
                belief=Belief.PROVEN, age_s=self.age_s, delay_s=1.0, refresh_s=1.0, most_w=most_w, steps=True
            )
            self.credit = credited(self.credit, evidence, use, 1.0)
            self.age_s += 1.0
        return self.credit


def test_it_rises_by_a_step_once_the_last_was_shown() -> None:
    house = House(lag=1)
    loads = [house.tick().load_w for _ in range(60)]
    assert max(b - a for a, b in pairwise(loads)) <= STEP_W + 1e-6
    assert loads[-1] >= 5_000.0
    assert loads[9] <= 2_000.0, "each step waits"


def test_a_step_that_is_not_shown_is_taken_back_and_asks_for_a_coded_one() -> None:
    for shows in (0.0, -1.0, 0.1):
        house = House(shows)
        house.tick(20)
        assert house.credit.suspect and house.credit.load_w == 0.0
        assert need_of(house.credit, 0.0, 0.0).suspect


def test_it_waits_until_the_evidence_is_renewed_and_then_goes_on() -> None:
    house = House(0.0)
    house.tick(20)
    house.shows = 1.0
    assert house.tick(5).load_w == 0.0
    house.age_s = 0.0
    house.tick(20)
    assert house.credit.load_w > 2.0 * STEP_W and not house.credit.suspect


def test_what_was_used_when_the_evidence_was_renewed_is_sure() -> None:
    house = House(credit=Credit(load_w=3_000.0, sure_w=2_000.0, age_s=200.0))
    house.age_s = 0.0
    assert house.tick().sure_w == 3_000.0


def test_during_a_coded_step_it_stands() -> None:
    house = House()
    house.tick(30)
    before = house.credit.load_w
    assert house.tick(10, most_w=house.given[-1] - 700.0).load_w <= before


def test_where_it_begins_in_the_middle_of_a_coded_step_what_is_used_stays() -> None:
    """It fell to nothing, and with it the sun, each time that one on trial was not heard any more."""
    use = Use(sum_w=6_000.0, used_w=3_000.0, wanted_w=5_000.0, poc_w=0.0, scale_w=SCALE_W)
    assert credited(Credit(), Evidence(most_w=5_300.0, steps=True), use, 1.0).load_w == 3_000.0


def test_it_goes_away_on_old_evidence() -> None:
    house = House(credit=Credit(load_w=4_000.0, sure_w=4_000.0))
    house.age_s = AGE_MAX_S
    loads = [house.tick().load_w for _ in range(30)]
    assert loads[0] == 3_800.0 and loads[-1] == 0.0
    assert all(a - b <= 0.02 * SCALE_W + 1e-6 for a, b in pairwise(loads)), "no cliff"
    assert house.credit.suspect


def test_before_there_is_evidence_its_age_is_how_long_something_has_depended_on_it() -> None:
    use = Use(sum_w=4_000.0, used_w=1_000.0, wanted_w=1_000.0, poc_w=-1_000.0, scale_w=SCALE_W)
    credit = Credit()
    for _ in range(round(AGE_MAX_S) + 20):
        credit = credited(credit, Evidence(steps=True), use, 1.0)
    assert credit.suspect and credit.load_w < 1_000.0
    idle = Use(sum_w=2_000.0, used_w=0.0, wanted_w=0.0, poc_w=0.0, scale_w=SCALE_W)
    assert credited(credit, Evidence(steps=True), idle, 1.0).age_s == 0.0


def test_what_goes_out_when_it_begins_stays() -> None:
    """A restart bumps nobody."""
    use = Use(sum_w=7_000.0, used_w=4_000.0, wanted_w=4_000.0, poc_w=1_000.0, scale_w=SCALE_W)
    assert credited(Credit(), Evidence(steps=True, age_s=10.0), use, 1.0).load_w >= 4_000.0


def test_it_comes_down_with_what_the_loop_wants() -> None:
    house = House()
    house.tick(60)
    house.wanted_w = 500.0
    assert house.tick().load_w <= 500.0 + STEP_W


def test_a_load_that_jumps_hides_no_step_and_makes_no_suspicion() -> None:
    house = House()
    house.tick()
    house.load_w += 4_000.0
    house.tick(12)
    assert not house.credit.suspect
    house.tick(40)
    assert house.credit.load_w > 3.0 * STEP_W


def test_a_load_that_grows_at_each_step_is_suspect_in_the_end() -> None:
    house, seen = House(), []
    for _ in range(120):
        house.load_w += 1_000.0
        seen.append(house.tick().suspect)
    assert any(seen) and not seen[10]


def test_who_takes_next_to_nothing_of_a_step_may_go_on() -> None:
    """The sun gives 60 W more: that says nothing of the meter."""
    house = House()
    house.sun_w = FREE_W + 60.0
    house.tick(30)
    assert not house.credit.suspect
    house.sun_w = SCALE_W
    house.tick(40)
    assert house.credit.load_w > 3.0 * STEP_W


def test_the_more_depends_on_it_the_sooner_evidence_is_renewed() -> None:
    ages = [need_of(Credit(), used_w, 0.0).age_s for used_w in (0.0, 500.0, 1_000.0, 5_000.0)]
    assert ages == [230.0, 227.0, 101.0, 20.0]
    assert need_of(Credit(), 0.0, 0.07).always_pu == 0.07


def test_a_step_is_taken_anew_only_once_the_last_was_taken_back() -> None:
    """A slow inverter still gives it."""
    use = Use(sum_w=4_000.0, used_w=1_000.0, wanted_w=2_000.0, poc_w=0.0, scale_w=SCALE_W)
    evidence = Evidence(age_s=10.0, steps=True)
    assert credited(Credit(sure_w=500.0, back=True, age_s=9.0), evidence, use, 1.0).load_w == 500.0


def test_at_a_quick_tick_the_meter_may_show_a_step_some_ticks_before_the_ders_do() -> None:
    credit, given_w, poc_w = Credit(sure_w=0.0), 3_000.0, 0.0
    for n in range(100):
        poc_w = 0.0 if n < 20 else 400.0
        given_w = 3_000.0 if n < 28 else 3_400.0
        use = Use(sum_w=given_w, used_w=given_w - 3_000.0, wanted_w=5_000.0, poc_w=poc_w, scale_w=SCALE_W)
        credit = credited(credit, Evidence(age_s=10.0 + n, delay_s=1.0, refresh_s=1.0, steps=True), use, 0.1)
    assert not credit.suspect and credit.sure_w == 400.0
