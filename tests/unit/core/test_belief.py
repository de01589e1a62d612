"""What evidence makes of a meter. The plant here obeys at once; the load is given."""

from collections import deque
from collections.abc import Callable, Iterator
from itertools import cycle
from math import inf
from random import Random
from typing import Any

import pytest

from derctl.core.belief import (
    DOUBLET_PU,
    Memory,
    Rises,
    contradicted,
    needing,
    power_w,
    start,
    step,
    unmoved,
)
from derctl.core.doublet import Doublet, Mean
from derctl.core.evidence import Evidence, Need, together
from derctl.core.noise import Noise
from derctl.core.pace import STILL_S
from derctl.core.types import PocState, Setpoint
from derctl.core.value import replace
from derctl.core.words import Belief, Status
from tests import make

RATED_W = 10_000.0
FLICKER = (0.0, 9.0, -7.0, 4.0, -12.0, 6.0, 3.0)
EXPOSED, NOTHING = Need(exposed_w=1000.0), Need()


class Plant:
    """One PV inverter that gives sun_w, or what the doublet leaves; the meter shows it `late` ticks later."""

    def __init__(self, shows: Callable[[float, float], float], *, late: int = 0, load_w: float = 600.0) -> None:
        self.shows, self.load_w, self.sun_w, self.n = shows, load_w, 6000.0, 0
        self.flicker: Iterator[float] = cycle(FLICKER)
        self.line: deque[float] = deque([0.0] * late)
        self.memory, self.said, self.stepped = Memory(), Evidence(), 0
        self.told_w: float | None = None

    def tick(self, need: Need | None = None, dt_s: float = 1.0) -> Evidence:
        """need None: something depends on it until it is proven."""
        if need is None:
            need = NOTHING if self.said.belief is Belief.PROVEN else EXPOSED
        most_w = inf if self.said.most_w is None else self.said.most_w
        given_w = min(self.sun_w, most_w)
        self.n += 1
        self.line.append(self.shows(given_w, self.load_w + next(self.flicker)))
        pv = make.pv(p_max_w=RATED_W, p_w=given_w, accepted=Setpoint(p_ceiling_w=self.told_w))
        self.memory, self.said = step(self.memory, [pv], make.meter(self.line.popleft(), sample=self.n), need, dt_s)
        self.stepped += self.said.most_w is not None
        return self.said

    def run(self, ticks: int, need: Need | None = None) -> set[Belief]:
        return {self.tick(need).belief for _ in range(ticks)}


def right(given_w: float, load_w: float) -> float:
    return given_w - load_w


def dead(given_w: float, load_w: float) -> float:
    return load_w - 600.0


WRONG = {
    "reversed": lambda given_w, load_w: load_w - given_w,
    "near zero": dead,
    "a tenth": lambda given_w, load_w: 0.1 * (given_w - load_w),
    "two of three phases": lambda given_w, load_w: (given_w - load_w) * 2.0 / 3.0,
    "on the load": lambda given_w, load_w: -load_w,
}


def proven(late: int = 0) -> Plant:
    plant = Plant(right, late=late)
    assert Belief.PROVEN in plant.run(600)
    assert plant.said.belief is Belief.PROVEN
    return plant


def test_a_meter_that_shows_the_steps_of_the_coin_is_proven() -> None:
    plant = proven()
    assert plant.said.slope == pytest.approx(1.0, abs=0.1)
    assert plant.said.age_s is not None


@pytest.mark.parametrize("lie", WRONG)
def test_a_wrong_meter_is_never_proven_and_is_doubted(lie: str) -> None:
    seen = Plant(WRONG[lie]).run(1200)
    assert Belief.PROVEN not in seen
    assert Belief.DOUBTED in seen


@pytest.mark.parametrize("lie", WRONG)
def test_a_proven_meter_that_goes_wrong_is_doubted(lie: str) -> None:
    plant = proven()
    plant.shows = WRONG[lie]
    plant.run(600, EXPOSED)
    assert plant.said.belief is Belief.DOUBTED


def test_a_doubted_meter_that_is_right_again_is_proven_again() -> None:
    plant = Plant(dead)
    plant.run(600)
    plant.shows = right
    plant.run(600)
    assert plant.said.belief is Belief.PROVEN


