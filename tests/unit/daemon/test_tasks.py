"""The daemon's tasks: what is around control is started again for ever, control itself never."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from derctl.daemon.tasks import RESTART_S, Tasks
from derctl.errors import LinkError


class Book:
    """A log that keeps its lines."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def error(self, event: str, **given: Any) -> None:
        self.lines.append((event, given))

    exception = warning = error


class Link:
    """Breaks each time it is run; began: when."""

    def __init__(self, breaks: BaseException | None) -> None:
        self.breaks = breaks
        self.began: list[float] = []

    async def run(self) -> None:
        self.began.append(asyncio.get_running_loop().time())
        if self.breaks is not None:
            raise self.breaks


@pytest.mark.parametrize(
    ("breaks", "says"),
    [
        (LinkError("no broker"), [("link_failed", {"link": "mqtt", "error": "no broker"})]),
        (OSError("address in use"), [("link_failed", {"link": "mqtt", "error": "address in use"})]),
        (RuntimeError("a bug"), [("link_broke", {"link": "mqtt"})]),
        (None, []),
    ],
)
async def test_a_link_that_breaks_is_said_and_started_again_each_time_with_a_pause_that_grows_to_a_bound(
    breaks: Exception | None, says: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(random, "uniform", lambda low, high: high)
    link, book = Link(breaks), Book()
    tasks = Tasks(book)
    tasks.guard("mqtt", link.run)
    await asyncio.sleep(200.0)
    await tasks.end_all()
    pauses = [after - before for before, after in zip(link.began, link.began[1:], strict=False)]
    first, most = RESTART_S
    assert pauses == pytest.approx([first, 2.0 * first, 4.0 * first, 8.0 * first, 16.0 * first] + [most] * 5)
    assert book.lines == says * len(link.began)


async def test_a_bug_in_the_control_path_is_handed_to_the_daemon_and_one_in_a_link_is_not() -> None:
    tasks = Tasks(Book())
    bug = RuntimeError("a bug")
    tasks.guard("mqtt", Link(RuntimeError("another")).run)
    tasks.start("control", Link(bug).run())
    assert await tasks.first_end() == [bug]
    await tasks.end_all()


async def test_what_was_asked_to_end_is_no_bug() -> None:
    tasks, stop = Tasks(Book()), asyncio.Event()
    tasks.start("bus", asyncio.sleep(1e6))
    tasks.start("stop", stop.wait())
    stop.set()
    assert await tasks.first_end() == []
    await tasks.end("bus")
    await tasks.end_all()


async def test_a_cancellation_from_inside_is_told_and_does_not_run_past_the_release() -> None:
    """A library may cancel what it made itself; whoever waits for the first end has a release to do after it."""
    inner = asyncio.get_running_loop().create_future()
    inner.cancel()

    async def waiting() -> None:
        await inner

    tasks = Tasks(Book())
    tasks.start("bus", asyncio.sleep(1e6))
    tasks.start("control", waiting())
    assert [repr(bug) for bug in await tasks.first_end()] == [
        "RuntimeError('the task control was cancelled from inside')"
    ]
    await tasks.end_all()


async def test_a_task_that_is_dropped_ends_nothing_else_and_one_that_ends_by_itself_still_does() -> None:
    tasks = Tasks(Book())
    tasks.start("old", asyncio.Event().wait())
    broke = asyncio.Event()

    async def breaks() -> None:
        await broke.wait()
        raise RuntimeError("a bug")

    first = asyncio.create_task(tasks.first_end())
    await tasks.drop("old")
    await tasks.drop("nobody")
    assert not tasks.has("old")
    tasks.start("new", breaks())
    assert tasks.has("new")
    await asyncio.sleep(1.0)
    assert not first.done()
    broke.set()
    assert [str(error) for error in await first] == ["a bug"]
    await tasks.end_all()
