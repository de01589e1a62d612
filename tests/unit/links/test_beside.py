"""Commands under way: none holds up another, so many at once, and a bug in one is heard."""

from __future__ import annotations

import asyncio

import pytest

from derctl.links.beside import Beside
from derctl.links.ending import end


class Work:
    """What began, in order; each goes on until it may end."""

    def __init__(self) -> None:
        self.began: list[str] = []
        self.may_end = asyncio.Event()

    async def do(self, name: str) -> None:
        self.began.append(name)
        await self.may_end.wait()


async def test_they_begin_in_order_and_none_waits_for_another() -> None:
    work, beside = Work(), Beside(most=10)
    for name in "abc":
        await beside.begin(name, work.do(name))
    await asyncio.sleep(0.0)
    assert work.began == ["a", "b", "c"]
    work.may_end.set()
    await asyncio.wait(beside.tasks)
    assert not beside.tasks


async def test_beyond_the_bound_the_next_waits_until_one_has_ended() -> None:
    work, beside = Work(), Beside(most=2)
    await beside.begin("a", work.do("a"))
    second = asyncio.create_task(beside.begin("b", work.do("b")))
    await asyncio.sleep(60.0)
    assert work.began == ["a", "b"] and not second.done()
    work.may_end.set()
    await second
    assert len(beside.tasks) < 2


async def test_a_bug_in_one_is_heard_and_the_others_go_on() -> None:
    async def broken() -> None:
        raise ZeroDivisionError

    work, beside = Work(), Beside(most=10)
    await beside.begin("a", work.do("a"))
    await beside.begin("b", broken())
    with pytest.raises(ZeroDivisionError):
        await beside.bug()
    assert [task.get_name() for task in beside.tasks] == ["a"]
    listening = asyncio.create_task(beside.bug())
    await end([*beside.tasks])
    assert not listening.done(), "who is ended has no bug"
    await end([listening])