@pytest.mark.parametrize("late", [2, 5])
def test_a_late_meter_is_proven_and_its_lateness_is_known(late: int) -> None:
    assert proven(late).said.delay_s == pytest.approx(late, abs=1.0)


def test_a_reversed_meter_that_is_late_is_no_right_one() -> None:
    assert Belief.PROVEN not in Plant(WRONG["reversed"], late=5).run(1200)


def test_nothing_is_stepped_while_nothing_depends_on_a_proven_meter() -> None:
    plant = proven()
    plant.run(60)
    plant.stepped = 0
    plant.run(3600)
    assert plant.stepped == 0


def _begins(dipped: bool) -> Plant:
    """One whose doublet has just begun, with its dip or without."""
    plant = proven()
    plant.run(60)
    while plant.tick(EXPOSED).most_w is None or (plant.said.dip_w > 0.0) != dipped:
        pass
    return plant


def test_no_dip_is_made_any_more_once_nothing_depends_on_it() -> None:
    plant = _begins(dipped=False)
    assert plant.tick(NOTHING).most_w is None
    assert not any(plant.tick(NOTHING).dip_w for _ in range(60))


@pytest.mark.parametrize("need", [EXPOSED, replace(NOTHING, suspect=True), replace(NOTHING, always_pu=DOUBLET_PU)])
def test_a_dip_that_somebody_needs_is_made(need: Need) -> None:
    plant = _begins(dipped=False)
    assert any(plant.tick(need).dip_w for _ in range(20))


def test_a_doublet_whose_dip_was_made_goes_to_its_end() -> None:
    plant = _begins(dipped=True)
    assert plant.tick(NOTHING).dip_w > 0.0


def test_evidence_is_renewed_while_something_depends_on_it() -> None:
    plant = proven()
    plant.run(60, EXPOSED)
    ages = [plant.tick(EXPOSED).age_s or 0.0 for _ in range(3600)]
    assert max(ages) < 300.0
    assert min(ages) == 0.0


def dips_w(plant: Plant, need: Need) -> set[int]:
    """How deep they are once the load is known."""
    plant.run(600, need)
    return {round(plant.tick(need).dip_w) for _ in range(900)} - {0}


def test_a_proof_is_renewed_with_less_where_the_load_is_calm_and_nobody_suspects_anything() -> None:
    plant = proven()
    assert dips_w(plant, EXPOSED) == {400}, "4 % of the rating, which the meter shows as well"
    assert plant.said.belief is Belief.PROVEN
    plant = proven()
    assert dips_w(plant, replace(EXPOSED, suspect=True)) == {700}
    plant = proven()
    plant.flicker = cycle(10.0 * w for w in FLICKER)
    assert dips_w(plant, EXPOSED) == {700}, "in a load that flickers it has to stand out"
    plant, chance = proven(), Random(3)
    plant.flicker = iter(lambda: chance.gauss(0.0, 20.0), None)
    assert 400 < max(dips_w(plant, EXPOSED)) < 700, "by what it flickers"


@pytest.mark.no_cover
def test_a_calm_house_notices_a_meter_that_goes_wrong_all_the_same() -> None:
    for lie, shows in WRONG.items():
        plant = proven()
        assert dips_w(plant, EXPOSED) == {400}
        plant.shows = shows
        plant.run(600, EXPOSED)
        assert plant.said.belief is Belief.DOUBTED, lie


def test_a_step_that_was_not_shown_brings_a_doublet_at_once() -> None:
    plant = proven()
    plant.run(60)
    assert plant.said.most_w is None
    assert plant.tick(Need(suspect=True)).most_w is not None


def test_doublets_follow_one_another_where_that_is_wanted() -> None:
    """But for half of one after each that ends low."""
    plant = proven()
    plant.stepped = 0
    plant.run(400, Need(always_pu=DOUBLET_PU))
    assert plant.stepped > 300


