"""What a load's flicker, its jumps and a hob that cycles make of what a meter shows beside a step."""

from math import gamma, log, pi, sqrt
from random import Random

import pytest

from derctl.core.belief import DOUBLET_PU, DOUBTED_FROM
from derctl.core.noise import (
    APART,
    JUMP,
    KEPT,
    LEAST_W,
    MEDIAN_T,
    OFTEN,
    QUARTILE_T,
    SELDOM,
    TAIL,
    UNKNOWN,
    Noise,
    again,
    jumping,
    learned,
    passed,
    ratio,
    spread_w,
)
from derctl.core.value import replace

CALM = Noise(usual_w=20.0, calm_w=20.0 * QUARTILE_T / MEDIAN_T)
STEP_W = DOUBLET_PU * 13_300.0


def student(x: float) -> float:
    """The density of Student's t, as a book has it."""
    of = TAIL
    tails = float((1.0 + x * x / of) ** (-(of + 1.0) / 2.0))
    return gamma((of + 1.0) / 2.0) / (sqrt(of * pi) * gamma(of / 2.0)) * tails


def test_while_little_is_missed_it_is_the_ratio_of_two_of_students_densities() -> None:
    spread = spread_w(CALM)
    book = log(student((10.0 - 60.0) / spread)) - log(student(10.0 / spread))
    assert ratio(CALM, 10.0, 60.0) == pytest.approx(book, rel=0.01)
    assert ratio(CALM, 10.0, 0.0) == 0.0


@pytest.mark.parametrize("usual_w", [LEAST_W, 20.0, 60.0, 500.0])
@pytest.mark.parametrize("shift_w", [-2.0 * STEP_W, -STEP_W, -0.9 * STEP_W, -STEP_W / 3.0])
def test_one_jump_that_is_what_a_wrong_meter_would_show_is_no_verdict(usual_w: float, shift_w: float) -> None:
    noise = Noise(usual_w=usual_w, calm_w=usual_w * QUARTILE_T / MEDIAN_T)
    assert 0.0 < ratio(noise, shift_w, shift_w) < DOUBTED_FROM


@pytest.mark.parametrize("part", [1.0, 0.5])
def test_what_jumped_lately_or_half_of_it_says_little_where_it_comes_again(part: float) -> None:
    """A hob of 1,800 W, in a house in which a reversed meter would miss 1,862 W, and a dead one 931 W."""
    hob = CALM
    for _ in range(6):
        hob = passed(jumping(hob, 1800.0))
    shown_w = -1800.0 * part
    assert ratio(CALM, shown_w, shown_w) > 7.0
    assert ratio(hob, shown_w, shown_w) < 5.0
    assert ratio(hob, 0.0, shown_w) < -3.0, "a step that is shown speaks for the meter all the same"


def test_with_a_hob_that_cycles_what_is_shown_speaks_for_the_right_meter_in_the_mean() -> None:
    dice, hob = Random(1), CALM
    for _ in range(6):
        hob = passed(jumping(hob, 1800.0))
    for shift_w in (-2.0 * STEP_W, -STEP_W):
        shown = [dice.choice((0.0, 0.0, 1800.0, -1800.0, 900.0, -900.0)) + dice.gauss(0.0, 15.0) for _ in range(400)]
        assert sum(ratio(hob, r_w, shift_w) for r_w in shown) / len(shown) < -0.5
        assert sum(ratio(hob, r_w + shift_w, shift_w) for r_w in shown) / len(shown) > 0.5


@pytest.mark.parametrize(
    ("shown_w", "ders_w", "jumps"),
    [(-1000.0, 0.0, 1), (-1000.0, 400.0, 1), (0.0, -1000.0, 0), (1000.0, -1000.0, 0), (-1000.0, -1000.0, 0)],
)
def test_what_the_ders_moved_is_no_jump_of_the_load_whatever_the_meter_makes_of_it(
    shown_w: float, ders_w: float, jumps: int
) -> None:
    """A dead meter and a reversed one would make loads of it, and be right meters then."""
    assert abs(ders_w) <= APART * abs(shown_w) or jumps == 0
    assert len(learned(CALM, shown_w, ders_w).jumps) == jumps


def test_only_what_is_well_beyond_the_flicker_is_a_jump_and_the_last_few_are_kept() -> None:
    assert jumping(CALM, JUMP * spread_w(CALM)) == CALM
    noise = CALM
    for n in range(2 * KEPT):
        noise = jumping(noise, 1000.0 + n)
    assert noise.jumps == tuple(1000.0 + n for n in range(KEPT, 2 * KEPT))


def test_how_often_something_jumps_is_learned_and_forgotten() -> None:
    noise = CALM
    for _ in range(30):
        noise = passed(replace(noise, jumped=True))
    assert noise.often == OFTEN and not noise.jumped
    for _ in range(30):
        noise = passed(noise)
    assert noise.often == SELDOM


def test_one_jump_is_soon_over_and_a_hob_jumps_again_and_again() -> None:
    noise, known = passed(jumping(CALM, 1800.0)), []
    for _ in range(10):
        known.append(again(noise))
        noise = passed(noise)
    assert known[0] == (1800.0,) and known[-1] == ()


def test_the_median_and_the_lower_quartile_are_learned() -> None:
    dice, noise, usual, calm = Random(2), UNKNOWN, list[float](), list[float]()
    for n in range(4000):
        noise = passed(learned(noise, dice.gauss(0.0, 200.0), 0.0))
        if n > 100:
            usual.append(log(noise.usual_w))
            calm.append(log(noise.calm_w))
    assert sum(usual) / len(usual) == pytest.approx(log(0.674 * 200.0), abs=0.2)
    assert sum(calm) / len(calm) == pytest.approx(log(0.319 * 200.0), abs=0.2)


def test_a_hob_moves_the_median_and_not_the_spread() -> None:
    noise = CALM
    for n in range(60):
        moved_w = (10.0, 1800.0, -10.0, 1800.0, -1800.0)[n % 5]
        noise = passed(learned(jumping(noise, abs(moved_w)), moved_w, 0.0))
    assert noise.usual_w > 500.0
    assert spread_w(noise) < 2.0 * spread_w(CALM)
