"""The daemon's tasks: which end ends it, and as what."""

from __future__ import annotations

import asyncio

from derctl.daemon.log import logger
from derctl.daemon.tasks import Tasks


async def lasting() -> None:
    await asyncio.Event().wait()


async def first_end_of(work: asyncio.Future[None]) -> list[str]:
    """What ends the daemon, where this is what one of its tasks waits for."""

    async def waiting() -> None:
        await work

    tasks = Tasks(logger())
    tasks.start("bus", lasting())
    tasks.start("control", waiting())
    found = [repr(bug) for bug in await tasks.first_end()]
    await tasks.end_all()
    return found


async def test_a_task_that_was_asked_to_end_is_no_bug() -> None:
    work = asyncio.get_running_loop().create_future()
    work.set_result(None)
    assert await first_end_of(work) == []


async def test_an_exception_that_ends_a_task_is_told() -> None:
    work = asyncio.get_running_loop().create_future()
    work.set_exception(ZeroDivisionError("a bug"))
    assert await first_end_of(work) == ["ZeroDivisionError('a bug')"]


async def test_a_cancellation_from_inside_is_told_and_does_not_run_past_the_release() -> None:
    """A library may cancel what it made itself; whoever waits for the first end has a release to do after it."""
    work = asyncio.get_running_loop().create_future()
    work.cancel()
    assert await first_end_of(work) == ["RuntimeError('the task control was cancelled from inside')"]