def test_steps_that_follow_one_another_do_not_take_the_inverters_down() -> None:
    """One that begins where the one before ended, low, would go down once more, and nothing brought them up again."""
    plant = proven()
    given_w = [6000.0 if (most_w := plant.tick(Need(always_pu=DOUBLET_PU)).most_w) is None else most_w]
    for _ in range(2000):
        most_w = plant.tick(Need(always_pu=DOUBLET_PU)).most_w
        given_w.append(6000.0 if most_w is None else min(most_w, 6000.0))
    assert sum(given_w) / len(given_w) > 6000.0 - 0.5 * DOUBLET_PU * RATED_W
    assert given_w[-20:].count(6000.0) > 0


def test_a_dip_that_the_loop_did_not_come_back_from_is_judged_by_its_way_down() -> None:
    """A meter that is stuck shows no room for the way back; then the coin is thrown anew."""
    low, high = Mean(poc_n=1, ders_n=1), Mean(poc_n=1, ders_n=1, ders_w=700.0)
    stayed = Doublet(coded=True, half_s=4.0, late_s=0.5, at_s=8.0, step_w=700.0, first=low, second=low)
    for doublet, says in (
        (replace(stayed, lead=high), True),
        (stayed, False),
        (replace(stayed, lead=low), False),
        (replace(stayed, lead=high, coin=-1.0), False),
        (replace(stayed, lead=high, rise=True), False),
    ):
        known = Memory(doublet=doublet, over=("pv1",), suspect=True)
        memory, _ = step(known, [make.pv(p_w=5000.0)], make.meter(0.0), Need(), 1.0)
        assert (memory.against[1] > 3.0) is says
        assert memory.suspect is not says
        assert memory.seed != known.seed


@pytest.mark.parametrize("coin", [1.0, -1.0])
def test_what_the_load_does_is_learned_beside_the_steps_too(coin: float) -> None:
    """Where steps follow one another there is nothing else to learn it from. What the DERs do is no load."""
    lead = Mean(poc_n=1, ders_n=1, ders_w=700.0, poc_w=700.0)
    low, high = Mean(poc_n=1, ders_n=1), Mean(poc_n=1, ders_n=1, ders_w=700.0, poc_w=1000.0)
    first, second = (low, high) if coin > 0.0 else (high, low)
    done = Doublet(
        coded=True, coin=coin, half_s=4.0, late_s=0.5, at_s=8.0, step_w=700.0, lead=lead, first=first, second=second
    )
    away = replace(lead, ders_w=600.0)
    for doublet, learns in ((done, True), (replace(done, lead=away), False), (replace(done, lead=Mean()), False)):
        known = Memory(doublet=doublet, over=("pv1",))
        memory, _ = step(known, [make.pv(p_w=5000.0)], make.meter(0.0), Need(), 1.0)
        assert (memory.noise.usual_w > known.noise.usual_w) is learns
        assert memory.noise.usual_w >= known.noise.usual_w


def test_until_it_is_proven_what_the_load_does_is_learned_between_them() -> None:
    """Else a noise that is only assumed judged the meter for good."""
    plant, coded = Plant(right), []
    while plant.said.belief is Belief.UNPROVEN:
        plant.tick(Need(always_pu=DOUBLET_PU))
        assert plant.memory.doublet is not None
        coded.append(plant.memory.doublet.coded)
    assert 0.4 < sum(coded) / len(coded) < 0.6
    assert plant.memory.noise.usual_w < 40.0


def test_nothing_is_stepped_where_there_is_nothing_to_dip() -> None:
    plant = Plant(right)
    plant.sun_w = 100.0
    plant.load_w = 0.0
    plant.run(300)
    assert plant.stepped == 0


def test_the_sun_alone_shows_that_a_meter_died() -> None:
    plant = proven()
    plant.run(60)
    plant.shows, plant.stepped = dead, 0
    for i in range(40):
        plant.sun_w = 6000.0 if i % 2 else 4000.0
        plant.run(9)
    assert plant.said.belief is Belief.DOUBTED


def test_what_a_limit_moves_is_no_sun() -> None:
    plant = proven()
    plant.run(60)
    plant.shows = dead
    for i in range(40):
        plant.sun_w = plant.told_w = 6000.0 if i % 2 else 4000.0
        plant.run(9)
    assert plant.said.belief is Belief.PROVEN


