"""The audit log is read through in pieces, and what does not hang together is said once."""

from __future__ import annotations

import asyncio
from pathlib import Path

from derctl.core.words import Hangs
from derctl.daemon.checking import LINES, Checking
from derctl.daemon.clock import Clock
from derctl.store.audit import AuditFile
from derctl.store.folder import Folder


class House:
    def __init__(self, folder: Path, count: int) -> None:
        self.told: list[tuple[str, str, str]] = []
        self.pauses = 0
        self.log = AuditFile(folder)
        self.log.append([{"t": str(n), "what": "command", "who": "ops", "text": f"limit {n}"} for n in range(count)])
        self.checking = Checking(
            Folder(folder, folder), Clock("assume"), lambda *said: self.told.append(said), pause=self.pause
        )
        [self.path] = folder.glob("audit-*.log")

    async def pause(self, seconds: float) -> None:
        self.pauses += 1
        await asyncio.sleep(0)

    def change(self, old: str, new: str) -> None:
        self.path.write_text(self.path.read_text().replace(old, new))


async def test_a_log_that_holds_is_read_in_pieces(tmp_path: Path) -> None:
    house = House(tmp_path, 2 * LINES + 7)
    assert (house.checking.hangs, house.checking.at) == (Hangs.UNCHECKED, None)
    await house.checking.once()
    assert (house.checking.hangs, house.checking.count, house.pauses) == (Hangs.OK, 2 * LINES + 7, 3)
    assert house.checking.size == house.path.stat().st_size
    assert house.checking.at is not None and house.told == []


async def test_what_is_written_meanwhile_is_no_break(tmp_path: Path) -> None:
    house = House(tmp_path, LINES + 1)

    async def writes(seconds: float) -> None:
        house.log.append([{"t": "x", "what": "event", "who": "derctl", "text": "more"}])

    house.checking.pause = writes
    await house.checking.once()
    assert house.checking.hangs is Hangs.OK


async def test_an_end_that_is_not_there_any_more_is_said_at_the_start(tmp_path: Path) -> None:
    """Also where what came since stands in its place; and only once: what this run writes is its own."""
    house = House(tmp_path, LINES)
    noted = house.log.head
    house.checking.noted = noted
    await house.checking.once()
    assert (house.checking.hangs, house.checking.noted) == (Hangs.OK, None)
    lines = house.path.read_text().splitlines(keepends=True)
    house.path.write_text("".join(lines[:-9]))
    for said in ("it was noted, and the log ends with record 91", "it is another one than was noted"):
        house.checking.noted = noted
        await house.checking.once()
        assert house.told[-1] == ("audit_broken", "", f"record {LINES}: {said}")
        house.checking.hangs = Hangs.OK
        again = AuditFile(tmp_path)
        again.append([{"t": "x", "what": "event", "who": "derctl", "text": "more"}] * 20)


async def test_a_changed_record_is_said_once_and_says_where(tmp_path: Path) -> None:
    house = House(tmp_path, LINES + 30)
    house.change(f"limit {LINES + 10}", f"limit {LINES + 99}")
    await house.checking.once()
    await house.checking.once()
    assert house.checking.hangs is Hangs.BROKEN
    [(event, der, text)] = house.told
    assert (event, der) == ("audit_broken", "") and f"record {LINES + 11}" in text


async def test_a_record_that_was_taken_out_is_a_break_at_the_seam_of_two_pieces_too(tmp_path: Path) -> None:
    house = House(tmp_path, LINES + 30)
    lines = house.path.read_text().splitlines(keepends=True)
    house.path.write_text("".join(lines[:LINES] + lines[LINES + 1 :]))
    await house.checking.once()
    assert house.checking.hangs is Hangs.BROKEN and f"record {LINES + 1} is missing" in house.checking.text


async def test_a_folder_that_can_not_be_read_is_no_break(tmp_path: Path) -> None:
    house = House(tmp_path, 3)
    house.log.close()
    house.path.unlink()
    house.path.mkdir()
    await house.checking.once()
    assert house.checking.hangs is Hangs.UNCHECKED and house.checking.text != "" and house.told == []


async def test_it_is_read_again_once_a_day(tmp_path: Path) -> None:
    house = House(tmp_path, 3)
    seen: list[float] = []

    async def pause(seconds: float) -> None:
        seen.append(seconds)
        if seconds > 1000.0:
            raise asyncio.CancelledError

    house.checking.pause = pause
    try:
        await house.checking.run()
    except asyncio.CancelledError:
        pass
    assert seen[-1] == 86400.0 and house.checking.hangs is Hangs.OK
