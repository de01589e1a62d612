"""Ending tasks for certain, in virtual time."""

from __future__ import annotations

import asyncio

import pytest

from derctl.links.ending import end


async def stubborn(times: int) -> str:
    """Swallows so many cancellations, as a library may."""
    while True:
        try:
            await asyncio.sleep(1e6)
        except asyncio.CancelledError:
            times -= 1
            if times < 0:
                raise


async def broken() -> None:
    raise RuntimeError("a bug")


async def test_a_task_that_swallows_a_cancellation_is_asked_again() -> None:
    tasks = [asyncio.create_task(stubborn(times)) for times in (0, 1, 5)]
    await asyncio.sleep(0)
    await end(tasks)
    assert all(task.cancelled() for task in tasks)


async def test_what_a_task_ends_with_is_left_to_its_owner() -> None:
    task = asyncio.create_task(broken())
    await asyncio.sleep(0)
    await end([task])
    assert isinstance(task.exception(), RuntimeError)
    await end([])


async def test_who_is_cancelled_while_others_end_leaves_none_of_them_behind() -> None:
    """A task that ends its own tasks may itself be ended, and asked again, while it does."""
    inner = asyncio.create_task(stubborn(7))

    async def owner() -> None:
        try:
            await asyncio.sleep(1e6)
        finally:
            await end([inner])

    outer = asyncio.create_task(owner())
    await asyncio.sleep(0)
    await end([outer])
    assert inner.cancelled() and outer.cancelled()


async def test_a_wait_for_the_end_that_is_given_up_says_so_once_all_have_ended() -> None:
    inner = asyncio.create_task(stubborn(3))
    waiting = asyncio.create_task(end([inner]))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert inner.cancelled()


async def test_who_never_ends_is_left_behind_when_the_time_is_over() -> None:
    never, soon = asyncio.create_task(stubborn(100)), asyncio.create_task(stubborn(3))
    await asyncio.sleep(0)
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    assert await end([never, soon], 2.0) == {never}
    assert soon.cancelled() and loop.time() - began_s == pytest.approx(2.0)
    assert await end([never]) == set()
