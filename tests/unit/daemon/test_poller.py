"""The tick's measuring: who is late is waited for no longer and not asked twice, and a bug comes out."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from derctl.daemon.poller import Poller


class Channel:
    """Takes its time, or breaks."""

    def __init__(self, name: str, takes_s: float, breaks: Exception | None = None) -> None:
        self.id, self.takes_s, self.breaks = name, takes_s, breaks
        self.began = self.ended = self.looks = 0
        self.wants_look, self.look_s, self.lent = False, 0.0, False
        self.asking = self
        self.device, self.incomplete = "found", True
        self.bond = self.binding = self

    async def poll(self) -> None:
        self.began += 1
        await asyncio.sleep(self.takes_s)
        self.ended += 1
        if self.breaks is not None:
            raise self.breaks

    def look_again(self) -> None:
        self.wants_look = True

    async def look(self) -> None:
        self.wants_look = False
        await asyncio.sleep(self.look_s)
        self.looks += 1


def poller_of(*channels: Channel) -> Poller:
    given: Any = channels
    return Poller(given)


async def test_the_tick_goes_on_when_all_have_answered_or_at_its_deadline_with_what_is_there() -> None:
    quick, slow = Channel("quick", 0.1), Channel("slow", 1.0)
    now_s = asyncio.get_running_loop().time
    for channels, took_s in (((quick,), 0.1), ((quick, slow), 0.4)):
        poller, began_s = poller_of(*channels), now_s()
        await poller.poll(0.4)
        assert now_s() - began_s == pytest.approx(took_s)
        await poller.stop()


async def test_one_that_is_late_goes_on_and_is_asked_again_only_after_it_ended() -> None:
    slow = Channel("slow", 1.0)
    poller = poller_of(slow)
    for began, ended in ((1, 0), (1, 0), (2, 1), (2, 1)):
        await poller.poll(0.4)
        assert (slow.began, slow.ended) == (began, ended)
    await poller.stop()


async def test_a_poll_that_a_tick_found_under_way_is_followed_at_once_and_no_other_is() -> None:
    """1.3 s at a tick of 1 s: a reading each 1.3 s, not each 2 s."""
    slow, quick = Channel("slow", 1.3), Channel("quick", 0.1)
    poller = poller_of(slow, quick)
    for _ in range(12):
        await poller.poll(0.4)
        await asyncio.sleep(0.6)
    assert (slow.ended, quick.ended) == (9, 12)
    await poller.stop()


async def test_one_that_has_left_is_not_asked_again_when_its_poll_ends() -> None:
    stays, leaves = Channel("stays", 0.1), Channel("leaves", 0.5)
    poller = poller_of(stays, leaves)
    await poller.poll(0.4)
    await poller.poll(0.05)
    given: Any = [stays]
    await poller.change(given)
    await asyncio.sleep(2.0)
    assert leaves.began == 1
    await poller.stop()


@pytest.mark.parametrize("takes_s", [0.1, 0.5])
async def test_a_bug_in_a_poll_comes_out_of_this_tick_or_the_next(takes_s: float) -> None:
    poller = poller_of(Channel("broken", takes_s, ZeroDivisionError("a bug")))
    with pytest.raises(ZeroDivisionError):
        for _ in range(2):
            await poller.poll(0.4)


async def test_one_whose_poll_ends_behind_its_tick_is_told_of_and_one_within_it_is_not() -> None:
    quick, slow, late = Channel("quick", 0.1), Channel("slow", 0.6), list[str]()
    given: Any = (quick, slow)
    poller = Poller(given, late.append)
    await poller.poll(0.4)
    assert late == []
    await asyncio.sleep(0.3)
    assert late == ["slow"]
    await poller.stop()


async def test_a_poll_that_breaks_or_is_ended_behind_its_tick_has_heard_nothing() -> None:
    late = list[str]()
    given: Any = (Channel("broken", 0.6, ZeroDivisionError("a bug")),)
    poller = Poller(given, late.append)
    await poller.poll(0.4)
    await asyncio.sleep(0.3)
    with pytest.raises(ZeroDivisionError):
        await poller.poll(0.1)
    await poller.poll(0.4)
    await poller.stop()
    assert late == []


async def test_what_was_found_incomplete_is_looked_at_beside_the_polls() -> None:
    channel = Channel("half", 0.1)
    channel.wants_look, channel.look_s = True, 2.0
    poller, began_s = poller_of(channel), asyncio.get_running_loop().time()
    for _ in range(3):
        await poller.poll(0.4)
    assert (channel.began, channel.looks) == (3, 0) and asyncio.get_running_loop().time() - began_s < 0.5
    await asyncio.sleep(2.0)
    assert channel.looks == 1
    await poller.stop()


@pytest.mark.parametrize(("look_s", "took_s"), [(1.0, 1.1), (60.0, 3.0)])
async def test_a_look_that_somebody_waits_for_is_polled_behind_and_ends_in_time(look_s: float, took_s: float) -> None:
    channel = Channel("half", 0.1)
    channel.look_s = look_s
    poller, began_s = poller_of(channel), asyncio.get_running_loop().time()
    await poller.look_again(3.0)
    assert asyncio.get_running_loop().time() - began_s == pytest.approx(took_s)
    assert (channel.looks, channel.began) == ((1, 1) if look_s < 3.0 else (0, 0))
    await poller.stop()


async def test_where_all_is_found_whole_nobody_waits_for_a_look() -> None:
    channel = Channel("whole", 0.1)
    channel.incomplete = False
    await poller_of(channel).look_again(3.0)
    assert (channel.began, channel.looks) == (0, 0)


async def test_a_look_at_one_that_leaves_ends_with_it() -> None:
    stays, leaves = Channel("stays", 0.1), Channel("leaves", 0.1)
    for channel in (stays, leaves):
        channel.wants_look, channel.look_s = True, 2.0
    poller = poller_of(stays, leaves)
    await poller.poll(0.4)
    given: Any = (stays,)
    await poller.change(given)
    await asyncio.sleep(3.0)
    assert (stays.looks, leaves.looks) == (1, 0)
    await poller.stop()
