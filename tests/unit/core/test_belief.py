"""What evidence makes of a meter. The plant here obeys at once; the load is given."""

from collections import deque
from collections.abc import Callable, Iterator
from itertools import cycle
from math import inf

import pytest

from derctl.core.belief import DOUBLET_PU, STILL_S, Doublet, Mean, Memory, Need, start, step
from derctl.core.evidence import Evidence
from derctl.core.types import PocState, Setpoint
from derctl.core.words import Belief
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

    def tick(self, need: Need = NOTHING, dt_s: float = 1.0) -> Evidence:
        most_w = inf if self.said.most_w is None else self.said.most_w
        given_w = min(self.sun_w, most_w)
        self.n += 1
        self.line.append(self.shows(given_w, self.load_w + next(self.flicker)))
        pv = make.pv(p_max_w=RATED_W, p_w=given_w, accepted=Setpoint(p_ceiling_w=self.told_w))
        self.memory, self.said = step(self.memory, [pv], make.meter(self.line.popleft(), sample=self.n), need, dt_s)
        self.stepped += self.said.most_w is not None
        return self.said

    def run(self, ticks: int, need: Need = NOTHING) -> set[Belief]:
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


def test_evidence_is_renewed_while_something_depends_on_it() -> None:
    plant = proven()
    plant.run(60, EXPOSED)
    ages = [plant.tick(EXPOSED).age_s or 0.0 for _ in range(3600)]
    assert max(ages) < 300.0
    assert min(ages) == 0.0


def test_a_step_that_was_not_shown_brings_a_doublet_at_once() -> None:
    plant = proven()
    plant.run(60)
    assert plant.said.most_w is None
    assert plant.tick(Need(suspect=True)).most_w is not None


def test_doublets_follow_one_another_where_that_is_wanted() -> None:
    plant = proven()
    plant.stepped = 0
    plant.run(200, Need(always=True))
    assert plant.stepped > 190


def test_nothing_is_stepped_where_there_is_nothing_to_dip() -> None:
    plant = Plant(right)
    plant.sun_w = DOUBLET_PU * RATED_W
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


def test_a_meter_that_is_not_heard_is_lost_and_begins_anew() -> None:
    plant = proven()
    for poc in (None, make.meter(None), make.meter(500.0, fresh=False)):
        plant.memory, said = step(plant.memory, [make.pv(p_w=6000.0)], poc, Need(), 1.0)
        assert said.belief is Belief.LOST
    assert plant.tick().belief is Belief.UNPROVEN


def test_a_meter_that_stands_still_while_inverters_move_is_lost() -> None:
    plant = proven()
    plant.shows = lambda given_w, load_w: 5000.0
    plant.sun_w = 4000.0
    plant.tick()
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
    before_w = plant.memory.noise_w
    for i in range(60):
        plant.load_w = 600.0 if i % 2 else 2600.0
        plant.run(7)
    assert plant.memory.noise_w > 4.0 * before_w
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
