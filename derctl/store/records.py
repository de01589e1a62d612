"""The intervals on disk: a table in SQLite, each record chained to the one before, and how far the broker has them.

Write-ahead log, synced at each commit: a kill or a power cut leaves the last commit, whole. For one thread.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from derctl.store.chain import BEGINNING, Broken, Head, Line, head_of, line_of, linked
from derctl.store.folder import leave_room, open_own, scarce
from derctl.store.interval import Why, seconds_of
from derctl.store.seal import Public, Seal, keys_of
from derctl.store.signer import Signer
from derctl.store.wal import PAGE, lost

if TYPE_CHECKING:
    import sqlite3

FILE = "records.db"
SIDES = ("", "-wal", "-shm")
VERSION = 1
ROOM_PU = 0.05
"""Share of the records that goes at once where there is no room for another one."""
ROOM_LEAST = 8
CACHE_KB = 256
LOG_MAX = 8_388_608
"""Bytes of the write-ahead log that are looked at before it is used: it is given back at 64 pages."""
UNUSABLE = (11, 26)
"""SQLITE_CORRUPT, SQLITE_NOTADB (sqlite.org/rescode.html)."""
SQLITE_FULL = 13
UNWATCHED = (Why.NOT_RUNNING, Why.PAUSED)
"""Of an interval in which nobody watched."""
GAPS = "SELECT count(*) FROM interval WHERE text LIKE ? OR text LIKE ?"

TABLES = f"""
CREATE TABLE IF NOT EXISTS interval (n INTEGER PRIMARY KEY, text TEXT NOT NULL, hash TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS mark (name TEXT PRIMARY KEY, n INTEGER NOT NULL, hash TEXT NOT NULL);
PRAGMA user_version = {VERSION};
"""


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


def _plain(text: Any) -> Mapping[str, Any] | None:
    """For people: of one that was changed nothing."""
    try:
        plain = json.loads(text)
    except (ValueError, TypeError, RecursionError):
        return None
    return plain if isinstance(plain, dict) else None


def extent_of(folder: Path, db: sqlite3.Connection) -> Extent:
    """What is on disk now."""
    found = [db.execute(f"SELECT text FROM interval ORDER BY n {way} LIMIT 1").fetchone() for way in ("ASC", "DESC")]
    first, last = (None if each is None else _plain(each[0]) for each in found)
    [gaps] = db.execute(GAPS, [f'%"why":"{each}"%' for each in UNWATCHED]).fetchone()
    sides = [folder / f"{FILE}{side}" for side in SIDES]
    size = sum(each.stat().st_size for each in sides if each.exists())
    return Extent(size=size, oldest=None if first is None else str(first.get("from")), last=last, gaps=gaps)


@dataclass(slots=True)
class RecordFile:
    """most_bytes, keep_s: bounds, of size and age. chain: the file's own name: another file has another.

    sent, kept_sent: the last that the broker has, and what is on disk of that. problems: for people. dropped: records
    that went, since the start; full: the last ones for want of room. extent: as of the last commit. signed: the head,
    None: it is not.
    """

    folder: Path
    most_bytes: int
    keep_s: float
    chain: str = ""
    head: Head = field(default_factory=Head)
    first: Head = field(default_factory=Head)
    sent: int = 0
    kept_sent: int = 0
    problems: list[str] = field(default_factory=list)
    dropped: int = 0
    full: bool = False
    extent: Extent = EMPTY
    signer: Signer | None = None
    signed: str | None = None
    _db: sqlite3.Connection | None = None

    def open(self) -> Mapping[str, Any] | None:
        """The last record, None: there is none. What can't be used is set aside. Raises OSError."""
        import sqlite3

        try:
            return self._opened()
        except (sqlite3.DatabaseError, ValueError) as error:
            if isinstance(error, sqlite3.DatabaseError) and not _unusable(error):
                raise _not_kept(error) from error
            self._set_aside(str(error))
        try:
            return self._opened()
        except sqlite3.Error as error:
            raise _not_kept(error) from error

    def _opened(self) -> Mapping[str, Any] | None:
        import sqlite3

        self.close()
        os.close(open_own(self.folder / FILE, os.O_RDWR))
        _check_log(self.folder / f"{FILE}-wal")
        self._db = db = sqlite3.connect(self.folder / FILE, isolation_level=None, check_same_thread=False)
        db.text_factory = _text
        for pragma in ("journal_mode=WAL", "synchronous=FULL", f"cache_size=-{CACHE_KB}", "wal_autocheckpoint=64"):
            db.execute(f"PRAGMA {pragma}")
        [verdict] = db.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise ValueError(verdict)
        [version] = db.execute("PRAGMA user_version").fetchone()
        if version not in {0, VERSION}:
            raise ValueError(f"version {version} is not known here; {VERSION} is the newest")
        if version == 0:
            db.executescript(TABLES)
        return self._found(db)

    def _found(self, db: sqlite3.Connection) -> Mapping[str, Any] | None:
        """Raises ValueError where the last record is not as it was written."""
        marks = _marks(db)
        if "chain" not in marks:
            marks["chain"] = (0, secrets.token_hex(4))
            db.execute("INSERT INTO mark VALUES ('chain', 0, ?)", (marks["chain"][1],))
        self.chain, self.first = marks["chain"][1], _first(db, marks)
        n, text = marks.get("sent", (0, ""))
        if text and text != _hash_at(db, n, self.first):
            self.problems.append(f"{FILE}: how far the broker is can't be read; it gets all of them again")
            n = self.first.n
        self.sent = self.kept_sent = n
        self.extent = extent_of(self.folder, db)
        seal = _seal_of(marks)
        if self.signer is not None and self.signer.known is None and seal is not None and seal.keys:
            self.signer.known = seal.keys[-1].x
        last = db.execute("SELECT n, text, hash FROM interval ORDER BY n DESC LIMIT 1").fetchone()
        if last is None:
            self.head = self.first
            return None
        line = _line(*last)
        plain, self.head = line.plain, head_of(line)
        self.signed = marks["signed"][1] if marks.get("signed", (0, ""))[0] == line.n else None
        if plain.get("chain") != self.chain:
            raise ValueError(f"record {line.n} is of chain {plain.get('chain')}, the file of {self.chain}")
        return plain

    def _set_aside(self, why: str) -> None:
        """Nothing of it is lost, and nothing of it is used."""
        self.close()
        for side in SIDES:
            with suppress(FileNotFoundError):
                (self.folder / f"{FILE}{side}").replace(self.folder / f"{FILE}.unreadable{side}")
        self.problems.append(f"{FILE}: {why}; kept as {FILE}.unreadable, and a new chain begins")

    def append(self, plains: Sequence[Mapping[str, Any]]) -> None:
        """All or none, in one commit. Raises OSError."""
        import sqlite3

        try:
            self._append(plains, _oldest(self.head.n - self.first.n) if scarce(self.folder) else 0)
        except sqlite3.Error as error:
            if isinstance(error, sqlite3.DatabaseError) and _unusable(error):
                self._set_aside(str(error))
                self.open()
                return self.append(plains)
            if not _full(error) or not self.head.n - self.first.n:
                raise _not_kept(error) from error
            try:
                self._append(plains, _oldest(self.head.n - self.first.n))
            except sqlite3.Error as again:
                raise _not_kept(again) from again
        return None

    def _append(self, plains: Sequence[Mapping[str, Any]], room: int = 0) -> None:
        """room: so many of the oldest go, and the log is given back. Raises OSError where none can go for it."""
        if room and not self.head.n - self.first.n:
            leave_room(self.folder)
        db = self._open_db()
        head, lines = self.head, []
        for plain in plains:
            line = linked(head, {**plain, "chain": self.chain})
            head = head_of(line)
            lines.append(line)
        upto = self._too_old(db, lines, room)
        token, keys = _signed(self.signer, self.chain, head)
        db.execute("BEGIN IMMEDIATE")
        try:
            first = self._dropped(db, upto)
            db.executemany(
                "INSERT INTO interval VALUES (?, ?, ?)", [(each.n, each.text, each.hash) for each in lines]
            )
            _mark(db, "sent", self.sent, _hash_at(db, self.sent, first))
            if token is not None:
                _mark(db, "signed", head.n, token)
                _mark(db, "keys", 0, keys)
            db.execute("COMMIT")
        except BaseException:
            with suppress(Exception):
                db.execute("ROLLBACK")
            raise
        if room:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.dropped += first.n - self.first.n
        self.full, self.kept_sent = bool(room), self.sent
        self.head, self.first, self.signed = head, first, token
        self.extent = extent_of(self.folder, db)

    def _too_old(self, db: sqlite3.Connection, lines: Sequence[Line], room: int) -> int:
        """The last record that has to go."""
        upto = self.first.n + room
        [pages] = db.execute("PRAGMA page_count").fetchone()
        [free] = db.execute("PRAGMA freelist_count").fetchone()
        if (pages - free) * PAGE > self.most_bytes:
            upto = max(upto, self.first.n + _oldest(self.head.n - self.first.n))
        newest = seconds_of(str(lines[-1].plain["to"]))
        for n, text in db.execute("SELECT n, text FROM interval ORDER BY n LIMIT 64"):
            ended = _ended(text)
            if ended is not None and newest - ended <= self.keep_s:
                break
            upto = upto if ended is None else max(upto, n)
        return min(upto, self.head.n)

    def _dropped(self, db: sqlite3.Connection, upto: int) -> Head:
        """What the oldest that is left hangs on."""
        if upto <= self.first.n:
            return self.first
        [text] = db.execute("SELECT hash FROM interval WHERE n = ?", (upto,)).fetchone()
        db.execute("DELETE FROM interval WHERE n <= ?", (upto,))
        _mark(db, "first", upto, text)
        return Head(n=upto, hash=text)

    def _open_db(self) -> sqlite3.Connection:
        if self._db is None:
            self.open()
        assert self._db is not None
        return self._db

    def after(self, n: int, count: int) -> list[Line]:
        """The next records behind that one, without those that were changed. Raises OSError."""
        import sqlite3

        found: list[Line] = []
        try:
            while not found:
                rows = self._open_db().execute(
                    "SELECT n, text, hash FROM interval WHERE n > ? ORDER BY n LIMIT ?", (n, count)
                )
                came = rows.fetchall()
                if not came:
                    break
                n = came[-1][0]
                for each in came:
                    with suppress(Broken):
                        found.append(_line(*each))
        except sqlite3.Error as error:
            if isinstance(error, sqlite3.DatabaseError) and _unusable(error):
                self._set_aside(str(error))
                self.open()
                return []
            raise _not_kept(error) from error
        return found

    def keep_sent(self) -> None:
        """How far the broker has them, in a commit of its own. Raises OSError."""
        import sqlite3

        try:
            db = self._open_db()
            _mark(db, "sent", self.sent, _hash_at(db, self.sent, self.first))
            self.kept_sent = self.sent
        except sqlite3.Error as error:
            raise _not_kept(error) from error

    def close(self) -> None:
        db, self._db = self._db, None
        if db is not None:
            with suppress(Exception):
                db.close()


def read_only(folder: Path, since: str | None = None) -> tuple[str, Head, Iterator[Line]]:
    """For whoever only looks: the chain's name, what the oldest record hangs on, the records; since: from the first
    that ends later, whatever is before it. Raises OSError, or Broken where one was changed."""
    _, chain, first, lines = looked_at(folder, since)
    return chain, first, lines


def keys_in(folder: Path) -> tuple[Public, ...]:
    """Those that signed, oldest first. Raises OSError."""
    seal, _, _, lines = looked_at(folder)
    with closing(lines):
        return () if seal is None else seal.keys


def looked_at(folder: Path, since: str | None = None) -> tuple[Seal | None, str, Head, Generator[Line]]:
    """The same with who vouches for it; None: nobody. since: from the first record that ends later, whatever is
    before it. All as of one moment."""
    import sqlite3

    path = folder / FILE
    if not path.exists():
        raise FileNotFoundError(2, "there are no records", str(path))
    try:
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
        db.text_factory = _text
        db.execute("BEGIN")
        marks = _marks(db)
    except sqlite3.Error as error:
        raise _not_kept(error) from error
    first = _first_by(marks)

    def lines() -> Generator[Line]:
        try:
            begin = 0 if since is None else _later(db, since)
            for each in db.execute("SELECT n, text, hash FROM interval WHERE n >= ? ORDER BY n", (begin,)):
                yield _line(*each)
        except sqlite3.Error as error:
            raise _not_kept(error) from error
        finally:
            db.close()

    return _seal_of(marks), marks["chain"][1] if "chain" in marks else "", first, lines()


def _seal_of(marks: Mapping[str, tuple[int, str]]) -> Seal | None:
    if "signed" not in marks or "keys" not in marks:
        return None
    try:
        keys = keys_of(json.loads(marks["keys"][1]))
    except (ValueError, TypeError, LookupError):
        return None
    return Seal(token=marks["signed"][1], keys=keys) if keys else None


def _signed(signer: Signer | None, chain: str, head: Head) -> tuple[str | None, str]:
    """And the keys, for whoever looks at the file."""
    if signer is None:
        return None, ""
    token = signer.head("ledger", chain, head)
    return token, json.dumps([each.plain for each in signer.keys])


def _check_log(path: Path) -> None:
    """Raises ValueError where commits would be lost without a word."""
    with suppress(FileNotFoundError), path.open("rb") as log:
        count = lost(log.read(LOG_MAX))
        if count:
            raise ValueError(f"its write-ahead log was changed: {count} commits can't be read")


def _later(db: sqlite3.Connection, since: str) -> int:
    """The first that ends later, by its own word; behind the last where none does."""
    n = 0
    for each in db.execute("SELECT n, text, hash FROM interval ORDER BY n"):
        n = int(each[0])
        with suppress(Broken):
            if str(_line(*each).plain["to"]) > since:
                return n
    return n + 1


def _text(raw: bytes) -> str:
    """Of what is none the hash is another one."""
    return raw.decode("utf-8", "replace")


def _line(n: int, text: str, said: str) -> Line:
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


def _marks(db: sqlite3.Connection) -> dict[str, tuple[int, str]]:
    return {name: (n, text) for name, n, text in db.execute("SELECT name, n, hash FROM mark")}


def _first(db: sqlite3.Connection, marks: Mapping[str, tuple[int, str]]) -> Head:
    """What the oldest record hangs on, by its own word; by the mark where it has none."""
    for row in db.execute("SELECT n, text, hash FROM interval ORDER BY n LIMIT 1"):
        with suppress(Broken):
            line = _line(*row)
            return Head(n=line.n - 1, hash=str(line.plain.get("before")))
    return _first_by(marks)


def _first_by(marks: Mapping[str, tuple[int, str]]) -> Head:
    n, text = marks.get("first", (0, BEGINNING))
    return Head(n=n, hash=text)


def _hash_at(db: sqlite3.Connection, n: int, first: Head) -> str:
    """The hash of a record; "": it is not there."""
    row = db.execute("SELECT hash FROM interval WHERE n = ?", (n,)).fetchone()
    return str(row[0]) if row is not None else first.hash if n == first.n else ""


def _ended(text: str) -> float | None:
    """When a record ended; None: it was changed."""
    try:
        return seconds_of(str(json.loads(text)["to"]))
    except (ValueError, LookupError, TypeError, RecursionError):
        return None


def _oldest(count: int) -> int:
    """How many of so many records go at once."""
    return max(ROOM_LEAST, int(ROOM_PU * count))


def _mark(db: sqlite3.Connection, name: str, n: int, text: str) -> None:
    db.execute("INSERT OR REPLACE INTO mark VALUES (?, ?, ?)", (name, n, text))


def _unusable(error: sqlite3.DatabaseError) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in UNUSABLE


def _full(error: Exception) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == SQLITE_FULL


def _not_kept(error: Exception) -> NotKept:
    return NotKept(f"{FILE}: {error}")
