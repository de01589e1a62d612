"""The journal: what was written is on disk, and what could not be saved is saved later."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from derctl.store import state
from derctl.store.folder import Folder
from derctl.store.journal import FILE, Journal, Left
from derctl.store.state import Surviving


class Disk(Folder):
    """Full until it is not. tries: how often something was to be written. began: it is being written."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, path)
        self.full = False
        self.tries = 0
        self.began = asyncio.Event()

    async def replace(self, name: str, data: bytes) -> None:
        self.tries += 1
        self.began.set()
        if self.full:
            raise OSError(28, "No space left on device")
        await super().replace(name, data)


def on_disk(path: Path) -> set[str]:
    journal = Journal(Folder(path, path))
    journal.load()
    return set(journal.entries)


def noted(journal: Journal, *ders: str) -> None:
    for der_id in ders:
        journal.note(der_id, since="noon", fallback={"by": "stands"})


async def test_what_was_noted_comes_back_and_what_was_released_does_not(tmp_path: Path) -> None:
    journal = Journal(Disk(tmp_path))
    journal.load()
    noted(journal, "pv1", "pv2")
    assert await journal.save() is None
    assert on_disk(tmp_path) == {"pv1", "pv2"}
    assert journal.forget(["pv1", "nobody"])
    assert not journal.forget(["pv1"])
    await journal.save()
    assert on_disk(tmp_path) == {"pv2"}


async def test_a_limit_that_was_left_is_kept_apart_until_it_is_forgotten(tmp_path: Path) -> None:
    left = Left(Disk(tmp_path))
    left.keep("pv1", stands_w=1200.0)
    left.keep("pv1", stands_w=800.0)
    await left.save()
    again = Left(Disk(tmp_path))
    again.load()
    assert (again.entries, on_disk(tmp_path)) == ({"pv1": {"stands_w": 800.0}}, set())


async def test_a_journal_that_cannot_be_read_is_left_as_it_is_until_something_is_written(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("{broken")
    journal = Journal(Disk(tmp_path))
    with pytest.raises(ValueError, match="malformed"):
        journal.load()
    assert await journal.save() is None
    assert (tmp_path / FILE).read_text() == "{broken"


async def test_a_der_that_is_written_again_costs_no_further_write_to_the_card(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    journal = Journal(disk)
    for _ in range(5):
        noted(journal, "pv1")
        await journal.save()
    assert disk.tries == 1


async def test_one_that_is_written_again_while_its_release_is_saved_is_on_disk_before_the_write(
    tmp_path: Path,
) -> None:
    """Also where it looks as it did before: a clock without a battery shows the same time twice."""
    disk = Disk(tmp_path)
    journal = Journal(disk)
    noted(journal, "pv1")
    await journal.save()
    journal.forget(["pv1"])
    forgetting = asyncio.create_task(journal.save())
    disk.began.clear()
    await disk.began.wait()
    noted(journal, "pv1")
    await journal.save()
    assert on_disk(tmp_path) == {"pv1"}
    await forgetting
    assert on_disk(tmp_path) == {"pv1"}


async def test_a_full_disk_is_told_once_and_tried_again(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    journal = Journal(disk)
    disk.full = True
    noted(journal, "pv1")
    assert [await journal.save() is None for _ in range(3)] == [False, True, True]
    disk.full = False
    assert await journal.save() is None and on_disk(tmp_path) == {"pv1"}
    disk.full = True
    noted(journal, "pv2")
    assert await journal.save() is not None, "another time is told again"


async def test_beside_the_state_neither_disturbs_the_other(tmp_path: Path) -> None:
    disk = Disk(tmp_path)
    journal = Journal(disk)
    noted(journal, "pv1")
    await asyncio.gather(journal.save(), state.save(disk, Surviving(saved=1.5)))
    assert on_disk(tmp_path) == {"pv1"} and state.load(disk)[0].saved == 1.5


@pytest.mark.parametrize("content", [b"[]", b"", b"{", b"\xff"])
def test_what_is_no_journal_is_a_value_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "written.json").write_bytes(content)
    with pytest.raises(ValueError):
        on_disk(tmp_path)
