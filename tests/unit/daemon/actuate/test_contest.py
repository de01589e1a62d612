"""Somebody else sets a device to less than derctl had: put right some times, yielded to, or only said."""

from __future__ import annotations

import pytest

from derctl.core.types import Setpoint
from derctl.core.words import OnOverride
from derctl.daemon.actuate.contest import HOUR_S, MOST, Contest
from tests.writing import Desk, ceiling

OURS, THEIRS = ceiling(3000.0), ceiling(1000.0)


async def taken(policy: OnOverride = OnOverride.REASSERT) -> tuple[Desk, list[float]]:
    """derctl's limit has stood for a while. yields: what was yielded to."""
    desk, yields = Desk(), list[float]()
    desk.writer.account.contest = Contest(policy=policy)
    desk.writer.account.yields = yields.append
    for _ in range(4):
        await desk.tick(OURS, 900.0)
    assert desk.device.holds == OURS
    return desk, yields


async def other(desk: Desk, setpoint: Setpoint, *, ticks: int = 3, wish: Setpoint = OURS) -> int:
    """Another master writes; how often derctl does."""
    desk.device.holds = setpoint
    return sum([await desk.tick(wish, 900.0) for _ in range(ticks)])


def names(desk: Desk) -> list[str]:
    return [name for name, _, _ in desk.events]


async def test_what_gives_less_is_put_right_some_times_in_an_hour_and_then_left_and_said() -> None:
    desk, _ = await taken()
    for _ in range(MOST):
        assert await other(desk, THEIRS) == 1
        assert desk.device.holds == OURS
        desk.now_s += 60.0
        await desk.tick(OURS, 900.0)
    for _ in range(3):
        assert await other(desk, THEIRS) == 0
        desk.now_s += 60.0
    assert names(desk).count("contested") == 1
    assert desk.writer.account.outcome.reason == "contested"
    (text,) = [text for name, _, text in desk.events if name == "contested"]
    assert "it had taken limit 3,000 W" in text and "reads back limit 1,000 W" in text and "6 times" in text
    desk.now_s += HOUR_S
    assert await other(desk, THEIRS) == 1, "an hour later it is tried again"


@pytest.mark.parametrize("policy", list(OnOverride))
async def test_what_gives_more_is_put_right_always(policy: OnOverride) -> None:
    desk, yields = await taken(policy)
    for _ in range(3 * MOST):
        assert await other(desk, ceiling(5000.0)) == 1
        assert desk.device.holds == OURS
        desk.now_s += 60.0
        await desk.tick(OURS, 900.0)
    assert ("contested" in names(desk), yields) == (False, [])


@pytest.mark.parametrize("policy", [OnOverride.ALARM, OnOverride.YIELD])
async def test_a_lower_limit_is_kept_and_said_and_lowered_further_where_that_is_wanted(policy: OnOverride) -> None:
    desk, yields = await taken(policy)
    assert await other(desk, THEIRS, ticks=1) == 0
    assert yields == [1000.0]
    said = [text for name, _, text in desk.events if name == "contested"]
    assert len(said) == (policy is OnOverride.ALARM)
    assert all("on_override: alarm" in text for text in said)
    assert await other(desk, THEIRS, wish=THEIRS, ticks=10) == 0, "what is kept is what is wanted from now on"
    assert await other(desk, THEIRS, wish=ceiling(500.0)) == 1
    assert (desk.device.holds, yields) == (ceiling(500.0), [1000.0])


@pytest.mark.parametrize("policy", [OnOverride.ALARM, OnOverride.YIELD])
async def test_once_a_word_has_lifted_it_derctl_s_own_comes_back(policy: OnOverride) -> None:
    desk, yields = await taken(policy)
    await other(desk, THEIRS, ticks=1)
    await other(desk, THEIRS, wish=THEIRS, ticks=5)
    assert await other(desk, THEIRS, wish=OURS, ticks=1) == 1
    assert (desk.device.holds, yields) == (OURS, [1000.0])
    assert desk.writer.account.outcome.reason != "contested"


async def test_once_the_other_one_gives_way_all_goes_on() -> None:
    desk, _ = await taken()
    desk.writer.account.contest = Contest(times_s=(desk.now_s,) * MOST)
    await other(desk, THEIRS)
    assert desk.writer.account.outcome.reason == "contested"
    await other(desk, OURS)
    assert desk.writer.account.outcome.reason is None
    assert await other(desk, OURS, wish=ceiling(4000.0)) == 1
    assert desk.device.holds == ceiling(4000.0)


async def test_what_a_device_made_of_it_in_a_silence_is_put_right() -> None:
    """It restarted with a limit of its own."""
    desk, _ = await taken(OnOverride.ALARM)
    desk.channel.back_s = desk.now_s
    assert await other(desk, THEIRS) == 1


async def test_a_store_s_target_is_left_to_the_other_master_too() -> None:
    desk, yields = await taken(OnOverride.YIELD)
    aim = Setpoint(p_target_w=2000.0)
    desk.device.holds = Setpoint()
    for _ in range(3):
        await desk.tick(aim, 2000.0)
    assert await other(desk, Setpoint(p_target_w=500.0), wish=aim) == 0
    assert (yields, "contested" in names(desk)) == ([], True)


@pytest.mark.parametrize("policy", [OnOverride.ALARM, OnOverride.YIELD])
async def test_of_who_sets_only_var_no_limit_is_kept(policy: OnOverride) -> None:
    ours, theirs = Setpoint(p_ceiling_w=3000.0, q_var=400.0), Setpoint(p_ceiling_w=3000.0, q_var=-800.0)
    desk, yields = await taken(policy)
    for _ in range(4):
        await desk.tick(ours, 900.0)
    assert desk.device.holds == ours
    await other(desk, theirs, wish=ours)
    assert (yields, desk.writer.account.hold.holds.p_ceiling_w) == ([], 3000.0)
    assert "contested" in names(desk)