@pytest.mark.parametrize(("ders_w", "says"), [(700.0, True), (4000.0, False), (-2000.0, False)])
def test_a_doublet_in_which_the_sun_moved_more_than_the_coin_says_nothing(ders_w: float, says: bool) -> None:
    low, high = Mean(poc_n=1, ders_n=1), Mean(poc_n=1, ders_n=1, poc_w=-ders_w, ders_w=ders_w)
    done = Doublet(coded=True, half_s=4.0, late_s=0.5, at_s=8.0, step_w=700.0, first=low, second=high)
    memory, said = step(Memory(doublet=done, over=("pv1",)), [make.pv(p_w=5000.0)], make.meter(0.0), Need(), 1.0)
    assert (max(memory.against) > 0.0) is says
    assert (said.slope is not None) is says


@pytest.mark.parametrize("coin", [1.0, -1.0])
def test_a_step_that_is_not_shown_speaks_against_the_meter_whichever_half_came_first(coin: float) -> None:
    first, second = Mean(poc_n=1, ders_n=1), Mean(poc_n=1, ders_n=1, ders_w=coin * 700.0)
    done = Doublet(coded=True, coin=coin, half_s=4.0, late_s=0.5, at_s=8.0, step_w=700.0, first=first, second=second)
    memory, _ = step(Memory(doublet=done, over=("pv1",)), [make.pv(p_w=5000.0)], make.meter(0.0), Need(), 1.0)
    assert memory.against[1] > 3.0
    assert memory.right[1] == 0.0


def test_a_meter_that_is_not_heard_is_lost_and_then_what_was_known_of_it_is_as_old_as_it_is() -> None:
    plant = proven()
    age_s = plant.said.age_s
    assert age_s is not None
    for poc in (None, make.meter(None), make.meter(500.0, fresh=False)):
        plant.memory, said = step(plant.memory, [make.pv(p_w=6000.0)], poc, Need(), 1.0)
        assert (said.belief, said.most_w) == (Belief.LOST, None)
    said = plant.tick()
    assert (said.belief, said.age_s) == (Belief.PROVEN, age_s + 4.0)


def test_a_meter_that_stands_still_while_inverters_move_is_lost() -> None:
    plant = proven()
    plant.shows = lambda given_w, load_w: 5000.0
    plant.sun_w = 4000.0
    plant.run(5)
    plant.sun_w = 6000.0
    assert Belief.LOST in plant.run(round(STILL_S) + 2)


def test_a_meter_that_stands_still_while_nothing_moves_is_not() -> None:
    plant = proven()
    plant.run(60)
    plant.shows = lambda given_w, load_w: 5000.0
    assert plant.run(60) == {Belief.PROVEN}


def test_ticks_longer_than_a_half_prove_nothing() -> None:
    plant = Plant(right)
    assert {plant.tick(dt_s=60.0).belief for _ in range(100)} == {Belief.UNPROVEN}


def test_a_load_that_jumps_is_learned_as_noise() -> None:
    plant = proven()
    before_w = plant.memory.noise.usual_w
    for i in range(60):
        plant.load_w = 600.0 if i % 2 else 2600.0
        plant.run(7)
    assert plant.memory.noise.usual_w > 4.0 * before_w
    assert plant.said.belief is Belief.PROVEN


def test_the_same_ticks_give_the_same_belief() -> None:
    one, other = Plant(right), Plant(right)
    for _ in range(300):
        assert one.tick() == other.tick()
    assert one.memory == other.memory


def test_nobody_to_tell_proves_nothing() -> None:
    poc: PocState = make.meter(0.0)
    assert step(Memory(), [], poc, Need(), 1.0)[1].belief is Belief.UNPROVEN


def test_each_site_throws_its_own_coin_and_the_same_each_time() -> None:
    seeds = {start(site).seed for site in ("house-12", "house-13", "mill", "")}
    assert len(seeds) == 4
    assert start("mill") == start("mill")


