"""SQLite's write-ahead log: a bit that is another one is told from the end that a power cut tears."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from derctl.store.wal import FRAME, HEADER, PAGE, lost

COMMITS = 5
STEP = FRAME.size + PAGE


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """SQLite's own, of COMMITS commits in its second round: those of the first lie behind them."""
    path = tmp_path_factory.mktemp("wal") / "a.db"
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("CREATE TABLE a (n INTEGER PRIMARY KEY, text TEXT)")
    for n in range(12):
        db.execute("INSERT INTO a VALUES (?, ?)", (n, "x" * 300))
    db.execute("PRAGMA wal_checkpoint(RESTART)")
    for n in range(COMMITS):  # a frame each
        db.execute("UPDATE a SET text = ? WHERE n = 0", (f"{n}" * 300,))
    content = Path(f"{path}-wal").read_bytes()
    db.close()
    return content


def flip(log: bytes, at: int, bit: int = 0) -> bytes:
    return log[:at] + bytes([log[at] ^ 1 << bit]) + log[at + 1 :]


def test_a_log_as_it_was_written_lost_nothing(log: bytes) -> None:
    assert lost(log) == 0
    assert (lost(b""), lost(log[:20]), lost(b"no log" * 2000)) == (0, 0, 0)


@pytest.mark.parametrize("inside", [0, 5, 9, 13, 17, 21, 24, 2000, STEP - 1])
def test_a_changed_bit_before_the_last_commit_is_told_with_all_that_it_costs(log: bytes, inside: int) -> None:
    """In any part of a frame: page, size, salts, checksums, content. The last commit is not among the lost."""
    for frame in range(COMMITS - 1):
        assert lost(flip(log, HEADER.size + frame * STEP + inside)) in {COMMITS - 1 - frame, COMMITS - 2 - frame}
    assert lost(flip(log, HEADER.size + inside)) >= COMMITS - 2 > 0


@pytest.mark.parametrize("at", range(0, HEADER.size, 3))
def test_a_changed_header_costs_all_of_them(log: bytes, at: int) -> None:
    assert lost(flip(log, at)) == COMMITS - 1


def test_a_power_cut_in_the_last_commit_lost_nothing_that_was_acknowledged(log: bytes) -> None:
    """Its frame is not there, or half there, or what the round before left is in its place; or the header is torn."""
    end = HEADER.size + COMMITS * STEP
    last = end - STEP
    for torn in (log[:last], log[: last + 700], log[: last + 700] + b"\xa5" * 900 + log[last + 1600 :]):
        assert lost(torn) == 0
    assert lost(flip(log, last + 100)) == 0, "which nobody can tell from that"
    assert lost(log[: HEADER.size - 8] + b"\0" * 8 + b"\0" * (len(log) - HEADER.size)) == 0
