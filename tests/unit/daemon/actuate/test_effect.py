"""A device that can't be read back: what counts as accepted is what its power, or its var, was seen to do."""

from __future__ import annotations

import pytest

from derctl.core.types import NOTHING, DerState, Setpoint
from derctl.core.words import Record
from derctl.daemon.actuate.effect import NOT_TOLD, Effect, seen, told
from derctl.devices import Profile
from tests import make
from tests.writing import Desk, ceiling

BLIND = Profile(readback="effect_only", settle_s=10.0, tolerance_pct=3.0)
"""3 % of 5000 W are 150 W."""


def gives(p_w: float | None, q_var: float | None = 0.0) -> DerState:
    return make.der("pv1", make.rating(p_max_w=5000.0), make.LIMITED, p_w=p_w, q_var=q_var)


def after(setpoint: Setpoint, *course: tuple[float, DerState], before: Effect = NOT_TOLD) -> Effect:
    """course: (seconds since the write, what it gives); the first is the state behind the write."""
    (_, first), *rest = course
    effect = told(before, setpoint, first, BLIND, 100.0)
    for since_s, state in rest:
        effect = seen(effect, state, BLIND, 100.0 + since_s)
    return effect


@pytest.mark.parametrize(
    ("course", "shown"),
    [
        ([(0, gives(4000.0)), (2, gives(3000.0)), (4, gives(2050.0))], True),  # it came down to it
        ([(0, gives(1000.0)), (5, gives(1900.0))], True),  # it was let up to it
        ([(0, gives(4000.0)), (4, gives(500.0))], False),  # a cloud: far below the ceiling
        ([(0, gives(1000.0)), (4, gives(1200.0))], False),  # not binding: nothing tells
        ([(0, gives(2000.0)), (4, gives(2000.0))], False),  # it was there before
        ([(0, gives(4000.0)), (11, gives(2000.0))], False),  # too late to be of this write
        ([(0, gives(4000.0)), (4, gives(4000.0))], False),
        ([(0, gives(None)), (4, gives(2000.0))], False),
        ([(0, gives(4000.0)), (4, gives(None)), (5, gives(2000.0))], True),
        ([(0, gives(4000.0)), (-1, gives(2000.0))], False),  # measured before it was written
    ],
)
def test_a_ceiling_is_shown_by_power_that_moves_to_it_in_time(
    course: list[tuple[float, DerState]], shown: bool
) -> None:
    assert after(ceiling(2000.0), *course).accepted == (ceiling(2000.0) if shown else None)


def test_var_and_a_target_are_shown_each_by_itself() -> None:
    setpoint = Setpoint(p_target_w=-3000.0, q_var=1000.0)
    effect = after(setpoint, (0, gives(0.0)), (2, gives(-2900.0, 200.0)))
    assert effect.accepted == Setpoint(p_target_w=-3000.0)
    assert seen(effect, gives(-2900.0, 950.0), BLIND, 104.0).accepted == setpoint


def test_what_was_shown_lasts_while_the_same_is_told_and_is_gone_with_another() -> None:
    effect = after(ceiling(2000.0), (0, gives(4000.0)), (4, gives(2000.0)))
    again = told(effect, ceiling(2100.0), gives(2000.0), BLIND, 130.0)
    assert again.accepted == ceiling(2000.0), "within the tolerance it is the same"
    for n in range(1, 6):
        again = told(again, ceiling(2100.0 + 100.0 * n), gives(2000.0), BLIND, 130.0 + n)
    assert again.accepted is None, "small steps do not creep away from what was shown"
    assert told(effect, NOTHING, gives(2000.0), BLIND, 130.0).accepted is None


def test_of_writes_that_follow_each_other_the_first_knows_what_it_came_from() -> None:
    effect = NOT_TOLD
    for n in range(20):
        watts = 4000.0 - 100.0 * n
        effect = told(effect, ceiling(watts), gives(watts + 100.0), BLIND, 100.0 + n)
        effect = seen(effect, gives(watts + 20.0), BLIND, 100.8 + n)
    assert effect.accepted is not None