def test_who_comes_makes_no_step() -> None:
    """5 kW more at once, and a meter that stands still: nobody moved."""
    plant = proven()
    plant.run(60)
    pvs = [make.pv("pv1", p_w=5000.0), make.pv("pv2", p_w=5000.0)]
    for ders in (pvs[:1], pvs, *[pvs] * 20):
        plant.memory, said = step(plant.memory, ders, make.meter(4000.0), NOTHING, 1.0)
    assert said.belief is Belief.PROVEN
    assert plant.memory.doublet is not None and plant.memory.doublet.at_s < 22.0


def test_the_edge_of_a_cloud_doubts_no_right_meter() -> None:
    plant = Plant(right)
    for i in range(40):
        plant.sun_w = 4000.0 if i % 2 else 8000.0
        assert Belief.DOUBTED not in plant.run(33, Need(steps=False))


def test_nobody_to_make_steps_is_asked_for_none() -> None:
    plant = Plant(right)
    plant.run(300, Need(exposed_w=1000.0, steps=False))
    assert plant.stepped == 0


def test_where_there_is_nothing_to_dip_it_rises_into_the_import() -> None:
    """A zero export that begins in the dark: 400 W at most of 10 kW, and less than what comes in."""
    poc, night = make.meter(-900.0), make.pv(p_max_w=RATED_W, p_w=0.0)
    memory, said = step(Memory(rested=9), [night], poc, EXPOSED, 1.0)
    assert memory.doublet is not None and memory.doublet.rise
    found = set()
    for _ in range(60):
        memory, said = step(memory, [night], poc, EXPOSED, 1.0)
        found.add((said.most_w, said.rise_w))
    assert found == {(0.0, 0.0), (400.0, 400.0)}


class Dark:
    """A zero export at dawn: one inverter that gives what a rise lets it, and takes no less than `least_w`."""

    def __init__(self, shows: Callable[[float, float], float], *, late: int = 0, load_w: float = 500.0) -> None:
        self.shows, self.load_w, self.n, self.given_w = shows, load_w, 0, 0.0
        self.flicker: Iterator[float] = cycle(FLICKER)
        self.line: deque[float] = deque([-load_w] * late)
        self.memory, self.said, self.most_w = Memory(rested=9), Evidence(), 0.0

    def tick(self) -> Evidence:
        self.n += 1
        self.line.append(self.shows(self.given_w, self.load_w + next(self.flicker)))
        pv = make.pv(p_max_w=RATED_W, p_w=self.given_w, accepted=Setpoint(p_ceiling_w=self.given_w))
        poc = make.meter(self.line.popleft(), sample=self.n)
        self.memory, self.said = step(self.memory, [pv], poc, EXPOSED, 1.0)
        self.given_w = self.said.rise_w
        self.most_w = max(self.most_w, self.given_w)
        return self.said

    def proven_after(self, ticks: int) -> int | None:
        return next((n for n in range(ticks) if self.tick().belief is Belief.PROVEN), None)


@pytest.mark.parametrize(("load_w", "late", "within"), [(300.0, 0, 60), (500.0, 0, 40), (500.0, 5, 300)])
def test_small_rises_one_after_another_prove_a_right_meter_in_the_dark(load_w: float, late: int, within: int) -> None:
    dark = Dark(right, late=late, load_w=load_w)
    assert (dark.proven_after(within) or within) < within
    assert 100.0 <= dark.most_w <= min(load_w - 50.0, 400.0) + max(FLICKER)
    assert dark.memory.rises.made == 0


@pytest.mark.parametrize("lie", ["a tenth", "on the load", "near zero", "reversed", "two of three phases"])
def test_no_rise_proves_a_wrong_meter(lie: str) -> None:
    for load_w in (500.0, 3000.0):
        dark = Dark(WRONG[lie], load_w=load_w)
        assert dark.proven_after(900) is None
        assert dark.most_w <= max(load_w - 50.0 + max(FLICKER), 0.0)


def test_a_late_meter_is_not_doubted_by_rises_that_took_it_for_prompt() -> None:
    dark = Dark(right, late=5)
    assert {dark.tick().belief for _ in range(80)} == {Belief.UNPROVEN}
    assert max(dark.memory.against) == 0.0


