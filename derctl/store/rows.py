"""The rows of the file of records, and what else stands in it, as it is read: one that was changed is no row."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from derctl.core.dataclass import dataclass
from derctl.store.chain import BEGINNING, Broken, Head, Line, hash_of, line_of
from derctl.store.interval import Why, seconds_of
from derctl.store.seal import Seal, keys_of

if TYPE_CHECKING:
    import sqlite3

FILE = "records.db"
SIDES = ("", "-wal", "-shm")
UNUSABLE = (11, 26)
"""SQLITE_CORRUPT, SQLITE_NOTADB (sqlite.org/rescode.html)."""
SQLITE_FULL = 13
UNWATCHED = (Why.NOT_RUNNING, Why.PAUSED)
"""Of an interval in which nobody watched."""
GAPS = "SELECT count(*) FROM interval WHERE text LIKE ? OR text LIKE ?"


class NotKept(OSError):
    """The disk takes nothing, or what is there can't be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """size: bytes on disk. oldest: when the first record begins; last: the newest one; None: there is none. gaps:
    records of a time in which nobody watched."""

    size: int = 0
    oldest: str | None = None
    last: Mapping[str, Any] | None = None
    gaps: int = 0


EMPTY = Extent()


def extent_of(folder: Path, db: sqlite3.Connection) -> Extent:
    """What is on disk now."""
    found = [db.execute(f"SELECT text FROM interval ORDER BY n {way} LIMIT 1").fetchone() for way in ("ASC", "DESC")]
    first, last = (None if each is None else plain_of(each[0]) for each in found)
    [gaps] = db.execute(GAPS, [f'%"why":"{each}"%' for each in UNWATCHED]).fetchone()
    sides = [folder / f"{FILE}{side}" for side in SIDES]
    size = sum(each.stat().st_size for each in sides if each.exists())
    return Extent(size=size, oldest=None if first is None else str(first.get("from")), last=last, gaps=gaps)


def plain_of(text: Any) -> Mapping[str, Any] | None:
    """For people: of one that was changed nothing."""
    try:
        plain = json.loads(text)
    except (ValueError, TypeError, RecursionError):
        return None
    return plain if isinstance(plain, dict) else None


def text(raw: bytes) -> str:
    """Of what is none the hash is another one."""
    return raw.decode("utf-8", "replace")


def record_of(n: int, text: str, said: str) -> Line:
    """A row. Raises Broken."""
    try:
        line = line_of(text, said)
    except Broken as error:
        raise Broken(n, "its hash is not that of what it says: it was changed") from error
    except (ValueError, RecursionError) as error:
        raise Broken(n, "it is no record any more: it was changed") from error
    if line.n != n:
        raise Broken(n, f"it says that it is record {line.n}")
    return line


def marks(db: sqlite3.Connection) -> dict[str, tuple[int, str]]:
    return {name: (n, text) for name, n, text in db.execute("SELECT name, n, hash FROM mark")}


def first(db: sqlite3.Connection, marks: Mapping[str, tuple[int, str]]) -> Head:
    """What the oldest record hangs on, by its own word; by the mark where it has none."""
    for row in db.execute("SELECT n, text, hash FROM interval ORDER BY n LIMIT 1"):
        with suppress(Broken):
            line = record_of(*row)
            return Head(n=line.n - 1, hash=str(line.plain.get("before")))
    return first_by(marks)


def first_by(marks: Mapping[str, tuple[int, str]]) -> Head:
    n, text = marks.get("first", (0, BEGINNING))
    return Head(n=n, hash=text)


def hash_at(db: sqlite3.Connection, n: int, first: Head) -> str:
    """The hash of a record; "": it is not there."""
    row = db.execute("SELECT hash FROM interval WHERE n = ?", (n,)).fetchone()
    return str(row[0]) if row is not None else first.hash if n == first.n else ""


def ended_s(text: str) -> float | None:
    """When a record ended; None: it was changed."""
    try:
        return seconds_of(str(json.loads(text)["to"]))
    except (ValueError, LookupError, TypeError, RecursionError):
        return None


def seal_of(marks: Mapping[str, tuple[int, str]]) -> Seal | None:
    if "signed" not in marks or "keys" not in marks:
        return None
    try:
        keys = keys_of(json.loads(marks["keys"][1]))
    except (ValueError, TypeError, LookupError):
        return None
    return Seal(token=marks["signed"][1], keys=keys) if keys else None


def noted(head: Head) -> str:
    """The end of the audit log, so that a changed bit makes it no other one."""
    return f"{head.hash} {hash_of(f'{head.n} {head.hash}')}"


def noted_by(marks: Mapping[str, tuple[int, str]]) -> Head | None:
    """None: there is none, or it was changed."""
    n, text = marks.get("audit", (0, ""))
    head = Head(n=n, hash=text.partition(" ")[0])
    return head if n and text == noted(head) else None


def mark(db: sqlite3.Connection, name: str, n: int, text: str) -> None:
    db.execute("INSERT OR REPLACE INTO mark VALUES (?, ?, ?)", (name, n, text))


def unusable(error: sqlite3.DatabaseError) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in UNUSABLE


def full(error: Exception) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == SQLITE_FULL


def not_kept(error: Exception) -> NotKept:
    return NotKept(f"{FILE}: {error}")
