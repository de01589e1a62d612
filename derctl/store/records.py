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

from derctl.store.chain import Broken, Head, Line, head_of, line_of, linked
from derctl.store.folder import leave_room, open_own, scarce
from derctl.store.interval import seconds_of
from derctl.store.seal import Public, Seal, keys_of
from derctl.store.signer import Signer

if TYPE_CHECKING:
    import sqlite3

FILE = "records.db"
SIDES = ("", "-wal", "-shm")
VERSION = 1
ROOM_PU = 0.05
"""Share of the records that goes at once where there is no room for another one."""
ROOM_LEAST = 8
CACHE_KB = 256
PAGE = 4096
UNUSABLE = (11, 26)
"""SQLITE_CORRUPT, SQLITE_NOTADB (sqlite.org/rescode.html)."""
SQLITE_FULL = 13

TABLES = f"""
CREATE TABLE IF NOT EXISTS interval (n INTEGER PRIMARY KEY, text TEXT NOT NULL, hash TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS mark (name TEXT PRIMARY KEY, n INTEGER NOT NULL, hash TEXT NOT NULL);
PRAGMA user_version = {VERSION};
"""


class NotKept(OSError):
    """The disk takes nothing, or what is there can't be used."""


@dataclass(slots=True)
class RecordFile:
    """most_bytes, keep_s: bounds, of size and age. chain: the file's own name: another file has another.

    sent, kept_sent: the last that the broker has, and what is on disk of that. problems: for people. dropped: records
    that went, since the start; full: the last ones for want of room. signed: the head, None: it is not.
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
        self._db = db = sqlite3.connect(self.folder / FILE, isolation_level=None, check_same_thread=False)
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
        marks = {name: (n, text) for name, n, text in db.execute("SELECT name, n, hash FROM mark")}
        if "chain" not in marks:
            marks["chain"] = (0, secrets.token_hex(4))
            db.execute("INSERT INTO mark VALUES ('chain', 0, ?)", (marks["chain"][1],))
        self.chain = marks["chain"][1]
        self.first = Head(n=marks["first"][0], hash=marks["first"][1]) if "first" in marks else Head()
        self.sent = self.kept_sent = marks.get("sent", (0, ""))[0]
        seal = _seal_of(marks)
        if self.signer is not None and self.signer.known is None and seal is not None:
            self.signer.known = seal.keys[-1].x
        last = db.execute("SELECT text, hash FROM interval ORDER BY n DESC LIMIT 1").fetchone()
        if last is None:
            self.head = self.first
            return None
        line = line_of(*last)
        self.head = head_of(line)
        self.signed = marks["signed"][1] if marks.get("signed", (0, ""))[0] == line.n else None
        return line.plain

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
            _mark(db, "sent", self.sent, "")
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

    def _too_old(self, db: sqlite3.Connection, lines: Sequence[Line], room: int) -> int:
        """The last record that has to go."""
        upto = self.first.n + room
        [pages] = db.execute("PRAGMA page_count").fetchone()
        [free] = db.execute("PRAGMA freelist_count").fetchone()
        if (pages - free) * PAGE > self.most_bytes:
            upto = max(upto, self.first.n + _oldest(self.head.n - self.first.n))
        newest = seconds_of(str(lines[-1].plain["to"]))
        for n, text in db.execute("SELECT n, text FROM interval ORDER BY n LIMIT 64"):
            if newest - seconds_of(str(json.loads(text)["to"])) <= self.keep_s:
                break
            upto = max(upto, n)
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
        """The next records behind that one. Raises OSError."""
        import sqlite3

        try:
            rows = self._open_db().execute(
                "SELECT n, text, hash FROM interval WHERE n > ? ORDER BY n LIMIT ?", (n, count)
            )
            return [Line(n=each, text=text, hash=hash_) for each, text, hash_ in rows.fetchall()]
        except sqlite3.Error as error:
            raise _not_kept(error) from error

    def keep_sent(self) -> None:
        """How far the broker has them, in a commit of its own. Raises OSError."""
        import sqlite3

        try:
            _mark(self._open_db(), "sent", self.sent, "")
            self.kept_sent = self.sent
        except sqlite3.Error as error:
            raise _not_kept(error) from error

    def close(self) -> None:
        db, self._db = self._db, None
        if db is not None:
            with suppress(Exception):
                db.close()


def read_only(folder: Path) -> tuple[str, Head, Iterator[Line]]:
    """For whoever only looks: the chain's name, what the oldest record hangs on, the records. Raises OSError, or
    Broken where one was changed."""
    _, chain, first, lines = looked_at(folder)
    return chain, first, lines


def keys_in(folder: Path) -> tuple[Public, ...]:
    """Those that signed, oldest first. Raises OSError."""
    seal, _, _, lines = looked_at(folder)
    with closing(lines):
        return () if seal is None else seal.keys


def looked_at(folder: Path) -> tuple[Seal | None, str, Head, Generator[Line]]:
    """The same with who vouches for it; None: nobody. All as of one moment."""
    import sqlite3

    path = folder / FILE
    if not path.exists():
        raise FileNotFoundError(2, "there are no records", str(path))
    try:
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
        db.execute("BEGIN")
        marks = {name: (n, text) for name, n, text in db.execute("SELECT name, n, hash FROM mark")}
    except sqlite3.Error as error:
        raise _not_kept(error) from error
    first = Head(n=marks["first"][0], hash=marks["first"][1]) if "first" in marks else Head()

    def lines() -> Generator[Line]:
        try:
            for n, text, hash_ in db.execute("SELECT n, text, hash FROM interval ORDER BY n"):
                line = line_of(text, hash_)
                if line.n != n:
                    raise Broken(n, f"it says that it is record {line.n}")
                yield line
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


def _oldest(count: int) -> int:
    """How many of so many records go at once."""
    return max(ROOM_LEAST, int(ROOM_PU * count))


def _mark(db: sqlite3.Connection, name: str, n: int, text: str) -> None:
    db.execute("INSERT OR REPLACE INTO mark VALUES (?, ?, ?)", (name, n, text))


def _unusable(error: sqlite3.DatabaseError) -> bool:
    return error.sqlite_errorcode & 0xFF in UNUSABLE


def _full(error: Exception) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == SQLITE_FULL


def _not_kept(error: Exception) -> NotKept:
    return NotKept(f"{FILE}: {error}")