@pytest.mark.parametrize("rises", [3, 4])
@pytest.mark.parametrize("refresh_s", [1.0, 5.0])
def test_only_the_first_rises_into_a_quick_meter_take_it_for_prompt(rises: int, refresh_s: float) -> None:
    memory = Memory(rested=9, rises=Rises(made=rises))
    memory = replace(memory, pace=replace(memory.pace, refresh_s=refresh_s))
    memory, _ = step(memory, [make.pv(p_max_w=RATED_W, p_w=0.0)], make.meter(-900.0), EXPOSED, 1.0)
    assert memory.doublet is not None and memory.doublet.rise
    assert memory.doublet.quick is (rises < 4 and refresh_s < 3.0)
    assert memory.doublet.quick is (memory.doublet.late_s < 1.0)


@pytest.mark.parametrize(
    ("usual_w", "shown_w", "dip_w", "rise_w"),
    [(20.0, 400.0, 500.0, 0.0), (60.0, 400.0, 0.0, 0.0), (20.0, -900.0, 500.0, 0.0), (60.0, -900.0, 0.0, 400.0)],
)
def test_of_little_a_little_is_dipped_before_a_proof_where_it_stands_out_of_the_load(
    usual_w: float, shown_w: float, dip_w: float, rise_w: float
) -> None:
    """A limit of 600 W and inverters of 10 kW: no step of 7 % is there to dip, nor an import to rise into, and the
    meter was never proven. A larger step tells more, and proves it sooner."""
    memory = Memory(rested=9, noise=Noise(usual_w=usual_w, calm_w=usual_w))
    memory, _ = step(memory, [make.pv(p_max_w=RATED_W, p_w=600.0)], make.meter(shown_w), EXPOSED, 1.0)
    assert memory.doublet is not None
    found = (0.0, memory.doublet.step_w) if memory.doublet.rise else (memory.doublet.step_w, 0.0)
    assert found == (dip_w, rise_w)


@pytest.mark.parametrize(
    ("draws_w", "limited", "rise_w"),
    [(5000.0, False, 200.0), (150.0, False, 150.0), (0.0, False, 0.0), (5000.0, True, 0.0)],
)
def test_where_no_export_is_limited_a_store_that_charges_draws_less_for_a_step(
    draws_w: float, limited: bool, rise_w: float
) -> None:
    """It is at its most, the sun is steady, and who gives that was never seen: nothing is there to dip."""
    memory = Memory(rested=9, need=Need(exposed_w=1000.0, limited=limited))
    bat = make.battery(p_max_w=5000.0, p_w=-draws_w)
    memory, said = step(memory, [bat], make.meter(1000.0), memory.need, 1.0)
    assert memory.doublet is not None and said.limited is limited
    assert (memory.doublet.step_w, memory.doublet.rise) == (rise_w, rise_w > 0.0)


@pytest.mark.parametrize(("calm_w", "rises"), [(10.0, True), (30.0, True), (100.0, False)])
def test_a_hob_that_cycles_keeps_no_rise_back_while_the_load_is_calm_now_and_then(calm_w: float, rises: bool) -> None:
    """It jumps by 1.5 kW more often than not."""
    memory = Memory(rested=9, noise=Noise(usual_w=1500.0, calm_w=calm_w))
    memory, _ = step(memory, [make.pv(p_max_w=RATED_W, p_w=0.0)], make.meter(-900.0), EXPOSED, 1.0)
    assert memory.doublet is not None and memory.doublet.rise is rises


def test_what_the_load_moves_in_a_calm_quarter_of_the_time_is_learned_beside_its_median() -> None:
    plant, dice = proven(), Random(1)
    for _ in range(300):
        plant.load_w = dice.choice((600.0, 1600.0, 2600.0))
        plant.run(12, NOTHING)
    assert plant.memory.noise.usual_w > 200.0
    assert plant.memory.noise.calm_w < 50.0


def test_a_rise_right_after_a_rise_is_as_large_as_the_one_before() -> None:
    """The inverter still gives of that, so the meter shows less import."""
    pv, poc = make.pv(p_max_w=RATED_W, p_w=350.0), make.meter(-50.0)
    for low_w, coded in ((-400.0, True), (None, False)):
        memory, _ = step(Memory(rested=9, rises=Rises(low_w=low_w)), [pv], poc, EXPOSED, 1.0)
        assert memory.doublet is not None and memory.doublet.coded is coded
        assert memory.doublet.step_w == (350.0 if coded else 0.0)


