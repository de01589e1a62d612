"""The voltage's slopes are learned from clouds, near the truth, and not where nothing moved."""

import random

import pytest

from derctl.core.sensitivity import START, watched
from hil.houses import Sun
from hil.plant.grid import Line, ZBusFeeder
from tests import make
from tests.hunting.grids import PLACES, Place, found, house, judged

SEEDS = 6


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
@pytest.mark.parametrize("t90_s", [0.5, 10.0])
def test_what_is_known_of_a_grid_is_so(place: Place, t90_s: float) -> None:
    """With loads, a source that wanders, and loops that answer; never wrong by more than 2."""
    said = [found(place, house(place, seed, t90_s=t90_s), 600.0) for seed in range(SEEDS)]
    known, near, wrong = judged([each.p for each in said], [each.worst_p for each in said])
    assert wrong == 0
    assert place.noise_pu > 5e-4 or near >= known - 1
    assert judged([each.q for each in said], [each.worst_q for each in said])[2] == 0
    if not place.functions and place.wander_pu < 5e-4:
        assert known >= SEEDS - 1


def test_under_a_clear_sky_nothing_is_known() -> None:
    said = [found(PLACES[0], house(PLACES[0], seed, t90_s=1.0, cloudy=False), 600.0) for seed in range(SEEDS)]
    assert [(each.p, each.q) for each in said] == [(None, None)] * SEEDS


def feeder() -> ZBusFeeder:
    """Two inverters with a cable each behind a shared one."""
    lines = [
        Line(parent="source", node="poc", r_ohm=0.3, x_ohm=0.15),
        Line(parent="poc", node="pv1", r_ohm=0.1, x_ohm=0.02),
        Line(parent="poc", node="pv2", r_ohm=0.3, x_ohm=0.05),
    ]
    return ZBusFeeder(lines, poc="poc", v_nom_v=230.0)


def test_behind_a_solved_feeder_each_der_has_what_both_together_move_there() -> None:
    """The truth is the same feeder's own difference between two powers of both."""
    grid, dice, memory = feeder(), random.Random(2), START
    suns = [Sun(cloudy=True), Sun(cloudy=True)]
    low, high = (grid.solve({"pv1": 1e4 * p, "pv2": 1e4 * p}, 1.0).v_pu for p in (0.4, 0.9))
    for t in range(1_200):
        p1, p2 = ([sun.at(t + n / 10.0, dice) for n in range(10)][-1] for sun in suns)
        v = grid.solve({"pv1": 1e4 * p1, "pv2": 1e4 * p2}, 1.0 + dice.gauss(0.0, 2e-4)).v_pu
        ders = [make.pv(name, p_w=1e4 * p, q_var=0.0, v_pu=v[name]) for name, p in (("pv1", p1), ("pv2", p2))]
        memory = watched(memory, ders, None, float(t))
    truth = [(high[name] - low[name]) / 0.5 for name in ("pv1", "pv2")]
    assert [each.known.dv_dp_pu for each in memory.terminals] == pytest.approx(truth, rel=0.25)
