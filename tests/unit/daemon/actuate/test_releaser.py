"""What is released, by whom it was asked for, and what is left of it after another release."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from derctl.core.types import Fallback
from derctl.core.words import Released
from derctl.daemon.actuate.release import Release
from derctl.daemon.actuate.releaser import Releaser
from derctl.store.folder import Folder
from derctl.store.journal import LEFT, Journal


class Ways:
    """The writers of a site; a release tells that it began, and takes until `done` is set.

    asked: who was released, with lift or without.
    """

    def __init__(self, *ders: str) -> None:
        self.writers = {name: SimpleNamespace(wrote=False, fallback=Fallback()) for name in ders}
        self.asked: list[tuple[Sequence[str], bool]] = []
        self.began, self.done = asyncio.Event(), asyncio.Event()

    async def release(self, wrote: Sequence[str], *, lift: bool, seconds: float) -> dict[str, Release]:
        self.asked.append((list(wrote), lift))
        self.began.set()
        await self.done.wait()
        return {name: Release(Released.RELEASED) for name in wrote}


def releaser_of(path: Path, ways: Ways) -> Releaser:
    return Releaser(
        Journal(Folder(path, path)), cast(Any, ways), stamp=lambda: "noon", on_event=lambda name, der, text: None
    )


async def test_what_is_left_by_an_entry_that_tells_no_limit_harms_no_release(tmp_path: Path) -> None:
    (tmp_path / LEFT).write_text('{"pv1": {"stands_w": 2000}, "pv2": 5, "pv3": {}, "gone": {"stands_w": 1.0}}')
    ways = Ways("pv1", "pv2", "pv3")
    releaser = releaser_of(tmp_path, ways)
    releaser.restore()
    assert {name: each.stands_w for name, each in releaser.standing().items()} == {"pv1": 2000.0}
    ways.done.set()
    assert set(await releaser.release(lift=True)) == {"pv1"}


async def test_a_release_that_waited_for_another_one_releases_only_what_that_left(tmp_path: Path) -> None:
    """Two operators at once: what the first gave back may be somebody else's since."""
    ways = Ways("pv1", "pv2")
    releaser = releaser_of(tmp_path, ways)
    await releaser.note("pv1")
    await releaser.note("pv2")
    first = asyncio.create_task(releaser.release(lift=True))
    second = asyncio.create_task(releaser.release(lift=False))
    await ways.began.wait()
    ways.done.set()
    assert set(await first) == {"pv1", "pv2"}
    assert await second == {}
    assert ways.asked == [(["pv1", "pv2"], True), ([], False)]