@pytest.mark.parametrize(("coin", "low_w"), [(1.0, -500.0), (-1.0, -120.0)])
def test_what_the_meter_showed_in_the_low_half_of_a_rise_is_kept_for_the_next(coin: float, low_w: float) -> None:
    first, second = Mean(poc_n=2, ders_n=1, poc_w=-1000.0), Mean(poc_n=1, ders_n=1, poc_w=-120.0)
    done = Doublet(coded=True, rise=True, coin=coin, half_s=4.0, late_s=0.5, at_s=8.0, step_w=400.0)
    for each, expected in ((done, low_w), (replace(done, rise=False), None)):
        each = replace(each, first=first, second=second)
        memory, _ = step(Memory(doublet=each, over=("pv1",)), [make.pv(p_w=0.0)], make.meter(-120.0), Need(), 1.0)
        assert memory.rises.low_w == expected


def test_a_rise_counts_as_far_as_it_was_made() -> None:
    """Told 400 W of a register in steps of 300 W: a meter that shows nothing lacks 300 W, not 400."""
    found = []
    for step_w in (400.0, 300.0):
        first, second = Mean(poc_n=1, ders_n=1), Mean(poc_n=1, ders_n=1, poc_w=300.0, ders_w=300.0)
        done = Doublet(coded=True, rise=True, half_s=4.0, late_s=0.5, at_s=8.0, step_w=step_w)
        done = replace(done, first=first, second=second)
        memory, _ = step(Memory(doublet=done, over=("pv1",)), [make.pv(p_w=300.0)], make.meter(300.0), Need(), 1.0)
        found.append(memory.right)
    assert found[0] == found[1]
    assert min(found[0][:3]) > 3.0


def test_after_so_many_rises_what_the_load_does_is_looked_at_again() -> None:
    dark = Dark(WRONG["on the load"])
    coded = []
    for _ in range(500):
        dark.tick()
        assert dark.memory.doublet is not None
        coded.append(dark.memory.doublet.coded)
    assert not all(coded) and sum(coded) > 300


@pytest.mark.parametrize(("least_w", "rises"), [(0.0, True), (400.0, True), (401.0, False)])
def test_nobody_is_told_less_than_keeps_it_awake_or_than_a_step_of_its_register(least_w: float, rises: bool) -> None:
    pv = make.pv(p_max_w=RATED_W, p_w=0.0)
    pv = replace(pv, can=replace(pv.can, least_w=least_w))
    memory, _ = step(Memory(rested=9), [pv], make.meter(-900.0), EXPOSED, 1.0)
    assert memory.doublet is not None and memory.doublet.rise is rises


@pytest.mark.parametrize(
    ("belief", "given_w", "noise_w", "dip_w"),
    [
        (Belief.PROVEN, 480.0, 60.0, 400.0),
        (Belief.PROVEN, 60.0, 15.0, 0.0),
        (Belief.PROVEN, 480.0, 300.0, 0.0),
        (Belief.UNPROVEN, 480.0, 60.0, 0.0),
    ],
)
def test_a_proof_is_renewed_by_a_small_dip_where_little_is_given_and_nothing_comes_in(
    belief: Belief, given_w: float, noise_w: float, dip_w: float
) -> None:
    """A zero export that serves a load of 500 W. Before the proof what is given is the last rise's."""
    memory = Memory(belief=belief, rested=9, noise=Noise(usual_w=noise_w))
    memory, _ = step(memory, [make.pv(p_max_w=RATED_W, p_w=given_w)], make.meter(-50.0), EXPOSED, 1.0)
    assert memory.doublet is not None and not memory.doublet.rise
    assert memory.doublet.step_w == pytest.approx(dip_w)


