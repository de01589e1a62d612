"""The record of looking on: what was saved comes back after a kill, a torn line harms no other, it stays small."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from derctl.store import shadow
from derctl.store.folder import Folder, append_line
from derctl.store.shadow import FILE, OLD, DerPart, Kept, SitePart, Stretch


def stretch(n: int) -> Stretch:
    part = DerPart(heard_s=300.0, gave_wh=1.5, held={"volt_watt": (2.0, 0.5)}, writes=3, a_day=100)
    site = SitePart(limit_w=3000.0, over_s=2.0, belief={"proven": 300.0})
    return Stretch(run="a", n=n, began=1e9 + n, ended=1e9 + n + 300.0, seconds=300.0, site=site, ders={"pv1": part})


async def test_what_was_added_comes_back_in_order(tmp_path: Path) -> None:
    folder = Folder(tmp_path, tmp_path)
    assert shadow.load(folder) == Kept()
    for n in range(3):
        await shadow.add(folder, stretch(n))
    assert shadow.load(Folder(tmp_path, tmp_path)) == Kept(stretches=tuple(stretch(n) for n in range(3)))
    assert folder.writes == 3 and folder.bytes < 3 * 600


async def test_a_kill_in_the_middle_of_a_line_loses_that_line_alone(tmp_path: Path) -> None:
    folder = Folder(tmp_path, tmp_path)
    await shadow.add(folder, stretch(0))
    await shadow.add(folder, stretch(1))
    path = tmp_path / FILE
    path.write_bytes(path.read_bytes()[:-40])
    assert shadow.load(folder) == Kept(stretches=(stretch(0),), torn=1)
    await shadow.add(Folder(tmp_path, tmp_path), stretch(2))
    assert shadow.load(folder) == Kept(stretches=(stretch(0), stretch(2)), torn=1)


@pytest.mark.parametrize("line", [b"no JSON", b'{"run":"a"}', b"\xff\xfe", b"[" * 5000])
async def test_what_is_no_line_of_ours_counts_as_torn(tmp_path: Path, line: bytes) -> None:
    folder = Folder(tmp_path, tmp_path)
    (tmp_path / FILE).write_bytes(line + b"\n")
    await shadow.add(folder, stretch(0))
    assert shadow.load(folder) == Kept(stretches=(stretch(0),), torn=1)


async def test_a_flipped_bit_is_found(tmp_path: Path) -> None:
    folder = Folder(tmp_path, tmp_path)
    await shadow.add(folder, stretch(0))
    raw = bytearray((tmp_path / FILE).read_bytes())
    raw[-20] ^= 1
    (tmp_path / FILE).write_bytes(bytes(raw))
    assert shadow.load(folder) == Kept(torn=1)


async def test_a_line_of_another_version_is_left_out(tmp_path: Path) -> None:
    folder = Folder(tmp_path, tmp_path)
    other = stretch(0)
    other.version = 2
    await shadow.add(folder, other)
    assert shadow.load(folder) == Kept(torn=1)


def test_two_files_are_all_there_ever_is(tmp_path: Path) -> None:
    path, old = tmp_path / FILE, tmp_path / OLD
    for n in range(100):
        append_line(path, old, b"%03d" % n + b"x" * 97, 1000)
    assert len(old.read_bytes()) <= 1100 and len(path.read_bytes()) <= 1100
    lines = (old.read_bytes() + path.read_bytes()).splitlines()
    assert [int(line[:3]) for line in lines] == list(range(100 - len(lines), 100)) and len(lines) >= 10


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"theirs")
    (tmp_path / FILE).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError):
        append_line(tmp_path / FILE, tmp_path / OLD, b"ours", 1000)
    assert (tmp_path / "elsewhere").read_bytes() == b"theirs"


def test_a_pipe_in_its_place_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / FILE)
    with pytest.raises(OSError, match="no file"):
        append_line(tmp_path / FILE, tmp_path / OLD, b"ours", 1000)


async def test_work_goes_by_the_same_thread_as_the_writes(tmp_path: Path) -> None:
    folder = Folder(tmp_path, tmp_path)
    saving = asyncio.create_task(shadow.add(folder, stretch(0)))
    await asyncio.sleep(0)
    assert (await folder.aside(lambda: shadow.load(folder))).stretches == (stretch(0),)
    await saving
