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
        self.began = self.ended = 0

    async def poll(self) -> None:
        self.began += 1
        await asyncio.sleep(self.takes_s)
        self.ended += 1
        if self.breaks is not None:
            raise self.breaks


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
    for began, ended in ((1, 0), (1, 0), (1, 1), (2, 1)):
        await poller.poll(0.4)
        assert (slow.began, slow.ended) == (began, ended)
    await poller.stop()


@pytest.mark.parametrize("takes_s", [0.1, 0.5])
async def test_a_bug_in_a_poll_comes_out_of_this_tick_or_the_next(takes_s: float) -> None:
    poller = poller_of(Channel("broken", takes_s, ZeroDivisionError("a bug")))
    with pytest.raises(ZeroDivisionError):
        for _ in range(2):
            await poller.poll(0.4)
