"""The file of the intervals: whole or as before, bounded, and never fatal."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from derctl.store.chain import BEGINNING, Broken, Head, checked
from derctl.store.interval import text_of
from derctl.store.looked import looked_at, read_only
from derctl.store.records import FILE, RecordFile
from derctl.store.rows import NotKept

DAY_S = 86400.0


def plain(n: int, **more: Any) -> dict[str, Any]:
    return {"site": "demo", "from": text_of(900.0 * n), "to": text_of(900.0 * (n + 1)), "wh": n / 4.0, **more}


def opened(folder: Path, most_bytes: int = 10_000_000, keep_s: float = 400 * DAY_S) -> RecordFile:
    file = RecordFile(folder, most_bytes, keep_s)
    file.open()
    return file


def whole(folder: Path) -> tuple[int, Head, Head]:
    _, first, lines = read_only(folder)
    return checked(lines, first)


def test_the_chain_goes_on_over_a_restart(tmp_path: Path) -> None:
    file = opened(tmp_path)
    file.append([plain(0), plain(1)])
    file.sent = 1
    file.append([plain(2)])
    file.close()
    again = RecordFile(tmp_path, 10_000_000, DAY_S)
    last = again.open()
    assert last is not None and last["wh"] == 0.5
    assert (again.chain, again.head, again.sent) == (file.chain, file.head, 1)
    assert [each.n for each in again.after(1, 10)] == [2, 3]
    assert whole(tmp_path) == (3, Head(), file.head)


def test_how_far_the_broker_is_can_be_saved_alone(tmp_path: Path) -> None:
    file = opened(tmp_path)
    file.append([plain(0), plain(1)])
    file.sent = 2
    file.keep_sent()
    file.close()
    assert opened(tmp_path).sent == 2


def test_what_is_too_old_goes_and_the_chain_is_carried_over(tmp_path: Path) -> None:
    file = opened(tmp_path, keep_s=10 * 900.0)
    for n in range(40):
        file.append([plain(n)])
    file.close()
    count, first, last = whole(tmp_path)
    assert (first.n, last.n, count) == (28, 40, 12) or (last.n == 40 and count in {11, 12})
    assert first.hash != BEGINNING
    assert not file.full


def test_what_is_too_much_goes(tmp_path: Path) -> None:
    file = opened(tmp_path, most_bytes=60_000)
    for n in range(300):
        file.append([plain(n, text="x" * 1000)])
    file.close()
    count, first, last = whole(tmp_path)
    assert (last.n, first.n + count) == (300, 300)
    assert (tmp_path / FILE).stat().st_size < 100_000


def test_a_full_disk_drops_the_oldest_and_says_so(tmp_path: Path) -> None:
    file = opened(tmp_path)
    for n in range(100):
        file.append([plain(n, text="x" * 1000)])
    assert file._db is not None
    [pages] = file._db.execute("PRAGMA page_count").fetchone()
    file._db.execute(f"PRAGMA max_page_count={pages}")  # SQLITE_FULL, as a full disk has it
    for n in range(100, 200):
        file.append([plain(n, text="x" * 1000)])
    assert file.full or file.dropped
    assert file.dropped > 50
    file.close()
    count, first, last = whole(tmp_path)
    assert (last.n, first.n + count) == (200, 200)


def test_a_disk_that_takes_nothing_at_all_is_an_error_and_what_was_there_stays(tmp_path: Path) -> None:
    file = opened(tmp_path)
    file.append([plain(0)])
    assert file._db is not None
    file._db.execute("PRAGMA query_only=1")
    with pytest.raises(NotKept):
        file.append([plain(1)])
    file._db.execute("PRAGMA query_only=0")
    file.append([plain(1)])
    assert whole(tmp_path)[0] == 2


@pytest.mark.parametrize("damage", ["garbage", "cut", "middle"])
def test_a_file_that_is_damaged_is_set_aside_and_another_chain_begins(tmp_path: Path, damage: str) -> None:
    file = opened(tmp_path)
    for n in range(60):
        file.append([plain(n, text="x" * 500)])
    file.close()
    path, before = tmp_path / FILE, file.chain
    content = path.read_bytes()
    path.write_bytes(
        {
            "garbage": b"no database" * 500,
            "cut": content[:-5000],
            "middle": content[:4096] + b"\xff" * 8192 + content[12288:],
        }[damage]
    )
    again = RecordFile(tmp_path, 10_000_000, DAY_S)
    assert again.open() is None
    assert "kept as records.db.unreadable" in again.problems[0]
    assert (tmp_path / "records.db.unreadable").exists()
    again.append([plain(60)])
    assert (again.head.n, again.chain != before) == (1, True)
    assert whole(tmp_path)[0] == 1


def test_a_power_cut_in_the_middle_of_a_write_leaves_the_last_commit_whole(tmp_path: Path) -> None:
    """The write-ahead log is cut, or garbled, at any byte: what was committed before that is there, and no more."""
    file = opened(tmp_path)
    for n in range(12):
        file.append([plain(n)])
    content, log = ((tmp_path / f"{FILE}{side}").read_bytes() for side in ("", "-wal"))
    found = set()
    for cut in range(0, len(log), 3989):
        for tail in (b"", b"\xa5" * 700):
            there = tmp_path / f"{cut}-{len(tail)}"
            there.mkdir()
            (there / FILE).write_bytes(content)
            (there / f"{FILE}-wal").write_bytes(log[:cut] + tail)
            again = RecordFile(there, 10_000_000, DAY_S)
            again.open()
            assert not again.problems
            again.append([plain(again.head.n)])
            again.close()
            count, first, last = whole(there)
            assert (first.n, count) == (0, last.n)
            found.add(last.n)
    assert {1, 5, 12} <= found <= set(range(1, 14))


def test_a_record_that_was_changed_at_the_end_is_not_built_on(tmp_path: Path) -> None:
    file = opened(tmp_path)
    file.append([plain(0)])
    file.close()
    with sqlite3.connect(tmp_path / FILE) as db:
        db.execute("UPDATE interval SET text = replace(text, '\"wh\":0', '\"wh\":9')")
    db.close()
    again = RecordFile(tmp_path, 10_000_000, DAY_S)
    assert again.open() is None
    assert "was changed" in again.problems[0]


def changed(folder: Path, sql: str, *values: object) -> None:
    with sqlite3.connect(folder / FILE) as db:
        db.execute(sql, values)
    db.close()


def test_a_record_in_the_place_of_another_is_named_and_not_sent(tmp_path: Path) -> None:
    file = opened(tmp_path)
    file.append([plain(n) for n in range(3)])
    file.close()
    for at, to in ((1, 9), (2, 1), (9, 2)):
        changed(tmp_path, "UPDATE interval SET n = ? WHERE n = ?", to, at)
    again = opened(tmp_path)
    assert [each.n for each in again.after(0, 3)] == [3]
    with pytest.raises(Broken) as found:
        whole(tmp_path)
    assert found.value.n == 1


CHANGES = {
    "another value": b'{"from":"1970-01-01T00:00:00.000Z","n":1}',
    "no text": b'{"wh":\xff\xfe}',
    "no record": b"{",
    "nested": b"[" * 100_000,
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_record_that_was_changed_in_the_middle_is_named_and_neither_sent_nor_in_the_way(
    tmp_path: Path, change: str
) -> None:
    file = opened(tmp_path, keep_s=10 * 900.0)
    file.append([plain(n) for n in range(3)])
    file.close()
    for n in (1, 2):
        changed(tmp_path, "UPDATE interval SET text = CAST(? AS TEXT) WHERE n = ?", CHANGES[change], n)
    again = opened(tmp_path, keep_s=10 * 900.0)
    assert (again.problems, again.head.n) == ([], 3)
    assert [each.n for each in again.after(0, 1)] == [3], "also where all that is read at once was changed"
    with pytest.raises(Broken) as found:
        whole(tmp_path)
    assert found.value.n == 1
    again.append([plain(3)])
    _, _, _, later = looked_at(tmp_path, text_of(2700.0))
    assert [each.n for each in later] == [4], "what is before that is in nobody's way"
    _, _, _, none = looked_at(tmp_path, text_of(9e5))
    assert list(none) == []
    again.append([plain(40)])
    assert (again.first.n, whole(tmp_path)[0]) == (4, 1)


@pytest.mark.parametrize(("n", "hash_"), [(3, "0" * 64), (1, None)])
def test_how_far_the_broker_is_counts_only_as_it_was_saved(tmp_path: Path, n: int, hash_: str | None) -> None:
    """Else it gets all of them again: the same record twice is one, a missing one is none."""
    file = opened(tmp_path)
    file.append([plain(each) for each in range(4)])
    file.sent = 2
    file.keep_sent()
    file.close()
    changed(tmp_path, "UPDATE mark SET n = ?, hash = coalesce(?, hash) WHERE name = 'sent'", n, hash_)
    again = opened(tmp_path)
    assert again.sent == 0 and "it gets all of them again" in again.problems[0]


def test_a_name_of_the_chain_that_is_not_that_of_its_records_is_not_built_on(tmp_path: Path) -> None:
    file = opened(tmp_path)
    file.append([plain(0)])
    file.close()
    changed(tmp_path, "UPDATE mark SET hash = 'other' WHERE name = 'chain'")
    again = RecordFile(tmp_path, 10_000_000, DAY_S)
    assert again.open() is None and "is of chain" in again.problems[0]


def test_a_file_that_breaks_while_it_is_read_is_set_aside(tmp_path: Path) -> None:
    file = opened(tmp_path)
    for n in range(60):
        file.append([plain(n, text="x" * 500)])
    assert file._db is not None
    file._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    file._db.execute("PRAGMA shrink_memory")
    path, before = tmp_path / FILE, file.chain
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    assert file.after(0, 60) == []
    assert file.problems and file.chain != before
    file.append([plain(60)])
    assert file.head.n == 1


def test_commits_that_the_log_would_lose_without_a_word_are_said(tmp_path: Path) -> None:
    """One bit in an early frame: SQLite drops it and all that is behind it."""
    file = opened(tmp_path)
    for n in range(6):
        file.append([plain(n)])
    content, log = ((tmp_path / f"{FILE}{side}").read_bytes() for side in ("", "-wal"))
    file.close()
    there = tmp_path / "there"
    there.mkdir()
    for at, said in ((20_000, True), (len(log) - 100, False)):
        (there / FILE).write_bytes(content)
        (there / f"{FILE}-wal").write_bytes(log[:at] + bytes([log[at] ^ 1]) + log[at + 1 :])
        again = RecordFile(there, 10_000_000, DAY_S)
        again.open()
        assert bool(again.problems) is said, again.problems
        assert again.head.n == (0 if said else 5)
        again.close()
    assert (there / f"{FILE}.unreadable-wal").exists()


def test_a_file_of_a_newer_version_is_set_aside(tmp_path: Path) -> None:
    opened(tmp_path).close()
    with sqlite3.connect(tmp_path / FILE) as db:
        db.execute("PRAGMA user_version = 9")
    db.close()
    again = RecordFile(tmp_path, 10_000_000, DAY_S)
    again.open()
    assert "version 9 is not known" in again.problems[0]


def test_a_folder_that_cannot_be_written_is_an_error_of_the_disk(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        RecordFile(tmp_path / "none", 1, 1.0).open()
    with pytest.raises(FileNotFoundError):
        read_only(tmp_path)


def test_what_is_on_disk_is_told_with_the_gaps_in_it(tmp_path: Path) -> None:
    file = opened(tmp_path, keep_s=20 * 900.0)
    assert file.extent.last is None and file.extent.oldest is None and file.extent.size > 0
    file.append([plain(0, why="started"), plain(1, why=None), plain(2, why="not_running")])
    file.append([plain(3, why="paused"), plain(4, why=None)])
    assert (file.extent.gaps, file.extent.oldest) == (2, text_of(0.0))
    assert file.extent.last is not None and file.extent.last["n"] == 5
    file.append([plain(60, why=None)])
    file.close()
    again = opened(tmp_path, keep_s=20 * 900.0)
    assert (again.extent.gaps, again.extent.oldest) == (0, text_of(60 * 900.0))
