"""One phase against what the DERs did in it, from tables of halves."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

import pytest

from derctl.core import phases
from derctl.core.doublet import Doublet
from derctl.core.phases import Memory, Phases, contradiction, given_w
from derctl.core.types import DerState
from derctl.core.value import replace
from derctl.core.words import Doubt
from tests import make

HALF_S, WINDOW_S, LATE_S = 8.0, 2.0, 1.0
STEP_W = 900.0
EVEN = (300.0, 300.0, 300.0)


def doublet(at_s: float, *, coin: float = 1.0, coded: bool = True) -> Doublet:
    return Doublet(coded=coded, coin=coin, half_s=HALF_S, late_s=LATE_S, window_s=WINDOW_S, at_s=at_s, step_w=STEP_W)


def through(
    memory: Memory,
    moved_w: Phases | None,
    shown_w: Phases,
    *,
    coin: float = 1.0,
    coded: bool = True,
    base_w: float = 1000.0,
) -> Memory:
    """One doublet, a tick a second: in the half that is high each phase has so much more."""
    before: Doublet | None = None
    for at in range(17):
        now = doublet(float(at) if at < 16 else 0.0, coin=coin, coded=coded)
        high = (at > HALF_S) == (coin > 0.0)
        given = None if moved_w is None else tuple(base_w + high * w for w in moved_w)
        shown = tuple(-base_w + high * w for w in shown_w)
        memory = phases.step(memory, before, now, shown, given, 1.0)
        before = now
    return memory


def after(
    count: int, moved_w: Phases | None, shown_w: Phases, *, memory: Memory = phases.START, coded: bool = True
) -> Memory:
    for i in range(count):
        memory = through(memory, moved_w, shown_w, coin=1.0 if i % 2 else -1.0, coded=coded)
    return memory


@pytest.mark.parametrize(
    ("shown_w", "by", "says"),
    [
        ((0.0, 300.0, 300.0), Doubt.PHASE_LOST, "the DERs moved 300 W in phase A, where the meter shows 0 W of it"),
        ((300.0, 3.0, 300.0), Doubt.PHASE_LOST, "the DERs moved 300 W in phase B, where the meter shows 3 W of it"),
        ((300.0, 300.0, -300.0), Doubt.PHASE_REVERSED, "moved 300 W in phase C, where the meter shows -300 W of it"),
    ],
)
def test_a_phase_that_shows_nothing_or_the_opposite_is_named_after_a_few_steps(
    shown_w: Phases, by: Doubt, says: str
) -> None:
    found = contradiction(after(4, EVEN, shown_w))
    assert found is not None
    assert found.by is by
    assert says in found.text


def test_one_step_is_not_enough() -> None:
    assert contradiction(after(1, EVEN, (0.0, 300.0, 300.0))) is None
    assert contradiction(phases.START) is None


@pytest.mark.parametrize("moved_w", [EVEN, (500.0, 300.0, 100.0), (900.0, 0.0, 0.0)])
@pytest.mark.parametrize("order", [*permutations(range(3))])
def test_a_right_meter_is_not_doubted_in_whatever_order_it_counts_uneven_phases(
    moved_w: Phases, order: Sequence[int]
) -> None:
    shown_w = tuple(moved_w[i] for i in order)
    for count in (1, 2, 5, 20):
        assert contradiction(after(count, moved_w, shown_w)) is None


@pytest.mark.parametrize("shown_w", [(0.0, 450.0, 450.0), (60.0, 640.0, 200.0), (0.0, 0.0, 900.0)])
def test_an_inverter_that_feeds_unevenly_and_does_not_tell_it_is_no_lost_phase(shown_w: Phases) -> None:
    for count in (1, 2, 5, 20):
        assert contradiction(after(count, EVEN, shown_w)) is None


def test_a_load_that_moves_as_much_as_the_step_in_one_phase_is_no_verdict() -> None:
    """Once it hides the step, and then it doesn't; or it jumps by far more."""
    memory = after(4, EVEN, EVEN)
    memory = after(1, EVEN, (0.0, 300.0, 300.0), memory=memory)
    memory = after(1, EVEN, (2300.0, 300.0, 300.0), memory=memory)
    assert contradiction(memory) is None
    for _ in range(9):  # it jumps by far more, each time as if the phase were turned round
        memory = after(1, EVEN, (300.0, -1200.0, 300.0), memory=memory)
    assert contradiction(memory) is None


def test_a_phase_that_is_right_again_is_believed_again() -> None:
    memory = after(30, EVEN, (0.0, 300.0, 300.0))
    assert contradiction(memory) is not None
    assert contradiction(after(4, EVEN, EVEN, memory=memory)) is None


@pytest.mark.parametrize("moved_w", [(10.0, 10.0, 10.0), (900.0, 900.0, 900.0), None])
def test_where_the_sun_did_more_or_less_than_the_step_or_nobody_knows_nothing_is_judged(
    moved_w: Phases | None,
) -> None:
    assert contradiction(after(5, moved_w, (0.0, 300.0, 300.0))) is None


def test_a_doublet_in_which_a_phase_was_not_known_for_a_moment_is_not_weighed() -> None:
    memory = phases.step(phases.START, None, doublet(0.0), EVEN, EVEN, 1.0)
    assert memory.whole
    memory = phases.step(memory, doublet(0.0), doublet(1.0), EVEN, None, 1.0)
    assert not memory.whole
    assert phases.step(memory, doublet(1.0), doublet(2.0), EVEN, None, 1.0) is memory


def test_a_doublet_that_was_given_up_or_had_no_sample_in_a_window_is_not_weighed() -> None:
    whole = replace(phases.START, whole=True)
    for before in (doublet(3.0), doublet(16.0)):
        assert phases.step(whole, before, doublet(0.0), EVEN, EVEN, 1.0) == whole
    assert phases.step(whole, doublet(16.0), None, EVEN, EVEN, 1.0) == phases.START


def test_what_the_load_of_each_phase_moves_is_learned_without_steps() -> None:
    quiet = after(20, (0.0, 0.0, 0.0), (0.0, 0.0, 400.0), coded=False)
    assert quiet.noise_w[0] == quiet.noise_w[1] == phases.PHASE_NOISE_MIN_W
    assert quiet.noise_w[2] > 300.0
    assert contradiction(after(3, EVEN, (300.0, 300.0, 0.0), memory=quiet)) is None, "its load moves as much"


def test_a_meter_of_two_phases_is_judged_too() -> None:
    found = contradiction(after(3, (450.0, 450.0), (450.0, 0.0)))
    assert found is not None
    assert "phase B" in found.text


def told(*p_phase_w: float, controllable: bool = True) -> DerState:
    return make.pv(p_phase_w=p_phase_w or None, controllable=controllable)


@pytest.mark.parametrize(
    ("ders", "count", "given"),
    [
        ((told(1.0, 2.0, 3.0), told(10.0, 0.0, 0.0)), 3, (11.0, 2.0, 3.0)),
        ((told(1.0, 2.0),), 2, (1.0, 2.0)),
        ((told(1.0, 2.0),), 3, None),
        ((told(1.0, 0.0, 0.0),), 2, (1.0, 0.0)),
        ((told(1.0, 0.0, 5.0),), 2, None),
        ((told(1.0, 2.0, 3.0), told()), 3, None),
        ((told(1.0, 2.0, 3.0), told(controllable=False)), 3, (1.0, 2.0, 3.0)),
    ],
)
def test_what_the_ders_give_to_each_phase_is_known_where_all_that_are_told_tell_it(
    ders: tuple[DerState, ...], count: int, given: Phases | None
) -> None:
    assert given_w(ders, count) == given