def test_what_it_came_from_long_ago_shows_nothing_of_a_later_write() -> None:
    effect = after(ceiling(2000.0), (0, gives(500.0)))
    effect = told(effect, ceiling(3000.0), gives(2990.0), BLIND, 5000.0)
    assert seen(effect, gives(2990.0), BLIND, 5002.0).accepted is None


@pytest.mark.parametrize(("given", "kept"), [(2100.0, True), (300.0, True), (2200.0, False)])
def test_a_ceiling_that_is_not_kept_any_more_is_not_accepted_any_more(given: float, kept: bool) -> None:
    """Below it the sun may be gone."""
    effect = after(ceiling(2000.0), (0, gives(4000.0)), (4, gives(2000.0)), (60, gives(given)))
    assert (effect.accepted is not None) is kept


def test_a_store_that_leaves_its_target_is_not_accepted_any_more() -> None:
    aim = Setpoint(p_target_w=2000.0)
    effect = after(aim, (0, gives(0.0)), (4, gives(2000.0)), (60, gives(300.0)))
    assert effect.accepted is None


async def test_the_outcome_says_accepted_only_once_the_power_has_moved() -> None:
    desk = Desk(readback="effect_only")
    await desk.tick(ceiling(2000.0), 4000.0)
    assert desk.writer.account.outcome.accepted is None
    await desk.tick(ceiling(2000.0), 3000.0)
    assert (desk.writer.account.outcome.accepted, desk.writer.account.outcome.achieved) == (None, "pending")
    await desk.tick(ceiling(2000.0), 2000.0)
    outcome = desk.writer.account.outcome
    assert (outcome.accepted, outcome.achieved) == (ceiling(2000.0), "yes")
    assert desk.writer.account.known() == (ceiling(2000.0), True)


async def test_one_that_was_released_or_found_anew_has_shown_nothing() -> None:
    desk = Desk(readback="effect_only")
    await desk.tick(ceiling(2000.0), 4000.0)
    await desk.tick(ceiling(2000.0), 2000.0)
    assert desk.writer.account.outcome.accepted == ceiling(2000.0)
    await desk.writer.release(lift=False)
    assert desk.writer.account.outcome.accepted is None
    assert desk.writer.account.effect == NOT_TOLD


async def test_what_the_power_has_shown_is_no_read_back_for_people() -> None:
    """A limit that was written stands as it was written."""
    desk = Desk(readback="effect_only")
    desk.channel.bond.binding.last = type("Found", (), {"rating": make.rating(p_max_w=5000.0)})()
    await desk.tick(ceiling(2000.0), 4000.0)
    await desk.tick(ceiling(2000.0), 2000.0)
    assert desk.writer.standing(Record.WRITTEN).seen == "as_written"


async def test_an_enable_is_toggled_from_the_moment_that_a_write_had_no_effect() -> None:
    """Until then a rewritten enable may do, and costs no moment without a limit."""
    desk = Desk(readback="effect_only", enable="toggle")
    await desk.tick(ceiling(2000.0), 4000.0)
    await desk.tick(ceiling(1500.0), 4000.0)
    assert desk.device.toggled == [False, False]
    for _ in range(12):
        await desk.tick(ceiling(1500.0), 4000.0)
    assert desk.device.toggled[-1]
    desk.device.toggled.clear()
    await desk.tick(ceiling(1000.0), 1500.0)
    assert desk.device.toggled == [True], "what it needs is known now"


async def test_an_enable_that_is_only_rewritten_is_never_toggled() -> None:
    desk = Desk(readback="effect_only")
    for _ in range(40):
        await desk.tick(ceiling(1500.0), 4000.0)
    assert len(desk.device.toggled) > 1
    assert not any(desk.device.toggled)
