"""One timer for one request after the other: late ones end in time, others cost none."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest

from derctl.links.deadline import Deadline


def timers() -> list[asyncio.TimerHandle]:
    loop: Any = asyncio.get_running_loop()
    return [each for each in loop._scheduled if not each.cancelled()]


async def soon(value: int) -> int:
    await asyncio.sleep(0)
    return value


async def never() -> int:
    await asyncio.get_running_loop().create_future()
    raise AssertionError("it has no end")


async def refused() -> int:
    raise ConnectionError("no")


async def test_a_request_that_is_answered_returns_it() -> None:
    assert await Deadline().of(9.0, soon(5)) == 5


async def test_a_request_without_an_answer_ends_in_time_and_its_task_goes_on() -> None:
    deadline, loop = Deadline(), asyncio.get_running_loop()
    began_s = loop.time()
    with pytest.raises(TimeoutError):
        await deadline.of(0.02, never())
    assert loop.time() - began_s == pytest.approx(0.02, abs=1e-3)
    task = asyncio.current_task()
    assert task is not None and task.cancelling() == 0
    assert await deadline.of(9.0, soon(6)) == 6, "the next one is another"


async def test_a_thousand_requests_take_one_timer() -> None:
    deadline, before = Deadline(), len(timers())
    for n in range(1_000):
        assert await deadline.of(9.0, soon(n)) == n
    assert len(timers()) == before + 1


async def test_the_timer_of_one_is_not_the_end_of_the_next() -> None:
    deadline, loop = Deadline(), asyncio.get_running_loop()
    await deadline.of(0.02, soon(1))
    began_s = loop.time()
    with pytest.raises(TimeoutError):
        await deadline.of(0.06, never())
    assert loop.time() - began_s == pytest.approx(0.06, abs=1e-3)


async def test_a_shorter_deadline_after_a_longer_one_is_kept() -> None:
    deadline, loop = Deadline(), asyncio.get_running_loop()
    await deadline.of(30.0, soon(1))
    began_s = loop.time()
    with pytest.raises(TimeoutError):
        await deadline.of(0.02, never())
    assert loop.time() - began_s < 15.0


async def test_what_the_request_raises_comes_through() -> None:
    deadline = Deadline()
    with pytest.raises(ConnectionError):
        await deadline.of(9.0, refused())
    assert await deadline.of(9.0, soon(2)) == 2


async def test_who_is_cancelled_is_cancelled_and_not_late() -> None:
    deadline = Deadline()
    task = asyncio.create_task(_waits(deadline.of(9.0, never())))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_who_is_cancelled_in_the_same_turn_as_it_is_late_is_cancelled() -> None:
    deadline = Deadline()
    task = asyncio.create_task(_waits(deadline.of(9.0, never())))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    deadline.until_s = 0.0
    deadline._look(asyncio.get_running_loop())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_timer_that_finds_nobody_waiting_ends_nobody() -> None:
    deadline = Deadline()
    await deadline.of(0.02, soon(1))
    await asyncio.sleep(0.1)
    assert not deadline.late and await deadline.of(9.0, soon(2)) == 2


async def test_who_was_late_once_is_cancelled_as_another() -> None:
    deadline = Deadline()
    with pytest.raises(TimeoutError):
        await deadline.of(0.02, never())
    task = asyncio.create_task(_waits(deadline.of(9.0, never())))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def _waits(request: Awaitable[int]) -> int:
    return await request