@pytest.mark.parametrize(
    ("poc_w", "given"),
    [
        (100.0, {"p_w": 0.0}),
        (-60.0, {"p_w": 0.0}),
        (-900.0, {"p_w": 0.0, "status": Status.ASLEEP}),
        (-900.0, {"p_w": None, "status": Status.ASLEEP}),
        (-900.0, {"p_w": 0.0, "controllable": False}),
    ],
)
def test_nobody_rises_into_what_the_meter_does_not_show_or_while_it_is_dark(
    poc_w: float, given: dict[str, Any]
) -> None:
    memory, _ = step(Memory(rested=9), [make.pv(p_max_w=RATED_W, **given)], make.meter(poc_w), EXPOSED, 1.0)
    assert memory.doublet is not None and not memory.doublet.coded


def test_what_wears_out_makes_no_steps_and_is_part_of_the_sum() -> None:
    flash = make.pv("pv1", p_max_w=RATED_W, p_w=6000.0)
    flash = replace(flash, can=replace(flash.can, volatile=False))
    memory, _ = step(Memory(rested=9), [flash], make.meter(5000.0), EXPOSED, 1.0)
    assert memory.doublet is not None and not memory.doublet.coded
    memory, _ = step(
        Memory(rested=9), [flash, make.pv("pv2", p_max_w=5000.0, p_w=900.0)], make.meter(5000.0), EXPOSED, 1.0
    )
    assert memory.doublet is not None and (round(memory.doublet.step_w), memory.doublet.base_w) == (350, 6900.0)


def test_the_step_is_as_large_as_the_site_file_wants_it() -> None:
    need = Need(always_pu=0.1)
    memory, _ = step(Memory(rested=1), [make.pv(p_max_w=RATED_W, p_w=6000.0)], make.meter(5000.0), need, 1.0)
    assert memory.doublet is not None and memory.doublet.step_w == 1000.0


def test_a_meter_that_is_given_up_gets_a_step_now_and_then_though_nothing_depends_on_it() -> None:
    ders, poc = [make.pv(p_max_w=RATED_W, p_w=6000.0)], make.meter(5000.0)
    for belief in (Belief.DOUBTED, Belief.LOST):
        for rested, coded in ((2, False), (3, True)):
            memory, _ = step(Memory(belief=belief, rested=rested), ders, poc, NOTHING, 1.0)
            assert (memory.doublet is not None and memory.doublet.coded is coded) or belief is Belief.LOST
    memory, _ = step(Memory(rested=9), ders, poc, NOTHING, 1.0)
    assert memory.doublet is not None and not memory.doublet.coded


def test_a_step_ends_at_once_where_nobody_makes_steps_any_more() -> None:
    ders, poc = [make.pv(p_max_w=RATED_W, p_w=6000.0)], make.meter(5000.0)
    memory, said = step(Memory(rested=9), ders, poc, EXPOSED, 1.0)
    assert said.most_w is not None
    assert step(memory, ders, poc, replace(EXPOSED, steps=False), 1.0)[1].most_w is None
    assert unmoved(memory).doublet is None and not unmoved(memory).need.steps
    resting, _ = step(Memory(), ders, poc, NOTHING, 1.0)
    assert unmoved(resting).doublet == resting.doublet
    assert unmoved(Memory()).doublet is None


def test_what_was_measured_a_moment_ago_counts() -> None:
    assert power_w(make.pv(p_w=None)) is None
    assert power_w(replace(make.pv(p_w=None), seen_w=700.0)) == 700.0
    assert power_w(make.pv(p_w=None, status=Status.ASLEEP)) == 0.0


def test_of_what_several_need_the_strictest_counts() -> None:
    calm, eager = Need(exposed_w=100.0, age_s=230.0, steps=False), Need(age_s=20.0, suspect=True, always_pu=0.05)
    assert together([calm, eager]) == Need(exposed_w=100.0, suspect=True, always_pu=0.05, age_s=20.0)
    assert together([]) == Need(steps=False)
    assert together([Need(limited=True), Need()]).limited
    memory = Memory()
    assert needing(memory, memory.need) is memory
    assert needing(memory, eager).need == eager


def test_what_else_speaks_against_it_gives_it_up_and_one_that_stands_still_stays_lost() -> None:
    assert contradicted(Memory(belief=Belief.PROVEN, age_s=5.0)).belief is Belief.DOUBTED
    lost = Memory(belief=Belief.LOST)
    assert contradicted(lost) is lost
