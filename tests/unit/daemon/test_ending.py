"""The steps of the end, in virtual time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from derctl.daemon.ending import Ending


class Book:
    """A log that keeps what was left behind."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def error(self, event: str, **given: Any) -> None:
        self.lines.append(f"{event}: {given['text']}")


def begun() -> tuple[Ending, Book]:
    book = Book()
    ending = Ending(book, clock=asyncio.get_running_loop().time)
    ending.begin()
    return ending, book


async def test_a_step_that_is_done_in_time_says_nothing() -> None:
    ending, book = begun()
    await ending.take("save", asyncio.sleep(1.0), 2.5)
    assert (book.lines, ending.step, ending.left_s(2.5)) == ([], "save", pytest.approx(1.5))


async def test_a_step_that_is_not_done_in_time_is_named_and_the_next_has_its_own_time() -> None:
    ending, book = begun()
    await ending.take("release", asyncio.sleep(1e6), 2.3)
    await ending.take("save", asyncio.sleep(0.1), 2.5)
    await asyncio.sleep(0)
    assert book.lines == ["left_behind: release did not end in time"]


async def test_a_bug_in_a_step_is_raised() -> None:
    ending, _ = begun()

    async def broken() -> None:
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError):
        await ending.take("release", broken(), 2.3)


async def test_the_time_runs_from_the_first_asking_and_is_told_once() -> None:
    told: list[str] = []
    loop = asyncio.get_running_loop()
    ending = Ending(Book(), asked=lambda: told.append("asked"), clock=loop.time)
    assert ending.left_s(2.0) == 2.0
    ending.begin()
    await asyncio.sleep(1.5)
    ending.begin()
    assert (told, ending.left_s(2.0), ending.left_s(1.0)) == (["asked"], pytest.approx(0.5), 0.0)
