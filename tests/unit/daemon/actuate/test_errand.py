"""One thing at a time beside the ticks; a bug in it is not lost."""

from __future__ import annotations

import asyncio

import pytest

from derctl.daemon.actuate.errand import Errand


class Work:
    """Waits for the test's word. done: how often it came to its end."""

    def __init__(self, breaks: Exception | None = None) -> None:
        self.word, self.done, self.breaks = asyncio.Event(), 0, breaks

    async def __call__(self) -> None:
        await self.word.wait()
        self.done += 1
        if self.breaks is not None:
            raise self.breaks


async def test_an_errand_is_under_way_until_its_work_is_done() -> None:
    errand, work = Errand("write pv1"), Work()
    assert not errand.busy
    errand.begin(work())
    assert errand.busy and "write pv1" in {task.get_name() for task in asyncio.all_tasks()}
    work.word.set()
    await errand.wait()
    assert (errand.busy, work.done) == (False, 1)
    await errand.wait()
    errand.raise_bugs()


async def test_who_gives_up_waiting_leaves_the_work_under_way() -> None:
    errand, work = Errand("write pv1"), Work()
    errand.begin(work())
    waiting = asyncio.create_task(errand.wait())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert errand.busy
    work.word.set()
    await errand.wait()
    assert work.done == 1


async def test_a_bug_in_it_is_raised_once_and_not_before_its_end() -> None:
    errand, work = Errand("write pv1"), Work(ValueError("a bug"))
    errand.begin(work())
    errand.raise_bugs()
    work.word.set()
    await errand.wait()
    assert not errand.busy
    with pytest.raises(ValueError, match="a bug"):
        errand.raise_bugs()
    errand.raise_bugs()
